"""From ink to what may be digits, or parts of them: connected pieces."""

from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from handwriting.normalise import box_of
from handwriting.sheet import FAINTEST_INK, paper_of

MOST_PIECES = 1000  # the largest ones
SMALLEST_PIECE = 5  # pixels of the longer side; smaller ones are specks
NEIGHBOURS = np.ones((3, 3))  # pixels that touch at a corner belong together
FAINTEST_SHARE = 0.25  # of the darkest ink, what a pixel of a stroke holds, at least
THIN_SHARE = 0.2  # the same of a faint stroke by itself
CLEAR = 1.5  # darkest ink of a stroke by the faintest, at least
STRIP = 4  # length of a strip at the border, such as a shadow or a table, at least, in widths
BOX_HOLE = 0.5  # least share of a box or comb that is empty; a 0 has less
BOX_CONTENT = 0.35  # height of what a box holds, at least, as a share of the box's
STEEPEST = 20  # degrees that ruling may be tilted by, to either side
TILT_STRIPS = 4  # of a page that is in perspective; in each, lines are about parallel
LINE_SHARE = 0.7  # of a narrow picture's width, the length of a line, at least
SOFT_EDGE = 0.75  # pixels on each side of a line that are fainter than it
LINE_PARTS = 5  # of a line that noise or strokes break: the shortest and the gaps between them
# in heights of a digit:
LINE_LENGTH = 2  # of a line that digits are written on, at least
LINE_THICKNESS = 0.15  # of the same, at most
LINE_REACH = 0.04  # how far the line may be askew or bent, to either side, over its length


@dataclass(eq=False)
class Piece:
    """A connected piece of ink, several of them or a part of one; what the network makes of it.

    box: (4,) integers: top, bottom, left, right in the picture. ink: (height, width) float32, 0 on
    paper and 1 within strokes. corner: (2,), its top and left in the picture, None for a piece
    turned or cut off. level: how
    dark its strokes are on the page. image: (28, 28) uint8. probabilities: (10,), less than 1 in
    sum if the piece was cut off another one. is_sure: whether one of them is not below
    `doubtful_below` in config.py. digit_height: of the digits around it, in pixels.
    is_digit: whether it is read as one. may_be_mark: whether this digit, a 1, may as well be a
    slash or bracket. cell: of the grid that it is in, row and column, counted from 1, or None.
    """

    box: np.ndarray
    ink: np.ndarray
    corner: np.ndarray
    level: float = 1
    image: np.ndarray = None
    probabilities: np.ndarray = None
    is_sure: bool = False
    digit_height: float = 0
    is_digit: bool = False
    may_be_mark: bool = False
    cell: tuple = None

    @property
    def height(self):
        return self.box[1] - self.box[0]

    @property
    def width(self):
        return self.box[3] - self.box[2]

    @property
    def digit(self):
        return self.probabilities.argmax()

    @property
    def probability(self):
        return self.probabilities.max()

    def turned(self, turns):
        """The ink, turned counterclockwise by quarters of a turn, in a box of its own."""
        ink = np.rot90(self.ink, turns)
        return Piece(box_of(ink), ink, corner=None)


def find_pieces(ink, corner):
    """The Pieces of ink (height, width) at a corner (2,) of the picture that may be digits."""
    faintest = faintest_ink(ink)
    for turn in (np.asarray, np.transpose):  # ruled and squared paper, and the lines of tables
        ink = turn(without_ruling(turn(ink), faintest))
    ink = without_frames(ink)
    pieces = cut_out(ink, strokes_in(ink), corner)
    boxes = np.array([piece.box for piece in pieces]).reshape(-1, 4) - np.repeat(corner, 2)
    edge = max(ink.shape) // 150  # where remnants of ruling may be that leaves the picture
    touches = (boxes <= edge) | (boxes >= np.repeat(ink.shape, 2) - edge)
    height, width = (boxes[:, 1::2] - boxes[:, ::2]).T
    is_strip = np.maximum(height, width) >= STRIP * np.minimum(height, width)
    # an upright strip that touches the top alone, or the bottom alone, may be a 1
    may_be_1 = (height > width) & (touches.sum(axis=1) == 1) & touches[:, :2].any(axis=1)
    is_edge = touches.any(axis=1) & is_strip & ~may_be_1
    return [pieces[n] for n in np.flatnonzero(~is_edge)]


def without_ruling(ink, faintest):
    """The ink (height, width) without ruling from the left to the right, which may be tilted.

    faintest: see `faintest_ink`. Sizes are shares of the page.
    """
    side, width = max(ink.shape), ink.shape[1]
    level, place = sheared(ink, tilt_of_ruling(ink > faintest, side // 200 + 2))
    length = min(side // 6 + 1, round(LINE_SHARE * width))
    return without_lines(level, length, side // 150, side // 200 + 2, least=3)[place]


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
    y, x = np.nonzero(is_thin[:, ::5])
    strip, y = 5 * x * TILT_STRIPS // width, y + width  # so that no level is negative
    tilts = np.tan(np.radians(sorted(np.arange(-STEEPEST, STEEPEST + 0.1, 0.5), key=abs)))
    sharpness = []
    for tilt in tilts:  # of the projection profile
        level = (y - 5 * tilt * x + strip * (height + 2 * width)) / thickness
        sharpness.append((np.bincount(level.astype(int)) ** 2.0).sum())
    return tilts[np.argmax(sharpness)]


def off_the_line(piece):
    """The Pieces left of one without the line they are written on."""
    sizes = piece.digit_height * np.array([LINE_LENGTH, LINE_REACH, LINE_THICKNESS])
    length, reach, thickness = np.maximum(1, np.rint(sizes).astype(int))
    ink = without_lines(piece.ink, length, reach, thickness)
    return [replace(part, cell=piece.cell) for part in cut_out(ink, ink > 0.5, piece.corner)]


def cut_out(ink, is_stroke, corner):
    """The largest Pieces of ink (height, width) at a corner (2,) of the picture: a list."""
    labels, _ = ndimage.label(is_stroke, NEIGHBOURS)
    boxes = boxes_of(labels)
    sizes = np.maximum(boxes[:, 1] - boxes[:, 0], boxes[:, 3] - boxes[:, 2])
    pieces = []
    for n in np.argsort(-sizes)[: min(MOST_PIECES, np.sum(sizes >= SMALLEST_PIECE))]:
        # strokes have soft edges, which reach beyond the pixels that are surely theirs
        reach = max(1, round(sizes[n] / 20))  # a pixel of MNIST's
        top, left = np.maximum(0, boxes[n, [0, 2]] - reach)
        around = slice(top, boxes[n, 1] + reach), slice(left, boxes[n, 3] + reach)
        mask = labels[around] == n + 1
        level = np.percentile(ink[around][mask], 90)
        soft = ndimage.maximum_filter(mask, 2 * reach + 1) & (labels[around] == 0)
        own = np.where(mask | soft, np.clip(ink[around] / level, 0, 1), 0).astype(np.float32)
        box = boxes[n] + np.repeat(corner, 2)
        pieces.append(Piece(box, own, np.add(corner, (top, left)), level))
    return pieces


def together(pieces):
    """Several Pieces as one."""
    corner = np.min([piece.corner for piece in pieces], axis=0)
    end = np.max([piece.corner + piece.ink.shape for piece in pieces], axis=0)
    ink = np.zeros(end - corner, np.float32)
    for piece in pieces:
        (top, left), (height, width) = piece.corner - corner, piece.ink.shape
        target = ink[top : top + height, left : left + width]
        np.maximum(target, piece.ink, out=target)
    top, bottom, left, right = np.array([piece.box for piece in pieces]).T
    box = np.array([top.min(), bottom.max(), left.min(), right.max()])
    height = max(piece.digit_height for piece in pieces)
    return Piece(box, ink, corner, digit_height=height, cell=pieces[0].cell)


def faintest_ink(ink, share=FAINTEST_SHARE):
    """How much ink, at least, a pixel of a stroke holds: a float. The rest is paper and noise."""
    noise = 1.4826 * np.median(np.abs(paper_of(ink)))  # the standard deviation, if it is normal
    floor = max(FAINTEST_INK, 4 * noise)
    strokes = ink[ink > floor]
    return max(floor, share * np.percentile(strokes, 95)) if strokes.size else floor


def strokes_in(ink):
    """Where strokes are in ink (height, width), a mask: those of a thin pen are fainter."""
    low = faintest_ink(ink, THIN_SHARE)
    labels, number = ndimage.label(ink > low, NEIGHBOURS)
    darkest = np.append(0, ndimage.maximum(ink, labels, np.arange(1, number + 1)))
    faintest = np.maximum(low, FAINTEST_SHARE * darkest)
    faintest[darkest < CLEAR * faintest_ink(ink)] = np.inf
    return ink > faintest[labels]


def without_frames(ink):
    """The ink (height, width) without the boxes, combs and circles that digits stand in.

    These are pieces with a straight line along each side, of which what touches the lines stays if
    it is tall, and pieces whose hole holds another one.
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
    is_edge = ndimage.binary_dilation(is_frame, NEIGHBOURS, 2) & (labels == 0)
    return np.where(is_frame | is_edge, 0, ink)


def tall_pieces(mask, height):
    """The connected pieces of a mask that are at least as tall as `height`: a mask."""
    labels, _ = ndimage.label(mask, NEIGHBOURS)
    top, bottom, *_ = boxes_of(labels).T
    return np.append(False, bottom - top >= height)[labels]


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


def without_lines(ink, length, reach, thickness, least=0):
    """The ink (height, width) without the level lines that are so long and thin, in pixels.

    least: their number, at least, if they were as wide as the ink; fewer may be strokes. reach: see
    `straight_lines`.
    """
    lines = straight_lines(ink, length, reach)
    thick = opened(lines, 0, thickness + 2 * reach)
    is_line = (lines > FAINTEST_INK / 2) & (thick < lines / 2)
    is_long = opened(is_line, 1, 2 * length) if least else is_line
    if np.count_nonzero(np.diff(is_long, axis=0)) < 2 * least * ink.shape[1]:
        return ink
    is_thin = is_line & (opened(ink, 0, thickness + 1) < ink / 2) & (ink > FAINTEST_INK / 2)
    is_line &= cores_of(is_line, np.where(is_thin, ink, 0), length)
    is_line &= ink < 1.5 * lines + FAINTEST_INK  # strokes are darker
    rest = np.where(is_line, np.minimum(ink, 0), ink)
    across = closed(rest, 0, thickness + 3)
    return np.where(is_line, np.minimum(ink, across), ink)


def cores_of(bands, ink, length):
    """Where exactly the lines in bands, a mask (height, width), are: a mask.

    ink: what is thin. A line is where most of it is, in the middle of each stretch of a length.
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
    """The level lines of ink or a mask, at least so long, bent by up to `reach` pixels."""
    ink = ndimage.maximum_filter1d(ink, 2 * reach + 1, 0)
    parts = opened(ink, 1, max(1, length // LINE_PARTS))
    return opened(closed(parts, 1, max(1, length // LINE_PARTS)), 1, length)


def opened(ink, axis, length):
    """Ink, or a mask, without what is shorter than a length along an axis."""
    return ndimage.grey_opening(ink, (length, 1) if axis == 0 else (1, length), mode="constant")


def closed(ink, axis, length):
    """Ink, or a mask, with the gaps along an axis closed that are shorter than a length."""
    return ndimage.grey_closing(ink, (length, 1) if axis == 0 else (1, length))


def boxes_of(labels):
    """The boxes (n, 4) integers of labelled pieces: top, bottom, left, right."""
    slices = ndimage.find_objects(labels)
    return np.array([(y.start, y.stop, x.start, x.stop) for y, x in slices], int).reshape(-1, 4)
