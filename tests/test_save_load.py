import io
import json
import os
import random
import re
import signal
import sys
import zipfile
from collections import Counter
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from conftest import bits, make_network, plain

from files import UserError, printable
from model import HISTORY, Model
from save_load import check_savable, load_model, save_model, save_while_training
from settings import TRAINING


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


class Harm:
    """Unpickling this creates a folder."""

    def __reduce__(self):
        return os.mkdir, ("harm",)


def overlapping_members(path):
    with zipfile.ZipFile(path, "a") as archive:
        archive.filelist *= 9
        archive.comment = b""  # makes zipfile write the directory again


W_2, EMPTY = np.zeros((7, 10), np.float32), dict.fromkeys(HISTORY, np.zeros(0))
FAULTS = {
    "no file": (os.unlink, "no such file; --train-model trains a network"),
    "a folder": (lambda path: (path.unlink(), path.mkdir()), "Is a directory"),
    "truncated": (lambda path: os.truncate(path, 20_000), "File is not a zip file"),
    "compressed": (partial(rewrite, save=np.savez_compressed), "it is compressed"),
    "overlapping members": (overlapping_members, "its arrays are larger than the file"),
    "a missing array": (partial(rewrite, b_2=None), "it holds .* and not .* b_2"),
    "another program's": (partial(rewrite, description=None), "description"),
    "a wrong shape": (partial(rewrite, W_2=W_2.T), "W_2 is"),
    "a pickle inside": (partial(rewrite, W_2=np.array([Harm()])), "allow_pickle=False"),
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
def test_a_file_that_is_not_a_model_is_refused_in_one_line(saved, monkeypatch, fault):
    monkeypatch.chdir(saved.parent)
    spoil, message = FAULTS[fault]
    spoil(saved)
    with pytest.raises(UserError, match=rf"{re.escape(str(saved))}: .*{message}") as error:
        load_model(saved)
    assert str(error.value).isprintable()
    assert not Path("harm").exists()


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
    for obstacle in ("models", "m.previous.npz"):  # the previous network has no place
        (tmp_path / obstacle).mkdir()
        path = tmp_path / obstacle if obstacle == "models" else saved
        with pytest.raises(UserError, match="can't be written: ") as error:
            save_while_training([trained], path)
        rescued = str(error.value).rpartition("; the network is saved in ")[2]
        assert bits(load_model(rescued)) == bits(trained)
    monkeypatch.setattr("tempfile.tempdir", "/dev/null")
    with pytest.raises(UserError, match=r"m\.npz: can't be written.*; /dev/null/.*m\.npz: can't"):
        save_while_training([trained], saved)


def test_a_training_is_saved_in_time_and_keeps_what_was_there(saved, monkeypatch):
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


def test_signals_wait_while_a_training_is_saved(saved, monkeypatch, ctrl_c):
    trained, before = load_model(saved), saved.read_bytes()
    saved.unlink()
    interrupt = partial(signal.raise_signal, signal.SIGINT)
    monkeypatch.setattr("save_load.check_parameters", lambda network: interrupt())
    with pytest.raises(KeyboardInterrupt):
        save_while_training([trained], saved)
    assert saved.read_bytes() == before


@pytest.mark.parametrize("name", ["m.partial.npz", "m.partial.previous.npz", "m.previous.npz"])
def test_a_folder_in_the_place_of_a_file_is_found_before_the_training(saved, name):
    saved.with_name(name).mkdir()
    with pytest.raises(UserError, match=f"{name}: can't be written: it is a folder"):
        check_savable(saved)


FILES = 5000
TEXTS = ["[" * 9000, '{"a":' * 3000, "9" * 9000, "null", "{}", '"\\ud800"', "\0", ""]
VALUES = [None, True, -1, 0, 3, 4097, 10**400, 1.5, float("nan"), "x", "\ud800", [], {}, [10**9]]


def flipped(good, rng):
    """The bytes of a file with some bits flipped, anywhere or in the headers."""
    content, starts = bytearray(good), re.finditer(b"PK|\x93N", good)
    headers = [start + n for start in map(re.Match.start, starts) for n in range(64)]
    places = rng.choice([range(len(good)), headers])
    for place in rng.choices(places, k=rng.choice([1, 10, 1000])):
        content[place % len(good)] ^= 1 << rng.randrange(8)
    return content


def cut(good, rng):
    """The bytes of a file without its start, its end or its middle."""
    start, end = sorted(rng.choices(range(len(good)), k=2))
    return rng.choice([good[:end], good[start:end], good[start:], good[:start] + good[end:]])


def redescribed(good, rng):
    """The bytes of a model file with another description, or with an odd value in it."""
    with np.load(io.BytesIO(good)) as archive:
        arrays = dict(archive)
    description = json.loads(str(arrays["description"]))
    table = rng.choice([description, description["settings"]])
    table[rng.choice([*table, "preprocessing", "__class__"])] = rng.choice(VALUES)
    text, file = rng.choice([json.dumps(description), rng.choice(TEXTS)]), io.BytesIO()
    np.savez(file, **arrays | {"description": np.array(text)})
    return file.getvalue()


@pytest.mark.long
@pytest.mark.filterwarnings("error")
def test_damaged_model_files_do_no_harm(saved, monkeypatch):
    """Nothing is executed, removed or opened for writing."""
    resource = pytest.importorskip("resource", reason="memory is measured as on Unix")
    events, harmful = [], ("exec", "os.", "subprocess.", "pickle.", "socket.", "shutil.")

    def watch(event, arguments):
        if event.startswith(harmful) or (event == "open" and arguments[2] & 0x3):
            events.append((event, arguments))

    monkeypatch.chdir(saved.parent)
    good, X = saved.read_bytes(), np.full((1, 784), 2, np.float32)
    load_model(saved), printable("\n")  # import what they need
    refused, before = Counter(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    sys.addaudithook(watch)  # for good
    for number in range(FILES):
        rng = random.Random(number)
        damaged = rng.choice([flipped, cut, redescribed])
        saved.write_bytes(damaged(good, rng))
        events.clear()
        try:
            model = load_model(saved)
            assert np.isfinite(model.network.logits(X)).all()
        except UserError as error:
            refused[damaged.__name__] += 1
            assert str(error).startswith(f"{saved}: ") and str(error).isprintable()
            assert len(str(error)) < 1000, number
        else:
            assert vars(model.settings).keys() == TRAINING.keys()
            assert {len(values) for values in model.history.values()} == {3}
        assert not events, (number, events)
        assert os.listdir() == ["m.npz"], number
    memory = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024  # kB on Linux
    print(f"damaged model files: {FILES:,}; refused: {refused.total():,}, {dict(refused)}")
    print(f"  the others are valid models; {memory:.0f} MB more memory")
    assert len(refused) == 3 and memory < 300
