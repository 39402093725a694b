"""The ink of one digit as an image like MNIST's, which were all made this way."""

import numpy as np
from scipy import ndimage

from data_preprocessing import SIDE
from handwriting.picture import resize


def normalise(ink):
    """Make the ink of one digit an image as MNIST's are: (28, 28) uint8.

    ink: (height, width) float32, 0 on paper and 1 within strokes. Its bounding box, made square, is
    scaled to 20 x 20 pixels, and then the centre of mass moved to pixel (14, 14) by whole pixels
    (LeCun, Bottou, Bengio and Haffner: Gradient-Based Learning Applied to Document Recognition,
    1998, section III-A).
    """
    top, bottom, left, right = box_of(ink)
    side = max(bottom - top, right - left)
    margin = int(0.65 * side) + 2  # the square may reach out of the picture, and so may its filter
    ink = np.pad(np.clip(ink, 0, 1), margin)
    y, x = margin + (top + bottom - side) / 2, margin + (left + right - side) / 2
    image = resize(ink, (20, 20), (x, y, x + side, y + side))
    image = image / np.clip(image.max(), 0.1, 1)  # the strokes of a thin pen would be pale
    image = np.rint(255 * np.clip(image, 0, 1))
    canvas = np.zeros((SIDE, SIDE), np.uint8)
    top, left = (min(max(round(14 - c), 0), 8) for c in ndimage.center_of_mass(image))
    canvas[top : top + 20, left : left + 20] = image
    return canvas


def box_of(ink):
    """The box around the strokes in ink (height, width): top, bottom, left, right, (4,)."""
    y, x = np.nonzero(ink > 0.5)
    return np.array([y.min(), y.max() + 1, x.min(), x.max() + 1])


def boxes_of(labels):
    """The boxes (n, 4) integers of labelled pieces: top, bottom, left, right."""
    slices = ndimage.find_objects(labels)
    return np.array([(y.start, y.stop, x.start, x.stop) for y, x in slices], int).reshape(-1, 4)
