import pickle

import numpy as np
import pytest
from conftest import make_network

from data_preprocessing import INPUTS
from model import CLASSES, EVALUATION_BATCH, MultilayerPerceptron
from utils import log_softmax, softmax

RANDOM = np.random.default_rng(1)
X = RANDOM.random((16, INPUTS)) * RANDOM.integers(0, 2, (16, INPUTS))  # half of the pixels paper
LABELS = RANDOM.integers(0, CLASSES, 16)


def test_784_128_10_has_101770_parameters_also_when_pickled():
    original = make_network((128,))
    network = pickle.loads(pickle.dumps(original))
    np.testing.assert_array_equal(network.parameters, original.parameters)
    assert [array.shape for array in network.weights] == [(784, 128), (128, 10)]
    assert [array.shape for array in network.biases] == [(128,), (10,)]
    network.parameters[...] = np.arange(101_770)
    views = [array.ravel() for array in network.weights + network.biases]
    np.testing.assert_array_equal(np.concatenate(views), network.parameters)


def test_he_initialisation():
    network = MultilayerPerceptron((512,))
    network.parameters[...] = np.nan
    network.initialise(np.random.default_rng(0))
    for W in network.weights:
        assert np.std(W) == pytest.approx(np.sqrt(2 / len(W)), rel=0.03)
        assert abs(np.mean(W)) < 0.02 * np.sqrt(2 / len(W)) + 0.002
    assert not any(b.any() for b in network.biases)


@pytest.mark.parametrize("hidden_layers", [(), (7,), (6, 5)])
def test_loss_and_gradient_against_central_differences_and_tensorflow(hidden_layers):
    network, step, numeric = make_network(hidden_layers, np.float64), 1e-5, []
    for index, value in enumerate(network.parameters):
        losses = []
        for network.parameters[index] in (value + step, value - step):
            losses.append(network.evaluate(X, LABELS, l2=0.1)[0])
        network.parameters[index] = value
        numeric.append((losses[0] - losses[1]) / (2 * step))
    network.backward(X, np.eye(CLASSES)[LABELS], l2=0.1)
    np.testing.assert_allclose(network.gradient, numeric, rtol=1e-6, atol=1e-9)

    tf = pytest.importorskip("tensorflow")
    weights, biases = ([*map(tf.Variable, arrays)] for arrays in (network.weights, network.biases))
    with tf.GradientTape() as tape:
        H = tf.constant(X)
        for W, b in zip(weights[:-1], biases[:-1], strict=True):
            H = tf.nn.relu(H @ W + b)
        logits = H @ weights[-1] + biases[-1]
        cross_entropy = tf.nn.sparse_softmax_cross_entropy_with_logits(LABELS, logits)
        loss = tf.reduce_mean(cross_entropy) + 0.05 * sum(tf.reduce_sum(W**2) for W in weights)
    expected = np.concatenate([d.numpy().ravel() for d in tape.gradient(loss, weights + biases)])
    np.testing.assert_allclose(network.gradient, expected, rtol=1e-9, atol=1e-14)
    expected = float(loss), np.mean(np.argmax(logits, axis=1) == LABELS)
    assert network.evaluate(X, LABELS, l2=0.1) == pytest.approx(expected, rel=1e-12)
    np.testing.assert_allclose(softmax(network.logits(X)), tf.nn.softmax(logits), rtol=1e-9)


@pytest.mark.parametrize("images", [0, 1, EVALUATION_BATCH, EVALUATION_BATCH + 1])
def test_evaluation_in_batches_equals_evaluation_in_one_go(images):
    network, X = make_network(dtype=np.float64), np.random.default_rng(0).random((images, INPUTS))
    np.testing.assert_allclose(network.logits(X), network.forward(X)[-1], rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_softmax_of_huge_logits(dtype):
    Z = np.array([[1e4, -1e4, 0], [-1e4, -1e4, -1e4], [1e4, 1e4, -1e4]], dtype)
    with np.errstate(all="raise", under="ignore"):
        log_P, P = log_softmax(Z), softmax(Z)
    assert P.dtype == dtype
    np.testing.assert_allclose(P, [[1, 0, 0], [1 / 3, 1 / 3, 1 / 3], [0.5, 0.5, 0]], rtol=1e-6)
    np.testing.assert_allclose(log_P[0], [0, -2e4, -1e4])
