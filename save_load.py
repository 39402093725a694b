"""The model file: written completely or not at all, and checked before use."""

import io
import json
import os
import secrets
import sys
import tempfile
import zipfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from files import UserError, atomic_write, check_writable, signals_deferred
from model import MultilayerPerceptron
from settings import TRAINING, check_settings

FORMAT_VERSION = 4  # raise it when the network's input changes
# what `train` measures after each epoch, in this order
HISTORY = ("training_loss", "training_accuracy", "held_out_loss", "held_out_accuracy")
PARTIAL, PREVIOUS = ".partial.npz", ".previous.npz"  # of interrupted and of replaced networks
MOST_DIRECTORY_BYTES = 20_000  # of an archive; the deepest network needs 2,200


def beside(model, ending):
    """The file beside `model` with another ending: m.partial.npz for m.npz."""
    return model.with_name(model.name.removesuffix(".npz") + ending)


def complete_path(partial):
    """The file that an interrupted training was for: m.npz for m.partial.npz."""
    return partial.with_name(partial.name.removesuffix(PARTIAL).removesuffix(".npz") + ".npz")


def check_savable(model):
    """Raise UserError unless a training can be saved, completely or in part."""
    for path in (model, beside(model, PARTIAL)):
        check_writable(path)
        check_writable(beside(path, PREVIOUS))


def save_training(model, training, resumed=None):
    """Save what `train` yielded last: as `model` if it is complete, else as its partial file.

    A file that is replaced is kept as the previous one, unless the training resumed it. What can't
    be saved there is saved in the folder for temporary files, and UserError is raised. Signals
    wait meanwhile.
    """
    _, history, settings, velocity = training
    path = model if velocity is None else beside(model, PARTIAL)
    previous = None if resumed and path.resolve() == resumed.resolve() else beside(path, PREVIOUS)
    with signals_deferred():
        try:
            save_model(path, *training, previous)
        except UserError as error:
            rescue = Path(tempfile.gettempdir(), f"{secrets.token_hex(4)}-{path.name}")
            save_model(rescue, *training)
            raise UserError(f"{error}; the network is saved in {rescue}") from error
        if velocity is None and previous and resumed:
            resumed.unlink(missing_ok=True)  # another process may have resumed it, too
        if velocity is None:
            print(f"Saved the network in {path}.")
        else:
            epochs = f"{len(history['training_loss'])} of {settings.number_of_epochs} epochs"
            print(f"Saved {epochs}; continue with --resume {path}", file=sys.stderr)


def save_model(path, network, history, settings, velocity=None, previous=None):
    """Save a trained network to `path`, an .npz file, atomically.

    The file holds the arrays W_1, b_1, W_2, b_2, ..., the four of the history, as `train` yields
    it, `description`, a JSON text with the format version and the training settings, and for an
    interrupted training its `velocity`. previous: as for `atomic_write`. Raises UserError if the
    file can't be written or if the parameters are so large that predictions could overflow.
    """
    try:
        check_parameters(network)
    except ValueError as error:
        raise UserError(f"{error}: try a smaller alpha") from error
    description = {"format_version": FORMAT_VERSION, "settings": vars(settings)}
    arrays = named_parameters(network) | history | {"description": json.dumps(description)}
    if velocity is not None:
        arrays["velocity"] = velocity
    content = io.BytesIO()  # on a full disk, zipfile would print a traceback of its own
    np.savez(content, **arrays)
    with atomic_write(path, previous) as file:
        file.write(content.getvalue())


def load_model(path):
    """Load a file written by `save_model`: network, history, settings and velocity.

    The velocity is None unless the training was interrupted. Nothing in the file is executed, and
    loading takes no more memory than a few times its size. Raises UserError, naming the file and
    the fault, if it is missing or not such a file.
    """
    try:
        with open(path, "rb") as file:
            check_archive(file)
            return parse_model(file)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; train a network with --train-model") from None
    except OSError as error:
        raise UserError(f"{path}: can't be read: {error.strerror or error}") from error
    except MemoryError:
        raise UserError(f"{path}: too large for the memory of this machine") from None
    except Exception as error:  # damaged files make NumPy and zipfile fail in countless ways
        # the message may quote the file: no line breaks, no colours, no megabytes
        fault = "".join(c if c.isprintable() else "?" for c in str(error)[:300])
        raise UserError(f"{path}: not a model of this program: {fault}") from error


def check_archive(file):
    """Raise ValueError unless this is a complete .npz file of few arrays, not compressed."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - 42))
    end = file.read(42)  # for large archives, a pointer of 20 bytes stands before the last 22 bytes
    directory_size = int.from_bytes(end[-10:-6], "little")  # a field of the end record
    if not end[-22:].startswith(b"PK\5\6") or end.startswith(b"PK\6\7"):
        raise ValueError("it is not a complete .npz file")
    if directory_size > MOST_DIRECTORY_BYTES:
        raise ValueError("it holds too many arrays")
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
    if any(member.compress_type != zipfile.ZIP_STORED for member in members):
        raise ValueError("it is compressed")
    if sum(member.file_size for member in members) > size:
        raise ValueError("its arrays are larger than the file")


def parse_model(file):
    """Network, history, settings and velocity from an open file; raises if it isn't a model."""
    file.seek(0)
    with np.load(file, allow_pickle=False) as archive:
        arrays = dict(archive)
    if "description" not in arrays:
        raise ValueError("it has no description of a network")
    settings = parse_settings(str(arrays.pop("description")))
    network = MultilayerPerceptron(settings.hidden_layers)
    epochs = np.size(arrays.get(HISTORY[0]))  # a file without it is refused below
    expected = named_parameters(network) | dict.fromkeys(HISTORY, np.empty(epochs))
    if epochs < settings.number_of_epochs:
        expected["velocity"] = network.gradient
    if arrays.keys() != expected.keys():
        raise ValueError(f"it holds {', '.join(arrays)} and not {', '.join(expected)}")
    for name, array in arrays.items():
        found, right = ((a.dtype.str, a.shape) for a in (array, expected[name]))
        if found != right:
            raise ValueError(f"{name} is {found} and not {right}")
        if not np.isfinite(array).all():
            raise ValueError(f"{name} holds values that are not finite")
    for name, parameters in named_parameters(network).items():
        parameters[...] = arrays[name]
    check_parameters(network)
    history = {name: arrays[name] for name in HISTORY}
    if not 1 <= epochs <= settings.number_of_epochs:
        raise ValueError(f"its history has {epochs} of {settings.number_of_epochs} epochs")
    return network, history, settings, arrays.get("velocity")


def parse_settings(text):
    """The training settings in a description, checked, as a namespace; an exception if wrong."""
    description = json.loads(text)
    if not isinstance(description, dict) or description.keys() != {"format_version", "settings"}:
        raise ValueError("its description is not that of a network")
    version = description["format_version"]
    if version != FORMAT_VERSION:
        raise ValueError(f"its format version is {version!r} and not {FORMAT_VERSION}")
    return SimpleNamespace(**check_settings(description["settings"], TRAINING, "its settings"))


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
