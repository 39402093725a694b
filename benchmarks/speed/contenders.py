"""The contenders of compare.py: ways to train the same network on the same batches.

Each is a model and its step, as the documentation of its library writes them. `Contender.epochs` is
the loop for all; only this project brings its own.
"""

import functools
import os
from itertools import count

# before the libraries are imported: no messages, no graphics processor
os.environ |= {"TF_CPP_MIN_LOG_LEVEL": "3", "JAX_PLATFORMS": "cpu", "CUDA_VISIBLE_DEVICES": ""}

import numpy as np

import train
from augmentation import WARPS, random_warps
from data_preprocessing import INPUTS, SIDE
from model import CLASSES
from settings import TRAINING, check_settings, load_config

HIDDEN = 128


class Contender:
    """A way to train a network by gradient descent with L2 and a constant learning rate.

    X: (n, 784) float32; labels: (n,) uint8; settings: of the training. A subclass builds a model
    from the initial `parameters`, W_1, b_1, W_2, b_2, and defines a step or, if its library has a
    function for it, an epoch. Some also distort groups of images as `augmentation.distort` does.
    """

    blas_threads = None  # the default of the BLAS library

    def __init__(self, X, labels, settings):
        self.X, self.labels, self.settings = X, labels, settings
        self.alpha, self.l2, self.batch_size = settings.alpha, settings.l2, settings.batch_size
        self.hidden = settings.hidden_layers[0]
        self.network = train.untrained(settings).network
        layers = zip(self.network.weights, self.network.biases)
        self.parameters = [array for layer in layers for array in layer]
        self.build()

    def build(self):
        pass

    def epochs(self):
        """Train epoch after epoch, on whole batches; yield after each epoch."""
        for epoch in count():
            X = self.X
            if self.settings.augment:
                generator = train.random_generator(self.settings, train.AUGMENTATION, epoch)
                positions = random_warps(generator, WARPS).reshape(WARPS, 2, SIDE, SIDE)
                X = self.distort(X.reshape(WARPS, -1, SIDE, SIDE), positions).reshape(-1, INPUTS)
            generator = train.random_generator(self.settings, train.SHUFFLING, epoch)
            self.epoch(X, generator.permutation(len(X)).reshape(-1, self.batch_size))
            yield

    def epoch(self, X, batches):
        """Train on every batch; batches: (number, batch size) indices of images."""
        for batch in batches:
            self.step(X[batch], self.labels[batch])


class Ours(Contender):
    title = "this project"
    blas_threads = 1  # as in train.train

    def epochs(self):
        epochs = range(self.settings.number_of_epochs)
        X_epochs = train.epoch_inputs(self.X, self.settings, epochs)
        return train.gradient_descent(self.network, X_epochs, self.labels, self.settings, epochs)


class AllThreads(Ours):
    title = "this project, all BLAS threads"
    blas_threads = None


class Textbook(Contender):
    title = "NumPy, textbook style"  # float64, one-hot labels, a new array for every result

    def build(self):
        self.X, self.labels = self.X.astype(np.float64), np.eye(CLASSES)[self.labels]
        self.parameters = [array.astype(np.float64) for array in self.parameters]

    def step(self, X, Y):
        W_1, b_1, W_2, b_2 = self.parameters
        Z_1 = X @ W_1 + b_1
        H = np.maximum(Z_1, 0)
        Z_2 = H @ W_2 + b_2
        exponentials = np.exp(Z_2 - Z_2.max(axis=1, keepdims=True))
        P = exponentials / exponentials.sum(axis=1, keepdims=True)
        dZ_2 = (P - Y) / len(X)
        dZ_1 = (dZ_2 @ W_2.T) * (Z_1 > 0)
        dW_1 = X.T @ dZ_1 + self.l2 * W_1
        dW_2 = H.T @ dZ_2 + self.l2 * W_2
        gradients = dW_1, dZ_1.sum(axis=0), dW_2, dZ_2.sum(axis=0)
        self.parameters = [p - self.alpha * g for p, g in zip(self.parameters, gradients)]


class Keras(Contender):
    title = "Keras, `fit`"

    def build(self):
        import keras

        penalty = keras.regularizers.L2(self.l2 / 2)  # Keras omits the factor 1/2
        hidden = keras.layers.Dense(self.hidden, "relu", kernel_regularizer=penalty)
        output = keras.layers.Dense(CLASSES, kernel_regularizer=penalty)
        self.model = keras.Sequential([keras.Input((INPUTS,)), hidden, output])
        self.model.set_weights(self.parameters)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        self.model.compile(optimizer=keras.optimizers.SGD(self.alpha), loss=loss)

    def epoch(self, X, batches):
        X, labels = X[batches.ravel()], self.labels[batches.ravel()]
        self.model.fit(X, labels, self.batch_size, shuffle=False, verbose=0)
        self.parameters = self.model.get_weights()


class PyTorch(Contender):
    title = "PyTorch, eager"

    def build(self):
        import torch

        self.X, self.labels = torch.from_numpy(self.X), torch.from_numpy(self.labels).long()
        hidden, output = torch.nn.Linear(INPUTS, self.hidden), torch.nn.Linear(self.hidden, CLASSES)
        self.model = torch.nn.Sequential(hidden, torch.nn.ReLU(), output)
        for parameter, initial in zip(self.model.parameters(), self.parameters):
            parameter.data = torch.from_numpy(initial.T.copy())
        self.parameters = [p.detach().numpy().T for p in self.model.parameters()]  # views
        self.loss = torch.nn.CrossEntropyLoss()
        weights, biases = [hidden.weight, output.weight], [hidden.bias, output.bias]
        groups = [{"params": weights, "weight_decay": self.l2}, {"params": biases}]
        self.optimizer = torch.optim.SGD(groups, self.alpha)

    def step(self, X, labels):
        loss = self.loss(self.model(X), labels)
        loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad()

    def distort(self, groups, positions):
        import torch

        # grid_sample wants the column before the row, both from -1 to 1
        grids = (2 / (SIDE - 1) * torch.from_numpy(positions) - 1).flip(1).movedim(1, -1)
        return torch.nn.functional.grid_sample(groups, grids, align_corners=True)


class ScikitLearn(Contender):
    title = "scikit-learn, `MLPClassifier`"

    def build(self):
        from sklearn.neural_network import MLPClassifier

        penalty = self.l2 * self.batch_size  # it divides the penalty by the batch size
        options = {"learning_rate_init": self.alpha, "alpha": penalty, "momentum": 0}
        options |= {"solver": "sgd", "batch_size": self.batch_size, "shuffle": False}
        self.model = MLPClassifier((self.hidden,), **options)
        batch = slice(self.batch_size)
        self.model.partial_fit(self.X[batch], self.labels[batch], classes=range(CLASSES))
        self.model.coefs_, self.model.intercepts_ = self.parameters[::2], self.parameters[1::2]
        del self.model._optimizer  # it holds the arrays that were replaced

    def epoch(self, X, batches):
        self.model.partial_fit(X[batches.ravel()], self.labels[batches.ravel()])


class Jax(Contender):
    title = "JAX, `jit` of `lax.scan`"

    def build(self):
        import jax
        import jax.numpy as jnp
        from jax.scipy.ndimage import map_coordinates

        self.X, self.labels = jnp.asarray(self.X), jnp.asarray(self.labels)

        def loss(parameters, X, labels):
            W_1, b_1, W_2, b_2 = parameters
            log_P = jax.nn.log_softmax(jax.nn.relu(X @ W_1 + b_1) @ W_2 + b_2)
            cross_entropy = -jnp.take_along_axis(log_P, labels[:, None], axis=1).mean()
            return cross_entropy + self.l2 / 2 * ((W_1**2).sum() + (W_2**2).sum())

        def scan(parameters, X, labels, batches):
            def step(parameters, batch):
                gradients = jax.grad(loss)(parameters, X[batch], labels[batch])
                return [p - self.alpha * g for p, g in zip(parameters, gradients)], None

            return jax.lax.scan(step, parameters, batches)[0]

        def distort(groups, positions):
            warp = functools.partial(map_coordinates, order=1)
            return jax.vmap(jax.vmap(warp, (0, None)))(groups, positions)

        self.scan, self.distort = jax.jit(scan), jax.jit(distort)

    def epoch(self, X, batches):
        self.parameters = self.scan(self.parameters, X, self.labels, batches)
        self.parameters[0].block_until_ready()


class MatrixProducts(Contender):
    title = "the matrix products alone"
    blas_threads = 1

    def epoch(self, X, batches):
        (W_1, W_2), (dW_1, dW_2) = self.network.weights, self.network.weight_gradients
        H, dZ_1 = np.empty((2, self.batch_size, len(W_2)), np.float32)
        Z_2 = np.empty((self.batch_size, CLASSES), np.float32)
        for X_batch in X[: batches.size].reshape(*batches.shape, INPUTS):
            np.matmul(X_batch, W_1, out=H)
            np.matmul(H, W_2, out=Z_2)
            np.matmul(Z_2, W_2.T, out=dZ_1)
            np.matmul(H.T, Z_2, out=dW_2)
            np.matmul(X_batch.T, dZ_1, out=dW_1)


class Update(Contender):
    title = "the L2 penalty and the update alone"

    def epoch(self, X, batches):
        for _ in batches:
            for W, dW in zip(self.network.weights, self.network.weight_gradients):
                dW += self.l2 * W
            self.network.gradient *= self.alpha
            self.network.parameters -= self.network.gradient


CONTENDERS = (Ours, Textbook, Keras, PyTorch, ScikitLearn, Jax)
DISTORTING = (Ours, AllThreads, PyTorch, Jax)
PARTS = (MatrixProducts, Update)


def benchmark_settings(**options):
    """The training settings of config.py, but for these, and with other options."""
    fixed = {"hidden_layers": (HIDDEN,), "batch_size": 32, "number_of_epochs": 10**6}
    fixed |= {"decay": False, "deskew": True, "augment": False}
    return check_settings(load_config() | fixed | options, TRAINING, "config.py")
