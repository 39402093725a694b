"""How well pictures of digits are read: MNIST's test digits on made-up pages, and load_digits.

    python benchmarks/handwriting.py

Every digit is enlarged 3 to 5 times and drawn in dark ink on a light page of its own; each row of
the table that is printed, in Markdown, spoils these pages in another way. They go through
everything a user's picture goes through after its file is read; a page on which not exactly one
digit is found counts as read wrongly. It takes about 5 minutes on 2 cores, and first draws
docs/handwriting.jpg, which looks like a photo: five digits on squared paper, partly in the shade.
"""

import argparse
import io
import multiprocessing
import os
import sys
from pathlib import Path

PROJECT = Path(__file__).parent.parent
sys.path.insert(0, str(PROJECT))
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # the processes share the cores already

import numpy as np  # noqa: E402
from PIL import Image  # noqa: E402
from sklearn.datasets import load_digits  # noqa: E402

from data_preprocessing import load_mnist, preprocess  # noqa: E402
from handwriting import find_digits, find_ink  # noqa: E402
from save_load import load_model  # noqa: E402
from utils import UserError  # noqa: E402

PAPER, INK = 0.9, 0.15  # grey values, from 0 (black) to 1
SEED = 20261124  # fresh, so that no page of it has been looked at before


def centred(page, random_generator):
    """The page as it is."""
    return page


def off_centre(page, random_generator):
    """The page extended by up to half its side at each border."""
    margins = random_generator.integers(0, len(page) // 2, (2, 2))
    return np.pad(page, margins, constant_values=PAPER)


def inverted(page, random_generator):
    """Light ink on a dark page."""
    return 1 - page


def darkened(page, random_generator):
    """Light that falls by up to 70 % from one side of the page to the other."""
    y, x = (np.indices(page.shape) + 0.5) / len(page) - 0.5
    angle = random_generator.uniform(0, 2 * np.pi)
    away = (np.cos(angle) * x + np.sin(angle) * y) / np.sqrt(2) + 0.5
    return page * (1 - random_generator.uniform(0.3, 0.7) * away)


def noisy(page, random_generator):
    """Normal noise with a standard deviation of 0.1."""
    return page + random_generator.normal(0, 0.1, page.shape)


def jpeg(page, random_generator):
    """JPEG at quality 20 of 100."""
    file = io.BytesIO()
    Image.fromarray(np.rint(255 * page).astype(np.uint8)).save(file, "JPEG", quality=20)
    return np.asarray(Image.open(file)) / 255


def everything(page, random_generator):
    """All of it, one after the other, half of the pages inverted."""
    page = darkened(off_centre(page, random_generator), random_generator)
    if random_generator.random() < 0.5:
        page = inverted(page, random_generator)
    page = page + random_generator.normal(0, 0.05, page.shape)
    return jpeg(np.clip(page, 0, 1), random_generator)


CONDITIONS = {
    "enlarged 3 to 5 times": centred,
    "pasted off-centre on a larger page": off_centre,
    "inverted": inverted,
    "darkened by up to 70 % from one side": darkened,
    "noise, standard deviation 10 %": noisy,
    "JPEG, quality 20": jpeg,
    "all of these, noise 5 %": everything,
}


def image_found(task):
    """The image (28, 28) uint8 found on the page of a digit, all 0 if there is not just one.

    task: the digit (height, width) from 0 to 1, the function that spoils the page, and a seed.
    """
    digit, spoil, seed = task
    random_generator = np.random.default_rng(seed)
    side = 28 * int(random_generator.integers(3, 6))
    image = Image.fromarray(digit.astype(np.float32))
    large = np.clip(image.resize((side, side), Image.Resampling.BICUBIC), 0, 1)
    page = np.pad(PAPER + (INK - PAPER) * large, side // 14, constant_values=PAPER)
    page = np.rint(255 * np.clip(spoil(page, random_generator), 0, 1)) / 255  # as a file holds it
    try:
        images, _ = find_digits(find_ink(page.astype(np.float32)))
    except UserError:  # too many blobs
        images = []
    return images[0] if len(images) == 1 else np.zeros((28, 28), np.uint8)


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
    pixels = np.rint(255 * np.clip(picture, 0, 1)).astype(np.uint8)
    Image.fromarray(pixels).save(path, quality=80)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output", type=Path, default=PROJECT / "docs" / "handwriting.jpg")
    parser.add_argument("--digits", type=int, default=10_000, help="digits in a row, at most")
    arguments = parser.parse_args()
    _, _, images, labels = load_mnist()
    example = [np.flatnonzero(labels == digit)[10] for digit in (9, 0, 2, 1, 0)]
    draw_example(images[example], arguments.output)
    images, labels = images[: arguments.digits], labels[: arguments.digits]

    network, _, settings = load_model(PROJECT / "trained_model.npz")

    def report(name, found, labels):
        right = network.predict(preprocess(found, settings.deskew)) == labels
        none = np.count_nonzero(~found.any(axis=(1, 2)))
        print(f"| {name} | {len(labels):,} | {right.mean():.2%} | {none} |", flush=True)

    print("| picture | digits | read rightly | not found as one digit |")
    print("|---|---:|---:|---:|")
    report("MNIST's test images themselves", images, labels)
    small = load_digits()
    with multiprocessing.Pool() as pool:
        for row, (name, spoil) in enumerate(CONDITIONS.items()):
            tasks = ((image / 255, spoil, (SEED, row, n)) for n, image in enumerate(images))
            found = np.array(list(pool.imap(image_found, tasks, chunksize=100)))
            report(name, found, labels)
        images, labels = small.images[: arguments.digits], small.target[: arguments.digits]
        tasks = ((image / 16, off_centre, (SEED, 99, n)) for n, image in enumerate(images))
        found = np.array(pool.map(image_found, tasks, chunksize=100))
        report("scikit-learn's load_digits, enlarged and pasted", found, labels)


if __name__ == "__main__":
    main()
