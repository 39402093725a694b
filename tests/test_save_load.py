import io
import itertools
import json
import multiprocessing
import os
import random
import re
import signal
import struct
import sys
import time
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


FILES, KILLS = 5000, 220
KINDS = ("bit flips", "truncation", "members", "headers", "pickles", "types and numbers")
KINDS += ("descriptions", "compression")
HEADERS = ["{'descr': '<f4', 'fortran_order': False, 'shape': (%s), }"]
HEADERS += ["{'descr': '|O', 'fortran_order': False, 'shape': (%s,), }", "[" * 5000 + "%s"]
HEADERS += ["{'descr': '<U%s', 'fortran_order': False, 'shape': (), }", "open('harm%s', 'w')"]
SIZES = ["0", "-1", "784, 4", "10**9", "9" * 5000, "1e9", "10737418240"]
ARRAYS = [np.zeros(shape, type) for shape in [(), (0,), (4, 784)] for type in ["f4", ">f4", "U4"]]
TEXTS = ["[" * 9000, '{"a":' * 3000, "9" * 9000, "null", "{}", '"\\ud800"', "\0", ""]
VALUES = [None, True, -1, 0, 3, 4097, 10**400, 1.5, float("nan"), "x", "\ud800", [], {}, [10**9]]


def hostile_file(kind, good, members, rng):
    """A file made from the bytes of a good one or from its members, the description last."""
    if kind == "bit flips":  # anywhere, or in the headers of the archive and the arrays
        content, starts = bytearray(good), re.finditer(b"PK|\x93N", good)
        headers = [start + n for start in map(re.Match.start, starts) for n in range(20)]
        places = rng.choice([range(len(good)), headers])
        for place in rng.choices(places, k=rng.choice([1, 10, 1000])):
            content[place] ^= 1 << rng.randrange(8)
        return content
    if kind == "truncation":
        start, end = sorted(rng.choices(range(len(good)), k=2))
        return rng.choice([good[:end], good[start:end], good[start:], good[:start] + good[end:]])
    others, file, compression = list(members), io.BytesIO(), zipfile.ZIP_STORED
    name, data = others.pop(-1 if kind == "descriptions" else rng.randrange(len(others)))
    array, changed = np.load(io.BytesIO(data)), [(name, data)]
    if kind == "members":
        renamed = rng.choice(["../x.npy", "/tmp/x.npy", "W_1", "\n.npy", "x" * 30_000 + ".npy"])
        changed = rng.choice([[], 2 * changed, 500 * changed, [(renamed, data)]])
    elif kind == "headers":
        header = rng.choice(HEADERS).replace("%s", rng.choice(SIZES)).encode()
        length = struct.pack("<H", rng.choice([len(header), len(header), 0, 2**16 - 1]))
        changed = [(name, b"\x93NUMPY\1\0" + length + header + data[128:])]
    elif kind == "compression":
        compression = rng.choice([zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
        changed = [(name, data + bytes(rng.choice([0, 10**7])))]
    else:
        if kind == "pickles":
            array = np.array([Harm()], dtype=object)
        elif kind == "types and numbers":
            array.flat[rng.randrange(array.size)] = rng.choice([np.nan, np.inf, -3e38, 1e-45])
            array = rng.choice([array, rng.choice(ARRAYS)])
        else:
            description = json.loads(str(array))
            table = rng.choice([description, description["settings"]])
            table[rng.choice([*table, "preprocessing", "__class__"])] = rng.choice(VALUES)
            array = np.array(rng.choice([json.dumps(description), rng.choice(TEXTS)]))
        np.save(file, array, allow_pickle=True)
        changed, file = [(name, file.getvalue())], io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for member in others + changed:
            archive.writestr(*member)
    return file.getvalue()


@pytest.mark.long
@pytest.mark.filterwarnings("error", "ignore:Duplicate name")
def test_hostile_model_files_do_no_harm(tmp_path, monkeypatch):
    """Nothing is executed, removed or opened for writing."""
    resource = pytest.importorskip("resource", reason="memory is measured as on Unix")
    events, harmful = [], ("exec", "os.", "subprocess.", "pickle.", "socket.", "shutil.")

    def watch(event, arguments):
        if event.startswith(harmful) or (event == "open" and arguments[2] & 0x3):
            events.append((event, arguments))

    monkeypatch.chdir(tmp_path)
    settings, path = plain(hidden_layers=(4, 3), number_of_epochs=8), tmp_path / "m.npz"
    history = {name: np.linspace(1, 0, 5) for name in HISTORY}
    save_model(path, Model(make_network((4, 3)), history, settings))
    good, X = path.read_bytes(), np.full((1, 784), 2, np.float32)
    with zipfile.ZipFile(path) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    members.sort(key=lambda member: member[0] == "description.npy")  # it comes last
    load_model(path), printable("\n")  # import what they need
    refused, before = Counter(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    sys.addaudithook(watch)  # for good
    for number in range(FILES):
        rng = random.Random(number)
        kind = rng.choice(KINDS)
        path.write_bytes(hostile_file(kind, good, members, rng))
        events.clear()
        try:
            model = load_model(path)
            assert np.isfinite(model.network.logits(X)).all()
        except UserError as error:
            refused[kind] += 1
            assert str(error).startswith(f"{path}: ") and str(error).isprintable()
            assert len(str(error)) < 1000, (number, kind)
        else:
            assert vars(model.settings).keys() == TRAINING.keys()
            assert {len(values) for values in model.history.values()} == {5}
        assert not events, (number, kind, events)
        assert os.listdir(tmp_path) == ["m.npz"], (number, kind)
    memory = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024  # kB on Linux
    print(f"hostile model files: {FILES:,}; refused: {refused.total():,}, {dict(refused)}")
    print(f"  the others are valid models; {memory:.0f} MB more memory")
    assert refused.keys() == {*KINDS} and memory < 300


@pytest.mark.long
@pytest.mark.skipif(os.name == "nt", reason="processes are killed as on Unix")
def test_a_kill_while_saving_leaves_the_old_or_the_new_model(tmp_path):
    settings, history = plain(number_of_epochs=5), dict.fromkeys(HISTORY, np.ones(5))
    models = [Model(make_network(seed=seed), history, settings) for seed in (1, 2)]
    paths, contents = [tmp_path / "m.npz", tmp_path / "m.previous.npz"], []

    def save_each(models):
        for model in models:
            save_model(paths[0], model, previous=paths[1])
            contents.append(paths[0].read_bytes())

    save_each(models)
    rng, forever = random.Random(0), [itertools.cycle(models)]
    for _ in range(KILLS):
        process = multiprocessing.get_context("fork").Process(target=save_each, args=forever)
        process.start()
        time.sleep(rng.uniform(0.02, 0.1))
        process.kill()
        process.join()
        assert all(path.read_bytes() in contents for path in paths)
        left = {*tmp_path.iterdir()} - {*paths}  # temporary, for lack of time to remove them
        assert len(left) <= 2
        for file in left:
            file.unlink()
    print(f"killed while saving: {KILLS} times; all models complete")
