"""The reader: from a picture of handwriting to the digits in it.

The network reads images that are made as MNIST's were: digits cut out, scaled to fit 20 x 20 pixels
and centred by mass in 28 x 28, white on black. So a picture goes this way:

    picture.py        file     ->  grey picture, upright
    sheet.py          picture  ->  the sheets of paper in it; how much ink is where
    lines.py          ink      ->  ink without ruling, boxes, combs and circles
    pieces.py         ink      ->  connected pieces, recognised; the height of digits around each
    normalise.py      a piece  ->  28 x 28 pixels, as MNIST's images were made
    grid.py           ink      ->  the cells of a sudoku or table, and what is in them
    rows.py           pieces   ->  rows and words
    marks.py          pieces   ->  what is a sign, a letter or print
    segmentation.py   a row    ->  digits: pieces joined, cut or left out, as is most probable
    page.py           digits   ->  the answer, of the best sheet

`recognise_page` in page.py goes this way, for --predict (predict.py) and for --draw (the server
draw.py and its page, draw.html). beyond_mnist.py makes the training images that MNIST lacks;
model.npz is the network trained with them. docs/handwriting.md explains the method.
"""
