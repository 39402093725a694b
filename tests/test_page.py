import numpy as np
import pytest
from conftest import answer, page, page_of
from PIL import Image, ImageDraw
from scipy import ndimage

from benchmarks.reading import paper
from benchmarks.reading.non_digits import printed
from benchmarks.reading.writer import Writer, enlarged
from handwriting.normalise import normalise
from handwriting.sheet import joined, on_sketch, strokes_in


def test_enlarged_and_pasted_anywhere_mnist_is_read_as_it_is(mnist, read):
    images = mnist[0][:100]
    random_generator, answers = np.random.default_rng(0), []
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


def test_tight_falling_and_tilted_rows(clear, read):
    tight = np.vstack([page(clear[[4, 7, 4]], margin=0)[8:-8]] * 3)  # a quarter of a digit apart
    assert answer(np.pad(tight, 40, constant_values=0.9), read) == "474 474 474"
    one = [page(clear[[digit]]) for digit in (7, 2, 3, 0)]
    falling = [np.pad(p, ((60 * n, 180 - 60 * n), (0, 0)), "edge") for n, p in enumerate(one)]
    assert answer(np.hstack(falling), read) == "7230"
    images = clear[[3, 4, 7, 5, 9, 2, 6, 0, 2, 8, 3, 0]]
    rows = [page(images[:6], margin=12), page(images[6:], margin=12)]
    for angle in (-14, 14):
        found = page_of(ndimage.rotate(np.vstack(rows), angle, order=1, cval=0.9), read)
        assert found.text.replace("?", "") == "347592 602830"
        tilted = [normalise(ndimage.rotate(image / 255, angle, order=1)) for image in images]
        errors = [np.abs(np.subtract(made, images, dtype=float)) for made in (found.images, tilted)]
        assert errors[0].mean() < 0.9 * errors[1].mean()  # they are recognised as if level


@pytest.mark.parametrize(("desk", "light"), [(0.1, 1), (0.6, 1), (0.1, 0.7)])
def test_a_sheet_on_a_desk_divided_by_the_edge_of_a_shadow_or_not(clear, read, desk, light):
    rows = [page(clear[d], scale=2, margin=20) for d in ([3, 6, 4, 7, 5, 2], [8, 5, 0, 2, 4, 3])]
    sheet = np.pad(np.vstack(rows), ((40, 90), (60, 130)), "edge")
    grain = ndimage.gaussian_filter(np.random.default_rng(0).normal(0, 1, (700, 1000)), 2)
    picture = desk + 0.05 * grain / grain.std()
    picture[180 : 180 + sheet.shape[0], 210 : 210 + sheet.shape[1]] = sheet
    picture = ndimage.rotate(picture, 4, order=1, mode="nearest")
    y, x = np.indices(picture.shape)
    found = page_of(np.where(x + 0.3 * y > 600, light, 1) * picture, read)
    assert found.text == "364752 850243"
    for top, bottom, left, right in found.boxes:
        ink = found.picture[top + 2 : bottom - 2, left + 2 : right - 2] < 0.5
        assert ink.any(axis=0).all() and ink.any(axis=1).all()


def test_a_digit_on_the_edge_between_two_sheets_belongs_to_both_joined():
    mask, x = np.ones((200, 200), bool), np.arange(200)
    mask[70:130, 70:130] = False
    sheets = [on_sketch(mask & side, np.float32(mask)) for side in (x < 98, x > 102)]
    assert joined(sheets, sheets[0].paper).mask[40:160].all()


def test_a_strip_is_no_sheet_and_large_things_change_nothing(clear, read):
    picture = np.full((64, 64), 0.9)
    picture[:, 28:36] = 0.1
    assert answer(picture, read) == ""
    picture = np.pad(page(clear[[3, 6, 4]], scale=1, margin=20), ((300, 0), (200, 200)), "edge")
    picture[20:260, 40:280] = 0.2
    picture[60:220, 90:230] = 0.9
    assert answer(picture, read) == "364"
    picture[20:260, 40:280] = 0.9
    picture[20:260, 150:160] = 0.2  # it may be a 1
    assert answer(picture, read) == "_ 364"
    picture = page(clear[[1]], scale=8, margin=60)
    picture[np.r_[20:80, 83:143, 146:206], :20] = 0.2  # beside the sheet, almost a 1
    assert answer(picture, read) == "1"


def test_what_is_lost_is_shown(clear, read):
    star = Image.new("L", (28, 28))
    for line in ((14, 4, 14, 24), (4, 14, 24, 14), (7, 7, 21, 21), (7, 21, 21, 7)):
        ImageDraw.Draw(star).line(line, 255, 2)
    images = {"4": clear[4], "7": clear[7], "*": np.asarray(star)}
    # a leaning 1 beside an x may be a slash, if it is no taller than the digits
    for character, top in ("1", 4), ("/", -4), ("x", 14):
        images[character] = Image.new("L", (28, 28))
        ImageDraw.Draw(images[character]).line((18, top, 8, 24), 255, 2)
    ImageDraw.Draw(images["x"]).line((8, 14, 18, 24), 255, 2)
    rows = {"4*7": "4_7", "*47": "_47", "47**": "47_", "*": "", "4x17": "4 _7", "4x/7": "4 7"}
    for row, text in rows.items():
        assert answer(page([images[character] for character in row]), read) == text


def test_the_gaps_in_a_thick_letter_are_no_light_1s_and_the_o_of_a_word_is_no_0(clear, read):
    letter = printed("H", "DejaVuSerif-Bold", 100, thickening=6)
    assert answer(paper.page(letter), read) == ""
    digits = enlarged(np.hstack(clear[[4, 7, 3]]) / 255, 4)
    word = printed("Hour", "DejaVuSerif-Bold", 40)
    word = np.pad(word, ((40, len(digits) - len(word) - 40), (0, 170)))
    assert answer(paper.page(np.hstack([word, digits])), read) == "473"


def test_small_digits_on_a_large_picture(clear, read):
    picture = np.pad(page(clear[[3, 6, 4]], scale=1), 1500, "edge")
    found = page_of(picture, read)
    assert found.text == "364" and max(found.picture.shape) > 1500


@pytest.mark.parametrize("pattern", ["dd/dd/dd", "d,ddd.dd", "(ddd)dddd", "+dd-dd", "-dd", "dd:dd"])
def test_marks_are_left_out_and_leave_a_space(clear, read, pattern):
    ink, expected = Writer(clear, np.arange(10), seed=0).text(pattern)
    found = page_of(paper.page(ink), read)
    assert found.text.replace("_", " ") == expected
    assert len(found.left_out) >= len(pattern.replace("d", ""))


def test_what_may_be_a_slash_is_in_doubt(clear, read):
    upright = np.array([0, 3])
    ink, _ = Writer(clear[upright], upright, seed=4).text("dd/dd", reach=(0, 0.05))
    found = page_of(paper.page(ink), read)
    assert found.text[2:4] == "1?" and found.probabilities[2].max() > 0.5  # the network is sure


def test_a_strip_along_the_border_is_no_digit_but_a_1_cut_off_at_the_top_is(clear, read):
    picture = page([clear[4], 0 * clear[0], clear[7]], margin=20)[40:]  # cut off above the digits
    picture[:, :4] = 0.15
    assert answer(picture, read) == "47"
    picture[:70, 185:193] = 0.15
    assert answer(picture, read).replace("?", "") == "417"


def test_a_thin_stroke_beside_a_thick_one_keeps_its_faint_edges():
    ink = np.zeros((60, 60))
    ink[10:30, 10:30], ink[10:30, 30] = 0.9, 0.2  # a soft edge of the thick one
    ink[10:50, 40], ink[10:50, 41] = 0.4, 0.2
    ink[10:50, 50] = 0.25  # noise
    expected = np.zeros((60, 60), bool)
    expected[10:30, 10:30] = expected[10:50, 40:42] = True
    assert (strokes_in(ink) == expected).all()


def test_normalise_gives_back_what_mnist_made(mnist):
    images = mnist[0][:200]
    for scale in (1, 3, 8):
        pixel = np.full((scale, scale), 1 / 255, np.float32)  # what one of MNIST's becomes
        again = [normalise(np.kron(image, pixel)) for image in images]
        difference = np.abs(np.subtract(again, images, dtype=float)).mean((1, 2))
        assert np.median(difference) < 6  # of 255; a digit moved by a pixel differs by about 25
