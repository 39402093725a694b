"""From ink to what may be digits: connected pieces, joined where a digit has several."""

import numpy as np
from scipy import ndimage
from scipy.sparse.csgraph import connected_components

from files import UserError
from picture import FAINTEST_INK, paper_of

MOST_DIGITS = 100
NEIGHBOURS = np.ones((3, 3))  # pixels that touch at a corner belong together
BOX_HOLE = 0.5  # least share of a box or comb that is empty; a 0 has less


def find_digits(ink):
    """Find what may be digits in the ink (height, width) of a picture, as `find_ink` returns it.

    Returns the ink of each (n arrays, 0 on paper, 1 within strokes), their boxes (n, 4) integers:
    top, bottom, left, right, and the boxes of smaller marks. Raises UserError if there are more
    than MOST_DIGITS.
    """
    ink = without_ruling(without_frames(ink))
    labels, _ = ndimage.label(ink > faintest_ink(ink), NEIGHBOURS)
    pieces, boxes = find_pieces(labels)
    digits, marks = join_pieces(boxes)
    if len(digits) > MOST_DIGITS:
        raise UserError(f"{len(digits)} blobs; at most {MOST_DIGITS} digits are read")
    outlines = [outline(boxes[members]) for members in digits]
    inks = [cut_out(ink, labels, pieces[members], box) for members, box in zip(digits, outlines)]
    left_out = [outline(boxes[members]) for members in marks]
    return inks, np.array(outlines).reshape(-1, 4), np.array(left_out, int).reshape(-1, 4)


def cut_out(ink, labels, members, box):
    """The ink of one digit and nothing else, in its box: 0 on paper, 1 within its strokes.

    members: the labels of its pieces.
    """
    # strokes have soft edges, which reach beyond the pixels that are surely theirs
    reach = max(1, round(max(box[1] - box[0], box[3] - box[2]) / 20))  # a pixel of MNIST's
    around = tuple(slice(max(0, a - reach), b + reach) for a, b in (box[:2], box[2:]))
    ink, labels = ink[around], labels[around]
    mask = np.isin(labels, members)
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
    slices = ndimage.find_objects(labels)
    heights = np.array([rows.stop - rows.start for rows, _ in slices])
    is_frame = np.zeros(ink.shape, bool)
    for piece in np.setdiff1d(np.flatnonzero(heights >= 20), at_border - 1):
        here = labels[slices[piece]]
        is_piece = here == piece + 1
        is_hole = ndimage.binary_fill_holes(is_piece) & ~is_piece
        inside = np.unique(here[is_hole & (here > 0)]) - 1
        sides = sides_of_box(is_piece) if is_hole.mean() > BOX_HOLE else None
        if sides is None and not (heights[inside] >= 0.35 * heights[piece]).any():
            continue
        if sides is not None:
            rest, _ = ndimage.label(is_piece & ~sides, NEIGHBOURS)
            for number, (y, _) in enumerate(ndimage.find_objects(rest), start=1):
                if y.stop - y.start >= 0.35 * heights[piece]:
                    is_piece &= rest != number
        is_frame[slices[piece]] |= is_piece
    return np.where(is_frame, 0, ink)


def without_ruling(ink):
    """The ink (height, width) without the lines and squares that are printed on paper.

    These are longer, thinner and straighter than any stroke of a digit.
    """
    side = max(ink.shape)
    length, reach, thickness = side // 6 + 1, side // 150, side // 200
    is_line = np.zeros(ink.shape, bool)
    for across, along in ((0, 1), (1, 0)):
        # Lines are a little askew or bent, so look for each in a corridor.
        run = ndimage.maximum_filter1d(ink, 2 * reach + 1, across)
        run = ndimage.minimum_filter1d(run, length, along, mode="nearest")
        run = ndimage.maximum_filter1d(run, length, along, mode="nearest")
        thick = ndimage.minimum_filter1d(run, thickness + 2 * reach + 2, across, mode="constant")
        thick = ndimage.maximum_filter1d(thick, thickness + 2 * reach + 2, across)
        found = (run > FAINTEST_INK / 2) & (thick < run / 2)
        edges = np.count_nonzero(np.diff(found, axis=across)) / ink.shape[along]
        if edges >= 6:  # three lines: a single one may be a 1
            is_line |= found & (ink < run + FAINTEST_INK)
    return np.where(is_line, np.minimum(ink, 0), ink)


def sides_of_box(piece):
    """The straight lines of a box or a comb, (height, width) bool; None if it is neither.

    They run through most of the height of the piece, and are found along each of its four sides.
    """
    height, width = piece.shape
    reach = height // 16
    found = []
    for across, along, length in ((0, 1, min(height, width)), (1, 0, height)):
        run = ndimage.maximum_filter1d(piece, 2 * reach + 1, across)
        run = ndimage.minimum_filter1d(run, int(0.8 * length), along, mode="constant")
        run = ndimage.maximum_filter1d(run, int(0.8 * length), along)
        near = np.take(run, np.arange(run.shape[across] // 5), across)
        far = np.take(run, -1 - np.arange(run.shape[across] // 5), across)
        if not (near.any() and far.any()):
            return None
        found.append(run)
    return found[0] | found[1]


def find_pieces(labels):
    """The connected pieces that may belong to digits: their labels (n,) and boxes (n, 4).

    labels: (height, width) integers, 0 on paper. Specks and the table around the paper are left
    out. Raises UserError if there are too many pieces.
    """
    slices = ndimage.find_objects(labels)
    boxes = np.array([(y.start, y.stop, x.start, x.stop) for y, x in slices]).reshape(-1, 4)
    heights, widths = boxes[:, 1] - boxes[:, 0], boxes[:, 3] - boxes[:, 2]
    sizes = np.maximum(heights, widths)
    # The table is a piece along the border, one that reaches in and dwarfs the rest, or a stripe.
    sides = labels[0], labels[-1], labels[:, 0], labels[:, -1]
    contact = np.array([np.bincount(side, minlength=len(boxes) + 1)[1:] for side in sides])
    at_border = contact.any(axis=0)
    inner = sizes[~at_border].max(initial=0) or sizes.max(initial=0)
    is_stripe = contact[:2].all(axis=0) & (heights > 4 * widths)
    is_stripe |= contact[2:].all(axis=0) & (widths > 4 * heights)
    keep = (contact.max(axis=0) < 0.8 * sizes) & (~at_border | (sizes <= 2.5 * inner)) & ~is_stripe
    keep &= sizes >= max(5, 0.1 * sizes[keep].max(initial=0))
    if keep.sum() > 10 * MOST_DIGITS:
        raise UserError(f"{keep.sum():,} blobs; at most {MOST_DIGITS} digits are read")
    return np.flatnonzero(keep) + 1, boxes[keep]


def join_pieces(boxes):
    """Which pieces, with boxes (n, 4), make up a digit: two lists of arrays of indices.

    A fragment belongs to what is close by. The first list holds what is as tall as a digit, the
    second what is smaller.
    """
    if not len(boxes):
        return [], []
    top, bottom, left, right = boxes.T[:, :, None]
    height = bottom - top
    gap_x = np.maximum(left, left.T) - np.minimum(right, right.T)
    gap_y = np.maximum(top, top.T) - np.minimum(bottom, bottom.T)
    is_fragment = np.minimum(height, height.T) <= 0.6 * height.max()
    groups = grouped(is_fragment & (np.maximum(gap_x, gap_y) <= 0.1 * height.max()))
    heights = np.array([np.ptp(boxes[group, :2]) for group in groups])
    is_tall = heights >= 0.25 * heights.max()
    return [g for g, t in zip(groups, is_tall) if t], [g for g, t in zip(groups, is_tall) if not t]


def grouped(related):
    """The groups that a relation (n, n) of bool connects: a list of arrays of indices."""
    number, group = connected_components(related, directed=False)
    return [np.flatnonzero(group == n) for n in range(number)]


def outline(boxes):
    """The smallest box around boxes (n, 4): top, bottom, left, right."""
    return [boxes[:, 0].min(), boxes[:, 1].max(), boxes[:, 2].min(), boxes[:, 3].max()]
