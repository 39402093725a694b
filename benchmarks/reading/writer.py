"""Rows of digits and marks as someone writes them, as ink (see paper.py)."""

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage

from handwriting.beyond_mnist import to_strokes

THICKNESS = 2.5  # of MNIST's strokes, in its pixels
SPACE = 12  # what a space adds to a gap, in MNIST's pixels
FINE = 4  # pixels to one of MNIST's, in each direction, when strokes are drawn thin
# The loops of a digit that is easy to read.
LOOPS = {0: [1], 1: [0], 2: [0, 1], 3: [0], 4: [0, 1], 5: [0], 6: [1], 7: [0], 8: [2], 9: [1]}
ANGLES = np.linspace(0, 2 * np.pi, 41)
CIRCLE = 0.5 + 0.5 * np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1)  # in a unit square

STROKES = {  # in hundredths of a digit's height
    ".": "10,96 10,96",
    ",": "15,90 6,120",
    ":": "10,35 10,35 / 10,85 10,85",
    "-": "0,50 50,50",
    "+": "0,50 60,50 / 30,20 30,80",
    "x": "5,25 55,75 / 5,75 55,25",
    "=": "0,35 50,35 / 0,65 50,65",
    "/": "0,100 55,0",
    "(": "30,0 16,13 7,31 3,50 7,69 16,87 30,100",
    ")": "0,0 14,13 23,31 27,50 23,69 14,87 0,100",
    "I": "0,30 30,0 26,100",  # a 1 with a flag
}
MARKS = {mark: to_strokes(text) for mark, text in STROKES.items()} | {"O": [CIRCLE * (0.45, 1)]}
READ_AS = {"I": "1", "O": "0"}  # an oval 0; other marks leave a space
TALL = "/()I"  # marks that reach beyond digits


class Writer:
    """Writes digits, from images (n, 28, 28) uint8 with labels (n,), and marks at random.

    scale: pixels of the page for one of MNIST's. thickness: of strokes, in MNIST's pixels, or None
    to leave them as they are. sizes: the least and greatest height of each digit, compared with
    MNIST's; above 1, only the lower half is stretched. A digit that isn't in it is of size 1.
    loops: the numbers of loops that a digit may have, if they aren't those of LOOPS.
    """

    def __init__(self, images, labels, seed):
        self.images, self.labels = images, labels
        self.random = np.random.default_rng(seed)
        self.scale = int(self.random.integers(3, 6))
        self.thickness, self.sizes, self.loops = None, {}, {}

    def digit(self, label=None):
        """The ink of a random image, of this label if there is one, and its label as a string."""
        numbers = np.flatnonzero((self.labels == label) | (label is None))
        while True:
            chosen = self.random.choice(numbers)
            image, label = self.images[chosen] / 255, int(self.labels[chosen])
            size = self.random.uniform(*self.sizes.get(label, (1, 1)))
            last = round(28 * max(1, size)) - 1  # the row to which the lower half is stretched
            rows = np.interp(np.arange(last + 1), [0, 13, last], [0, 13, 27])
            places = np.meshgrid(rows, range(28), indexing="ij")
            image = ndimage.map_coordinates(image, places, order=1)
            scale = self.scale * min(1, size)
            if self.thickness:
                image, scale = drawn_thin(image, self.thickness / min(1, size)), scale / FINE
            parts, holes = (ndimage.label(m)[1] for m in (image > 0.5, np.pad(image, 1) < 0.5))
            is_plain = parts == 1 and holes - 1 in (LOOPS | self.loops)[label]  # 1: the outside
            if is_plain or not (self.thickness or self.loops):
                return enlarged(image, scale), str(label)

    def mark(self, mark, reach):
        """The ink of a mark, as high as a row. reach: see text."""
        random, unit = self.random, self.scale
        height = 1 + 2 * random.uniform(*reach) if mark in TALL else 1
        # wider or narrower, slanting, and stretched from the middle
        change = [[random.uniform(0.7, 1.2), 0], [random.normal(0, 0.1), height]]
        lines = [points - 0.5 + random.normal(0, 0.02, 2) for points in MARKS[mark]]
        lines = [unit * (20 * points @ change + (20, 17)) for points in lines]
        return drawn(lines, (self.thickness or THICKNESS) * unit, 44 * unit)

    def text(self, pattern, gaps=(3, 12), touching=0.0, reach=(0.1, 0.3)):
        """The ink of a row, and what it says.

        pattern: d is any digit, ^ a small one above the row, I a tall 1 with a flag, O an oval 0,
        a space a wider gap; digits and marks are what they are. gaps: between characters, in
        MNIST's pixels. touching: share of pairs of digits that touch. reach: how far tall marks
        reach beyond digits, at least and at most, in heights of a digit.
        """
        row, answer, height = None, "", 44 * self.scale
        for character in pattern:
            if character == " ":
                row = np.pad(row, ((0, 0), (0, SPACE * self.scale)))
                answer += " "
                continue
            is_digit = character == "d" or character.isdigit()
            if is_digit:
                ink, label = self.digit(None if character == "d" else int(character))
                shift = self.random.integers(2, 7) * self.scale
                top = shift + max(0, 28 * self.scale - len(ink)) // 2
            elif character == "^":
                ink, label = self.digit()
                ink, top = enlarged(ink, 0.5), self.scale
            else:
                ink, label, top = self.mark(character, reach), READ_AS.get(character, " "), 0
            ink = np.pad(ink, ((top, max(0, height - len(ink) - top)), (0, 0)))[:height]
            answer += label
            columns = np.flatnonzero((ink > 0.5).any(axis=0))
            ink = ink[:, columns[0] : columns[-1] + 1]
            if row is None:
                row = ink
            elif is_digit and self.random.random() < touching:
                row = pushed_together(row, ink)
            else:
                gap = int(self.scale * self.random.uniform(*gaps))
                row = np.hstack([row, np.zeros((height, gap), np.float32), ink])
        return row, " ".join(answer.split())


def drawn(lines, width, side):
    """Lines, each (n, 2) points x and y in pixels, drawn by a round pen on a square."""
    image = Image.new("L", (side, side))
    pen, width = ImageDraw.Draw(image), round(width)
    radius = (width - 1) / 2
    for points in lines:
        pen.line([tuple(point) for point in points], 255, width)
        for x, y in points:
            pen.ellipse((x - radius, y - radius, x + radius, y + radius), 255)
    return np.asarray(image, np.float32) / 255


def enlarged(image, scale):
    """An image (height, width) from 0 to 1, `scale` times as large, its edges smooth."""
    size = [round(scale * side) for side in image.shape[::-1]]
    large = Image.fromarray(image.astype(np.float32)).resize(size, Image.Resampling.BICUBIC)
    return np.clip(large, 0, 1)


def drawn_thin(image, thickness):
    """A digit (height, width), FINE times as large, in strokes of a thickness in its pixels."""
    from skimage.morphology import skeletonize  # most pages of the tests do without it

    line = skeletonize(enlarged(image, FINE) > 0.5)
    distance = ndimage.gaussian_filter(ndimage.distance_transform_edt(~line), 1)
    return np.clip(FINE * thickness / 2 + 0.5 - distance, 0, 1).astype(np.float32)


def pushed_together(left, right):
    """Two inks of the same height in one, as far apart as they can be while strokes overlap."""
    for overlap in range(min(left.shape[1], right.shape[1])):
        both = np.minimum(left[:, left.shape[1] - overlap :], right[:, :overlap])
        if np.count_nonzero(both > 0.5) >= 12:
            break
    left = np.pad(left, ((0, 0), (0, right.shape[1] - overlap)))
    right = np.pad(right, ((0, 0), (left.shape[1] - right.shape[1], 0)))
    return np.maximum(left, right)
