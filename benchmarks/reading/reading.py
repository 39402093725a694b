"""How well pages of handwriting are read, and a picture of each kind of page with its answer.

    python benchmarks/reading/reading.py

Pages are made, most of them from MNIST's test digits, and read as a user's picture files are. Each
row of the table that is printed, in Markdown, is of one kind of page:

- read exactly: pages whose digits and spaces are right, with or without a `?`. A `_` counts as a
  space, several spaces as one;
- digit error rate: edit distance between the digits that are read and those that are written,
  divided by the number of the latter; a dash for pages without digits, where any digit is wrong;
- silent errors: pages with a wrong answer that has neither a `?` nor a `_`.

At the end it draws docs/pages.png, a page of each kind with its answer. With --choosing, the pages
are of other test digits, for choosing rules.
"""

import argparse
import functools
import io
import math
import multiprocessing
import re
import sys
import textwrap
import zlib
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np
from matplotlib.figure import Figure
from PIL import Image
from rapidfuzz.distance import Levenshtein

from benchmarks.reading.pages import KINDS
from benchmarks.reading.paper import as_image
from benchmarks.reading.writer import Writer
from benchmarks.speed.measure import print_table
from data_preprocessing import load_mnist
from files import PROJECT
from handwriting.page import recognise_page
from plots import save_figures
from save_load import load_model
from settings import RECOGNITION, check_settings, load_config

SEED = 20261203  # of the pages that docs/handwriting.md tells of


@functools.cache
def reader():
    """The network that is shipped, as a function, and the thresholds of config.py."""
    model = load_model(PROJECT / "handwriting" / "model.npz")
    return model.predict_proba, check_settings(load_config(), RECOGNITION, "config.py")


@functools.cache
def digits(choosing):
    """The images and labels that pages are made of: one half of MNIST's test digits or the other.

    The network was trained on all training digits. Each half is every other quarter of the test
    digits, since the first 5,000 are easier than the rest.
    """
    images, labels = load_mnist()[2:]
    is_chosen = (np.arange(len(labels)) // 2500 % 2 == 0) == choosing
    return images[is_chosen], labels[is_chosen]


def make_page(kind, number, choosing):
    """The picture file of page `number` of a kind, and the right answer."""
    # the name, not the place in the list: a new kind leaves the pages of the others as they are
    seed = 1 if choosing else SEED, zlib.crc32(kind.encode()), number
    return picture_file(KINDS[kind], seed, number, choosing)


def picture_file(make, seed, number, choosing):
    """The picture file of a page, and its answer. make: the function that makes the page."""
    picture, expected = make(Writer(*digits(choosing), seed), number)
    file = io.BytesIO()
    as_image(picture).save(file, "BMP")
    return file, expected


def answer_to(file):
    """The answer to a picture file, "" if there is none."""
    return recognise_page(file, *reader()).text


def judge_one(task):
    """Read a page and judge the answer; task: the arguments of make_page."""
    file, expected = make_page(*task)
    return judge(answer_to(file), expected)


def judge(answer, expected):
    """Compare an answer with the right one: exact, silent error, wrong digits, number of digits."""
    is_exact = " ".join(re.sub("[_ ]+", " ", answer.replace("?", "")).split()) == expected
    is_silent = not is_exact and answer != "" and not set("?_") & set(answer)
    read, written = (re.sub("[^0-9]", "", text) for text in (answer, expected))
    return is_exact, is_silent, Levenshtein.distance(read, written), len(written)


def draw_pages(path):
    """Draw the first page of each kind with its answer, 5 in a row, into a PNG file."""
    figure = Figure((12.5, 1.6 * math.ceil(len(KINDS) / 5)), layout="constrained")
    for place, kind in enumerate(KINDS, start=1):
        file, _ = make_page(kind, 0, choosing=False)
        answer = textwrap.shorten(answer_to(file) or "no digit found", 40)
        axes = figure.add_subplot(math.ceil(len(KINDS) / 5), 5, place)
        axes.imshow(Image.open(file).convert("RGB"))
        axes.set_title(f"{kind}\n{answer}", fontsize=7)
        axes.axis("off")
    save_figures({path.name: figure}, path.parent)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--choosing", action="store_true", help="other digits, for choosing rules")
    parser.add_argument("--number", type=int, default=100, help="of pages of each kind")
    parser.add_argument("--only", default="", help="kinds whose names hold this text")
    arguments = parser.parse_args()
    kinds = [kind for kind in KINDS if arguments.only in kind]
    header = f"{arguments.number} pages of", "read exactly", "digit error rate", "silent errors"
    with multiprocessing.Pool() as pool:
        print_table(header, (table_row(pool, kind, arguments) for kind in kinds))
    if len(kinds) == len(KINDS) and not arguments.choosing:
        draw_pages(PROJECT / "docs" / "pages.png")


def table_row(pool, kind, arguments):
    """Read pages of a kind: a row of the table."""
    tasks = ((kind, number, arguments.choosing) for number in range(arguments.number))
    results = np.array(list(pool.imap_unordered(judge_one, tasks)))
    exact, silent = results[:, :2].mean(axis=0)
    wrong, written = results[:, 2:].sum(axis=0)
    return kind, f"{exact:.1%}", f"{wrong / written:.1%}" if written else "-", f"{silent:.1%}"


if __name__ == "__main__":
    main()
