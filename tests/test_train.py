import contextlib
import itertools
import operator
import sys
import tempfile
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from joblib import parallel_config

from data_preprocessing import preprocess
from files import UserError
from model import CLASSES, INPUTS
from save_load import load_model, save_model
from train import (
    SHUFFLING,
    Interrupted,
    gradient_descent,
    learning_rate,
    random_generator,
    seed_study,
    train,
)  # fmt: skip


def descend(network, batch, settings):
    """Run gradient descent on one batch of training data; return what it yields."""
    epochs = range(settings.number_of_epochs)
    velocity = np.zeros_like(network.parameters)
    X_epochs = itertools.repeat(batch[0])
    return list(gradient_descent(network, velocity, X_epochs, batch[1], settings, epochs))


@pytest.mark.parametrize(("momentum", "l2", "decay"), [(0.0, 0.0, False), (0.9, 0.01, True)])
def test_gradient_descent_follows_the_formulas(make_network, batch, settings, momentum, l2, decay):
    X, labels = batch
    network, expected = make_network((9,), np.float64), make_network((9,), np.float64)
    settings.alpha, settings.batch_size, settings.number_of_epochs = 0.3, 5, 2
    settings.momentum, settings.l2, settings.decay = momentum, l2, decay
    descend(network, batch, settings)

    velocity, progress = 0, iter(np.arange(0.5, 8) / 8)  # the middle of each of 8 steps
    for epoch in range(2):
        order = random_generator(settings, SHUFFLING, epoch).permutation(16)
        for rows in np.split(order, [5, 10, 15]):  # batches of 5, 5, 5 and 1
            expected.backward(X[rows], np.eye(CLASSES)[labels[rows]])
            expected.gradient[: expected.all_weights.size] += l2 * expected.all_weights
            alpha = learning_rate(next(progress), settings)
            velocity = momentum * velocity + alpha * expected.gradient
            expected.parameters -= velocity
    np.testing.assert_allclose(network.parameters, expected.parameters, rtol=1e-12, atol=1e-15)


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


def test_velocities_of_dead_neurons_become_0_before_they_are_subnormal(make_network, settings):
    network = make_network((3,))
    velocity = np.full_like(network.parameters, 1e-20)
    network.weights[1][...] = 0  # no gradient reaches the neurons
    settings.momentum, settings.batch_size = 0.9, 1
    X, labels = np.zeros((900, INPUTS), np.float32), np.zeros(900, np.uint8)
    list(gradient_descent(network, velocity, [X], labels, settings, range(1)))
    assert not velocity[: network.weights[0].size].any() and velocity[-CLASSES:].all()


@pytest.mark.parametrize("switch", [False, True])
def test_validation_images_are_held_out(few, settings, switch):
    images, labels = few
    settings.validation_size, settings.hidden_layers = 100, (3,)
    settings.deskew = settings.edges = settings.augment = switch
    network, history = train(few, few, settings)
    X = preprocess(images[400:], switch, switch)  # as in training, but not distorted
    loss, accuracy = network.evaluate(X, labels[400:])
    assert history["held_out_loss"] == pytest.approx([loss], rel=1e-6)
    assert history["held_out_accuracy"] == [accuracy]
    changed = images.copy()
    changed[400:] = 0  # has no influence on the training
    again, _ = train((changed, labels), few, settings)
    assert again.parameters.tobytes() == network.parameters.tobytes()


def bits(training):
    """The bytes of the network and of the history that `train` returned."""
    network, history = training
    return network.parameters.tobytes() + b"".join(values.tobytes() for values in history.values())


@pytest.mark.parametrize("switch", ["decay", "deskew", "edges", "augment"])
def test_same_seed_same_bits(few, settings, switch):
    settings.number_of_epochs = 2
    plain = bits(train(few, few, settings))
    setattr(settings, switch, True)
    first = bits(train(few, few, settings))
    assert bits(train(few, few, settings)) == first != plain
    settings.seed = 1
    assert bits(train(few, few, settings)) != first


def interrupt_call(monkeypatch, name, number):
    """Make the call of this number to a function of train.py raise KeyboardInterrupt."""
    calls, function = itertools.count(1), operator.attrgetter(name)(sys.modules["train"])

    def interrupting(*arguments):
        if next(calls) == number:
            raise KeyboardInterrupt
        return function(*arguments)

    monkeypatch.setattr(f"train.{name}", interrupting)


# learning_rate is called in each of 16 steps in 4 epochs, and show_epoch after each
@pytest.mark.parametrize("switch", [False, True])
@pytest.mark.parametrize("name, calls", [("learning_rate", [40, 20]), ("show_epoch", [4])])
def test_a_resumed_training_ends_with_the_same_network(
    monkeypatch, tmp_path, few, settings, name, calls, switch
):
    settings.decay = settings.augment = switch
    settings.momentum, settings.l2, settings.number_of_epochs = 0.9, 1e-4, 4
    expected, resume_from = train(few, few, settings), None
    for number in calls:
        interrupt_call(monkeypatch, name, number)
        with pytest.raises(Interrupted) as interrupted:
            train(few, few, settings, resume_from)
        network, history, velocity = interrupted.value.args
        save_model(tmp_path / "m.npz", network, history, settings, velocity)
        network, history, _, velocity = load_model(tmp_path / "m.npz")
        resume_from = network, history, velocity
    monkeypatch.undo()
    assert bits(train(few, few, settings, resume_from)) == bits(expected)


def test_an_interrupt_before_the_first_epoch_is_complete(monkeypatch, few, settings):
    interrupt_call(monkeypatch, "learning_rate", 16)
    with pytest.raises(KeyboardInterrupt) as interrupt:
        train(few, few, settings)
    assert interrupt.type is KeyboardInterrupt


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
            "validation_size": st.sampled_from([0, 1, 99]),
            "seed": st.integers(0, 2**32 - 1),
            "beyond_mnist": st.just(False),
        }
        | dict.fromkeys(("decay", "deskew", "edges", "augment"), st.booleans())
    )
)
def test_any_settings_end_in_finite_numbers_or_in_the_error(mnist, chosen):
    check_any_settings(mnist, SimpleNamespace(**chosen))


def check_any_settings(mnist, settings):
    """Train on 100 images with warnings as errors; return whether this gave a network."""
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
        loaded, *_ = load_model(path)
        X = preprocess(mnist[2][:500], settings.deskew, settings.edges)
        assert np.isfinite(loaded.predict_proba(X)).all()
    return True


@pytest.mark.parametrize("terminal", [False, True])
def test_progress_is_a_bar_on_a_terminal_and_lines_elsewhere(
    monkeypatch, capsys, few, settings, terminal
):
    monkeypatch.setattr("sys.stderr.isatty", lambda: terminal, raising=False)
    settings.number_of_epochs = 2
    train(few, few, settings)
    out, err = capsys.readouterr()
    shown, empty = (err, out) if terminal else (out, err)
    assert "2/2" in shown and "loss" in shown and "accuracy" in shown and empty == ""


@contextlib.contextmanager
def on_a_dask_cluster():
    distributed = pytest.importorskip("dask.distributed")
    cluster = distributed.LocalCluster(2, threads_per_worker=1, dashboard_address=":0")
    with cluster, distributed.Client(cluster), parallel_config(backend="dask"):
        yield


@pytest.mark.parametrize("place", [contextlib.nullcontext, on_a_dask_cluster])
def test_a_study_of_three_seeds_equals_three_trainings(few, settings, capsys, place):
    settings.seed, settings.number_of_epochs, accuracies = 5, 2, []
    with place():
        study = seed_study(few, few, settings, 3)
    lines = capsys.readouterr().out.splitlines()
    assert bits(study) == bits(train(few, few, settings, show_progress=False))
    for settings.seed in (5, 6, 7):
        _, history = train(few, few, settings, show_progress=False)
        accuracies.append(100 * history["held_out_accuracy"][-1])
        assert f"seed {settings.seed}: test accuracy {accuracies[-1]:.2f}%" in lines
    mean, deviation = np.mean(accuracies), np.std(accuracies, ddof=1)
    assert deviation > 0
    assert lines[-1] == f"3 seeds: mean accuracy {mean:.3f}%, standard deviation {deviation:.3f}%"


def test_an_interrupted_study_keeps_its_first_network(monkeypatch, few, settings):
    interrupt_call(monkeypatch, "train_with_seed", 3)
    with parallel_config(backend="sequential"), pytest.raises(Interrupted) as interrupted:
        seed_study(few, few, settings, 3)
    *first, velocity = interrupted.value.args
    assert velocity is None and bits(first) == bits(train(few, few, settings))
