"""Activation functions, and the small things that every other module may need."""

import contextlib
import os
import tempfile
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


@contextlib.contextmanager
def atomic_write(path):
    """Open a binary file that takes the place of `path` when it is whole, and not before.

    What was at `path` stays there until the new file is on the disk. The folder is made if it is
    not there. Raises UserError, and leaves nothing behind, if the file can't be written.
    """
    path = Path(path).resolve()  # replace the file a symbolic link points at, not the link
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(temporary, "wb") as file:
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
    """Make the folder of `path` if it isn't there; UserError unless a file can be put there."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            raise IsADirectoryError(None, "it is a folder")
        tempfile.TemporaryFile(dir=path.parent).close()
    except OSError as error:
        raise UserError(f"{path}: can't be written: {error.strerror}") from error
