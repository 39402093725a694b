"""The grid of a sudoku, a table or a form: what is written in its cells, without the lines."""

import numpy as np
from scipy import ndimage

from handwriting.normalise import boxes_of
from handwriting.rows import rows_of
from handwriting.sheet import FAINTEST_INK, NEIGHBOURS

FEWEST_CELLS, MOST_CELLS = 9, 1000  # squared paper has more; time grows with their square
SMALLEST_CELL = 16  # pixels of the shorter side
LONGEST_CELL = 4  # longer divided by shorter side of a cell, at most
EMPTY = 1 / 3  # of a cell, the share that no stroke covers, at least
ALIKE = 1.7  # area of one cell of a grid divided by that of another, at most
DIVIDER = 0.25  # thickness of what divides cells, at most, as a share of a square cell's side
RIM = 0.03  # width of the rim of a cell that may hold remnants of lines, as a share of its side
WHOLE = 1.2  # area of a cell divided by that of a hole that shows all of it, or vice versa, at most
SEEN = 0.75  # share of a cell that such holes cover, at least
FEW_POINTS = 6  # of a line that isn't taken for bent


def find_grid(ink):
    """The largest grid in ink (height, width): three arrays of its shape, or None.

    The first two, integers, hold the numbers of its row and its column for each pixel in a cell,
    counted from 1, and 0 on lines and elsewhere. The third is a mask of all within the grid.
    """
    is_line = ndimage.binary_closing(np.pad(ink > FAINTEST_INK, 2), NEIGHBOURS)[2:-2, 2:-2]
    holes, _ = ndimage.label(~is_line)
    numbers, side = find_cells(holes)
    if len(numbers) < FEWEST_CELLS:
        return None
    boxes = boxes_of(holes)[numbers - 1]
    places = [(slice(*box[:2]), slice(*box[2:])) for box in boxes]
    masks = [filled(holes[place] == number) for place, number in zip(places, numbers)]
    # where holes are missing or divided by strokes, the lines of their row and column go on
    rows = bands(boxes, masks, ink.shape)
    columns = bands(boxes[:, [2, 3, 0, 1]], [mask.T for mask in masks], ink.shape[::-1]).T
    cells = np.where((rows > 0) & (columns > 0), rows * (columns.max() + 1) + columns, 0)
    is_inside = insides(cells, places, masks, max(2, round(RIM * side)))
    outline = ndimage.maximum_filter(cells, 2 * reach_of(side) + 1) > 0
    return rows * is_inside, columns * is_inside, outline


def find_cells(holes):
    """The numbers of the holes between lines, labels (height, width), that are cells of one grid.

    These are alike and next to each other. Returns an array, empty if there are few, and the side
    of a square cell of their size.
    """
    boxes, areas = boxes_of(holes), np.bincount(holes.flat)[1:]
    sides = np.sort(boxes[:, 1::2] - boxes[:, ::2], axis=1)
    is_cell = (sides[:, 0] >= SMALLEST_CELL) & (sides[:, 1] <= LONGEST_CELL * sides[:, 0])
    is_cell &= areas > EMPTY * sides.prod(axis=1)
    areas = areas[is_cell]
    if not FEWEST_CELLS <= len(areas) <= MOST_CELLS:
        return np.empty(0, int), 0
    is_alike = np.maximum(areas, areas[:, None]) <= ALIKE * np.minimum(areas, areas[:, None])
    is_many = is_alike.sum(axis=1) >= FEWEST_CELLS
    best = np.argmax(is_many * (is_alike @ areas))  # they are most of the page
    numbers, side = 1 + np.flatnonzero(is_cell)[is_alike[best]], areas[best] ** 0.5
    is_near = ndimage.binary_dilation(np.isin(holes, numbers), NEIGHBOURS, reach_of(side))
    grids = ndimage.maximum(ndimage.label(is_near)[0], holes, numbers).astype(int)
    return numbers[grids == np.bincount(grids).argmax()], side


def reach_of(side):
    """Half the greatest thickness of what divides cells with this side, in pixels."""
    return max(1, round(DIVIDER * side / 2))


def filled(mask):
    """The mask (height, width) with all between two of its pixels in a row or in a column."""
    for axis in (0, 1, 0, 1):  # twice, since what is filled in columns makes rows longer
        before = np.maximum.accumulate(mask, axis)
        after = np.flip(np.maximum.accumulate(np.flip(mask, axis), axis), axis)
        mask = before & after
    return mask


def bands(boxes, masks, shape):
    """The row of cells, counted from 1, that each pixel of a picture of this shape is in; or 0.

    boxes: (n, 4), of holes; masks: where these are in their boxes, a list.
    """
    numbers = rows_of(boxes, boxes[:, 1] - boxes[:, 0])
    rows, y = np.zeros(shape, int), np.arange(shape[0])[:, None]
    for number in range(numbers.max() + 1):
        points = []  # on the upper and lower ends of the row's holes: x, top, bottom
        for n in np.flatnonzero(numbers == number):
            width = masks[n].shape[1]
            for x in (width // 4, 3 * width // 4):
                part = masks[n][:, max(0, x - width // 8) : x + width // 8 + 1].any(axis=1)
                ends = np.flatnonzero(part)[[0, -1]] + (0, 1)
                points.append((boxes[n, 2] + x, *(boxes[n, 0] + ends)))
        x, tops, bottoms = np.transpose(points)
        top, bottom = (line_through(x, ends, shape[1]) for ends in (tops, bottoms))
        rows[(y >= top) & (y < bottom)] = number + 1
    return rows


def line_through(x, y, width):
    """The line, perhaps slightly bent, through most points (x, y), (n,) each: y for all of width.

    Siegel: Robust Regression Using Repeated Medians, 1982; then least squares, without outliers.
    """
    from scipy import stats  # slow to import

    slope, start = stats.siegelslopes(y, x)
    errors = abs(start + slope * x - y)
    is_close = errors <= max(2, 2 * np.median(errors))
    degree = 2 if len(np.unique(x[is_close])) > FEW_POINTS else 1
    return np.polynomial.Polynomial.fit(x[is_close], y[is_close], degree)(np.arange(width))


def insides(cells, places, masks, rim):
    """The pixels in cells that are on no line: a mask.

    A hole shows exactly where the lines of its cell are. The ends of rows and columns may be some
    pixels off, so a rim is left out of cells without a hole of about their size.
    cells: (height, width), the number of each pixel's cell or 0. places, masks: of the holes, lists
    of slices and masks in these. rim: in pixels.
    """
    sizes = np.bincount(cells.flat)
    is_whole = np.zeros(cells.shape, bool)
    for place, mask in zip(places, masks):
        size = sizes[np.bincount(cells[place][mask]).argmax()]
        if size / WHOLE <= mask.sum() <= size * WHOLE:
            is_whole[place] |= mask
    shares = np.bincount(cells.flat, is_whole.flat) / np.maximum(1, sizes)
    window = 2 * rim + 1
    is_inner = ndimage.minimum_filter(cells, window) == ndimage.maximum_filter(cells, window)
    return (cells > 0) & np.where(shares[cells] > SEEN, is_whole, is_inner)
