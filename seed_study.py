"""A study of the seed: networks that differ in nothing else, trained in parallel."""

from collections import deque
from types import SimpleNamespace

import numpy as np

from files import UserError
from parallel import on_all_cores, print_above, progress_bar
from train import held_out_name, train, untrained


def seed_study(settings, training, held_out, number_of_seeds):
    """Train networks that differ only in their seed, and print their accuracies.

    They are trained in parallel, see `on_all_cores`. training, held_out: as for `train`. Yields,
    after each training, the Model of the lowest seed that has finished. At the end, raises
    UserError if the training of a seed failed.
    """
    seeds = [(settings.seed + n) % 2**32 for n in range(number_of_seeds)]  # a seed has 32 bits
    arrays = (*training, *held_out)  # as single arguments, Dask sends them to a worker only once
    tasks = [(*arrays, settings, seed) for seed in seeds]
    accuracies, failures = {}, {}  # by seed
    lowest = None  # the Model of the lowest seed that has finished
    try:
        with progress_bar("network", 0, number_of_seeds, show=True) as bar:
            for seed, model, failure in on_all_cores(train_with_seed, tasks):
                if bar:
                    bar.update()
                if failure:
                    failures[seed] = failure
                    continue
                accuracies[seed] = model.history["held_out_accuracy"][-1]
                if seed == min(accuracies):
                    lowest = model
                yield lowest
                line = f"seed {seed}: {held_out_name(settings)} accuracy {accuracies[seed]:.2%}"
                print_above(bar, line)
    except UserError as error:  # joblib can't tell which one was killed
        for seed in {*seeds} - {*accuracies, *failures}:
            failures[seed] = str(error)
    finally:
        if len(accuracies) > 1:
            values = [*accuracies.values()]
            print(
                f"{len(values)} seeds: mean accuracy {np.mean(values):.3%}, "
                f"standard deviation {np.std(values, ddof=1):.3%}"
            )
    if failures:
        reasons = " and ".join(sorted({*failures.values()}))
        raise UserError(f"without the seeds {', '.join(map(str, sorted(failures)))}: {reasons}")


def train_with_seed(images, labels, held_out_images, held_out_labels, settings, seed):
    """Train a network of a study; return its seed, its Model, and why it failed."""
    model = untrained(SimpleNamespace(**vars(settings) | {"seed": seed}))
    held_out = held_out_images, held_out_labels
    try:
        models = train(model, (images, labels), held_out, show_progress=False)
        return seed, deque(models, maxlen=1).pop(), None  # all of them would fill the memory
    except UserError as error:
        return seed, None, str(error)
