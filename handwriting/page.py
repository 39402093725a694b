"""From digits to the answer: rows, reading order, punctuation."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse.csgraph import connected_components

from files import UserError
from handwriting.normalise import normalise
from handwriting.picture import load_picture
from handwriting.pieces import find_pieces
from handwriting.segmentation import read_row
from handwriting.sheet import find_ink, find_sheets
from model import CLASSES, SIDE

WORKING_SIZE = 1200  # pixels of the longer side, about, that a larger picture is reduced to
FULL_SIZE = 4000  # the same where the digits are small
MOST_DIGITS = 100
WEIGHT_OF_1 = 0.2  # of a sure 1 among sure digits, since strips and strokes look like it
SPECK = 0.1  # of the height of a digit
TALLEST = 2.5  # the same
SMALL = 24  # pixels; if digits are shorter, the picture is read again at FULL_SIZE


@dataclass
class Page:
    """What was read on a page.

    picture: (height, width) float32 from 0 (black) to 1. boxes: (n, 4) integers of each digit, in
    reading order: top, bottom, left, right in the picture. images: (n, 28, 28) uint8, as MNIST's.
    probabilities: (n, 10). texts: n digits, those in doubt with a ? beside them. text: the answer,
    with spaces between rows and where something is left out. left_out: the boxes (m, 4) of that.
    pages: how many pages the file has.
    """

    picture: np.ndarray
    boxes: np.ndarray
    images: np.ndarray
    probabilities: np.ndarray
    texts: list
    text: str
    left_out: np.ndarray
    pages: int = 1


def recognise_page(path, recognise, thresholds):
    """Recognise the digits in a picture file: a Page. Raises UserError if it is no picture.

    path: a path or a file object. recognise: function that turns images (n, 28, 28) uint8 into
    probabilities (n, 10). thresholds: those of config.py, in a namespace.
    """
    picture, factor, pages = load_picture(path, WORKING_SIZE)
    page = recognise_picture(picture, recognise, thresholds)
    heights = page.boxes[:, 1] - page.boxes[:, 0]
    if factor > 1 and (not len(heights) or np.median(heights) < SMALL):
        picture, _, _ = load_picture(path, FULL_SIZE)
        try:
            page = recognise_picture(picture, recognise, thresholds)
        except UserError:
            if not page.texts:
                raise
    page.pages = pages
    return page


def recognise_picture(picture, recognise, thresholds):
    """Recognise the digits in a grey picture (height, width), or on the sheet it shows: a Page.

    Raises UserError if there are more than MOST_DIGITS.
    """
    pages, errors = [], []
    for sheet, (top, left) in find_sheets(picture):
        try:
            page = recognise_ink(picture, find_ink(sheet), recognise, thresholds)
        except UserError as error:
            errors.append(error)
            continue
        page.boxes += [top, top, left, left]
        page.left_out += [top, top, left, left]
        pages.append(page)
    if not pages:
        raise errors[0]
    return max(pages, key=lambda page: sureness(page.probabilities, thresholds.doubtful_below))


def sureness(probabilities, doubtful_below):
    """How sure the answer with probabilities (n, 10) is: the number of sure digits less doubts."""
    weights = np.where(probabilities.argmax(axis=1) == 1, WEIGHT_OF_1, 1)
    return np.where(probabilities.max(axis=1) >= doubtful_below, weights, -weights).sum()


def recognise_ink(picture, ink, recognise, thresholds):
    """Recognise the digits in the ink (height, width) of a picture: a Page.

    Raises UserError if there are more than MOST_DIGITS.
    """
    pieces = find_pieces(ink)
    boxes = np.array([piece.box for piece in pieces], int).reshape(-1, 4)
    if not pieces:
        return Page(
            picture,
            boxes,
            np.zeros((0, SIDE, SIDE), np.uint8),
            np.zeros((0, CLASSES)),
            [],
            "",
            boxes,
        )
    heights, widths = boxes[:, 1] - boxes[:, 0], boxes[:, 3] - boxes[:, 2]
    probabilities = recognise(np.array([normalise(piece.ink) for piece in pieces]))
    height = digit_height(heights, probabilities, thresholds.doubtful_below)
    is_plausible = np.maximum(heights, widths) >= SPECK * height
    is_plausible &= heights <= TALLEST * height
    left_out = [boxes[heights > TALLEST * height]]
    is_tall = is_plausible & (heights >= 0.5 * height)
    if is_tall.sum() > MOST_DIGITS:
        raise UserError(f"{is_tall.sum()} pieces; at most {MOST_DIGITS} digits are recognised")
    pieces = [piece for piece, keep in zip(pieces, is_plausible) if keep]
    upright = upright_boxes(boxes[is_plausible], height)
    rows = rows_of(upright, height)
    digits, row_of = [], []
    for row in range(rows.max(initial=-1) + 1):
        members = np.flatnonzero(rows == row)
        members = members[np.argsort(upright[members, 2:].sum(axis=1))]
        found, rest = read_row([pieces[m] for m in members], height, recognise, thresholds)
        digits += found
        row_of += [row] * len(found)
        left_out.append(np.array(rest, int).reshape(-1, 4))
    left_out = np.vstack(left_out)
    if not digits:
        return Page(
            picture,
            boxes[:0],
            np.zeros((0, SIDE, SIDE), np.uint8),
            np.zeros((0, CLASSES)),
            [],
            "",
            left_out,
        )
    boxes = np.array([digit.box for digit in digits])
    images = np.array([digit.image for digit in digits])
    probabilities = np.array([digit.probabilities for digit in digits])
    rows = np.array(row_of)
    is_digit = ~are_slashes(boxes, probabilities, rows)
    left_out = np.vstack([left_out, boxes[~is_digit]])
    boxes, images, probabilities, rows = (
        boxes[is_digit],
        images[is_digit],
        probabilities[is_digit],
        rows[is_digit],
    )
    texts = digit_texts(probabilities, thresholds.doubtful_below)
    text = with_spaces(texts, boxes, rows, left_out)
    return Page(picture, boxes, images, probabilities, texts, text, left_out)


def digit_height(heights, probabilities, doubtful_below):
    """The height around which most sure digits lie, of pieces with heights (n,): a float."""
    answers, best = probabilities.argmax(axis=1), probabilities.max(axis=1)
    weights = np.where(answers == 1, WEIGHT_OF_1, 1) * (best >= doubtful_below)
    if not weights.any():
        return heights.max()
    is_near = np.abs(np.log(heights[:, None] / heights)) < np.log(1.5)
    near = is_near[np.argmax(is_near @ weights)]
    return np.average(heights[near], weights=weights[near])


def upright_boxes(boxes, height):
    """The boxes (n, 4), moved so that rows which are tilted are level: (n, 4) floats.

    The rows' tilt is the one at which the projection profile of the boxes' centres is sharpest.
    """
    y, x = boxes[:, :2].mean(axis=1), boxes[:, 2:].mean(axis=1)
    tilts = np.tan(np.radians(sorted(np.arange(-16, 16.1, 0.5), key=abs)))
    levels = (y - tilts[:, None] * x) / height
    profile = np.exp(-((levels[:, :, None] - levels[:, None]) ** 2) / (2 * 0.15**2))
    tilt = tilts[np.argmax(profile.sum(axis=(1, 2)))]
    y, x = (tilt * x)[:, None], (tilt * y)[:, None]
    return boxes + np.hstack([-y, -y, x, x])


def are_slashes(boxes, probabilities, rows):
    """Which of the boxes (n, 4) hold slashes or brackets, compared with their row: (n,) bool.

    These are read as 1 and taller than all digits.
    """
    heights = boxes[:, 1] - boxes[:, 0]
    is_one = probabilities.argmax(axis=1) == 1
    is_slash = np.zeros(len(boxes), bool)
    for row in np.unique(rows):
        others = heights[(rows == row) & ~is_one]
        if len(others) >= 2:
            is_slash |= (rows == row) & is_one & (heights > 1.2 * others.max())
    return is_slash


def rows_of(boxes, height):
    """The row of each of the digits with boxes (n, 4), counted from above: (n,) integers."""
    top, bottom = boxes.T[:2, :, None]
    overlap = np.minimum(bottom, bottom.T) - np.maximum(top, top.T)
    is_beside = overlap >= 0.5 * np.minimum(bottom - top, (bottom - top).T)
    number, row = connected_components(is_beside, directed=False)
    tops = [boxes[row == n, 0].mean() for n in range(number)]
    return np.argsort(np.argsort(tops))[row]


def with_spaces(texts, boxes, rows, left_out):
    """The answer: the digits, with a space between rows and where something is left out.

    texts, boxes: of the digits in reading order. rows: the row (n,) of each. left_out: (m, 4).
    """
    answer = "".join(texts[:1])
    x = left_out[:, 2:].mean(axis=1)
    for right in range(1, len(texts)):
        pair = boxes[right - 1 : right + 1]
        start, stop = pair[:, 2:].mean(axis=1)
        is_between = (start < x) & (x < stop)
        is_between &= (left_out[:, 0] < pair[:, 1].max()) & (pair[:, 0].min() < left_out[:, 1])
        if is_between.any() or rows[right] != rows[right - 1]:
            answer += " "
        answer += texts[right]
    return answer


def digit_texts(probabilities, doubtful_below):
    """The most probable digit of each row of probabilities (n, 10), as a list of n texts.

    A digit less probable than doubtful_below has a ? beside it.
    """
    answers, sure = probabilities.argmax(axis=1), probabilities.max(axis=1) >= doubtful_below
    return [str(digit) if is_sure else f"{digit}?" for digit, is_sure in zip(answers, sure)]
