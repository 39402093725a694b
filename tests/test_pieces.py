import numpy as np
import pytest
from conftest import answer, page, page_of
from PIL import Image, ImageDraw
from scipy import ndimage

from files import PROJECT

TABLE = [(3, 7, 0, 2), (5, 4, 6, 9), (2, 2, 8, 5), (7, 3, 9, 4)]


def test_large_thin_digits_are_no_ruling_and_no_boxes(read):
    picture = np.full((800, 1200), 0.9)
    picture[100:600, 500:505] = 0.2
    assert page_of(picture, read).boxes.tolist() == [[100, 600, 500, 505]]
    image = Image.new("L", (300, 300), 230)
    ImageDraw.Draw(image).ellipse((120, 60, 180, 240), None, 30, 5)
    assert answer(np.asarray(image) / 255, read) == "0"


@pytest.mark.parametrize("width", [2, 4])
def test_boxes_and_combs_are_left_out(clear, read, width):
    separate = [(33 + 112 * n, 139 + 112 * n) for n in range(4)]
    comb = [(30 + 112 * n, 142 + 112 * n + width) for n in range(4)]
    for boxes in (separate, comb, comb[:2], separate[3:]):
        picture = page(clear[[3, 7, 0, 2]])
        y, x = np.indices(picture.shape)
        for left, right in boxes:
            depth = np.min([y - 32, 139 - y, x - left, right - 1 - x], axis=0)
            picture[(depth >= 0) & (depth < width)] = 0.3
        assert answer(picture, read) == "3702"


def test_boxes_that_the_border_cuts_off(clear, read):
    picture = page(clear[[3, 7, 0]], margin=36)
    picture[30:34] = picture[-34:-30] = 0.15
    for left in (33, 145, 257, 367):
        picture[30:-30, left : left + 4] = 0.15
    assert answer(picture[:, 36:-3], read) == "370"


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


@pytest.mark.parametrize("angle", [-12, 10])
def test_ruled_paper_held_at_an_angle(clear, read, angle):
    picture = np.pad(page(clear[[3, 6, 4, 8]]), ((150, 100), (60, 60)), "edge")
    picture[30::60] = picture[31::60] = 0.5
    picture = ndimage.rotate(picture, angle, order=1, reshape=False, mode="nearest")
    assert answer(picture, read).replace("?", "") == "3648"


def test_a_table(clear, read):
    rows = [np.hstack([page(clear[[d]], margin=0)[4:-4, 4:-4] for d in row]) for row in TABLE]
    picture = np.pad(np.vstack(rows), 40, constant_values=0.9)
    for place in 40 + 104 * np.arange(5):
        picture[place - 1 : place + 2, 40:456] = picture[40:456, place - 1 : place + 2] = 0.15
    picture = ndimage.rotate(picture, 5, order=1, cval=0.9)
    assert answer(picture, read).split() == ["".join(map(str, row)) for row in TABLE]
