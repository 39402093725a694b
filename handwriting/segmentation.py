"""From pieces of ink to digits: what touches is cut, if the network is surer of the parts."""

import itertools

import numpy as np

from handwriting.normalise import box_of, normalise

# in heights of a piece that is cut:
PLACE_DISTANCE = 0.06  # between the places where it may be cut
WIDEST_PART = 1.4  # of a part
LOWEST_PART = 0.6  # height of a part, at least
NARROWEST_CUT, WIDEST_CUT = 0.7, 8  # width of a piece; others are not cut, which would take seconds


def separate(ink, whole, recognise):
    """Cut a piece into two or more digits, if these are more probable than the whole.

    ink: (height, width) float32. whole: the piece's box, its image and probabilities. Returns a
    list of the same for each part, or for the whole. The probabilities of a part are multiplied
    by those of the other parts, since it is a digit only if these are.
    """
    height, width = ink.shape
    if not NARROWEST_CUT * height <= width <= WIDEST_CUT * height:
        return [whole]
    lines = cheapest_lines(ink)
    last, columns = len(lines) - 1, np.arange(width)
    parts = {}  # by the numbers of the lines on their left and right
    for left, right in itertools.combinations(range(last + 1), 2):
        is_narrow = lines[right].mean() - lines[left].mean() < WIDEST_PART * height
        if is_narrow and (left, right) != (0, last):
            inside = (lines[left][:, None] <= columns) & (columns < lines[right][:, None])
            part = np.where(inside, ink, 0)
            if (part > 0.5).any() and np.ptp(box_of(part)[:2]) > LOWEST_PART * height:
                parts[left, right] = part
    if not parts:
        return [whole]
    images = np.array([normalise(part) for part in parts.values()])
    answers = dict(zip(parts, zip(images, recognise(images))))
    best = [(1, [])]  # the probability of the most probable parts up to each line, and these
    for right in range(1, last + 1):
        ways = [
            (best[left][0] * answers[left, right][1].max(), [*best[left][1], (left, right)])
            for left in range(right)
            if (left, right) in answers
        ]
        best.append(max(ways, default=(0, [])))
    product, way = best[last]
    if product <= whole[2].max() or {answers[part][1].argmax() for part in way} == {1}:
        return [whole]  # 1s that seem to touch are an H or M
    found, corner = [], whole[0] - box_of(ink)
    for part in way:
        image, probabilities = answers[part]
        box = corner + box_of(parts[part])
        found.append((box, image, probabilities * product / probabilities.max()))
    return found


def cheapest_lines(ink):
    """Lines from the top to the bottom of ink (height, width) that cross little of it.

    Returns their columns, (n, height), from the left edge to the right one. Halfway down they are
    PLACE_DISTANCE apart; at each place it is the cheapest of several slants.
    """
    height, width = ink.shape
    number = max(2, round(width / height / PLACE_DISTANCE))
    middles = np.arange(1, number) * width / number
    slants = np.array(sorted(np.linspace(-0.4, 0.4, 17), key=abs))  # straight if all are free
    rows = np.arange(height)
    columns = middles[:, None, None] + slants[:, None] * (rows - height / 2)
    columns = np.clip(np.rint(columns), 0, width - 1).astype(int)
    cheapest = ink[rows, columns].sum(axis=2).argmin(axis=1)
    lines = columns[np.arange(number - 1), cheapest]
    return np.vstack([np.zeros(height, int), lines, np.full(height, width)])
