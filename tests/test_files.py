import os
import signal
from unittest.mock import Mock

import pytest

from files import UserError, atomic_write, check_writable, signals_to


def test_atomic_write_replaces_the_file_once_it_is_complete_and_on_the_disk(tmp_path, monkeypatch):
    folder, synchronised = tmp_path / "new folder", []
    check_writable(folder / "file")
    assert [*tmp_path.rglob("*")] == [folder]
    (folder / "link").symlink_to("file")

    def record(descriptor):
        synchronised.append((os.fstat(descriptor).st_size, (folder / "file").exists()))

    monkeypatch.setattr(os, "fsync", record)
    with atomic_write(folder / "file") as file:
        file.write(b"first")
    with atomic_write(folder / "link") as file:
        file.write(b"second")
        file.flush()
        assert (folder / "file").read_bytes() == b"first"
    assert (folder / "file").read_bytes() == b"second" and (folder / "link").is_symlink()
    assert synchronised == [(5, False), (6, True)]
    assert sorted(os.listdir(folder)) == ["file", "link"]


@pytest.mark.parametrize("place", ["content", "fsync", "replace"])
@pytest.mark.parametrize(("error", "result"), [(OSError(), UserError), (KeyboardInterrupt, None)])
def test_atomic_write_keeps_old_files_when_it_fails(tmp_path, monkeypatch, place, error, result):
    path, previous, fail = tmp_path / "file", tmp_path / "previous", Mock(side_effect=error)
    path.write_bytes(b"old")
    previous.write_bytes(b"older")
    monkeypatch.setattr(os, place, fail, raising=False)
    with pytest.raises(result or error), atomic_write(path, previous) as file:
        file.write(b"half")
        if place == "content":
            fail()
    assert (path.read_bytes(), previous.read_bytes()) == (b"old", b"older")
    assert {*os.listdir(tmp_path)} == {"file", "previous"}


def test_two_that_write_the_same_file_at_once_lose_neither(tmp_path):
    path, previous = tmp_path / "file", tmp_path / "previous"
    with atomic_write(path, previous) as slow:
        slow.write(b"slow")
        with atomic_write(path, previous) as fast:
            fast.write(b"fast")
        assert path.read_bytes() == b"fast"
    assert path.read_bytes() == b"slow" and previous.read_bytes() == b"fast"
    assert {*os.listdir(tmp_path)} == {"file", "previous"}


@pytest.mark.skipif(os.name == "nt", reason="Windows has no named pipes and says it otherwise")
def test_what_cannot_be_written_is_named_with_the_reason(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for name, reason in ("pipe", "it is a folder or a device"), ("x" * 300, "File name too long"):
        with pytest.raises(UserError) as error:
            check_writable(tmp_path / name)
        assert str(error.value) == f"{tmp_path / name}: can't be written: {reason}"
    assert os.listdir(tmp_path) == ["pipe"]


def test_a_signal_that_is_ignored_stays_ignored(ctrl_c):
    """nohup ignores SIGHUP, a shell Ctrl-C in its background jobs."""
    received, before = [], signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with signals_to(lambda number, frame: received.append(number)):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGTERM)
    assert received == [signal.SIGINT]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert signal.signal(signal.SIGTERM, before) is signal.SIG_IGN
