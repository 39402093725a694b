"""From ink to what may be digits, or parts of them: connected pieces."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from handwriting.sheet import FAINTEST_INK, paper_of

MOST_PIECES = 1000  # the largest ones
SMALLEST_PIECE = 5  # pixels of the longer side; smaller ones are specks
NEIGHBOURS = np.ones((3, 3))  # pixels that touch at a corner belong together
# in heights of a digit:
LINE_LENGTH = 2  # of a line that digits are written on, at least
LINE_THICKNESS = 0.15  # of the same, at most
LINE_REACH = 0.04  # how far the line may be askew or bent, to either side, over its length
BOX_HOLE = 0.5  # least share of a box or comb that is empty; a 0 has less


@dataclass(eq=False)
class Piece:
    """A connected piece of ink, several of them or a part of one; what the network makes of it.

    box: (4,) integers: top, bottom, left, right in the picture. ink: (height, width) float32, 0 on
    paper and 1 within strokes, its first pixel at corner (2,) in the picture. image: (28, 28) uint8
    as MNIST's. probabilities: (10,).
    """

    box: np.ndarray
    ink: np.ndarray
    corner: np.ndarray
    image: np.ndarray = None
    probabilities: np.ndarray = None

    def move(self, corner):
        """Count from the corner (2,) of something larger: top, left."""
        self.corner = self.corner + corner
        self.box = self.box + np.repeat(corner, 2)

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


def find_pieces(ink):
    """Find what may be digits, or parts of them, in ink (height, width) as `find_ink` returns it.

    Returns a list of at most MOST_PIECES, the largest first.
    """
    ink = without_ruling(without_frames(ink))
    labels, _ = ndimage.label(ink > faintest_ink(ink), NEIGHBOURS)
    labels = without_table(labels)
    boxes = boxes_of(labels)
    sizes = np.maximum(boxes[:, 1] - boxes[:, 0], boxes[:, 3] - boxes[:, 2])
    large = np.argsort(-sizes, kind="stable")[:MOST_PIECES]
    large = large[sizes[large] >= SMALLEST_PIECE]
    return [cut_out(ink, labels, n + 1, boxes[n]) for n in large]


def cut_out(ink, labels, label, box):
    """The piece with a label, of the ink and labels of a picture (height, width)."""
    # strokes have soft edges, which reach beyond the pixels that are surely theirs
    reach = max(1, round(max(box[1] - box[0], box[3] - box[2]) / 20))  # a pixel of MNIST's
    top, left = max(0, box[0] - reach), max(0, box[2] - reach)
    around = slice(top, box[1] + reach), slice(left, box[3] + reach)
    ink, labels = ink[around], labels[around]
    mask = labels == label
    level = np.percentile(ink[mask], 90)
    soft = ndimage.maximum_filter(mask, 2 * reach + 1) & (labels == 0)
    ink = np.where(mask | soft, np.clip(ink / level, 0, 1), 0).astype(np.float32)
    return Piece(box, ink, np.array([top, left]))


def off_the_line(piece, height):
    """The pieces of ink, a list, that are left of a piece without the line they are written on.

    height: of a digit, in pixels. The line is longer than any stroke of a digit.
    """
    reach = max(1, round(LINE_REACH * height))
    lines = straight_lines(piece.ink, 1, round(LINE_LENGTH * height), reach)
    thickest = round(LINE_THICKNESS * height) + 2 * reach
    is_line = (lines > 0.5) & (opened(lines, 0, thickest) < 0.5)
    rest = np.where(is_line, 0, piece.ink)
    across = np.minimum(piece.ink, ndimage.grey_closing(rest, (thickest + 1, 1)))  # strokes
    rest = np.where(is_line, across, piece.ink)
    labels, _ = ndimage.label(rest > 0.5, NEIGHBOURS)
    parts = [cut_out(rest, labels, n, box) for n, box in enumerate(boxes_of(labels), start=1)]
    parts = [part for part in parts if max(part.height, part.width) >= SMALLEST_PIECE]
    for part in parts:
        part.move(piece.corner)
    return parts


def together(pieces):
    """Several pieces as one."""
    corner = np.min([piece.corner for piece in pieces], axis=0)
    end = np.max([piece.corner + piece.ink.shape for piece in pieces], axis=0)
    ink = np.zeros(end - corner, np.float32)
    for piece in pieces:
        (top, left), (height, width) = piece.corner - corner, piece.ink.shape
        target = ink[top : top + height, left : left + width]
        np.maximum(target, piece.ink, out=target)
    boxes = np.array([piece.box for piece in pieces])
    top, left, bottom, right = *boxes.min(axis=0)[[0, 2]], *boxes.max(axis=0)[[1, 3]]
    return Piece(np.array([top, bottom, left, right]), ink, corner)


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


def without_table(labels):
    """Labelled pieces (height, width) integers, 0 on paper, without the table.

    This is a piece that follows the border, or a stripe across the picture.
    """
    top, bottom, left, right = boxes_of(labels).T
    heights, widths = bottom - top, right - left
    sizes = np.maximum(heights, widths)
    sides = labels[0], labels[-1], labels[:, 0], labels[:, -1]
    contact = [np.bincount(side, minlength=len(sizes) + 1)[1:] for side in sides]
    is_stripe = (heights == labels.shape[0]) & (heights > 4 * widths)
    is_stripe |= (widths == labels.shape[1]) & (widths > 4 * heights)
    keep = (np.max(contact, axis=0) < 0.8 * sizes) & ~is_stripe
    return np.append(0, np.where(keep, keep.cumsum(), 0)).astype(np.int32)[labels]


def boxes_of(labels):
    """The boxes (n, 4) integers of labelled pieces: top, bottom, left, right."""
    slices = ndimage.find_objects(labels)
    return np.array([(y.start, y.stop, x.start, x.stop) for y, x in slices], int).reshape(-1, 4)
