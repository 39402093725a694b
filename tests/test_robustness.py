"""What takes minutes: thousands of hostile files, hundreds of kills, crowds of processes.

    python -m pytest -m long -s

runs these tests and prints how much was tried.
"""

import contextlib
import errno
import io
import itertools
import json
import os
import random
import resource
import signal
import struct
import subprocess
import sys
import time
import warnings
import zipfile
from types import SimpleNamespace

import numpy as np
import pytest
from test_train import check_any_settings

import data_preprocessing
from command_line import PROJECT
from data_preprocessing import load_cache, load_mnist, verify
from save_load import load_model, save_model
from train import HISTORY
from utils import UserError

pytestmark = pytest.mark.long

FILES = 25_000
PICTURE = PROJECT / "docs" / "handwriting.jpg"


@pytest.fixture
def model_file(tmp_path, make_network, settings):
    """A small model file, 784-4-3-10, of an interrupted training: these hold the most."""
    settings.hidden_layers, settings.number_of_epochs = (4, 3), 8
    history = {name: np.linspace(1, 0, 5) for name in HISTORY}
    save_model(tmp_path / "m.npz", make_network((4, 3)), history, settings)
    return tmp_path / "m.npz"


@pytest.fixture
def hooks():
    """List of what Python does, while it is filled: files opened to write, code run, processes.

    An audit hook can't be taken away again, so it is told when to stop instead.
    """
    happened, watching = [], [True]
    harmful = ("exec", "compile", "import", "os.", "subprocess.", "pickle.", "socket.", "shutil.")

    def hook(event, arguments):
        if watching and (event.startswith(harmful) or (event == "open" and arguments[2] & 0x3)):
            happened.append((event, arguments))

    sys.addaudithook(hook)
    yield happened
    watching.clear()


def npy(header, data=b"", version=b"\1\0"):
    """An array in the .npy format with a header of our choice."""
    header = header.encode("latin1") if isinstance(header, str) else header
    length = struct.pack("<H", len(header) & 0xFFFF)
    if version != b"\1\0":
        length = struct.pack("<L", len(header))
    return b"\x93NUMPY" + version + length + header + data


def archive_of(members, compression=zipfile.ZIP_STORED):
    """A zip archive of (name, content) pairs; names may repeat and be anything."""
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about names that repeat
        with zipfile.ZipFile(file, "w", compression) as archive:
            for name, content in members:
                archive.writestr(name, content)
    return file.getvalue()


class Harm:
    """What a pickle of this does when it is loaded must never happen."""

    def __reduce__(self):
        return os.mkdir, ("harm",)


def harmful_array():
    file = io.BytesIO()
    np.save(file, np.array([Harm()], dtype=object), allow_pickle=True)
    return file.getvalue()


HEADERS = [
    "{'descr': '<f4', 'fortran_order': False, 'shape': (%s), }",
    "{'descr': '|O', 'fortran_order': False, 'shape': (%s,), }",
    "{'descr': '<f8', 'fortran_order': True, 'shape': (%s, 4), }",
    "{'descr': '<U%s', 'fortran_order': False, 'shape': (), }",
    "{'descr': [('a', '<f4', (%s,))], 'fortran_order': False, 'shape': (1,), }",
    "{'descr': '<V%s', 'fortran_order': False, 'shape': (784, 4), }",
    "__import__('os').mkdir('harm%s')",
    "[" * 5000 + "%s",
    "-" * 9000 + "%s",
    "(\n\t%s\n  \\",
    "%sL",
    "",
]
NUMBERS = ["0", "-1", "784, 4", "10**9", "9" * 30, "9" * 5000, "1e9", "10737418240", "2147483648"]
NAMES = ["../x.npy", "/tmp/x.npy", "C:\\x.npy", "W_1", "W_1.npy", "W_1.npy/", "W_1.npy\0.txt",
         "W_1.NPY", "é.npy", "\n.npy", "x" * 30_000 + ".npy", ".npy", "W_9.npy"]  # fmt: skip
TEXTS = ["[" * 9000, '{"a":' * 5000, "9" * 9000, "NaN", "null", "[]", "{}", '"\\ud800"', "\0", ""]
VALUES = [None, True, -1, 0, 1, 2, 3, 784, 10, 4096, 4097, 10**9, 10**400, 1.5, float("nan"),
          float("inf"), "x", "\ud800", [], {}, [784, 10], [784, 4, 3, 10], [784, 4, 3, 10, 10],
          [784, 10**9, 10**9, 10], [784] + [1] * 40 + [10], [784, True, 3, 10],
          [784, 4.0, 3, 10], [[]] * 9]  # fmt: skip


def mutate(good, members, rng):
    """One hostile file and the name of its kind, made from a good one and its members."""
    kind = rng.choice(KINDS)
    content, members = bytearray(good), list(members)
    which = rng.randrange(len(members))
    name, data = members[which]
    compression = zipfile.ZIP_STORED
    if kind == "bit flips":
        for _ in range(rng.choice([1, 1, 2, 10, 1000])):
            content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        return kind, bytes(content)
    if kind == "bit flips in the records":
        # the local headers, the directory and the headers of arrays, not the bulk of the data
        starts = [i for i in range(len(content)) if content[i : i + 2] in (b"PK", b"\x93N")]
        for _ in range(rng.choice([1, 1, 2, 5])):
            place = rng.choice(starts) + rng.randrange(120)
            content[min(place, len(content) - 1)] = rng.choice([0, 1, 0x7F, 0x80, 0xFF])
        return kind, bytes(content)
    if kind == "sizes in the directory":
        starts = [i for i in range(len(content)) if content[i : i + 4] == b"PK\1\2"]
        place = rng.choice(starts) + rng.choice([8, 10, 16, 20, 24, 28, 30, 42])
        content[place : place + 4] = struct.pack("<L", rng.choice([0, 1, 8, 2**31, 2**32 - 1]))
        return kind, bytes(content)
    if kind == "end of the directory":
        place = len(content) - rng.randrange(1, 23)
        number = rng.choice([0, 1, 2**31, 2**32 - 1, rng.randrange(2**32)])
        content[place : place + 4] = struct.pack("<L", number)
        return kind, bytes(content)
    if kind == "truncation":
        start = rng.choice([0, 0, rng.randrange(len(content))])
        return kind, bytes(content[start : rng.randrange(len(content))])
    if kind == "pieces moved":
        a, b, c = sorted(rng.randrange(len(content)) for _ in range(3))
        return kind, bytes(content[:a] + content[b:c] + content[a:b] + content[c:])
    if kind == "noise":
        return kind, rng.choice([b"", b"PK\3\4", good[:100]]) + rng.randbytes(rng.randrange(500))
    if kind == "zip64 records":
        end = bytes(content[-22:])
        numbers = [rng.choice([0, 1, 14, 2**32, 2**40, 2**63]) for _ in range(4)]
        record = b"PK\6\6" + struct.pack("<QHHLLQQQQ", 44, 45, 45, 0, 0, *numbers)
        locator = b"PK\6\7" + struct.pack("<LQL", 0, len(content) - 22, 1)
        return kind, bytes(content[:-22]) + record + locator + end
    if kind == "swapped members":
        other = rng.randrange(len(members))
        members[which], members[other] = (name, members[other][1]), (members[other][0], data)
    elif kind == "missing or repeated members":
        members[which:which] = rng.choice([[], [members[which]] * rng.choice([1, 1, 500])])
        if rng.random() < 0.5:
            del members[rng.randrange(len(members))]
    elif kind == "names":
        members[which] = (rng.choice(NAMES), data)
    elif kind == "headers":
        header = rng.choice(HEADERS).replace("%s", rng.choice(NUMBERS))
        version = rng.choice([b"\1\0", b"\1\0", b"\2\0", b"\3\0", b"\xff\xff"])
        members[which] = (name, npy(header + " " * rng.randrange(64) + "\n", data[128:], version))
    elif kind == "length of a header":
        length = rng.choice([0, 1, 100, 2**16 - 1, 2**32 - 1])  # up to 4 GB
        start = rng.choice([struct.pack("<H", length & 0xFFFF), struct.pack("<L", length)])
        version = b"\1\0" if len(start) == 2 else b"\2\0"
        members[which] = (name, b"\x93NUMPY" + version + start + data[10:])
    elif kind == "pickles":
        members[which] = (name, rng.choice([harmful_array(), harmful_array()[128:]]))
    elif kind == "other types":
        dtype = rng.choice(
            ["<f4", ">f4", "<f8", "<f2", "|b1", "<c8", "<i8", "<U4", "|S9", "<M8[s]"]
        )
        shape = rng.choice([(), (0,), (5,), (4,), (10,), (784, 4), (4, 3), (4, 784), (1, 5)])
        file = io.BytesIO()
        np.save(file, np.zeros(shape, dtype))
        members[which] = (name, file.getvalue())
    elif kind == "strange numbers":
        numbers = bytearray(data)
        for _ in range(rng.choice([1, 3])):
            place = rng.randrange(128, len(data) + 1) // 4 * 4
            value = rng.choice([np.nan, np.inf, -np.inf, 3e38, -3e38, 1e-45, -0.0, 1e20])
            numbers[place : place + 4] = struct.pack("<f", value)
        members[which] = (name, bytes(numbers[: len(data)]))
    elif kind == "descriptions":
        number = [name for name, _ in members].index("description.npy")
        text = str(np.load(io.BytesIO(members[number][1])))
        if rng.random() < 0.3:
            text = rng.choice(TEXTS)
        else:
            description = json.loads(text)
            table = rng.choice([description, description["settings"], description["preprocessing"]])
            key = rng.choice([*table, "format_version", "layer_sizes", "seed", "__class__"])
            table[key] = rng.choice(VALUES)
            text = json.dumps(description)
        file = io.BytesIO()
        np.save(file, np.array(text))
        members[number] = ("description.npy", file.getvalue())
    elif kind == "compression":
        compression = rng.choice([zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
    elif kind == "unsupported compression":
        content = bytearray(archive_of(members))
        for place in range(len(content)):
            if content[place : place + 4] == b"PK\1\2":
                content[place + 10] = rng.choice([1, 6, 9, 93, 97, 99])
            if content[place : place + 4] == b"PK\3\4" and rng.random() < 0.5:
                content[place + 8] = rng.choice([1, 6, 9, 93, 97, 99])
        return kind, bytes(content)
    elif kind == "zip bombs":
        members[which] = (name, data[:128] + bytes(rng.choice([10**6, 10**7])))
        compression = zipfile.ZIP_DEFLATED
    return kind, archive_of(members, compression)


KINDS = [
    "bit flips", "bit flips in the records", "sizes in the directory", "end of the directory",
    "truncation", "pieces moved", "noise", "zip64 records", "swapped members",
    "missing or repeated members", "names", "headers", "length of a header", "pickles",
    "other types", "strange numbers", "descriptions", "compression", "unsupported compression",
    "zip bombs",
]  # fmt: skip


def memory_peak():
    """The most memory this process has taken so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def test_hostile_model_files(model_file, hooks, monkeypatch):
    monkeypatch.chdir(model_file.parent)
    good = model_file.read_bytes()
    with zipfile.ZipFile(model_file) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    assert load_model(model_file)
    X = 2 * np.ones((1, 784), np.float32)
    rng = random.Random(0)
    refused, valid = dict.fromkeys(KINDS, 0), dict.fromkeys(KINDS, 0)
    slowest, memory_start = 0, None
    for _ in range(FILES):
        kind, content = mutate(good, members, rng)
        model_file.write_bytes(content)
        memory_start = memory_start or memory_peak()
        hooks.clear()
        start = time.perf_counter()
        try:
            with warnings.catch_warnings(), np.errstate(all="raise", under="ignore"):
                warnings.simplefilter("error")
                network, history, settings = load_model(model_file)
                assert np.isfinite(network.predict_proba(X)).all()
        except UserError as error:
            assert str(error).startswith(f"{model_file}: ") and str(error).isprintable()
            assert len(str(error)) < 1000
            refused[kind] += 1
        else:
            assert type(settings.seed) is int and 0 <= settings.seed < 2**32
            assert settings.deskew in (True, False)
            assert {len(values) for values in history.values()} == {5}
            valid[kind] += 1
        slowest = max(slowest, time.perf_counter() - start)
        assert hooks == []
        assert [path.name for path in model_file.parent.iterdir()] == ["m.npz"]
    taken = memory_peak() - memory_start
    for kind in KINDS:
        print(f"  {kind}: {refused[kind]:,} refused, {valid[kind]:,} valid models")
    print(
        f"hostile model files: {FILES:,} of {len(KINDS)} kinds, {sum(refused.values()):,} refused, "
        f"{sum(valid.values()):,} read as valid models; at most {1000 * slowest:.0f} ms a file and "
        f"{taken:.0f} MB more memory"
    )
    assert sum(refused.values()) + sum(valid.values()) == FILES
    assert all(refused.values())
    assert slowest < 1 and taken < 300


KILLS_WHILE_SAVING, KILLS_WHILE_TRAINING, KILLS_WHILE_CACHING = 200, 20, 20


class Disk(io.FileIO):
    """A file that counts each write and close as a step."""

    def write(self, data):
        step()
        self.half = not getattr(self, "half", False)  # every other time only half is written
        data = memoryview(data).cast("B")
        written = super().write(data[: len(data) // 2 + 1] if self.half else data)
        step()
        return written

    def close(self):
        if not self.closed:
            step()
        super().close()


def step():
    """Counts down; what `at_step` set happens at 0."""
    at_step.left -= 1
    if at_step.left == 0:
        at_step.happens()


def at_step(monkeypatch, number, happens):
    """Make `happens` be called at the given step: before or after a call that changes the disk."""

    def stepping(function):
        def with_steps(*arguments, **options):
            step()
            result = function(*arguments, **options)
            step()
            return result

        return with_steps

    def open_for_writing(path, mode="r", **options):
        if mode != "wb":
            return opened(path, mode, **options)
        step()
        return io.BufferedWriter(Disk(path, "wb"), 4096)

    opened = open
    at_step.left, at_step.happens = number, happens
    monkeypatch.setattr("builtins.open", open_for_writing)
    for name in ("open", "fsync", "replace", "unlink", "mkdir", "listdir", "close"):
        monkeypatch.setattr(os, name, stepping(getattr(os, name)))


def kill_self():
    os.kill(os.getpid(), signal.SIGKILL)


def disk_fails():
    raise OSError(errno.EIO, "Input/output error")


def start_child(work):
    """Do something in a copy of this process, and nothing else; return the copy's number."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    return child


def in_child(work):
    """Do something in a copy of this process; return the signal that killed it, 0 if none did."""
    status = os.waitpid(start_child(work), 0)[1]
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0


def report(what, found):
    """Say how often something was tried, and what was found: 0 the old file, 1 the new one."""
    print(
        f"{what}: {len(found)} times; {found.count(0)} times the old file was there (or none), "
        f"{found.count(1)} times the new one, always whole"
    )


def temporaries(folder):
    return [path.name for path in folder.iterdir() if path.name.startswith(".")]


@pytest.fixture
def two_models(tmp_path, make_network, settings):
    """Function that saves the old or the new model (False, True), and one that tells which is there
    (0, 1), and fails unless it is one of the two, whole."""
    networks = [make_network((64,), seed=seed) for seed in (1, 2)]
    history, settings.number_of_epochs = dict.fromkeys(HISTORY, np.ones(5)), 5

    def save(new):
        save_model(tmp_path / "m.npz", networks[new], history, settings)

    def which():
        found = load_model(tmp_path / "m.npz")[0].parameters.tobytes()
        return [network.parameters.tobytes() for network in networks].index(found)

    save(False)
    return save, which


def test_killed_at_every_step_of_a_save(two_models, tmp_path, monkeypatch):
    save, which = two_models
    found = []
    for number in itertools.count(1):

        def save_and_die(number=number):
            at_step(monkeypatch, number, kill_self)
            save(True)

        if not in_child(save_and_die):
            break
        found.append(which())
        assert len(temporaries(tmp_path)) <= 1
        save(False)
        assert temporaries(tmp_path) == []
    report("killed at each step of a save", found)
    assert len(found) > 15 and found == sorted(found) and {*found} == {0, 1}


def test_a_disk_that_fails_at_every_step_of_a_save(two_models, tmp_path):
    save, which = two_models
    found = []
    for number in itertools.count(1):
        with pytest.MonkeyPatch.context() as monkeypatch:
            at_step(monkeypatch, number, disk_fails)
            said = False
            try:
                save(True)
            except UserError as error:
                assert str(error) == f"{tmp_path / 'm.npz'}: can't be written: Input/output error"
                said = True
            if at_step.left > 0:
                break
        found.append(which())
        assert said or found[-1] == 1
        assert len(temporaries(tmp_path)) <= 1  # where removing it is what failed
        save(False)
        assert temporaries(tmp_path) == []
    report("the disk failed at each step of a save", found)
    assert len(found) > 15 and {*found} == {0, 1}


def test_killed_while_saving_again_and_again(two_models, tmp_path):
    save, which = two_models
    rng = random.Random(0)
    found = []
    for _ in range(KILLS_WHILE_SAVING):
        child = os.fork()
        if child == 0:
            for number in itertools.count():
                save(number % 2)
        time.sleep(rng.uniform(0.001, 0.05))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        found.append(which())
        assert len(temporaries(tmp_path)) <= 1
    save(False)
    assert temporaries(tmp_path) == []
    report("killed while saving again and again", found)
    assert {*found} == {0, 1}


def test_interrupted_again_and_again(mnist, tmp_path):
    """Ctrl-C at random moments, and on with --resume, until the training is done."""
    options = ["--plots-dir", "plots", "--no-show-plots"]
    train = ["--train-model", "--number-of-epochs", "16", "--hidden-layers", "4", *options]
    main = [sys.executable, PROJECT / "main.py"]
    command = [*main, *train, "--model", "whole.npz"]
    subprocess.run(command, cwd=tmp_path, check=True, stdout=subprocess.DEVNULL)
    rng = random.Random(0)
    arguments, interrupts, longest = [*train, "--model", "m.npz"], 0, 0
    while not (tmp_path / "m.npz").exists():
        process = subprocess.Popen(
            [*main, *arguments],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            # even where the tests run in the background, where Ctrl-C is not heard
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        process.stdout.readline()  # one epoch is done
        time.sleep(rng.uniform(0, 0.5))
        if (tmp_path / "m.npz").exists():
            process.communicate()
            break
        process.send_signal(signal.SIGINT)
        start = time.perf_counter()
        error = process.communicate()[1].decode()
        seconds = time.perf_counter() - start
        if process.returncode == 130:
            interrupts, longest = interrupts + 1, max(longest, seconds)
            if not (tmp_path / "m.npz").exists():  # else it was already saved, and drawing
                assert error.startswith("interrupted: what was learnt is kept"), error
                load_model(tmp_path / "m.partial.npz")
        arguments = ["--resume", "m.partial.npz", *options]
    print(f"interrupted while training: {interrupts} times, ended after {longest:.2f} s at most")
    assert interrupts >= 3
    assert (tmp_path / "m.npz").read_bytes() == (tmp_path / "whole.npz").read_bytes()
    assert {path.name for path in tmp_path.glob("*.npz")} == {
        "m.npz", "m.partial.npz", "whole.npz"
    }  # fmt: skip


def test_killed_while_training(mnist, two_models, tmp_path):
    """The command itself, with a network that is trained and saved within seconds."""
    command = [sys.executable, PROJECT / "main.py", "--train-model", "--number-of-epochs", "15"]
    command += ["--hidden-layers", "1", "--batch-size", "1000", "--no-augment", "--no-deskew"]
    command += ["--model", "m.npz", "--plots-dir", "plots", "--no-show-plots"]
    start = time.perf_counter()
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    seconds = time.perf_counter() - start
    new = load_model(tmp_path / "m.npz")[0].parameters.tobytes()
    save, _ = two_models
    save(False)
    old = load_model(tmp_path / "m.npz")[0].parameters.tobytes()
    rng = random.Random(0)
    found = []
    for _ in range(KILLS_WHILE_TRAINING):
        process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL)
        time.sleep(rng.uniform(0, seconds))
        process.kill()
        process.wait()
        found.append([old, new].index(load_model(tmp_path / "m.npz")[0].parameters.tobytes()))
        assert len(temporaries(tmp_path)) <= 1
        save(False)
        assert temporaries(tmp_path) == []
    report("killed --train-model", found)
    assert {*found} == {0, 1}


@pytest.fixture
def cache(tmp_path, mnist, monkeypatch):
    """A cache of MNIST, empty, in tmp_path, that is filled with the real data."""
    monkeypatch.setattr(data_preprocessing, "CACHE", tmp_path / "mnist.bin")
    monkeypatch.setattr(data_preprocessing, "SOURCES", {"a copy": lambda: list(mnist)})
    return tmp_path / "mnist.bin"


def is_whole(cache):
    """Whether there is a cache, which then must be MNIST."""
    if cache.exists():
        verify(load_cache())
    return cache.exists()


def test_killed_at_every_step_of_filling_the_cache(cache, monkeypatch, capsys):
    found = []
    for number in itertools.count(1):

        def load_and_die(number=number):
            at_step(monkeypatch, number, kill_self)
            load_mnist()

        if not in_child(load_and_die):
            break
        found.append(is_whole(cache))
        assert len(temporaries(cache.parent)) <= 1
        cache.unlink(missing_ok=True)
    cache.unlink()
    load_mnist()
    assert is_whole(cache) and temporaries(cache.parent) == []
    with capsys.disabled():
        report("killed at each step of filling the cache", found)
    assert len(found) > 15 and found == sorted(found) and {*found} == {0, 1}


def test_two_fill_the_cache_at_once_and_one_is_killed(cache, capsys):
    rng = random.Random(0)
    for _ in range(KILLS_WHILE_CACHING):
        children = [start_child(load_mnist) for _ in range(2)]
        time.sleep(rng.uniform(0, 0.3))
        os.kill(children[0], signal.SIGKILL)
        os.waitpid(children[0], 0)
        status = os.waitpid(children[1], 0)[1]
        assert os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0
        assert is_whole(cache)
        assert len(temporaries(cache.parent)) <= 1
        cache.unlink()
    load_mnist()
    assert temporaries(cache.parent) == []
    with capsys.disabled():
        report("one of two that fill the cache killed", [1] * KILLS_WHILE_CACHING)


@contextlib.contextmanager
def small_disk(folder, options):
    """A disk of its own, mounted at a folder; the test is skipped where that is not allowed."""
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder])
    if mount.returncode:
        pytest.skip("no right to mount a disk")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def run_main(folder, *arguments):
    command = [sys.executable, PROJECT / "main.py", *map(str, arguments)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def assert_one_line(process, text):
    assert process.returncode == 1
    assert process.stderr.startswith("error: ") and process.stderr.count("\n") == 1
    assert text in process.stderr


def test_a_full_disk(mnist, tmp_path, monkeypatch, capsys):
    quick = ["--train-model", "--number-of-epochs", 1, "--batch-size", 1000, "--no-augment"]
    with small_disk(tmp_path, "size=300k"):
        (tmp_path / "m.npz").write_bytes(b"the old model")
        process = run_main(tmp_path, *quick, "--model", "m.npz", "--plots-dir", ".")
        assert_one_line(process, "m.npz: can't be written: No space left on device")
        (tmp_path / "filler").write_bytes(bytes(280_000))
        process = run_main(tmp_path, "--plots-dir", "plots", "--predict", PICTURE)
        assert_one_line(process, "recognised.png: can't be written: No space left on device")
        assert (tmp_path / "m.npz").read_bytes() == b"the old model"
        assert not list(tmp_path.rglob("*.tmp"))
        monkeypatch.setattr(data_preprocessing, "CACHE", tmp_path / "mnist.bin")
        monkeypatch.setattr(data_preprocessing, "SOURCES", {"a copy": lambda: list(mnist)})
        load_mnist()
        assert "not kept for the next run" in capsys.readouterr().out
        names = {path.name for path in tmp_path.iterdir() if path.is_file()}
        assert names == {"m.npz", "filler"}


def test_a_folder_that_is_read_only(mnist, tmp_path, monkeypatch, capsys):
    with small_disk(tmp_path, "ro"):
        process = run_main(tmp_path, "--train-model", "--model", "m.npz")
        assert_one_line(process, "m.npz: can't be written: Read-only file system")
        process = run_main(tmp_path, "--plots-dir", "plots")
        assert_one_line(process, "plots/loss.png: can't be written: Read-only file system")
        monkeypatch.setattr(data_preprocessing, "CACHE", tmp_path / "data" / "mnist.bin")
        monkeypatch.setattr(data_preprocessing, "SOURCES", {"a copy": lambda: list(mnist)})
        load_mnist()
        assert "not kept for the next run" in capsys.readouterr().out


def test_settings_from_end_to_end(mnist):
    """The corners of what config.py allows, and the widest layer."""
    alphas, batch_sizes = (1e-8, 1e-4, 1e-2, 1, 10, 100, 1e4, 1e6, 1e8), (1, 7, 100, 60_000)
    layers = ((1,), (8,), (128,), (8, 8, 8), (2,) * 16)
    others = (
        (0, 0, False),
        (1, 0.999, True),
        (1, 0, True),
        (0, 0.95, False),
    )  # l2, momentum, decay
    rng = random.Random(0)
    choices = [*itertools.product(alphas, batch_sizes, layers, others)]
    choices += [(alpha, 60_000, (4096,), other) for alpha in (1e-8, 1e-2, 1e8) for other in others]
    trained = 0
    for alpha, batch_size, hidden_layers, (l2, momentum, decay) in choices:
        settings = SimpleNamespace(
            alpha=alpha, number_of_epochs=2, batch_size=batch_size, hidden_layers=hidden_layers,
            l2=l2, momentum=momentum, decay=decay, deskew=rng.random() < 0.5, augment=False,
            validation_size=0, seed=rng.randrange(2**32),
        )  # fmt: skip
        trained += check_any_settings(mnist, settings)
    print(
        f"settings from end to end: {len(choices)} trainings, {trained} with a network of finite "
        f"numbers, {len(choices) - trained} with the error that says so"
    )
    assert 0 < trained < len(choices)


CROWD = 10


def test_a_crowd_trains_and_evaluates(mnist, tmp_path):
    """Ten processes at once, all on the same cache: each does what it does alone."""
    train = ["--train-model", "--number-of-epochs", "1", "--batch-size", "100", "--no-augment"]
    commands = [[], [*train, "--seed", "7"]]
    alone = []
    for number, command in enumerate(commands):
        folder = tmp_path / f"alone {number}"
        folder.mkdir()
        model = ["--model", "m.npz"] if command else []
        process = run_main(folder, *command, *model, "--plots-dir", "plots")
        alone.append(result(folder, process.stdout))
    crowd = []
    for number in range(CROWD):
        folder = tmp_path / f"crowd {number}"
        folder.mkdir()
        command = commands[number % 2] + (["--model", "m.npz"] if number % 2 else [])
        command = [sys.executable, PROJECT / "main.py", *command, "--plots-dir", "plots"]
        process = subprocess.Popen(
            command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        crowd.append((folder, process))
    for number, (folder, process) in enumerate(crowd):
        out, err = process.communicate()
        assert process.returncode == 0 and err == ""
        assert result(folder, out) == alone[number % 2]
    print(f"a crowd: {CROWD} processes at once, {CROWD} with the results they have alone")


def result(folder, output):
    """What a run came to: the report it printed, the network it saved and the pictures it drew."""
    report = output[output.index("Test accuracy") :]
    model = folder / "m.npz"
    network = load_model(model)[0].parameters.tobytes() if model.exists() else None
    return report, network, {file.name: file.read_bytes() for file in folder.glob("plots/*")}
