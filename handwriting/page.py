"""From digits to the answer: rows, reading order, punctuation."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse.csgraph import connected_components

from handwriting.normalise import normalise
from handwriting.picture import find_ink, load_picture
from handwriting.pieces import find_pieces
from handwriting.segmentation import separate
from model import CLASSES, SIDE

WORKING_SIZE = 1200  # pixels of the longer side, about, that a larger picture is reduced to
FULL_SIZE = 4000  # the same where the digits are small
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
    for size in (WORKING_SIZE, FULL_SIZE):
        picture, factor, pages = load_picture(path, size)
        page = recognise_ink(picture, find_ink(picture), recognise, thresholds)
        page.pages = pages
        heights = page.boxes[:, 1] - page.boxes[:, 0]
        if factor == 1 or (len(heights) and np.median(heights) >= SMALL):
            break
    return page


def recognise_ink(picture, ink, recognise, thresholds):
    """Recognise the digits in the ink (height, width) of a picture: a Page.

    Raises UserError if there are more than MOST_DIGITS.
    """
    inks, boxes, left_out = find_pieces(ink)
    images = np.array([normalise(part) for part in inks], np.uint8).reshape(-1, SIDE, SIDE)
    found = []
    for part, *whole in zip(inks, boxes, images, recognise(images)):
        is_doubtful = whole[-1].max() < thresholds.doubtful_below
        found += separate(part, whole, recognise) if is_doubtful else [whole]
    if not found:
        return Page(picture, boxes, images, np.zeros((0, CLASSES)), [], "", left_out)
    boxes, images, probabilities = map(np.array, zip(*found))
    is_digit = probabilities.max(axis=1) >= thresholds.left_out_below
    is_digit[is_digit] = ~are_marks(boxes[is_digit], probabilities[is_digit])
    left_out = np.vstack([left_out, boxes[~is_digit]])
    boxes, images, probabilities = boxes[is_digit], images[is_digit], probabilities[is_digit]
    rows = rows_of(boxes)
    order = np.lexsort((boxes[:, 2:].sum(axis=1), rows))
    boxes, images, probabilities = boxes[order], images[order], probabilities[order]
    texts = digit_texts(probabilities, thresholds.doubtful_below)
    text = with_spaces(texts, boxes, rows[order], left_out)
    return Page(picture, boxes, images, probabilities, texts, text, left_out)


def are_marks(boxes, probabilities):
    """Which of the boxes (n, 4) hold punctuation, compared with their row: (n,) bool.

    A comma is smaller than the digits. A slash or bracket is read as 1 and taller than all digits.
    """
    heights, widths = boxes[:, 1] - boxes[:, 0], boxes[:, 3] - boxes[:, 2]
    is_one = probabilities.argmax(axis=1) == 1
    is_mark = np.zeros(len(boxes), bool)
    rows = rows_of(boxes)
    for row in np.unique(rows):
        others = heights[(rows == row) & ~is_one]
        if len(others) >= 2:
            is_comma = np.maximum(heights, widths) < 0.55 * np.median(others)
            is_slash = is_one & (heights > 1.2 * others.max())
            is_mark |= (rows == row) & (is_comma | is_slash)
    return is_mark


def rows_of(boxes):
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
