import json
import os
import random
import re
import signal
import zipfile
from dataclasses import replace
from functools import partial
from unittest.mock import Mock

import numpy as np
import pytest
from conftest import bits, make_network, plain

from files import UserError
from model import HISTORY, Model
from save_load import check_savable, load_model, save_model, save_while_training


@pytest.fixture
def saved(tmp_path):
    """The file of a complete training: 784-7-10, 3 epochs."""
    settings = plain(hidden_layers=(7,), number_of_epochs=3)
    history = {name: np.linspace(0, 1, 3) for name in HISTORY}
    save_model(tmp_path / "m.npz", Model(make_network((7,)), history, settings))
    return tmp_path / "m.npz"


def rewrite(path, save=np.savez, **changes):
    """Write the model file again with some arrays changed, added, or (None) left out."""
    with np.load(path) as archive:
        content = dict(archive) | changes
    save(path, **{name: array for name, array in content.items() if array is not None})


def describe(path, format_version=5, **changes):
    """Write the model file again with another format version or settings changed."""
    settings = vars(load_model(path).settings) | changes
    description = {"format_version": format_version, "settings": settings}
    rewrite(path, description=np.array(json.dumps(description)))


def overlapping_members(path):
    with zipfile.ZipFile(path, "a") as archive:
        archive.filelist *= 9
        archive.comment = b""  # makes zipfile write the directory again


W_2, EMPTY = np.zeros((7, 10), np.float32), dict.fromkeys(HISTORY, np.zeros(0))
FAULTS = {
    "no file": (os.unlink, "no such file; --train-model trains a network"),
    "a folder": (lambda path: (path.unlink(), path.mkdir()), "Is a directory"),
    "compressed": (partial(rewrite, save=np.savez_compressed), "it is compressed"),
    "overlapping members": (overlapping_members, "its arrays are larger than the file"),
    "a missing array": (partial(rewrite, b_2=None), "it holds .* and not .* b_2"),
    "another program's": (partial(rewrite, description=None), "description"),
    "a wrong shape": (partial(rewrite, W_2=W_2.T), "W_2 is"),
    "a pickle inside": (partial(rewrite, W_2=np.array([{}])), "allow_pickle=False"),
    "NaN": (partial(rewrite, W_2=W_2 * np.nan), "W_2 .* not finite"),
    "overflow": (partial(rewrite, W_2=W_2 + np.float32(3e38)), "not finite or too large"),
    "histories of two lengths": (partial(rewrite, held_out_loss=np.zeros(4)), "held_out"),
    "an empty history": (partial(rewrite, **EMPTY), "its history has 0 of 3 epochs"),
    "bottomless JSON": (partial(rewrite, description=np.array("[" * 19_000)), ""),
    "an older version": (partial(describe, format_version=4), "version is 4 and not 5"),
    "colours": (partial(rewrite, **{"\n\33[31m": np.zeros(3)}), "it holds .*31m.* and not"),
    "too long a history": (partial(describe, number_of_epochs=2), "3 of 2 epochs"),
    "too wide a layer": (partial(describe, hidden_layers=[4097]), "hidden_layers = .*: it must be"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_file_that_is_not_a_model_is_refused_in_one_line(saved, fault):
    spoil, message = FAULTS[fault]
    spoil(saved)
    with pytest.raises(UserError, match=rf"{re.escape(str(saved))}: .*{message}") as error:
        load_model(saved)
    assert str(error.value).isprintable()


@pytest.mark.parametrize(("kind", "value"), [("weights", np.nan), ("biases", 3e38)])
def test_parameters_that_are_not_finite_or_too_large_are_not_saved(saved, kind, value):
    before, model = saved.read_bytes(), load_model(saved)
    getattr(model.network, kind)[1][..., 3] = value
    with pytest.raises(UserError, match="too large: try a smaller alpha"):
        save_model(saved, model)
    assert saved.read_bytes() == before


def test_what_cannot_be_saved_is_saved_in_the_temporary_folder(saved, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    trained = load_model(saved)
    for path, obstacle in (tmp_path / "models", "models"), (saved, "m.previous.npz"):
        (tmp_path / obstacle).mkdir()  # the latter where the previous network is kept
        with pytest.raises(UserError, match="can't be written: ") as error:
            save_while_training([trained], path)
        rescued = str(error.value).rpartition("; the network is saved in ")[2]
        assert bits(load_model(rescued)) == bits(trained)
    monkeypatch.setattr("tempfile.tempdir", "/dev/null")
    with pytest.raises(UserError, match=r"m\.npz: can't be written.*; /dev/null/.*m\.npz: can't"):
        save_while_training([trained], saved)


def test_a_training_is_saved_in_time_and_keeps_what_was_there(saved, monkeypatch, capsys):
    folder, complete = saved.parent, load_model(saved)
    partial, previous = folder / "m.partial.npz", folder / "m.partial.previous.npz"
    partial.write_bytes(b"an old training")
    previous.mkdir()  # the first save fails
    longer = plain(hidden_layers=(7,), number_of_epochs=4)
    seconds = iter([0, 29, 30, 30, 59, 60, 60, 61])  # the clock is read again after each save
    monkeypatch.setattr("time.monotonic", lambda: next(seconds))
    saved_epochs = []

    def training():
        for epochs in (1, 2, 3, 3):
            history = {name: values[:epochs] for name, values in complete.history.items()}
            yield Model(complete.network, history, longer)
            has_begun = partial.read_bytes() != b"an old training"
            saved_epochs.append(load_model(partial).epochs if has_begun else 0)
            if epochs == 2:
                previous.rmdir()
        yield complete

    save_while_training(training(), saved)
    assert saved_epochs == [0, 0, 0, 3]
    assert previous.read_bytes() == b"an old training"
    assert {p.name for p in folder.iterdir()} == {"m.npz", "m.previous.npz", previous.name}
    monkeypatch.undo()
    save_while_training([complete], saved, partial)  # another that resumed it has removed it
    diverging = iter(Mock(side_effect=[replace(complete, settings=longer), UserError]), None)
    with pytest.raises(UserError):
        save_while_training(diverging, saved)
    assert "Saved 3 of 4 epochs in " in capsys.readouterr().err  # without advice to resume


def test_signals_wait_while_a_training_is_saved(saved, monkeypatch, ctrl_c):
    trained, before = load_model(saved), saved.read_bytes()
    saved.unlink()
    monkeypatch.setattr("save_load.check_parameters", lambda _: signal.raise_signal(signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        save_while_training([trained], saved)
    assert saved.read_bytes() == before
    for folder in (saved.parent, "/dev/null"):  # it can only be saved elsewhere, or nowhere
        monkeypatch.setattr("tempfile.tempdir", str(folder))
        with pytest.raises(KeyboardInterrupt):
            save_while_training([trained], saved / "m.npz")
    assert [path.read_bytes() for path in saved.parent.glob("*-m.npz")] == [before]


@pytest.mark.parametrize("name", ["m.partial.npz", "m.partial.previous.npz", "m.previous.npz"])
def test_a_folder_in_the_place_of_a_file_is_found_before_the_training(saved, name):
    saved.with_name(name).mkdir()
    with pytest.raises(UserError, match=f"{name}: can't be written: it is a folder"):
        check_savable(saved)
    with pytest.raises(UserError, match="a folder; the model needs the name of a file"):
        check_savable(saved.relative_to(saved))


def test_damaged_files_are_refused_in_one_line_or_are_valid_models(saved):
    """A bit is flipped, anywhere or in the headers, or a part is missing."""
    good, X, rng = saved.read_bytes(), np.full((1, 784), 2, np.float32), random.Random(0)
    headers = [match.start() + n for match in re.finditer(b"PK|\x93N", good) for n in range(20)]
    for number in range(1000):
        content, place = bytearray(good), rng.choice(rng.choice([range(len(good)), headers]))
        if number % 5:
            content[place] ^= 1 << rng.randrange(8)
        else:
            del content[place : place + rng.randrange(20_000)]
        saved.write_bytes(content)
        try:
            model = load_model(saved)
        except UserError as error:
            assert str(error).startswith(f"{saved}: ") and str(error).isprintable()
        else:
            assert np.isfinite(model.network.logits(X)).all()
