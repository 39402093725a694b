"""The reader: from a picture of handwriting to the digits in it.

MNIST's digits were all cut out, scaled to fit 20 x 20 pixels and centred by mass in 28 x 28, white
on black. Other digits are misread unless they are made like them. So a picture goes this way:

    picture.py        file     ->  grey picture, upright
    sheet.py          picture  ->  the sheets of paper in it; how much ink is where
    lines.py          ink      ->  ink without ruling, boxes and combs
    pieces.py         ink      ->  connected pieces
    normalise.py      a piece  ->  28 x 28 pixels, as MNIST's images were made, to be recognised
    marks.py          pieces   ->  the height of the digits around each; what is a sign or print
    grid.py           ink      ->  the cells of a sudoku or table; what is in them is read alone
    rows.py           pieces   ->  rows of them
    segmentation.py   a row    ->  digits: pieces joined, cut or left out, as is most probable
    page.py           digits   ->  the answer, of the best sheet

Sizes follow from recognition: the height of confidently recognised digits nearby decides what is a
speck, a mark or too tall. Of several sheets, the one with the most such digits is read, 1s not
counted, less half the number of shapes in doubt.

`recognise_page` in page.py goes this way, for each file of --predict in predict.py, and for
the drawings and photographs that draw.html, the page of --draw, sends to its server, draw.py.
beyond_mnist.py makes the training images that MNIST lacks; model.npz is the network trained with
them.
"""
