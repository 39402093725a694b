"""Time an epoch for many sizes of network, batch and training set, beside its matrix products.

    python benchmarks/scaling.py

Draws docs/scaling.png: the seconds an epoch of this project takes, and those of its matrix products
alone, with the settings of compare.py. Each of the three sizes varies while the other two are those
of the default network. The two take turns; the picture shows medians.
"""

import argparse
import statistics
from pathlib import Path

import compare  # first: the project's modules can then be imported
from contenders import MatrixProducts, Ours, benchmark_settings
from matplotlib.figure import Figure

from data_preprocessing import load_mnist, preprocess
from plots import BLUE, ORANGE, save_figures

DEFAULT = {"hidden": 128, "batch": 32, "images": 60_000}
RANGES = {
    "hidden": (32, 64, 128, 256, 512, 1024, 2048),
    "batch": (8, 16, 32, 64, 128, 256, 512, 1024),
    "images": (1_000, 3_000, 10_000, 30_000, 60_000),
}
AXES = {"hidden": "hidden neurons", "batch": "batch size", "images": "training images"}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output", type=Path, default=compare.PROJECT / "docs" / "scaling.png")
    parser.add_argument("--images", type=int, default=60_000, help="training images, at most")
    parser.add_argument("--epochs", type=int, default=5, help="epochs timed, after a warm-up")
    arguments = parser.parse_args()
    images, labels, _, _ = load_mnist()
    images, labels = images[: arguments.images], labels[: arguments.images]
    X = preprocess(images, deskew=True)

    print(compare.describe_machine()["processor"])
    figure = compare_sizes(X, labels, arguments.epochs)
    save_figures({arguments.output.name: figure}, arguments.output.parent)


def compare_sizes(X, labels, epochs):
    """Time every size, print a table and draw it; return the figure."""
    figure = Figure((14, 4.5))
    panels = figure.subplots(1, 3)
    figure.subplots_adjust(left=0.06, right=0.99, bottom=0.13, top=0.9, wspace=0.2)
    print("\n|", " | ".join(AXES.values()), "| seconds per epoch | matrix products alone |")
    print("|---:|---:|---:|---:|---:|")
    for axes, (name, sizes) in zip(panels, RANGES.items()):
        sizes = [size for size in sizes if name != "images" or size <= len(X)]
        ours, products = zip(
            *(median_seconds(X, labels, epochs, **DEFAULT | {name: size}) for size in sizes)
        )
        axes.loglog(sizes, ours, "o-", color=BLUE, label="this project")
        axes.loglog(sizes, products, "s--", color=ORANGE, label="its matrix products alone")
        axes.set_xlabel(AXES[name])
        axes.set_ylabel("time per epoch (s)")
        axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
        low, high = axes.get_ylim()
        ticks = [d * 10**e for e in range(-4, 3) for d in (1, 2, 3, 5) if low <= d * 10**e <= high]
        axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.minorticks_off()
        axes.grid(alpha=0.3)
        others = [f"{AXES[other]} {DEFAULT[other]:,}" for other in DEFAULT if other != name]
        axes.set_title(", ".join(others))
        axes.legend()
    return figure


def median_seconds(X, labels, epochs, hidden, batch, images):
    """Median seconds per epoch: ours, and that of the matrix products alone."""
    X, labels = X[:images], labels[:images]
    settings = benchmark_settings(hidden_layers=(hidden,), batch_size=batch)
    contenders = Ours(X, labels, settings), MatrixProducts(X, labels, settings)
    turns = [[contender.train()[0] for contender in contenders] for _ in range(1 + epochs)]
    ours, products = map(statistics.median, zip(*turns[1:]))
    print(f"| {hidden} | {batch} | {len(X):,} | {ours:.3f} | {products:.3f} |", flush=True)
    return ours, products


if __name__ == "__main__":
    main()
