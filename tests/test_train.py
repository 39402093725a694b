import itertools
import math
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace

import hypothesis
import numpy as np
import pytest
from conftest import allowed_values, bits
from hypothesis import given
from hypothesis import strategies as st

from data_preprocessing import preprocess
from files import UserError
from model import CLASSES, HISTORY, MultilayerPerceptron
from save_load import load_model, save_model
from settings import TRAINING
from train import Interrupted, seed_study, train


def start_from(network, velocity=0.0):
    """The argument resume_from to begin a training with this network and velocity."""
    velocity = np.full_like(network.parameters, velocity)
    return network, dict.fromkeys(HISTORY, np.empty(0)), velocity


@pytest.mark.parametrize(("momentum", "l2", "decay"), [(0.0, 0.0, False), (0.9, 0.01, True)])
def test_training_follows_the_formulas(
    monkeypatch, make_network, few, settings, momentum, l2, decay
):
    settings.alpha, settings.batch_size, settings.number_of_epochs = 0.3, 9, 3
    settings.momentum, settings.l2, settings.decay = momentum, l2, decay
    network, expected = make_network((9,), np.float64), make_network((9,), np.float64)
    batches, backward = [], MultilayerPerceptron.backward

    def record(self, X, Y, *arguments, **options):
        batches.append((X.copy(), Y.copy()))
        return backward(self, X, Y, *arguments, **options)

    monkeypatch.setattr(MultilayerPerceptron, "backward", record)
    _, history = train(few, few, settings, start_from(network))
    monkeypatch.undo()

    inputs, targets = preprocess(few[0], deskew=False), np.eye(CLASSES)[few[1]]
    places = {x.tobytes(): index for index, x in enumerate(inputs)}
    order = [[places[x.tobytes()] for x in X] for X, _ in batches]
    assert [*map(len, order)] == 3 * (55 * [9] + [5])
    visited = np.concatenate(order).reshape(3, 500)
    assert (np.sort(visited) == np.arange(500)).all()
    assert len({order.tobytes() for order in visited}) == 3  # a new order every epoch

    velocity, losses = 0, []
    for step, (X, Y) in enumerate(batches):
        np.testing.assert_array_equal(Y, targets[order[step]])
        alpha, progress = 0.3, (step + 0.5) / len(batches)
        if decay:
            alpha *= min(1, progress / 0.02) * (1 + math.cos(math.pi * progress)) / 2
        log_P = expected.backward(X, Y)
        losses.append(-(Y * log_P).sum() / 500)
        expected.gradient[: expected.all_weights.size] += l2 * expected.all_weights
        velocity = momentum * velocity + alpha * expected.gradient
        expected.parameters -= velocity
    np.testing.assert_allclose(network.parameters, expected.parameters, rtol=1e-9, atol=1e-12)
    cross_entropy, penalty = sum(losses[-56:]), l2 / 2 * (expected.all_weights**2).sum()
    assert history["training_loss"][-1] == pytest.approx(cross_entropy + penalty, rel=1e-9)


def test_velocities_of_dead_neurons_become_0_before_they_are_subnormal(make_network, settings):
    network = make_network((3,))
    network.weights[1][...] = 0  # no gradient reaches the neurons
    settings.momentum, settings.batch_size = 0.9, 1
    data = np.zeros((900, 28, 28), np.uint8), np.zeros(900, np.uint8)
    *_, velocity = start = start_from(network, 1e-20)
    train(data, data, settings, start)
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


@pytest.mark.parametrize("switch", ["decay", "deskew", "edges", "augment"])
def test_same_seed_same_bits(few, settings, switch):
    settings.number_of_epochs = 2
    plain = bits(*train(few, few, settings))
    setattr(settings, switch, True)
    first = bits(*train(few, few, settings))
    assert bits(*train(few, few, settings)) == first != plain
    settings.seed = 1
    assert bits(*train(few, few, settings)) != first


def train_interrupted(lines, *arguments):
    """Call `train` and raise KeyboardInterrupt, as Ctrl-C does, after so many lines of train.py."""

    def trace(frame, event, argument):
        nonlocal lines
        if Path(frame.f_code.co_filename).name != "train.py":
            return None
        lines -= event == "line"
        if lines < 0:
            raise KeyboardInterrupt
        return trace

    previous = sys.gettrace()
    sys.settrace(trace)
    try:
        return train(*arguments)
    finally:
        sys.settrace(previous)


@pytest.mark.parametrize("switch", [False, True])
def test_a_training_interrupted_anywhere_resumes_to_the_same_network(
    tmp_path, few, settings, switch
):
    settings.decay = settings.augment = switch
    settings.momentum, settings.l2, settings.hidden_layers = 0.9, 1e-4, (4,)
    settings.number_of_epochs, settings.batch_size = 3, 250
    expected, epochs_kept = bits(*train(few, few, settings)), []
    for lines in itertools.count(0, 10 if switch else 3):
        resume_from = None
        try:
            network, history = train_interrupted(lines, few, few, settings)
        except Interrupted as interrupted:
            network, history, velocity = interrupted.args
            save_model(tmp_path / "m.npz", network, history, settings, velocity)
            network, history, _, velocity = load_model(tmp_path / "m.npz")
            resume_from = network, history, velocity
            epochs_kept.append(len(history["training_loss"]))
        except KeyboardInterrupt:  # before the first epoch is complete or after the last
            assert {*epochs_kept} in (set(), {1, 2, 3})
        else:
            break
        assert bits(*train(few, few, settings, resume_from)) == expected
    assert {*epochs_kept} == {1, 2, 3}


def test_a_diverging_run_ends_with_the_epoch_and_the_learning_rate(few, settings):
    settings.alpha = 1e8
    with np.errstate(all="raise", under="ignore"), pytest.raises(UserError) as error:
        train(few, few, settings)
    assert "epoch 1" in str(error.value) and "alpha = 1e+08" in str(error.value)


LAYERS = st.lists(st.integers(1, 40), min_size=1, max_size=5) | st.sampled_from([[500], [2] * 16])
SETTINGS = {name: allowed_values(setting) for name, setting in TRAINING.items()} | {
    "alpha": st.floats(-8, 8).map(lambda exponent: 10.0**exponent),
    "number_of_epochs": st.integers(1, 3),
    "batch_size": st.integers(1, 60) | st.sampled_from([100, 60_000]),
    "hidden_layers": LAYERS.map(tuple),
    "beyond_mnist": st.just(False),
    "validation_size": st.sampled_from([0, 1, 99]),
}
ANY_SETTINGS = st.builds(SimpleNamespace, **SETTINGS)  # extreme ones, too, for 100 images


@pytest.mark.parametrize("examples", [100, pytest.param(400, marks=pytest.mark.long)])
def test_any_settings_end_in_finite_numbers_or_in_the_error(mnist, tmp_path, examples):
    few, path, networks = (mnist[0][:100], mnist[1][:100]), tmp_path / "m.npz", 0

    @hypothesis.settings(max_examples=examples)
    @given(settings=ANY_SETTINGS)
    def check(settings):
        nonlocal networks
        path.unlink(missing_ok=True)
        try:
            network, history = train(few, few, settings, show_progress=False)
            assert np.isfinite(network.parameters).all()
            assert all(np.isfinite(values).all() for values in history.values())
            save_model(path, network, history, settings)
        except UserError as error:
            assert "nothing is saved; try a smaller alpha" in str(error)
            assert not path.exists()
        else:
            X = preprocess(mnist[2][:500], settings.deskew, settings.edges)
            assert np.isfinite(load_model(path)[0].predict_proba(X)).all()
            networks += 1

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check()
    print(f"any settings: {examples} trainings, {networks} networks of finite numbers")
    assert 0 < networks < examples


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


def test_a_study_of_three_seeds_equals_three_trainings(few, settings, capsys):
    settings.seed, settings.number_of_epochs, accuracies = 5, 2, []
    study = seed_study(few, few, settings, 3)
    lines = capsys.readouterr().out.splitlines()
    assert bits(*study) == bits(*train(few, few, settings))
    for settings.seed in (5, 6, 7):
        _, history = train(few, few, settings)
        accuracies.append(100 * history["held_out_accuracy"][-1])
        assert f"seed {settings.seed}: test accuracy {accuracies[-1]:.2f}%" in lines
    mean, deviation = np.mean(accuracies), np.std(accuracies, ddof=1)
    assert deviation > 0
    assert lines[-1] == f"3 seeds: mean accuracy {mean:.3f}%, standard deviation {deviation:.3f}%"
