"""Mini-batch gradient descent: shuffling, schedule, update, history, progress."""

import itertools
import math
import sys
import time
from types import SimpleNamespace

import numpy as np
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from augmentation import distorted_epochs
from data_preprocessing import preprocess
from model import CLASSES, MultilayerPerceptron, score
from utils import UserError

HISTORY = ("training_loss", "training_accuracy", "held_out_loss", "held_out_accuracy")


def train(training, test, settings, show_progress=True):
    """Train a new network; return it and its history.

    training, test: (images, labels), images (n, 28, 28) uint8 and labels (n,) integers. The last
        validation_size training images, or the test images if that is 0, are held out: the
        network is evaluated on them after every epoch and never learns from them.
    settings: the settings of config.py. Their seed settles every random choice.
    show_progress: on a terminal a progress bar, elsewhere a line an epoch.

    The history is a dictionary of (number_of_epochs,) float64 arrays: training_loss and
    training_accuracy, means over an epoch's images as the network met each of them, and
    held_out_loss and held_out_accuracy, after the epoch. Losses include the L2 penalty;
    accuracies are from 0 to 1.

    Raises UserError if the loss or a parameter stops being finite.
    """
    held_out = test
    if settings.validation_size:
        held_out = [array[-settings.validation_size :] for array in training]
        training = [array[: -settings.validation_size] for array in training]
    X, X_held_out = (preprocess(images, settings.deskew) for images, _ in (training, held_out))
    labels, held_out_labels = training[1], held_out[1]

    seeds = np.random.SeedSequence(settings.seed).spawn(3)
    initialisation, shuffling, augmentation = map(np.random.default_rng, seeds)
    network = MultilayerPerceptron(settings.hidden_layers)
    network.initialise(initialisation)
    if settings.augment:
        X_epochs = distorted_epochs(X, augmentation, settings.number_of_epochs)
    else:
        X_epochs = itertools.repeat(X, settings.number_of_epochs)

    history = {name: np.empty(settings.number_of_epochs) for name in HISTORY}
    on_terminal = sys.stderr.isatty()
    epochs = tqdm(
        gradient_descent(network, X_epochs, labels, shuffling, settings),
        desc="Training",
        total=settings.number_of_epochs,
        unit="epoch",
        disable=not (show_progress and on_terminal),
    )
    start = time.perf_counter()
    # The products of one small batch take microseconds: sharing each out among the threads of BLAS
    # costs more than it saves, and many times more where other programs keep the cores busy.
    # Overflow in a diverging run is no warning on the screen, but the error below.
    with threadpool_limits(1, user_api="blas"), np.errstate(over="ignore", invalid="ignore"):
        for epoch, figures in enumerate(epochs, start=1):
            figures += network.evaluate(X_held_out, held_out_labels, settings.l2)
            if not np.isfinite([*figures, network.parameters.sum()]).all():
                raise UserError(
                    f"the loss is no longer finite in epoch {epoch}, with the learning rate "
                    f"alpha = {settings.alpha:g}: nothing is saved; try a smaller alpha"
                )
            for name, figure in zip(HISTORY, figures):
                history[name][epoch - 1] = figure
            loss, accuracy, held_out_loss, held_out_accuracy = figures
            epochs.set_postfix(loss=f"{loss:.4f}", accuracy=f"{held_out_accuracy:.2%}")
            if show_progress and not on_terminal:
                print(
                    f"epoch {epoch}/{settings.number_of_epochs}: "
                    f"training loss {loss:.4f}, accuracy {accuracy:.2%}; "
                    f"held-out loss {held_out_loss:.4f}, accuracy {held_out_accuracy:.2%}; "
                    f"{(time.perf_counter() - start) / epoch:.2f} s an epoch",
                    flush=True,
                )
    return network, history


def seed_study(training, test, settings, number_of_seeds):
    """Train networks that differ in their seed alone; print how well each reads in the end.

    As many are trained at once as there are cores, or workers where `joblib.parallel_config` has
    set a cluster. Arguments as for `train`. Returns the first network and its history.
    """
    import joblib  # takes a while to import, and is needed here alone

    seeds = range(settings.seed, settings.seed + number_of_seeds)
    variants = [SimpleNamespace(**vars(settings) | {"seed": seed}) for seed in seeds]
    results = joblib.Parallel(n_jobs=-1, return_as="generator")(
        joblib.delayed(train)(training, test, variant, show_progress=False) for variant in variants
    )
    accuracies = []
    for seed, (network, history) in zip(seeds, results):
        accuracies.append(history["held_out_accuracy"][-1])
        print(f"seed {seed}: accuracy {accuracies[-1]:.2%}", flush=True)
        if seed == settings.seed:
            first = network, history
    print(
        f"{number_of_seeds} seeds: mean accuracy {np.mean(accuracies):.3%}, "
        f"standard deviation {np.std(accuracies, ddof=1):.3%}"
    )
    return first


def gradient_descent(network, X_epochs, labels, random_generator, settings):
    """Train a network in place by mini-batch gradient descent.

    Every epoch goes once through the images in a new random order, the last short batch included,
    and updates all parameters after each batch:

        velocity = momentum * velocity + alpha * gradient
        parameters -= velocity

    X_epochs: iterable of number_of_epochs arrays (n, 784), the network inputs of each epoch.
    labels: (n,) integers. random_generator: a numpy.random.Generator, for the shuffling.

    Yields, after each epoch, the mean loss and the accuracy over the images as they were met.
    """
    batch_size = min(settings.batch_size, len(labels))
    starts = range(0, len(labels), batch_size)
    steps = len(starts) * settings.number_of_epochs
    step = 0
    velocity = np.zeros_like(network.parameters)
    log_P = np.empty((len(labels), CLASSES), velocity.dtype)  # of each image, as it was met
    for X in X_epochs:
        order = random_generator.permutation(len(labels))
        X_batch = np.empty((batch_size, X.shape[1]), X.dtype)
        for start in starts:
            batch = order[start : start + batch_size]
            X_batch = X_batch[: len(batch)]  # the last one may be short
            # mode="clip" makes NumPy write straight into `out`; no index is ever out of range
            np.take(X, batch, axis=0, out=X_batch, mode="clip")
            alpha = learning_rate(step / steps, settings)
            log_P[batch] = network.backward(X_batch, labels[batch], settings.l2, scale=alpha)
            if settings.momentum:
                velocity *= settings.momentum
                velocity += network.gradient
                network.parameters -= velocity
            else:  # the same with momentum 0, without two passes over all parameters
                network.parameters -= network.gradient
            step += 1
        cross_entropy, accuracy = score(log_P, labels)
        yield cross_entropy + network.penalty(settings.l2), accuracy


def learning_rate(progress, settings):
    """alpha; with `decay` half a wave of a cosine, from alpha down to 0.

    progress: share of the steps that are done, from 0 to 1. The cosine is of Loshchilov and
    Hutter: SGDR: Stochastic Gradient Descent with Warm Restarts, 2017, without the restarts.
    """
    if not settings.decay:
        return settings.alpha
    return settings.alpha * (1 + math.cos(math.pi * progress)) / 2
