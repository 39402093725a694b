"""The reader: from a picture of handwriting to the digits in it.

Digits are misread unless they look like MNIST's, which were all cut out, scaled to fit 20 x 20
pixels and centred by mass in 28 x 28, white on black. So a picture goes this way:

    picture.py        file    ->  grey picture, upright
    sheet.py          picture ->  the sheet of paper in it, without the desk; how much ink is where
    pieces.py         ink     ->  connected pieces; frames and ruling are gone
    segmentation.py   pieces  ->  digits: joined, cut or left out, as the network is surest
    normalise.py      a digit ->  28 x 28 pixels, as MNIST's images were made
    page.py           digits  ->  rows, reading order, the answer

Sizes follow from recognition: the height of most digits that the network is sure of tells what is a
speck, a mark or too tall. Of several sheets, the one with the most sure digits is read.

predict.py does this for the files of --predict, draw.py for what is drawn in a window, which
explanation.py explains. beyond_mnist.py makes the training images that MNIST lacks; model.npz is
the network trained with them.
"""
