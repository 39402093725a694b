"""What each setting is worth: the default network, and networks that differ in one setting.

    python benchmarks/settings.py

Each is trained on 50,000 of MNIST's training images with four seeds, two at a time on two cores,
and evaluated on the other 10,000. Then the epochs of all are timed in turns, one at a time. Prints
the table of docs/experiments.md and draws docs/settings.png, the accuracy by the seconds of a
training. This takes about an hour. Finished rows are kept in docs/settings.json: when the command
is repeated, it continues; to train anew, delete that file.
"""

import argparse
import json
import statistics
import time
from pathlib import Path

import compare  # first: the project's modules can then be imported
import joblib

import config
from command_line import parse_command_line
from data_preprocessing import load_mnist
from files import atomic_write
from plots import BLUE, plt, save_figures
from seed_study import train_with_seed
from train import train

HELD_OUT = 10_000  # of the training images
SEEDS = 4
TURNS = 5  # in which epochs are timed
EPOCHS = (5, 10, 20, 50, 100)
VARIANTS = {
    "the default": "",
    **{f"{epochs} epochs": f"--number-of-epochs {epochs}" for epochs in EPOCHS},
    "64 neurons": "--hidden-layers 64",
    "256 neurons": "--hidden-layers 256",
    "without momentum": "--momentum 0 --alpha 0.2",
    "without momentum, alpha 0.1": "--momentum 0 --alpha 0.1",
    "without the learning-rate schedule": "--no-decay",
    "without deskewing": "--no-deskew",
    "without distortions": "--no-augment",
    "without L2 penalty": "--l2 0",
    "batches of 128": "--batch-size 128",
    "batches of 8": "--batch-size 8",
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--share", type=float, default=1, help="of the images and of the epochs")
    parser.add_argument(
        "--folder", type=Path, default=compare.PROJECT / "docs", help="of the files"
    )
    arguments = parser.parse_args()
    path = arguments.folder / "settings.json"
    results = json.loads(path.read_text()) if path.exists() else {}
    results["machine"] = compare.describe_machine()
    training, held_out = split_images(arguments.share)
    for name in VARIANTS:
        if name not in results:
            results[name] = accuracies(training, held_out, settings_of(name, arguments.share))
            print(f"{name}: {statistics.mean(results[name]):.3%}", flush=True)
            save(results, path)
    seconds = time_trainings(training, held_out, arguments.share)
    print_table(results, seconds)
    save_figures({"settings.png": plot_epochs(results, seconds)}, arguments.folder)


def split_images(share):
    """Images and labels to train on, and those held out."""
    images, labels, _, _ = load_mnist()
    number = round(share * (len(images) - HELD_OUT))
    return (images[:number], labels[:number]), (images[-HELD_OUT:], labels[-HELD_OUT:])


def settings_of(name, share):
    """The settings of a variant, a namespace."""
    _, settings = parse_command_line(True, VARIANTS[name].split())
    settings.number_of_epochs = max(1, round(share * settings.number_of_epochs))
    return settings


def accuracies(training, held_out, settings):
    """The accuracy on the held-out images for each seed, in parallel."""
    tasks = (
        joblib.delayed(train_with_seed)(*training, *held_out, settings, seed)
        for seed in range(SEEDS)
    )
    results = joblib.Parallel(n_jobs=-1)(tasks)
    return [history["held_out_accuracy"][-1] for _, (_, history, *_), _ in results]


def save(results, path):
    with atomic_write(path) as file:
        file.write(json.dumps(results, indent=1).encode() + b"\n")


def time_trainings(training, held_out, share):
    """The seconds that a training of each variant takes, from epochs timed in turns."""
    settings = {name: settings_of(name, share) for name in VARIANTS}
    seconds = {name: [] for name in VARIANTS if not name.endswith(" epochs")}
    for _ in range(TURNS):
        for name, times in seconds.items():
            epochs = train(training, held_out, settings[name], show_progress=False)
            next(epochs)  # before it, the images of this epoch are distorted, too
            start = time.perf_counter()
            next(epochs, None)
            times.append(time.perf_counter() - start)
            epochs.close()
    an_epoch = {name: statistics.median(times) for name, times in seconds.items()}
    default = an_epoch["the default"]
    return {
        name: settings[name].number_of_epochs * an_epoch.get(name, default) for name in VARIANTS
    }


def print_table(results, seconds):
    """Print the results as a Markdown table."""
    print("\n| network | options | validation accuracy | seconds of a training |")
    print("|---|---|---:|---:|")
    for name, options in VARIANTS.items():
        mean, deviation = statistics.mean(results[name]), statistics.stdev(results[name])
        options = f"`{options}`" if options else ""
        accuracy = f"{mean:.3%} ± {100 * deviation:.3f}"
        print(f"| {name} | {options} | {accuracy} | {seconds[name]:.0f} |")


def plot_epochs(results, seconds):
    """Plot the accuracy by the seconds of a training, for the numbers of epochs."""
    figure, axes = plt.subplots(figsize=(8, 4.5), layout="constrained")
    names = sorted([*(f"{epochs} epochs" for epochs in EPOCHS), "the default"], key=seconds.get)
    means = [100 * statistics.mean(results[name]) for name in names]
    deviations = [100 * statistics.stdev(results[name]) for name in names]
    times = [seconds[name] for name in names]
    axes.errorbar(times, means, deviations, fmt="o-", color=BLUE, capsize=3)
    for name, x, y in zip(names, times, means):
        label = name.replace("the default", f"{config.number_of_epochs} epochs,\nthe default")
        axes.annotate(label, (x, y), (6, -6), textcoords="offset points", va="top")
    axes.set_xscale("log")
    axes.set_xlabel("time of a training (s)")
    axes.set_ylabel("validation accuracy (%), mean ± sd of four seeds")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_title("What a longer training brings")
    axes.grid(alpha=0.3)
    axes.margins(x=0.2, y=0.15)
    return figure


if __name__ == "__main__":
    main()
