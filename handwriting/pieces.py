"""From ink to what may be digits: connected pieces, joined where a digit has several."""

import numpy as np
from scipy import ndimage
from scipy.sparse.csgraph import connected_components

from files import UserError
from handwriting.picture import FAINTEST_INK, paper_of

MOST_DIGITS = 100
SMALLEST_PIECE = 5  # pixels of the longer side; smaller ones are specks
NEIGHBOURS = np.ones((3, 3))  # pixels that touch at a corner belong together
BOX_HOLE = 0.5  # least share of a box or comb that is empty; a 0 has less


def find_pieces(ink):
    """Find what may be digits in the ink (height, width) of a picture, as `find_ink` returns it.

    Returns the ink of each (n arrays, 0 on paper, 1 within strokes), their boxes (n, 4) integers:
    top, bottom, left, right, and the boxes of smaller marks. Raises UserError if there are more
    than MOST_DIGITS.
    """
    ink = without_ruling(without_frames(ink))
    labels, _ = ndimage.label(ink > faintest_ink(ink), NEIGHBOURS)
    labels = joined(without_specks(labels))
    boxes = boxes_of(labels)
    heights = boxes[:, 1] - boxes[:, 0]
    is_tall = heights >= 0.25 * heights.max(initial=0)
    if is_tall.sum() > MOST_DIGITS:
        raise UserError(f"{is_tall.sum()} pieces; at most {MOST_DIGITS} digits are recognised")
    inks = [cut_out(ink, labels, n + 1, boxes[n]) for n in np.flatnonzero(is_tall)]
    return inks, boxes[is_tall], boxes[~is_tall]


def cut_out(ink, labels, label, box):
    """The ink of one digit and nothing else, in its box: 0 on paper, 1 within its strokes."""
    # strokes have soft edges, which reach beyond the pixels that are surely theirs
    reach = max(1, round(max(box[1] - box[0], box[3] - box[2]) / 20))  # a pixel of MNIST's
    around = tuple(slice(max(0, a - reach), b + reach) for a, b in (box[:2], box[2:]))
    ink, labels = ink[around], labels[around]
    mask = labels == label
    level = np.percentile(ink[mask], 90)
    soft = ndimage.maximum_filter(mask, 2 * reach + 1) & (labels == 0)
    return np.where(mask | soft, np.clip(ink / level, 0, 1), 0).astype(np.float32)


def faintest_ink(ink):
    """How much ink, at least, a pixel of a stroke holds: a float. The rest is paper and noise."""
    noise = 1.4826 * np.median(np.abs(paper_of(ink)))  # the standard deviation, if it is normal
    floor = max(FAINTEST_INK, 4 * noise)
    strokes = ink[ink > floor]
    return max(floor, 0.25 * np.percentile(strokes, 95)) if strokes.size else floor


def without_frames(ink):
    """The ink (height, width) without the boxes, combs and circles that digits stand in.

    These are pieces with a straight line along each side, and pieces whose hole holds another one
    at least 0.35 times as tall. What touches the lines of a box stays if it is that tall.
    """
    labels, _ = ndimage.label(ink > faintest_ink(ink), NEIGHBOURS)
    at_border = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])  # ruled paper
    is_frame = np.zeros(ink.shape, bool)
    for piece, place in enumerate(ndimage.find_objects(labels), start=1):
        is_piece = labels[place] == piece
        height = len(is_piece)
        if height < 20 or piece in at_border:
            continue
        is_hole = ndimage.binary_fill_holes(is_piece) & ~is_piece
        sides = sides_of_box(is_piece) if is_hole.mean() > BOX_HOLE else np.zeros_like(is_piece)
        if sides.any():
            is_frame[place] |= is_piece & ~tall_pieces(is_piece & ~sides, 0.35 * height)
        elif tall_pieces(is_hole & (labels[place] > 0), 0.35 * height).any():
            is_frame[place] |= is_piece
    return np.where(is_frame, 0, ink)


def tall_pieces(mask, height):
    """The connected pieces of a mask that are at least as tall as `height`: a mask."""
    labels, _ = ndimage.label(mask, NEIGHBOURS)
    slices = ndimage.find_objects(labels)
    tall = [n for n, (y, _) in enumerate(slices, start=1) if y.stop - y.start >= height]
    return np.isin(labels, tall)


def sides_of_box(piece):
    """The straight lines of a box or a comb, a mask like `piece`; empty if it is neither.

    They run through most of the height of the piece, and are found along each of its four sides.
    """
    height, width = piece.shape
    rows = straight_lines(piece, 1, int(0.8 * min(height, width)), height // 16)
    columns = straight_lines(piece, 0, int(0.8 * height), height // 16)
    y, x = height // 5, width // 5
    sides = rows[:y], rows[height - y :], columns[:, :x], columns[:, width - x :]
    is_box = all(side.any() for side in sides)
    return (rows | columns) & is_box


def without_ruling(ink):
    """The ink (height, width) without the lines and squares that are printed on paper.

    These are longer, thinner and straighter than any stroke of a digit.
    """
    side = max(ink.shape)
    reach = side // 150
    is_line = np.zeros(ink.shape, bool)
    for axis in (0, 1):
        lines = straight_lines(ink, axis, side // 6 + 1, reach)
        thick = opened(lines, 1 - axis, side // 200 + 2 * reach + 2)
        found = (lines > FAINTEST_INK / 2) & (thick < lines / 2)
        edges = np.count_nonzero(np.diff(found, axis=1 - axis)) / ink.shape[axis]
        if edges >= 6:  # three lines: a single one may be a 1
            is_line |= found & (ink < lines + FAINTEST_INK)
    return np.where(is_line, np.minimum(ink, 0), ink)


def straight_lines(ink, axis, length, reach):
    """The lines along an axis of ink (height, width), or of a mask, at least so long.

    They may be askew or bent by `reach` pixels to either side, by which they become wider.
    """
    wider = ndimage.maximum_filter1d(ink, 2 * reach + 1, 1 - axis)
    return opened(wider, axis, length)


def opened(ink, axis, length):
    """Ink, or a mask, without what is shorter than a length along an axis."""
    size = (length, 1) if axis == 0 else (1, length)
    return ndimage.grey_opening(ink, size, mode="constant")


def without_specks(labels):
    """Labelled pieces (height, width) integers, 0 on paper, without specks and the table.

    Raises UserError if too many are left.
    """
    top, bottom, left, right = boxes_of(labels).T
    heights, widths = bottom - top, right - left
    sizes = np.maximum(heights, widths)
    # The table is a piece that follows the border, or a stripe across the picture.
    sides = labels[0], labels[-1], labels[:, 0], labels[:, -1]
    contact = [np.bincount(side, minlength=len(sizes) + 1)[1:] for side in sides]
    is_stripe = (heights == labels.shape[0]) & (heights > 4 * widths)
    is_stripe |= (widths == labels.shape[1]) & (widths > 4 * heights)
    keep = (np.max(contact, axis=0) < 0.8 * sizes) & ~is_stripe
    keep &= sizes >= max(SMALLEST_PIECE, 0.1 * sizes[keep].max(initial=0))
    if keep.sum() > 10 * MOST_DIGITS:
        raise UserError(f"{keep.sum():,} pieces; at most {MOST_DIGITS} digits are recognised")
    return np.append(0, np.where(keep, keep.cumsum(), 0))[labels]


def joined(labels):
    """Labelled pieces (height, width) integers, with one label for all the pieces of a digit.

    A short piece is joined to any piece within a tenth of the tallest one's height.
    """
    top, bottom, left, right = boxes_of(labels).T[:, :, None]
    height = bottom - top
    tallest = height.max(initial=0)
    gap_x = np.maximum(left, left.T) - np.minimum(right, right.T)
    gap_y = np.maximum(top, top.T) - np.minimum(bottom, bottom.T)
    is_fragment = np.minimum(height, height.T) <= 0.6 * tallest
    is_close = np.maximum(gap_x, gap_y) <= 0.1 * tallest
    _, digit = connected_components(is_fragment & is_close, directed=False)
    return np.append(0, digit + 1)[labels]


def boxes_of(labels):
    """The boxes (n, 4) integers of labelled pieces: top, bottom, left, right."""
    slices = ndimage.find_objects(labels)
    return np.array([(y.start, y.stop, x.start, x.stop) for y, x in slices], int).reshape(-1, 4)
