"""The model file: written completely or not at all, and checked before use."""

import contextlib
import io
import json
import os
import secrets
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import numpy as np

from files import UserError, atomic_write, check_writable, printable, signals_deferred
from model import HISTORY, Model, MultilayerPerceptron
from settings import TRAINING, check_settings

FORMAT_VERSION = 5  # raise it when the content or the network's input changes
SAVE_EVERY = 30  # seconds, at least, from a save during a training to the next
PARTIAL, PREVIOUS = ".partial.npz", ".previous.npz"  # of interrupted and of replaced networks


def beside(path, ending):
    """The path beside a model file's with another ending: m.partial.npz for m.npz."""
    if not path.name:
        raise UserError(f"{path}: a folder; the model needs the name of a file")
    return path.with_name(path.name.removesuffix(".npz") + ending)


def check_savable(path):
    """Raise UserError unless a training can be saved in a model file, completely or in part."""
    for own in (path, beside(path, PARTIAL)):
        check_writable(own)
        check_writable(beside(own, PREVIOUS))


def save_while_training(models, path, resumed=None):
    """Save the last of the Models that a training yields, whatever ends it; return that Model.

    models: iterable. path: file of the complete model; an incomplete one is saved in its partial
    file. resumed: the file of the interrupted training, if any; it is removed at the end. What is
    replaced is kept as the previous file, unless this training wrote or resumed it.

    During the training, the newest Model is saved every SAVE_EVERY seconds. A Model that can't be
    saved at the end is saved in the folder for temporary files, and UserError is raised.
    """
    model, own, saved_at = None, {resumed.resolve()} if resumed else set(), time.monotonic()
    try:
        for model in models:
            if time.monotonic() - saved_at >= SAVE_EVERY:
                with contextlib.suppress(UserError):  # the last save reports it
                    save_training(path, model, own)
                saved_at = time.monotonic()
    finally:
        if model:
            with signals_deferred():
                save_finally(path, model, own)
    return model


def save_training(path, model, own):
    """Save a Model in `path` or, if incomplete, in its partial file; return that path.

    own: set of the resolved files that this training wrote or resumed, which this function updates.
    """
    target = path if model.is_complete else beside(path, PARTIAL)
    resolved = target.resolve()
    with signals_deferred():
        save_model(target, model, None if resolved in own else beside(target, PREVIOUS))
        if model.is_complete:
            for partial in own - {resolved}:
                partial.unlink(missing_ok=True)  # another process may have resumed it, too
        own.add(resolved)
    return target


def save_finally(path, model, own):
    """Save a Model as `save_training` does or, failing that, elsewhere; print where it is."""
    try:
        target = save_training(path, model, own)
    except UserError as error:
        rescue = Path(tempfile.gettempdir(), f"{secrets.token_hex(4)}-{path.name}")
        try:
            save_model(rescue, model)
        except UserError as other:  # perhaps for the same reason
            raise UserError("; ".join(dict.fromkeys([str(error), str(other)]))) from error
        raise UserError(f"{error}; the network is saved in {rescue}") from error
    if model.is_complete:
        print(f"Saved the network in {printable(target)}.")
    else:
        epochs = f"{model.epochs} of {model.settings.number_of_epochs} epochs"
        has_diverged = isinstance(sys.exc_info()[1], UserError)  # and would again
        place = " in" if has_diverged else "; continue with --resume"
        print(f"Saved {epochs}{place} {printable(target)}", file=sys.stderr)


def save_model(path, model, previous=None):
    """Save a Model to `path`, an .npz file, atomically.

    The file holds the arrays W_1, b_1, W_2, b_2, ..., the four of the history, and `description`, a
    JSON text with the format version and the training settings. previous: as for `atomic_write`.
    Raises UserError if the file can't be written or if the parameters are so large that predictions
    could overflow.
    """
    try:
        check_parameters(model.network)
    except ValueError as error:
        raise UserError(f"{error}: try a smaller alpha") from error
    description = {"format_version": FORMAT_VERSION, "settings": vars(model.settings)}
    arrays = named_parameters(model.network) | model.history
    content = io.BytesIO()  # on a full disk, zipfile would print a traceback of its own
    np.savez(content, **arrays, description=json.dumps(description))
    with atomic_write(path, previous) as file:
        file.write(content.getvalue())


def load_model(path):
    """Load a Model from a file written by `save_model`.

    Nothing in the file is executed, and its arrays take no more memory than the file.
    Raises UserError, naming the file and the fault, if it is missing or not such a file.
    """
    try:
        with open(path, "rb") as file:
            check_archive(file)
            return parse_model(file)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; --train-model trains a network") from None
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}") from error
    except Exception as error:  # damaged files make NumPy and zipfile fail in countless ways
        fault = printable(str(error)[:300])  # it may quote the file
        raise UserError(f"{path}: holds no model of this program: {fault}") from error


def check_archive(file):
    """Raise an exception unless this is a .npz file whose arrays take no more than its size."""
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
    if any(member.compress_type != zipfile.ZIP_STORED for member in members):
        raise ValueError("it is compressed")
    if sum(member.file_size for member in members) > file.seek(0, os.SEEK_END):
        raise ValueError("its arrays are larger than the file")


def parse_model(file):
    """The Model in an open file; raises an exception if there is none."""
    file.seek(0)
    with np.load(file, allow_pickle=False) as archive:
        arrays = dict(archive)
    description = json.loads(str(arrays.pop("description")))
    version = description["format_version"]
    if version != FORMAT_VERSION:
        raise ValueError(f"its format version is {version!r} and not {FORMAT_VERSION}")
    settings = check_settings(description["settings"], TRAINING, "its settings")
    network = MultilayerPerceptron(settings.hidden_layers)
    epochs = np.size(arrays.get(HISTORY[0]))  # a file without it is refused below
    history = {name: np.empty(epochs) for name in HISTORY}
    expected = named_parameters(network) | history
    if arrays.keys() != expected.keys():
        raise ValueError(f"it holds {', '.join(arrays)} and not {', '.join(expected)}")
    for name, array in arrays.items():
        found, right = ((a.dtype.str, a.shape) for a in (array, expected[name]))
        if found != right:
            raise ValueError(f"{name} is {found} and not {right}")
        if not np.isfinite(array).all():
            raise ValueError(f"{name} holds values that are not finite")
        expected[name][...] = array
    check_parameters(network)
    if not 1 <= epochs <= settings.number_of_epochs:
        raise ValueError(f"its history has {epochs} of {settings.number_of_epochs} epochs")
    return Model(network, history, settings)


def check_parameters(network):
    """Raise ValueError unless the network computes finite numbers from every image.

    The outputs of a layer are at most the column sums of its absolute weights times the largest
    input, plus the absolute bias. The network's inputs are about 0 to 1.
    """
    largest = 2.0
    for W, b in zip(network.weights, network.biases):
        sums = np.abs(W).sum(axis=0, dtype=np.float64)
        largest = float((sums * largest + np.abs(b)).max())
        if not largest < 1e38:  # float32 ends at 3.4e38; NaN is not below either
            raise ValueError("the network's parameters are not finite or too large")


def named_parameters(network):
    """The parameters by their names in the formulas: W_1, b_1, W_2, b_2, ..."""
    named = {}
    for layer, (W, b) in enumerate(zip(network.weights, network.biases), start=1):
        named |= {f"W_{layer}": W, f"b_{layer}": b}
    return named
