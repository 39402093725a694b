"""The contenders of compare.py: ways to train the same network on the same batches.

    python benchmarks/contenders.py NAME IMAGES SEED

serves one of them to compare.py. It reads a command per line from standard input, such as
["train", 1], and writes an answer per line to standard output, both in JSON.
"""

import functools
import json
import os
import sys
import textwrap
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
os.environ |= {"TF_CPP_MIN_LOG_LEVEL": "3", "JAX_PLATFORMS": "cpu", "CUDA_VISIBLE_DEVICES": ""}

import numpy as np
from threadpoolctl import threadpool_limits

import train
from augmentation import WARPS, random_warps
from data_preprocessing import load_mnist, preprocess
from model import CLASSES, INPUTS, SIDE, MultilayerPerceptron
from settings import TRAINING, check_settings, load_config

HIDDEN = 128
CHECK_IMAGES = 3200  # trained on before the parameters are compared
MOST_EPOCHS = 100  # to reach an accuracy


def benchmark_settings(**changes):
    """The settings in config.py, with a constant learning rate and no distortions."""
    settings = check_settings(load_config(), TRAINING, "config.py")
    fixed = {"hidden_layers": (HIDDEN,), "decay": False, "augment": False}
    vars(settings).update(fixed | changes)
    return settings


class Contender:
    """A way to train a network by gradient descent with L2 and a constant learning rate.

    Subclasses define `epoch(order)`, which trains on the images in this order and updates `arrays`,
    the parameters W_1, W_2, b_1, b_2.

    X: (n, 784) float32; labels: (n,) uint8; settings: the training settings.
    """

    threads = None  # the number of threads, if the contender chooses one
    trained = 0  # epochs

    def __init__(self, X, labels, settings):
        self.X, self.labels, self.settings = X, labels, settings
        self.alpha, self.l2 = settings.alpha, settings.l2
        self.batch_size = settings.batch_size
        self.network = MultilayerPerceptron(settings.hidden_layers)
        self.network.initialise(train.random_generator(settings, train.INITIALISATION))
        self.arrays = self.network.weights + self.network.biases

    def epochs(self, epochs, images):
        """Train a range of epochs on the first images; yield after each."""
        for epoch in epochs:
            generator = train.random_generator(self.settings, train.SHUFFLING, epoch)
            self.epoch(generator.permutation(images))
            yield

    def check(self):
        """Train on a few images; return the change of the parameters as a list."""
        before, images = self.parameters(), min(CHECK_IMAGES, len(self.labels))
        list(self.epochs(range(1), images))
        return (self.parameters() - before).tolist()

    def parameters(self):
        """All parameters as one vector."""
        return np.concatenate([np.ravel(array) for array in self.arrays])

    def share(self, arrays):
        """Write the initial parameters to the arrays of a library, and keep these."""
        for theirs, initial in zip(arrays, self.arrays):
            theirs[...] = initial
        self.arrays = arrays

    def train(self, number=1):
        """Train some epochs; return the seconds of each."""
        epochs = range(self.trained, self.trained + number)
        self.trained += number
        times = [time.perf_counter()]
        times += [time.perf_counter() for _ in self.epochs(epochs, len(self.labels))]
        return np.diff(times).tolist()

    def reach(self, target):
        """Train until an accuracy on the test images; return the seconds and the epochs."""
        _, _, images, labels = load_mnist()
        X = preprocess(images, self.settings.deskew)
        start = time.perf_counter()
        for epoch, _ in enumerate(self.epochs(range(MOST_EPOCHS), len(self.labels)), start=1):
            if self.accuracy(X, labels) >= target:
                return time.perf_counter() - start, epoch
        raise ValueError(f"{target:.1%} not reached in {MOST_EPOCHS} epochs")


class Ours(Contender):
    """This project's own training."""

    def epochs(self, epochs, images):
        X, labels, settings = self.X[:images], self.labels[:images], self.settings
        data = train.epoch_inputs(X, settings, epochs), labels
        with threadpool_limits(1, user_api="blas"):  # as in train.train
            yield from train.gradient_descent(self.network, *data, settings, epochs)

    def accuracy(self, X, labels):
        return self.network.evaluate(X, labels, self.l2)[1]


class Textbook(Contender):
    """Common NumPy code: float64, one-hot labels, a new array for every result."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.X, self.Y = self.X.astype(np.float64), np.eye(CLASSES)[self.labels]
        self.arrays = [array.astype(np.float64) for array in self.arrays]

    def epoch(self, order):
        X, Y = self.X[order], self.Y[order]
        for start in range(0, len(X), self.batch_size):
            batch = slice(start, start + self.batch_size)
            W_1, W_2, b_1, b_2 = self.arrays
            Z_1 = X[batch] @ W_1 + b_1
            H = np.maximum(Z_1, 0)
            Z_2 = H @ W_2 + b_2
            exponentials = np.exp(Z_2 - Z_2.max(axis=1, keepdims=True))
            P = exponentials / exponentials.sum(axis=1, keepdims=True)
            dZ_2 = (P - Y[batch]) / len(P)
            dZ_1 = (dZ_2 @ W_2.T) * (Z_1 > 0)
            dW_1 = X[batch].T @ dZ_1 + self.l2 * W_1
            dW_2 = H.T @ dZ_2 + self.l2 * W_2
            gradients = dW_1, dW_2, dZ_1.sum(axis=0), dZ_2.sum(axis=0)
            self.arrays = [a - self.alpha * g for a, g in zip(self.arrays, gradients)]


class Keras(Contender):
    """`Model.fit`, as in its tutorials."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        import keras

        penalty = keras.regularizers.L2(self.l2 / 2)  # Keras omits the factor 1/2
        layers = [
            keras.Input((INPUTS,)),
            keras.layers.Dense(HIDDEN, "relu", kernel_regularizer=penalty),
            keras.layers.Dense(CLASSES, kernel_regularizer=penalty),
        ]
        self.model = keras.Sequential(layers)
        W_1, W_2, b_1, b_2 = self.arrays
        self.model.set_weights([W_1, b_1, W_2, b_2])
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        self.model.compile(keras.optimizers.SGD(self.alpha), loss)

    def epoch(self, order):
        X, labels = self.X[order], self.labels[order]
        self.model.fit(X, labels, self.batch_size, shuffle=False, verbose=0)
        W_1, b_1, W_2, b_2 = self.model.get_weights()
        self.arrays = [W_1, W_2, b_1, b_2]


class PyTorch(Contender):
    """Eager PyTorch, batches indexed from tensors in memory."""

    def __init__(self, *arguments, compiled=False):
        super().__init__(*arguments)
        import torch

        self.torch = torch
        self.X, self.labels = torch.from_numpy(self.X), torch.from_numpy(self.labels).long()
        first, last = torch.nn.Linear(INPUTS, HIDDEN), torch.nn.Linear(HIDDEN, CLASSES)
        self.model = torch.nn.Sequential(first, torch.nn.ReLU(), last)
        weights, biases = [first.weight, last.weight], [first.bias, last.bias]
        self.share([W.detach().numpy().T for W in weights] + [b.detach().numpy() for b in biases])
        groups = [
            {"params": weights, "weight_decay": self.l2},
            {"params": biases, "weight_decay": 0},
        ]
        self.optimizer = torch.optim.SGD(groups, self.alpha)
        if compiled:
            self.loss = torch.compile(self.loss)
            self.optimizer.step = torch.compile(self.optimizer.step)
        self.threads = self.fastest_threads()
        torch.set_num_threads(self.threads)

    def fastest_threads(self):
        """The number of threads with which backpropagation over some batches is fastest."""
        seconds = {}
        for threads in sorted({1, 2, os.cpu_count()}):
            self.torch.set_num_threads(threads)
            for _ in range(2):  # the first one warms up
                start = time.perf_counter()
                for _ in range(100):
                    self.backward(self.torch.arange(self.batch_size))
                seconds[threads] = time.perf_counter() - start
        return min(seconds, key=seconds.get)

    def loss(self, X, labels):
        return self.torch.nn.functional.cross_entropy(self.model(X), labels)

    def backward(self, batch):
        loss = self.loss(self.X[batch], self.labels[batch])
        self.optimizer.zero_grad()
        loss.backward()

    def epoch(self, order):
        for batch in self.torch.from_numpy(order).split(self.batch_size):
            self.backward(batch)
            self.optimizer.step()

    def accuracy(self, X, labels):
        with self.torch.no_grad():
            predictions = self.model(self.torch.from_numpy(X)).argmax(dim=1)
        return float((predictions.numpy() == labels).mean())


class DistortedPyTorch(PyTorch):
    """Eager PyTorch that distorts the images as `augmentation.distort` does."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.undistorted, self.X = self.X, self.X.clone()

    def epochs(self, epochs, images):
        for epoch in epochs:
            self.torch.set_num_threads(os.cpu_count())
            self.distort(images, train.random_generator(self.settings, train.AUGMENTATION, epoch))
            self.torch.set_num_threads(self.threads)
            yield from super().epochs([epoch], images)

    def distort(self, images, generator):
        """Write distorted copies of the first images to X."""
        positions = self.torch.from_numpy(random_warps(generator, WARPS))
        # grid_sample wants the column before the row, both from -1 to 1
        grids = (2 / (SIDE - 1) * positions - 1).flip(1).movedim(1, 2).view(-1, 1, SIDE, SIDE, 2)
        size = -(-images // WARPS)
        groups = self.undistorted[:images].split(size), self.X[:images].split(size)
        for grid, *group in zip(grids, *groups):
            undistorted, distorted = (X.view(1, -1, SIDE, SIDE) for X in group)
            distorted[...] = self.torch.nn.functional.grid_sample(
                undistorted, grid, align_corners=True
            )


class ScikitLearn(Contender):
    """`MLPClassifier`, one `partial_fit` per epoch."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        from sklearn.neural_network import MLPClassifier

        self.model = MLPClassifier(
            (HIDDEN,),
            solver="sgd",
            alpha=self.l2 * self.batch_size,  # it divides the penalty by the batch size
            batch_size=self.batch_size,
            learning_rate_init=self.alpha,
            momentum=0,
            shuffle=False,
        )
        batch = slice(self.batch_size)
        self.model.partial_fit(self.X[batch], self.labels[batch], classes=range(CLASSES))
        self.share(self.model.coefs_ + self.model.intercepts_)
        del self.model._optimizer  # it holds the arrays that were replaced

    def epoch(self, order):
        self.model.partial_fit(self.X[order], self.labels[order])


class Jax(Contender):
    """One compiled function for the whole epoch: `jax.jit` of `jax.lax.scan`."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        import jax
        import jax.numpy as jnp

        self.X, self.labels = jnp.asarray(self.X), jnp.asarray(self.labels.astype(np.int32))
        self.arrays = [jnp.asarray(array) for array in self.arrays]

        def loss(arrays, X, labels):
            W_1, W_2, b_1, b_2 = arrays
            log_P = jax.nn.log_softmax(jax.nn.relu(X @ W_1 + b_1) @ W_2 + b_2)
            cross_entropy = -jnp.take_along_axis(log_P, labels[:, None], axis=1).mean()
            return cross_entropy + self.l2 / 2 * ((W_1**2).sum() + (W_2**2).sum())

        def scan(arrays, batches, X):
            def step(arrays, batch):
                gradients = jax.grad(loss)(arrays, X[batch], self.labels[batch])
                return [a - self.alpha * g for a, g in zip(arrays, gradients)], None

            return jax.lax.scan(step, arrays, batches)[0]

        self.scan = jax.jit(scan)

    def epoch(self, order):
        batches = order.reshape(-1, self.batch_size)
        self.arrays = self.scan(self.arrays, batches, self.X)
        self.arrays[0].block_until_ready()

    def accuracy(self, X, labels):
        W_1, W_2, b_1, b_2 = self.arrays
        logits = np.maximum(X @ W_1 + b_1, 0) @ W_2 + b_2
        return float((np.argmax(logits, axis=1) == labels).mean())


class DistortedJax(Jax):
    """JAX that distorts the images as `augmentation.distort` does, in one compiled function."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        import jax
        import jax.numpy as jnp

        self.undistorted = self.X

        def warp(pixels, positions):
            """`augmentation.warp`: (784, n) pixels of a group, positions (2, 784)."""
            corner = jnp.floor(positions)
            down, right = positions - corner
            top, left = corner.astype(int)
            source, warped = jnp.pad(pixels, ((0, 1), (0, 0))), 0
            for row, row_weight in ((top, 1 - down), (top + 1, down)):
                for column, weight in ((left, 1 - right), (left + 1, right)):
                    inside = (row >= 0) & (row < SIDE) & (column >= 0) & (column < SIDE)
                    neighbours = jnp.where(inside, row * SIDE + column, INPUTS)
                    warped += (row_weight * weight)[:, None] * source[neighbours]
            return warped

        def distort(X, positions):
            size = -(-len(X) // WARPS)
            padded = jnp.pad(X, ((0, WARPS * size - len(X)), (0, 0)))
            groups = padded.reshape(WARPS, size, INPUTS).swapaxes(1, 2)
            warped = jax.vmap(warp)(groups, positions)
            return warped.swapaxes(1, 2).reshape(-1, INPUTS)[: len(X)]

        self.distort = jax.jit(distort)

    def epochs(self, epochs, images):
        for epoch in epochs:
            generator = train.random_generator(self.settings, train.AUGMENTATION, epoch)
            positions = random_warps(generator, WARPS)
            self.X = self.distort(self.undistorted[:images], positions)
            yield from super().epochs([epoch], images)


class MatrixProducts(Contender):
    """The matrix products of every whole batch and nothing else, in NumPy."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.H, self.dZ_1 = np.empty((2, self.batch_size, len(self.arrays[2])), np.float32)
        self.Z_2 = np.empty((self.batch_size, CLASSES), np.float32)

    def epoch(self, order):
        (W_1, W_2), (dW_1, dW_2) = self.network.weights, self.network.weight_gradients
        with threadpool_limits(1, user_api="blas"):
            for start in range(0, len(order) - self.batch_size + 1, self.batch_size):
                X_batch = self.X[start : start + self.batch_size]
                np.matmul(X_batch, W_1, out=self.H)
                np.matmul(self.H, W_2, out=self.Z_2)
                np.matmul(self.Z_2, W_2.T, out=self.dZ_1)
                np.matmul(self.H.T, self.Z_2, out=dW_2)
                np.matmul(X_batch.T, self.dZ_1, out=dW_1)


CONTENDERS = {
    "ours": Ours,
    "textbook": Textbook,
    "keras": Keras,
    "pytorch": PyTorch,
    "pytorch_compiled": functools.partial(PyTorch, compiled=True),
    "sklearn": ScikitLearn,
    "jax": Jax,
    "matrix_products": MatrixProducts,
    "ours_distorted": Ours,
    "pytorch_distorted": DistortedPyTorch,
    "jax_distorted": DistortedJax,
}


def serve(name, images, seed):
    """Answer commands until standard input ends, or with an error if one fails."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # keep what libraries print out of the answers
    try:
        settings = benchmark_settings(seed=int(seed), augment=name.endswith("distorted"))
        images = int(images) // settings.batch_size * settings.batch_size  # JAX: no short batch
        images, labels = (array[:images] for array in load_mnist()[:2])
        contender = CONTENDERS[name](preprocess(images, settings.deskew), labels, settings)
        print(json.dumps({"answer": contender.threads}), file=answers, flush=True)
        for line in sys.stdin:
            command, *arguments = json.loads(line)
            answer = getattr(contender, command)(*arguments)
            print(json.dumps({"answer": answer}), file=answers, flush=True)
    except Exception as error:  # whatever a library raises
        reason = textwrap.shorten(str(error), 100, placeholder=" ...") or type(error).__name__
        print(json.dumps({"error": reason}), file=answers, flush=True)


if __name__ == "__main__":
    serve(*sys.argv[1:])
