import os
import stat
import subprocess
import sys

import numpy as np
import pytest

from command_line import PROJECT
from utils import (
    UserError,
    atomic_write,
    check_writable,
    log_softmax,
    matmul_by_rows,
    relu,
    relu_derivative,
    softmax,
    temporary_path,
)


@pytest.mark.parametrize("shape", [(784, 32, 128), (3, 1000, 1001), (1, 1, 1), (785, 7, 300)])
def test_matmul_by_rows(shape):
    m, n, k = shape
    random_generator = np.random.default_rng(0)
    A, B = random_generator.random((n, m)).T, random_generator.random((n, k))
    out = np.full((m, k), np.nan)
    matmul_by_rows(A, B, out)
    np.testing.assert_allclose(out, A @ B, rtol=1e-12)


def test_relu_and_its_derivative():
    Z = np.array([[-2.0, 0.0, 3.0]])
    assert relu(Z).tolist() == [[0, 0, 3]]
    assert relu_derivative(relu(Z)).tolist() == [[False, False, True]]


def test_relu_works_in_place():
    Z = np.array([-1.0, 1.0], np.float32)
    assert relu(Z, out=Z) is Z
    assert Z.tolist() == [0, 1]


def test_softmax_by_hand():
    # logits log(1), log(2), log(5) have the odds 1 : 2 : 5
    Z = np.log([[1.0, 2.0, 5.0]])
    np.testing.assert_allclose(softmax(Z), [[1 / 8, 2 / 8, 5 / 8]], rtol=1e-15)
    np.testing.assert_allclose(log_softmax(Z), np.log([[1 / 8, 2 / 8, 5 / 8]]), rtol=1e-14)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_softmax_of_huge_logits(dtype):
    Z = np.array([[1e4, -1e4, 0], [-1e4, -1e4, -1e4], [1e4, 1e4, -1e4]], dtype)
    with np.errstate(all="raise", under="ignore"):
        log_P, P = log_softmax(Z), softmax(Z)
    assert P.dtype == dtype
    np.testing.assert_allclose(P, [[1, 0, 0], [1 / 3, 1 / 3, 1 / 3], [0.5, 0.5, 0]], rtol=1e-6)
    np.testing.assert_allclose(log_P[0], [0, -2e4, -1e4])


def test_atomic_write_replaces_the_file_when_it_is_whole(tmp_path):
    path = tmp_path / "new folder" / "file"
    with atomic_write(path) as file:
        file.write(b"first")
    with atomic_write(path) as file:
        file.write(b"second")
        file.flush()
        assert path.read_bytes() == b"first"
    assert path.read_bytes() == b"second"
    assert os.listdir(path.parent) == ["file"]


def test_atomic_write_follows_symbolic_links(tmp_path):
    (tmp_path / "link").symlink_to("target")
    with atomic_write(tmp_path / "link") as file:
        file.write(b"content")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_bytes() == b"content"


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_atomic_write_leaves_the_old_file_when_it_fails(tmp_path, error):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    expected = UserError if isinstance(error, OSError) else KeyboardInterrupt
    with pytest.raises(expected), atomic_write(path) as file:
        file.write(b"half")
        raise error
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_atomic_write_names_the_file_and_the_fault(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    path = tmp_path / "file" / "below"
    with pytest.raises(UserError, match="file/below: can't be written: "), atomic_write(path):
        pass


def ended_process():
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_what_killed_processes_left_is_removed_and_nothing_else(tmp_path):
    path, other = tmp_path / "a[b]*.npz", tmp_path / "a.npz"
    leftover, dead = temporary_path(path, ended_process()), ended_process()
    kept = {temporary_path(path, 1), temporary_path(path, "notes"), temporary_path(other, dead)}
    for file in (leftover, *kept):
        file.write_bytes(b"half")
    with atomic_write(path) as file:
        file.write(b"whole")
    assert {*tmp_path.iterdir()} == kept | {path}
    check_writable(other)  # looks after its own
    assert {*tmp_path.iterdir()} == kept - {temporary_path(other, dead)} | {path}


def test_two_may_write_at_once(tmp_path):
    """The half-written file of a process that is alive is left alone."""
    script = "import sys, utils\nwith utils.atomic_write(sys.argv[1]) as file:\n"
    script += "    file.write(b'other')\n    print(flush=True)\n    input()"
    process = subprocess.Popen(
        [sys.executable, "-c", script, tmp_path / "file"],
        cwd=PROJECT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    process.stdout.readline()
    with atomic_write(tmp_path / "file") as file:
        file.write(b"this")
    assert (tmp_path / "file").read_bytes() == b"this"
    process.communicate(b"\n", timeout=10)
    assert process.returncode == 0
    assert (tmp_path / "file").read_bytes() == b"other"
    assert os.listdir(tmp_path) == ["file"]


def test_the_folder_is_synchronised_after_the_file_has_its_name(tmp_path, monkeypatch):
    synchronised = []
    fsync = os.fsync

    def recording(descriptor):
        kind = "folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file"
        synchronised.append((kind, (tmp_path / "file").exists()))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", recording)
    with atomic_write(tmp_path / "file"):
        pass
    assert synchronised == [("file", False), ("folder", True)]


def test_a_device_is_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for function in (check_writable, lambda path: atomic_write(path).__enter__()):
        with pytest.raises(UserError, match="can't be written: it is a device, not a file"):
            function(tmp_path / "pipe")
    assert os.listdir(tmp_path) == ["pipe"]


def test_a_link_to_itself_is_replaced(tmp_path):
    (tmp_path / "loop").symlink_to("loop")
    check_writable(tmp_path / "loop")
    with atomic_write(tmp_path / "loop") as file:
        file.write(b"content")
    assert (tmp_path / "loop").read_bytes() == b"content"


def test_a_name_too_long_to_be_saved_is_known_before_the_training(tmp_path):
    path = tmp_path / ("x" * 250)  # a name that the system allows, but for the temporary file
    for function in (check_writable, lambda path: atomic_write(path).__enter__()):
        with pytest.raises(UserError, match="can't be written: File name too long"):
            function(path)


def test_check_writable(tmp_path):
    check_writable(tmp_path / "new folder" / "file")
    assert os.listdir(tmp_path / "new folder") == []
    with pytest.raises(UserError, match="new folder: can't be written: it is a folder"):
        check_writable(tmp_path / "new folder")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UserError, match="can't be written"):
        check_writable(tmp_path / "file" / "below")
