"""The processor time and the memory that `python main.py --predict` takes for one picture.

    python benchmarks/reading/predict.py

Each picture is read by a process of its own, so the seconds, summed over all cores, include what
starting Python takes.
"""

import functools
import multiprocessing
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image
from reading import PROJECT, digits, make_page

from benchmarks.reading.ink import stacked
from benchmarks.reading.non_digits import words
from benchmarks.reading.pages import written
from benchmarks.reading.spoil import as_image, page
from benchmarks.reading.writer import Writer

UNITS = 1e3 if sys.platform == "linux" else 1e6  # of the peak memory, for one megabyte
LARGE = 89  # megapixels, nearly as many as are accepted


def pictures():
    """Functions that make images, by what these show and how many megapixels they will have."""
    sheet = functools.partial(page_of_kind, "sheets on a dark, wooden or grey desk", 0)
    return {
        ("a sheet on a desk", 12): sheet,
        ("a sheet on a desk", LARGE): sheet,
        ("1,000 digits", 12): thousand_digits,
        ("a full page of print", 12): functools.partial(page_of_kind, "a full page of print", 0),
        ("a newspaper", 12): newspaper,
        ("a scribble", 12): functools.partial(page_of_kind, "scribbles and drawings", 1),
        ("checks", 12): lambda: as_image(np.indices((3000, 4000)).sum(axis=0) // 30 % 2),
        ("noise", 12): lambda: as_image(np.random.default_rng(0).random((3000, 4000))),
    }


def page_of_kind(kind, number):
    return Image.open(make_page(kind, number, choosing=True)[0])


def thousand_digits():
    ink, _ = written(Writer(*digits(choosing=True), seed=1), ["d" * 25], 40)
    return as_image(page(ink))


def newspaper():
    """Five columns of small print."""
    random = np.random.default_rng(0)
    columns = [words(random, 100, (4, 5), 16).T for _ in range(5)]
    return as_image(page(stacked(columns, 30).T))


def save_picture(name, path):
    """Save one of the pictures, enlarged or reduced."""
    image = pictures()[name]()
    size = np.array(image.size) * np.sqrt(1e6 * name[1] / np.prod(image.size))
    image.resize([int(side) for side in size], Image.Resampling.BICUBIC).save(path)


def measure(path):
    """Read a picture in a process of its own: the seconds and megabytes that it takes."""
    command = [sys.executable, "main.py", "--predict", path, "--plots-dir", path.parent]
    process = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.DEVNULL)
    _, _, usage = os.wait4(process.pid, 0)
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / UNITS


def main():
    print("| picture | megapixels | processor seconds | megabytes |")
    print("|---|---:|---:|---:|")
    # in a process of its own, since a child's peak memory starts from that of its parent
    with tempfile.TemporaryDirectory() as folder, multiprocessing.Pool(1) as pool:
        path = Path(folder, "picture.jpg")
        for name in pictures():
            pool.apply(save_picture, (name, path))
            seconds, megabytes = measure(path)
            print(f"| {name[0]} | {name[1]} | {seconds:.1f} | {megabytes:,.0f} |", flush=True)


if __name__ == "__main__":
    main()
