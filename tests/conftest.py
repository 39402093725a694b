"""What several test files need."""

import os
from types import SimpleNamespace

import hypothesis
import numpy as np
import pytest

os.environ["MPLBACKEND"] = "Agg"  # no windows, here and in the programs the tests start
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

from data_preprocessing import load_mnist
from model import CLASSES, INPUTS, MultilayerPerceptron

hypothesis.settings.register_profile("unhurried", deadline=None)  # on a busy machine, too
hypothesis.settings.load_profile("unhurried")


@pytest.fixture(scope="session")
def mnist():
    """MNIST itself: training images, training labels, test images, test labels."""
    return load_mnist()


@pytest.fixture
def settings():
    """Settings for plain mini-batch gradient descent; a test overwrites what it is about."""
    return SimpleNamespace(
        alpha=0.01,
        number_of_epochs=1,
        batch_size=32,
        hidden_layers=(128,),
        l2=0.0,
        momentum=0.0,
        decay=False,
        deskew=False,
        augment=False,
        validation_size=0,
        seed=0,
    )


@pytest.fixture
def batch():
    """A made-up batch X (16, 784), float64, half of its pixels paper, and labels (16,)."""
    random_generator = np.random.default_rng(1)
    X = random_generator.random((16, INPUTS)) * random_generator.integers(0, 2, (16, INPUTS))
    return X, random_generator.integers(0, CLASSES, 16)


@pytest.fixture
def make_network():
    """Function that makes an initialised network."""

    def make(hidden_layers=(128,), dtype=np.float32, seed=2):
        network = MultilayerPerceptron(hidden_layers, dtype)
        network.initialise(np.random.default_rng(seed))
        # not 0, so that a mistake in the biases shows
        for b in network.biases:
            b[...] = 0.1 * np.random.default_rng(seed).standard_normal(b.shape)
        return network

    return make


@pytest.fixture
def few(mnist):
    """The first 500 training images and their labels."""
    return mnist[0][:500], mnist[1][:500]


@pytest.fixture
def tensorflow_gradient():
    """Function for a network's loss and gradient by TensorFlow's automatic differentiation."""

    def compute(network, X, labels, l2):
        import tensorflow as tf

        weights = [tf.Variable(W) for W in network.weights]
        biases = [tf.Variable(b) for b in network.biases]
        with tf.GradientTape() as tape:
            H = tf.constant(X)
            for W, b in zip(weights[:-1], biases[:-1], strict=True):
                H = tf.nn.relu(H @ W + b)
            logits = H @ weights[-1] + biases[-1]
            cross_entropy = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
            loss = tf.reduce_mean(cross_entropy)
            loss += l2 / 2 * tf.add_n([tf.reduce_sum(W**2) for W in weights])
        gradient = tape.gradient(loss, weights + biases)
        return float(loss), np.concatenate([part.numpy().ravel() for part in gradient])

    return compute
