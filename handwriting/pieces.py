"""From ink to connected pieces of it, what the network makes of them, and how tall digits are."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy import ndimage

from handwriting.lines import sheared, without_frames, without_lines, without_ruling
from handwriting.normalise import box_of, boxes_of, normalise
from handwriting.picture import resize
from handwriting.sheet import NEIGHBOURS, faintest_ink, strokes_in

MOST_PIECES = 1000  # the largest ones
SURE = 0.7  # probability of a digit, at least, for it to decide about other pieces and sheets
SMALLEST_PIECE = 5  # pixels of the longer side; smaller ones are specks
STRIP = 4  # length of a strip at the border, such as a shadow or a desk, at least, in widths
PLAIN = 0.85  # share of its rows that a plain stroke crosses once, at least
EVEN = 2  # its widest part, at most, divided by the median width
CROSS = 20  # pixels of a side of the image in which crosses are looked for
SPREAD = 1.5  # the tallest of digits of one size divided by the middle one, about
WEIGHT_OF_1 = 0.5  # of a sure 1 among sure digits, since strips and strokes look like it
# in heights of a digit:
REACH = 4  # distance from which on a digit counts less than half
LINE_LENGTH = 2  # of a line that digits are written on, at least
LINE_THICKNESS = 0.15  # of such a line, at most
LINE_REACH = 0.04  # how far the line may be askew or bent, to either side, over its length


@dataclass(eq=False)
class Piece:
    """A connected piece of ink, several of them or a part of one; what the network makes of it."""

    box: np.ndarray  # (4,) integers: top, bottom, left, right in the picture
    ink: np.ndarray  # (height, width) float32, 0 on paper and 1 within strokes
    corner: np.ndarray = None  # (2,), top and left of the ink, unless it is turned or cut off
    darkness: float = 1  # of its strokes on the page: how much ink they hold
    image: np.ndarray = None  # (28, 28) uint8, as MNIST's
    probabilities: np.ndarray = None  # (10,), less than 1 in sum if it was cut off another piece
    digit_height: float = 0  # of the digits around it, in pixels
    is_digit: bool = False  # whether it is read as one
    may_be_mark: bool = False  # whether this digit, a 1, may be a slash, bracket or apostrophe
    cell: tuple = None  # row and column in a grid, counted from 1
    tilt: float = 0  # slope, downwards to the right, of the page's rows

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

    @property
    def is_sure(self):
        return self.probability >= SURE

    @cached_property
    def stroke(self):
        """How a plain stroke from top to bottom leans and bends: two numbers; None for others.

        The first is the tangent of its angle, positive if it leans to the right as a slash, the
        second how far its middle is off the line between its ends, as a share of its height.
        """
        strokes = self.ink > 0.5
        strokes = strokes[strokes.any(axis=1)]
        widths = strokes.sum(axis=1)
        starts = (np.diff(strokes.astype(int), axis=1, prepend=0) > 0).sum(axis=1)
        is_plain = (starts == 1).mean() >= PLAIN
        is_even = np.percentile(widths, 90) <= EVEN * np.median(widths)
        if len(strokes) < max(self.width, 4) or not (is_plain and is_even):
            return None
        x, y = strokes @ np.arange(strokes.shape[1]) / widths, np.linspace(-0.5, 0.5, len(strokes))
        bend, slope, _ = np.polyfit(y, x / len(strokes), 2)
        return -slope, bend / 4

    @cached_property
    def cross(self):
        """The mark, "+" or "x", if it is two strokes that cross about halfway; else ""."""
        for mark, turn in (("+", 0), ("x", 45)):
            ink = ndimage.rotate(self.image.astype(np.float32), turn, order=1)
            top, bottom, left, right = box_of(ink / ink.max())
            ink = resize(ink[top:bottom, left:right], (CROSS, CROSS)) > ink.max() / 2
            row, column = ink.sum(axis=1).argmax(), ink.sum(axis=0).argmax()
            y, x = np.abs(np.mgrid[-row : CROSS - row, -column : CROSS - column])
            is_centred = min(row, column) > CROSS / 4 and max(row, column) < 3 * CROSS / 4
            if is_centred and ink[np.minimum(y, x) > CROSS / 6].sum() < 0.1 * ink.sum():
                return mark
        return ""

    def reaches(self, share):
        """Whether it is at least as tall as this share of the digits around it."""
        return self.height >= share * self.digit_height

    def turned(self, turns):
        """The piece, turned counterclockwise by quarters of a turn about the middle of its box."""
        ink = np.rot90(self.ink, turns)
        box = box_of(ink)
        shift = (self.box - box).reshape(2, 2).mean(axis=1).astype(int)
        return Piece(box + np.repeat(shift, 2), ink, image=np.rot90(self.image, turns))


def find_pieces(ink, corner):
    """The Pieces of ink (height, width) at a corner (2,) of the picture that may be digits."""
    faintest = faintest_ink(ink)
    ink = without_ruling(ink, faintest)
    ink = without_ruling(ink.T, faintest).T  # of squared paper and tables
    ink = without_frames(ink)
    pieces = cut_out(ink, strokes_in(ink), corner)
    boxes = np.array([piece.box for piece in pieces]).reshape(-1, 4) - np.repeat(corner, 2)
    edge = max(ink.shape) // 150  # where ruling that leaves the picture may leave remnants
    touches = (boxes <= edge) | (boxes >= np.repeat(ink.shape, 2) - edge)
    height, width = (boxes[:, 1::2] - boxes[:, ::2]).T
    is_strip = np.maximum(height, width) >= STRIP * np.minimum(height, width)
    # an upright strip that touches the top alone, or the bottom alone, may be a 1
    may_be_1 = (height > width) & (touches.sum(axis=1) == 1) & touches[:, :2].any(axis=1)
    is_edge = touches.any(axis=1) & is_strip & ~may_be_1
    return [pieces[n] for n in np.flatnonzero(~is_edge)]


def off_the_line(piece):
    """What remains of a piece without the line it is written on: Pieces."""
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
        darkness = np.percentile(ink[around][mask], 90)
        soft = ndimage.maximum_filter(mask, 2 * reach + 1) & (labels[around] == 0)
        own = np.where(mask | soft, np.clip(ink[around] / darkness, 0, 1), 0).astype(np.float32)
        box = boxes[n] + np.repeat(corner, 2)
        pieces.append(Piece(box, own, np.add(corner, (top, left)), darkness))
    return pieces


def together(pieces):
    """Several Pieces as one."""
    starts = np.array([piece.corner for piece in pieces])
    ends = starts + [piece.ink.shape for piece in pieces]
    corner, end = starts.min(axis=0), ends.max(axis=0)
    margins = np.stack([starts - corner, end - ends], axis=2)
    ink = np.max([np.pad(piece.ink, margin) for piece, margin in zip(pieces, margins)], axis=0)
    top, bottom, left, right = np.array([piece.box for piece in pieces]).T
    box = np.array([top.min(), bottom.max(), left.min(), right.max()])
    height = max(piece.digit_height for piece in pieces)
    return Piece(box, ink, corner, digit_height=height, cell=pieces[0].cell, tilt=pieces[0].tilt)


def recognise_pieces(pieces, recognise):
    """Fill in the images that pieces, a list, lack, and what the network makes of them."""
    for piece in pieces:
        if piece.image is None:
            piece.image = normalise(sheared(piece.ink, piece.tilt)[0] if piece.tilt else piece.ink)
    if pieces:
        answers = recognise(np.array([piece.image for piece in pieces]))
        for piece, probabilities in zip(pieces, answers):
            piece.probabilities = probabilities


def measure_digits(pieces):
    """Fill in the height of the digits around each of the pieces, a list.

    It is the height that most sure digits share, where near ones count more than far ones. If none
    but 1s is sure, it is that of the tallest piece. Specks, fragments and cuts are measured by it.
    """
    heights = np.array([piece.height for piece in pieces], float)
    weights = np.array([p.is_sure * (WEIGHT_OF_1 if p.digit == 1 else 1) for p in pieces])
    if weights.max(initial=0) < 1:  # dots, strips and strokes pass for 1s
        around = np.full(len(pieces), heights.max(initial=0))
    else:
        boxes = np.array([piece.box for piece in pieces])
        sure = np.flatnonzero(weights)
        y, x = boxes[:, :2].mean(axis=1), boxes[:, 2:].mean(axis=1)
        distances = np.hypot(y[:, None] - y[sure], x[:, None] - x[sure]) / heights[sure]
        weights = weights[sure] / (1 + (distances / REACH) ** 2)
        heights = heights[sure]
        is_near = np.abs(np.log(heights[:, None] / heights)) < np.log(SPREAD)
        weights = weights * is_near[np.argmax(weights @ is_near, axis=1)]
        around = weights @ heights / weights.sum(axis=1)
    for piece, height in zip(pieces, around):
        piece.digit_height = height
