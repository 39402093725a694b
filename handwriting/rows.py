"""From pieces to rows of them, in reading order, and to words."""

import itertools

import numpy as np
from scipy import ndimage
from scipy.sparse.csgraph import connected_components

# in heights of a digit:
SPECK = 0.1  # longer side of what is not even a dot
TALL = 0.5  # what may be a digit by its height, at least; dots and commas are shorter
ROW_SPREAD = 0.15  # standard deviation of the digits in a row, across it
ROW_STEP = 0.5  # between neighbours in a row, across it: their tops, middles or bottoms
ROW_GAP = 0.3  # between a row and the dots and signs that belong to it, above and below
WORD_GAP = 1.5  # between words


def find_rows(pieces):
    """The pieces in rows, without specks: lists, top to bottom, of pieces, left to right."""
    kept = [p for p in pieces if max(p.height, p.width) >= SPECK * p.digit_height]
    if not kept:
        return []
    if any(piece.cell for piece in kept):  # in a grid
        kept.sort(key=lambda piece: piece.box[2])
        numbers = sorted({piece.cell[0] for piece in kept})
        return [[piece for piece in kept if piece.cell[0] == number] for number in numbers]
    heights = np.array([piece.digit_height for piece in kept])
    boxes = np.array([piece.box for piece in kept])
    y, x = boxes[:, :2].mean(axis=1), boxes[:, 2:].mean(axis=1)
    boxes = boxes + tilt_of(kept) * np.stack([-x, -x, y, y], axis=1)  # tilted rows become level
    rows = rows_of(boxes, heights)
    order = np.argsort(boxes[:, 2:].sum(axis=1))
    return [[kept[n] for n in order[rows[order] == row]] for row in range(rows.max() + 1)]


def tilt_of(pieces):
    """The slope, downwards to the right, of the rows of pieces, a list: a float."""
    boxes = np.array([p.box for p in pieces if p.reaches(TALL)]).reshape(-1, 4)
    y, x = boxes[:, :2].mean(axis=1), boxes[:, 2:].mean(axis=1)
    tilts = np.tan(np.radians(sorted(range(-16, 17), key=abs)))  # among equals, the least wins
    # the projection profile of the digits' centres is sharpest at the tilt of the rows
    height = np.median([piece.digit_height for piece in pieces])
    profiles = []
    for tilt in tilts:
        levels = (y - tilt * x) / (height * ROW_SPREAD / 4)
        counts = np.bincount(np.rint(levels - levels.min(initial=np.inf)).astype(int)).astype(float)
        profiles.append(counts @ ndimage.gaussian_filter1d(counts, 4, mode="constant"))
    return tilts[np.argmax(profiles)]


def rows_of(boxes, heights):
    """The row of each of the pieces with boxes (n, 4), from 0 at the top: (n,) integers."""
    top, bottom = boxes.T[:2, :, None]
    y, x, sizes = (top + bottom) / 2, boxes[:, 2:].mean(axis=1), bottom - top
    is_tall = sizes >= TALL * heights[:, None]
    # Link each tall piece to the nearest one on its right at about its level, and each small piece
    # to the nearest tall one that is about level with it: what is linked is a row.
    overlap = np.minimum(bottom, bottom.T) - np.maximum(top, top.T)
    step = np.min([abs(place - place.T) for place in (top, y, bottom)], axis=0)
    height = np.minimum(heights, heights[:, None])
    is_next = is_tall.T & (overlap > 0)
    is_next &= (step < ROW_STEP * height) & (x > x[:, None])
    is_beside = is_tall.T & (overlap > -ROW_GAP * height)
    may_link = np.where(is_tall, is_next, is_beside)
    distance = np.where(may_link, np.abs(x - x[:, None]) + step, np.inf)
    nearest = distance == distance.min(axis=1, keepdims=True)
    _, rows = connected_components(nearest & np.isfinite(distance), directed=False)
    middles = [y[rows == row].mean() for row in range(rows.max() + 1)]
    return np.argsort(np.argsort(middles))[rows]


def words_of(row):
    """The words in a row, a list of pieces: lists of pieces."""
    gaps = [right.box[2] - left.box[3] for left, right in itertools.pairwise(row)]
    ends = [n for n, gap in enumerate(gaps, start=1) if gap > WORD_GAP * row[n].digit_height]
    return [row[start:end] for start, end in itertools.pairwise([0, *ends, len(row)])]
