"""Errors the user can fix, and files that are written completely or not at all."""

import contextlib
import os
import secrets
from pathlib import Path

PROJECT = Path(__file__).parent  # the folder of the program


class UserError(Exception):
    """An error the user can fix; its text, one line, says what is wrong and what to do."""


@contextlib.contextmanager
def atomic_write(path):
    """Open a binary file that replaces `path` once it is complete and on the disk.

    Until then the old file stays; if anything fails, it stays for good. Missing folders are
    created. Raises UserError if the file can't be written.
    """
    path = Path(os.path.realpath(path))  # write to the target of a symbolic link
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and not path.is_file():  # /dev/null must not become a file
            raise OSError(None, "it is a folder or a device")
        with open(temporary, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise UserError(f"{path}: can't be written: {error.strerror or error}") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def check_writable(path):
    """Create the folder of `path`; raise UserError if no file can be written there."""

    class NothingToWrite(Exception):
        pass

    with contextlib.suppress(NothingToWrite), atomic_write(path):
        raise NothingToWrite  # makes atomic_write remove its temporary file and keep the old one
