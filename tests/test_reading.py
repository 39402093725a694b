"""The pages of benchmarks/reading are read, and the benchmark judges answers as it says."""

import numpy as np
import pytest
from conftest import answer

pytest.importorskip("skimage", reason="scikit-image draws the pages")
pytest.importorskip("rapidfuzz", reason="RapidFuzz judges the answers")

from benchmarks.reading.pages import KINDS
from benchmarks.reading.reading import judge
from benchmarks.reading.writer import Writer

OTHERS = {"open 4s", "slashes as tall as the digits: 12/05/2026", "letters and symbols"}  # unsure
OTHERS |= {"forms with headings and rules", "solved sudokus in a newspaper", "times: 1:26:25"}
OTHERS |= {"sheets on a dark, wooden or grey desk", "a full page of print"}  # slow
PAGES = [(kind, 1) for kind in KINDS if kind not in OTHERS]
PAGES += [("times: 1:26:25", 3), ("thin oval 0s", 5)]  # one of these is like a box
PAGES += [("ruled paper held at 8 to 12 degrees", seed) for seed in (0, 3)]  # to either side
PAGES += [("turned by one to three quarters", seed) for seed in (0, 5)]  # by three and two


@pytest.mark.parametrize(
    ("text", "expected", "judgement"),
    [
        ("12 34", "12 34", (True, False, 0, 4)),
        ("1?2_34", "12 34", (True, False, 0, 4)),
        ("1234", "12 34", (False, True, 0, 4)),
        ("13? 3", "12 34", (False, False, 2, 4)),
        ("7", "", (False, True, 1, 0)),
    ],
)
def test_exact_and_silent_answers_and_wrong_digits(text, expected, judgement):
    assert judge(text, expected) == judgement


@pytest.mark.parametrize(("kind", "seed"), PAGES)
def test_a_page_of_each_kind_is_read(clear, read, kind, seed):
    picture, expected = KINDS[kind](Writer(clear, np.arange(10), seed), seed)
    assert answer(picture, read) == expected
