"""Time an epoch for many sizes of network, batch and training set.

    python benchmarks/speed/scaling.py

One of the three sizes varies while the other two are those of the default network. Prints a table
for each and draws docs/scaling.png: the seconds that an epoch takes with one BLAS thread, as in
`train`, and with all, and those of its matrix products alone. All have the settings of compare.py
and take turns; the figures are medians.
"""

import argparse
import sys
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from benchmarks.speed.contenders import MatrixProducts, Ours, benchmark_settings
from benchmarks.speed.measure import describe_machine, print_table, take_turns, time_epoch
from data_preprocessing import load_mnist, preprocess
from files import PROJECT
from plots import BLUE, GREY, ORANGE, save_figures

DEFAULT = {"hidden neurons": 128, "batch size": 32, "training images": 60_000}
SIZES = {
    "hidden neurons": (32, 64, 128, 256, 512, 1024, 2048),
    "batch size": (8, 16, 32, 64, 128, 256, 512, 1024),
    "training images": (1_000, 3_000, 10_000, 30_000, 60_000),
}
LINES = {  # label: contender, number of BLAS threads, and colour
    "this project": (Ours, 1, BLUE),
    "with all BLAS threads": (Ours, None, GREY),
    "its matrix products alone": (MatrixProducts, 1, ORANGE),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output", type=Path, default=PROJECT / "docs" / "scaling.png")
    parser.add_argument("--images", type=int, default=60_000, help="training images, at most")
    parser.add_argument("--epochs", type=int, default=5, help="epochs timed, after a warm-up")
    arguments = parser.parse_args()
    images, labels = (array[: arguments.images] for array in load_mnist()[:2])
    data = preprocess(images, deskew=True), labels

    print(describe_machine())
    figure = Figure((14, 4.5), layout="constrained")
    for axes, (name, sizes) in zip(figure.subplots(1, 3), SIZES.items()):
        variants = [DEFAULT | {name: size} for size in sizes]
        rows = [time_size(data, arguments.epochs, *variant.values()) for variant in variants]
        print_table((*DEFAULT, *LINES), rows)
        draw(axes, name, rows)
    save_figures({arguments.output.name: figure}, arguments.output.parent)


def time_size(data, epochs, hidden, batch, images):
    """The sizes, and the seconds that an epoch takes by each of LINES."""
    settings = benchmark_settings(hidden_layers=(hidden,), batch_size=batch)
    X, labels = (array[:images] for array in data)
    timers = [
        partial(time_epoch, contender(X, labels, settings).epochs(), threads)
        for contender, threads, _ in LINES.values()
    ]
    return hidden, batch, len(X), *map(float, np.median(take_turns(timers, epochs), axis=1))


def draw(axes, name, rows):
    """Draw the rows of a table by the size that varies."""
    columns = list(zip(*rows))
    sizes = columns[list(DEFAULT).index(name)]
    for (label, (*_, colour)), seconds in zip(LINES.items(), columns[len(DEFAULT) :]):
        axes.loglog(sizes, seconds, "o-", color=colour, label=label)
    fixed = ", ".join(f"{other} {DEFAULT[other]:,}" for other in DEFAULT if other != name)
    axes.set(xlabel=name, ylabel="seconds per epoch", title=fixed)
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    axes.legend()


if __name__ == "__main__":
    main()
