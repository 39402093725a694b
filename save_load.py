"""The model file: written so that it is never half there, read so that it can do no harm."""

import io
import json
import zipfile
import zlib
from types import SimpleNamespace

import numpy as np

from model import CLASSES, INPUTS, MultilayerPerceptron
from train import HISTORY
from utils import UserError, atomic_write

FORMAT_VERSION = 1
PREPROCESSING = ("deskew",)  # the settings that images to be read need, too: true or false


def save_model(path, network, history, settings):
    """Write a trained network to `path`, an .npz file, whole or not at all.

    The file holds the arrays W_1, b_1, W_2, b_2, ..., the four of the history, as `train` returns
    them, and `description`, a JSON text: format version, layer sizes, preprocessing, settings.
    settings: the namespace the network was trained with. What was at `path` stays there until the
    new file is complete. Raises UserError if it can't be written.
    """
    description = {
        "format_version": FORMAT_VERSION,
        "layer_sizes": network.layer_sizes,
        "preprocessing": {name: getattr(settings, name) for name in PREPROCESSING},
        "settings": {k: value for k, value in vars(settings).items() if k not in PREPROCESSING},
    }
    arrays = parameter_arrays(network) | history | {"description": json.dumps(description)}
    content = io.BytesIO()  # zipfile prints a traceback of its own if it can't write to the disk
    np.savez(content, **arrays)
    with atomic_write(path) as file:
        file.write(content.getvalue())


def load_model(path):
    """Read a file that `save_model` wrote: the network, its history and its settings.

    The file is read without pickle and everything in it is checked, so that it can't run code.
    Raises UserError, naming the file and the fault, if it is missing or not such a file.
    """
    try:
        return unpack(read_arrays(path))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; train a network with --train-model") from None
    except OSError as error:
        raise UserError(f"{path}: can't be read: {error.strerror or error}") from error
    except ValueError as error:
        raise UserError(f"{path}: not a model of this program: {error}") from error


def read_arrays(path):
    """All arrays in an .npz file, by name. Raises ValueError if it isn't one, whole."""
    with open(path, "rb") as file:
        if not zipfile.is_zipfile(file):
            raise ValueError("it is not a whole .npz file")
        file.seek(0)
        try:
            with np.load(file, allow_pickle=False) as archive:
                return dict(archive)
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise ValueError(f"it is damaged ({error})") from error


def unpack(arrays):
    """Network, history and settings from a file's arrays; ValueError if they don't fit."""
    description = read_description(arrays)
    layer_sizes = description["layer_sizes"]
    expected = dict.fromkeys(HISTORY, ((arrays[HISTORY[0]].size,), np.float64))
    for layer, (inputs, outputs) in enumerate(zip(layer_sizes, layer_sizes[1:]), start=1):
        expected[f"W_{layer}"] = ((inputs, outputs), np.float32)
        expected[f"b_{layer}"] = ((outputs,), np.float32)
    for name, (shape, dtype) in expected.items():
        array = arrays[name]
        if array.shape != shape or array.dtype != dtype:
            found = f"{array.dtype} {array.shape}"
            raise ValueError(f"{name} should be {np.dtype(dtype)} {shape} and is {found}")
        if not np.isfinite(array).all():
            raise ValueError(f"{name} holds values that are not finite")
    network = MultilayerPerceptron(layer_sizes[1:-1])
    for name, parameters in parameter_arrays(network).items():
        parameters[...] = arrays[name]
    history = {name: arrays[name] for name in HISTORY}
    settings = SimpleNamespace(**description["settings"] | description["preprocessing"])
    return network, history, settings


def read_description(arrays):
    """The description as a dictionary, if it is one of ours and names the arrays there are."""
    if "description" not in arrays:
        raise ValueError("description is missing")
    description = json.loads(str(arrays["description"]))
    if not isinstance(description, dict):
        raise ValueError("description is not a JSON object")
    if description.get("format_version") != FORMAT_VERSION:
        version = description.get("format_version")
        raise ValueError(f"format version {version!r}; this program reads {FORMAT_VERSION}")
    for key, kind in (("layer_sizes", list), ("preprocessing", dict), ("settings", dict)):
        if not isinstance(description.get(key), kind):
            raise ValueError(f"{key} is missing from the description, or of the wrong type")
    for key in PREPROCESSING:
        if not isinstance(description["preprocessing"].get(key), bool):
            raise ValueError(f"{key} is missing from the preprocessing, or neither true nor false")
    for key in ("seed", "validation_size"):
        value = description["settings"].get(key)
        if not isinstance(value, int) or value < 0:
            raise ValueError(f"{key} is missing from the settings, or not a whole number from 0")
    sizes = description["layer_sizes"]
    if len(sizes) < 2 or sizes[0] != INPUTS or sizes[-1] != CLASSES:
        raise ValueError(f"layer sizes {sizes}, which do not lead from {INPUTS} to {CLASSES}")
    names = {f"{letter}_{layer}" for letter in "Wb" for layer in range(1, len(sizes))}
    names |= {*HISTORY, "description"}
    if missing := sorted(names - arrays.keys()):
        raise ValueError(f"{', '.join(missing)} missing")
    if extra := sorted(arrays.keys() - names):
        raise ValueError(f"{', '.join(extra)} not expected")
    return description


def parameter_arrays(network):
    """The parameters by their names in the file and in the formulas: W_1, b_1, W_2, b_2, ..."""
    named = {}
    for layer, (W, b) in enumerate(zip(network.weights, network.biases), start=1):
        named |= {f"W_{layer}": W, f"b_{layer}": b}
    return named
