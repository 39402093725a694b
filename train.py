"""Mini-batch gradient descent: the training of one network."""

import copy
import itertools
import math
import time

import numpy as np
from threadpoolctl import threadpool_limits

from augmentation import distorted_epochs
from files import UserError
from model import CLASSES, HISTORY, TARGETS, Model, MultilayerPerceptron, score
from parallel import progress_bar

WARM_UP = 0.02  # fraction of the steps in which the learning rate rises
INITIALISATION, SHUFFLING, AUGMENTATION, BEYOND_MNIST = range(4)  # purposes of random numbers


def gradient_descent(network, X_epochs, labels, settings, epochs):
    """Train a network in place by mini-batch gradient descent.

    Every epoch visits all images in a new random order and updates the parameters after each batch
    (the last one may be short):

        parameters = parameters - alpha * gradient

    X_epochs: iterable of arrays (n, 784), the network inputs of each epoch. labels: (n,) integers.
    epochs: range of the epochs to train, counted from 0.

    Yields, after each epoch, the mean loss and the accuracy over its images; each image is
    evaluated before the update from its batch.
    """
    n = len(labels)
    starts = range(0, n, settings.batch_size)
    steps = len(starts) * settings.number_of_epochs
    targets = TARGETS.astype(network.parameters.dtype)
    log_P = np.empty((n, CLASSES), network.parameters.dtype)
    for epoch, X in zip(epochs, X_epochs):
        order = random_generator(settings, SHUFFLING, epoch).permutation(n)
        Y = targets[labels[order]]
        for step, start in enumerate(starts, start=epoch * len(starts)):
            batch = slice(start, start + settings.batch_size)
            alpha = learning_rate((step + 0.5) / steps, settings)
            log_P[batch] = network.backward(X.take(order[batch], axis=0), Y[batch], settings.l2)
            network.gradient *= alpha  # in place, which is faster than a new array
            network.parameters -= network.gradient
        cross_entropy, accuracy = score(log_P, labels[order])
        yield cross_entropy + network.penalty(settings.l2), accuracy


def learning_rate(progress, settings):
    """The learning rate: constant, or with `decay` half a cosine, times a linear warm-up.

    The warm-up avoids large steps from random weights (Goyal et al.: Accurate, Large Minibatch SGD,
    2017). The cosine is that of Loshchilov and Hutter (SGDR: Stochastic Gradient Descent with Warm
    Restarts, 2017), without restarts.

    progress: fraction of the steps done, from 0 to 1.
    """
    if not settings.decay:
        return settings.alpha
    return settings.alpha * min(1, progress / WARM_UP) * (1 + math.cos(math.pi * progress)) / 2


def untrained(settings):
    """The Model before its first epoch: random weights and an empty history."""
    network = MultilayerPerceptron(settings.hidden_layers)
    network.initialise(random_generator(settings, INITIALISATION))
    return Model(network, {name: np.empty(0) for name in HISTORY}, settings)


def train(model, training, held_out, show_progress=True):
    """Train a model, as its settings say, for its remaining epochs.

    model: an `untrained` one, or one of an interrupted training, which is resumed: it ends with the
        same bits as if it had never been interrupted. Its network is trained in place.
    training, held_out: (images, labels), images (n, 28, 28) uint8 and labels (n,) integers. The
        network is evaluated on the held-out images after every epoch and never trained on them.
    show_progress: show a progress bar on a terminal, print a line per epoch elsewhere.

    Yields, after each epoch, the Model as it is then. Raises UserError if the loss or a parameter
    is no longer finite.
    """
    network, history, settings = model.network, model.history, model.settings
    X, X_held_out = model.inputs(training[0]), model.inputs(held_out[0])
    epochs = range(model.epochs, settings.number_of_epochs)
    X_epochs = epoch_inputs(X, settings, epochs)
    descent = gradient_descent(network, X_epochs, training[1], settings, epochs)
    start = time.perf_counter()
    # With one BLAS thread, the result doesn't depend on the number of cores (docs/speed.md).
    # A diverging training ends with the error below, not with NumPy's warnings.
    with (
        threadpool_limits(1, user_api="blas"),
        np.errstate(over="ignore", invalid="ignore"),
        progress_bar("epoch", epochs.start, epochs.stop, show_progress) as bar,
    ):
        for epoch, measures in enumerate(descent, start=epochs.start + 1):
            measures = *measures, *network.evaluate(X_held_out, held_out[1], settings.l2)
            if not np.isfinite([*measures, network.parameters.sum()]).all():
                raise UserError(
                    f"the loss is no longer finite in epoch {epoch}, with the learning rate "
                    f"alpha = {settings.alpha:g}: start a new training with a smaller alpha"
                )
            history = {name: np.append(history[name], m) for name, m in zip(HISTORY, measures)}
            # a copy, since the next epoch changes the network in place
            yield Model(copy.copy(network), history, settings)
            if show_progress:
                seconds = (time.perf_counter() - start) / (epoch - epochs.start)
                show_epoch(bar, epoch, measures, settings, seconds)


def epoch_inputs(X, settings, epochs):
    """The network inputs (n, 784) of each epoch: X itself or, with `augment`, distorted copies."""
    if not settings.augment:
        return itertools.repeat(X)
    return distorted_epochs(X, (random_generator(settings, AUGMENTATION, e) for e in epochs))


def random_generator(settings, purpose, epoch=0):
    """A numpy.random.Generator of its own for each purpose and epoch, derived from the seed.

    So an interrupted training can resume at any epoch.
    """
    return np.random.default_rng(np.random.SeedSequence(settings.seed, spawn_key=(purpose, epoch)))


def show_epoch(bar, epoch, measures, settings, seconds):
    """Show the measures of an epoch in the bar or, without one, on a line; seconds: per epoch."""
    loss, accuracy, held_out_loss, held_out_accuracy = measures
    text = f"{held_out_name(settings)} accuracy {held_out_accuracy:.2%}"
    if bar:
        bar.set_description_str(f", {text}", refresh=False)
        bar.update()
    else:
        text = f"epoch {epoch}/{settings.number_of_epochs}: {text}, loss {held_out_loss:.4f}"
        text += f"; training accuracy {accuracy:.2%}, loss {loss:.4f}; {seconds:.2f} s per epoch"
        print(text, flush=True)


def held_out_name(settings):
    """What the held-out images are: "validation" or "test"."""
    return "validation" if settings.validation_size else "test"
