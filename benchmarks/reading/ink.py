"""Ink: what pens and typefaces leave on paper, for the pages.

Arrays of ink are (height, width) float32, 0 on paper and 1 within strokes.
"""

import functools
from pathlib import Path

import numpy as np
from matplotlib import get_data_path
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

FINE = 4  # how many times as large as MNIST's pixels those are that thin strokes are drawn with
ANGLES = np.linspace(0, 2 * np.pi, 41)
CIRCLE = 0.5 + 0.5 * np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1)  # in a unit square


def strokes(text):
    """Strokes in a unit square, each (n, 2) float64, from points "x,y" in hundredths, parted by /.

    y points downwards.
    """
    lines = (stroke.split() for stroke in text.split("/"))
    return [np.array([point.split(",") for point in line], float) / 100 for line in lines]


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


@functools.cache
def font(face, size):
    """A typeface of matplotlib's at a size in pixels, by the name of its file."""
    return ImageFont.truetype(str(Path(get_data_path(), "fonts", "ttf", f"{face}.ttf")), size)


def printed(text, face, size, thickening=0):
    """A text in a typeface, as ink that fits tightly."""
    box = font(face, size).getbbox(text, stroke_width=thickening)
    left, top, right, bottom = map(int, box)
    image = Image.new("L", (right - left, bottom - top))
    pen = ImageDraw.Draw(image)
    pen.text((-left, -top), text, 255, font(face, size), stroke_width=thickening)
    return np.asarray(image, np.float32) / 255


def enlarged(image, scale):
    """An image (height, width) from 0 to 1, `scale` times as large, its edges smooth."""
    size = [round(scale * side) for side in image.shape[::-1]]
    large = Image.fromarray(image.astype(np.float32)).resize(size, Image.Resampling.BICUBIC)
    return np.clip(large, 0, 1)


def drawn_thin(image, pen):
    """A digit (height, width) in strokes `pen` of its pixels thick, FINE times as large."""
    from skimage.morphology import skeletonize  # most pages of the tests do without it

    line = skeletonize(enlarged(image, FINE) > 0.5)
    distance = ndimage.gaussian_filter(ndimage.distance_transform_edt(~line), 1)
    return np.clip(FINE * pen / 2 + 0.5 - distance, 0, 1).astype(np.float32)


def with_long_stem(image, size):
    """A digit (28, 28) whose lower half is stretched until it is `size` times as tall."""
    last = round(28 * size) - 1
    rows = np.interp(np.arange(last + 1), [0, 13, last], [0, 13, 27])  # those above 13 stay
    return ndimage.map_coordinates(image, np.meshgrid(rows, np.arange(28), indexing="ij"), order=1)


def trimmed(ink):
    """Ink without the empty columns on the left and right."""
    columns = np.flatnonzero((ink > 0.5).any(axis=0))
    return ink[:, columns[0] : columns[-1] + 1]


def pushed_together(left, right):
    """Two inks of the same height in one, as far apart as they can be while strokes overlap."""
    for overlap in range(min(left.shape[1], right.shape[1])):
        both = np.minimum(left[:, left.shape[1] - overlap :], right[:, :overlap])
        if np.count_nonzero(both > 0.5) >= 12:
            break
    left = np.pad(left, ((0, 0), (0, right.shape[1] - overlap)))
    right = np.pad(right, ((0, 0), (left.shape[1] - right.shape[1], 0)))
    return np.maximum(left, right)


def stacked(inks, space):
    """Inks below each other, from the left: (height, width)."""
    width = max(ink.shape[1] for ink in inks)
    return np.vstack([np.pad(ink, ((0, space), (0, width - ink.shape[1]))) for ink in inks])


def pasted(ink, part, top, left):
    """Add a part to ink in place, as far as it lies within."""
    top, left = int(top), int(left)
    target = ink[top : top + len(part), left : left + part.shape[1]]
    np.maximum(target, part[: len(target), : target.shape[1]], out=target)
