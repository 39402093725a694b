import re

import numpy as np
from conftest import answer, page, page_of, run_main
from PIL import Image, ImageDraw


def test_broken_strokes_are_joined(clear, read):
    picture = page(clear[[3, 8, 5, 2]], scale=8, margin=0)
    whole = page_of(picture, read).boxes
    picture[14 * 8 - 3 : 14 * 8 + 3, :224] = 0.9  # cuts the 3
    assert np.abs(page_of(picture, read).boxes - whole).max() <= 2


def test_touching_digits_are_cut(clear, read):
    images = clear[[5, 2, 6, 0]]
    inks = [image[:, image.max(axis=0) > 60] for image in images]
    for number in (2, 3, 4):
        found = page_of(page([np.hstack(inks[:number])]), read)
        assert found.text.replace("?", "") == "5260"[:number]
        assert len(found.boxes) == number and (np.diff(found.boxes[:, 2]) > 0).all()


def test_a_small_0_is_no_comma_and_a_dot_above_is_no_digit(clear, read):
    small = np.zeros((28, 28), np.uint8)
    small[14:26, 9:21] = np.asarray(Image.fromarray(clear[0]).resize((12, 12)))
    assert answer(page([clear[7], small, clear[5]]), read) == "705"
    picture = page([*clear[[2, 3]], np.zeros((28, 56), np.uint8), *clear[[4, 5]]])
    picture[9:21, 192:204] = 0.15  # a dot above the 3
    assert answer(picture, read) == "23 45"


def test_a_small_1_is_in_doubt_and_a_dot_a_comma_and_a_lone_stroke_are_left_out(clear, read):
    row = np.pad(page(clear[[5, 6]]), ((200, 0), (0, 0)), "edge")
    strokes = (235, 270, "51?6"), (310, 320, "5 6"), (295, 330, "5 6"), (60, 95, "_ 56")
    for top, bottom, expected in strokes:
        picture = row.copy()
        picture[top:bottom, 146:154] = 0.15
        assert answer(picture, read) == expected


def test_what_would_be_lost_is_guessed_among_sure_digits(clear, read):
    def doubtful_8(images):
        probabilities = read(images)
        probabilities[probabilities.argmax(axis=1) == 8] = 0.09 + 0.1 * (np.arange(10) == 8)
        return probabilities

    wide = np.zeros((28, 56), np.uint8)
    for row, expected in (
        (clear[[5, 8, 2]], "58?2"),
        ([*clear[[5, 2]], wide, clear[8]], "52_"),  # a word by itself
        (clear[[5, 8]], "5_"),
        ([clear[5], wide, *clear[[8, 8]]], "5_"),
        ([np.vstack(clear[[5, 8]]), np.vstack(clear[[8, 5]])], "5_ _5"),  # two rows
    ):
        assert page_of(page([np.hstack(row)]), doubtful_8).text == expected


def test_large_pictures_take_little_memory(tmp_path):
    scribble, angle = Image.new("L", (4000, 3000), 230), np.linspace(0, 40, 600)
    x = 2000 + 1700 * np.sin(1.3 * angle) * np.cos(0.37 * angle)
    ImageDraw.Draw(scribble).line([*zip(x, 1500 + 1300 * np.cos(1.7 * angle))], 40, 14)
    scribble.save(tmp_path / "scribble.png")
    noise = np.random.default_rng(0).integers(0, 256, (3000, 4000), np.uint8)
    Image.fromarray(noise).save(tmp_path / "noise.png")
    options = {"limits": {"RLIMIT_AS": 1_500_000_000}, "OPENBLAS_NUM_THREADS": "1"}
    process = run_main(tmp_path, "--predict", "scribble.png", "noise.png", **options)
    assert re.match("scribble.png: .+\nnoise.png: ", process.stdout) and not process.stderr
