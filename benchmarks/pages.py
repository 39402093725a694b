"""How well pages of handwriting are read, and a picture of each kind of page with its answer.

    python benchmarks/pages.py

Pages are made from MNIST's test digits and read as a user's picture files are. Each row of the
table that is printed, in Markdown, is of one kind of page: how many pages are answered exactly,
and how many wrongly without a `?`. It takes about 5 minutes on 2 cores. In the end it draws
docs/handwriting.jpg, five digits on squared paper, partly in the shade, and docs/pages.png, a page
of each kind with its answer.
"""

import argparse
import functools
import io
import multiprocessing
import os
import sys
from pathlib import Path

PROJECT = Path(__file__).parent.parent
sys.path.insert(0, str(PROJECT))
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # the processes share the cores already

import numpy as np
from matplotlib import get_data_path
from non_digits import drawing, printed_digit, printed_symbol, scribble
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage
from sklearn.datasets import load_digits

from data_preprocessing import load_mnist, preprocess
from files import UserError
from handwriting.page import recognise_page
from save_load import load_model
from settings import read_config

PAPER, INK = 0.9, 0.15  # grey values, from 0 (black) to 1
SEED = 20261128  # fresh, so that no page of it has been looked at before
PEN = 2.5  # thickness of MNIST's strokes, in its pixels


class Writer:
    """Writes digits, from images (n, 28, 28) uint8 with labels (n,), and marks at random.

    Arrays of ink are (height, width) float32, 0 on paper and 1 within strokes.
    """

    def __init__(self, images, labels, seed):
        self.images, self.labels = images, labels
        self.random = np.random.default_rng(seed)
        self.scale = int(self.random.integers(3, 6))  # pixels of the page for one of MNIST's

    def digit(self, number=None):
        """The ink of an image, by default a random one, and its label as a text."""
        number = self.random.integers(len(self.images)) if number is None else number
        return enlarged(self.images[number] / 255, self.scale), str(self.labels[number])

    def mark(self, mark):
        """The ink of a punctuation mark, as high as a digit's image, and the margin it needs."""
        unit, random = self.scale, self.random
        height = 28 * unit
        image = Image.new("L", (height, 2 * height))
        pen = ImageDraw.Draw(image)
        width = round(PEN * unit)

        def point(x, y):
            """Where the pen is at x, y, in heights of a digit from the foot of the row."""
            jitter = random.normal(0, 0.02, 2)
            x, y = x + jitter[0], y + jitter[1]
            return 10 * unit + 20 * unit * x, 38 * unit - 20 * unit * y

        def line(*points):
            for start, end in zip(points, points[1:]):
                pen.line([*start, *end], 255, width)
            for x, y in points:
                pen.ellipse((x - width / 2, y - width / 2, x + width / 2, y + width / 2), 255)

        def dot(x, y):
            x, y = point(x, y)
            radius = width * random.uniform(0.5, 0.8)
            pen.ellipse((x - radius, y - radius, x + radius, y + radius), 255)

        over = random.uniform(0.1, 0.3)  # how far tall marks reach beyond digits
        if mark == ".":
            dot(0.1, 0.04)
        elif mark == ":":
            dot(0.1, 0.15)
            dot(0.1, 0.65)
        elif mark == "-":
            line(point(0, 0.5), point(random.uniform(0.35, 0.6), 0.5))
        elif mark == ",":
            length = random.uniform(0.2, 0.35)
            line(point(0.15, 0.1), point(0.15 - length / 3, 0.1 - length))
        elif mark == "/":
            line(point(0, -over), point(random.uniform(0.3, 0.6), 1 + random.uniform(0.1, 0.3)))
        elif mark == "+":
            size = random.uniform(0.25, 0.35)
            line(point(0.3 - size, 0.5), point(0.3 + size, 0.5))
            line(point(0.3, 0.5 - size), point(0.3, 0.5 + size))
        else:
            bulge = random.uniform(0.12, 0.25) * (1 if mark == ")" else -1)
            y = np.linspace(0, 1, 9)
            arc = [(0.3 + 4 * bulge * v * (1 - v), v * (1 + 2 * over) - over) for v in y]
            line(*(point(*xy) for xy in arc))
        return np.asarray(image, np.float32)[12 * unit :] / 255

    def text(self, pattern, gaps=(3, 12), touching=0.0):
        """The ink of a row, and what it says: d in the pattern is any digit, the rest are marks.

        gaps: between characters, in pixels of MNIST. touching: share of pairs that touch.
        """
        row, answer = np.zeros((44 * self.scale, 0), np.float32), ""
        for place, character in enumerate(pattern):
            if character == " ":
                row = np.pad(row, ((0, 0), (0, 10 * self.scale)))
                continue
            if character == "d":
                ink, label = self.digit()
                answer += label
                shift = int(self.random.integers(-2, 3)) * self.scale
                ink = np.pad(ink, ((4 * self.scale + shift, 12 * self.scale - shift), (0, 0)))
            else:
                ink = self.mark(character)
                ink = np.pad(ink, ((0, max(0, len(row) - len(ink))), (0, 0)))[: len(row)]
                answer += " "
            ink = trimmed(ink)
            if not place:
                row = ink
            elif character == "d" and self.random.random() < touching:
                row = pushed_together(row, ink)
            else:
                gap = int(self.scale * self.random.uniform(*gaps))
                row = np.hstack([row, np.zeros((len(row), gap), np.float32), ink])
        return row, answer.strip()


def enlarged(image, scale):
    """An image (height, width) from 0 to 1, `scale` times as large, its edges smooth."""
    size = [round(scale * side) for side in image.shape[::-1]]
    large = Image.fromarray(image.astype(np.float32)).resize(size, Image.Resampling.BICUBIC)
    return np.clip(large, 0, 1)


def trimmed(ink):
    """Ink without the columns on the left and right that are empty."""
    columns = np.flatnonzero((ink > 0.5).any(axis=0))
    return ink[:, columns[0] : columns[-1] + 1] if columns.size else ink[:, :0]


def pushed_together(left, right):
    """Two inks of the same height in one, as far apart as they can be while strokes overlap."""
    for overlap in range(min(left.shape[1], right.shape[1])):
        both = np.minimum(left[:, left.shape[1] - overlap :], right[:, :overlap])
        if np.count_nonzero(both > 0.5) >= 12:
            break
    left = np.pad(left, ((0, 0), (0, right.shape[1] - overlap)))
    right = np.pad(right, ((0, 0), (left.shape[1] - right.shape[1], 0)))
    return np.maximum(left, right)


def page(ink, margin=30, paper=PAPER, pen=INK):
    """A page (height, width) or, with colours (3,) for paper and pen, (height, width, 3)."""
    ink = np.pad(ink, margin)
    if np.ndim(paper):
        ink = ink[..., None]
    return paper + (np.asarray(pen) - paper) * ink


# Kinds of pages. Each takes a writer and the page's number, and returns the page and its answer.


def single(spoil):
    """One digit, and what happens to its page."""

    def make(writer, number):
        ink, label = writer.digit(number % len(writer.images))
        return spoil(page(ink, 2 * writer.scale), writer.random), label

    return make


def centred(page, random):
    return page


def off_centre(page, random):
    """Extended by up to half its side at each border."""
    return np.pad(page, random.integers(0, len(page) // 2, (2, 2)), constant_values=PAPER)


def inverted(page, random):
    return 1 - page


def darkened(page, random):
    """Light that falls by up to 70% from one side of the page to the other."""
    y, x = (np.indices(page.shape) + 0.5) / max(page.shape) - 0.5
    angle = random.uniform(0, 2 * np.pi)
    away = (np.cos(angle) * x + np.sin(angle) * y) / np.sqrt(2) + 0.5
    return page * (1 - random.uniform(0.3, 0.7) * away)


def noisy(page, random):
    """Normal noise with a standard deviation of 0.1."""
    return page + random.normal(0, 0.1, page.shape)


def jpeg(page, random):
    """JPEG at quality 20 of 100."""
    file = io.BytesIO()
    Image.fromarray(np.rint(255 * np.clip(page, 0, 1)).astype(np.uint8)).save(
        file, "JPEG", quality=20
    )
    return np.asarray(Image.open(file)) / 255


def everything(page, random):
    page = darkened(off_centre(page, random), random)
    if random.random() < 0.5:
        page = inverted(page, random)
    return jpeg(page + random.normal(0, 0.05, page.shape), random)


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


def tilted(page, random):
    """Turned by up to 10 degrees."""
    return ndimage.rotate(page, random.uniform(-10, 10), order=1, cval=PAPER)


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


def shadow(page, random):
    """A shadow with a hard edge through the middle."""
    angle = random.uniform(0, 2 * np.pi)
    y, x = (np.indices(page.shape).T - np.array(page.shape) / 2).T
    return np.where(np.cos(angle) * x + np.sin(angle) * y > 0, 0.4 * page, page)


def table(page, random):
    """A dark table at two borders, a little askew."""
    page = np.pad(page, ((40, 0), (60, 0)), constant_values=PAPER)
    y, x = np.indices(page.shape)
    bent = random.uniform(-0.05, 0.05, 2)
    return np.where((y < 25 + bent[0] * x) | (x < 40 + bent[1] * y), 0.2, page)


def specks(page, random):
    """Twenty dark specks of 4 x 4 pixels in the margins."""
    page = np.pad(page, 40, constant_values=PAPER)
    for y, x in random.integers(0, (40, page.shape[1] - 4), (20, 2)):
        page[y : y + 4, x : x + 4] = 0.2
    return page


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


WHITE = (0.95, 0.95, 0.93)
KINDS = {  # name: how many pages, and the function that makes one
    "single digits, enlarged 3 to 5 times": (500, single(centred)),
    "pasted off-centre on a larger page": (500, single(off_centre)),
    "inverted": (500, single(inverted)),
    "darkened by up to 70% from one side": (500, single(darkened)),
    "noise, standard deviation 10%": (500, single(noisy)),
    "JPEG, quality 20": (500, single(jpeg)),
    "all of these, noise 5%": (500, single(everything)),
    "`load_digits`, enlarged and pasted": (450, small_digit(0)),
    "`load_digits`, blurred by half a pixel": (450, small_digit(0.5)),
    "digits of two typefaces not trained on": (100, printed),
    "six digits, tilted by up to 10 degrees": (100, row("dddddd", spoil=tilted)),
    "six digits, gaps of 1 to 3 pixels": (100, row("dddddd", gaps=(1, 3))),
    "three rows of five digits": (100, three_rows),
    "dots, dashes, minus, colon": (100, row("dd.dd.dddd", "ddd-dddd", "d.dd", "-dd", "dd:dd")),
    "slashes: 12/05/2026": (100, row("dd/dd/dddd")),
    "commas: 1,299.50": (100, row("d,ddd.dd", "ddd,dd")),
    "brackets and plus: (020) 7946, +44 79": (100, row("(ddd) dddd", "+dd dd")),
    "a box round a digit": (100, single_box),
    "a box round each digit": (100, boxes((3, 8))),
    "a box round each digit, touching some": (100, boxes((2, 6))),
    "combs of two to eight cells": (100, comb(False)),
    "combs, some digits touch them": (100, comb(True)),
    "circled numbers": (100, circled),
    "two digits that touch": (100, row("dd", touching=1)),
    "six digits, a quarter of the pairs touch": (100, row("dddddd", touching=0.25)),
    "letters and symbols": (100, no_digit(printed_symbol)),
    "scribbles and drawings": (100, lambda w, n: no_digit((drawing, scribble)[n % 2])(w, n)),
    "yellow highlighter": (100, coloured(WHITE, (0.98, 0.95, 0.4))),
    "red pen": (100, coloured(WHITE, (0.85, 0.15, 0.15))),
    "light blue pen": (100, coloured(WHITE, (0.55, 0.8, 0.95))),
    "pencil": (100, coloured(WHITE, (0.7, 0.7, 0.7))),
    "chalk": (100, coloured((0.15, 0.25, 0.2), (0.8, 0.8, 0.8), 0.03, 0.4)),
    "half-wiped whiteboard": (100, coloured((0.92, 0.94, 0.95), (0.2, 0.3, 0.7), 0.02, 0.6)),
    "3 mm high on A4, 12 megapixels": (6, a4),
    "strokes 30% as thick as the digit is high": (100, thick),
    "ruled paper, lines of 15%": (50, ruled(0.15, False)),
    "ruled paper, lines of 30%": (50, ruled(0.3, False)),
    "ruled paper, lines of 50%": (50, ruled(0.5, False)),
    "squared paper, lines of 15%": (50, ruled(0.15, True)),
    "squared paper, lines of 30%": (50, ruled(0.3, True)),
    "squared paper, lines of 50%": (50, ruled(0.5, True)),
    "hard shadow": (100, row("dddd", spoil=shadow)),
    "edge of the table": (100, row("dddd", spoil=table)),
    "specks": (100, row("dddd", spoil=specks)),
}


def picture_file(picture):
    """A page from 0 to 1 as the bytes of a picture file."""
    file = io.BytesIO()
    Image.fromarray(np.rint(255 * np.clip(picture, 0, 1)).astype(np.uint8)).save(file, "BMP")
    file.seek(0)
    return file


@functools.cache
def reader():
    """The network that is shipped, as a function from images to probabilities."""
    network, _, settings, *_ = load_model(PROJECT / "handwriting" / "model.npz")
    return lambda images: network.predict_proba(preprocess(images, settings.deskew))


@functools.cache
def digits(training):
    """The images and labels that pages are made of."""
    images, labels, test_images, test_labels = load_mnist()
    return (images[-10_000:], labels[-10_000:]) if training else (test_images, test_labels)


def make_page(kind, number, seed, training):
    """The page (height, width) or (height, width, 3) of a kind with a number; and its answer."""
    images, labels = digits(training)
    if "load_digits" in kind:
        small = load_digits_once()
        images, labels = small.images, small.target
    writer = Writer(images, labels, (seed, list(KINDS).index(kind), number))
    return KINDS[kind][1](writer, number)


load_digits_once = functools.cache(load_digits)


def read_one(task):
    """Read a page: whether the answer is exact, and whether it is wrong without a `?`."""
    picture, expected = make_page(*task)
    _, reading = read_config()
    try:
        text = recognise_page(picture_file(picture), reader(), reading).text
    except UserError:  # too many blobs
        return False, False
    sure = text != "" and "?" not in text
    return text.replace("?", "") == expected, sure and text != expected


def draw_example(images, path):
    """Draw images (n, 28, 28) in pen on squared paper, like a photo, into a JPEG file."""
    random_generator = np.random.default_rng(0)
    height, width, side = 500, 1300, 190
    y, x = np.indices((height, width))
    ink = np.zeros((height, width))
    for place, image in enumerate(images):
        large = Image.fromarray(image).resize((side, side), Image.Resampling.BICUBIC)
        top, left = 130 + random_generator.integers(-15, 16), 110 + 220 * place
        ink[top : top + side, left : left + side] = np.asarray(large) / 255
    askew = x - y // 40, y + x // 40
    lines = np.maximum(*(np.exp(-((((c + 22) % 44 - 22) / 1.5) ** 2)) for c in askew))
    paper = np.array([0.96, 0.94, 0.88]) - lines[..., None] * np.array([0.28, 0.2, 0.08])
    pen = np.array([0.12, 0.16, 0.42])
    picture = paper + ink[..., None] * (pen - paper)
    shade = 1 / (1 + np.exp(-(x + 0.8 * y - 1000) / 25))  # of a hand, from the lower right
    light = (1 - 0.45 * shade) * (0.7 + 0.3 * np.cos((x - 350) / 900))
    picture = picture * light[..., None] + random_generator.normal(0, 0.02, (height, width, 1))
    pixels = np.rint(255 * np.clip(picture, 0, 1)).astype(np.uint8)
    Image.fromarray(pixels).save(path, quality=80)


def draw_pages(seed, training, path):
    """Draw the first page of each kind with its answer, 5 in a row, into a PNG file."""
    _, reading = read_config()
    width, height, columns = 250, 130, 5
    sheet = Image.new("RGB", (columns * width, -(-len(KINDS) // columns) * height), "white")
    pen = ImageDraw.Draw(sheet)
    font = ImageFont.truetype(f"{get_data_path()}/fonts/ttf/DejaVuSans.ttf", 10)
    for place, kind in enumerate(KINDS):
        picture, _ = make_page(kind, 0, seed, training)
        text = recognise_page(picture_file(picture), reader(), reading).text or "no digit found"
        image = Image.open(picture_file(picture)).convert("RGB")
        image.thumbnail((width - 20, height - 50))
        top, left = place // columns * height, place % columns * width
        sheet.paste(image, (left, top + 20))
        pen.text((left, top), kind[:44].replace("`", ""), "black", font)
        pen.text((left, top + 24 + image.height), text, "#0072b2", font)
    sheet.quantize(64).save(path, optimize=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--training", action="store_true", help="pages of training digits")
    parser.add_argument("--share", type=float, default=1, help="of the pages of each kind")
    parser.add_argument("--only", default="", help="kinds whose names hold this text")
    parser.add_argument("--processes", type=int, help="by default, one for each core")
    arguments = parser.parse_args()
    seed = 1 if arguments.training else SEED
    images, labels = digits(arguments.training)
    right = reader()(images).argmax(axis=1) == labels
    print(f"The network reads {right.mean():.2%} of the images themselves.\n")
    print("| pages | number | read exactly | wrong without a `?` |")
    print("|---|---:|---:|---:|")
    with multiprocessing.Pool(arguments.processes) as pool:
        for kind, (number, _) in KINDS.items():
            if arguments.only not in kind:
                continue
            number = max(1, round(number * arguments.share))
            tasks = ((kind, n, seed, arguments.training) for n in range(number))
            results = np.array(list(pool.imap(read_one, tasks, chunksize=4)))
            exact, wrong = results.mean(axis=0)
            print(f"| {kind} | {number:,} | {exact:.1%} | {wrong:.1%} |", flush=True)
    if not arguments.training:
        example = [np.flatnonzero(labels == digit)[10] for digit in (9, 0, 2, 1, 0)]
        draw_example(images[example], PROJECT / "docs" / "handwriting.jpg")
        draw_pages(seed, arguments.training, PROJECT / "docs" / "pages.png")


if __name__ == "__main__":
    main()
