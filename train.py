"""Mini-batch gradient descent: shuffling, schedule, update, history, progress."""

import itertools
import math
import sys
import time
from types import SimpleNamespace

import numpy as np
from threadpoolctl import threadpool_limits

from augmentation import distorted_epochs
from data_preprocessing import preprocess
from model import CLASSES, MultilayerPerceptron, score
from utils import UserError

HISTORY = ("training_loss", "training_accuracy", "held_out_loss", "held_out_accuracy")
WARM_UP = 0.02  # share of the steps in which the learning rate rises
INITIALISATION, SHUFFLING, AUGMENTATION = range(3)  # what is random in training


class Interrupted(KeyboardInterrupt):
    """Ctrl-C after at least one whole epoch; its arguments are network and history up to there."""


def train(training, test, settings, begun=None, show_progress=True):
    """Train a new network, or go on with one; return it and its history.

    training, test: (images, labels), images (n, 28, 28) uint8 and labels (n,) integers. The last
        validation_size training images, or the test images if that is 0, are held out: the
        network is evaluated on them after every epoch and never learns from them.
    settings: the settings of config.py. Their seed settles every random choice.
    begun: the network and the history of an interrupted run with the same settings; what comes
        out is then what that run would have ended with, bit for bit.
    show_progress: on a terminal a progress bar, elsewhere a line an epoch.

    The history is a dictionary of (number_of_epochs,) float64 arrays: training_loss and
    training_accuracy, means over an epoch's images as the network met each of them, and
    held_out_loss and held_out_accuracy, after the epoch. Losses include the L2 penalty;
    accuracies are from 0 to 1.

    Raises UserError if the loss or a parameter stops being finite, Interrupted on Ctrl-C.
    """
    held_out = test
    if settings.validation_size:
        held_out = [array[-settings.validation_size :] for array in training]
        training = [array[: -settings.validation_size] for array in training]
    X, X_held_out = (preprocess(images, settings.deskew) for images, _ in (training, held_out))
    labels, held_out_labels = training[1], held_out[1]

    if begun is None:
        network, past = MultilayerPerceptron(settings.hidden_layers), dict.fromkeys(HISTORY, ())
        network.initialise(random_generator(settings, INITIALISATION))
    else:
        network, past = begun
    history = {name: [*past[name]] for name in HISTORY}
    epochs = range(len(history[HISTORY[0]]), settings.number_of_epochs)
    X_epochs = itertools.repeat(X)
    if settings.augment:
        X_epochs = distorted_epochs(
            X, (random_generator(settings, AUGMENTATION, e) for e in epochs)
        )
    descent = gradient_descent(network, X_epochs, labels, settings, epochs)
    progress = Progress(epochs) if show_progress else None
    last_whole = None
    # One BLAS thread. Two would share out every product, and so every array between the caches of
    # two cores: the products gain less than all that follows loses; on many cores, or beside other
    # programs, they lose as well (numpy issues 22928 and 29884).
    # Overflow in a diverging run is no warning on the screen, but the error below.
    with threadpool_limits(1, user_api="blas"), np.errstate(over="ignore", invalid="ignore"):
        try:
            for epoch, figures in enumerate(descent, start=epochs.start + 1):
                figures += network.evaluate(X_held_out, held_out_labels, settings.l2)
                if not np.isfinite([*figures, network.parameters.sum()]).all():
                    raise UserError(
                        f"the loss is no longer finite in epoch {epoch}, with the learning rate "
                        f"alpha = {settings.alpha:g}: nothing is saved; try a smaller alpha"
                    )
                for name, figure in zip(HISTORY, figures):
                    history[name].append(figure)
                last_whole = epoch, network.parameters.copy(), network.velocity.copy()
                if progress:
                    progress.show(epoch, *figures)
        except KeyboardInterrupt as interrupt:
            if last_whole is None:
                raise
            epoch, network.parameters[...], network.velocity[...] = last_whole
            past = {name: np.array(values[:epoch]) for name, values in history.items()}
            raise Interrupted(network, past) from interrupt
        finally:
            if progress:
                progress.close()
    return network, {name: np.array(values) for name, values in history.items()}


class Progress:
    """How far a training of some epochs, a range, has come: a bar, or lines off a terminal."""

    def __init__(self, epochs):
        self.epochs, self.start, self.bar = epochs, time.perf_counter(), None
        if sys.stderr.isatty():
            from tqdm import tqdm  # where it shows nothing it would only leave its locks behind

            done, total = epochs.start, epochs.stop
            self.bar = tqdm(desc="Training", initial=done, total=total, unit="epoch")

    def show(self, epoch, loss, accuracy, held_out_loss, held_out_accuracy):
        if self.bar:
            self.bar.set_postfix(
                loss=f"{loss:.4f}", accuracy=f"{held_out_accuracy:.2%}", refresh=False
            )
            self.bar.update()
        else:
            seconds = (time.perf_counter() - self.start) / (epoch - self.epochs.start)
            print(
                f"epoch {epoch}/{self.epochs.stop}: training loss {loss:.4f}, "
                f"accuracy {accuracy:.2%}; held-out loss {held_out_loss:.4f}, "
                f"accuracy {held_out_accuracy:.2%}; {seconds:.2f} s an epoch",
                flush=True,
            )

    def close(self):
        if self.bar:
            self.bar.close()


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


def gradient_descent(network, X_epochs, labels, settings, epochs):
    """Train a network in place by mini-batch gradient descent.

    Every epoch goes once through the images in a new random order, the last short batch included,
    and updates all parameters after each batch:

        gradient = that of the cross-entropy + l2 * W
        velocity = momentum * velocity + alpha * gradient
        parameters -= velocity

    X_epochs: iterable of arrays (n, 784), the network inputs of each epoch. labels: (n,) integers.
    epochs: range of the epochs to do, counted from 0, for the order and the learning rate.

    Yields, after each epoch, the mean loss and the accuracy over the images as they were met.
    """
    dtype, n, n_weights = network.parameters.dtype, len(labels), len(network.all_weights)
    batch_size = min(settings.batch_size, n)
    starts = range(0, n, batch_size)
    steps = len(starts) * settings.number_of_epochs
    log_P = np.empty((n, CLASSES), dtype)  # of each image, as it was met
    due = 0.0  # what the L2 penalty is still to take off the weights, as a share of them
    worth_a_pass = 100 * np.finfo(dtype).eps  # factors closer to 1 would be rounded too coarsely
    for epoch, X in zip(epochs, X_epochs):
        order = random_generator(settings, SHUFFLING, epoch).permutation(n)
        Y = np.eye(CLASSES, dtype=dtype)[labels[order]]
        X_batch = np.empty((batch_size, X.shape[1]), X.dtype)
        for step, start in enumerate(starts, start=epoch * len(starts)):
            batch = slice(start, start + batch_size)
            Y_batch = Y[batch]
            X_batch = X_batch[: len(Y_batch)]  # the last one may be short
            # mode="clip" makes NumPy write straight into `out`; no index is ever out of range
            X.take(order[batch], axis=0, out=X_batch, mode="clip")
            alpha = learning_rate((step + 0.5) / steps, settings)
            log_P[batch] = network.backward(X_batch, Y_batch, scale=alpha)
            if settings.momentum:
                network.velocity *= settings.momentum
                network.velocity += network.gradient
                if settings.l2:
                    network.velocity[:n_weights] += (alpha * settings.l2) * network.all_weights
                network.parameters -= network.velocity
                if step % 100 == 0:
                    # What fades away ends among the subnormal numbers, and stays there; they are
                    # so slow that a few dead neurons would double the time of an epoch.
                    network.velocity[np.abs(network.velocity) < 1e-30] = 0
            else:  # the same with momentum 0, in fewer passes over all parameters
                due += alpha * settings.l2
                if due > worth_a_pass or (due and start == starts[-1]):
                    network.all_weights *= 1 - due
                    due = 0.0
                network.parameters -= network.gradient
        cross_entropy, accuracy = score(log_P, labels[order])
        yield cross_entropy + network.penalty(settings.l2), accuracy


def random_generator(settings, purpose, epoch=0):
    """A numpy.random.Generator for each purpose and epoch, so that a run can go on in the middle.

    It is the one that a SeedSequence of the seed spawns, and its child for the epoch.
    """
    return np.random.default_rng(np.random.SeedSequence(settings.seed, spawn_key=(purpose, epoch)))


def learning_rate(progress, settings):
    """alpha; with `decay` up from 0 in a straight line, and down again along half a cosine.

    Large steps from random weights leave some neurons dead; the slow start, after Goyal et al.
    (Accurate, Large Minibatch SGD, 2017), keeps them alive. The cosine is of Loshchilov and Hutter
    (SGDR: Stochastic Gradient Descent with Warm Restarts, 2017), without the restarts.

    progress: share of the steps that are done, from 0 to 1.
    """
    if not settings.decay:
        return settings.alpha
    return settings.alpha * min(1, progress / WARM_UP) * (1 + math.cos(math.pi * progress)) / 2
