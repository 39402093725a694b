import numpy as np
import pytest
from conftest import answer, page, page_of
from PIL import Image

from files import PROJECT
from handwriting.lines import without_lines


def test_a_large_thin_1_is_no_ruling(read):
    picture = np.full((800, 1200), 0.9)
    picture[100:600, 500:505] = 0.2
    assert page_of(picture, read).boxes.tolist() == [[100, 600, 500, 505]]


def test_boxes_that_the_border_cuts_off(clear, read):
    picture = page(clear[[3, 7, 0]], margin=36)
    picture[30:34] = picture[-34:-30] = 0.15
    for left in (33, 145, 257, 367):
        picture[30:-30, left : left + 4] = 0.15
    assert answer(picture[:, 36:-3], read) == "370"


def test_a_digit_that_touches_a_tilted_comb_stays(clear, read):
    picture = page(clear[[7, 3, 0]], margin=36)
    y, x = np.indices(picture.shape)
    y = y - 0.1 * x
    is_line = (abs(y - 30) < 2) | (abs(y - 125) < 2)  # through the foot of the 7
    for left in (26, 144, 256, 374):
        is_line |= abs(x + 0.1 * y - left) < 2
    is_line &= (y > 28) & (y < 127) & (x + 0.1 * y > 24) & (x + 0.1 * y < 376)
    picture[is_line] = 0.15
    assert answer(picture, read) == "730"


def test_a_circle_and_a_line_through_digits_are_left_out(clear, read):
    picture = page(clear[[7]])
    y, x = np.indices(picture.shape) - 86
    picture[np.abs(np.hypot(y, x) - 75) < 4] = 0.15
    assert answer(picture, read) == "7"
    picture = page(clear[[3, 6, 4, 8]])
    picture[108:113, 5:-5] = 0.15  # through their feet
    assert answer(picture, read).replace("?", "") == "3648"


@pytest.mark.parametrize("quality", [10, 15, 20, 30, 45, 60, 95])
def test_ruling_in_a_picture_that_was_compressed(read, tmp_path, quality):
    image = Image.open(PROJECT / "docs" / "handwriting.jpg")
    image.save(tmp_path / "p.jpg", quality=quality)
    assert answer(tmp_path / "p.jpg", read) == "90210"


def test_a_stroke_that_stands_on_a_line_stays():
    ink = np.zeros((60, 600), np.float32)
    ink[30:32] = 0.4
    ink[20:30, 100:140] = 0.6  # less than half as dark again as the line
    rest = without_lines(ink, length=200, reach=5, thickness=4)
    assert np.array_equal(rest[:29], ink[:29]) and (rest[30:, 200:] < 0.1).all()
