"""Pages made of MNIST's training images must be read as the network reads the images."""

import numpy as np
import pytest
from pages import READING, answer, as_image, page, page_of, predict, save
from PIL import Image, ImageDraw
from scipy import ndimage

from handwriting import page as reader
from handwriting.normalise import normalise


@pytest.mark.parametrize("shape", [(200, 40), (60, 300), (20, 20), (7, 5)])
def test_normalise_scales_the_longer_side_to_20_and_keeps_the_aspect(shape):
    ink = np.pad(np.ones(shape, np.float32), ((3, 90), (50, 8)))
    image = normalise(ink)
    assert image.shape == (28, 28) and image.dtype == np.uint8 and image.max() == 255
    height, width = (image / 255).max(1).sum(), (image / 255).max(0).sum()
    assert max(height, width) == pytest.approx(20, abs=0.5)
    assert height / width == pytest.approx(shape[0] / shape[1], rel=0.15)
    assert np.abs(np.subtract(ndimage.center_of_mass(image), 14)).max() <= 0.5


def test_normalise_gives_back_what_mnist_made(mnist):
    images = mnist[0][:200]
    for scale in (1, 3, 8):
        size = (28 * scale, 28 * scale)
        large = [Image.fromarray(image).resize(size, Image.Resampling.NEAREST) for image in images]
        again = [normalise(np.float32(image) / 255) for image in large]
        difference = np.abs(np.subtract(again, images, dtype=float)).mean((1, 2))
        assert np.median(difference) < 6  # of 255; a digit moved by a pixel differs by about 25


def test_enlarged_and_pasted_anywhere_mnist_is_read_as_it_is(mnist, read):
    images, labels = (array[:300] for array in mnist[:2])
    random_generator = np.random.default_rng(0)
    answers = []
    for number, image in enumerate(images):
        sides = random_generator.integers(0, 120, 4).reshape(2, 2)
        picture = page([image], scale=random_generator.integers(2, 5), margin=0)
        picture = np.pad(picture, sides, constant_values=0.9)
        answers.append(answer(1 - picture if number % 2 else picture, read).rstrip("?"))
    original = read(images).argmax(axis=1)
    assert (np.array(answers) == original.astype(str)).mean() >= 0.98
    right = np.array(answers) == labels.astype(str)
    assert right.mean() >= (original == labels).mean() - 0.01


def test_a_large_thin_digit_is_no_ruling(read):
    picture = np.full((800, 1200), 0.9)
    picture[100:600, 500:505] = 0.2
    assert page_of(picture, read).boxes.tolist() == [[100, 600, 500, 505]]


def test_broken_strokes_are_joined(clear, read):
    picture = page(clear[[3, 8]], scale=8, margin=0)
    whole = page_of(picture, read).boxes
    picture[14 * 8 - 3 : 14 * 8 + 3, :224] = 0.9  # cuts the 3
    assert np.abs(page_of(picture, read).boxes - whole).max() <= 2


def test_digits_of_different_sizes(clear, read):
    small = np.pad(page(clear[[3]], scale=2, margin=0), 28, constant_values=0.9)
    large = page(clear[[5]], scale=4, margin=0)
    row = np.pad(np.hstack([small, large, small]), 20, constant_values=0.9)
    assert answer(row, read) == "353"


@pytest.mark.parametrize("digits", ["406", *"023456789"])  # a 1 would be a stripe
def test_digits_at_the_border(clear, read, digits):
    picture = page(clear[[int(digit) for digit in digits]], margin=0)
    rows, columns = (np.flatnonzero((picture < 0.5).any(axis)) for axis in (1, 0))
    assert answer(picture[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1], read) == digits


def test_rows_are_read_from_above_and_from_the_left(clear, read):
    rows = [page(clear[[3, 1, 4]]), page(clear[[1, 5, 9]]), page(clear[[2, 6, 5]])]
    assert answer(np.vstack(rows), read) == "314 159 265"
    tight = np.vstack([page(clear[[4, 7, 4]], margin=0)[8:-8]] * 3)  # a quarter of a digit apart
    assert answer(np.pad(tight, 40, constant_values=0.9), read) == "474 474 474"
    one = [page(clear[[digit]]) for digit in (7, 2, 3, 0)]
    falling = [np.pad(p, ((60 * n, 180 - 60 * n), (0, 0)), "edge") for n, p in enumerate(one)]
    falling = np.hstack(falling)
    assert answer(falling, read) == "7 2 3 0"


def test_boxes_are_where_the_digits_are(clear, read):
    boxes = page_of(page(clear[[2, 8]], margin=40), read).boxes
    for place, (digit, box) in enumerate(zip(clear[[2, 8]], boxes)):
        rows, columns = (np.flatnonzero((digit > 128).any(axis)) for axis in (1, 0))
        corners = [rows[0], rows[-1] + 1, columns[0] + 28 * place, columns[-1] + 1 + 28 * place]
        assert np.abs(box - (40 + 4 * np.array(corners))).max() <= 6


MARKS = {  # lines x, y, x, y in a digit's square, from its upper left corner
    "/": [(40, 95, 75, -15)],
    "(": [(65, -15, 48, 15), (48, 15, 48, 65), (48, 65, 65, 95)],
    ")": [(45, -15, 62, 15), (62, 15, 62, 65), (62, 65, 45, 95)],
    "+": [(30, 40, 80, 40), (55, 15, 55, 65)],
    "-": [(35, 40, 75, 40)],
    ",": [(55, 70, 50, 95)],
    ".": [(55, 72, 55, 80)],
    ":": [(55, 15, 55, 22), (55, 65, 55, 72)],
}


def written(clear, text):
    """A row of digits and marks, each in a square of 112 pixels: a picture (172, width)."""
    blank = np.zeros((28, 28), np.uint8)
    picture = page([clear[int(c)] if c.isdigit() else blank for c in text])
    image = as_image(picture)
    for place, character in enumerate(text):
        for line in MARKS.get(character, []):
            corner = np.array([30 + 112 * place, 46] * 2)
            ImageDraw.Draw(image).line([*map(int, corner + line)], 38, 10)
    return np.asarray(image) / 255


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("12/05/26", "12 05 26"),
        ("1,299.50", "1 299 50"),
        ("(020)7946", "020 7946"),
        ("+44-79", "44 79"),
        ("-72", "72"),
        ("12:30", "12 30"),
    ],
)
def test_marks_are_left_out_and_leave_a_space(clear, read, text, expected):
    found = page_of(written(clear, text), read)
    assert found.text == expected
    assert len(found.left_out) >= sum(not c.isdigit() for c in text)


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


def test_touching_digits_are_cut(clear, read):
    images = clear[[5, 2, 6, 0]]
    inks = [image[:, image.max(axis=0) > 60] for image in images]
    for number in (2, 3, 4):
        found = page_of(page([np.hstack(inks[:number])]), read)
        assert found.text.replace("?", "") == "5260"[:number]
        assert len(found.boxes) == number and (np.diff(found.boxes[:, 2]) > 0).all()


def test_what_is_no_digit_is_left_out(clear, read, capsys, tmp_path):
    image = Image.new("L", (28, 28))
    ImageDraw.Draw(image).line((3, 5, 9, 22, 14, 8, 19, 22, 25, 5), 255, 2)  # a W
    letter = np.asarray(image)
    path = save(tmp_path / "p.png", page([letter]))
    assert predict(capsys, tmp_path, path) == (1, f"{path}: no digit found\n", "")
    assert answer(page([clear[4], letter, clear[7]]), read) == "4 7"


def test_small_digits_on_a_large_picture(clear, read, tmp_path):
    picture = np.pad(page(clear[[3, 1, 7]], scale=1), 1500, "edge")
    found = reader.recognise_page(save(tmp_path / "p.png", picture), read, READING)
    assert found.text == "317" and found.picture.shape == picture.shape


def test_a_doubtful_digit_has_a_question_mark():
    probabilities = np.full((2, 10), 0.01)
    probabilities[[0, 1], [3, 8]] = 0.91, 0.69
    assert reader.digit_texts(probabilities, 0.7) == ["3", "8?"]
    assert reader.digit_texts(probabilities, 0) == ["3", "8"]


def test_more_than_100_blobs(clear, capsys, tmp_path):
    picture = np.vstack([page(clear, scale=2, margin=8)] * 10)
    path = save(tmp_path / "p.png", picture)
    assert predict(capsys, tmp_path, path)[0] == 0  # 100 digits
    path = save(tmp_path / "p.png", np.vstack([picture, picture[:72]]))
    status, out, err = predict(capsys, tmp_path, path)
    assert (status, out) == (1, "")
    assert err == f"error: {path}: 110 pieces; at most 100 digits are recognised\n"
