"""Kinds of pages of handwriting, made from MNIST's digits, for reading.py.

Each is a function that takes a writer and the page's number, and returns the page and its answer.
"""

import numpy as np
from desk import photograph
from forms import boxes, circled, comb, dotted_line, form, grid, single_box
from marks import bracketed, clock, flagged_ones, growing, numbers, squared, three_sizes
from non_digits import FACES, drawing, printed_digit, printed_symbol, printed_words, scribble
from PIL import Image, ImageDraw
from scipy import ndimage
from spoil import (
    INK,
    PAPER,
    beam,
    centred,
    darkened,
    everything,
    held_askew,
    inverted,
    jpeg,
    noisy,
    off_centre,
    page,
    shadow,
    specks,
    table,
    tilted,
    turned,
)
from writer import PEN, enlarged

WHITE = (0.95, 0.95, 0.93)
PAPERS = [(0.95, 0.95, 0.94), (0.96, 0.93, 0.84), (0.95, 0.92, 0.35)]  # the last one is a note's
PENS = [(0.1, 0.1, 0.12), (0.12, 0.16, 0.45), (0.3, 0.3, 0.32)]  # the last one is a pencil


def single(spoil):
    """One digit, and what happens to its page."""

    def make(writer, number):
        ink, label = writer.digit(number % len(writer.images))
        return spoil(page(ink, 2 * writer.scale), writer.random), label

    return make


def small_digit(blur):
    """A digit of load_digits, 8 x 8 pixels, blurred, enlarged and pasted on a larger page."""

    def make(writer, number):
        image = np.pad(writer.images[number % len(writer.images)] / 16, 1)
        image = ndimage.gaussian_filter(image, blur)
        ink = enlarged(image, 3.5 * writer.scale)
        return off_centre(page(ink, 0), writer.random), str(writer.labels[number])

    return make


def row(*patterns, spoil=centred, **options):
    """A row of characters: one of the patterns of Writer.text."""

    def make(writer, number):
        ink, answer = writer.text(patterns[number % len(patterns)], **options)
        return spoil(page(ink, 60), writer.random), answer

    return make


def three_rows(writer, number):
    rows = [writer.text("ddddd") for _ in range(3)]
    width = max(ink.shape[1] for ink, _ in rows)
    inks = [np.pad(ink, ((0, 0), (0, width - ink.shape[1]))) for ink, _ in rows]
    return page(np.vstack(inks), 60), " ".join(answer for _, answer in rows)


def lines(writer, shape, direction, distance=35):
    """Where lines of a ruled page are, a little askew: (height, width) bool."""
    y, x = np.indices(shape)
    along, across = (x, y) if direction == 0 else (y, x)
    return (across + along // 60 + writer.random.integers(distance)) % distance < 2


def ruled(strength, squared):
    def make(writer, number):
        picture, answer = row("dddd")(writer, number)
        grid = lines(writer, picture.shape, 0)
        if squared:
            grid |= lines(writer, picture.shape, 1)
        return np.where(grid, (1 - strength) * picture, picture), answer

    return make


def spoilt(make, *spoils):
    """A kind of page, and what happens to it."""

    def both(writer, number):
        picture, answer = make(writer, number)
        for spoil in spoils:
            picture = spoil(picture, writer.random)
        return picture, answer

    return both


def oval_0(writer, number):
    """A 0 in a thin pen that is up to three times as tall as wide."""
    random, height = writer.random, 20 * writer.scale
    image = Image.new("L", (height, height))
    middle, half = height / 2, height * random.uniform(0.16, 0.35)
    box = middle - half, 2, middle + half, height - 3
    ImageDraw.Draw(image).ellipse(box, None, 255, int(random.integers(2, 6)))
    ink = np.asarray(image.rotate(random.uniform(-10, 10)), np.float32) / 255
    return page(ink, 60), "0"


def no_digit(draw):
    """A thing that is no digit, from non_digits.py."""

    def make(writer, number):
        ink, _ = draw(writer.images, writer.labels, writer.random)
        return page(ink, 20), ""

    return make


def printed(writer, number):
    ink, label = printed_digit(writer.images, writer.labels, writer.random)
    return page(ink, 20), str(label)


def coloured(paper, pen, noise=0.02, patchy=0.0):
    """One digit in colours (3,). patchy: the share of the ink that is missing in patches."""

    def make(writer, number):
        ink, label = writer.digit(number % len(writer.images))
        patches = ndimage.gaussian_filter(writer.random.normal(size=ink.shape), writer.scale)
        ink = ink * (1 - patchy * (patches > np.median(patches)))
        picture = page(ink, 60, np.array(paper), np.array(pen))
        return picture + writer.random.normal(0, noise, picture.shape), label

    return make


def a4(writer, number):
    """Three rows of five digits 3 mm high on a page of A4 with 12 megapixels."""
    writer.scale = 2  # 4,000 pixels for 297 mm are 40 for 3 mm
    picture = np.full((4000, 3000), PAPER, np.float32)
    answers = []
    for top in 200 + 1200 * np.arange(3) + writer.random.integers(0, 1000, 3):
        ink, answer = writer.text("ddddd")
        left = int(writer.random.integers(200, 2000))
        picture[top : top + len(ink), left : left + ink.shape[1]] += (INK - PAPER) * ink
        answers.append(answer)
    picture = darkened(picture, writer.random)
    return picture + writer.random.normal(0, 0.02, picture.shape), " ".join(answers)


def thick(writer, number):
    """One digit written with a pen 30% as thick as the digit is high."""
    ink, label = writer.digit(number % len(writer.images))
    ink = np.pad(ink, 6 * writer.scale)
    radius = (0.3 * 20 - PEN) / 2 * writer.scale
    distance = ndimage.distance_transform_edt(ink < 0.5)
    return page(np.clip(radius + 0.5 - distance, 0, 1)), label


def written(writer, rows, digits, **options):
    """Rows of digits below each other, each a little askew: their ink, and what they say.

    rows, digits: the least and the greatest number, the latter in a row.
    """
    random, answers, inks = writer.random, [], []
    for _ in range(random.integers(rows[0], rows[1] + 1)):
        count = int(random.integers(digits[0], digits[1] + 1))
        ink, answer = writer.text("d" * count, **options)
        ink = ndimage.rotate(ink, random.normal(0, 0.7), order=1)
        inks.append(np.pad(ink, ((0, 0), (int(random.integers(0, 20)) * writer.scale, 0))))
        answers.append(answer)
    width = max(ink.shape[1] for ink in inks)
    space = int(random.integers(0, 30)) * writer.scale
    inks = [np.pad(ink, ((0, space), (0, width - ink.shape[1]))) for ink in inks]
    return np.vstack(inks), " ".join(answers)


def desk(surface):
    """Rows in thin pen on a sheet of paper that lies on a desk."""

    def make(writer, number):
        random = writer.random
        writer.scale, writer.pen = int(random.integers(2, 6)), random.uniform(1, 1.8)
        writer.sizes = dict.fromkeys(range(10), (0.75, 1))
        ink, answer = written(writer, (3, 9), (3, 14), gaps=(4, 10 + 8 * random.random()))
        height, width = ink.shape
        side = random.uniform(1.15, 1.5) * max(width, height / 1.41)  # of A4, or of a square note
        across = int(side - width)
        down = int(max(random.choice([1, 1.41, 1.41]) * side, 1.1 * height) - height)
        left, top = int(across * random.uniform(0.3, 0.6)), int(down * random.uniform(0.2, 0.6))
        ink = np.pad(ink, ((top, down - top), (left, across - left)))
        paper = PAPERS[random.choice(len(PAPERS), p=[0.8, 0.1, 0.1])]
        pen = PENS[random.integers(len(PENS))]
        sheet = Image.fromarray(np.uint8(255 * page(ink, 0, np.array(paper), np.array(pen))))
        return photograph(sheet, surface, random), answer

    return make


def long_tails(writer, number):
    """Small digits, 7s and 9s with a tail as long as these are tall, and 0s half as tall."""
    writer.pen = writer.random.uniform(0.7, 1.2)
    writer.sizes = dict.fromkeys(range(1, 9), (0.5, 0.7))
    writer.sizes |= {0: (0.3, 0.38), 7: (1.2, 1.35), 9: (1.2, 1.35)}
    answer = ""
    while not set("79") & set(answer) or "0" not in answer:
        ink, answer = writer.text("dddddddd", gaps=(2, 7))
    return page(ink, 60), answer


def calculation(writer, number):
    """A sum in one thin pen, black on white, as it is drawn on a screen."""
    writer.pen = writer.random.uniform(0.5, 1.2)
    writer.sizes = dict.fromkeys(range(10), (0.75, 1))
    patterns = ["ddd-ddd+ddd", "dd+dd", "ddd+ddd", "ddd-ddd", "ddd-dd", "dd+dd-dd"]
    ink, answer = writer.text(patterns[number % len(patterns)], gaps=(3, 9))
    margins = writer.random.integers(10, 60, (2, 2)) * writer.scale
    return page(np.pad(ink, margins), 0, 1, 0), answer


def tilted_rows(writer, number):
    """Three to six rows, tilted by 5 to 15 degrees to either side."""
    ink, answer = written(writer, (3, 6), (4, 8))
    angle = writer.random.choice([-1, 1]) * writer.random.uniform(5, 15)
    return ndimage.rotate(page(ink), angle, order=1, cval=PAPER), answer


def words(writer, number):
    """One to four lines of printed words."""
    random = writer.random
    face, size = random.choice([*FACES, "cmmi10"]), int(random.integers(25, 80))
    counts = random.integers(1, 5, random.integers(1, 5))
    lines = [printed_words(int(count), face, size, random) for count in counts]
    width = max(line.shape[1] for line in lines)
    inks = [np.pad(line, ((0, size), (0, width - line.shape[1]))) for line in lines]
    return page(np.vstack(inks), 2 * size), ""


SHORT = {  # what a user cares about: how many pages, and the function that makes one
    "single digits, enlarged 3 to 5 times": (200, single(centred)),
    "three rows of five digits": (200, three_rows),
    "sheet on a dark desk": (25, desk("dark")),
    "sheet on a wooden desk": (25, desk("wooden")),
    "sheet on a grey desk": (25, desk("grey")),
    "rows tilted by 5 to 15 degrees": (200, tilted_rows),
    "long-tailed 7s and 9s beside small digits": (200, long_tails),
    "sums: 476-473+427": (200, calculation),
    "slashes as tall as the digits: 12/05/2026": (200, row("dd/dd/dddd", reach=(-0.05, 0.05))),
    "digits on a dotted line": (200, dotted_line),
    "forms with headings and rules": (200, form),
    "squared paper, lines of 30%": (200, ruled(0.3, True)),
    "a box round each digit": (200, boxes((3, 8))),
    "six digits, a quarter of the pairs touch": (200, row("dddddd", touching=0.25)),
    "letters and symbols": (200, no_digit(printed_symbol)),
    "scribbles and drawings": (200, lambda w, n: no_digit((drawing, scribble)[n % 2])(w, n)),
    "words and no digits": (200, words),
}
KINDS = SHORT | {
    "pasted off-centre on a larger page": (200, single(off_centre)),
    "inverted": (200, single(inverted)),
    "darkened by up to 70% from one side": (200, single(darkened)),
    "noise, standard deviation 10%": (200, single(noisy)),
    "JPEG, quality 20": (200, single(jpeg)),
    "all of these, noise 5%": (200, single(everything)),
    "`load_digits`, enlarged and pasted": (200, small_digit(0)),
    "`load_digits`, blurred by half a pixel": (200, small_digit(0.5)),
    "digits of two typefaces not trained on": (200, printed),
    "six digits, tilted by up to 10 degrees": (200, row("dddddd", spoil=tilted)),
    "six digits, gaps of 1 to 3 pixels": (200, row("dddddd", gaps=(1, 3))),
    "dots, dashes, minus, colon": (200, row("dd.dd.dddd", "ddd-dddd", "d.dd", "-dd", "dd:dd")),
    "slashes taller than the digits: 12/05/2026": (200, row("dd/dd/dddd")),
    "commas: 1,299.50": (200, row("d,ddd.dd", "ddd,dd")),
    "brackets and plus: (020) 7946, +44 79": (200, row("(ddd) dddd", "+dd dd")),
    "a box round a digit": (200, single_box),
    "a box round each digit, touching some": (200, boxes((2, 6))),
    "combs of two to eight cells": (200, comb(False)),
    "combs, some digits touch them": (200, comb(True)),
    "circled numbers": (200, circled),
    "two digits that touch": (200, row("dd", touching=1)),
    "yellow highlighter": (200, coloured(WHITE, (0.98, 0.95, 0.4))),
    "red pen": (200, coloured(WHITE, (0.85, 0.15, 0.15))),
    "light blue pen": (200, coloured(WHITE, (0.55, 0.8, 0.95))),
    "pencil": (200, coloured(WHITE, (0.7, 0.7, 0.7))),
    "chalk": (200, coloured((0.15, 0.25, 0.2), (0.8, 0.8, 0.8), 0.03, 0.4)),
    "half-wiped whiteboard": (200, coloured((0.92, 0.94, 0.95), (0.2, 0.3, 0.7), 0.02, 0.6)),
    "3 mm high on A4, 12 megapixels": (6, a4),
    "strokes 30% as thick as the digit is high": (200, thick),
    "ruled paper, lines of 15%": (200, ruled(0.15, False)),
    "ruled paper, lines of 30%": (200, ruled(0.3, False)),
    "ruled paper, lines of 50%": (200, ruled(0.5, False)),
    "squared paper, lines of 15%": (200, ruled(0.15, True)),
    "squared paper, lines of 50%": (200, ruled(0.5, True)),
    "hard shadow": (200, row("dddd", spoil=shadow)),
    "edge of the table": (200, row("dddd", spoil=table)),
    "specks": (200, row("dddd", spoil=specks)),
    "numbers with gaps between them": (200, numbers),
    "rows of three sizes": (200, three_sizes),
    "digits that grow along a line": (200, growing),
    "a large digit below the time": (200, clock),
    "times: 1:26:25": (200, row("d:dd:dd", "dd:dd")),
    "a superscript: 98² + 3": (200, squared),
    "tall 1s with a flag": (200, flagged_ones),
    "sums with brackets: (2+2)/2": (200, bracketed),
    "squared paper, JPEG of quality 20": (200, spoilt(ruled(0.3, True), jpeg)),
    "ruled paper held at 8 to 12 degrees": (200, spoilt(ruled(0.3, False), held_askew)),
    "a beam of light with hard edges": (200, row("dddd", spoil=beam)),
    "thin oval 0s": (200, oval_0),
    "turned by one to three quarters": (200, spoilt(three_rows, turned)),
    "tables": (100, grid((5, 4), 0.8, False)),
    "sudokus in a newspaper": (50, grid((9, 9), 0.7, True)),
}
