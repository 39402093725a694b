"""From pieces of ink to digits by recognition: joined, cut or left out as is most probable.

LeCun, Bottou, Bengio and Haffner: Gradient-Based Learning Applied to Document Recognition, 1998,
section V.
"""

import itertools
from dataclasses import replace

import numpy as np
from scipy.sparse.csgraph import connected_components

from handwriting.marks import is_print, may_be_digit, recognise_pieces
from handwriting.normalise import box_of
from handwriting.picture import resize
from handwriting.pieces import Piece, together

MOST_PARTS = 4  # pieces of one digit
MOST_CUTS = 12  # pieces that are cut in a word; more are print
TOUCHING = 0.75  # how much less probable it is that digits touch, at each place
# in heights of a digit:
TALLEST_FRAGMENT = 0.6  # of pieces that are close, one is no taller if they are joined
WIDEST_GAP = 0.1  # between pieces of a digit
PLACE_DISTANCE = 0.06  # between the places where a piece may be cut
WIDEST_PART = 1.4  # of a piece that is cut
LOWEST_PART = 0.6  # height of a part, at least
NARROWEST_CUT, WIDEST_CUT = 0.7, 4  # width of a piece; others are not cut, which would take long
CUT_HEIGHT = 80  # pixels; a taller piece is reduced before it is cut


def recognise_word(pieces, recognise, thresholds):
    """Join, cut or leave out the pieces of a word, a list from the left to the right.

    recognise, thresholds: see `recognise_page`. Returns a list like it.
    """
    if is_print(pieces, thresholds.doubtful_below):
        return pieces
    groups = {}  # by the numbers of the first piece and of the one after the last
    for start, number in itertools.product(range(len(pieces)), range(1, MOST_PARTS + 1)):
        group, stop = pieces[start : start + number], start + number
        if number == 1:
            groups[start, stop] = group[0]
        elif stop <= len(pieces) and may_be_one(group):
            groups[start, stop] = together(group)
    recognise_pieces([group for group in groups.values() if group.image is None], recognise)
    doubtful = [g for g in groups.values() if g.probability < thresholds.doubtful_below]
    widths = [group.width >= NARROWEST_CUT * group.digit_height for group in doubtful]
    # the logarithm of the probability of the best way to each place, and what it finds
    best = [(0, [])] + [(-np.inf, [])] * len(pieces)
    for (start, stop), group in groups.items():
        ways = []
        if may_be_digit(group, thresholds.doubtful_below):
            ways.append((group.probability, [replace(group, is_digit=True)]))
        if group.probability < thresholds.doubtful_below and sum(widths) <= MOST_CUTS:
            ways.append(cut(group, recognise, thresholds.left_out_below))
        if stop == start + 1:
            ways.append((thresholds.left_out_below, [group]))
        for probability, found in ways:
            score = best[start][0] + np.log(max(probability, 1e-9))
            if probability >= thresholds.left_out_below and score > best[stop][0]:
                best[stop] = score, best[start][1] + found
    return best[-1][1]


def may_be_one(pieces):
    """Whether pieces are as close as those of a digit, and of two neighbours one is a fragment."""
    height = max(piece.digit_height for piece in pieces)
    top, bottom, left, right = np.array([piece.box for piece in pieces]).T[:, :, None]
    gap_x = np.maximum(left, left.T) - np.minimum(right, right.T)
    gap_y = np.maximum(top, top.T) - np.minimum(bottom, bottom.T)
    is_fragment = np.minimum(bottom - top, (bottom - top).T) <= TALLEST_FRAGMENT * height
    is_close = np.maximum(gap_x, gap_y) <= WIDEST_GAP * height
    return connected_components(is_fragment & is_close, directed=False)[0] == 1


def cut(piece, recognise, least):
    """Cut a piece into two or more digits: their probability, and a list of these.

    What is less probable than `least` is not followed: print and scribbles are soon given up.
    """
    height = piece.digit_height
    if not NARROWEST_CUT * height <= piece.width <= WIDEST_CUT * height:
        return 0, []
    scale, ink = max(1, height / CUT_HEIGHT), piece.ink
    if scale > 1:
        ink = resize(ink, [max(1, round(side / scale)) for side in ink.shape])
        ink = np.clip(ink / np.percentile(ink[ink > 0.1], 90), 0, 1)
    height /= scale
    lines = cheapest_lines(ink, height)
    last, columns = len(lines) - 1, np.arange(ink.shape[1])
    best = {0: (1, [])}  # the probability of the most probable parts up to a line, and these
    for left in range(last):
        product_left, found = best.get(left, (0, []))
        parts = {}  # by the line on their right
        for right in range(left + 1, last + 1) if found or not left else ():
            is_narrow = lines[right].mean() - lines[left].mean() < WIDEST_PART * height
            if is_narrow and (left, right) != (0, last):
                sides = slice(lines[left].min(), lines[right].max())
                inside = lines[left][:, None] <= columns[sides]
                inside &= columns[sides] < lines[right][:, None]
                part = np.where(inside, ink[:, sides], 0)
                if (part > 0.5).any() and np.ptp(box_of(part)[:2]) > LOWEST_PART * height:
                    box = box_of(part) + np.array([0, 0, sides.start, sides.start])
                    box = np.rint(scale * box).astype(int) + np.repeat(piece.corner, 2)
                    parts[right] = Piece(box, part, corner=None)  # which nobody needs
        recognise_pieces(list(parts.values()), recognise)
        for right, part in parts.items():
            product = product_left * part.probability * (TOUCHING if right < last else 1)
            if product >= least and product > best.get(right, (0, []))[0]:
                best[right] = product, [*found, part]
    product, found = best.get(last, (0, []))
    if sum(part.digit == 1 for part in found) > len(found) / 2:
        return 0, []  # 1s that seem to touch are an H or M, or a scribble
    for part in found:  # it is a digit only if the others are
        part.probabilities = part.probabilities * product / part.probability
        part.digit_height, part.is_digit = piece.digit_height, True
    return product, found


def cheapest_lines(ink, digit_height):
    """Lines from the top to the bottom of ink (height, width) that cross little of it.

    Returns their columns, (n, height), evenly spaced halfway down, from edge to edge.
    """
    height, width = ink.shape
    number = max(2, round(width / digit_height / PLACE_DISTANCE))
    middles = np.arange(1, number) * width / number
    slants = np.array(sorted(np.linspace(-0.4, 0.4, 17), key=abs))  # straight if all are free
    rows = np.arange(height)
    columns = middles[:, None, None] + slants[:, None] * (rows - height / 2)
    columns = np.clip(np.rint(columns), 0, width - 1).astype(int)
    cheapest = ink[rows, columns].sum(axis=2).argmin(axis=1)
    lines = columns[np.arange(number - 1), cheapest]
    return np.vstack([np.zeros(height, int), lines, np.full(height, width)])
