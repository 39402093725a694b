"""Time an epoch of this project's training beside other ways to train the same network.

    python benchmarks/speed/compare.py

The contenders of contenders.py train 784-128-10 in batches of 32, with the L2 penalty and learning
rate (constant) of config.py, on deskewed images, from the same weights, over the same batches in
the same order, in float32 (the textbook code in float64). Each runs in a process of its own.

First each trains on 100 batches, and the script stops if one changes the parameters differently
from this project. Then they take turns, epoch by epoch. The tables show the median seconds, and the
median and range of our time divided by theirs in the same turn: of all contenders, of those that
also distort the images for every epoch, and with a larger network and larger batches.
"""

import argparse
import functools
import multiprocessing
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.speed import contenders
from benchmarks.speed.measure import describe_machine, peaks, print_table
from data_preprocessing import INPUTS, load_mnist, preprocess
from model import CLASSES

CHECKED_IMAGES = 3200  # trained on before the parameters are compared: 100 batches of 32


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--images", type=int, default=60_000, help="training images per epoch")
    parser.add_argument("--epochs", type=int, default=10, help="epochs timed, after a warm-up")
    arguments = parser.parse_args()
    size = max(1, arguments.images // 800) * 800, arguments.epochs  # whole batches and groups
    print(describe_machine())
    compare("one epoch of", (*contenders.CONTENDERS, *contenders.PARTS), *size)
    operations = 2 * size[0] * contenders.HIDDEN * (2 * INPUTS + 3 * CLASSES) / 1e9
    rows = ((f"at {peak:.0f} GFLOP/s, {text}", operations / peak) for text, peak in peaks())
    print_table(("the matrix products of an epoch", "seconds"), rows)
    compare("one epoch with distortions of", contenders.DISTORTING, *size, augment=True)
    larger = *contenders.DISTORTING, contenders.MatrixProducts
    compare("1,024 hidden neurons, one epoch of", larger, *size, hidden_layers=(1024,))
    compare("batches of 400 images, one epoch of", larger, *size, batch_size=400)


def compare(heading, chosen, images, epochs, **options):
    """Check contenders, time their epochs in turns and print a table; options: changed settings."""
    spawn = multiprocessing.get_context("spawn")
    processes = {contender: ProcessPoolExecutor(1, spawn) for contender in chosen}

    def ask(function, contender, images):
        return processes[contender].submit(function, contender, images, **options).result()

    if options.keys() <= {"augment"}:  # larger networks amplify the rounding
        trained = [contender for contender in chosen if contender not in contenders.PARTS]
        check({c.title: ask(change, c, CHECKED_IMAGES) for c in trained})
    turns = [[ask(time_next_epoch, c, images) for c in chosen] for _ in range(1 + epochs)]
    for process in processes.values():
        process.shutdown()
    columns, rows = np.array(turns[1:]).T, []  # the first turn warms up
    for contender, seconds in zip(chosen, columns):
        ratios = columns[0] / seconds
        texts = f"{np.median(ratios):.2f}", f"{ratios.min():.2f} to {ratios.max():.2f}"
        rows.append((contender.title, float(np.median(seconds)), *texts))
    print_table((heading, "seconds", "ours / theirs", "in single turns"), rows)


def check(changes):
    """Stop unless all contenders change the parameters as the first one does.

    changes: vectors, by the contender's title. Rounding to float32 makes a difference of 6e-6,
    omitting the L2 penalty one of 7e-4. More batches would amplify the rounding.
    """
    ours = next(iter(changes.values()))
    for title, theirs in changes.items():
        difference = np.linalg.norm(theirs - ours) / np.linalg.norm(ours)
        print(f"{title}: change of the parameters differs from ours by {difference:.1e}")
        if not difference < 1e-5:
            sys.exit(f"error: {title} does not compute what this project computes")


def change(contender, images, **options):
    """In a contender's process: how an epoch changes all parameters, in one vector."""
    contender, epochs = start(contender, images, **options)
    before = np.concatenate([np.ravel(array) for array in contender.parameters])
    next(epochs)
    return np.concatenate([np.ravel(array) for array in contender.parameters]) - before


def time_next_epoch(contender, images, **options):
    """In a contender's process: train the next epoch; return the seconds."""
    _, epochs = start(contender, images, **options)
    time.sleep(0.1)  # OpenBLAS threads of the previous contender spin for 40 ms
    with threadpool_limits(contender.blas_threads, user_api="blas"):
        before = time.perf_counter()
        next(epochs)
        return time.perf_counter() - before


@functools.cache
def start(contender, images, **options):
    """A contender, initialised, and its training, an iterator over epochs."""
    settings = contenders.benchmark_settings(**options)
    X, labels = (array[:images] for array in load_mnist()[:2])
    contender = contender(preprocess(X, settings.deskew), labels, settings)
    return contender, contender.epochs()


if __name__ == "__main__":
    main()
