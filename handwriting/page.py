"""From a file to the answer: the best sheet, rows, reading order, punctuation."""

import itertools
import re
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from scipy.sparse.csgraph import connected_components

from files import UserError
from handwriting.picture import load_picture
from handwriting.pieces import find_pieces, off_the_line
from handwriting.segmentation import recognise_pieces, recognise_row
from handwriting.sheet import find_inks, find_sheets, joined
from model import CLASSES, SIDE

WORKING_SIZE = 1200  # pixels of the longer side, about, that a larger picture is reduced to
FULL_SIZE = 3000  # the same, at most, where the digits are small
SMALL, CLEAR = 24, 40  # pixels; digits below SMALL are read again, about CLEAR high
LEGIBLE = 8  # pixels; whether a lower piece is a digit cannot be seen
MOST_DIGITS = 100
WEIGHT_OF_1 = 0.2  # of a sure 1 among sure digits, since strips and strokes look like it
DOUBT = 0.5  # what a piece in doubt takes from the sure digits when sheets are compared
TRACE = 0.5  # of the ink of sure digits; what is fainter is no digit
TURNED = 1.5  # so many more sure digits has a page that is the other way up than its file says
SPREAD = 1.5  # of the heights of digits: the tallest by the middle one, about
LEAST_OVERLAP = 0.3  # of neighbours in a row, across it: of the height of the shorter one
NARROWEST_LOST = 0.4  # of its own height; narrower ones are slashes and brackets
TALLEST_ONE = 1.2  # of the tallest other digit; taller strokes are slashes and brackets
# in heights of a digit:
SPECK = 0.1  # longer side of what is not even a dot
LOWEST_LOST = 0.7  # of what may be a digit that is left out
WIDEST_MARK = 1  # of a dash
LONGEST = 4  # of a piece that is no line
WORD_GAP = 1.5  # between words
LOWEST_LETTER = 0.4  # of what is a letter if it is no digit
TALLEST = 3.5  # of a digit with a long tail
ROW_SPREAD = 0.15  # standard deviation of the digits in a row, across it
ROW_STEP = 0.5  # between neighbours in a row, across it: their tops, middles or bottoms
MARK_GAP = 0.3  # between a mark and its row


@dataclass
class Page:
    """What was read on a page, n digits in reading order.

    picture: (height, width) float32 from 0 (black) to 1. boxes: (n, 4) integers: top, bottom, left,
    right in the picture. images: (n, 28, 28) uint8, as MNIST's. probabilities: (n, 10). texts: each
    digit, with a ? if in doubt. text: the answer, with spaces between rows and for marks, and _ for
    what is lost. left_out: the boxes (m, 4) of what is no digit. pages: of the file, a number.
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
    found = [pieces_on(sheet, picture, recognise, thresholds) for sheet in sheets]
    scores = [sureness(pieces, thresholds.doubtful_below) for pieces in found]
    parts = [sheet for sheet, score in zip(sheets[1:], scores[1:]) if score > 0]
    if len(parts) > 1:
        sheets.append(joined(parts, sheets[0].paper))
        found.append(pieces_on(sheets[-1], picture, recognise, thresholds))
    best, turns = surest(found, recognise, thresholds.doubtful_below)
    pieces, sheet = found[best], sheets[best].turned(turns)
    if turns:
        picture = np.rot90(picture, turns)
        pieces = pieces_on(sheet, picture, recognise, thresholds)
    height = digit_height(pieces, thresholds.doubtful_below)
    page = None
    if factor > 1 and height < SMALL:
        larger, _, _ = load_picture(path, min(FULL_SIZE, WORKING_SIZE * CLEAR / max(height, 1)))
        larger = np.rot90(larger, turns)
        with suppress(UserError):
            more = pieces_on(sheet, larger, recognise, thresholds)
            page = page_of(larger, more, recognise, thresholds)
    page = page or page_of(picture, pieces, recognise, thresholds)
    page.pages = pages
    return page


def surest(found, recognise, doubtful_below):
    """The surest of several readings of a page, lists of pieces, and which way up it is.

    Returns its number, and by how many quarters of a turn, counterclockwise, it is to be turned.
    """
    scores = {(n, 0): sureness(pieces, doubtful_below) for n, pieces in enumerate(found)}
    best = max(scores, key=scores.get)
    if scores[best] < len(found[best[0]]) / 2:
        for n, turns in itertools.product(range(len(found)), (1, 2, 3)):
            turned = [piece.turned(turns) for piece in found[n]]
            recognise_pieces(turned, recognise)
            scores[n, turns] = sureness(turned, doubtful_below, 2) - TURNED
        best = max(scores, key=scores.get)
    return best


def pieces_on(sheet, picture, recognise, thresholds):
    """The pieces of ink on a sheet in a picture (height, width), recognised: a list."""
    part, corner = sheet.cut_out(picture)
    readings = [pieces_of(ink, corner, recognise, thresholds) for ink in find_inks(part)]
    return max(readings, key=lambda pieces: sureness(pieces, thresholds.doubtful_below))


def pieces_of(ink, corner, recognise, thresholds):
    """The pieces of ink (height, width) at a corner (2,) of the picture, recognised: a list."""
    pieces = find_pieces(ink, corner)
    recognise_pieces(pieces, recognise)
    pieces = without_traces(pieces, thresholds.doubtful_below)
    height = digit_height(pieces, thresholds.doubtful_below)
    lines = [piece for piece in pieces if piece.width > LONGEST * height]
    parts = [part for line in lines for part in off_the_line(line, height)]
    recognise_pieces(parts, recognise)
    return [piece for piece in pieces if piece not in lines] + parts


def without_traces(pieces, doubtful_below):
    """The pieces, a list, without those much fainter than the sure digits: ruling and noise."""
    is_sure = np.array([p.digit != 1 and p.probability >= doubtful_below for p in pieces], bool)
    levels = np.array([piece.level for piece in pieces])
    if not is_sure.any():
        return pieces
    # specks may pass for digits, but are small
    heights = np.array([piece.height for piece in pieces])
    level = np.average(levels[is_sure], weights=heights[is_sure] ** 2)
    return [pieces[n] for n in np.flatnonzero(is_sure | (levels >= TRACE * level))]


def sureness(pieces, doubtful_below, doubt=DOUBT):
    """The number of sure digits, less those in doubt. 1s don't count: strips look like them."""
    if not pieces:
        return -np.inf  # nothing found is worse than doubt
    height = digit_height(pieces, doubtful_below)
    large = [piece for piece in pieces if piece.height >= height / 2]
    return sum(p.digit != 1 if p.probability >= doubtful_below else -doubt for p in large)


def digit_height(pieces, doubtful_below):
    """The height around which most sure digits lie: a float. If none is sure, that of the tallest.

    It is the yardstick for specks, marks, fragments, cuts and what is too tall to be a digit.
    """
    heights = np.array([piece.height for piece in pieces])
    is_sure = np.array([piece.probability >= doubtful_below for piece in pieces])
    weights = np.where([piece.digit == 1 for piece in pieces], WEIGHT_OF_1, 1)
    weights = weights * is_sure * (heights >= LEGIBLE)
    if not weights.any():
        return heights.max(initial=0)
    is_near = np.abs(np.log(heights[:, None] / heights)) < np.log(SPREAD)
    near = is_near[np.argmax(is_near @ weights)]
    return np.average(heights[near], weights=weights[near])


def page_of(picture, pieces, recognise, thresholds):
    """The Page of a grey picture (height, width) with these pieces of ink, recognised."""
    height = digit_height(pieces, thresholds.doubtful_below)
    number = sum(height / 2 <= piece.height <= TALLEST * height for piece in pieces)
    if number > MOST_DIGITS:
        raise UserError(f"{number} pieces; at most {MOST_DIGITS} digits are recognised")
    rows = [recognise_row(row, height, recognise, thresholds) for row in find_rows(pieces, height)]
    tallest = [p.height for row in rows for p, is_digit in row if is_digit and p.digit != 1]
    limit = TALLEST_ONE * max(tallest, default=np.inf)
    for row in rows:
        row[:] = [(p, is_digit and (p.digit != 1 or p.height <= limit)) for p, is_digit in row]
        row[:] = without_words(row, height, thresholds.doubtful_below)
    digits = [piece for row in rows for piece, is_digit in row if is_digit]
    left_out = [piece.box for row in rows for piece, is_digit in row if not is_digit]
    left_out += [piece.box for piece in pieces if piece.height > TALLEST * height]
    texts = [f"{p.digit}" + "?" * bool(p.probability < thresholds.doubtful_below) for p in digits]
    return Page(
        picture,
        np.array([piece.box for piece in digits], int).reshape(-1, 4),
        np.array([piece.image for piece in digits], np.uint8).reshape(-1, SIDE, SIDE),
        np.array([piece.probabilities for piece in digits]).reshape(-1, CLASSES),
        texts,
        answer(rows, texts, height) if digits else "",
        np.array(left_out, int).reshape(-1, 4),
    )


def without_words(row, height, doubtful_below):
    """The row, a list of pieces and whether each is a digit, where no letter of a word is one."""
    gaps = [right.box[2] - left.box[3] for (left, _), (right, _) in itertools.pairwise(row)]
    starts = [0, *(n for n, gap in enumerate(gaps, start=1) if gap > WORD_GAP * height), len(row)]
    result = []
    for word in (row[start:end] for start, end in itertools.pairwise(starts)):
        letters = sum(p.height >= LOWEST_LETTER * height for p, is_digit in word if not is_digit)
        sure = [piece.probability >= doubtful_below for piece, is_digit in word if is_digit]
        is_text = letters and letters + len(sure) > 2 * sum(sure)
        result += [(piece, is_digit and not is_text) for piece, is_digit in word]
    return result


def answer(rows, texts, height):
    """The answer: the texts of the digits in rows, spaces for marks, and _ for what is lost."""
    texts = iter(texts)
    lines = []
    for row in rows:
        line = ""
        digits = np.array([piece.box for piece, is_digit in row if is_digit])
        marks = sum(not is_digit for _, is_digit in row)
        for piece, is_digit in row:
            if is_digit:
                line += next(texts)
            elif LOWEST_LOST * height <= piece.height <= piece.width / NARROWEST_LOST:
                line += "_"
            elif marks <= len(digits) and piece.width < WIDEST_MARK * height:
                middle = piece.box[2:].mean()
                is_over = (digits[:, 2] < middle) & (middle < digits[:, 3])
                line += "" if is_over.any() else " "
        lines.append(line)
    return " ".join(re.sub("_[_ ]*_", "_", " ".join(lines)).split())


def find_rows(pieces, height):
    """The pieces in rows: a list from above of lists from the left, without specks."""
    least, most = SPECK * height, TALLEST * height
    pieces = [p for p in pieces if least <= max(p.height, p.width) and p.height <= most]
    if not pieces:
        return []
    boxes = levelled(np.array([piece.box for piece in pieces]), height)
    rows = rows_of(boxes, height)
    order = np.argsort(boxes[:, 2:].sum(axis=1))
    return [[pieces[n] for n in order if rows[n] == row] for row in range(rows.max() + 1)]


def levelled(boxes, height):
    """The boxes (n, 4), moved so that tilted rows become level: (n, 4) floats."""
    y, x = boxes[:, :2].mean(axis=1), boxes[:, 2:].mean(axis=1)
    is_tall = boxes[:, 1] - boxes[:, 0] >= height / 2
    tilts = np.tan(np.radians(sorted(range(-16, 17), key=abs)))
    # the projection profile of the digits' centres is sharpest at the tilt of the rows
    levels = (y - tilts[:, None] * x)[:, is_tall] / height
    profiles = np.exp(-(((levels[:, :, None] - levels[:, None]) / ROW_SPREAD) ** 2) / 2)
    tilt = tilts[np.argmax(profiles.sum(axis=(1, 2)))]
    return boxes + tilt * np.stack([-x, -x, y, y], axis=1)


def rows_of(boxes, height):
    """The row of each of the pieces with boxes (n, 4), counted from above: (n,) integers."""
    top, bottom = boxes.T[:2, :, None]
    y, x, heights = (top + bottom) / 2, boxes[:, 2:].mean(axis=1), bottom - top
    is_tall = heights >= height / 2
    # a digit's row goes on with the nearest one on the right at about its level
    overlap = np.minimum(bottom, bottom.T) - np.maximum(top, top.T)
    step = np.min([abs(place - place.T) for place in (top, y, bottom)], axis=0)
    is_next = is_tall.T & (overlap >= LEAST_OVERLAP * np.minimum(heights, heights.T))
    is_next &= (step < ROW_STEP * height) & (x > x[:, None])
    # a mark is in the row of the nearest digit
    is_beside = is_tall.T & (overlap > -MARK_GAP * height)
    distance = np.abs(x - x[:, None]) + 3 * np.where(is_tall, step, np.abs(y - y.T))
    distance = np.where(np.where(is_tall, is_next, is_beside), distance, np.inf)
    nearest = distance == distance.min(axis=1, keepdims=True)
    _, rows = connected_components(nearest & np.isfinite(distance), directed=False)
    middles = [y[rows == row].mean() for row in range(rows.max() + 1)]
    return np.argsort(np.argsort(middles))[rows]
