import itertools
import tempfile
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_preprocessing import preprocess
from model import CLASSES
from save_load import load_model, save_model
from train import (
    SHUFFLING,
    gradient_descent,
    learning_rate,
    random_generator,
    seed_study,
    train,
)
from utils import UserError


def test_a_network_learns_100_images_by_heart(mnist, settings):
    few = mnist[0][:100], mnist[1][:100]
    settings.alpha, settings.number_of_epochs = 0.1, 100
    network, history = train(few, few, settings)
    assert network.evaluate(preprocess(few[0], deskew=False), few[1])[1] == 1
    assert history["held_out_accuracy"][-1] == 1


def test_one_epoch_on_mnist(mnist, settings):
    network, history = train(mnist[:2], mnist[2:], settings)
    loss, accuracy = network.evaluate(preprocess(mnist[2], deskew=False), mnist[3])
    assert accuracy > 0.88
    assert history["held_out_accuracy"] == pytest.approx([accuracy], abs=2e-4)
    assert history["held_out_loss"] == pytest.approx([loss], rel=1e-6)
    # the mean over the epoch, in which the network began knowing nothing
    assert 0.75 < history["training_accuracy"][0] < accuracy
    assert history["training_loss"][0] > loss


def descend(network, batch, settings):
    """Run gradient descent on one batch of training data; return what it yields."""
    epochs = range(settings.number_of_epochs)
    X_epochs = itertools.repeat(batch[0])
    return list(gradient_descent(network, X_epochs, batch[1], settings, epochs))


def test_all_switches_off_is_plain_gradient_descent(make_network, batch, settings):
    X, labels = batch
    network, expected = make_network((9,), np.float64), make_network((9,), np.float64)
    settings.alpha, settings.batch_size, settings.number_of_epochs = 0.3, 5, 2
    descend(network, batch, settings)

    for epoch in range(2):
        order = random_generator(settings, SHUFFLING, epoch).permutation(16)
        for start in (0, 5, 10, 15):  # batches of 5, 5, 5 and 1
            rows = order[start : start + 5]
            expected.backward(X[rows], np.eye(CLASSES)[labels[rows]])
            expected.parameters -= 0.3 * expected.gradient
    np.testing.assert_allclose(network.parameters, expected.parameters, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("momentum", [0, 0.9])
def test_a_step_with_l2_follows_the_gradient_of_the_whole_loss(
    make_network, batch, settings, tensorflow_gradient, momentum
):
    network = make_network((9,), np.float64)
    settings.alpha, settings.l2, settings.momentum = 0.3, 0.1, momentum
    _, gradient = tensorflow_gradient(network, *batch, l2=0.1)
    expected = network.parameters - 0.3 * gradient
    descend(network, batch, settings)
    np.testing.assert_allclose(network.parameters, expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("l2", [1e-3, 1e-6])
def test_the_penalty_shrinks_float32_weights_however_small_it_is(make_network, settings, l2):
    network = make_network((9,))
    before = network.all_weights.astype(np.float64)
    nothing = np.zeros((2000, 784), np.float32), np.zeros(2000, np.uint8)
    settings.alpha, settings.l2, settings.batch_size = 0.01, l2, 1
    network.weights[1][...] = 0  # so that only the penalty moves W_1
    descend(network, nothing, settings)
    W_1 = network.weights[0]
    shrunk = 1 - np.sum(W_1 * before[: W_1.size].reshape(W_1.shape)) / np.sum(
        before[: W_1.size] ** 2
    )
    assert shrunk == pytest.approx(1 - (1 - 0.01 * l2) ** 2000, rel=0.02, abs=1e-9)


def test_momentum_decay_and_l2_by_hand(make_network, batch, settings):
    X, labels = batch
    network, expected = make_network((9,), np.float64), make_network((9,), np.float64)
    settings.alpha, settings.momentum, settings.l2, settings.decay = 0.3, 0.9, 0.01, True
    settings.number_of_epochs = 4
    descend(network, batch, settings)
    velocity, weights = 0, expected.all_weights.size
    for angle in (22.5, 67.5, 112.5, 157.5):  # degrees of the cosine in the middle of four steps
        alpha = 0.3 * (1 + np.cos(np.deg2rad(angle))) / 2
        expected.backward(X, np.eye(CLASSES)[labels])
        expected.gradient[:weights] += 0.01 * expected.all_weights
        velocity = 0.9 * velocity + alpha * expected.gradient
        expected.parameters -= velocity
    # the batch is shuffled, and so its sums are rounded otherwise
    np.testing.assert_allclose(network.parameters, expected.parameters, rtol=1e-9, atol=1e-12)


def test_the_reported_loss_includes_the_penalty(make_network, batch, settings):
    settings.l2, settings.alpha = 0.1, 1e-8
    network = make_network((9,), np.float64)
    loss, accuracy = network.evaluate(*batch, l2=0.1)
    assert descend(network, batch, settings) == [(pytest.approx(loss, rel=1e-5), accuracy)]


def test_learning_rate(settings):
    settings.alpha, settings.decay = 0.5, True
    rates = [learning_rate(progress, settings) for progress in (0.005, 1 / 3, 1 / 2, 2 / 3, 1)]
    np.testing.assert_allclose(rates, [0.125, 0.375, 0.25, 0.125, 0], rtol=1e-3)
    settings.decay = False
    assert [learning_rate(progress, settings) for progress in (0, 1)] == [0.5, 0.5]


def test_every_epoch_sees_every_image_once(monkeypatch, make_network, batch, settings):
    network = make_network((3,))
    seen = []
    backward = network.backward

    def recording_backward(X, *args, **kwargs):
        seen.append(X.copy())
        return backward(X, *args, **kwargs)

    monkeypatch.setattr(network, "backward", recording_backward)
    settings.batch_size, settings.number_of_epochs = 6, 2
    descend(network, batch, settings)
    assert [len(part) for part in seen] == [6, 6, 4, 6, 6, 4]
    epochs = [np.concatenate(seen[:3]), np.concatenate(seen[3:])]
    assert not np.array_equal(epochs[0], epochs[1])  # a fresh shuffle
    for epoch in epochs:
        np.testing.assert_array_equal(np.sort(epoch, axis=0), np.sort(batch[0], axis=0))


def test_validation_images_are_held_out(few, settings):
    images, labels = few
    settings.validation_size, settings.hidden_layers = 100, (3,)
    network, history = train(few, few, settings)
    loss, _ = network.evaluate(preprocess(images[400:], deskew=False), labels[400:])
    assert history["held_out_loss"][-1] == pytest.approx(loss, rel=1e-6)
    changed = images.copy()
    changed[400:] = 0  # what is held out changes nothing in what is learnt
    assert train((changed, labels), few, settings)[0].parameters.tolist() == (
        network.parameters.tolist()
    )


@pytest.mark.parametrize("switch", [False, True])
def test_same_seed_same_bits(few, settings, switch):
    settings.deskew = settings.augment = switch
    settings.momentum, settings.number_of_epochs = 0.9 * switch, 3
    first, first_history = train(few, few, settings)
    again, again_history = train(few, few, settings)
    assert first.parameters.tobytes() == again.parameters.tobytes()
    for name, values in first_history.items():
        assert values.tobytes() == again_history[name].tobytes()
    settings.seed = 1
    assert train(few, few, settings)[0].parameters.tobytes() != first.parameters.tobytes()


@pytest.mark.parametrize("name", ["deskew", "augment"])
def test_switches_change_the_images(few, settings, name):
    plain = train(few, few, settings)[1]["training_loss"]
    setattr(settings, name, True)
    assert train(few, few, settings)[1]["training_loss"] != plain


def test_a_diverging_run_ends_with_the_epoch_and_the_learning_rate(few, settings):
    settings.alpha = 1e8
    with np.errstate(all="raise", under="ignore"), pytest.raises(UserError) as error:
        train(few, few, settings)
    assert "epoch 1" in str(error.value) and "alpha = 1e+08" in str(error.value)


@given(
    st.fixed_dictionaries(
        {
            "alpha": st.floats(-8, 8).map(lambda exponent: 10.0**exponent),
            "number_of_epochs": st.integers(1, 3),
            "batch_size": st.one_of(st.integers(1, 60), st.sampled_from([100, 60_000])),
            "hidden_layers": st.lists(st.integers(1, 40), min_size=1, max_size=5).map(tuple),
            "l2": st.floats(0, 1),
            "momentum": st.floats(0, 0.999),
            "decay": st.booleans(),
            "deskew": st.booleans(),
            "augment": st.just(False),
            "validation_size": st.sampled_from([0, 1, 99]),
            "seed": st.integers(0, 2**32 - 1),
        }
    )
)
def test_any_settings_end_in_finite_numbers_or_in_the_error(mnist, chosen):
    check_any_settings(mnist, SimpleNamespace(**chosen))


def test_plain_lines_where_there_is_no_terminal(capsys, few, settings):
    settings.number_of_epochs = 2
    train(few, few, settings)
    out, err = capsys.readouterr()
    assert [line.split(":")[0] for line in out.splitlines()] == ["epoch 1/2", "epoch 2/2"]
    assert err == ""


def test_a_progress_bar_on_a_terminal(monkeypatch, capsys, few, settings):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    settings.number_of_epochs = 2
    train(few, few, settings)
    out, err = capsys.readouterr()
    assert out == ""
    assert "2/2" in err and "loss=" in err and "accuracy=" in err and "epoch/s" in err


def check_any_settings(mnist, settings):
    """Train on 100 images with warnings as errors; return whether a network came of it."""
    few = mnist[0][:100], mnist[1][:100]
    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
        warnings.simplefilter("error")
        path = Path(folder) / "m.npz"
        try:
            network, history = train(few, few, settings, show_progress=False)
            assert np.isfinite(network.parameters).all()
            assert all(np.isfinite(values).all() for values in history.values())
            save_model(path, network, history, settings)
        except UserError as error:
            assert "nothing is saved; try a smaller alpha" in str(error)
            assert not path.exists()
            return False
        loaded, _, _ = load_model(path)
        assert np.isfinite(loaded.predict_proba(preprocess(mnist[2][:500], settings.deskew))).all()
    return True


def check_study(few, settings, capsys):
    """A study of three seeds trains what `train` trains with each, and reports it."""
    settings.seed, settings.number_of_epochs = 5, 2
    network, history = seed_study(few, few, settings, 3)
    lines = capsys.readouterr().out.splitlines()
    expected, expected_history = train(few, few, settings, show_progress=False)
    assert network.parameters.tobytes() == expected.parameters.tobytes()
    assert history["training_loss"].tolist() == expected_history["training_loss"].tolist()
    accuracies = []
    for settings.seed in (5, 6, 7):
        _, history = train(few, few, settings, show_progress=False)
        accuracies.append(100 * history["held_out_accuracy"][-1])
        line = f"seed {settings.seed}: accuracy {accuracies[-1]:.2f}%"
        assert line in lines
    mean, deviation = np.mean(accuracies), np.std(accuracies, ddof=1)
    assert deviation > 0
    assert lines[-1] == (f"3 seeds: mean accuracy {mean:.3f}%, standard deviation {deviation:.3f}%")


def test_seed_study(few, settings, capsys):
    check_study(few, settings, capsys)


def test_seed_study_on_a_dask_cluster(few, settings, capsys):
    from dask.distributed import Client, LocalCluster, get_task_stream
    from joblib import parallel_config

    cluster = LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None)
    with (
        cluster,
        Client(cluster) as client,
        get_task_stream(client) as tasks,
        parallel_config(backend="dask"),
    ):
        check_study(few, settings, capsys)
    assert len({task["worker"] for task in tasks.data}) == 2
