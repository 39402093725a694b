"""Digits in boxes, combs, circles and forms, for pages.py.

Each function takes a writer and the page's number, and returns the page and its answer, or returns
such a function.
"""

import numpy as np
from non_digits import FACES, printed_words
from PIL import Image, ImageDraw
from scipy import ndimage
from spoil import PAPER, darkened, page
from writer import PEN, trimmed


def frame(writer, width, height):
    """The ink of a rectangle, drawn by hand: (height, width)."""
    image = Image.new("L", (width, height))
    pen = ImageDraw.Draw(image)
    thickness = int(writer.random.integers(2, 3 * writer.scale // 2))
    edge = thickness + 2
    corners = np.array([(edge, edge), (width - edge, edge), (width - edge, height - edge)])
    corners = np.vstack([corners, (edge, height - edge)]) + writer.random.integers(-2, 3, (4, 2))
    pen.line([tuple(map(int, corner)) for corner in (*corners, corners[0])], 255, thickness)
    return np.asarray(image, np.float32) / 255


def boxed(writer, margins):
    """A digit in a box, between margins (MNIST's pixels) away from its sides; and its label."""
    ink, label = writer.digit()
    rows = np.flatnonzero((ink > 0.1).any(axis=1))
    ink = trimmed(ink[rows[0] : rows[-1] + 1])
    low, high = np.multiply(margins, writer.scale)
    least = max(0, 16 * writer.scale - ink.shape[1]) // 2  # a box round a 1 is not as narrow
    top, bottom, left, right = (int(writer.random.uniform(low, high)) for _ in range(4))
    ink = np.pad(ink, ((top, bottom), (left + least, right + least)))
    return np.maximum(ink, frame(writer, *ink.shape[::-1])), label


def single_box(writer, number):
    ink, label = boxed(writer, (3, 8))
    return page(ink), label


def boxes(margins):
    """Three to six digits, each in a box of its own."""

    def make(writer, number):
        cells = [boxed(writer, margins) for _ in range(writer.random.integers(3, 7))]
        height = max(ink.shape[0] for ink, _ in cells)
        gap = int(writer.random.integers(3, 8)) * writer.scale
        inks = [np.pad(ink, ((0, height - len(ink)), (0, gap))) for ink, _ in cells]
        return page(np.hstack(inks)), "".join(label for _, label in cells)

    return make


def comb(touch):
    """Two to eight cells that share their sides. touch: whether digits may touch these."""

    def make(writer, number):
        cells = int(writer.random.integers(2, 9))
        size, unit = 30 * writer.scale, writer.scale
        ink = np.zeros((size, cells * size), np.float32)
        answer = ""
        for cell in range(cells):
            digit, label = writer.digit()
            answer += label
            digit = trimmed(digit)
            room = size - digit.shape[1] - 4 * unit
            left = cell * size + 2 * unit + int(writer.random.integers(0, room + 1))
            top = int(writer.random.integers(-unit, 3 * unit))
            if touch and writer.random.random() < 0.3:
                top = int(writer.random.choice([-4, 6])) * unit
            digit = np.pad(digit, ((size + top, size - top), (0, 0)))[size : 2 * size]
            target = ink[:, left : left + digit.shape[1]]
            np.maximum(target, digit, out=target)
        thickness = int(writer.random.integers(2, unit + 1))
        for cell in range(cells + 1):
            left = min(cell * size, cells * size - thickness)
            ink[:, left : left + thickness] = 1
        ink[:thickness] = ink[-thickness:] = 1
        picture = page(ink)
        return ndimage.rotate(
            picture, writer.random.uniform(-1, 1), order=1, cval=PAPER, reshape=False
        ), answer

    return make


def circled(writer, number):
    ink, answer = writer.text("d" * int(writer.random.integers(1, 3)), gaps=(2, 4))
    ink = ink[(np.flatnonzero((ink > 0.5).any(axis=1))[0]) :]
    ink = ink[: np.flatnonzero((ink > 0.5).any(axis=1))[-1] + 1]
    side = int(np.hypot(*ink.shape) + writer.random.integers(6, 12) * writer.scale)
    image = Image.new("L", (side, side))
    inset = writer.random.integers(1, 6, 4) * [1, 1, -1, -1] + [0, 0, side, side]
    thickness = round(PEN * writer.scale * writer.random.uniform(0.5, 1))
    ImageDraw.Draw(image).ellipse([int(v) for v in inset], None, 255, thickness)
    top, left = (side - ink.shape[0]) // 2, (side - ink.shape[1]) // 2
    circle = np.asarray(image, np.float32) / 255
    circle[top : top + ink.shape[0], left : left + ink.shape[1]] += ink
    return page(np.clip(circle, 0, 1)), answer


def dotted_line(writer, number):
    """Digits on a dotted line, whose dots touch some of them."""
    random, unit = writer.random, writer.scale
    writer.pen = random.uniform(1, 2)
    writer.sizes = dict.fromkeys(range(10), (0.8, 1))
    ink, answer = writer.text("d" * int(random.integers(3, 9)), gaps=(2, 10))
    ink = np.pad(ink, ((0, 0), [20 * unit] * 2))
    image = Image.fromarray(ink)
    radius, distance = unit * random.uniform(0.35, 0.8), unit * random.uniform(2, 3.5)
    y = unit * random.uniform(26, 29)  # of the feet of digits that are not shifted
    for x in np.arange(distance, ink.shape[1] - distance, distance):
        dot = x - radius, y - radius, x + radius, y + radius
        ImageDraw.Draw(image).ellipse(dot, random.uniform(0.5, 1))
    return page(np.maximum(image, ink)), answer


def form(writer, number):
    """A printed form: a heading, and three to six fields with a number in each."""
    random, unit = writer.random, writer.scale
    writer.pen = random.uniform(1, 2)
    face, size = random.choice(FACES), int(unit * random.uniform(10, 18))
    pieces = [(20, 15, printed_words(int(random.integers(1, 4)), face, 2 * size, random))]
    answers, top, field = [], 70, 150
    for _ in range(random.integers(3, 7)):
        label = printed_words(1, face, size, random)
        ink, answer = writer.text("d" * int(random.integers(2, 9)), gaps=(3, 8))
        pieces += [(20, top + 28 - len(label) / unit, label), (field + 5, top, ink)]
        rule = np.ones((int(random.integers(1, unit)), 270 * unit), np.float32)
        pieces.append((field, top + 30 + random.uniform(0, 3), rule))
        answers.append(answer)
        top += 50
    picture = np.zeros((top * unit, 440 * unit), np.float32)
    for left, above, ink in pieces:
        left, above = int(left * unit), int(above * unit)
        target = picture[above : above + len(ink), left : left + ink.shape[1]]
        np.maximum(target, ink[: len(target), : target.shape[1]], out=target)
    picture = ndimage.rotate(page(picture, 0), random.uniform(-1.5, 1.5), order=1, cval=PAPER)
    picture = darkened(picture, random) + random.normal(0, 0.02, picture.shape)
    return picture, " ".join(answers)


def grid(shape, filled, words):
    """A grid of rows and columns; the share of its cells that hold a digit; print around it."""

    def make(writer, number):
        random, unit = writer.random, writer.scale
        side, thickness = 30 * unit, int(random.integers(1, unit + 1))
        rows, columns = shape
        ink = np.zeros((rows * side + thickness, columns * side + thickness), np.float32)
        answers = [""] * rows
        for row, column in np.ndindex(shape):
            if random.random() < filled:
                digit, label = writer.digit()
                ink[row * side : row * side + 28 * unit, column * side :][:, : 28 * unit] = digit
                answers[row] += label
        for place in range(thickness):
            ink[place::side] = ink[:, place::side] = 1
        if words:
            width = ink.shape[1]
            above, below = (
                printed_words(3, random.choice(FACES), int(unit * random.uniform(10, 25)), random)
                for _ in range(2)
            )
            parts = [np.pad(line[:, :width], ((0, side), (0, 0))) for line in (above, below)]
            parts = [np.pad(part, ((0, 0), (0, width - part.shape[1]))) for part in parts]
            ink = np.vstack([parts[0], ink, np.zeros((side, width)), parts[1]])
        picture = ndimage.rotate(page(ink), random.uniform(-5, 5), order=1, cval=PAPER)
        return darkened(picture, random), " ".join(" ".join(answers).split())

    return make
