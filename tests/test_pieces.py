import numpy as np
from conftest import answer, page

from handwriting.sheet import strokes_in


def test_a_strip_along_the_border_is_no_digit_but_a_1_cut_off_at_the_top_is(clear, read):
    picture = page([clear[4], 0 * clear[0], clear[7]], margin=20)[40:]  # cut off above the digits
    picture[:, :4] = 0.15
    assert answer(picture, read) == "47"
    picture[:70, 185:193] = 0.15
    assert answer(picture, read).replace("?", "") == "417"


def test_a_thin_stroke_beside_a_thick_one_keeps_its_faint_edges():
    ink = np.zeros((60, 60))
    ink[10:30, 10:30], ink[10:30, 30] = 0.9, 0.2  # a soft edge of the thick one
    ink[10:50, 40], ink[10:50, 41] = 0.4, 0.2
    ink[10:50, 50] = 0.25  # noise
    expected = np.zeros((60, 60), bool)
    expected[10:30, 10:30] = expected[10:50, 40:42] = True
    assert (strokes_in(ink) == expected).all()
