"""Pages for the tests: digits of MNIST's training images in a row, and what is read on them.

The test images are left to benchmarks/reading/.
"""

import io

import numpy as np

from benchmarks.reading import paper
from benchmarks.reading.paper import as_image
from benchmarks.reading.writer import enlarged
from handwriting.page import recognise_page
from main import main
from settings import RECOGNITION, check_settings, load_config

THRESHOLDS = check_settings(load_config(), RECOGNITION, "config.py")


def page(images, scale=4, **options):
    """A picture (height, width) of images (n, 28, 28), enlarged, in a row: see paper.page."""
    return paper.page(enlarged(np.hstack(images) / 255, scale), **options)


def save(path, picture, **options):
    """Save a picture from 0 to 1 in the format that the name of the path says."""
    as_image(picture).save(path, **options)
    return path


def page_of(picture, read):
    """What is read in a grey picture (height, width): a Page."""
    file = io.BytesIO()
    as_image(picture).save(file, "PNG")
    return recognise_page(file, read, THRESHOLDS)


def answer(picture, read):
    return page_of(picture, read).text


def answer_to_file(path, read):
    return recognise_page(path, read, THRESHOLDS).text


def predict(capsys, folder, *paths):
    """Exit status, output and errors of --predict; its picture goes to folder/plots."""
    status = main(["--predict", *map(str, paths), "--plots-dir", str(folder / "plots")])
    return status, *capsys.readouterr()
