"""The pages of benchmarks/reading: what is on them, and how an answer is judged."""

import numpy as np
import pytest
from conftest import answer

pytest.importorskip("skimage", reason="scikit-image draws the pages")
pytest.importorskip("rapidfuzz", reason="RapidFuzz judges the answers")

from benchmarks.reading.pages import KINDS
from benchmarks.reading.reading import judge, make_page
from benchmarks.reading.writer import Writer
from handwriting.picture import load_picture

OTHERS = {"open 4s", "slashes as tall as the digits: 12/05/2026", "letters and symbols"}  # unsure
OTHERS |= {"forms with headings and rules", "solved sudokus in a newspaper", "times: 1:26:25"}
OTHERS |= {"sheets on a dark, wooden or grey desk", "a full page of print"}  # slow
PAGES = [(kind, 1) for kind in KINDS if kind not in OTHERS] + [("times: 1:26:25", 3)]
PAGES += [("ruled paper held at 8 to 12 degrees", seed) for seed in (0, 3)]  # to either side
PAGES += [("turned by one to three quarters", seed) for seed in (0, 5)]  # by three and two


@pytest.mark.parametrize(
    ("text", "expected", "judgement"),
    [
        ("12 34", "12 34", (True, False, 0, 4)),
        ("1?2_34", "12 34", (True, False, 0, 4)),
        ("1234", "12 34", (False, True, 0, 4)),
        ("13? 3", "12 34", (False, False, 2, 4)),
        ("", "12", (False, False, 2, 2)),
        ("7", "", (False, True, 1, 0)),
    ],
)
def test_exact_and_silent_answers_and_wrong_digits(text, expected, judgement):
    assert judge(text, expected) == judgement


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_ink_and_the_same_page_again(mnist, kind):
    (file, expected), again = (make_page(kind, 1, choosing=True) for _ in range(2))
    assert file.getvalue() == again[0].getvalue() and expected == again[1]
    assert np.ptp(load_picture(file, 1200)[0]) > 0.3
    assert set(expected) <= set("0123456789 ")


@pytest.mark.parametrize(("kind", "seed"), PAGES)
def test_a_page_of_each_kind_is_read(clear, read, kind, seed):
    picture, expected = KINDS[kind](Writer(clear, np.arange(10), seed), seed)
    assert answer(picture, read) == expected
