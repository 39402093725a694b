"""From digits to the answer: rows, reading order, punctuation."""

from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from scipy.sparse.csgraph import connected_components

from files import UserError
from handwriting.picture import load_picture
from handwriting.pieces import find_pieces
from handwriting.segmentation import read_row, recognise_pieces
from handwriting.sheet import find_ink, find_sheets
from model import CLASSES, SIDE

WORKING_SIZE = 1200  # pixels of the longer side, about, that a larger picture is reduced to
FULL_SIZE = 3000  # the same, at most, where the digits are small
SMALL, CLEAR = 24, 40  # pixels; shorter digits are read again, about so many pixels high
MOST_DIGITS = 100
WEIGHT_OF_1 = 0.2  # of a sure 1 among sure digits, since strips and strokes look like it
SPECK = 0.1  # of the height of a digit
TALLEST = 2.5  # the same
TALLEST_ONE = 1.2  # of the tallest digit


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
    sheets = find_sheets(picture)
    looks = [pieces_on(sheet, picture, recognise) for sheet in sheets]
    best = np.argmax([sureness(pieces, thresholds.doubtful_below) for pieces in looks])
    height = digit_height(looks[best], thresholds.doubtful_below)
    page = None
    if factor > 1 and 0 < height < SMALL:
        size = min(FULL_SIZE, round(WORKING_SIZE * CLEAR / height))
        larger, _, _ = load_picture(path, size)
        pieces = pieces_on(sheets[best], larger, recognise)
        with suppress(UserError):
            page = page_of(larger, pieces, recognise, thresholds)
    page = page or page_of(picture, looks[best], recognise, thresholds)
    page.pages = pages
    return page


def pieces_on(sheet, picture, recognise):
    """The pieces of ink on a sheet in a picture, recognised."""
    part, corner = sheet.cut_out(picture)
    pieces = find_pieces(find_ink(part))
    recognise_pieces(pieces, recognise)
    for piece in pieces:
        piece.corner = piece.corner + corner
        piece.box = piece.box + np.repeat(corner, 2)
    return pieces


def page_of(picture, pieces, recognise, thresholds):
    """The Page of a grey picture (height, width) with these pieces of ink, recognised.

    Raises UserError if there are more than MOST_DIGITS.
    """
    height = digit_height(pieces, thresholds.doubtful_below)
    number = sum(height / 2 <= piece.height <= TALLEST * height for piece in pieces)
    if number > MOST_DIGITS:
        raise UserError(f"{number} pieces; at most {MOST_DIGITS} digits are recognised")
    rows = [read_row(row, height, recognise, thresholds) for row in find_rows(pieces, height)]
    too_tall = [piece for piece in pieces if piece.height > TALLEST * height]
    # slashes and brackets are read as 1 and are taller than digits
    tallest = [p.height for row in rows for p, is_digit in row if is_digit and p.digit != 1]
    limit = TALLEST_ONE * max(tallest, default=np.inf)
    rows = [
        [(p, is_digit and (p.digit != 1 or p.height <= limit)) for p, is_digit in row]
        for row in rows
    ]
    digits = [piece for row in rows for piece, is_digit in row if is_digit]
    left_out = [piece.box for row in rows for piece, is_digit in row if not is_digit]
    left_out += [piece.box for piece in too_tall]
    texts = digit_texts([piece.probabilities for piece in digits], thresholds.doubtful_below)
    answers, number = [], 0
    for row in rows:
        answer = ""
        for piece, is_digit in row:
            if is_digit:
                answer += texts[number]
                number += 1
            elif is_lost(piece, height):
                answer += "_"
            else:
                answer += " "
        answers.append(answer)
    text = " ".join(" ".join(answers).split()) if digits else ""
    while "__" in text or "_ _" in text:
        text = text.replace("__", "_").replace("_ _", "_")
    return Page(
        picture,
        np.array([piece.box for piece in digits], int).reshape(-1, 4),
        np.array([piece.image for piece in digits], np.uint8).reshape(-1, SIDE, SIDE),
        np.array([piece.probabilities for piece in digits]).reshape(-1, CLASSES),
        texts,
        text,
        np.array(left_out, int).reshape(-1, 4),
    )


def is_lost(piece, height):
    """Whether a piece that is left out may be a digit, for its size, and is not punctuation."""
    width = piece.box[3] - piece.box[2]
    is_narrow = width < 0.4 * piece.height
    return 0.75 * height <= piece.height <= 1.6 * height and not is_narrow


def sureness(pieces, doubtful_below):
    """How many pieces are digits for sure, less those in doubt; strips look like 1s."""
    height, total = digit_height(pieces, doubtful_below), 0
    for piece in pieces:
        if piece.height >= height / 2:
            is_sure = piece.probability >= doubtful_below
            total += piece.digit != 1 if is_sure else -1
    return total


def digit_height(pieces, doubtful_below):
    """The height around which most sure digits lie, a float."""
    if not pieces:
        return 0
    heights = np.array([piece.height for piece in pieces])
    weights = np.array([WEIGHT_OF_1 if piece.digit == 1 else 1 for piece in pieces])
    weights = weights * [piece.probability >= doubtful_below for piece in pieces]
    if not weights.any():
        return heights.max()
    is_near = np.abs(np.log(heights[:, None] / heights)) < np.log(1.5)
    near = is_near[np.argmax(is_near @ weights)]
    return np.average(heights[near], weights=weights[near])


def find_rows(pieces, height):
    """The pieces in rows, a list of lists: from above, and from the left.

    height: of a digit.
    """
    size = [max(piece.height, piece.box[3] - piece.box[2]) for piece in pieces]
    pieces = [
        piece
        for piece, size in zip(pieces, size)
        if size >= SPECK * height and piece.height <= TALLEST * height
    ]
    if not pieces:
        return []
    boxes = upright_boxes(np.array([piece.box for piece in pieces]), height)
    rows = rows_of(boxes, height)
    order = np.argsort(boxes[:, 2:].sum(axis=1))
    return [[pieces[n] for n in order if rows[n] == row] for row in range(rows.max() + 1)]


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


def rows_of(boxes, height):
    """The row of each of the pieces with boxes (n, 4), counted from above: (n,) integers."""
    top, bottom = boxes.T[:2, :, None]
    y, x, tall = (top + bottom) / 2, boxes[:, 2:].mean(axis=1), bottom - top
    is_tall = tall >= 0.5 * height
    overlap = np.minimum(bottom, bottom.T) - np.maximum(top, top.T)
    is_beside = is_tall & is_tall.T & (overlap >= 0.5 * np.minimum(tall, tall.T))
    is_beside &= np.abs(y - y.T) < 0.7 * height
    distance = np.where(is_beside & (x > x[:, None]), x - x[:, None], np.inf)
    # short pieces belong to the tall one that is nearest, above all in height
    is_beside = is_tall.T & (top - 0.3 * height < bottom.T) & (bottom + 0.3 * height > top.T)
    others = np.where(is_beside, np.abs(y - y.T) + 0.3 * np.abs(x - x[:, None]), np.inf)
    distance = np.where(is_tall, distance, others)
    is_nearest = distance == distance.min(axis=1, keepdims=True)
    _, rows = connected_components(is_nearest & np.isfinite(distance), directed=False)
    middles = [y[rows == n].mean() for n in range(rows.max() + 1)]
    return np.argsort(np.argsort(middles))[rows]


def digit_texts(probabilities, doubtful_below):
    """The most probable digit of each row of probabilities (n, 10), as a list of n texts.

    A digit less probable than doubtful_below has a ? beside it.
    """
    return [f"{p.argmax()}" + "?" * bool(p.max() < doubtful_below) for p in probabilities]
