"""Activation functions, and the small things that every other module may need."""

import contextlib
import os
import platform
from pathlib import Path

import numpy as np


class UserError(Exception):
    """Something the user can put right; its one-line text says what went wrong and what to do."""


def relu(Z, out=None):
    """Rectified linear unit max(Z, 0), elementwise, for an array of any shape and dtype."""
    return np.maximum(Z, 0, out=out)


def relu_derivative(H):
    """Derivative of ReLU, as bool of the shape of H: 1 where its output H is above 0, else 0."""
    return H > 0


def log_softmax(Z):
    """Logarithm of the softmax of each row: Z - log(sum(exp(Z))), finite for finite logits.

    Subtracting the largest logit of a row first changes nothing in the result, and keeps exp from
    overflowing (Goodfellow, Bengio and Courville: Deep Learning, 2016, section 4.1).

    Z: (n, classes) logits; returns an array of the same shape and dtype.
    """
    shifted = Z - Z.max(axis=1, keepdims=True)
    shifted -= np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return shifted


def softmax(Z):
    """Softmax of each row: (n, classes) logits to probabilities; every row sums to 1."""
    return np.exp(log_softmax(Z))


def matmul_by_rows(A, B, out):
    """Write A @ B to `out`, as many rows at a time as OpenBLAS multiplies the short way.

    Up to 100**3 multiplications, and with AVX-512, it does so without copying A and B first, which
    is a quarter faster; on other processors, this costs next to nothing.

    A: (m, n), B: (n, k), out: (m, k).
    """
    rows = max(1, 100**3 // B.size)
    for start in range(0, len(A), rows):
        np.matmul(A[start : start + rows], B, out=out[start : start + rows])


@contextlib.contextmanager
def atomic_write(path):
    """Open a binary file that takes the place of `path` when it is whole, and not before.

    What was at `path` stays there until the new file is on the disk. The folder is made if it is
    not there. Raises UserError, and leaves nothing behind, if the file can't be written; what a
    process left behind that was killed, the next one to write to `path` takes away.
    """
    path = Path(os.path.realpath(path))  # replace the file a symbolic link points at, not the link
    temporary = temporary_path(path, os.getpid())
    try:
        make_place(path)
        with open(temporary, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        sync_folder(path.parent)
    except OSError as error:
        raise UserError(f"{path}: can't be written: {error.strerror or error}") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def check_writable(path):
    """Make the folder of `path` if it isn't there; UserError unless a file can be put there."""
    path = Path(os.path.realpath(path))
    temporary = temporary_path(path, os.getpid())
    try:
        make_place(path)
        temporary.touch()  # the very file that `atomic_write` makes: its name may be too long, say
        temporary.unlink()
    except OSError as error:
        raise UserError(f"{path}: can't be written: {error.strerror or error}") from error


def temporary_path(path, process):
    """Where this machine's process of that number writes what is to become `path`."""
    return path.with_name(f".{path.name}.{platform.node()}.{process}.tmp")


def make_place(path):
    """Make the folder of `path`, and remove what killed processes left there; OSError if not."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir():
        raise IsADirectoryError(None, "it is a folder")
    if path.exists() and not path.is_file():  # nobody wants /dev/null replaced
        raise OSError(None, "it is a device, not a file")
    start, end = temporary_path(path, "\0").name.split("\0")
    for name in os.listdir(path.parent):
        number = name.removeprefix(start).removesuffix(end)
        if name == f"{start}{number}{end}" and number.isdecimal() and not is_running(int(number)):
            with contextlib.suppress(OSError):
                path.with_name(name).unlink()


def is_running(process):
    """Whether a process of that number may be running on this machine."""
    if os.name == "nt":
        return False  # asking would end it, and a file that it has open can't be removed anyway
    try:
        os.kill(process, 0)  # sends nothing
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass  # somebody else's
    return True


def sync_folder(folder):
    """Have the disk keep the new names in a folder, on systems that can be told so."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
