"""The cells of a grid are read row by row, without its lines and what is around it."""

import numpy as np
from conftest import page, page_of
from scipy import ndimage

from handwriting.grid import find_grid

SIDE = 112  # of a cell, pixels
ROWS = [(3, 7, 0, 2), (5, 4, 6, 9), (2, 2, 8, 5), (7, 3, 9, 4)]


def with_lines(picture, rows, columns):
    """The picture with the lines of a grid of cells from its upper left corner on."""
    grid = picture[: SIDE * rows + 4, : SIDE * columns + 4]
    y, x = np.indices(grid.shape) % SIDE
    grid[(y < 4) | (x < 4)] = 0.2
    return picture


def table(clear):
    """Four rows of four digits in cells: (456, 456)."""
    cells = np.vstack([page(clear[list(row)], margin=0) for row in ROWS])
    return with_lines(np.pad(cells, (0, 8), constant_values=0.9), 4, 4)


def test_rows_of_cells_without_lines(clear):
    picture = np.pad(table(clear), 50, constant_values=0.9)
    picture[50 + SIDE : 54 + SIDE, 80:90] = 0.9  # a gap joins two holes
    picture[50 + 2 * SIDE : 54 + 3 * SIDE, 230] = 0.2  # a stroke divides one
    rows, columns, outline = find_grid(0.9 - picture)
    middles = 50 + SIDE // 2 + SIDE * np.arange(4)
    assert (rows[np.ix_(middles, middles)] == [[1], [2], [3], [4]]).all()
    assert (columns[np.ix_(middles, middles)] == [1, 2, 3, 4]).all()
    lines = 52 + SIDE * np.arange(5)
    assert not rows[lines].any() and not rows[:, lines].any()
    inside = outline[54:-54, 54:-54]
    assert inside.all() and outline.sum() < 1.2 * inside.size


def test_print_around_a_tilted_table_is_left_alone(clear, read):
    heading = page(clear[[6, 0, 6, 0, 3]], 2, margin=0)
    picture = np.pad(table(clear), 120, constant_values=0.9)
    picture[20:76, 100:380] = picture[-76:-20, 200:480] = heading
    found = page_of(ndimage.rotate(picture, 5, order=1, cval=0.9), read)
    assert found.text == "3702 5469 2285 7394"
    assert found.rows.tolist() == [row for row in range(4) for _ in range(4)]
    top, bottom, left, right = found.boxes.T
    assert max((bottom - top).max(), (right - left).max()) < SIDE  # no line is part of a digit


def test_shaded_cells(clear, read):
    picture = table(clear)
    shade = 0.3 + 0.1 * np.random.default_rng(0).random(picture.shape)  # as printed in dots
    is_shaded = np.equal(*(np.indices(picture.shape) // SIDE))  # on the diagonal
    picture = np.where(is_shaded, np.minimum(picture, 1 - shade), picture)
    picture = np.pad(picture, 50, constant_values=0.9)
    assert page_of(picture, read).text.replace("?", "") == "3702 5469 2285 7394"


def test_an_empty_table_beside_digits(clear, read):
    picture = with_lines(np.full((4 * SIDE, 8 * SIDE), 0.9), 3, 3)
    picture[SIDE : 2 * SIDE, 4 * SIDE : 7 * SIDE] = page(clear[[4, 7, 5]], margin=0)
    assert page_of(np.pad(picture, 40, constant_values=0.9), read).text == "475"


def test_cells_settle_rows_and_spaces_whatever_the_height_of_their_digits(clear, read):
    picture = np.full((3 * SIDE + 4, 4 * SIDE + 4), 0.9)
    for row, column in np.ndindex(3, 4):  # small, at the top or the bottom of a cell
        y, x = SIDE * row + (8 if (row + column) % 2 else 50), SIDE * column + 28
        picture[y : y + 56, x : x + 56] = page(clear[[ROWS[row][column]]], 2, margin=0)
    picture[SIDE:-SIDE, SIDE : 2 * SIDE] = 0.9  # an empty cell
    grid = np.pad(with_lines(picture.copy(), 3, 4), 40, constant_values=0.9)
    assert page_of(grid, read).text == "3702 5 69 2285"
    picture[:, : 2 * SIDE] = 0.9
    for row, column in np.ndindex(3, 2):  # numbers of two digits
        y, x = SIDE * row + 28, SIDE * column + 3
        picture[y : y + 56, x : x + 108] = page(clear[[4, 7]], 2, margin=0)[:, 2:-2]
    grid = np.pad(with_lines(picture, 3, 4), 40, constant_values=0.9)
    assert page_of(grid, read).text == "47 47 0 2 47 47 6 9 47 47 8 5"
