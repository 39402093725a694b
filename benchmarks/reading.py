"""How well pages of handwriting are read, and a picture of each kind of page with its answer.

    python benchmarks/reading.py

Pages are made from MNIST's test digits and read as a user's picture files are. Each row of the
table that is printed, in Markdown, is of one kind of page:

- read exactly: pages whose digits and spaces are right, with or without a `?`. A `_` counts as a
  space, several spaces as one;
- digit error rate: edit distance between the digits that are read and those that are written,
  divided by the number of the latter; a dash for pages without digits, where any digit is wrong;
- silent errors: pages that are not read exactly, and whose answer has neither a `?` nor a `_`.

It takes about 10 minutes on 2 cores, or less with --short, the kinds in docs/handwriting.md. In the
end it draws docs/handwriting.jpg, five digits on squared paper, partly in the shade, and
docs/pages.png, a page of each kind with its answer.
"""

import argparse
import functools
import io
import multiprocessing
import os
import re
import sys
import textwrap
import zlib
from pathlib import Path

PROJECT = Path(__file__).parent.parent
sys.path.insert(0, str(PROJECT))
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # the processes share the cores already

import numpy as np
from matplotlib import get_data_path
from pages import KINDS, SHORT
from PIL import Image, ImageDraw, ImageFont
from sklearn.datasets import load_digits
from spoil import as_image
from writer import Writer

from data_preprocessing import load_mnist
from files import UserError
from handwriting.page import recognise_page
from save_load import load_model
from settings import RECOGNITION, check_settings, load_config

SEED = 20261203  # of the pages of test digits


@functools.cache
def reader():
    """The network that is shipped, as a function from images to probabilities."""
    return load_model(PROJECT / "handwriting" / "model.npz").predict_proba


@functools.cache
def digits(training):
    """The images and labels that pages are made of."""
    images, labels, test_images, test_labels = load_mnist()
    return (images[-10_000:], labels[-10_000:]) if training else (test_images, test_labels)


load_digits_once = functools.cache(load_digits)


def make_page(kind, number, training):
    """The picture file of the page of a kind with a number, and the answer that is right."""
    images, labels = digits(training)
    if "load_digits" in kind:
        small = load_digits_once()
        images, labels = small.images, small.target
    # the name, not the place in the list: a new kind leaves the pages of the others as they are
    seed = 1 if training else SEED, zlib.crc32(kind.encode()), number
    picture, expected = KINDS[kind][1](Writer(images, labels, seed), number)
    return (picture if isinstance(picture, io.BytesIO) else picture_file(picture)), expected


def picture_file(picture):
    """A page from 0 to 1 as the bytes of a picture file."""
    file = io.BytesIO()
    as_image(picture).save(file, "BMP")
    return file


def answer_to(file):
    """The answer to a picture file, "" if there is none."""
    try:
        thresholds = check_settings(load_config(), RECOGNITION, "config.py")
        return recognise_page(file, reader(), thresholds).text
    except UserError:  # too many blobs
        return ""


def judge_one(task):
    """Read a page: whether that is exact, silently wrong; wrong digits, number of digits."""
    file, expected = make_page(*task)
    return judge(answer_to(file), expected)


def judge(answer, expected):
    """Compare an answer with the right one: exact, silent error, wrong digits, number of digits."""
    is_exact = " ".join(re.sub("[_ ]+", " ", answer.replace("?", "")).split()) == expected
    is_silent = not is_exact and answer != "" and not set("?_") & set(answer)
    read, written = (re.sub("[^0-9]", "", text) for text in (answer, expected))
    return is_exact, is_silent, edit_distance(read, written), len(written)


def edit_distance(one, other):
    """The least number of insertions, deletions and substitutions that turn a text into another."""
    distances = list(range(len(other) + 1))  # from what is read of `one` to each start of `other`
    for row, left in enumerate(one, 1):
        diagonal, distances[0] = distances[0], row
        for column, right in enumerate(other, 1):
            substituted = diagonal + (left != right)
            diagonal = distances[column]
            distances[column] = min(diagonal + 1, distances[column - 1] + 1, substituted)
    return distances[-1]


def draw_example(images, path):
    """Draw images (n, 28, 28) in pen on squared paper, like a photo, into a JPEG file."""
    random_generator = np.random.default_rng(0)
    height, width, side = 500, 1300, 190
    y, x = np.indices((height, width))
    ink = np.zeros((height, width))
    for place, image in enumerate(images):
        large = Image.fromarray(image).resize((side, side), Image.Resampling.BICUBIC)
        top, left = 130 + random_generator.integers(-15, 16), 110 + 220 * place
        ink[top : top + side, left : left + side] = np.asarray(large) / 255
    askew = x - y // 40, y + x // 40
    lines = np.maximum(*(np.exp(-((((c + 22) % 44 - 22) / 1.5) ** 2)) for c in askew))
    paper = np.array([0.96, 0.94, 0.88]) - lines[..., None] * np.array([0.28, 0.2, 0.08])
    pen = np.array([0.12, 0.16, 0.42])
    picture = paper + ink[..., None] * (pen - paper)
    shade = 1 / (1 + np.exp(-(x + 0.8 * y - 1000) / 25))  # of a hand, from the lower right
    light = (1 - 0.45 * shade) * (0.7 + 0.3 * np.cos((x - 350) / 900))
    picture = picture * light[..., None] + random_generator.normal(0, 0.02, (height, width, 1))
    as_image(picture).save(path, quality=80)


def draw_pages(path):
    """Draw the first page of each kind with its answer, 5 in a row, into a PNG file."""
    width, height, columns = 250, 150, 5
    sheet = Image.new("RGB", (columns * width, -(-len(KINDS) // columns) * height), "white")
    pen = ImageDraw.Draw(sheet)
    font = ImageFont.truetype(f"{get_data_path()}/fonts/ttf/DejaVuSans.ttf", 10)
    for place, kind in enumerate(KINDS):
        file, _ = make_page(kind, 0, training=False)
        answer = textwrap.wrap(answer_to(file) or "no digit found", 36, max_lines=2)
        image = Image.open(file).convert("RGB")
        image.thumbnail((width - 20, height - 60))
        top, left = place // columns * height, place % columns * width
        sheet.paste(image, (left, top + 20))
        pen.text((left, top), kind[:44].replace("`", ""), "black", font)
        pen.text((left, top + 24 + image.height), "\n".join(answer), "#0072b2", font)
    sheet.quantize(128).save(path, optimize=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--training", action="store_true", help="pages of training digits")
    parser.add_argument("--share", type=float, default=1, help="of the pages of each kind")
    parser.add_argument("--short", action="store_true", help="kinds in docs/handwriting.md")
    parser.add_argument("--only", default="", help="kinds whose names hold this text")
    parser.add_argument("--processes", type=int, help="by default, one for each core")
    arguments = parser.parse_args()
    images, labels = digits(arguments.training)
    right = reader()(images).argmax(axis=1) == labels
    print(f"The network reads {right.mean():.2%} of the images themselves.\n")
    print("| pages | number | read exactly | digit error rate | silent errors |")
    print("|---|---:|---:|---:|---:|")
    with multiprocessing.Pool(arguments.processes) as pool:
        for kind, (number, _) in (SHORT if arguments.short else KINDS).items():
            if arguments.only not in kind:
                continue
            number = max(1, round(number * arguments.share))
            tasks = ((kind, n, arguments.training) for n in range(number))
            results = np.array(list(pool.imap_unordered(judge_one, tasks)))
            exact, silent = results[:, :2].mean(axis=0)
            wrong, written = results[:, 2:].sum(axis=0)
            rate = f"{wrong / written:.1%}" if written else "-"
            print(f"| {kind} | {number:,} | {exact:.1%} | {rate} | {silent:.1%} |", flush=True)
    if not arguments.training:
        example = [np.flatnonzero(labels == digit)[10] for digit in (9, 0, 2, 1, 0)]
        draw_example(images[example], PROJECT / "docs" / "handwriting.jpg")
        draw_pages(PROJECT / "docs" / "pages.png")


if __name__ == "__main__":
    main()
