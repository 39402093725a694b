"""What is printed on paper must be taken away from what is written."""

import numpy as np
import pytest
from pages import answer, page, page_of


def test_a_large_thin_digit_is_no_ruling(read):
    picture = np.full((800, 1200), 0.9)
    picture[100:600, 500:505] = 0.2
    assert page_of(picture, read).boxes.tolist() == [[100, 600, 500, 505]]


@pytest.mark.parametrize("width", [2, 4])
def test_boxes_and_combs_are_left_out(clear, read, width):
    separate = [(33 + 112 * n, 139 + 112 * n) for n in range(4)]
    comb = [(30 + 112 * n, 142 + 112 * n + width) for n in range(4)]
    for boxes in (separate, comb, comb[:2], separate[3:]):
        picture = page(clear[[3, 7, 0, 2]])
        for left, right in boxes:
            inside = picture[32 + width : 140 - width, left + width : right - width].copy()
            picture[32:140, left:right] = 0.3
            picture[32 + width : 140 - width, left + width : right - width] = inside
        assert answer(picture, read) == "3702"


def test_a_circle_is_left_out(clear, read):
    picture = page(clear[[7]])
    y, x = np.indices(picture.shape) - 86
    picture[np.abs(np.hypot(y, x) - 75) < 4] = 0.15
    assert answer(picture, read) == "7"


def test_digits_are_taken_off_their_line(clear, read):
    picture = page(clear[[3, 6, 4, 8]])
    picture[108:113, 5:-5] = 0.15  # through their feet
    assert answer(picture, read).replace("?", "") == "3648"
