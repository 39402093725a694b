"""Kinds of pages, most of them made from MNIST's digits, for reading.py.

Each is a function that takes a writer and the page's number, and returns the page and its answer.
"""

import itertools

import numpy as np

from benchmarks.reading import paper
from benchmarks.reading.desk import photograph
from benchmarks.reading.non_digits import drawing, scribble, symbol, words
from benchmarks.reading.paper import as_image, page, pasted, stacked

PAPERS = [(0.95, 0.95, 0.94), (0.96, 0.93, 0.84), (0.95, 0.92, 0.35)]  # the last one is a note's
INKS = [(0.1, 0.1, 0.12), (0.12, 0.16, 0.45), (0.3, 0.3, 0.32)]  # the last one is a pencil's
TAILED = dict.fromkeys(range(1, 9), (0.5, 0.7)) | {0: (0.3, 0.38), 7: (1.2, 1.35), 9: (1.2, 1.35)}
DIGITS = "dd", "dddd", "dddddddd"
THIN = {"thickness": (0.6, 1.2), "gaps": (3, 8)}  # as it is drawn on a screen
BRACKETED = "(d+d)/d", "dd+dxdd-(d+dd)/d", "d-d/d", "d-dx(d-d)/d", "(d-d+dxdd)xd+ddd", "dxd=dd"


def written(writer, patterns, least=1, most=None, scales=None, thickness=None, space=8, **options):
    """The ink of rows, one below another, and what they say.

    least, most: the number of rows, each of a random one of the patterns. scales: one for each
    pattern; each is then written once, in their order. thickness: of strokes, at least and at most.
    space: between rows, in MNIST's pixels. options: those of Writer.text.
    """
    random, inks, answers = writer.random, [], []
    writer.thickness = random.uniform(*thickness) if thickness else None
    if not scales:
        patterns = random.choice(patterns, random.integers(least, (most or least) + 1))
    for pattern, scale in zip(patterns, scales or itertools.repeat(writer.scale)):
        writer.scale = scale
        ink, answer = writer.text(pattern, **options)
        inks.append(ink)
        answers.append(answer)
    return stacked(inks, int(space * writer.scale)), " ".join(answers)


def rows(*patterns, spoils=(), sizes=None, loops=None, **options):
    """A kind of page: rows of these patterns.

    spoils: functions that the page is handed to, and their arguments. sizes, loops: see Writer.
    options: see written.
    """

    def make(writer, number):
        writer.sizes, writer.loops = sizes or {}, loops or {}
        ink, answer = written(writer, patterns, **options)
        picture = page(ink, 60)
        for spoil, *arguments in spoils:
            picture = spoil(picture, writer.random, *arguments)
        return picture, answer

    return make


def on_desk(writer, number):
    """Rows in thin pen on a sheet of paper that lies on a dark, wooden or grey desk."""
    random = writer.random
    options = {"space": random.uniform(0, 30), "gaps": (4, random.uniform(10, 18))}
    patterns = ["d" * count for count in range(3, 15)]
    ink, answer = written(writer, patterns, 3, 9, thickness=(1, 1.8), **options)
    margins = random.uniform(0.05, 0.4, (2, 2)) * np.reshape(ink.shape, (2, 1))
    colour, dark = np.array(PAPERS[random.choice(3, p=[0.8, 0.1, 0.1])]), random.choice(INKS)
    sheet = colour + (dark - colour) * np.pad(ink, margins.astype(int))[..., None]
    return photograph(as_image(sheet), number, random), answer


def form(writer, number):
    """A printed form: a heading, and three to six fields with a number in each."""
    random, unit = writer.random, writer.scale
    size = int(unit * random.uniform(10, 18))
    inks, answers = [np.pad(words(random, (1, 2), (1, 4), (2 * size, 2 * size + 1)), 20 * unit)], []
    for _ in range(random.integers(3, 7)):
        row = np.zeros((50 * unit, 440 * unit), np.float32)
        ink, answer = written(writer, DIGITS, thickness=(1, 2), gaps=(3, 8))
        pasted(row, words(random, (1, 2), (1, 2), (size, size + 1)), 16 * unit, 20 * unit)
        pasted(row, ink, 0, 155 * unit)
        row[31 * unit : 31 * unit + random.integers(1, unit), 150 * unit : 420 * unit] = 1
        inks.append(row)
        answers.append(answer)
    return paper.darkened(page(stacked(inks, 0)), random), " ".join(answers)


def grid(*shapes, gap=None, filled=1.0, print_around=False):
    """Boxes in rows and columns, each with a digit.

    shapes: (rows, columns). gap: between boxes, in MNIST's pixels; by default they share sides.
    filled: the share of boxes that are not empty. print_around: as in a newspaper.
    """

    def make(writer, number):
        random, unit = writer.random, writer.scale
        side, thickness = 30 * unit, int(random.integers(1, unit + 1))
        pitch = side - thickness if gap is None else side + gap * unit
        cells = np.full(shapes[number % len(shapes)], " ")
        ink = np.zeros(pitch * np.array(cells.shape) + side - pitch, np.float32)
        for place in np.ndindex(cells.shape):
            box = np.ones((side, side), np.float32)
            box[thickness:-thickness, thickness:-thickness] = 0
            if random.random() < filled:
                digit, cells[place] = writer.digit()
                pasted(box, digit, *random.integers(3, size=2) * unit)
            pasted(ink, box, *np.array(place) * pitch)
        if print_around:
            above, below = (words(random, (3, 6), (2, 5), (25, 45)) for _ in range(2))
            ink = stacked([above, ink, below], side)
        answer = " ".join("".join(row) for row in cells)
        return paper.darkened(paper.held(page(ink), random, 0, 5), random), " ".join(answer.split())

    return make


def no_digit(*makers, **options):
    """A kind of page without digits: a function of non_digits.py and its options."""

    def make(writer, number):
        return page(makers[number % len(makers)](writer.random, **options), 40), ""

    return make


KINDS = {
    "single digits, enlarged 3 to 5 times": rows("d"),
    "three rows of five digits": rows("ddddd", least=3),
    "120 digits": rows("d" * 10, least=12),
    "rows of three sizes": rows("dddd", "ddd", "ddddd", scales=(4, 9, 2)),
    "a large digit below the time": rows("d:dd", "d", scales=(2, 15)),
    "numbers with gaps": rows("d dd ddd dd", "ddd dd dd d", least=3, gaps=(2, 6)),
    "rows tilted by 5 to 15 degrees": rows("dddddd", least=3, most=6, spoils=[(paper.held, 5, 15)]),
    "turned by one to three quarters": rows("ddddd", least=3, spoils=[(paper.turned,)]),
    "six digits, a quarter of the pairs touch": rows("dddddd", touching=0.25),
    "long-tailed 7s and 9s beside small digits": rows("0dddd7dd", "dd9ddd0d", sizes=TAILED, **THIN),
    "tall 1s with a flag": rows("IddId", "dIIdd", reach=(0.05, 0.25)),
    "open 4s": rows("4d4d4", "d44dd", loops={4: [0]}),
    "thin oval 0s": rows("O", "O", "OdOd", **THIN),
    "sums: 476-473+427": rows("ddd-ddd+ddd", "dd+dd", "ddd-dd", **THIN),
    "sums with brackets: (2+2)/2": rows(*BRACKETED, thickness=(1, 2), gaps=(4, 10)),
    "a superscript: 98² + 3": rows("dd^ + d", gaps=(3, 6)),
    "times: 1:26:25": rows("d:dd:dd", "dd:dd"),
    "slashes as tall as the digits: 12/05/2026": rows("dd/dd/dddd", reach=(-0.05, 0.05)),
    "digits on a dotted line": rows(*DIGITS, thickness=(1, 2), spoils=[(paper.dotted,)]),
    "a box round each digit": grid((1, 3), (1, 4), (1, 5), (1, 6), gap=6),
    "combs of two to eight cells": grid(*[(1, cells) for cells in range(2, 9)]),
    "tables": grid((5, 4), filled=0.8),
    "solved sudokus in a newspaper": grid((9, 9), print_around=True),
    "forms with headings and rules": form,
    "squared paper in the shade, JPEG": rows(
        "dddd", spoils=[(paper.held, 0, 1, 2), (paper.darkened,), (paper.jpeg,)]
    ),
    "ruled paper held at 8 to 12 degrees": rows("dddd", spoils=[(paper.held, 8, 12, 1)]),
    "hard shadows": rows("dddd", spoils=[(paper.shadow,)]),
    "sheets on a dark, wooden or grey desk": on_desk,
    "letters and symbols": no_digit(symbol),
    "scribbles and drawings": no_digit(drawing, scribble),
    "words and no digits": no_digit(words, lines=(1, 5), counts=(1, 5), sizes=(25, 80)),
    "a full page of print": no_digit(words, lines=(30, 45), counts=(8, 13), sizes=(25, 40)),
}
