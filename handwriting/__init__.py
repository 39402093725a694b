"""The reader: from a picture of handwriting to the digits in it.

Digits are misread unless they look like MNIST's, which were all cut out, scaled to fit 20 x 20
pixels and centred by mass in 28 x 28, white on black. So a picture goes this way:

    picture.py        file    ->  grey picture, upright; how much ink each pixel holds
    pieces.py         ink     ->  pieces that may be digits; frames, ruling and specks are gone
    segmentation.py   pieces  ->  digits; what touches is cut
    normalise.py      a digit ->  28 x 28 pixels, as MNIST's images were made
    page.py           digits  ->  rows, reading order, the answer

predict.py does this for the files of --predict, draw.py for what is drawn in a window, which
explanation.py explains. beyond_mnist.py makes the training images that MNIST lacks; model.npz is
the network trained with them.
"""
