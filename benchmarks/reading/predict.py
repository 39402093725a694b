"""The processor time and the memory that `python main.py --predict` takes for one picture.

    python benchmarks/reading/predict.py

The seconds are summed over all cores and include what starting Python takes.
"""

import multiprocessing
import os
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np
from PIL import Image

from benchmarks.reading.non_digits import scribble, words
from benchmarks.reading.pages import KINDS, no_digit, on_desk, rows
from benchmarks.reading.paper import stacked
from benchmarks.reading.reading import picture_file
from benchmarks.speed.measure import print_table
from files import PROJECT

UNIT = 1024 if sys.platform == "linux" else 1  # bytes, of the peak memory


def newspaper(random):
    """Five columns of small print."""
    columns = [words(random, (100, 101), (4, 6), (16, 17)).T for _ in range(5)]
    return stacked(columns, 30).T


PICTURES = {  # what it shows, how many megapixels it has, and the function that makes its page
    ("a sheet on a desk", 12): on_desk,
    ("a sheet on a desk", 89): on_desk,  # nearly the largest that is accepted
    ("1,000 digits", 12): rows("d" * 25, least=40),
    ("a full page of print", 12): KINDS["a full page of print"],
    ("a newspaper", 12): no_digit(newspaper),
    ("a scribble", 12): no_digit(scribble),
    ("checks", 12): no_digit(lambda random: (np.indices((3000, 4000)) // 30).sum(axis=0) % 2),
    ("noise", 12): no_digit(lambda random: random.random((3000, 4000))),
}


def main():
    # in a process of its own, since a child's peak memory starts from that of its parent
    with tempfile.TemporaryDirectory() as folder, multiprocessing.Pool(1) as pool:
        header = "picture", "megapixels", "processor seconds", "megabytes"
        print_table(header, (table_row(pool, name, Path(folder, "1.jpg")) for name in PICTURES))


def table_row(pool, name, path):
    """Read a picture in a process of its own: a row of the table."""
    pool.apply(save_picture, (name, path))
    command = [sys.executable, "main.py", "--predict", path, "--plots-dir", path.parent]
    process = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status) not in (0, 1):  # 1: no digit found
        sys.exit(f"error: {' '.join(map(str, command))} failed")
    seconds, megabytes = usage.ru_utime + usage.ru_stime, UNIT * usage.ru_maxrss / 1e6
    return *name, f"{seconds:.1f}", f"{megabytes:,.0f}"


def save_picture(name, path):
    """Save one of the pictures, enlarged or reduced."""
    image = Image.open(picture_file(PICTURES[name], seed=1, number=0, choosing=True)[0])
    size = np.array(image.size) * np.sqrt(1e6 * name[1] / np.prod(image.size))
    image.resize([int(side) for side in size], Image.Resampling.BICUBIC).save(path)


if __name__ == "__main__":
    main()
