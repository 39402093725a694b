"""Digits, letters and signs told apart by their shapes, heights and neighbours."""

import numpy as np

from handwriting.rows import TALL, words_of

SURE_IF_SHORT = 0.9  # probability of a digit below SHORTEST_DIGIT or SHORTEST_ONE, at least
BOW = 0.08  # of a bracket, at least: see Piece.stroke
BRACKET_LEAN = 0.2  # of a bracket, at most, to either side: the tangent of an angle
FORMULA_LEAN = 0.4  # of a slash beside brackets or x, more than the other digits of its row
LEAN = 0.15  # of what may be a slash, more than the other digits of its row
TALLEST_ONE = 1.2  # of the tallest digit, or of those around; taller strokes are / ( and )
SURE_CROSS = 0.2  # probability of any digit for a sure + or x, at most
PRINT = 150  # letters of a printed page, at least: joining and cutting more takes a long time
LOOKALIKE = 0.25  # what a sure 0 or 1 counts against letters, since o and l look like them
# in heights of a digit:
SHORTEST_DIGIT = 0.3
SHORTEST_ONE = 0.55  # shorter strokes are commas and dashes, or 1s that get a ?
SHORTEST_LETTER = 0.4  # shorter pieces that aren't digits are dots, commas and specks


def may_be_digit(piece, middle):
    """Whether a piece is a digit by its height and shape, and not a comma, dash, speck or cross.

    middle: the vertical middle of its word. Commas begin below it.
    """
    is_sure_if_short = piece.probability >= SURE_IF_SHORT
    if piece.digit == 1 and piece.stroke:
        is_raised = is_sure_if_short and piece.reaches(SHORTEST_LETTER) and piece.box[0] < middle
        return is_raised or piece.reaches(SHORTEST_ONE)
    if not piece.reaches(SHORTEST_DIGIT):
        return is_sure_if_short
    return piece.is_sure or not piece.cross


def is_mark(piece):
    """Whether a piece that isn't a digit is one of + x ( ) / by its shape and height."""
    return piece.reaches(SHORTEST_LETTER) and bool(piece.stroke or piece.cross)


def may_be_lost(piece):
    """Whether a piece left out may be a digit: half as tall as one, and not surely + x ( ) /."""
    if not piece.reaches(TALL) or (piece.probability <= SURE_CROSS and piece.cross):
        return False
    return not piece.stroke or piece.height <= TALLEST_ONE * piece.digit_height


def slant_of(ink):
    """The tangent of the angle by which ink (height, width) slants to the right, by its moments."""
    y, x = np.indices(ink.shape)
    y, x = y - np.average(y, weights=ink), x - np.average(x, weights=ink)
    return -np.sum(ink * y * x) / max(np.sum(ink * y**2), 1e-9)


def is_print(pieces):
    """Whether pieces, not yet joined or cut, are a printed page: most of them are unsure."""
    tall = [piece for piece in pieces if piece.reaches(SHORTEST_LETTER)]
    sure = [piece for piece in tall if piece.is_sure]
    return len(tall) - len(sure) >= max(PRINT, weight_of(sure))


def weight_of(sure):
    """How much sure digits, a list of pieces, count against letters: a number."""
    return sum(LOOKALIKE if piece.digit in (0, 1) else 1 for piece in sure)


def leave_out_strokes(row, tallest):
    """Leave out the slashes and brackets in a row, a list of pieces; mark what may be one.

    tallest: the height of the page's tallest digit other than 1.
    """
    ones = [piece for piece in row if piece.is_digit and piece.digit == 1 and piece.stroke]
    if not ones:
        return  # looking for marks on a page of print takes a long time
    others = [piece for piece in row if piece.is_digit and piece.digit != 1]
    slant = np.median([slant_of(piece.ink) for piece in others] or 0)
    strokes = [piece.stroke for piece in row if piece.stroke]
    bows = [bow for lean, bow in strokes if abs(lean) < BRACKET_LEAN]
    has_brackets = min(bows, default=0) < -BOW and max(bows, default=0) > BOW
    is_formula = has_brackets or any(p.cross == "x" for p in row if not p.is_digit)
    for piece in ones:
        lean, bow = piece.stroke
        excess = lean - slant
        is_bracket = abs(lean) < BRACKET_LEAN and abs(bow) > BOW
        is_sign = others and is_formula and (is_bracket or excess > FORMULA_LEAN)
        piece.is_digit = piece.height <= TALLEST_ONE * tallest and not is_sign
        piece.may_be_mark = excess > LEAN or abs(bow) > BOW or not piece.reaches(SHORTEST_ONE)


def leave_out_words(row):
    """Leave out the words in a row, a list of pieces, that hold more letters than digits."""
    for word in words_of(row):
        digits = [piece for piece in word if piece.is_digit]
        if not digits:
            continue  # as in leave_out_strokes
        sure = [p for p in digits if p.is_sure and not p.may_be_mark]
        least = SHORTEST_LETTER * max(p.height for p in digits)
        others = [p for p in word if not p.is_digit]
        tall = [p for p in others if p.reaches(SHORTEST_LETTER) or p.height >= least]
        letters = sum(not is_mark(p) for p in tall)
        unsure = [p for p in digits if not p.is_sure]
        if letters and letters + len(unsure) / 2 > weight_of(sure):
            for piece in word:
                piece.is_digit = False
