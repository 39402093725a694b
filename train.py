"""Mini-batch gradient descent: shuffling, schedule, update, history, progress, study of seeds."""

import contextlib
import itertools
import math
import signal
import sys
import time
from types import SimpleNamespace

import numpy as np
from threadpoolctl import threadpool_limits

from augmentation import distorted_epochs
from data_preprocessing import preprocess
from files import UserError
from model import CLASSES, HISTORY, TARGETS, MultilayerPerceptron, score

WARM_UP = 0.02  # fraction of the steps in which the learning rate rises
INITIALISATION, SHUFFLING, AUGMENTATION, BEYOND_MNIST = range(4)  # purposes of random numbers


class Interrupted(KeyboardInterrupt):
    """An interrupt after at least one epoch; its arguments are network, history and velocity."""


def train(training, test, settings, resume_from=None, show_progress=True):
    """Train a network; return it and its history.

    training, test: (images, labels), images (n, 28, 28) uint8 and labels (n,) integers. The last
        validation_size training images, or the test images if that is 0, are held out: the network
        is evaluated on them after every epoch and never trained on them.
    settings: a namespace of the training settings.
    resume_from: network, history and velocity of an interrupted training with the same settings.
        The result is then the same, bit for bit, as that of an uninterrupted training.
    show_progress: show a progress bar on a terminal, print a line per epoch elsewhere.

    The history is a dictionary of (number_of_epochs,) float64 arrays: training_loss and
    training_accuracy, means over the images of an epoch, each before the update from its batch,
    and held_out_loss and held_out_accuracy, measured after the epoch. Losses include the L2 penalty
    at the end of the epoch; accuracies are from 0 to 1.

    Raises UserError if the loss or a parameter is no longer finite, Interrupted on Ctrl-C.
    """
    held_out = test
    if settings.validation_size:
        held_out = [array[-settings.validation_size :] for array in training]
        training = [array[: -settings.validation_size] for array in training]
    if settings.beyond_mnist:
        from handwriting.beyond_mnist import extra_images  # imports SciPy and Pillow

        extra = extra_images(*training, random_generator(settings, BEYOND_MNIST))
        training = [np.concatenate(arrays) for arrays in zip(training, extra)]
    edges_now = settings.edges and not settings.augment  # else after each distortion
    X = preprocess(training[0], settings.deskew, edges_now)
    X_held_out = preprocess(held_out[0], settings.deskew, settings.edges)

    if resume_from:
        network, past, velocity = resume_from
    else:
        network, past = MultilayerPerceptron(settings.hidden_layers), dict.fromkeys(HISTORY, ())
        network.initialise(random_generator(settings, INITIALISATION))
        velocity = np.zeros_like(network.parameters)
    history = {name: [*past[name]] for name in HISTORY}
    epochs = range(len(history["training_loss"]), settings.number_of_epochs)
    X_epochs = epoch_inputs(X, settings, epochs)
    descent = gradient_descent(network, velocity, X_epochs, training[1], settings, epochs)
    completed, start = None, time.perf_counter()
    # One BLAS thread is fastest for these small matrices (docs/speed.md).
    # A diverging training ends with the error below, not with NumPy's warnings.
    with (
        threadpool_limits(1, user_api="blas"),
        np.errstate(over="ignore", invalid="ignore"),
        progress_bar("epoch", epochs.start, epochs.stop, show_progress) as bar,
    ):
        try:
            for epoch, measures in enumerate(descent, start=epochs.start + 1):
                measures += network.evaluate(X_held_out, held_out[1], settings.l2)
                if not np.isfinite([*measures, network.parameters.sum()]).all():
                    raise UserError(
                        f"the loss is no longer finite in epoch {epoch}, with the learning rate "
                        f"alpha = {settings.alpha:g}: nothing is saved; try a smaller alpha"
                    )
                for name, measure in zip(HISTORY, measures):
                    history[name].append(measure)
                completed = epoch, network.parameters.copy(), velocity.copy()
                if show_progress:
                    seconds = (time.perf_counter() - start) / (epoch - epochs.start)
                    show_epoch(bar, epoch, measures, settings, seconds)
        except KeyboardInterrupt as interrupt:
            if completed is None:
                raise
            epoch, network.parameters[...], velocity = completed
            past = {name: np.array(values[:epoch]) for name, values in history.items()}
            raise Interrupted(network, past, velocity) from interrupt
    return network, {name: np.array(values) for name, values in history.items()}


def epoch_inputs(X, settings, epochs):
    """The network inputs (n, 784) of each epoch: X itself or, with `augment`, distorted copies."""
    if not settings.augment:
        return itertools.repeat(X)
    generators = (random_generator(settings, AUGMENTATION, epoch) for epoch in epochs)
    return distorted_epochs(X, generators, settings.edges)


def gradient_descent(network, velocity, X_epochs, labels, settings, epochs):
    """Train a network in place by mini-batch gradient descent with momentum.

    Every epoch visits all images in a new random order and updates the parameters after each batch
    (the last one may be short):

        gradient = gradient of the cross-entropy + l2 * W
        velocity = momentum * velocity + alpha * gradient
        parameters -= velocity

    velocity: (number of parameters,), updated in place. X_epochs: iterable of arrays (n, 784), the
    network inputs of each epoch. labels: (n,) integers. epochs: range of the epochs to train,
    counted from 0.

    Yields, after each epoch, the mean loss and the accuracy over its images; each image is judged
    before the update from its batch.
    """
    n, weights = len(labels), slice(len(network.all_weights))
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
            # the gradient comes scaled by alpha
            log_P[batch] = network.backward(X.take(order[batch], axis=0), Y[batch], scale=alpha)
            network.gradient[weights] += alpha * settings.l2 * network.all_weights
            velocity *= settings.momentum
            velocity += network.gradient
            network.parameters -= velocity
            if step % 100 == 0:
                set_subnormals_to_0(velocity)
        cross_entropy, accuracy = score(log_P, labels[order])
        yield cross_entropy + network.penalty(settings.l2), accuracy


def set_subnormals_to_0(velocity):
    """Set vanishingly small velocities to 0.

    The velocities of dead neurons decay to subnormal numbers, which are so slow to compute with
    that a few dead neurons would double the time of an epoch.
    """
    velocity[np.abs(velocity) < 1e-30] = 0


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


def random_generator(settings, purpose, epoch=0):
    """A numpy.random.Generator of its own for each purpose and epoch, derived from the seed.

    So an interrupted training can resume at any epoch.
    """
    return np.random.default_rng(np.random.SeedSequence(settings.seed, spawn_key=(purpose, epoch)))


def progress_bar(unit, done, total, show=True):
    """A tqdm progress bar; a context of None if not `show` or if there is no terminal."""
    if not (show and sys.stderr and sys.stderr.isatty()):
        return contextlib.nullcontext()
    from tqdm import tqdm

    form = f"{{desc}}; {unit} {{n_fmt}}/{{total_fmt}}, {{remaining}} left {{bar}}"
    return tqdm(desc="Training", initial=done, total=total, bar_format=form, dynamic_ncols=True)


def show_epoch(bar, epoch, measures, settings, seconds):
    """Show the measures of an epoch in the bar or, without one, on a line; seconds: per epoch."""
    loss, accuracy, held_out_loss, held_out_accuracy = measures
    text = (  # the most important first: a narrow bar loses its end
        f"{held_out_name(settings)} accuracy {held_out_accuracy:.2%}, loss {held_out_loss:.4f}; "
        f"training accuracy {accuracy:.2%}, loss {loss:.4f}"
    )
    if bar:
        bar.set_description_str(text, refresh=False)
        bar.update()
    else:
        count = f"epoch {epoch}/{settings.number_of_epochs}"
        print(f"{count}: {text}; {seconds:.2f} s per epoch", flush=True)


def seed_study(training, test, settings, number_of_seeds):
    """Train networks that differ only in their seed; print their accuracies.

    As many are trained in parallel as there are cores, or workers if `joblib.parallel_config` has
    set up a cluster. The arguments are those of `train`. Returns the first network and its history;
    on Ctrl-C, raises Interrupted with these and no velocity if the first network is complete.
    """
    import joblib  # slow to import

    seeds = range(settings.seed, settings.seed + number_of_seeds)
    parallel = joblib.Parallel(n_jobs=-1, return_as="generator_unordered")
    arrays = (*training, *test)  # as single arguments, Dask sends them to a worker only once
    tasks = (joblib.delayed(train_with_seed)(*arrays, settings, seed) for seed in seeds)
    with signals_ignored():  # the workers inherit this; signals are for this process to handle
        results = parallel(tasks)
    first, accuracies, interrupted = None, [], False
    try:
        with progress_bar("network", 0, number_of_seeds) as bar:
            for seed, network, history in results:
                if seed == settings.seed:
                    first = network, history
                accuracies.append(history["held_out_accuracy"][-1])
                line = f"seed {seed}: {held_out_name(settings)} accuracy {accuracies[-1]:.2%}"
                if bar:
                    bar.write(line)
                    bar.update()
                else:
                    print(line, flush=True)
    except KeyboardInterrupt:
        interrupted = True
    if len(accuracies) > 1:
        print(
            f"{len(accuracies)} seeds: mean accuracy {np.mean(accuracies):.3%}, "
            f"standard deviation {np.std(accuracies, ddof=1):.3%}"
        )
    if interrupted:
        raise Interrupted(*first, None) if first else KeyboardInterrupt
    return first


@contextlib.contextmanager
def signals_ignored():
    """Ignore Ctrl-C, SIGTERM and SIGHUP; processes started meanwhile ignore them for good."""
    names = [name for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    handlers = {name: signal.signal(getattr(signal, name), signal.SIG_IGN) for name in names}
    try:
        yield
    finally:
        for name, handler in handlers.items():
            signal.signal(getattr(signal, name), handler)


def train_with_seed(images, labels, test_images, test_labels, settings, seed):
    """Train a network of a study; return its seed, the network and its history."""
    settings = SimpleNamespace(**vars(settings) | {"seed": seed})
    test = test_images, test_labels
    return seed, *train((images, labels), test, settings, show_progress=False)


def held_out_name(settings):
    """What the held-out images are: "validation" or "test"."""
    return "validation" if settings.validation_size else "test"
