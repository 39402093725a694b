"""From a file to the answer: the best sheet, rows, reading order, punctuation."""

import itertools
import re
from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage
from threadpoolctl import threadpool_limits

from data_preprocessing import SIDE
from handwriting.grid import find_grid
from handwriting.marks import is_mark, is_print, leave_out_strokes, leave_out_words, may_be_lost
from handwriting.picture import load_picture
from handwriting.pieces import cut_out, find_pieces, measure_digits, off_the_line, recognise_pieces
from handwriting.rows import TALL, find_rows, tilt_of
from handwriting.segmentation import recognise_row
from handwriting.sheet import FAINTEST_INK, find_inks, find_sheets, joined, strokes_in
from model import CLASSES

WORKING_SIZE = 1200  # pixels of the longer side, about, that a larger picture is reduced to
FULL_SIZE = 1800  # the same for a second reading, if digits are small
SMALL = 24  # pixels; digits shorter than these
PENALTY = 0.5  # how many sure digits an unsure piece outweighs when sheets are compared
PENALTY_IF_TURNED = 2  # the same when another way up is tried
TURNED = 1.5  # sure digits that a page must gain to be turned against what its file says
GAP_STEP = 2  # the narrowest gap between numbers divided by the widest inside one, at least
TRACE = 0.5  # of the ink of sure digits other than 1; all else that is fainter is ruling or noise
LEAST_TILT = 0.07  # slope of rows, at least, for digits to be recognised as if it were none
FEWEST_TILTED = 4  # sure digits from which the tilt of rows is measured, at least
SINGLE = 0.9  # cells with digits divided by digits, at least, if each cell of a grid holds one
# in heights of a digit:
TALLEST = 3.5  # of a digit with a long tail
LONGEST = 3  # width of a piece that isn't a line, at most
LEAST_GAP = 0.65  # between numbers


@dataclass
class Page:
    """What was read on a page, n digits in reading order."""

    picture: np.ndarray  # (height, width) float32 from 0 (black) to 1
    boxes: np.ndarray  # (n, 4): top, bottom, left, right in the picture; integers unless reduced
    images: np.ndarray  # (n, 28, 28) uint8, as MNIST's
    probabilities: np.ndarray  # (n, 10)
    texts: list  # each digit, with a ? if doubtful
    text: str  # the answer, with spaces between rows and for marks, and _ for what may be a digit
    left_out: np.ndarray  # boxes (m, 4) of shapes left out
    rows: np.ndarray  # (n,) integers, from 0 at the top; rows without digits count, too
    factor: float = 1  # length of a pixel of the picture in pixels of the file
    pages: int = 1  # of the file


@threadpool_limits.wrap(limits=1, user_api="blas")  # a second one would mostly wait
def recognise_page(path, recognise, thresholds, is_upright=False):
    """Recognise the digits in a picture file: a Page. Raises UserError if it isn't a picture.

    path: a path or a file object. recognise: function that turns images (n, 28, 28) uint8 into
    probabilities (n, 10). thresholds: config.py's, as a namespace or the module. is_upright: if the
    picture is upright for certain; else it is turned if more digits are then sure.
    """
    picture, factor, pages = load_picture(path, WORKING_SIZE)
    sheets = find_sheets(picture)
    found = [pieces_on(sheet, picture, recognise) for sheet in sheets]
    # one unsure digit may be all that the edge of a shadow cuts off
    parts = [sheet for sheet, pieces in zip(sheets[1:], found[1:]) if sureness(pieces) >= -PENALTY]
    if len(parts) > 1:
        sheets.append(joined(parts, sheets[0].paper))  # the sketch of all the picture
        found.append(pieces_on(sheets[-1], picture, recognise))
    best, turns = surest(found, recognise, is_upright)
    pieces, sheet = found[best], sheets[best].turned(turns)
    if turns:
        picture = np.rot90(picture, turns)
        pieces = pieces_on(sheet, picture, recognise)
    sure = [piece for piece in pieces if piece.is_sure]
    height = np.median([piece.digit_height for piece in sure or pieces] or 0)
    if factor > 1 and height < SMALL:
        picture, factor, _ = load_picture(path, FULL_SIZE)
        picture = np.rot90(picture, turns)
        pieces = pieces_on(sheet, picture, recognise)
    pieces = straightened(pieces, recognise)
    page = page_of(picture, pieces, recognise, thresholds)
    return replace(page, factor=factor, pages=pages)


def surest(found, recognise, is_upright):
    """Find the best reading: return its number in `found`, and the quarters to turn it by.

    found: the pieces of each sheet, lists.
    """
    # among equals, the one with the fewest pieces wins
    scores = {(n, 0): (sureness(pieces), -len(pieces)) for n, pieces in enumerate(found)}
    best = max(scores, key=scores.get)
    if scores[best][0] < len(found[best[0]]) / 2 and not is_upright:
        for n, turns in itertools.product(range(len(found)), (1, 2, 3)):
            turned = [piece.turned(turns) for piece in found[n]]
            recognise_pieces(turned, recognise)
            measure_digits(turned)
            scores[n, turns] = sureness(turned, PENALTY_IF_TURNED) - TURNED, -len(turned)
        best = max(scores, key=scores.get)
    return best


def pieces_on(sheet, picture, recognise):
    """The pieces of ink on a sheet in a picture (height, width), recognised: a list."""
    part, corner = sheet.cut_out(picture)
    best, most = [], -np.inf
    for ink in find_inks(part):
        pieces = pieces_of(ink, corner, recognise)
        score = sureness(pieces)
        # 1s alone replace no other reading: if paper is taken for ink, gaps in letters look like 1s
        if score > (max(most, 0) if best else most):
            best, most = pieces, score
        if score >= len(pieces) / 2:
            break
    return best


def pieces_of(ink, corner, recognise):
    """The pieces of ink (height, width) at a corner (2,) of the picture, recognised: a list.

    If there is a grid, these are what is in its cells, unless more is sure without it or outside.
    """
    pieces = recognised(find_pieces(ink, corner), recognise)
    grid = find_grid(ink)
    if grid is None:
        return pieces
    rows, columns, outline = grid
    cells = rows * (columns.max() + 1) + columns
    shades = ndimage.median(ink, cells, np.arange(cells.max() + 1))
    shades[shades < FAINTEST_INK] = 0
    content = np.where(rows > 0, ink - shades[cells], 0)  # some cells may be shaded
    in_cells = cut_out(content, strokes_in(content), corner)
    for piece in in_cells:
        y, x = piece.corner - corner + np.argwhere(piece.ink > 0.5)[0]  # any pixel of a stroke
        piece.cell = rows[y, x], columns[y, x]
    in_cells = recognised(in_cells, recognise)
    inside, outside = [], []
    for piece in pieces:
        y, x = (piece.box[::2] + piece.box[1::2]) // 2 - corner
        (inside if outline[y, x] else outside).append(piece)
    scores = [sureness(part) for part in (in_cells, inside, outside)]
    is_surest = scores[0] == max(scores) and scores[0] > 0  # 1s alone may be remnants of lines
    return in_cells if is_surest else pieces


def recognised(pieces, recognise):
    """Pieces, a list, recognised, without traces of other ink and the lines they are written on."""
    recognise_pieces(pieces, recognise)
    sure = [piece for piece in pieces if piece.is_sure and piece.digit != 1]
    faintest = TRACE * np.median([piece.darkness for piece in sure] or 0)
    pieces = [piece for piece in pieces if piece.darkness >= faintest or piece in sure]
    measure_digits(pieces)
    lines = [piece for piece in pieces if piece.width > LONGEST * piece.digit_height]
    parts = [part for line in lines for part in off_the_line(line)]
    recognise_pieces(parts, recognise)
    pieces = [piece for piece in pieces if piece not in lines] + parts
    measure_digits(pieces)
    return pieces


def straightened(pieces, recognise):
    """The pieces, a list, recognised as if their rows were level, unless less is then sure."""
    sure = [piece for piece in pieces if piece.is_sure]
    tilt = tilt_of(sure) if len(sure) >= FEWEST_TILTED else 0
    if abs(tilt) < LEAST_TILT:
        return pieces
    straight = [replace(piece, tilt=tilt, image=None) for piece in pieces]
    recognise_pieces(straight, recognise)
    measure_digits(straight)
    return straight if sureness(straight) >= sureness(pieces) else pieces


def sureness(pieces, penalty=PENALTY):
    """The number of sure digits, 1s not counted, less `penalty` for each unsure piece.

    Pieces less than half as tall as digits don't count.
    """
    if not pieces:
        return -np.inf  # nothing found is worse than unsure pieces
    tall = [piece for piece in pieces if piece.reaches(TALL)]
    # strips look like 1s
    return sum(piece.digit != 1 if piece.is_sure else -penalty for piece in tall)


def page_of(picture, pieces, recognise, thresholds):
    """The Page of a grey picture (height, width) with these pieces of ink, recognised."""
    too_tall = [piece for piece in pieces if piece.height > TALLEST * piece.digit_height]
    rows = find_rows([piece for piece in pieces if piece not in too_tall])
    if not is_print(pieces):
        rows = [recognise_row(row, recognise, thresholds) for row in rows]
    digits = [piece for row in rows for piece in row if piece.is_digit]
    tallest = max((piece.height for piece in digits if piece.digit != 1), default=np.inf)
    for row in rows:
        leave_out_strokes(row, tallest)
        leave_out_words(row)
    digits = [piece for row in rows for piece in row if piece.is_digit]
    left_out = [piece.box for row in [*rows, too_tall] for piece in row if not piece.is_digit]
    rows += [[piece] for piece in too_tall if piece.is_sure]  # each leaves a _ at the end
    doubts = [p.may_be_mark or p.probability < thresholds.doubtful_below for p in digits]
    texts = [f"{p.digit}?" if doubt else str(p.digit) for p, doubt in zip(digits, doubts)]
    return Page(
        picture=picture,
        boxes=np.array([piece.box for piece in digits], int).reshape(-1, 4),
        images=np.array([piece.image for piece in digits], np.uint8).reshape(-1, SIDE, SIDE),
        probabilities=np.array([p.probabilities for p in digits]).reshape(-1, CLASSES),
        texts=texts,
        text=answer(rows, texts) if digits else "",
        left_out=np.array(left_out, int).reshape(-1, 4),
        rows=np.array([n for n, row in enumerate(rows) for p in row if p.is_digit], int),
    )


def answer(rows, texts):
    """The answer: texts of the digits in rows, and what stands for the other pieces."""
    texts, widest, lines = iter(texts), widest_gap(rows), []
    for row in rows:
        line, last = "", None
        for piece in row:
            if piece.is_digit:
                line += " " if last and gap_between(last, piece) > widest else ""
                line, last = line + next(texts), piece
            elif sign := sign_for(piece, row):
                line, last = line + sign, None
        lines.append(re.sub("_[_ ]*_", "_", line))
    text = " ".join(" ".join(lines).split())
    return re.sub(r"(?<!\S)_( _)+(?!\S)", "_", text)  # one for several rows without digits


def sign_for(piece, row):
    """What stands in the answer for a piece that isn't a digit, in a row, a list of pieces.

    A _ if it may be one, a space for a mark or a dot, nothing for what is above or below a digit or
    on a dotted line.
    """
    digits = [other.box for other in row if other.is_digit]
    if may_be_lost(piece) or (is_mark(piece) and not digits):
        return "_"
    if is_mark(piece):
        return " "
    middle = piece.box[2:].mean()
    is_over = any(left < middle < right for *_, left, right in digits)
    dots = sum(not other.is_digit and not is_mark(other) for other in row)
    return "" if is_over or dots > len(digits) else " "


def gap_between(left, right):
    """How far two digits are apart: in columns of their grid, or in heights of a digit."""
    if right.cell:
        return right.cell[1] - left.cell[1]
    return (right.box[2] - left.box[3]) / right.digit_height


def widest_gap(rows):
    """The widest gap between digits inside a number, or infinity if all gaps are alike."""
    cells = [piece.cell for row in rows for piece in row if piece.is_digit]
    if cells[0]:  # if hardly any cell holds two digits, a row is a number; an empty cell ends it
        return 1 if len(set(cells)) > SINGLE * len(cells) else 0
    gaps = [
        gap_between(left, right)
        for row in rows
        for left, right in itertools.pairwise(row)
        if left.is_digit and right.is_digit
    ]
    gaps = np.sort(np.maximum(gaps, LEAST_GAP / GAP_STEP))
    steps = gaps[1:] / gaps[:-1]
    return gaps[steps.argmax()] if steps.max(initial=0) >= GAP_STEP else np.inf
