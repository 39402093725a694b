"""Time an epoch for many sizes of network, batch and training set, and with more BLAS threads.

    python benchmarks/speed/scaling.py

First, one of the three sizes varies while the other two are those of the default network. This
draws docs/scaling.png: the seconds that an epoch takes, and those of its matrix products alone.
Then networks of many sizes train with one BLAS thread and with all. All have the settings of
compare.py and take turns; the figures are medians.
"""

import argparse
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from benchmarks.speed.contenders import Ours, benchmark_settings
from benchmarks.speed.limit import MatrixProducts
from benchmarks.speed.measure import describe_machine, median_seconds, print_table
from data_preprocessing import load_mnist, preprocess
from files import PROJECT
from plots import BLUE, ORANGE, save_figures
from train import untrained

DEFAULT = {"hidden neurons": 128, "batch size": 32, "training images": 60_000}
SIZES = {
    "hidden neurons": (32, 64, 128, 256, 512, 1024, 2048),
    "batch size": (8, 16, 32, 64, 128, 256, 512, 1024),
    "training images": (1_000, 3_000, 10_000, 30_000, 60_000),
}
NETWORKS = ((128,), (256,), (500, 150), (800,), (2048,))  # with more and more parameters


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output", type=Path, default=PROJECT / "docs" / "scaling.png")
    parser.add_argument("--images", type=int, default=60_000, help="training images, at most")
    parser.add_argument("--epochs", type=int, default=5, help="epochs timed, after a warm-up")
    arguments = parser.parse_args()
    images, labels = (array[: arguments.images] for array in load_mnist()[:2])
    data = preprocess(images, deskew=True), labels

    print(describe_machine())
    curves = {}
    for name, sizes in SIZES.items():
        variants = [DEFAULT | {name: size} for size in sizes]
        curves[name] = [time_size(data, arguments.epochs, *v.values()) for v in variants]
        print_table((*DEFAULT, "seconds per epoch", "matrix products alone"), curves[name])
    save_figures({arguments.output.name: draw(curves)}, arguments.output.parent)
    header = "hidden layers", "parameters", "distortions", "1 thread", "all threads", "all / 1"
    print_table(header, compare_threads(data, arguments.epochs))


def time_size(data, epochs, hidden, batch, images):
    """The sizes, and the seconds of an epoch of this project and of its matrix products alone."""
    settings = benchmark_settings(hidden_layers=(hidden,), batch_size=batch)
    X, labels = (array[:images] for array in data)
    contenders = [contender(X, labels, settings) for contender in (Ours, MatrixProducts)]
    trainings = [(contender.epochs(), contender.blas_threads) for contender in contenders]
    return hidden, batch, len(X), *median_seconds(trainings, epochs)


def compare_threads(data, epochs):
    """Time networks with one BLAS thread and with all; yields the rows of a table."""
    for hidden in NETWORKS:
        for augment in (False, True):
            settings = benchmark_settings(hidden_layers=hidden, augment=augment)
            trainings = [(Ours(*data, settings).epochs(), n) for n in (1, os.cpu_count())]
            one, every = median_seconds(trainings, epochs)
            row = ",".join(map(str, hidden)), len(untrained(settings).network.parameters)
            yield *row, "yes" if augment else "no", one, every, f"{every / one:.2f}"


def draw(curves):
    """The figure: the seconds by each of the sizes."""
    figure = Figure((14, 4.5), layout="constrained")
    for axes, (name, rows) in zip(figure.subplots(1, 3), curves.items()):
        *columns, ours, products = zip(*rows)
        sizes = columns[list(DEFAULT).index(name)]
        axes.loglog(sizes, ours, "o-", color=BLUE, label="this project")
        axes.loglog(sizes, products, "s--", color=ORANGE, label="its matrix products alone")
        axes.set(xlabel=name, ylabel="seconds per epoch")
        axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.minorticks_off()
        axes.grid(alpha=0.3)
        axes.set_title(", ".join(f"{o} {DEFAULT[o]:,}" for o in DEFAULT if o != name))
        axes.legend()
    return figure


if __name__ == "__main__":
    main()
