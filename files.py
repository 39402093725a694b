"""Files that are written completely or not at all, signals, and errors the user can fix."""

import contextlib
import os
import secrets
import shutil
import signal
from pathlib import Path

PROJECT = Path(__file__).resolve().parent  # the folder of the program


class UserError(Exception):
    """An error the user can fix; its text, one line, says what is wrong and what to do."""


def printable(text):
    """A string or path to print: line breaks, escape sequences, undecodable bytes are escaped."""
    escaped = (c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(text))
    return "".join(escaped)


@contextlib.contextmanager
def atomic_write(path, previous=None):
    """Open a binary file that replaces `path` once it is complete and on the disk.

    Until then the old file stays; if anything fails, it stays for good. previous: where the file
    that is replaced, if any, is kept. Missing folders are created. Raises UserError if the file
    can't be written.
    """
    path = Path(os.path.realpath(path))  # write to the target of a symbolic link
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    replaced = (previous or path).with_name(f"{temporary.stem}.previous.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and not path.is_file():  # /dev/null must not become a file
            raise OSError(None, "it is a folder or a device")
        with open(temporary, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if previous and path.exists():
            shutil.copyfile(path, replaced)
            os.replace(replaced, previous)
        os.replace(temporary, path)
    except OSError as error:
        raise UserError(f"{path}: can't be written: {error.strerror or error}") from error
    finally:
        for leftover in (temporary, replaced):
            with contextlib.suppress(OSError):
                leftover.unlink()


def check_writable(path):
    """Create the folder of `path`; raise UserError if no file can be written there."""
    writing = atomic_write.__wrapped__(path)  # the generator
    next(writing)
    writing.close()  # before anything is replaced


@contextlib.contextmanager
def signals_to(handler):
    """Handle Ctrl-C, Ctrl-Break, SIGTERM and SIGHUP by `handler`, if not ignored (nohup)."""
    # not every system has all
    numbers = (getattr(signal, name, None) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"))
    handlers = {number: signal.getsignal(number) for number in numbers if number}
    handlers = {n: before for n, before in handlers.items() if before is not signal.SIG_IGN}
    for number in handlers:
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number, before in handlers.items():
            signal.signal(number, before)


@contextlib.contextmanager
def signals_deferred():
    """Let Ctrl-C, SIGTERM and SIGHUP wait until the block is done."""
    with (
        contextlib.ExitStack() as later,  # delivers them even if the block fails
        signals_to(lambda number, frame: later.callback(signal.raise_signal, number)),
    ):
        yield
