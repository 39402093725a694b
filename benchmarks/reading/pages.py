"""Kinds of pages, most of them made from MNIST's digits, for reading.py.

Each is a function that takes a writer and the page's number, and returns the page, or a picture
file, and its answer.
"""

import numpy as np

from benchmarks.reading.desk import SURFACES, photograph
from benchmarks.reading.ink import CIRCLE, drawn, enlarged, pasted, stacked, strokes, trimmed
from benchmarks.reading.non_digits import drawing, scribble, symbol, words
from benchmarks.reading.spoil import (
    as_image,
    darkened,
    jpeg,
    page,
    ruled,
    shadow,
    tilted,
    turned,
)

PAPERS = [(0.95, 0.95, 0.94), (0.96, 0.93, 0.84), (0.95, 0.92, 0.35)]  # the last one is a note's
PENS = [(0.1, 0.1, 0.12), (0.12, 0.16, 0.45), (0.3, 0.3, 0.32)]  # the last one is a pencil
TAILED = dict.fromkeys(range(1, 9), (0.5, 0.7)) | {0: (0.3, 0.38), 7: (1.2, 1.35), 9: (1.2, 1.35)}
THIN = {"pen": (0.6, 1.2), "gaps": (3, 8)}  # as it is drawn on a screen
BRACKETED = "(d+d)/d", "dd+dxdd-(d+dd)/d", "d-d/d", "d-dx(d-d)/d", "(d-d+dxdd)xd+ddd", "dxd=dd"


def written(writer, patterns, least=1, most=None, pen=None, space=8, **options):
    """Ink of rows below each other, each of a random one of the patterns, and what they say.

    least, most: number of rows. pen: the thinnest and the thickest one. space: between rows, in
    MNIST's pixels. options: those of Writer.text.
    """
    random = writer.random
    writer.pen = random.uniform(*pen) if pen else None
    number = random.integers(least, (most or least) + 1)
    rows = [writer.text(random.choice(patterns), **options) for _ in range(number)]
    ink = stacked([ink for ink, _ in rows], int(space * writer.scale))
    return ink, " ".join(answer for _, answer in rows)


def rows(*patterns, spoils=(), sizes=None, loops=None, **options):
    """Rows, and what happens to their page. sizes, loops: see Writer. options: see written."""

    def make(writer, number):
        writer.sizes, writer.loops = sizes or {}, loops or {}
        ink, answer = written(writer, patterns, **options)
        picture = page(ink, 60)
        for spoil in spoils:
            picture = spoil(picture, writer.random)
        return picture, answer

    return make


def several_sizes(writer, number):
    """A row of digits that grow, or three rows of digits, each of another size."""
    inks, answers = [], []
    if number % 2:
        for scale in writer.random.permutation([2, 4, 9]):
            writer.scale = int(scale)
            ink, answer = writer.text("dddd")
            inks.append(ink)
            answers.append(answer)
        return page(stacked(inks, 20)), " ".join(answers)
    for scale in np.linspace(1, 6, 8):
        writer.scale = scale
        ink, answer = writer.digit()
        inks.append(np.pad(ink, ((170 - len(ink), 0), (0, 0))))
        answers.append(answer)
    return page(np.hstack(inks)), "".join(answers)


def clock(writer, number):
    """One large digit below a line of small ones, such as a telephone shows the time in."""
    writer.scale = 2
    time, answer = writer.text("d:dd")
    writer.scale = int(writer.random.integers(12, 18))
    ink, label = writer.digit()
    return page(stacked([time, np.pad(ink, ((0, 0), (60, 60)))], 60)), f"{answer} {label}"


def superscript(writer, number):
    """A sum with a superscript: 98² + 3."""
    unit = writer.scale
    (left, answer), (right, last) = writer.text("dd", gaps=(3, 6)), writer.text("+d", gaps=(6, 10))
    small, label = writer.digit()
    small = trimmed(enlarged(small, writer.random.uniform(0.45, 0.6)), rows=True)
    end = left.shape[1] + 2 * unit
    ink = np.zeros((50 * unit, end + small.shape[1] + 6 * unit + right.shape[1]), np.float32)
    pasted(ink, left, 6 * unit, 0)
    pasted(ink, small, 6 * unit, end)
    pasted(ink, right, 6 * unit, end + small.shape[1] + 6 * unit)
    return page(ink), f"{answer}{label} {last}"


def oval_0(writer, number):
    """A 0 in a thin pen that is up to three times as tall as wide."""
    random, height = writer.random, 16 * writer.scale
    points = (CIRCLE - 0.5) * (random.uniform(0.32, 0.7), 1)
    points[:, 0] += random.uniform(-0.2, 0.2) * points[:, 1]  # slants
    return page(drawn([height * (points + 0.6)], random.uniform(2, 5), 20 * writer.scale)), "0"


def on_desk(writer, number):
    """Rows in thin pen on a sheet of paper that lies on a dark, wooden or grey desk."""
    random = writer.random
    writer.scale = int(random.integers(2, 6))
    options = {"pen": (1, 1.8), "space": random.uniform(0, 30), "gaps": (4, random.uniform(10, 18))}
    ink, answer = written(writer, ["d" * count for count in range(3, 15)], 3, 9, **options)
    margins = random.uniform(0.05, 0.4, (2, 2)) * np.reshape(ink.shape, (2, 1))
    paper, pen = PAPERS[random.choice(3, p=[0.8, 0.1, 0.1])], random.choice(PENS)
    sheet = page(np.pad(ink, margins.astype(int)), 0, np.array(paper), pen)
    return photograph(as_image(sheet), SURFACES[number % 3], random), answer


def dotted_line(writer, number):
    """Digits on a dotted line, whose dots touch some of them."""
    random, unit = writer.random, writer.scale
    ink, answer = written(writer, ["ddd", "ddddd", "dddddddd"], pen=(1, 2), gaps=(2, 10))
    ink = np.pad(ink, ((0, 0), [20 * unit] * 2))
    radius, distance = unit * random.uniform(0.35, 0.8), unit * random.uniform(2, 3.5)
    y, x = np.indices(ink.shape)
    y = y - unit * random.uniform(26, 29)  # the feet of digits that are not shifted
    is_dot = np.hypot(x % distance - distance / 2, y) < radius
    return page(np.maximum(ink, is_dot)), answer


def form(writer, number):
    """A printed form: a heading, and three to six fields with a number in each."""
    random, unit = writer.random, writer.scale
    size, field = int(unit * random.uniform(10, 18)), 150 * unit
    inks, answers = [np.pad(words(random, 1, (1, 3), 2 * size), 20 * unit)], []
    for _ in range(random.integers(3, 7)):
        row = np.zeros((50 * unit, 440 * unit), np.float32)
        label = words(random, 1, (1, 1), size)
        ink, answer = written(writer, ["dd", "dddd", "dddddddd"], pen=(1, 2), gaps=(3, 8))
        pasted(row, label, 28 * unit - len(label) + size // 2, 20 * unit)
        pasted(row, ink, 0, field + 5 * unit)
        rule = np.ones((int(random.integers(1, unit)), 270 * unit), np.float32)
        pasted(row, rule, unit * random.uniform(30, 33), field)
        inks.append(row)
        answers.append(answer)
    return darkened(page(stacked(inks, 0)), random), " ".join(answers)


def boxes(writer, number):
    """Three to six digits, each in a box of its own, drawn by hand."""
    random, unit, inks, answer = writer.random, writer.scale, [], ""
    for _ in range(random.integers(3, 7)):
        digit, label = writer.digit()
        corners = strokes("6,6 94,6 94,94 6,94 6,6")[0] + random.normal(0, 0.01, (5, 2))
        box = drawn([34 * unit * corners], random.uniform(2, 1.5 * unit), 34 * unit)
        pasted(box, digit, 3 * unit, 3 * unit)
        inks.append(box)
        answer += label
    return page(np.hstack(inks)), answer


def grid(*shapes, filled=1.0, print_around=False):
    """A grid of one of the shapes (rows, columns); `filled`: the share of cells with a digit."""

    def make(writer, number):
        random, unit = writer.random, writer.scale
        rows, columns = shapes[number % len(shapes)]
        side, thickness = 30 * unit, int(random.integers(1, unit + 1))
        ink = np.zeros((rows * side + thickness, columns * side + thickness), np.float32)
        cells = np.full((rows, columns), " ")
        for row, column in np.argwhere(random.random(cells.shape) < filled):
            digit, cells[row, column] = writer.digit()
            pasted(
                ink, digit, *(np.array([row, column]) * side + random.integers(3, size=2) * unit)
            )
        for place in range(thickness):
            ink[place::side] = ink[:, place::side] = 1
        if print_around:
            above, below = (words(random, 4, (2, 4), 10 * unit) for _ in range(2))
            ink = stacked([above, ink, below], side)
        picture = tilted(0, 5)(page(ink), random)
        answer = " ".join("".join(row) for row in cells)
        return darkened(picture, random), " ".join(answer.split())

    return make


def no_digit(*makers, **options):
    """A thing that is no digit, from non_digits.py."""

    def make(writer, number):
        return page(makers[number % len(makers)](writer.random, **options), 20), ""

    return make


def print_page(lines, counts, sizes):
    """Printed words: the least and the greatest number of lines, of words in one, and of pixels."""

    def make(writer, number):
        number, size = writer.random.integers(*zip(lines, sizes))
        return page(words(writer.random, number, counts, int(size)), 2 * size), ""

    return make


KINDS = {
    "single digits, enlarged 3 to 5 times": rows("d"),
    "three rows of five digits": rows("ddddd", least=3),
    "120 digits": rows("d" * 10, least=12),
    "digits of several sizes": several_sizes,
    "a large digit below the time": clock,
    "numbers with gaps": rows("d dd ddd dd", "ddd dd dd d", least=3, gaps=(2, 6)),
    "rows tilted by 5 to 15 degrees": rows("dddddd", least=3, most=6, spoils=[tilted(5, 15)]),
    "turned by one to three quarters": rows("ddddd", least=3, spoils=[turned]),
    "six digits, a quarter of the pairs touch": rows("dddddd", touching=0.25),
    "long-tailed 7s and 9s beside small digits": rows("d0d7d9dd", "7dd0d9d0", sizes=TAILED, **THIN),
    "tall 1s with a flag": rows("IddId", "dIIdd", reach=(0.05, 0.25)),
    "open 4s": rows("4d4d4", "d44dd", loops={4: [0]}),
    "thin oval 0s": oval_0,
    "sums: 476-473+427": rows("ddd-ddd+ddd", "dd+dd", "ddd-dd", **THIN),
    "sums with brackets: (2+2)/2": rows(*BRACKETED, pen=(1, 2), gaps=(4, 10)),
    "a superscript: 98² + 3": superscript,
    "times: 1:26:25": rows("d:dd:dd", "dd:dd"),
    "slashes as tall as the digits: 12/05/2026": rows("dd/dd/dddd", reach=(-0.05, 0.05)),
    "digits on a dotted line": dotted_line,
    "a box round each digit": boxes,
    "combs of two to eight cells": grid(*[(1, cells) for cells in range(2, 9)]),
    "tables": grid((5, 4), filled=0.8),
    "sudokus in a newspaper": grid((9, 9), filled=0.5, print_around=True),
    "forms with headings and rules": form,
    "squared paper in the shade, JPEG": rows("dddd", spoils=[ruled(True), darkened, jpeg]),
    "ruled paper held at 8 to 12 degrees": rows("dddd", spoils=[ruled(False, 8, 12)]),
    "hard shadows": rows("dddd", spoils=[shadow]),
    "sheets on a dark, wooden or grey desk": on_desk,
    "letters and symbols": no_digit(symbol),
    "scribbles and drawings": no_digit(drawing, scribble),
    "words and no digits": print_page((1, 5), (1, 4), (25, 80)),
    "a full page of print": print_page((30, 45), (8, 12), (25, 40)),
}
