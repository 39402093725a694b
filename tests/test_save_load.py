import json
import os
import pickle
import struct
import tempfile
import tracemalloc
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import command_line
import config
import save_load
from model import MultilayerPerceptron
from save_load import load_model, save_model
from train import HISTORY
from utils import UserError

NUMBERS = {"number_of_epochs": 3, "validation_size": 0, "seed": 0}


@pytest.fixture
def history(settings):
    settings.number_of_epochs = 3
    return {name: np.linspace(0, 1, 3) / (i + 1) for i, name in enumerate(HISTORY)}


@pytest.fixture
def saved(tmp_path, make_network, history, settings):
    """A model file, 784-7-10."""
    settings.hidden_layers = (7,)
    save_model(tmp_path / "m.npz", make_network((7,)), history, settings)
    return tmp_path / "m.npz"


@pytest.mark.parametrize("hidden_layers", [(128,), (6, 5), ()])
def test_round_trip(tmp_path, make_network, batch, history, settings, hidden_layers):
    network = make_network(hidden_layers)
    settings.hidden_layers, settings.alpha = hidden_layers, 0.125
    save_model(tmp_path / "m.npz", network, history, settings)
    loaded, loaded_history, loaded_settings = load_model(tmp_path / "m.npz")
    assert loaded.layer_sizes == network.layer_sizes
    assert loaded.parameters.tobytes() == network.parameters.tobytes()
    X = batch[0].astype(np.float32)
    np.testing.assert_array_equal(loaded.predict_proba(X), network.predict_proba(X))
    assert loaded_history.keys() == history.keys()
    for name, values in history.items():
        np.testing.assert_array_equal(loaded_history[name], values)
    assert loaded_settings.alpha == 0.125 and loaded_settings.deskew is False
    assert tuple(loaded_settings.hidden_layers) == hidden_layers
    assert os.listdir(tmp_path) == ["m.npz"]


def test_the_file_is_plain_arrays_and_json(saved):
    with np.load(saved, allow_pickle=False) as archive:
        assert archive["W_1"].shape == (784, 7) and archive["b_2"].shape == (10,)
        description = json.loads(str(archive["description"]))
    assert description["format_version"] == 1
    assert description["layer_sizes"] == [784, 7, 10]
    assert description["preprocessing"] == {"deskew": False}
    assert description["settings"]["batch_size"] == 32


def rewrite(path, compress=False, **changes):
    """Write the model file anew with some arrays changed, added, or (None) left out."""
    with np.load(path) as archive:
        arrays = dict(archive) | changes
    save = np.savez_compressed if compress else np.savez
    save(path, **{name: array for name, array in arrays.items() if array is not None})


def rewrite_description(path, **changes):
    with np.load(path) as archive:
        description = json.loads(str(archive["description"])) | changes
    rewrite(path, description=np.array(json.dumps(description)))


def not_finite(value):
    return np.where(np.arange(70).reshape(7, 10) == 3, np.float32(value), np.float32(0))


FAULTS = {
    "missing array": (lambda path: rewrite(path, b_2=None), "b_2 missing"),
    "missing history": (lambda path: rewrite(path, held_out_loss=None), "held_out_loss missing"),
    "missing description": (lambda path: rewrite(path, description=None), "description is missing"),
    "extra array": (lambda path: rewrite(path, W_3=np.zeros(3)), "W_3 not expected"),
    "wrong shape": (
        lambda path: rewrite(path, W_2=np.zeros((10, 7), np.float32)),
        r"W_2 should be float32 \(7, 10\) and is float32 \(10, 7\)",
    ),
    "wrong type": (lambda path: rewrite(path, W_2=np.zeros((7, 10))), "W_2 .* is float64"),
    "a column for a vector": (
        lambda path: rewrite(path, b_2=np.zeros((10, 1), np.float32)),
        r"b_2 should be float32 \(10,\) and is float32 \(10, 1\)",
    ),
    "histories of different lengths": (
        lambda path: rewrite(path, held_out_loss=np.zeros(4)),
        "its history is of 3 and 4 epochs",
    ),
    "too long a history": (
        lambda path: rewrite_description(path, settings=NUMBERS | {"number_of_epochs": 2}),
        "3 epochs, of 2",
    ),
    "an interrupted training without its velocity": (
        lambda path: rewrite_description(path, settings=NUMBERS | {"number_of_epochs": 4}),
        "velocity is for interrupted trainings",
    ),
    "a complete training with a velocity": (
        lambda path: rewrite(path, velocity=np.zeros(785 * 7 + 80, np.float32)),
        "velocity is for interrupted trainings",
    ),
    "a velocity of another network": (
        lambda path: rewrite(path, velocity=np.zeros(5, np.float32)),
        r"velocity should be float32 \(5575,\)",
    ),
    "a velocity that is not finite": (
        lambda path: (
            rewrite_description(path, settings=NUMBERS | {"number_of_epochs": 4}),
            rewrite(path, velocity=np.full(785 * 7 + 80, np.inf, np.float32)),
        ),
        "velocity holds values that are not finite",
    ),
    "an empty history": (
        lambda path: rewrite(path, **dict.fromkeys(HISTORY, np.zeros(0))),
        "its history is of 0 epochs",
    ),
    "an accuracy of 200 %": (
        lambda path: rewrite(path, held_out_accuracy=np.full(3, 2.0)),
        "held_out_accuracy holds values that are no accuracy",
    ),
    "a negative loss": (
        lambda path: rewrite(path, training_loss=np.full(3, -1.0)),
        "training_loss holds values that are no loss",
    ),
    "a loss beyond float32": (
        lambda path: rewrite(path, training_loss=np.full(3, 1e40)),
        "training_loss holds values that are no loss",
    ),
    "an unknown loss": (
        lambda path: rewrite(path, training_loss=np.full(3, np.nan)),
        "training_loss holds values that are no loss",
    ),
    "parameters that overflow": (
        lambda path: rewrite(path, W_2=not_finite(3e38)),
        "parameters are so large that it can't be computed",
    ),
    "not a number": (lambda path: rewrite(path, W_2=not_finite(np.nan)), "W_2 .* not finite"),
    "infinity": (lambda path: rewrite(path, W_2=not_finite(np.inf)), "W_2 .* not finite"),
    "pickle inside": (
        lambda path: rewrite(path, W_2=np.array([{}], dtype=object)),
        "W_2 is not an array of numbers or text",
    ),
    "unknown version": (
        lambda path: rewrite_description(path, format_version=2),
        "format version 2; this program reads 1",
    ),
    "no version": (lambda path: rewrite_description(path, format_version=None), "version None"),
    "layer sizes of another task": (
        lambda path: rewrite_description(path, layer_sizes=[100, 7, 10]),
        "do not lead from 784 to 10",
    ),
    "other layer sizes": (
        lambda path: rewrite_description(path, layer_sizes=[784, 8, 10]),
        r"W_1 should be float32 \(784, 8\)",
    ),
    "layer sizes of text": (
        lambda path: rewrite_description(path, layer_sizes=[784, "7", 10]),
        "layer sizes .* not up to 16 hidden layers of 1 to 4096 neurons",
    ),
    "a layer too large": (
        lambda path: rewrite_description(path, layer_sizes=[784, 4097, 10]),
        "not up to 16 hidden layers of 1 to 4096 neurons",
    ),
    "a layer of nothing": (
        lambda path: rewrite_description(path, layer_sizes=[784, 0, 10]),
        "not up to 16 hidden layers of 1 to 4096 neurons",
    ),
    "too many layers": (
        lambda path: rewrite_description(path, layer_sizes=[784, *[1] * 33, 10]),
        "not up to 16 hidden layers of 1 to 4096 neurons",
    ),
    "no settings": (lambda path: rewrite_description(path, settings=3), "settings is missing"),
    "strange seed": (
        lambda path: rewrite_description(path, settings=NUMBERS | {"seed": "x"}),
        "seed is missing from the settings, or not a whole number",
    ),
    "a seed too large": (
        lambda path: rewrite_description(path, settings=NUMBERS | {"seed": 2**32}),
        "seed is missing from the settings, or not a whole number from 0 to 4294967295",
    ),
    "a seed of true": (
        lambda path: rewrite_description(path, settings=NUMBERS | {"seed": True}),
        "seed is missing from the settings, or not a whole number",
    ),
    "strange preprocessing": (
        lambda path: rewrite_description(path, preprocessing={"deskew": "a little"}),
        "deskew is missing from the preprocessing, or neither",
    ),
    "description is not JSON": (
        lambda path: rewrite(path, description=np.array("{")),
        "not a model",
    ),
    "description is a list": (
        lambda path: rewrite(path, description=np.array("[]")),
        "description is not a JSON object",
    ),
    "description is bottomless": (
        lambda path: rewrite(path, description=np.array("[" * 40_000)),
        "nested too deeply",
    ),
    "a number of 40,000 digits": (
        lambda path: rewrite(path, description=np.array("9" * 40_000)),
        "not a model",
    ),
    "description is long": (
        lambda path: rewrite(path, description=np.array(" " * 60_000)),
        "its description is too long",
    ),
    "description is made of numbers": (
        lambda path: rewrite(path, description=np.zeros(())),
        r"description should be text and is float64 \(\)",
    ),
    "description would colour the screen": (
        lambda path: rewrite_description(path, format_version="\ud800\n\33[31m"),
        "format version .*; this program reads 1",
    ),
    "compressed": (lambda path: rewrite(path, compress=True), "is compressed, encrypted or"),
    "truncated": (lambda path: path.write_bytes(path.read_bytes()[:-500]), "not a whole .npz"),
    "damaged": (
        lambda path: path.write_bytes(path.read_bytes().replace(bytes(8), b"\1" * 8, 1)),
        "damaged",
    ),
    "a pickle": (lambda path: path.write_bytes(pickle.dumps([1])), "not a whole .npz"),
    "a text": (lambda path: path.write_text("W_1"), "not a whole .npz"),
    "a single array": (lambda path: np.save(path.open("wb"), np.zeros(3)), "not a whole .npz"),
    "nothing": (lambda path: path.write_bytes(b""), "not a whole .npz"),
    "no file": (lambda path: path.unlink(), "no such file; train a network with --train-model"),
    "a folder": (lambda path: (path.unlink(), path.mkdir()), "can't be read: Is a directory"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_file_that_is_no_model_is_refused_in_one_line(saved, fault):
    spoil, message = FAULTS[fault]
    spoil(saved)
    with pytest.raises(UserError, match=message) as error:
        load_model(saved)
    assert str(error.value).startswith(f"{saved}: ")
    assert str(error.value).isprintable()


def test_a_pickle_is_never_executed(saved, tmp_path):
    class Harm:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "harm"),)

    rewrite(saved, W_2=np.array([Harm()], dtype=object))
    with pytest.raises(UserError):
        load_model(saved)
    assert not (tmp_path / "harm").exists()


def test_a_full_disk_leaves_the_old_model(monkeypatch, saved, make_network, history, settings):
    before = saved.read_bytes()

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match=r"m\.npz: can't be written: No space left on device"):
        save_model(saved, make_network((7,)), history, settings)
    assert saved.read_bytes() == before
    assert os.listdir(saved.parent) == ["m.npz"]


@pytest.mark.parametrize("value", [np.nan, np.inf, 3e38])
def test_parameters_that_cannot_be_computed_with_are_not_saved(
    saved, make_network, history, settings, value
):
    before = saved.read_bytes()
    network = make_network((7,))
    network.weights[1][:, 3] = value
    with pytest.raises(UserError, match=r"nothing is saved; try a smaller alpha"):
        save_model(saved, network, history, settings)
    assert saved.read_bytes() == before


def test_every_network_that_may_be_trained_may_be_loaded():
    _, lowest, highest = config.allowed["hidden_layers"]
    assert (lowest, highest) == (1, save_load.MOST_NEURONS)
    assert command_line.MOST_HIDDEN_LAYERS == save_load.MOST_HIDDEN_LAYERS
    sizes = [784, *[highest] * save_load.MOST_HIDDEN_LAYERS, 10]
    parameters = sum((inputs + 1) * outputs for inputs, outputs in zip(sizes, sizes[1:]))
    history_bytes = len(HISTORY) * 8 * config.allowed["number_of_epochs"][2]
    names_and_headers = 100_000
    assert 2 * 4 * parameters + history_bytes + names_and_headers < save_load.MOST_BYTES
    assert config.allowed["seed"] == (int, 0, 2**32 - 1)
    assert config.allowed["validation_size"] == (int, 0, 59_999)


def test_the_deepest_network_is_loaded(tmp_path, make_network, history, settings):
    settings.hidden_layers = (2,) * 16
    network = make_network(settings.hidden_layers)
    save_model(tmp_path / "m.npz", network, history, settings)
    loaded, _, _ = load_model(tmp_path / "m.npz")
    assert loaded.parameters.tobytes() == network.parameters.tobytes()


def test_the_preprocessing_overrides_no_other_setting(saved):
    rewrite_description(saved, preprocessing={"deskew": True, "seed": []})
    settings = load_model(saved)[2]
    assert settings.deskew is True and settings.seed == 0


def test_a_directory_that_would_fill_the_memory_is_not_read(saved):
    entry = b"PK\1\2" + bytes(24) + b"\3\0" + bytes(16) + b"abc"
    end = b"PK\5\6" + bytes(4) + b"\xff" * 4 + struct.pack("<LL", 400_000 * len(entry), 0)
    saved.write_bytes(entry * 400_000 + end + b"\0\0")
    tracemalloc.start()
    with pytest.raises(UserError, match="a directory of 19,600,000 bytes"):
        load_model(saved)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1e6


def test_a_file_larger_than_any_network_is_not_read(saved):
    os.truncate(saved, 2**31)  # it takes no room on the disk
    with pytest.raises(UserError, match="2,147,483,648 bytes are more than any network takes"):
        load_model(saved)


@st.composite
def trained_networks(draw):
    """A network with any computable parameters, a history and settings that config.py allows."""
    network = MultilayerPerceptron(draw(st.lists(st.integers(1, 9), max_size=4)))
    random_generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    scale = 10.0 ** draw(st.integers(-50, 5))
    network.parameters[...] = scale * random_generator.standard_normal(network.parameters.shape)
    epochs = draw(st.integers(1, 6))
    history = {}
    for name in HISTORY:
        values = st.floats(0, 1 if "accuracy" in name else 1e39)
        history[name] = np.array(draw(st.lists(values, min_size=epochs, max_size=epochs)))
    settings = {"hidden_layers": network.layer_sizes[1:-1]}
    for name, (kind, lowest, highest) in config.allowed.items():
        if kind is not tuple:
            numbers = {bool: st.booleans, int: st.integers, float: st.floats}[kind]
            settings[name] = draw(numbers() if kind is bool else numbers(lowest, highest))
    settings["number_of_epochs"] = max(settings["number_of_epochs"], epochs)
    if epochs < settings["number_of_epochs"]:  # it was interrupted
        network.velocity[...] = random_generator.standard_normal(network.velocity.shape)
    return network, history, SimpleNamespace(**settings)


@given(trained_networks())
def test_everything_survives_a_round_trip(trained):
    network, history, settings = trained
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "m.npz"
        save_model(path, network, history, settings)
        loaded, loaded_history, loaded_settings = load_model(path)
        first = path.read_bytes()
        save_model(path, loaded, loaded_history, loaded_settings)
        assert path.read_bytes() == first
    assert loaded.layer_sizes == network.layer_sizes
    assert loaded.parameters.tobytes() == network.parameters.tobytes()
    assert loaded.velocity.tobytes() == network.velocity.tobytes()
    assert {name: values.tobytes() for name, values in loaded_history.items()} == {
        name: values.tobytes() for name, values in history.items()
    }
    assert loaded_settings == settings


@given(st.binary(max_size=300), st.integers(0, 10**6), st.integers(0, 300))
def test_a_file_with_any_bytes_changed_is_refused_or_valid(content, place, removed):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "m.npz"
        network = MultilayerPerceptron((2,))
        history = dict.fromkeys(HISTORY, np.ones(2))
        numbers = {"seed": 0, "validation_size": 0, "number_of_epochs": 2}
        settings = SimpleNamespace(**numbers, deskew=True)
        save_model(path, network, history, settings)
        whole = path.read_bytes()
        place %= len(whole)
        path.write_bytes(whole[:place] + content + whole[place + removed :])
        try:
            loaded, _, _ = load_model(path)
        except UserError as error:
            assert str(error).isprintable()
        else:
            assert np.isfinite(loaded.parameters).all()
