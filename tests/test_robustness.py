"""Thousands of hostile files and hundreds of kills.

    python -m pytest -m long -s

runs these tests, which take minutes, and prints how much was tried.
"""

import io
import itertools
import json
import multiprocessing
import os
import random
import re
import struct
import sys
import time
import warnings
import zipfile
from collections import Counter

import numpy as np
import pytest
from test_save_load import Harm

from files import UserError, printable
from model import HISTORY, Model
from save_load import load_model, save_model
from settings import TRAINING

pytestmark = pytest.mark.long
resource = pytest.importorskip("resource", reason="processes are killed as on Unix")

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
    with warnings.catch_warnings(), zipfile.ZipFile(file, "w", compression) as archive:
        warnings.simplefilter("ignore")  # about names that repeat
        for member in others + changed:
            archive.writestr(*member)
    return file.getvalue()


def harmful_events():
    """A list, which fills from now on, of what is executed, removed or opened for writing."""
    events, harmful = [], ("exec", "os.", "subprocess.", "pickle.", "socket.", "shutil.")

    def watch(event, arguments):
        if event.startswith(harmful) or (event == "open" and arguments[2] & 0x3):
            events.append((event, arguments))

    sys.addaudithook(watch)  # for good
    return events


def memory_peak():  # MB
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # from kB on Linux


@pytest.mark.filterwarnings("error")
def test_hostile_model_files_do_no_harm(tmp_path, make_network, settings, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings.hidden_layers, settings.number_of_epochs, path = (4, 3), 8, tmp_path / "m.npz"
    history = {name: np.linspace(1, 0, 5) for name in HISTORY}
    save_model(path, Model(make_network((4, 3)), history, settings))
    good, X = path.read_bytes(), np.full((1, 784), 2, np.float32)
    with zipfile.ZipFile(path) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    members.sort(key=lambda member: member[0] == "description.npy")  # it comes last
    load_model(path), printable("\n")  # import what they need
    refused, memory_start, events = Counter(), memory_peak(), harmful_events()
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
    memory = memory_peak() - memory_start
    print(f"hostile model files: {FILES:,}; refused: {refused.total():,}, {dict(refused)}")
    print(f"  the others are valid models; {memory:.0f} MB more memory")
    assert refused.keys() == {*KINDS} and memory < 300


def test_a_kill_while_saving_leaves_the_old_or_the_new_model(tmp_path, make_network, settings):
    settings.number_of_epochs, history = 5, dict.fromkeys(HISTORY, np.ones(5))
    models = [Model(make_network(seed=seed), history, settings) for seed in (1, 2)]
    paths, contents = [tmp_path / "m.npz", tmp_path / "m.previous.npz"], []

    def save_each(models):
        for model in models:
            save_model(paths[0], model, previous=paths[1])
            contents.append(paths[0].read_bytes())

    save_each(models)
    random_generator, forever = random.Random(0), [itertools.cycle(models)]
    for _ in range(KILLS):
        process = multiprocessing.get_context("fork").Process(target=save_each, args=forever)
        process.start()
        time.sleep(0.02 + 0.08 * random_generator.random())
        process.kill()
        process.join()
        assert all(path.read_bytes() in contents for path in paths)
        left = {*tmp_path.iterdir()} - {*paths}  # temporary, for lack of time to remove them
        assert len(left) <= 2
        for file in left:
            file.unlink()
    print(f"killed while saving: {KILLS} times; all models complete")
