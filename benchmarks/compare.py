"""Time this project's training beside other ways to train the same network.

    python benchmarks/compare.py

Every contender trains 784-128-10 by plain mini-batch gradient descent with L2, in float32 (the
textbook one in float64), from the same weights, over the same batches in the same order. First each
of them trains one epoch, and the script stops if a contender's parameters are not ours: they all do
the same work. Then they take turns, epoch by epoch, and the medians are compared.

At last this project and PyTorch train with momentum, both from the same weights again, until they
read 98 % of the test digits, and the parts of an epoch of ours are timed, each by itself.

Writes the figures to docs/benchmarks.json.
"""

import argparse
import importlib.metadata
import json
import os
import platform
import statistics
import sys
import time
from pathlib import Path
from types import SimpleNamespace

PROJECT = Path(__file__).parent.parent
sys.path.insert(0, str(PROJECT))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import numpy as np  # noqa: E402
from threadpoolctl import threadpool_limits  # noqa: E402

from data_preprocessing import load_mnist, preprocess  # noqa: E402
from model import CLASSES, INPUTS, MultilayerPerceptron  # noqa: E402
from train import SHUFFLING, gradient_descent, random_generator  # noqa: E402
from utils import atomic_write  # noqa: E402

ALPHA, L2, BATCH_SIZE, HIDDEN = 0.01, 1e-3, 32, 128
SETTINGS = {"alpha": ALPHA, "l2": L2, "batch_size": BATCH_SIZE, "momentum": 0, "decay": False}
SETTINGS |= {"number_of_epochs": 1, "seed": 0}
TURNS_TO_98 = 5  # how often the time to 98 % is taken


class Ours:
    """This project's own training."""

    def __init__(self, network, X, labels, **settings):
        self.network, self.X, self.labels = network, X, labels
        self.settings = SimpleNamespace(**SETTINGS | settings)
        self.done = 0

    def epoch(self, order=None):
        """Train one epoch; the next of `batch_orders` is drawn by the training itself."""
        with threadpool_limits(1, user_api="blas"):
            epochs = range(self.done, self.done + 1)
            list(gradient_descent(self.network, [self.X], self.labels, self.settings, epochs))
        self.done += 1

    def parameters(self):
        return self.network.weights + self.network.biases

    def accuracy(self, X, labels):
        with threadpool_limits(1, user_api="blas"):
            return self.network.evaluate(X, labels)[1]


class Textbook:
    """The way of most NumPy projects: float64, one-hot labels, a new array for every result."""

    def __init__(self, network, X, labels):
        self.X, self.Y = X.astype(np.float64), np.eye(CLASSES)[labels]
        self.W_1, self.W_2 = (W.astype(np.float64) for W in network.weights)
        self.b_1, self.b_2 = (b.astype(np.float64) for b in network.biases)

    def epoch(self, order):
        X, Y = self.X[order], self.Y[order]
        for start in range(0, len(X), BATCH_SIZE):
            X_batch, Y_batch = X[start : start + BATCH_SIZE], Y[start : start + BATCH_SIZE]
            Z_1 = X_batch @ self.W_1 + self.b_1
            H = np.maximum(Z_1, 0)
            Z_2 = H @ self.W_2 + self.b_2
            odds = np.exp(Z_2 - Z_2.max(axis=1, keepdims=True))
            P = odds / odds.sum(axis=1, keepdims=True)
            dZ_2 = (P - Y_batch) / len(X_batch)
            dZ_1 = (dZ_2 @ self.W_2.T) * (Z_1 > 0)
            self.W_2 = self.W_2 - ALPHA * (H.T @ dZ_2 + L2 * self.W_2)
            self.b_2 = self.b_2 - ALPHA * dZ_2.sum(axis=0)
            self.W_1 = self.W_1 - ALPHA * (X_batch.T @ dZ_1 + L2 * self.W_1)
            self.b_1 = self.b_1 - ALPHA * dZ_1.sum(axis=0)

    def parameters(self):
        return [self.W_1, self.W_2, self.b_1, self.b_2]


class Keras:
    """`Model.fit`, as its tutorials use it."""

    def __init__(self, network, X, labels):
        import keras

        self.X, self.labels = X, labels
        penalty = keras.regularizers.L2(L2 / 2)  # Keras has no 1/2 in it
        self.model = keras.Sequential(
            [
                keras.Input((INPUTS,)),
                keras.layers.Dense(HIDDEN, "relu", kernel_regularizer=penalty),
                keras.layers.Dense(CLASSES, kernel_regularizer=penalty),
            ]
        )
        pairs = zip(network.weights, network.biases)
        self.model.set_weights([array for pair in pairs for array in pair])
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        self.model.compile(keras.optimizers.SGD(ALPHA), loss)

    def epoch(self, order):
        X, labels = self.X[order], self.labels[order]
        self.model.fit(X, labels, batch_size=BATCH_SIZE, shuffle=False, verbose=0)

    def parameters(self):
        W_1, b_1, W_2, b_2 = self.model.get_weights()
        return [W_1, W_2, b_1, b_2]


class PyTorch:
    """Eager PyTorch, batches sliced from tensors in memory."""

    def __init__(self, network, X, labels, l2=L2, momentum=0):
        import torch

        self.torch = torch
        self.X, self.labels = torch.from_numpy(X), torch.from_numpy(labels.astype(np.int64))
        layers = [torch.nn.Linear(INPUTS, HIDDEN), torch.nn.Linear(HIDDEN, CLASSES)]
        with torch.no_grad():
            for layer, W, b in zip(layers, network.weights, network.biases):
                layer.weight.copy_(torch.from_numpy(W.T.copy()))
                layer.bias.copy_(torch.from_numpy(b.copy()))
        self.layers = layers
        self.model = torch.nn.Sequential(layers[0], torch.nn.ReLU(), layers[1])
        groups = [
            {"params": [layer.weight for layer in layers], "weight_decay": l2},
            {"params": [layer.bias for layer in layers], "weight_decay": 0},
        ]
        self.optimiser = torch.optim.SGD(groups, lr=ALPHA, momentum=momentum)
        self.threads = self.best_threads()

    def best_threads(self):
        """The number of threads with which a pass over some batches is fastest."""
        seconds = {}
        for threads in sorted({1, 2, os.cpu_count()}):
            self.torch.set_num_threads(threads)
            for _ in range(2):  # the first one warms up
                start = time.perf_counter()
                for row in range(0, min(len(self.X), 3200), BATCH_SIZE):
                    self.gradient(slice(row, row + BATCH_SIZE))
                seconds[threads] = time.perf_counter() - start
        return min(seconds, key=seconds.get)

    def gradient(self, batch):
        loss = self.torch.nn.functional.cross_entropy(self.model(self.X[batch]), self.labels[batch])
        self.optimiser.zero_grad()
        loss.backward()

    def epoch(self, order):
        self.torch.set_num_threads(self.threads)
        order = self.torch.from_numpy(order)
        for start in range(0, len(order), BATCH_SIZE):
            self.gradient(order[start : start + BATCH_SIZE])
            self.optimiser.step()

    def parameters(self):
        weights = [layer.weight.detach().numpy().T for layer in self.layers]
        return weights + [layer.bias.detach().numpy() for layer in self.layers]

    def accuracy(self, X, labels):
        with self.torch.no_grad():
            predictions = self.model(self.torch.from_numpy(X)).argmax(dim=1)
        return float((predictions.numpy() == labels).mean())


class ScikitLearn:
    """`MLPClassifier(solver="sgd", momentum=0)`, one `partial_fit` an epoch."""

    def __init__(self, network, X, labels):
        from sklearn.neural_network import MLPClassifier

        self.X, self.labels = X, labels
        self.model = MLPClassifier(
            (HIDDEN,),
            solver="sgd",
            momentum=0,
            alpha=L2 * BATCH_SIZE,  # it divides the penalty by the size of the batch
            batch_size=BATCH_SIZE,
            learning_rate_init=ALPHA,
            shuffle=False,
        )
        self.model.partial_fit(X[:BATCH_SIZE], labels[:BATCH_SIZE], classes=np.arange(CLASSES))
        for own, given in zip(self.parameters(), network.weights + network.biases):
            own[...] = given

    def epoch(self, order):
        self.model.partial_fit(self.X[order], self.labels[order])

    def parameters(self):
        return self.model.coefs_ + self.model.intercepts_


class Jax:
    """One compiled function for the whole epoch: `jax.jit` around `jax.lax.scan`."""

    def __init__(self, network, X, labels):
        import jax
        import jax.numpy as jnp

        self.X, self.labels = jnp.asarray(X), jnp.asarray(labels.astype(np.int32))
        self.values = [jnp.asarray(array) for array in network.weights + network.biases]

        def loss(values, X, labels):
            W_1, W_2, b_1, b_2 = values
            log_P = jax.nn.log_softmax(jax.nn.relu(X @ W_1 + b_1) @ W_2 + b_2)
            cross_entropy = -jnp.take_along_axis(log_P, labels[:, None], axis=1).mean()
            return cross_entropy + L2 / 2 * ((W_1**2).sum() + (W_2**2).sum())

        def step(values, batch):
            gradient = jax.grad(loss)(values, self.X[batch], self.labels[batch])
            return [value - ALPHA * part for value, part in zip(values, gradient)], None

        self.scan = jax.jit(lambda values, batches: jax.lax.scan(step, values, batches)[0])

    def epoch(self, order):
        self.values = self.scan(self.values, order.reshape(-1, BATCH_SIZE))
        self.values[0].block_until_ready()

    def parameters(self):
        return [np.asarray(value) for value in self.values]


class MatrixProducts:
    """The matrix products of every step and nothing else: what NumPy can't do without."""

    def __init__(self, network, X, labels, batch_size=BATCH_SIZE):
        self.X, self.batch_size = X, batch_size
        self.W_1, self.W_2 = network.weights
        hidden = self.W_1.shape[1]
        self.H, self.dZ_1 = np.empty((2, batch_size, hidden), np.float32)
        self.Z_2 = np.empty((batch_size, CLASSES), np.float32)
        self.dW_1, self.dW_2 = np.empty_like(self.W_1), np.empty_like(self.W_2)

    def epoch(self, order=None):
        with threadpool_limits(1, user_api="blas"):
            for start in range(0, len(self.X), self.batch_size):
                X_batch = self.X[start : start + self.batch_size]
                np.matmul(X_batch, self.W_1, out=self.H)
                np.matmul(self.H, self.W_2, out=self.Z_2)
                np.matmul(self.Z_2, self.W_2.T, out=self.dZ_1)
                np.matmul(self.H.T, self.Z_2, out=self.dW_2)
                np.matmul(X_batch.T, self.dZ_1, out=self.dW_1)


class Fetching:
    """Nothing but the images of every batch, put together in their random order."""

    def __init__(self, network, X, labels):
        self.X = X
        self.X_batch = np.empty((BATCH_SIZE, INPUTS), np.float32)

    def epoch(self, order):
        for start in range(0, len(order), BATCH_SIZE):
            batch = order[start : start + BATCH_SIZE]
            self.X.take(batch, axis=0, out=self.X_batch, mode="clip")


class Updating:
    """Nothing but the update of the parameters after every batch."""

    def __init__(self, network, X, labels):
        self.network = network

    def epoch(self, order):
        for start in range(0, len(order), BATCH_SIZE):
            if start % (2 * BATCH_SIZE) == 0:  # as often as the penalty is worth a pass here
                self.network.all_weights *= 1 - 2 * ALPHA * L2
            self.network.parameters -= self.network.gradient


PARTS = {
    "the matrix products": MatrixProducts,
    "fetching the batches": Fetching,
    "updating the parameters": Updating,
}

# name in the results: class, name in the table, the ratio that is our aim
CONTENDERS = {
    "ours": (Ours, "this project", None),
    "textbook": (Textbook, "NumPy the textbook way", 0.20),
    "keras": (Keras, "Keras `fit`", 0.12),
    "pytorch": (PyTorch, "PyTorch eager", 0.40),
    "sklearn": (ScikitLearn, "scikit-learn `MLPClassifier`", 0.40),
    "jax": (Jax, "JAX `jit` of `lax.scan`", 1.0),
    "matrix_products": (MatrixProducts, "the matrix products alone", 1.6),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output", type=Path, default=PROJECT / "docs" / "benchmarks.json")
    parser.add_argument("--images", type=int, default=60_000, help="training images an epoch")
    parser.add_argument("--epochs", type=int, default=9, help="epochs timed, after one to warm up")
    arguments = parser.parse_args()

    images, labels, *test = load_mnist()
    number = arguments.images // BATCH_SIZE * BATCH_SIZE
    images, labels = images[:number], labels[:number]
    X = preprocess(images, deskew=False)
    network = new_network()
    orders = batch_orders(number, 1 + arguments.epochs)

    contenders = {}
    for name, (contender, title, _) in CONTENDERS.items():
        contenders[name] = contender(new_network(), X, labels)
        contenders[name].epoch(orders[0])
        if name != "matrix_products":
            check_agreement(title, contenders[name], contenders["ours"], network)
    seconds = {name: [] for name in CONTENDERS}
    for order in orders[1:]:
        for name, contender in contenders.items():
            seconds[name].append(time_of(contender.epoch, order))
    seconds_to_98 = time_to_98(images, labels, *test)
    parts = {}
    for name, part in PARTS.items():
        part = part(new_network(), X, labels)
        parts[name] = statistics.median(time_of(part.epoch, order) for order in orders)
    report(seconds, seconds_to_98, parts, arguments, contenders["pytorch"].threads)


def new_network(hidden=HIDDEN):
    """A network that always has the same random weights."""
    network = MultilayerPerceptron((hidden,))
    network.initialise(np.random.default_rng(0))
    return network


def batch_orders(images, epochs):
    """The order of the images in each epoch, as our training draws it."""
    settings = SimpleNamespace(**SETTINGS)
    return [random_generator(settings, SHUFFLING, e).permutation(images) for e in range(epochs)]


def time_of(function, *arguments):
    """The seconds that a call takes."""
    start = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - start


def time_to_98(images, labels, test_images, test_labels):
    """Seconds that we and PyTorch train until 98 % of the test digits are read, turn by turn.

    Both do the same: momentum of 0.95, deskewed images, the test digits read after every epoch.
    """
    X, X_test = preprocess(images, deskew=True), preprocess(test_images, deskew=True)
    orders = batch_orders(len(X), 20)
    seconds = {"ours": [], "pytorch": []}
    for _ in range(TURNS_TO_98):
        contenders = {
            "ours": Ours(new_network(), X, labels, l2=0, momentum=0.95),
            "pytorch": PyTorch(new_network(), X, labels, l2=0, momentum=0.95),
        }
        for name, contender in contenders.items():
            start = time.perf_counter()
            for order in orders:
                contender.epoch(order)
                if contender.accuracy(X_test, test_labels) >= 0.98:
                    break
            seconds[name].append(time.perf_counter() - start)
    return seconds


def check_agreement(title, contender, ours, start):
    """Stop unless a contender moved the parameters as we did, to float32 accuracy.

    Sums that are rounded otherwise switch a ReLU now and then, which sets the ways a little more
    apart: about 0.0002 of their length in an epoch, and up to 0.002 where less L2 smooths them. To
    leave out the L2 penalty alone would make 0.07.
    """
    parts = zip(contender.parameters(), ours.parameters(), start.weights + start.biases)
    apart = moved = 0
    for theirs, own, before in parts:
        apart += ((theirs - own) ** 2).sum(dtype=np.float64)
        moved += ((own - before) ** 2).sum(dtype=np.float64)
    difference = (apart / moved) ** 0.5
    print(f"{title}: parameters after an epoch differ from ours by {difference:.1e} of their way")
    if not difference < 5e-3:
        sys.exit(f"error: {title} does not compute what this project computes")


def report(seconds, seconds_to_98, parts, arguments, pytorch_threads):
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    # each epoch against ours of the same turn, so that a slow moment of the machine counts for both
    ratios = {
        name: statistics.median(own / other for own, other in zip(seconds["ours"], times))
        for name, times in seconds.items()
        if name != "ours"
    }
    machine = describe_machine("numpy", "keras", "torch", "scikit-learn", "jax")
    machine["threads"] = {"ours": 1, "pytorch": pytorch_threads, "others": "as they choose"}
    print(f"\n{json.dumps(machine)}\n")
    print("| one epoch of | seconds (median) | ours takes of it | aim at most |")
    print("|---|---|---|---|")
    for name, (_, title, target) in CONTENDERS.items():
        share = f"{ratios[name]:.2f} | {target:.2f}" if name in ratios else " | "
        print(f"| {title} | {medians[name]:.3f} | {share} |")
    ours, pytorch = map(statistics.median, seconds_to_98.values())
    print(f"\nto read 98 %: {ours:.2f} s; PyTorch {pytorch:.2f} s; ratio {ours / pytorch:.2f}")
    parts["activations, softmax, loss and the rest"] = medians["ours"] - sum(parts.values())
    print("\n| part of our epoch | seconds |\n|---|---|")
    for name, part_seconds in parts.items():
        print(f"| {name} | {part_seconds:.3f} |")
    results = {
        "ratios": ratios,
        "targets": {name: target for name, (_, _, target) in CONTENDERS.items() if target},
        "median_seconds": medians,
        "seconds": seconds,
        "seconds_to_98": seconds_to_98,
        "part_seconds": parts,
        "images": arguments.images,
        "machine": machine,
    }
    with atomic_write(arguments.output) as file:
        file.write(json.dumps(results, indent=2).encode() + b"\n")


def describe_machine(*packages):
    """The machine and the versions of packages, as a dictionary."""
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": {package: importlib.metadata.version(package) for package in packages},
    }


def processor():
    """What the machine calls its processor."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


if __name__ == "__main__":
    main()
