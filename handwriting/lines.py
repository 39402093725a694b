"""Ink without the lines that digits are written on or in: ruling, boxes, combs and circles."""

import numpy as np
from scipy import ndimage

from handwriting.normalise import boxes_of
from handwriting.sheet import FAINTEST_INK, NEIGHBOURS, faintest_ink

BOX_HOLE = 0.5  # least share of a box or comb that is empty; most 0s have less
BOX_CONTENT = 0.35  # height of what a box holds, at least, as a share of the box's
STEEPEST = 20  # degrees that ruling may be tilted by, to either side
TILT_STRIPS = 4  # of a page that is in perspective; in each, lines are about parallel
TILT_SAMPLE = 5  # every so many columns, ink is looked at to find the tilt
SOFT_EDGE = 0.75  # pixels on each side of a line that are fainter than it
LINE_PARTS = 5  # a broken line's parts are at least 1 / LINE_PARTS of it long, its gaps shorter


def without_ruling(ink, faintest):
    """The ink (height, width) without ruling from the left to the right, which may be tilted."""
    side = max(ink.shape)
    length, reach, thickness = side // 6 + 1, side // 150, side // 200 + 2
    level, place = sheared(ink, tilt_of_ruling(ink > faintest, thickness))
    return without_lines(level, length, reach, thickness, least=3)[place]


def sheared(ink, slope):
    """Ink, or a mask, so that lines of a slope are level, and the place of each pixel in this."""
    height, width = ink.shape
    shift = np.rint(slope * (np.arange(width) - (width if slope > 0 else 0))).astype(int)
    place = np.arange(height)[:, None] - shift, np.arange(width)
    level = np.zeros((height + np.ptp(shift), width), ink.dtype)
    level[place] = ink
    return level, place


def tilt_of_ruling(is_ink, thickness):
    """The slope, downwards to the right, of lines of a thickness in a mask (height, width)."""
    height, width = is_ink.shape
    is_thin = is_ink & ~opened(is_ink, 0, 2 * thickness)
    y, x = np.nonzero(is_thin[:, ::TILT_SAMPLE])
    x = TILT_SAMPLE * x
    start = width + (x * TILT_STRIPS // width) * (height + 2 * width)  # keeps the strips apart
    # among equals, the least tilt wins
    tilts = np.tan(np.radians(sorted(np.arange(-STEEPEST, STEEPEST + 0.1, 0.5), key=abs)))
    sharpness = []
    for tilt in tilts:
        profile = np.bincount(((start + y - tilt * x) / thickness).astype(int))
        sharpness.append((profile**2.0).sum())
    return tilts[np.argmax(sharpness)]


def without_lines(ink, length, reach, thickness, least=0):
    """The ink (height, width) without level lines of this length, at least, and thickness, at most.

    All in pixels. least: how many lines as wide as the ink there must be; fewer may be strokes.
    reach: see `straight_lines`.
    """
    lines = straight_lines(ink, length, reach)
    thick = opened(lines, 0, thickness + 2 * reach)
    is_line = (lines > FAINTEST_INK / 2) & (thick < lines / 2)
    is_long = opened(is_line, 1, 2 * length) if least else is_line
    if np.count_nonzero(np.diff(is_long, axis=0)) < 2 * least * ink.shape[1]:
        return ink
    is_thin = (opened(ink, 0, thickness + 1) < ink / 2) & (ink > FAINTEST_INK / 2)
    is_line &= cores_of(is_line, np.where(is_thin, ink, 0), length)
    is_line &= ink < 1.5 * lines + FAINTEST_INK  # strokes are darker
    rest = np.where(is_line, np.minimum(ink, 0), ink)
    return np.minimum(ink, closed(rest, 0, thickness + 3))  # strokes go on across the line


def cores_of(bands, ink, length):
    """Where exactly the lines are in `bands`, a mask (height, width) of where they may be: a mask.

    ink: what is thin. A line's middle is where most of it is, smoothed by a median over `length`.
    """
    cores = np.zeros_like(bands)
    labels, _ = ndimage.label(bands)
    for number, place in enumerate(ndimage.find_objects(labels), start=1):
        own = np.where(labels[place] == number, ink[place], 0)
        total = own.sum(axis=0)
        seen = np.flatnonzero(total)
        if not seen.size:
            continue
        y = np.arange(len(own))
        middle = np.interp(np.arange(own.shape[1]), seen, y @ own[:, seen] / total[seen])
        middle = ndimage.median_filter(middle, length, mode="nearest")
        half = np.median((own > FAINTEST_INK).sum(axis=0)[seen]) / 2 + SOFT_EDGE
        cores[place] |= (labels[place] == number) & (abs(y[:, None] - middle) <= half)
    return cores


def straight_lines(ink, length, reach):
    """The level lines of ink or a mask, of a length at least, bent by up to `reach` pixels."""
    ink = ndimage.maximum_filter1d(ink, 2 * reach + 1, 0)
    parts = opened(ink, 1, max(1, length // LINE_PARTS))
    return opened(closed(parts, 1, max(1, length // LINE_PARTS)), 1, length)


def opened(ink, axis, length):
    """Ink, or a mask, without what is shorter than a length along an axis."""
    return ndimage.grey_opening(ink, (length, 1) if axis == 0 else (1, length), mode="constant")


def closed(ink, axis, length):
    """Ink, or a mask, with the gaps along an axis closed that are shorter than a length."""
    return ndimage.grey_closing(ink, (length, 1) if axis == 0 else (1, length))


def without_frames(ink):
    """The ink (height, width) without the boxes, combs and circles that digits stand in.

    A box or comb is a piece with a straight line along each side; what touches these lines stays if
    it is tall. A circle is any other piece with a tall piece in its hole.
    """
    labels, _ = ndimage.label(ink > faintest_ink(ink), NEIGHBOURS)
    is_frame = np.zeros(ink.shape, bool)
    for label, place in enumerate(ndimage.find_objects(labels), start=1):
        is_piece = labels[place] == label
        height = len(is_piece)
        if height < 20:
            continue
        is_hole = ndimage.binary_fill_holes(is_piece) & ~is_piece
        sides = sides_of_box(is_piece) if is_hole.mean() > BOX_HOLE else np.zeros_like(is_piece)
        if sides.any():
            is_frame[place] |= is_piece & ~tall_pieces(is_piece & ~sides, BOX_CONTENT * height)
        elif tall_pieces(is_hole & (labels[place] > 0), BOX_CONTENT * height).any():
            is_frame[place] |= is_piece
    return np.where(is_frame, 0, ink)


def sides_of_box(piece):
    """The straight lines of a box or a comb, perhaps tilted, a mask like `piece`; else empty."""
    level, place = sheared(piece, tilt_of_ruling(piece, len(piece) // 16 + 1))
    sides, is_used = np.zeros_like(level), level.any(axis=1)
    piece = level[is_used]
    height, width = piece.shape
    rows = straight_lines(piece, int(0.8 * min(height, width)), height // 16)
    columns = straight_lines(piece.T, int(0.8 * height), height // 16).T
    y, x = height // 5, width // 5
    ends = rows[:y], rows[height - y :], columns[:, :x], columns[:, width - x :]
    y, x = height // 8 + 1, width // 8 + 1  # a thin 0 has sides like a box, but no corners
    corners = piece[:y, :x], piece[:y, -x:], piece[-y:, :x], piece[-y:, -x:]
    is_box = all(end.any() for end in ends) and sum(corner.any() for corner in corners) >= 3
    sides[is_used] = (rows | columns) & is_box
    return sides[place]


def tall_pieces(mask, height):
    """The connected pieces of a mask that are at least as tall as `height`: a mask."""
    labels, _ = ndimage.label(mask, NEIGHBOURS)
    top, bottom, *_ = boxes_of(labels).T
    return np.append(False, bottom - top >= height)[labels]
