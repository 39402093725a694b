"""From pieces of ink to digits by recognition: joined, cut or left out as is most probable.

LeCun, Bottou, Bengio and Haffner: Gradient-Based Learning Applied to Document Recognition, 1998,
section V.
"""

import itertools
from dataclasses import replace

import numpy as np

from handwriting.marks import is_mark, may_be_digit, may_be_lost
from handwriting.normalise import box_of
from handwriting.pieces import recognise_pieces, together
from handwriting.rows import TALL, words_of

MOST_JOINED = 3  # pieces of one digit
TOUCHING = 0.73  # factor of the probability for each place where digits touch
GUESSED = 0.4  # factor of `left_out_below` for pieces that are guessed
SURE_PER_UNSURE = 2  # sure digits around a guess for each unsure or lost piece, at least
# in heights of a digit:
TALLEST_FRAGMENT = 0.6  # of the shorter of two close pieces that are joined
WIDEST_GAP = 0.1  # between pieces of a digit
PLACE_DISTANCE = 0.06  # between the places where a piece may be cut
WIDEST_PART = 1.4  # of a piece that is cut
SHORTEST_PART = 0.6  # height of a part, at least
NARROWEST_CUT, WIDEST_CUT = 0.7, 4  # width of a piece that is cut; wider ones take a long time


def recognise_row(row, recognise, thresholds):
    """Join, cut or leave out the pieces of a row, a list from the left to the right.

    A piece that is left out is guessed if its word holds enough sure digits. Returns a list like
    `row`.
    """
    result = []
    for word in words_of(row):
        found = recognise_word(word, recognise, thresholds)
        lost = [p for p in found if not p.is_digit and may_be_lost(p) and not is_mark(p)]
        digits = [piece for piece in found if piece.is_digit]
        sure = sum(piece.is_sure for piece in digits)
        if lost and sure >= SURE_PER_UNSURE * (len(digits) - sure + len(lost)):
            found = recognise_word(word, recognise, thresholds, lost)
        result += found
    return result


def recognise_word(pieces, recognise, thresholds, guessed=()):
    """Join, cut or leave out the pieces of a word, a list: see `recognise_row`.

    guessed: those of them for which a lower probability is enough.
    """
    # what may be a digit, by the numbers of its first piece and of the one after its last
    candidates = {(n, n + 1): piece for n, piece in enumerate(pieces)}
    for start, number in itertools.product(range(len(pieces)), range(2, MOST_JOINED + 1)):
        group = pieces[start : start + number]
        if len(group) == number and may_belong_together(group):
            candidates[start, start + number] = together(group)
    joined = [candidate for candidate in candidates.values() if candidate.image is None]
    recognise_pieces(joined, recognise)
    middle = np.median([p.box[:2].mean() for p in pieces if p.reaches(TALL)] or 0)
    # The logarithm of the probability of the best way to each place, and what it finds. A product
    # of many probabilities would underflow.
    best = [(0, [])] + [(-np.inf, [])] * len(pieces)
    for (start, stop), candidate in sorted(candidates.items()):
        is_guessed = any(piece in guessed for piece in pieces[start:stop])
        least = thresholds.left_out_below * (GUESSED if is_guessed else 1)
        ways = []
        if may_be_digit(candidate, middle):
            ways.append((candidate.probability, [replace(candidate, is_digit=True)]))
        if not candidate.is_sure:
            ways.append(cut(candidate, recognise, least))
        if stop == start + 1:
            ways.append((least, [candidate]))
        for probability, found in ways:
            score = best[start][0] + np.log(max(probability, 1e-9))
            if found and probability >= least and score > best[stop][0]:
                best[stop] = score, best[start][1] + found
    return best[-1][1]


def may_belong_together(pieces):
    """Whether pieces are as close as those of a digit, and of two neighbours one is a fragment."""
    height = max(piece.digit_height for piece in pieces)
    top, bottom, left, right = np.array([piece.box for piece in pieces]).T[:, :, None]
    gap_x = np.maximum(left, left.T) - np.minimum(right, right.T)
    gap_y = np.maximum(top, top.T) - np.minimum(bottom, bottom.T)
    is_fragment = np.minimum(bottom - top, (bottom - top).T) <= TALLEST_FRAGMENT * height
    is_close = np.maximum(gap_x, gap_y) <= WIDEST_GAP * height
    pairs = np.count_nonzero(np.triu(is_fragment & is_close, 1))
    return pairs >= len(pieces) - 1  # of up to three pieces, this connects all


def cut(piece, recognise, least):
    """Cut a piece into two or more digits: their probability, and a list of these.

    What is less probable than `least` is not followed, so print and scribbles are soon given up.
    """
    height, width = piece.digit_height, piece.ink.shape[1]
    if not NARROWEST_CUT * height <= piece.width <= WIDEST_CUT * height:
        return 0, []
    number = max(2, round(width / height / PLACE_DISTANCE))
    places = np.unique(np.rint(np.linspace(0, width, number + 1)).astype(int))
    best = {0: (1, [])}  # as in recognise_word, by the place, and without logarithms
    for left in places[:-1]:
        if left not in best:
            continue
        product_left, found = best[left]
        parts = {}  # by the place on their right
        for right in places[places > left]:
            ink = piece.ink[:, left:right]
            is_whole = right - left == width
            if right - left > WIDEST_PART * height or is_whole or not (ink > 0.5).any():
                continue
            box = box_of(ink) + np.repeat(np.add(piece.corner, (0, left)), 2)
            if box[1] - box[0] > SHORTEST_PART * height:
                own = {"box": box, "ink": ink, "corner": None, "image": None}
                parts[right] = replace(piece, **own, is_digit=True)
        recognise_pieces(list(parts.values()), recognise)
        for right, part in parts.items():
            product = product_left * part.probability * (TOUCHING if right < width else 1)
            if product >= least and product > best.get(right, (0, []))[0]:
                best[right] = product, [*found, part]
    product, found = best.get(width, (0, []))
    if sum(part.digit == 1 for part in found) > len(found) / 2:
        return 0, []  # 1s that seem to touch are an H or M, or a scribble
    for part in found:  # it is a digit only if the others are
        part.probabilities = part.probabilities * product / part.probability
    return product, found
