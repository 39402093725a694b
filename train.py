"""Mini-batch gradient descent: shuffling, update, history, progress."""

import sys
import time

import numpy as np
from threadpoolctl import threadpool_limits

from model import MultilayerPerceptron, score
from utils import UserError

HISTORY = ("training_loss", "training_accuracy", "held_out_loss", "held_out_accuracy")


def train(training, test, settings):
    """Train a new network; return it and how the training went, epoch by epoch.

    training, test: (X, labels), X (n, 784) float32 and labels (n,) integers. The last
        validation_size training images, or the test images if that is 0, are held out: the
        network is evaluated on them after every epoch and never learns from them.
    settings: the settings of config.py. Their seed settles every random choice.

    Returns the network and its history, as `gradient_descent` does. Raises what that raises.
    """
    seeds = np.random.SeedSequence(settings.seed).spawn(2)
    initialisation, shuffling = map(np.random.default_rng, seeds)
    network = MultilayerPerceptron(settings.hidden_layers)
    network.initialise(initialisation)
    held_out = test
    if settings.validation_size:
        held_out = tuple(array[-settings.validation_size :] for array in training)
        training = tuple(array[: -settings.validation_size] for array in training)
    return network, gradient_descent(network, training, held_out, shuffling, settings)


# The matrices of one batch are so small that handing them to several BLAS threads and waiting for
# the last one often costs more than the work itself: many times more on machines with many cores,
# or when other programs keep a core busy.
@threadpool_limits.wrap(limits=1, user_api="blas")
def gradient_descent(network, training, held_out, random_generator, settings):
    """Train a network in place by mini-batch gradient descent; return its history.

    Every epoch goes once through the training images in a new random order, the last short batch
    included, and updates all parameters after each batch: parameters -= alpha * gradient.

    Returns the history, a dictionary of (number_of_epochs,) float64 arrays: training_loss and
    training_accuracy, means over an epoch's images as each was met, and held_out_loss and
    held_out_accuracy, after the epoch. Losses include the L2 penalty; accuracies are 0 to 1.

    Raises UserError if the loss or a parameter stops being finite.
    """
    from tqdm import tqdm  # not before it is needed

    history = {name: np.empty(settings.number_of_epochs) for name in HISTORY}
    on_terminal = sys.stderr.isatty()
    epochs = range(1, settings.number_of_epochs + 1)
    bar = tqdm(epochs, "Training", unit="epoch", disable=not on_terminal)
    for epoch in bar:
        start = time.perf_counter()
        with np.errstate(over="ignore", invalid="ignore"):  # checked, and reported once, below
            figures = (
                *run_epoch(network, *training, random_generator, settings),
                *network.evaluate(*held_out, settings.l2),
            )
        if not np.isfinite([*figures, network.parameters.sum()]).all():
            raise UserError(
                f"the loss is no longer finite in epoch {epoch}, with the learning rate "
                f"alpha = {settings.alpha:g}; nothing was saved; try a smaller alpha"
            )
        for name, figure in zip(HISTORY, figures):
            history[name][epoch - 1] = figure
        loss, accuracy, held_out_loss, held_out_accuracy = figures
        if on_terminal:
            bar.set_postfix(loss=f"{loss:.4f}", accuracy=f"{held_out_accuracy:.2%}")
        else:
            print(
                f"epoch {epoch}/{settings.number_of_epochs}: "
                f"training loss {loss:.4f}, accuracy {accuracy:.2%}; "
                f"held-out loss {held_out_loss:.4f}, accuracy {held_out_accuracy:.2%}; "
                f"{time.perf_counter() - start:.2f} s",
                flush=True,
            )
    return history


def run_epoch(network, X, labels, random_generator, settings):
    """One pass over X (n, inputs) and labels (n,); returns the mean loss and the accuracy."""
    order = random_generator.permutation(len(X))
    inputs = np.empty((min(settings.batch_size, len(X)), X.shape[1]), X.dtype)
    cross_entropy = correct = 0
    for start in range(0, len(X), settings.batch_size):
        batch = order[start : start + settings.batch_size]
        # mode="clip" lets NumPy write straight into `out`; the indices are always in range
        X_batch = np.take(X, batch, axis=0, out=inputs[: len(batch)], mode="clip")
        log_P = network.backward(X_batch, labels[batch], settings.l2, scale=settings.alpha)
        network.parameters -= network.gradient
        batch_cross_entropy, batch_correct = score(log_P, labels[batch])
        cross_entropy += batch_cross_entropy
        correct += batch_correct
    return cross_entropy / len(X) + network.penalty(settings.l2), correct / len(X)
