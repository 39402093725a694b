"""What each setting is worth: a ladder to the default network, and networks that lack one rung.

    python benchmarks/settings.py

Each network is trained on 50,000 of MNIST's training images with several seeds, as many at a time
as there are cores, and evaluated on the other 10,000. Then their epochs are timed in turns, one at
a time. Prints the tables of docs/experiments.md. It takes an hour and a half on two cores. What is
finished is kept in docs/settings.json, with its settings and processor: when the command is
repeated, it continues.
"""

import argparse
import json
import math
import statistics
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import joblib

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.speed.measure import processor
from command_line import parse_command_line
from data_preprocessing import load_mnist
from files import PROJECT, atomic_write
from seed_study import train_with_seed
from train import train, untrained

HELD_OUT = 10_000  # of the training images
TURNS = 5  # in which epochs are timed
DEFAULT = "the default"
# Cumulative: each row adds one thing to the row above.
LADDER = {
    "20 epochs, images as they are, constant learning rate": "--no-deskew --no-augment --no-decay",
    "+ deskewing": "--no-augment --no-decay",
    "+ distortions": "--no-decay",
    "+ learning-rate schedule": "",
}
LADDER = {name: f"--number-of-epochs 20 {options}".strip() for name, options in LADDER.items()}
LADDER[f"+ 200 epochs: {DEFAULT}"] = ""
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
EIGHT_SEEDS = {DEFAULT, *LADDER, *ALPHAS}  # networks whose differences are small; others: four


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--share", type=float, default=1, help="of the images and of the epochs")
    parser.add_argument("--folder", type=Path, default=PROJECT / "docs", help="of settings.json")
    arguments = parser.parse_args()
    path = arguments.folder / "settings.json"
    rows = json.loads(path.read_text()) if path.exists() else []
    training, held_out = split_images(arguments.share)
    for name, options in (LADDER | VARIANTS).items():
        row = find_row(rows, settings_of(options, arguments.share))
        seeds = range(8 if name in EIGHT_SEEDS else 4)
        train_missing(row["accuracies"], training, held_out, row["settings"], seeds)
        print(f"{name}: {statistics.mean(row['accuracies'].values()):.3f}%", flush=True)
        with atomic_write(path) as file:
            file.write(json.dumps(rows, indent=1).encode() + b"\n")
    seconds = time_trainings(training, held_out, arguments.share)
    for networks in (LADDER, VARIANTS):
        print_table(rows, networks, seconds, arguments.share)


def split_images(share):
    """Images and labels to train on, and those held out."""
    images, labels, _, _ = load_mnist()
    number = round(share * (len(images) - HELD_OUT))
    return (images[:number], labels[:number]), (images[-HELD_OUT:], labels[-HELD_OUT:])


def settings_of(options, share):
    """The training settings with some options, a namespace."""
    settings = parse_command_line(True, ["--train-model", *options.split()]).settings
    settings.number_of_epochs = max(1, round(share * settings.number_of_epochs))
    settings.validation_size = HELD_OUT
    return settings


def find_row(rows, settings):
    """The row of these settings on this machine's processor; a new one if there is none."""
    plain = json.loads(json.dumps(vars(settings)))
    key = {"settings": plain, "processor": processor()}
    for row in rows:
        if row.items() >= key.items():
            return row
    rows.append(key | {"accuracies": {}})
    return rows[-1]


def train_missing(accuracies, training, held_out, settings, seeds):
    """Add the accuracies of the seeds that are missing, in percent, by seed; train in parallel."""
    tasks = [
        joblib.delayed(train_with_seed)(*training, *held_out, SimpleNamespace(**settings), seed)
        for seed in seeds
        if str(seed) not in accuracies
    ]
    for seed, model, _ in joblib.Parallel(n_jobs=-1)(tasks):
        accuracies[str(seed)] = 100 * model.history["held_out_accuracy"][-1]


def time_trainings(training, held_out, share):
    """The seconds that a training takes, by its options, from epochs timed in turns."""
    settings = {o: settings_of(o, share) for o in [*LADDER.values(), *VARIANTS.values()]}
    seconds = {options: [] for options in settings}
    for _ in range(TURNS):
        for options, times in seconds.items():
            models = train(untrained(settings[options]), training, held_out, show_progress=False)
            next(models)  # before it, the images of this epoch are distorted, too
            start = time.perf_counter()
            next(models, None)
            times.append(time.perf_counter() - start)
            models.close()
    return {o: settings[o].number_of_epochs * statistics.median(t) for o, t in seconds.items()}


def print_table(rows, networks, seconds, share):
    """Print a Markdown table, each with its gain over the row above or, of variants, the default.

    Accuracies are means and standard deviations over seeds; gains are means over the seeds that
    both have and their standard errors.
    """
    print("\n| network | options | seeds | validation accuracy | gain | seconds of a training |")
    print("|---|---|---:|---:|---:|---:|")
    before = None
    for name, options in networks.items():
        accuracies = find_row(rows, settings_of(options, share))["accuracies"]
        gain = paired_gain(accuracies, before) if before else ""
        mean, deviation = mean_and_deviation(accuracies.values())
        shown, number = f"`{options}`" * bool(options), len(accuracies)
        cells = name, shown, number, f"{mean:.3f}% ± {deviation:.3f}", gain, round(seconds[options])
        print("|", " | ".join(map(str, cells)), "|")
        if networks is LADDER or before is None:
            before = accuracies


def paired_gain(accuracies, others):
    """The mean difference over the seeds that both have, and its standard error, as text."""
    differences = [accuracies[seed] - others[seed] for seed in accuracies.keys() & others.keys()]
    mean, deviation = mean_and_deviation(differences)
    return f"{mean:+.3f} ± {deviation / math.sqrt(len(differences)):.3f}"


def mean_and_deviation(numbers):
    """The mean and the standard deviation of numbers."""
    numbers = list(numbers)
    return statistics.mean(numbers), statistics.stdev(numbers)


if __name__ == "__main__":
    main()
