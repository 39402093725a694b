import functools
import json
import os
import pickle
import re
import struct
import tempfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import allowed_values
from hypothesis import given
from hypothesis import strategies as st

from files import UserError
from model import HISTORY, MultilayerPerceptron
from save_load import complete_path, load_model, partial_path, save_model
from settings import TRAINING

PARAMETERS = 785 * 7 + 8 * 10  # of the network in `saved`


@pytest.fixture
def saved(tmp_path, make_network, settings):
    """The file of a complete training: 784-7-10, 3 epochs."""
    settings.hidden_layers, settings.number_of_epochs = (7,), 3
    history = {name: np.linspace(0, 1, 3) for name in HISTORY}
    save_model(tmp_path / "m.npz", make_network((7,)), history, settings)
    return tmp_path / "m.npz"


def test_the_file_is_plain_arrays_and_json(saved, make_network, settings):
    network = make_network((7,))
    with np.load(saved, allow_pickle=False) as archive:
        arrays = dict(archive)
    description = json.loads(str(arrays.pop("description")))
    assert description["format_version"] == 3
    assert description["settings"] == vars(settings) | {"hidden_layers": [7]}
    assert {*arrays} == {"W_1", "b_1", "W_2", "b_2", *HISTORY}
    np.testing.assert_array_equal(arrays["W_1"], network.weights[0])
    np.testing.assert_array_equal(arrays["b_2"], network.biases[1])


@st.composite
def trainings(draw):
    """Arguments of save_model: any network, history and settings that a training can end with."""
    settings = {name: draw(allowed_values(setting)) for name, setting in TRAINING.items()}
    settings["hidden_layers"] = tuple(size % 9 + 1 for size in settings["hidden_layers"])
    network = MultilayerPerceptron(settings["hidden_layers"])
    normal = np.random.default_rng(draw(st.integers(0, 2**32))).standard_normal
    size = network.parameters.size
    network.parameters[...] = 10.0 ** draw(st.integers(-50, 0)) * normal(size)
    epochs = draw(st.integers(1, 6))
    history = {}
    for name in HISTORY:
        values = st.floats(0, 1 if name.endswith("accuracy") else 1e39)
        history[name] = np.array(draw(st.lists(values, min_size=epochs, max_size=epochs)))
    settings["number_of_epochs"] = max(epochs, settings["number_of_epochs"])
    interrupted = epochs < settings["number_of_epochs"]
    velocity = normal(size).astype(np.float32) if interrupted else None
    return network, history, SimpleNamespace(**settings), velocity


@given(trainings())
def test_everything_survives_a_round_trip(training):
    network, history, settings, velocity = training
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "m.npz"
        save_model(path, *training)
        loaded, loaded_history, loaded_settings, loaded_velocity = load_model(path)
        assert os.listdir(folder) == ["m.npz"]
    assert loaded.layer_sizes == network.layer_sizes
    assert loaded.parameters.tobytes() == network.parameters.tobytes()
    for name in HISTORY:
        assert loaded_history[name].tobytes() == history[name].tobytes()
    assert loaded_settings == settings
    assert (loaded_velocity is None) == (velocity is None)
    if velocity is not None:
        assert loaded_velocity.tobytes() == velocity.tobytes()


@given(st.from_regex(r"[\w. -]{1,20}", fullmatch=True))
def test_each_model_has_a_partial_file_of_its_own(name):
    path = Path("models") / f"{name}.npz"
    assert partial_path(path) == Path("models") / f"{name}.partial.npz"
    assert complete_path(partial_path(path)) == path


def rewrite(path, save=np.savez, **changes):
    """Write the model file again with some arrays changed, added, or (None) left out."""
    with np.load(path) as archive:
        arrays = dict(archive) | changes
    save(path, **{name: array for name, array in arrays.items() if array is not None})


def describe(path, **changes):
    """Write the model file again with parts of the description or settings changed."""
    with np.load(path) as archive:
        description = json.loads(str(archive["description"]))
    for name, value in changes.items():
        table = description if name in description else description["settings"]
        table[name] = value
    rewrite(path, description=np.array(json.dumps(description)))


class Harm:
    """Unpickling this creates a folder."""

    def __reduce__(self):
        return os.mkdir, ("harm",)


def directory_of_megabytes(path):
    entry = b"PK\1\2" + bytes(24) + b"\3\0" + bytes(16) + b"abc"
    end = b"PK\5\6" + bytes(4) + b"\xff" * 4 + struct.pack("<LL", 400_000 * len(entry), 0)
    path.write_bytes(entry * 400_000 + end + b"\0\0")


W_2 = np.zeros((7, 10), np.float32)
EMPTY = dict.fromkeys(HISTORY, np.zeros(0)) | {"velocity": np.zeros(PARAMETERS, np.float32)}
# what is done to the file, and the error
FILES = {
    "no file": (lambda path: path.unlink(), "no such file; train a network with --train-model"),
    "a folder": (lambda path: (path.unlink(), path.mkdir()), "can't be read: Is a directory"),
    "empty": (lambda path: path.write_bytes(b""), "it is not a complete .npz file"),
    "truncated": (lambda path: os.truncate(path, 20_000), "it is not a complete .npz file"),
    "a pickle": (lambda path: path.write_bytes(pickle.dumps(Harm())), "not a complete .npz"),
    "one array": (lambda path: np.save(path.open("wb"), np.zeros(3)), "not a complete .npz"),
    "compressed": (lambda path: rewrite(path, np.savez_compressed), "it is compressed"),
    "too large a directory": (directory_of_megabytes, "too many arrays"),
}
# the arrays that are changed, and the error
ARRAYS = {
    "a missing array": ({"b_2": None}, "it holds .* and not .* b_2"),
    "no description": ({"description": None}, "description"),
    "an extra array": ({"W_3": np.zeros(3)}, "it holds .*W_3.* and not"),
    "a wrong shape": ({"W_2": W_2.T}, "W_2 is"),
    "a wrong type": ({"W_2": np.zeros((7, 10))}, "W_2 is"),
    "a pickle inside": ({"W_2": np.array([Harm()])}, "allow_pickle=False"),
    "NaN": ({"W_2": W_2 * np.nan}, "W_2 .* not finite"),
    "overflow": ({"W_2": W_2 + np.float32(3e38)}, "not finite or too large"),
    "histories of two lengths": ({"held_out_loss": np.zeros(4)}, "held_out"),
    "an empty history": (EMPTY, "its history has 0 of 3 epochs"),
    "a negative loss": ({"training_loss": -np.ones(3)}, "negative"),
    "200 % accuracy": ({"held_out_accuracy": np.full(3, 2.0)}, "over 100%"),
    "another network's velocity": ({"velocity": np.ones(5)}, "velocity"),
    "no JSON": ({"description": np.array("{")}, "not a model"),
    "bottomless JSON": ({"description": np.array("[" * 19_000)}, ""),
    "a long number": ({"description": np.array("9" * 19_000)}, ""),
}
# the parts of the description that are changed, and the error
DESCRIPTIONS = {
    "an older version": ({"format_version": 2}, "its format version is 2 and not 3"),
    "colours": ({"format_version": "\ud800\n\33[31m"}, "format version"),
    "no settings": ({"settings": {}}, "its settings: alpha is missing"),
    "too long a history": ({"number_of_epochs": 2}, "3 of 2 epochs"),
    "no velocity": ({"number_of_epochs": 4}, "and not .*velocity"),
    "other layers": ({"hidden_layers": [8]}, "W_1 is"),
    "too wide a layer": ({"hidden_layers": [4097]}, "its settings: hidden_layers = .*: it must be"),
    "an unknown setting": ({"x": 1}, "x is not a setting"),
}
FAULTS = FILES | {
    name: (functools.partial(change, **changes), message)
    for change, table in ((rewrite, ARRAYS), (describe, DESCRIPTIONS))
    for name, (changes, message) in table.items()
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_file_that_is_not_a_model_is_refused_in_one_line(saved, monkeypatch, fault):
    monkeypatch.chdir(saved.parent)
    spoil, message = FAULTS[fault]
    spoil(saved)
    with pytest.raises(UserError, match=rf"{re.escape(str(saved))}: .*{message}") as error:
        load_model(saved)
    assert str(error.value).isprintable()
    assert not Path("harm").exists()


@pytest.mark.parametrize("value", [np.nan, np.inf, 3e38])
def test_parameters_that_are_not_finite_or_too_large_are_not_saved(saved, value):
    before = saved.read_bytes()
    network, history, settings, _ = load_model(saved)
    network.weights[1][:, 3] = value
    with pytest.raises(UserError, match="nothing is saved; try a smaller alpha"):
        save_model(saved, network, history, settings)
    assert saved.read_bytes() == before
