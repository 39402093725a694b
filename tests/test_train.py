import numpy as np
import pytest

from data_preprocessing import preprocess
from train import gradient_descent, train
from utils import UserError


def test_a_network_learns_100_images_by_heart(mnist, settings):
    few = preprocess(mnist[0][:100]), mnist[1][:100]
    settings.alpha, settings.number_of_epochs = 0.1, 100
    network, history = train(few, few, settings)
    assert network.evaluate(*few)[1] == 1
    assert history["held_out_accuracy"][-1] == 1


def test_one_epoch_on_mnist(inputs, settings):
    X_train, training_labels, X_test, test_labels = inputs
    network, history = train((X_train, training_labels), (X_test, test_labels), settings)
    loss, accuracy = network.evaluate(X_test, test_labels)
    assert accuracy > 0.88
    assert history["held_out_accuracy"] == pytest.approx([accuracy], abs=2e-4)
    assert history["held_out_loss"] == pytest.approx([loss], rel=1e-6)
    # the mean over the epoch, in which the network began knowing nothing
    assert 0.75 < history["training_accuracy"][0] < accuracy
    assert history["training_loss"][0] > loss


def test_plain_gradient_descent_is_the_formula(make_network, batch, settings):
    X, labels = batch
    network, expected = make_network((9,), np.float64), make_network((9,), np.float64)
    settings.alpha, settings.batch_size, settings.l2 = 0.3, 5, 0.01
    settings.number_of_epochs = 2
    gradient_descent(network, batch, batch, np.random.default_rng(4), settings)

    shuffling = np.random.default_rng(4)
    for _ in range(2):
        order = shuffling.permutation(16)
        for start in (0, 5, 10, 15):  # batches of 5, 5, 5 and 1
            rows = order[start : start + 5]
            expected.backward(X[rows], labels[rows], l2=0.01)
            expected.parameters -= 0.3 * expected.gradient
    np.testing.assert_allclose(network.parameters, expected.parameters, rtol=1e-12)


def test_every_epoch_sees_every_image_once(monkeypatch, make_network, batch, settings):
    network = make_network((3,))
    seen = []
    backward = network.backward

    def recording_backward(X, labels, *args, **kwargs):
        seen.append(X.copy())
        return backward(X, labels, *args, **kwargs)

    monkeypatch.setattr(network, "backward", recording_backward)
    settings.batch_size, settings.number_of_epochs = 6, 2
    X = batch[0]
    gradient_descent(network, batch, batch, np.random.default_rng(0), settings)
    assert [len(part) for part in seen] == [6, 6, 4, 6, 6, 4]
    epochs = [np.concatenate(seen[:3]), np.concatenate(seen[3:])]
    assert not np.array_equal(epochs[0], epochs[1])  # a fresh shuffle
    for epoch in epochs:
        np.testing.assert_array_equal(np.sort(epoch, axis=0), np.sort(X, axis=0))


def test_validation_images_are_held_out(batch, settings):
    X, labels = batch[0].astype(np.float32), batch[1]
    X[-4:] = np.nan  # would spoil the training, if they took part in it
    settings.validation_size, settings.hidden_layers = 4, (3,)
    with pytest.raises(UserError):  # the loss on the held-out images is not a number
        train((X, labels), (X[:4], labels[:4]), settings)
    X[-4:] = X[:4]
    network, history = train((X, labels), (X[4:8], labels[4:8]), settings)
    expected = network.evaluate(X[-4:], labels[-4:])[0]
    assert history["held_out_loss"][-1] == pytest.approx(expected, rel=1e-6)


def test_same_seed_same_bits(mnist, settings):
    few = preprocess(mnist[0][:1000]), mnist[1][:1000]
    first, first_history = train(few, few, settings)
    again, again_history = train(few, few, settings)
    assert first.parameters.tobytes() == again.parameters.tobytes()
    for name, values in first_history.items():
        assert values.tobytes() == again_history[name].tobytes()
    settings.seed = 1
    assert train(few, few, settings)[0].parameters.tobytes() != first.parameters.tobytes()


def test_a_diverging_run_ends_with_the_epoch_and_the_learning_rate(mnist, settings):
    few = preprocess(mnist[0][:500]), mnist[1][:500]
    settings.alpha = 1e8
    with np.errstate(all="raise", under="ignore"), pytest.raises(UserError) as error:
        train(few, few, settings)
    assert "epoch 1" in str(error.value) and "alpha = 1e+08" in str(error.value)


def test_plain_lines_where_there_is_no_terminal(capsys, batch, settings):
    X, labels = batch[0].astype(np.float32), batch[1]
    settings.hidden_layers, settings.number_of_epochs = (3,), 2
    train((X, labels), (X, labels), settings)
    out, err = capsys.readouterr()
    assert [line.split(":")[0] for line in out.splitlines()] == ["epoch 1/2", "epoch 2/2"]
    assert err == ""


def test_a_progress_bar_on_a_terminal(monkeypatch, capsys, batch, settings):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    X, labels = batch[0].astype(np.float32), batch[1]
    settings.hidden_layers, settings.number_of_epochs = (3,), 2
    train((X, labels), (X, labels), settings)
    out, err = capsys.readouterr()
    assert out == ""
    assert "2/2" in err and "loss=" in err and "accuracy=" in err and "epoch/s" in err
