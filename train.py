"""Mini-batch gradient descent: the training of one network."""

import copy
import itertools
import math
import shutil
import time

import numpy as np
from threadpoolctl import threadpool_limits

from augmentation import distorted_epochs
from data_preprocessing import preprocess
from files import UserError
from model import CLASSES, TARGETS, MultilayerPerceptron, score
from parallel import progress_bar
from save_load import HISTORY

WARM_UP = 0.02  # fraction of the steps in which the learning rate rises
INITIALISATION, SHUFFLING, AUGMENTATION, BEYOND_MNIST = range(4)  # purposes of random numbers


def gradient_descent(network, velocity, X_epochs, labels, settings, epochs):
    """Train a network in place by mini-batch gradient descent with momentum.

    Every epoch visits all images in a new random order and updates the parameters after each batch
    (the last one may be short):

        velocity = momentum * velocity + alpha * gradient
        parameters = parameters - velocity

    velocity: (number of parameters,), updated in place. X_epochs: iterable of arrays (n, 784), the
    network inputs of each epoch. labels: (n,) integers. epochs: range of the epochs to train,
    counted from 0.

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
            # velocity = momentum * velocity + alpha * gradient, without temporary arrays
            velocity *= settings.momentum
            network.gradient *= alpha
            velocity += network.gradient
            network.parameters -= velocity
        cross_entropy, accuracy = score(log_P, labels[order])
        yield cross_entropy + network.penalty(settings.l2), accuracy


def learning_rate(progress, settings):
    """The learning rate: constant, or with `decay` a linear warm-up and then half a cosine.

    Large steps from random weights leave some neurons dead; the warm-up avoids this (Goyal et al.:
    Accurate, Large Minibatch SGD, 2017). The cosine is that of Loshchilov and Hutter (SGDR:
    Stochastic Gradient Descent with Warm Restarts, 2017), without restarts.

    progress: fraction of the steps done, from 0 to 1.
    """
    if not settings.decay:
        return settings.alpha
    return settings.alpha * min(1, progress / WARM_UP) * (1 + math.cos(math.pi * progress)) / 2


def train(training, held_out, settings, resume_from=None, show_progress=True):
    """Train a network, epoch by epoch.

    training, held_out: (images, labels), images (n, 28, 28) uint8 and labels (n,) integers. The
        network is evaluated on the held-out images after every epoch and never trained on them.
    settings: a namespace of the training settings.
    resume_from: what was yielded last, of an interrupted training with the same settings; it is
        changed in place. The result is the same, bit for bit, as that of an uninterrupted training.
    show_progress: show a progress bar on a terminal, print a line per epoch elsewhere.

    Yields, after each epoch, what `save_model` saves: the network, its history, the settings, and
    the velocity, which is None after the last epoch. The history is a dictionary of float64 arrays,
    a number for each epoch: training_loss and training_accuracy, means over the images of an epoch,
    each before the update from its batch, and held_out_loss and held_out_accuracy, measured after
    the epoch. Losses include the L2 penalty at the end of the epoch; accuracies are from 0 to 1.

    Raises UserError if the loss or a parameter is no longer finite.
    """
    X = preprocess(training[0], settings.deskew)
    X_held_out = preprocess(held_out[0], settings.deskew)
    if resume_from:
        network, history, _, velocity = resume_from
    else:
        network, history = MultilayerPerceptron(settings.hidden_layers), dict.fromkeys(HISTORY, ())
        network.initialise(random_generator(settings, INITIALISATION))
        velocity = np.zeros_like(network.parameters)
    epochs = range(len(history["training_loss"]), settings.number_of_epochs)
    X_epochs = epoch_inputs(X, settings, epochs)
    descent = gradient_descent(network, velocity, X_epochs, training[1], settings, epochs)
    start = time.perf_counter()
    # For these small matrices, more BLAS threads help little or nothing (docs/speed.md).
    # A diverging training ends with the error below, not with NumPy's warnings.
    with (
        threadpool_limits(1, user_api="blas"),
        np.errstate(over="ignore", invalid="ignore"),
        progress_bar("epoch", epochs.start, epochs.stop, show_progress) as bar,
    ):
        for epoch, measures in enumerate(descent, start=epochs.start + 1):
            measures += network.evaluate(X_held_out, held_out[1], settings.l2)
            if not np.isfinite([*measures, network.parameters.sum()]).all():
                raise UserError(
                    f"the loss is no longer finite in epoch {epoch}, with the learning rate "
                    f"alpha = {settings.alpha:g}: start a new training with a smaller alpha"
                )
            history = {name: np.append(history[name], m) for name, m in zip(HISTORY, measures)}
            is_last = epoch == settings.number_of_epochs
            # copies, since the next epoch changes the network and its velocity in place
            yield copy.copy(network), history, settings, None if is_last else velocity.copy()
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
    details = f", loss {held_out_loss:.4f}; training accuracy {accuracy:.2%}, loss {loss:.4f}"
    if bar:
        has_room = shutil.get_terminal_size().columns >= 150
        bar.set_description_str(f", {text}{details * has_room}", refresh=False)
        bar.update()
    else:
        text = f"epoch {epoch}/{settings.number_of_epochs}: {text}{details}"
        print(f"{text}; {seconds:.2f} s per epoch", flush=True)


def held_out_name(settings):
    """What the held-out images are: "validation" or "test"."""
    return "validation" if settings.validation_size else "test"
