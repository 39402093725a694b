"""A study of the seed: networks that differ in nothing else, trained in parallel."""

import signal
from collections import deque
from types import SimpleNamespace

import numpy as np

from files import UserError, signals_to
from train import held_out_name, progress_bar, train, untrained


def seed_study(settings, training, held_out, number_of_seeds):
    """Train networks that differ only in their seed, and print their accuracies.

    As many are trained in parallel as there are cores, or workers if `joblib.parallel_config` has
    set up a cluster. training, held_out: as for `train`. Yields, after each training, the Model of
    the lowest seed that has finished. Raises UserError in the end if the training of a seed failed.
    """
    import joblib  # slow to import
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    seeds = [(settings.seed + n) % 2**32 for n in range(number_of_seeds)]  # a seed has 32 bits
    # By default, joblib passes the images through files, for which there may be no room.
    parallel = joblib.Parallel(n_jobs=-1, return_as="generator_unordered", max_nbytes=None)
    arrays = (*training, *held_out)  # as single arguments, Dask sends them to a worker only once
    tasks = (joblib.delayed(train_with_seed)(*arrays, settings, seed) for seed in seeds)
    accuracies, failures, first = {}, {}, None  # by seed; of the lowest seed finished
    try:
        # The workers inherit this: signals are for this process to handle.
        with signals_to(signal.SIG_IGN):
            results = parallel(tasks)
        with progress_bar("network", 0, number_of_seeds, show=True) as bar:
            for seed, model, failure in results:
                if bar:
                    bar.update()
                if failure:
                    failures[seed] = failure
                    continue
                accuracies[seed] = model.history["held_out_accuracy"][-1]
                if seed == min(accuracies):
                    first = model
                yield first
                line = f"seed {seed}: {held_out_name(settings)} accuracy {accuracies[seed]:.2%}"
                if bar:
                    bar.write(line)  # above the bar
                else:
                    print(line, flush=True)
    except TerminatedWorkerError:  # joblib can't tell which one was killed
        for seed in {*seeds} - {*accuracies, *failures}:
            failures[seed] = "a process was killed, often for lack of memory"
    finally:
        if len(accuracies) > 1:
            values = [*accuracies.values()]
            print(
                f"{len(values)} seeds: mean accuracy {np.mean(values):.3%}, "
                f"standard deviation {np.std(values, ddof=1):.3%}"
            )
    if failures:
        reasons = " and ".join({*failures.values()})
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
