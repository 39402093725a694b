"""From a picture to digits like MNIST's, and their answers.

Digits are misread unless they look like MNIST's, which were all cut out, scaled to fit 20 x 20
pixels and centred by mass in 28 x 28, white on black. So a picture goes through these steps:

    picture.py      file           ->  how much ink each pixel holds
    pieces.py       ink            ->  what may be digits; frames, specks and the table are gone
    normalise       ink of each    ->  28 x 28, as MNIST's images were made
    read_ink        images         ->  answer; what touches is cut, what is no digit is left out
"""

import itertools
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage
from scipy.sparse.csgraph import connected_components

from files import UserError
from model import CLASSES, SIDE
from picture import FORMATS, find_ink, read_picture, resize
from pieces import find_digits

WORKING_SIZE = 1200  # pixels of the longer side, about, that a larger picture is reduced to
FULL_SIZE = 4000  # the same where the digits are small
SMALL = 24  # pixels; if digits are shorter, the picture is read again at FULL_SIZE
# in heights of a blob that is cut:
PLACE_DISTANCE = 0.06  # between the places where it may be cut
WIDEST_PART = 1.4  # of a part
LOWEST_PART = 0.6  # height of a part, at least
NARROWEST_BLOB, WIDEST_BLOB = 0.7, 8  # others are not cut; it would take seconds


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


def read_pictures(paths, read, reading, folder):
    """Read the digits in pictures, print them, and save what the network saw in a folder.

    read: function that turns images (n, 28, 28) uint8 into probabilities (n, 10). reading: the
    settings for reading. Returns the exit status: 1 if a picture can't be read or shows no digit.
    """
    answers, failures = [], 0
    for path in expand_folders(paths):
        try:
            page = read_page(path, read, reading)
        except UserError as error:
            print(f"error: {path}: {error}", file=sys.stderr)
            failures += 1
            continue
        which = f" (page 1 of {page.pages})" if page.pages > 1 else ""
        if not page.texts:
            print(f"{path}{which}: no digit found")
            failures += 1
            continue
        numbers = " ".join(f"{probability:.2f}" for probability in page.probabilities.max(axis=1))
        print(f"{path}{which}: {page.text}  ({numbers})", flush=True)
        answers.append((path, page))
    if answers:
        import plots  # after the answers, since matplotlib is slow to import

        figures = {"recognised.png": plots.plot_recognised(answers)}
        plots.save_figures(figures, folder)
        print(f"Saved what the network saw in {folder / 'recognised.png'}.")
    return 1 if failures else 0


def expand_folders(paths):
    """The paths, each folder replaced by its pictures, sorted by name."""
    format_of = Image.registered_extensions()
    files = []
    for path in map(Path, paths):
        inside = sorted(path.iterdir()) if path.is_dir() else []
        files += [p for p in inside if format_of.get(p.suffix.lower()) in FORMATS] or [path]
    return files


def read_page(path, read, reading):
    """Read the digits in a picture file: a Page. Raises UserError if it is no picture of digits.

    path: a path or a file object. read, reading: as for `read_pictures`.
    """
    for size in (WORKING_SIZE, FULL_SIZE):
        picture, factor, pages = read_picture(path, size)
        page = read_ink(picture, find_ink(picture), read, reading)
        page.pages = pages
        heights = page.boxes[:, 1] - page.boxes[:, 0]
        if factor == 1 or (len(heights) and np.median(heights) >= SMALL):
            break
    return page


def read_ink(picture, ink, read, reading):
    """Read the digits in the ink (height, width) of a picture: a Page.

    Raises UserError if there are more than MOST_DIGITS.
    """
    inks, boxes, left_out = find_digits(ink)
    images = np.array([normalise(part) for part in inks], np.uint8).reshape(-1, SIDE, SIDE)
    found = []
    for part, *whole in zip(inks, boxes, images, read(images)):
        is_doubtful = whole[-1].max() < reading.doubtful_below
        found += cut(part, whole, read) if is_doubtful else [whole]
    if not found:
        return Page(picture, boxes, images, np.zeros((0, CLASSES)), [], "", left_out)
    boxes, images, probabilities = map(np.array, zip(*found))
    is_digit = probabilities.max(axis=1) >= reading.left_out_below
    is_digit[is_digit] = ~are_marks(boxes[is_digit], probabilities[is_digit])
    left_out = np.vstack([left_out, boxes[~is_digit]])
    boxes, images, probabilities = boxes[is_digit], images[is_digit], probabilities[is_digit]
    rows = rows_of(boxes)
    order = np.lexsort((boxes[:, 2:].sum(axis=1), rows))
    boxes, images, probabilities = boxes[order], images[order], probabilities[order]
    texts = digit_texts(probabilities, reading.doubtful_below)
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


def cut(ink, whole, read):
    """Cut a blob into two or more digits, if these are more probable than the whole.

    ink: (height, width) float32. whole: the blob's box, its image and probabilities. Returns a
    list of the same for each part, or for the whole. The probabilities of a part are multiplied
    by those of the other parts, since it is a digit only if these are.
    """
    height, width = ink.shape
    if not NARROWEST_BLOB * height <= width <= WIDEST_BLOB * height:
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
    answers = dict(zip(parts, zip(images, read(images))))
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


def box_of(ink):
    """The box around the strokes in ink (height, width): top, bottom, left, right, (4,)."""
    y, x = np.nonzero(ink > 0.5)
    return np.array([y.min(), y.max() + 1, x.min(), x.max() + 1])


def normalise(ink):
    """Make the ink of one digit an image as MNIST's are: (28, 28) uint8.

    ink: (height, width) float32, 0 on paper and 1 within strokes. A square around the middle of
    the ink's bounding box, as large as its longer side, is scaled to 20 x 20 pixels, and then the
    centre of mass moved to the middle by whole pixels (LeCun, Bottou, Bengio and Haffner:
    Gradient-Based Learning Applied to Document Recognition, 1998, section III-A). In all
    of MNIST's images, the centre of mass is within half a pixel of the centre of pixel (14, 14).
    """
    top, bottom, left, right = box_of(ink)
    side = max(bottom - top, right - left)
    ink = np.pad(np.clip(ink, 0, 1), side)  # the square may reach out of the picture
    y, x = (top + bottom + side) / 2, (left + right + side) / 2
    image = resize(ink, (20, 20), (x, y, x + side, y + side))
    image = image / np.clip(image.max(), 0.1, 1)  # the strokes of a thin pen would be pale
    image = np.rint(255 * np.clip(image, 0, 1))
    canvas = np.zeros((SIDE, SIDE), np.uint8)
    top, left = (min(max(round(14 - c), 0), 8) for c in ndimage.center_of_mass(image))
    canvas[top : top + 20, left : left + 20] = image
    return canvas
