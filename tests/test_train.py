import itertools
import math
import re
from types import SimpleNamespace
from unittest.mock import DEFAULT, Mock

import hypothesis
import numpy as np
import pytest
from conftest import allowed_values, bits, make_network, plain
from hypothesis import given
from hypothesis import strategies as st

from augmentation import distort
from data_preprocessing import preprocess
from files import UserError
from main import train_and_save
from model import CLASSES, HISTORY, NO_DIGIT, Model, MultilayerPerceptron, score
from save_load import load_model, save_model
from settings import TRAINING
from train import AUGMENTATION, SHUFFLING, random_generator, train, untrained

SETTINGS = {name: allowed_values(setting) for name, setting in TRAINING.items()} | {
    "alpha": st.floats(-8, 8).map(lambda exponent: 10.0**exponent),
    "number_of_epochs": st.integers(1, 3),
    "batch_size": st.integers(1, 60) | st.just(60_000),
    "hidden_layers": st.lists(st.integers(1, 40), min_size=1, max_size=16).map(tuple),
}


@pytest.mark.parametrize(("l2", "switch"), [(0.0, False), (0.01, True)])
def test_training_follows_the_formulas(few, l2, switch):
    settings = plain(alpha=0.3, batch_size=9, number_of_epochs=3, l2=l2)
    settings.decay = settings.deskew = settings.augment = switch
    labels = np.where(np.arange(500) < 450, few[1], NO_DIGIT)  # which counts in the loss alone
    held_out = few[0][400:], few[1][400:]
    network, expected = make_network((9,), np.float64), make_network((9,), np.float64)
    model = Model(network, {name: np.empty(0) for name in HISTORY}, settings)
    *_, trained = train(model, (few[0], labels), held_out)

    images = inputs = preprocess(few[0], switch)
    targets = np.vstack([np.eye(CLASSES), np.full(CLASSES, 0.1)])
    for epoch in range(3):
        order = random_generator(settings, SHUFFLING, epoch).permutation(500)
        if switch:
            generator = random_generator(settings, AUGMENTATION, epoch)
            inputs = distort(images, generator, np.empty_like(images))
        loss = correct = 0
        for step, start in enumerate(range(0, 500, 9), start=56 * epoch):
            batch, progress, alpha = order[start : start + 9], (step + 0.5) / (3 * 56), 0.3
            if switch:
                alpha *= min(1, progress / 0.02) * (1 + math.cos(math.pi * progress)) / 2
            Y = targets[labels[batch]]
            log_P = expected.backward(inputs[batch], Y, l2)
            loss -= (Y * log_P).sum() / 500
            correct += (log_P.argmax(axis=1) == labels[batch]).sum()
            expected.parameters -= alpha * expected.gradient
        loss += l2 / 2 * (expected.all_weights**2).sum()
        assert trained.history["training_loss"][epoch] == pytest.approx(loss, rel=1e-9)
        assert trained.history["training_accuracy"][epoch] == correct / 450
    difference = trained.network.parameters - expected.parameters
    np.testing.assert_allclose(difference, 0, atol=1e-10)
    measures = [trained.history[name][-1] for name in ("held_out_loss", "held_out_accuracy")]
    X = preprocess(held_out[0], switch)  # as in training, but not distorted
    assert measures == pytest.approx(trained.network.evaluate(X, held_out[1], l2), rel=1e-9)
    np.testing.assert_array_equal(trained.predict(held_out[0]), network.logits(X).argmax(axis=1))


def test_each_seed_purpose_and_epoch_has_random_numbers_of_its_own():
    cases = itertools.product((0, 1), range(4), (0, 1))
    numbers = {random_generator(plain(seed=seed), *case).random() for seed, *case in cases}
    assert len(numbers) == 16


def test_resuming_ends_with_the_same_bits(monkeypatch, tmp_path, capsys, few, few_of_each):
    """The last of the images are held out for validation."""
    settings = plain(alpha=0.1, decay=True, augment=True, l2=1e-4, beyond_mnist=True)
    settings.hidden_layers, settings.number_of_epochs = (4,), 4
    options = SimpleNamespace(settings=settings, resume=None, seeds=1, model=tmp_path / "m.npz")
    clock = itertools.count()  # is read at the start and after each epoch
    monkeypatch.setattr("train.time", SimpleNamespace(perf_counter=clock.__next__))
    expected = bits(train_and_save([a[:400] for a in few], [a[400:] for a in few], options))
    settings.validation_size, options.model = 100, tmp_path / "renamed.npz"
    in_epoch_3 = Mock(wraps=score, side_effect=[DEFAULT, DEFAULT, KeyboardInterrupt])
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("train.score", in_epoch_3)  # the network has changed since it was yielded
        train_and_save(few, None, options)
    options.model, options.resume = None, tmp_path / "renamed.partial.npz"
    assert bits(train_and_save(few, None, options)) == expected
    assert {path.name for path in tmp_path.iterdir()} == {"m.npz", "renamed.npz"}
    lines = re.findall("^epoch (.)/4: .*; (.+) s per epoch$", capsys.readouterr().out, re.MULTILINE)
    assert lines == [(epoch, "1.00") for epoch in "12341234"]
    options.resume = tmp_path / "renamed.npz"
    with pytest.raises(UserError, match=r"renamed\.npz: its training is complete"):
        train_and_save(few, few, options)


def test_a_diverging_run_ends_with_the_epoch_and_the_learning_rate(monkeypatch, few):
    reason = r"no longer finite in epoch 1, .* alpha = 1e\+08:"
    with np.errstate(all="raise", under="ignore"), pytest.raises(UserError, match=reason):
        list(train(untrained(plain(alpha=1e8)), few, few))
    monkeypatch.setattr(MultilayerPerceptron, "evaluate", lambda *arguments: (math.inf, 0.5))
    with pytest.raises(UserError, match=r"no longer finite in epoch 1, .* alpha = 0\.01:"):
        list(train(untrained(plain()), few, few))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("examples", [60, pytest.param(400, marks=pytest.mark.long)])
def test_any_settings_end_in_finite_numbers_or_in_the_error(mnist, tmp_path, examples):
    few, path = (mnist[0][:100], mnist[1][:100]), tmp_path / "m.npz"

    @hypothesis.settings(max_examples=examples)
    @given(settings=st.builds(SimpleNamespace, **SETTINGS))
    def check(settings):
        try:
            *_, trained = train(untrained(settings), few, few, show_progress=False)
            assert all(np.isfinite(values).all() for values in trained.history.values())
            save_model(path, trained)
        except UserError as error:
            assert "smaller alpha" in str(error)
        else:
            loaded = load_model(path)
            assert bits(loaded) == bits(trained) and loaded.settings == settings
            assert np.isfinite(loaded.predict_proba(mnist[0][:500])).all()

    check()
