"""What each setting is worth: a ladder to the default network, then one setting changed at a time.

    python benchmarks/settings.py

Each network is trained on 50,000 of MNIST's training images with several seeds, as many at a time
as there are cores, and evaluated on the other 10,000. Prints the tables of docs/experiments.md. The
accuracies are kept in docs/accuracies.json: when the command is repeated, it continues.
"""

import argparse
import json
import sys
from pathlib import Path
from types import SimpleNamespace

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
from threadpoolctl import threadpool_info

from benchmarks.speed.measure import print_table, processor
from command_line import parse_command_line
from data_preprocessing import load_mnist
from files import PROJECT, atomic_write
from parallel import on_all_cores
from seed_study import train_with_seed

HELD_OUT = 10_000  # of the training images
DEFAULT = "the default"
# Cumulative: each row adds one thing to the row above.
LADDER = {
    "20 epochs, images as they are, constant learning rate": (
        "--number-of-epochs 20 --no-deskew --no-augment --no-decay"
    ),
    "+ deskewing": "--number-of-epochs 20 --no-augment --no-decay",
    "+ distortions": "--number-of-epochs 20 --no-decay",
    "+ learning-rate schedule": "--number-of-epochs 20",
    f"+ 200 epochs: {DEFAULT}": "",
}
# Each row differs from the default in one thing.
ALPHAS = {f"alpha {alpha}": f"--alpha {alpha}" for alpha in (0.1, 0.2, 0.3)}
VARIANTS = {
    DEFAULT: "",
    **ALPHAS,
    "100 epochs": "--number-of-epochs 100",
    "without the learning-rate schedule": "--no-decay",
    "without deskewing": "--no-deskew",
    "without distortions": "--no-augment",
    "without L2 penalty": "--l2 0",
}
EIGHT_SEEDS = {DEFAULT, *LADDER, *ALPHAS}  # others: four


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--share", type=float, default=1, help="of the images and of the epochs")
    parser.add_argument("--folder", type=Path, default=PROJECT / "docs", help="of accuracies.json")
    arguments = parser.parse_args()
    if arguments.share < 1 and arguments.folder == PROJECT / "docs":
        parser.error("--share needs a --folder of its own")
    path = arguments.folder / "accuracies.json"
    rows = json.loads(path.read_text()) if path.exists() else []
    images, labels, _, _ = load_mnist()
    number = round(arguments.share * (len(images) - HELD_OUT))
    data = images[:number], labels[:number], images[-HELD_OUT:], labels[-HELD_OUT:]
    accuracies = {}
    for name, options in (LADDER | VARIANTS).items():
        row = find_row(rows, settings_of(options, arguments.share))
        train_missing(row, data, 8 if name in EIGHT_SEEDS else 4)
        accuracies[name] = np.array(row["accuracies"])
        print(f"{name}: {accuracies[name].mean():.3f}%", flush=True)
        with atomic_write(path) as file:
            file.write(json.dumps(rows, indent=1).encode() + b"\n")
    header = "network", "options", "seeds", "validation accuracy", "gain"
    for networks in (LADDER, VARIANTS):
        print_table(header, table_rows(networks, accuracies))


def settings_of(options, share):
    """The training settings with some options, a dictionary."""
    settings = parse_command_line(True, ["--train-model", *options.split()]).settings
    settings.number_of_epochs = max(1, round(share * settings.number_of_epochs))
    settings.validation_size = HELD_OUT
    return json.loads(json.dumps(vars(settings)))


def find_row(rows, settings):
    """The row of these settings and of this machine's BLAS kernels; a new one if there is none."""
    kernels = (library.get("architecture") for library in threadpool_info())
    key = {"settings": settings, "kernels": next(filter(None, kernels), processor())}
    for row in rows:
        if row.items() >= key.items():
            return row
    rows.append(key | {"accuracies": []})
    return rows[-1]


def train_missing(row, data, number):
    """Add the accuracies in percent of the first `number` seeds that are missing in a row."""
    seeds = range(len(row["accuracies"]), number)
    tasks = [(*data, SimpleNamespace(**row["settings"]), seed) for seed in seeds]
    for _, model, failure in on_all_cores(train_with_seed, tasks, return_as="generator"):
        if failure:
            sys.exit(f"error: {failure}")
        row["accuracies"].append(100 * model.history["held_out_accuracy"][-1])


def table_rows(networks, accuracies):
    """Rows of a table, each with its gain over the row above or, of variants, the default.

    Accuracies are means and standard deviations over seeds; gains are means over the seeds that
    both have and their standard errors.
    """
    before = None
    for name, options in networks.items():
        own, gain = accuracies[name], ""
        if before is not None:
            number = min(len(own), len(before))
            gains = own[:number] - before[:number]
            gain = f"{gains.mean():+.3f} ± {gains.std(ddof=1) / number**0.5:.3f}"
        accuracy = f"{own.mean():.3f}% ± {own.std(ddof=1):.3f}"
        yield name, f"`{options}`" * bool(options), len(own), accuracy, gain
        if networks is LADDER or before is None:
            before = own


if __name__ == "__main__":
    main()
