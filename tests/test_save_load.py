import json
import os
import pickle

import numpy as np
import pytest

from save_load import load_model, save_model
from utils import UserError


@pytest.fixture
def history():
    names = ("training_loss", "training_accuracy", "held_out_loss", "held_out_accuracy")
    return {name: np.linspace(0, 1, 3) + i for i, name in enumerate(names)}


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


def rewrite(path, **changes):
    """Write the model file anew with some arrays changed, added, or (None) left out."""
    with np.load(path) as archive:
        arrays = dict(archive) | changes
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})


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
    "histories of different lengths": (
        lambda path: rewrite(path, held_out_loss=np.zeros(4)),
        r"held_out_loss should be float64 \(3,\)",
    ),
    "not a number": (lambda path: rewrite(path, W_2=not_finite(np.nan)), "W_2 .* not finite"),
    "infinity": (lambda path: rewrite(path, W_2=not_finite(np.inf)), "W_2 .* not finite"),
    "pickle inside": (
        lambda path: rewrite(path, W_2=np.array([{}], dtype=object)),
        "allow_pickle=False",
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
        "W_1 should be",
    ),
    "no settings": (lambda path: rewrite_description(path, settings=3), "settings is missing"),
    "strange seed": (
        lambda path: rewrite_description(path, settings={"seed": "x", "validation_size": 0}),
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
    assert "\n" not in str(error.value)


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
