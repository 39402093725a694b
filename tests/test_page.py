"""Pages made of MNIST's training images must be read as the network reads the images."""

from types import SimpleNamespace

import numpy as np
import pytest
from pages import THRESHOLDS, answer, page, page_of, save
from PIL import Image, ImageDraw
from scipy import ndimage

from benchmarks.reading import paper
from benchmarks.reading.writer import Writer
from handwriting.page import recognise_page


def test_enlarged_and_pasted_anywhere_mnist_is_read_as_it_is(mnist, read):
    images = mnist[0][:300]
    random_generator = np.random.default_rng(0)
    answers = []
    for number, image in enumerate(images):
        sides = random_generator.integers(0, 120, 4).reshape(2, 2)
        picture = page([image], scale=random_generator.integers(2, 5), margin=0)
        picture = np.pad(picture, sides, constant_values=0.9)
        answers.append(answer(1 - picture if number % 2 else picture, read).rstrip("?"))
    original = read(images).argmax(axis=1)
    assert (np.array(answers) == original.astype(str)).mean() >= 0.98


@pytest.mark.parametrize("digits", ["406", *"023456789"])  # a 1 would be a stripe
def test_digits_at_the_border(clear, read, digits):
    picture = page(clear[[int(digit) for digit in digits]], margin=0)
    rows, columns = (np.flatnonzero((picture < 0.5).any(axis)) for axis in (1, 0))
    assert answer(picture[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1], read) == digits


def test_rows_are_read_from_above_and_from_the_left(clear, read):
    rows = [page(clear[[3, 1, 4]]), page(clear[[1, 5, 9]]), page(clear[[2, 6, 5]])]
    found = page_of(np.vstack(rows), read)
    assert found.text == "314 159 265" and found.rows.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    tight = np.vstack([page(clear[[4, 7, 4]], margin=0)[8:-8]] * 3)  # a quarter of a digit apart
    assert answer(np.pad(tight, 40, constant_values=0.9), read) == "474 474 474"
    one = [page(clear[[digit]]) for digit in (7, 2, 3, 0)]
    falling = [np.pad(p, ((60 * n, 180 - 60 * n), (0, 0)), "edge") for n, p in enumerate(one)]
    assert answer(np.hstack(falling), read) == "7230"


@pytest.mark.parametrize("angle", [-14, 14])
def test_tilted_rows(clear, read, angle):
    rows = [page(clear[digits], margin=12) for digits in ([3, 4, 7, 5, 9, 2], [6, 0, 2, 8, 3, 0])]
    picture = ndimage.rotate(np.vstack(rows), angle, order=1, cval=0.9)
    assert answer(picture, read).replace("?", "") == "347592 602830"


def test_long_tails_beside_small_digits(clear, read):
    writer = Writer(clear, np.arange(10), seed=6)
    writer.sizes = dict.fromkeys(range(1, 9), (0.5, 0.7)) | {0: (0.3, 0.38)}
    writer.sizes |= dict.fromkeys((7, 9), (1.2, 1.35))
    ink, _ = writer.text("dddddddd")
    assert answer(paper.page(ink), read).replace("?", "") == "53960067"


@pytest.mark.parametrize("desk", [0.1, 0.6])
def test_a_sheet_on_a_desk(clear, read, desk):
    rows = [page(clear[digits], scale=2, margin=20) for digits in ([3, 6, 4], [8, 5, 0])]
    sheet = np.pad(np.vstack(rows), ((40, 90), (60, 130)), "edge")
    grain = ndimage.gaussian_filter(np.random.default_rng(0).normal(0, 1, (700, 800)), 2)
    picture = desk + 0.05 * grain / grain.std()
    picture[180 : 180 + sheet.shape[0], 210 : 210 + sheet.shape[1]] = sheet
    picture = ndimage.rotate(picture, 4, order=1, mode="nearest")
    found = page_of(picture, read)
    assert found.text == "364 850"
    assert (found.boxes[:, 0] > 180).all() and (found.boxes[:, 2] > 210).all()


def test_the_edge_of_a_shadow_is_no_edge_of_the_sheet(clear, read):
    rows = [page(clear[d], scale=2, margin=20) for d in ([3, 6, 4, 7, 5, 2], [8, 5, 0, 2, 4, 3])]
    sheet = np.pad(np.vstack(rows), ((40, 90), (60, 130)), "edge")
    grain = ndimage.gaussian_filter(np.random.default_rng(0).normal(0, 1, (700, 1000)), 2)
    picture = 0.1 + 0.05 * grain / grain.std()
    picture[180 : 180 + sheet.shape[0], 210 : 210 + sheet.shape[1]] = sheet
    picture = ndimage.rotate(picture, 4, order=1, mode="nearest")
    y, x = np.indices(picture.shape)
    found = answer(np.where(x + 0.3 * y > 600, 0.7, 1) * picture, read)
    assert found.replace("?", "") == "364752 850243"


def test_a_strip_is_no_sheet(read):
    picture = np.full((64, 64), 0.9)
    picture[:, 28:36] = 0.1
    assert answer(picture, read) == ""


def test_large_things_that_are_no_digits_change_nothing(clear, read):
    picture = np.pad(page(clear[[3, 6, 4]], scale=1, margin=20), ((300, 0), (200, 200)), "edge")
    picture[20:260, 40:280] = 0.2
    picture[60:220, 90:230] = 0.9
    assert answer(picture, read) == "364"


def test_what_is_lost_is_shown(clear, read):
    image = Image.new("L", (28, 28))
    for line in ((14, 4, 14, 24), (4, 14, 24, 14), (7, 7, 21, 21), (7, 21, 21, 7)):
        ImageDraw.Draw(image).line(line, 255, 2)
    star = np.asarray(image)
    for images, text in (
        ([clear[4], star, clear[7]], "4_7"),
        ([star, clear[4], clear[7]], "_47"),
        ([clear[4], clear[7], star, star], "47_"),
    ):
        assert answer(page(images), read) == text
    assert answer(page([star]), read) == ""


@pytest.mark.parametrize("pattern", ["dd/dd/dd", "d,ddd.dd", "(ddd)dddd", "+dd-dd", "-dd", "dd:dd"])
def test_marks_are_left_out_and_leave_a_space(clear, read, pattern):
    ink, expected = Writer(clear, np.arange(10), seed=0).text(pattern)
    found = page_of(paper.page(ink), read)
    assert found.text.replace("_", " ") == expected
    assert len(found.left_out) >= len(pattern.replace("d", ""))


def test_small_digits_on_a_large_picture(clear, read):
    picture = np.pad(page(clear[[3, 6, 4]], scale=1), 1500, "edge")
    found = page_of(picture, read)
    assert found.text == "364" and max(found.picture.shape) > 1500


def test_a_doubtful_digit_has_a_question_mark(clear, read, tmp_path):
    path = save(tmp_path / "p.png", page(clear[[3, 8]]))
    for doubtful_below, text in ((0, "38"), (1.01, "3?8?")):
        thresholds = SimpleNamespace(**vars(THRESHOLDS) | {"doubtful_below": doubtful_below})
        assert recognise_page(path, read, thresholds).text == text


def test_no_number_of_digits_is_refused(clear, read):
    picture = np.vstack([page(clear, scale=2, margin=8)] * 12)
    assert answer(picture, read).replace("?", "").split() == ["0123456789"] * 12


def test_digits_of_three_sizes_and_a_large_one_below_small_ones(clear, read):
    rows = [page(clear[[3, 6, 4]], scale=scale) for scale in (2, 9, 4)]
    rows = [np.pad(row, ((0, 0), (0, 850 - row.shape[1])), "edge") for row in rows]
    assert answer(np.vstack(rows), read) == "364 364 364"
    large = page(clear[[7]], scale=16)
    small = rows[0][:, : large.shape[1]]
    assert answer(np.vstack([small, large]), read) == "364 7"


def test_wide_gaps_are_spaces(clear, read):
    writer = Writer(clear, np.arange(10), seed=0)
    ink, expected = writer.text("d dd ddd dd", gaps=(2, 6))
    assert answer(paper.page(ink), read).replace("?", "") == expected


@pytest.mark.parametrize("pattern", ["(d+d)/d", "d-dx(d-d)/d"])
def test_signs_are_no_letters(clear, read, pattern):
    writer = Writer(clear[[2, 3, 4, 5, 6, 8]], np.array([2, 3, 4, 5, 6, 8]), seed=2)
    ink, expected = writer.text(pattern, gaps=(4, 10))
    assert answer(paper.page(ink), read) == expected


def test_what_may_be_a_slash_is_in_doubt(clear, read):
    upright = np.array([0, 3])
    ink, _ = Writer(clear[upright], upright, seed=4).text("dd/dd", reach=(0, 0.05))
    found = page_of(paper.page(ink), read)
    assert found.text[2:4] == "1?" and found.probabilities[2].max() > 0.5  # the network is sure


def test_a_tall_1_with_a_flag_is_a_digit(clear, read):
    ink, expected = Writer(clear[[2, 3, 5]], np.array([2, 3, 5]), seed=1).text(
        "dId", reach=(0.2, 0.2)
    )
    assert answer(paper.page(ink), read) == expected
