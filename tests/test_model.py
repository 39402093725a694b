import numpy as np
import pytest
from sklearn.metrics import log_loss

from model import CLASSES, INPUTS, MultilayerPerceptron


def test_784_128_10_has_101770_parameters():
    network = MultilayerPerceptron()
    assert network.layer_sizes == (784, 128, 10)
    assert network.parameters.size == 101_770
    assert network.parameters.dtype == np.float32


def test_weights_and_biases_are_the_parameters(make_network):
    network = make_network((5, 4))
    assert [W.shape for W in network.weights] == [(784, 5), (5, 4), (4, 10)]
    assert [b.shape for b in network.biases] == [(5,), (4,), (10,)]
    network.parameters[...] = np.arange(network.parameters.size)
    split = [array.ravel() for array in network.weights + network.biases]
    np.testing.assert_array_equal(np.concatenate(split), network.parameters)


def one_hot(labels):
    return np.eye(CLASSES)[labels]


def test_he_initialisation():
    network = MultilayerPerceptron((512,))
    network.parameters[...] = np.nan
    network.initialise(np.random.default_rng(0))
    for W in network.weights:
        assert np.std(W) == pytest.approx(np.sqrt(2 / len(W)), rel=0.03)
        assert abs(np.mean(W)) < 0.02 * np.sqrt(2 / len(W)) + 0.002
    assert not any(b.any() for b in network.biases)


def test_forward_pass_is_the_formulas(make_network, batch):
    X, _ = batch
    network = make_network(dtype=np.float64)
    (W_1, W_2), (b_1, b_2) = network.weights, network.biases
    H = np.maximum(X @ W_1 + b_1, 0)
    odds = np.exp(H @ W_2 + b_2)
    P = odds / odds.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(network.predict_proba(X), P, rtol=1e-12)
    np.testing.assert_array_equal(network.predict(X), P.argmax(axis=1))


def test_probabilities_stay_when_the_network_is_used_again(make_network, batch):
    network = make_network()
    first = network.predict_proba(batch[0])
    kept = first.copy()
    network.predict_proba(batch[0][::-1])
    np.testing.assert_array_equal(first, kept)


@pytest.mark.parametrize("hidden_layers", [(), (7,), (6, 5)])
def test_gradient_against_central_differences(make_network, batch, hidden_layers):
    X, labels = batch
    network = make_network(hidden_layers, np.float64)
    network.backward(X, one_hot(labels))
    step = 1e-5
    numeric = np.empty_like(network.gradient)
    for index, value in enumerate(network.parameters):
        losses = []
        for network.parameters[index] in (value + step, value - step):
            losses.append(network.evaluate(X, labels)[0])
        network.parameters[index] = value
        numeric[index] = (losses[0] - losses[1]) / (2 * step)
    np.testing.assert_allclose(network.gradient, numeric, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("hidden_layers", [(128,), (50, 30)])
def test_loss_and_gradient_against_tensorflow(
    make_network, batch, tensorflow_gradient, hidden_layers
):
    X, labels = batch
    network = make_network(hidden_layers, np.float64)
    network.backward(X, one_hot(labels))
    loss, gradient = tensorflow_gradient(network, X, labels, l2=0)
    assert network.evaluate(X, labels)[0] == pytest.approx(loss, rel=1e-12)
    np.testing.assert_allclose(network.gradient, gradient, rtol=1e-9, atol=1e-14)


def test_scale_scales_the_gradient(make_network, batch):
    X, labels = batch
    network = make_network((20,), np.float64)
    network.backward(X, one_hot(labels))
    gradient = network.gradient.copy()
    network.backward(X, one_hot(labels), scale=0.25)
    np.testing.assert_allclose(network.gradient, 0.25 * gradient, rtol=1e-12)


def test_probabilities_against_keras(make_network, batch):
    import keras

    network = make_network()
    X = batch[0].astype(np.float32)
    layers = [keras.layers.Dense(128, "relu"), keras.layers.Dense(10, "softmax")]
    model = keras.Sequential([keras.Input((INPUTS,)), *layers])
    pairs = zip(network.weights, network.biases, strict=True)
    model.set_weights([array for pair in pairs for array in pair])
    expected = model.predict(X, verbose=0)
    np.testing.assert_allclose(network.predict_proba(X), expected, rtol=1e-4, atol=1e-6)


def test_loss_against_scikit_learn(make_network, batch):
    X, labels = batch
    network = make_network(dtype=np.float64)
    loss, accuracy = network.evaluate(X, labels)
    expected = log_loss(labels, network.predict_proba(X), labels=np.arange(CLASSES))
    assert loss == pytest.approx(expected, rel=1e-12)
    assert accuracy == np.mean(network.predict(X) == labels)


def test_loss_of_huge_logits_is_finite(make_network, batch):
    X, labels = batch
    network = make_network()
    network.biases[-1][...] = [1e4, -1e4] * 5
    with np.errstate(all="raise", under="ignore"):
        loss, _ = network.evaluate(X, labels)
        network.backward(X, one_hot(labels))
    share_of_wrong_side = np.mean(labels % 2)  # odd labels are 2e4 below the largest logit
    assert loss == pytest.approx(2e4 * share_of_wrong_side, rel=1e-2)
    assert np.isfinite(network.gradient).all()
