"""From a grey picture to ink: sheets of paper in it, and what is written on them."""

from typing import NamedTuple

import numpy as np
from scipy import ndimage

from handwriting.normalise import box_of
from handwriting.picture import resize

SKETCH_SIZE = 300  # pixels of the longer side, enough to see sheets but no writing
SMOOTH = 0.015  # steepest change of brightness on a sheet, from one pixel of the sketch to the next
SMALLEST_SHEET = 0.05  # share of the picture
NOTCH = 6  # pixels of the sketch: half the width of what is filled at a sheet's edge
# skewness, up to 1, of the differences from the surroundings, beyond which the ink is surely darker
# or surely lighter than the paper
CLEAR_SKEW = 0.4
WINDOW = 1 / 3  # of the longer side: wider than any stroke
FAINTEST_INK = 0.12  # how much darker than the paper, as a share, ink must be
FAINTEST_SHARE = 0.25  # of the darkest ink, what a pixel of a stroke holds, at least
THIN_SHARE = 0.2  # the same of a faint stroke by itself
CLEAR = 1.5  # darkest ink of a stroke divided by the faintest ink of the picture, at least
NEIGHBOURS = np.ones((3, 3))  # pixels that touch at a corner belong together


class Sheet(NamedTuple):
    """A sheet of paper in a picture, or all of the picture."""

    mask: np.ndarray  # (height, width) bool, where it is, in a sketch of the picture
    paper: np.ndarray  # float32 of this shape: brightness of the paper or, beside it, the nearest

    def cut_out(self, picture):
        """The part of a grey picture around the sheet, all else painted over, and its top, left."""
        if self.mask.all():
            return picture, (0, 0)
        box = tuple(box_of(self.mask)[[2, 0, 3, 1]])
        scale = np.divide(picture.shape, self.mask.shape)[[1, 0, 1, 0]]
        left, top, right, bottom = np.rint(scale * box).astype(int)
        part = picture[top:bottom, left:right]
        inside = resize(self.mask.astype(np.float32), part.shape, box) > 0.5
        return np.where(inside, part, resize(self.paper, part.shape, box)), (top, left)

    def turned(self, turns):
        """The Sheet, turned counterclockwise by quarters of a turn."""
        return Sheet(np.rot90(self.mask, turns), np.rot90(self.paper, turns))


def find_sheets(picture):
    """All of a grey picture (height, width), and each large smooth region in it: Sheets."""
    factor = max(1, max(picture.shape) / SKETCH_SIZE)
    sketch = resize(picture, [max(1, round(side / factor)) for side in picture.shape])
    sketch = ndimage.median_filter(sketch, 7)
    labels, _ = ndimage.label(ndimage.gaussian_gradient_magnitude(sketch, 1) < SMOOTH)
    sheets = [Sheet(np.ones_like(sketch, bool), sketch)]
    for label in 1 + np.flatnonzero(np.bincount(labels.flat)[1:] >= SMALLEST_SHEET * sketch.size):
        # digits are holes, or notches at the border of the picture
        mask = np.pad(labels == label, NOTCH, "edge")
        mask = ndimage.binary_closing(mask, iterations=NOTCH)[NOTCH:-NOTCH, NOTCH:-NOTCH]
        mask = ndimage.binary_fill_holes(mask)
        mask = ndimage.binary_erosion(mask, iterations=2, border_value=1)
        if mask.any() and not mask.all():
            sheets.append(on_sketch(mask, sketch))
    return sheets


def on_sketch(mask, sketch):
    """A Sheet from its mask (height, width) and the sketch of the picture, of the same shape."""
    nearest = ndimage.distance_transform_edt(~mask, None, False, True)  # indices alone
    return Sheet(mask, sketch[tuple(nearest)])


def joined(sheets, sketch):
    """Several Sheets as one, perhaps a sheet that the edge of a shadow divides."""
    mask = np.pad(np.any([sheet.mask for sheet in sheets], axis=0), 2 * NOTCH)
    mask = ndimage.binary_fill_holes(ndimage.binary_closing(mask, iterations=2 * NOTCH))
    return on_sketch(mask[2 * NOTCH : -2 * NOTCH, 2 * NOTCH : -2 * NOTCH], sketch)


def find_inks(picture):
    """How much ink each pixel of a grey picture (height, width) holds: 0 none, 1 as much as can be.

    Yields an array of float32 of the same shape, about 0 to 1, or two where it isn't clear whether
    the ink is darker or lighter than the paper.
    """
    factor = max(1, round(max(picture.shape) / 250))  # light and shadow need no more detail
    small = resize(picture, [max(1, round(side / factor)) for side in picture.shape])
    # Strokes are narrow, so differences from the surroundings have a long tail on the ink's side.
    detail = small - ndimage.uniform_filter(small, 2 * max(3, max(small.shape) // 8))
    skew = (detail**3).sum() / max((abs(detail) ** 3).sum(), np.float32(1e-30))
    if skew < CLEAR_SKEW:
        yield find_ink(picture, small)
    if skew > -CLEAR_SKEW:
        yield find_ink(1 - picture, 1 - small)


def find_ink(picture, small):
    """The ink that is darker than the paper around it, so that light and shadow fall away.

    small: the picture, reduced.
    """
    window = max(3, int(WINDOW * max(small.shape)))
    # beyond the border, paper and shadows go on as they are there
    paper = ndimage.grey_closing(np.pad(small, window, "edge"), (window, window))
    paper = paper[window:-window, window:-window]
    paper = ndimage.minimum_filter(paper, 5)  # at the edge of a shadow, take the darker side
    paper = resize(paper, picture.shape)
    ink = (paper - picture) / np.maximum(paper, 0.4)  # on darker paper, noise would pass for ink
    # smooth the noise down to about 0.03
    noise = np.median(np.abs(np.diff(ink, axis=1))) if ink.shape[1] > 1 else 0
    ink = ndimage.gaussian_filter(ink, min(9 * noise, 3), mode="nearest")
    return ink - np.median(paper_of(ink))


def paper_of(ink):
    """Values of `ink` at the pixels that are surely paper, perhaps a minority: (n,)."""
    return ink[ink <= max(FAINTEST_INK, ink.max() / 2)]


def faintest_ink(ink, share=FAINTEST_SHARE):
    """How much ink, at least, a pixel of a stroke holds: a float. The rest is paper and noise."""
    noise = 1.4826 * np.median(np.abs(paper_of(ink)))  # the standard deviation, if it is normal
    floor = max(FAINTEST_INK, 4 * noise)
    strokes = ink[ink > floor]
    return max(floor, share * np.percentile(strokes, 95)) if strokes.size else floor


def strokes_in(ink):
    """Where strokes are in ink (height, width), a mask: those of a thin pen are fainter."""
    low = faintest_ink(ink, THIN_SHARE)
    is_ink = ink > low
    labels, number = ndimage.label(is_ink, NEIGHBOURS)
    darkest = np.zeros(number + 1, ink.dtype)
    np.maximum.at(darkest, labels[is_ink], ink[is_ink])
    faintest = np.maximum(low, FAINTEST_SHARE * darkest)
    faintest[darkest < CLEAR * faintest_ink(ink)] = np.inf
    return ink > faintest[labels]
