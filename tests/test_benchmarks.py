"""Pages of the benchmarks are read, answers judged, and contenders compared with this project."""

import numpy as np
import pytest
from conftest import answer
from threadpoolctl import threadpool_limits

pytest.importorskip("skimage", reason="scikit-image draws the pages")
pytest.importorskip("rapidfuzz", reason="RapidFuzz judges the answers")

from benchmarks.reading import non_digits
from benchmarks.reading.pages import KINDS
from benchmarks.reading.reading import judge
from benchmarks.reading.writer import Writer
from benchmarks.speed.compare import CHECKED_IMAGES, change, check
from benchmarks.speed.contenders import Ours, ScikitLearn, Textbook
from handwriting import beyond_mnist

# `clear` has no open 4, too few pages of the others are read exactly, or a page takes too long
OTHERS = {"open 4s", "slashes as tall as the digits: 12/05/2026", "letters and symbols"}
OTHERS |= {"forms with headings and rules", "solved sudokus in a newspaper", "times: 1:26:25"}
OTHERS |= {"sheets on a dark, wooden or grey desk", "a full page of print"}
PAGES = [(kind, 1) for kind in KINDS if kind not in OTHERS]
PAGES += [("times: 1:26:25", 3), ("thin oval 0s", 5)]  # one of these is like a box
PAGES += [("ruled paper held at 8 to 12 degrees", seed) for seed in (0, 3)]  # to either side
PAGES += [("turned by one to three quarters", seed) for seed in (0, 5)]  # by three and two
JUDGEMENTS = [
    ("12 34", "12 34", (True, False, 0, 4)),
    ("1?2_34", "12 34", (True, False, 0, 4)),
    ("1234", "12 34", (False, True, 0, 4)),
    ("13? 3", "12 34", (False, False, 2, 4)),
    ("7", "", (False, True, 1, 0)),
]


@pytest.mark.parametrize(("text", "expected", "judgement"), JUDGEMENTS)
def test_exact_and_silent_answers_and_wrong_digits(text, expected, judgement):
    assert judge(text, expected) == judgement


@pytest.mark.parametrize(("kind", "seed"), PAGES)
def test_a_page_of_most_kinds_is_read(clear, read, kind, seed):
    picture, expected = KINDS[kind](Writer(clear, np.arange(10), seed), seed)
    if "touch" in kind:
        expected = "51?3?5?5?4"  # digits that are cut apart get a ?
    assert answer(picture, read) == expected


def test_the_training_shares_no_typeface_no_symbol_and_no_drawing():
    assert not {*non_digits.FACES} & {*beyond_mnist.TYPEFACES}
    assert not {*non_digits.SYMBOLS} & {*beyond_mnist.SYMBOLS}
    trained = [[line.tolist() for line in strokes] for _, strokes in beyond_mnist.DRAWN]
    for drawing in non_digits.DRAWINGS.values():
        assert [line.tolist() for line in drawing] not in trained


def test_a_contender_that_computes_something_else_is_refused():
    with threadpool_limits(1, user_api="blas"):
        changes = {c.title: change(c, CHECKED_IMAGES) for c in (Ours, Textbook, ScikitLearn)}
        without_penalty = change(Textbook, CHECKED_IMAGES, l2=0)
    check(changes)
    with pytest.raises(SystemExit, match=Textbook.title):
        check(changes | {Textbook.title: without_penalty})
