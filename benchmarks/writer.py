"""Rows of digits and punctuation marks as someone writes them, for pages.py.

Arrays of ink are (height, width) float32, 0 on paper and 1 within strokes.
"""

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage

PEN = 2.5  # thickness of MNIST's strokes, in its pixels
FINE = 4  # how many times as large as MNIST's pixels those are that thin strokes are drawn with
LOOPS = {0: [1], 2: [0, 1], 4: [0, 1], 6: [1], 8: [2], 9: [1]}  # of a digit that is easy to read


class Writer:
    """Writes digits, from images (n, 28, 28) uint8 with labels (n,), and marks at random.

    scale: pixels of the page for one of MNIST's. pen: how thick strokes are, in MNIST's pixels, or
    None for as they are in the images. sizes: the least and greatest height of each digit, compared
    with MNIST's; what exceeds 1 lengthens its stem. A digit that is not in it is of size 1.
    """

    def __init__(self, images, labels, seed):
        self.images, self.labels = images, labels
        self.random = np.random.default_rng(seed)
        self.scale = int(self.random.integers(3, 6))
        self.pen, self.sizes = None, {}

    def digit(self, number=None):
        """The ink of an image, by default a random one, and its label as a text."""
        while True:
            chosen = self.random.integers(len(self.images)) if number is None else number
            image, label = self.images[chosen] / 255, int(self.labels[chosen])
            size = self.random.uniform(*self.sizes[label]) if label in self.sizes else 1
            image = with_long_stem(image, max(1, size))
            size = min(1, size)
            if not self.pen:
                return enlarged(image, self.scale * size), str(label)
            ink = drawn_thin(image, self.pen / size)
            if number is not None or is_plain(ink, label):
                return enlarged(ink, self.scale * size / FINE), str(label)

    def mark(self, mark, reach):
        """The ink of a punctuation mark, as high as a digit's image and what it may reach beyond.

        reach: how far tall marks reach beyond digits, at least and at most, in heights of a digit.
        """
        unit, random = self.scale, self.random
        height = 28 * unit
        image = Image.new("L", (height, 2 * height))
        pen = ImageDraw.Draw(image)
        width = round((self.pen or PEN) * unit)

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

        over = random.uniform(*reach)
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
        elif mark == "=":
            for y in (0.35, 0.65):
                line(point(0, y), point(random.uniform(0.4, 0.6), y))
        elif mark == "/":
            line(point(0, -over), point(random.uniform(0.3, 0.6), 1 + random.uniform(*reach)))
        elif mark == "1":
            line(point(0, random.uniform(0.6, 0.8)), point(0.3, 1 + over), point(0.25, -over))
        elif mark == "x":
            size = random.uniform(0.2, 0.3)
            line(point(0.3 - size, 0.5 - size), point(0.3 + size, 0.5 + size))
            line(point(0.3 - size, 0.5 + size), point(0.3 + size, 0.5 - size))
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

    def text(self, pattern, gaps=(3, 12), touching=0.0, reach=(0.1, 0.3), space=10):
        """The ink of a row, and what it says: d in the pattern is any digit, the rest are marks.

        A 1 in the pattern is one with a flag, a space a wider gap. gaps: between characters, in
        pixels of MNIST. touching: share of pairs that touch. reach: see mark. space: what a space
        adds to a gap, in pixels of MNIST.
        """
        row, answer = np.zeros((44 * self.scale, 0), np.float32), ""
        for place, character in enumerate(pattern):
            if character == " ":
                row = np.pad(row, ((0, 0), (0, space * self.scale)))
                answer += " "
                continue
            if character == "d":
                ink, label = self.digit()
                answer += label
                shift = int(self.random.integers(-2, 3)) * self.scale
                top = 4 * self.scale + max(0, 28 * self.scale - len(ink)) // 2 + shift
                ink = np.pad(ink, ((top, 44 * self.scale - len(ink) - top), (0, 0)))
            else:
                ink = self.mark(character, reach)
                ink = np.pad(ink, ((0, max(0, len(row) - len(ink))), (0, 0)))[: len(row)]
                answer += character if character == "1" else " "
            ink = trimmed(ink)
            if not place:
                row = ink
            elif character == "d" and self.random.random() < touching:
                row = pushed_together(row, ink)
            else:
                gap = int(self.scale * self.random.uniform(*gaps))
                row = np.hstack([row, np.zeros((len(row), gap), np.float32), ink])
        return row, " ".join(answer.split())


def enlarged(image, scale):
    """An image (height, width) from 0 to 1, `scale` times as large, its edges smooth."""
    size = [round(scale * side) for side in image.shape[::-1]]
    large = Image.fromarray(image.astype(np.float32)).resize(size, Image.Resampling.BICUBIC)
    return np.clip(large, 0, 1)


def with_long_stem(image, size):
    """A digit (28, 28) whose lower half is stretched until it is `size` times as tall."""
    rows = np.arange(round(28 * size))
    waist = 14  # rows above it stay
    rows = np.where(rows < waist, rows, waist + (rows - waist) * (27 - waist) / (rows[-1] - waist))
    return ndimage.map_coordinates(image, np.meshgrid(rows, np.arange(28), indexing="ij"), order=1)


def drawn_thin(image, pen):
    """A digit (height, width) in strokes `pen` of its pixels thick, FINE times as large."""
    line = skeleton(enlarged(image, FINE) > 0.5)
    distance = ndimage.gaussian_filter(ndimage.distance_transform_edt(~line), 1)
    return np.clip(FINE * pen / 2 + 0.5 - distance, 0, 1).astype(np.float32)


def skeleton(shape):
    """The lines, one pixel wide, along the middle of a shape: both (height, width) bool.

    The algorithm is that of T. Y. Zhang and C. Y. Suen, Communications of the ACM 27, 1984.
    """
    shape = np.pad(shape, 1)
    has_changed = True
    while has_changed:
        has_changed = False
        for turn in (0, 2):
            around = [(-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1)]
            ring = np.array([np.roll(shape, (-y, -x), (0, 1)) for y, x in around])
            starts = (~ring & np.roll(ring, -1, axis=0)).sum(axis=0)
            north, east, south, west = np.roll(ring[::2], -turn, axis=0)
            is_edge = ~(north & east & south) & ~(east & south & west)
            number = ring.sum(axis=0)
            is_edge &= shape & (starts == 1) & (number >= 2) & (number <= 6)
            shape = shape & ~is_edge
            has_changed |= is_edge.any()
    return shape[1:-1, 1:-1]


def is_plain(ink, label):
    """Whether thin strokes are connected and enclose as many loops as the digit has."""
    strokes, parts = ndimage.label(ink > 0.5), ndimage.label(np.pad(ink, 1) < 0.5)
    return strokes[1] == 1 and parts[1] - 1 in LOOPS.get(label, [0])


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
