"""The model file: written so that it is never half there, read so that it can do no harm."""

import io
import json
import os
import re
import struct
import zipfile
from types import SimpleNamespace

import numpy as np

from command_line import MOST_HIDDEN_LAYERS, is_allowed
from model import CLASSES, INPUTS, MultilayerPerceptron
from train import HISTORY
from utils import UserError, atomic_write

FORMAT_VERSION = 1
PREPROCESSING = ("deskew",)  # the settings that images to be read need, too: true or false

# The most a file may hold. The largest network that may be trained, of MOST_HIDDEN_LAYERS hidden
# layers of MOST_NEURONS neurons (config.py), takes with its velocity 2.040 of these 2.147 billion
# bytes.
MOST_NEURONS = 4096
MOST_BYTES = 2**31 - 1
MOST_DIRECTORY_BYTES, MOST_DESCRIPTION_BYTES = 20_000, 200_000

# The start of an array in the .npy format 1.0: magic number, version, length of the header, header
# (numpy.lib.format). The header is a Python expression, which is matched here and never evaluated.
ARRAY_START = re.compile(
    rb"\x93NUMPY\x01\x00..\{'descr': '(<f4|<f8|<U\d{1,6})', "
    rb"'fortran_order': (False|True), 'shape': \(([\d, ]{0,30})\), \} *\n",
    re.DOTALL,
)


def save_model(path, network, history, settings):
    """Write a trained network to `path`, an .npz file, whole or not at all.

    The file holds the arrays W_1, b_1, W_2, b_2, ..., the four of the history, as `train` returns
    them, and `description`, a JSON text: format version, layer sizes, preprocessing, settings. That
    of an interrupted training holds the velocity, too, with which it goes on.
    settings: the namespace the network was trained with. What was at `path` stays there until the
    new file is complete. Raises UserError if it can't be written, or if the parameters are such
    that `load_model` would refuse them.
    """
    try:
        check_parameters(network)
    except ValueError as error:
        raise UserError(f"{error}: nothing is saved; try a smaller alpha") from error
    description = {
        "format_version": FORMAT_VERSION,
        "layer_sizes": network.layer_sizes,
        "preprocessing": {name: getattr(settings, name) for name in PREPROCESSING},
        "settings": {k: value for k, value in vars(settings).items() if k not in PREPROCESSING},
    }
    arrays = parameter_arrays(network) | history | {"description": json.dumps(description)}
    if is_partial(history, settings):
        arrays["velocity"] = network.velocity
    content = io.BytesIO()  # zipfile prints a traceback of its own if it can't write to the disk
    np.savez(content, **arrays)
    with atomic_write(path) as file:
        file.write(content.getvalue())


def load_model(path):
    """Read a file that `save_model` wrote: the network, its history and its settings.

    What the file declares is checked before it is believed: it can run no code, and takes no more
    memory than a few times its size. Raises UserError, naming the file and the fault, if it is
    missing or not such a file.
    """
    try:
        with open(path, "rb") as file:
            return read_model(file)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; train a network with --train-model") from None
    except OSError as error:
        raise UserError(f"{path}: can't be read: {error.strerror or error}") from error
    except MemoryError as error:
        raise UserError(f"{path}: too large for the memory of this machine") from error
    except ValueError as error:
        # it may cite the file, which may hold anything: no line breaks, no colours, no megabytes
        fault = "".join(c if c.isprintable() else "?" for c in str(error)[:300])
        raise UserError(f"{path}: not a model of this program: {fault}") from error


def read_model(file):
    """Network, history and settings from an open file; ValueError if it isn't a model."""
    size = file.seek(0, os.SEEK_END)
    check_end(file, size)
    try:
        with zipfile.ZipFile(file) as archive:
            names = check_members(archive, size)
            description = read_description(archive, names)
            layer_sizes = description["layer_sizes"]
            expected = expected_arrays(layer_sizes, partial="velocity" in names)
            if missing := sorted(expected.keys() - names):
                raise ValueError(f"{', '.join(missing)} missing")
            if extra := sorted(names - expected.keys() - {"description"}):
                raise ValueError(f"{', '.join(extra)} not expected")
            arrays = {name: read_array(archive, name, *what) for name, what in expected.items()}
    # zipfile's own ways to say that something is wrong
    except (zipfile.BadZipFile, EOFError, NotImplementedError, struct.error) as error:
        raise ValueError(f"it is damaged ({error})") from error

    history = {name: arrays[name] for name in HISTORY}
    lengths = sorted({len(values) for values in history.values()})
    if len(lengths) > 1 or lengths[0] == 0:
        raise ValueError(f"its history is of {' and '.join(map(str, lengths))} epochs")
    for name, values in history.items():
        quantity = name.split("_")[-1]
        highest = 1 if quantity == "accuracy" else 1e39  # float32 ends before
        if not ((values >= 0) & (values <= highest)).all():  # neither is NaN
            raise ValueError(f"{name} holds values that are no {quantity}")
    network = MultilayerPerceptron(layer_sizes[1:-1])
    for name, parameters in parameter_arrays(network).items():
        parameters[...] = arrays[name]
    check_parameters(network)
    preprocessing = {name: description["preprocessing"][name] for name in PREPROCESSING}
    sizes = {"hidden_layers": tuple(layer_sizes[1:-1])}
    settings = SimpleNamespace(**description["settings"] | preprocessing | sizes)
    if lengths[0] > settings.number_of_epochs:
        raise ValueError(f"{lengths[0]} epochs, of {settings.number_of_epochs}")
    if is_partial(history, settings) != ("velocity" in names):
        raise ValueError("velocity is for interrupted trainings, and only for them")
    if "velocity" in names:
        network.velocity[...] = arrays["velocity"]
        if not np.isfinite(network.velocity).all():
            raise ValueError("velocity holds values that are not finite")
    return network, history, settings


def is_partial(history, settings):
    """Whether a history is that of a training that was interrupted."""
    return len(history[HISTORY[0]]) < settings.number_of_epochs


def check_end(file, size):
    """ValueError unless a file ends as np.savez ends it, in a directory that isn't huge.

    zipfile reads the directory as a whole, and so does this once its size is known.
    """
    if size > MOST_BYTES:
        raise ValueError(f"{size:,} bytes are more than any network takes")
    # The last 22 bytes tell where the directory is; for larger archives the 20 bytes before them
    # may point to a record that tells it instead.
    file.seek(max(0, size - 42))
    end = file.read()
    if len(end) < 42 or not end[20:].startswith(b"PK\5\6") or end.startswith(b"PK\6\7"):
        raise ValueError("it is not a whole .npz file")
    directory_size = int.from_bytes(end[32:36], "little")
    if directory_size > MOST_DIRECTORY_BYTES:
        raise ValueError(f"it is damaged (a directory of {directory_size:,} bytes)")


def check_members(archive, size):
    """The names of the arrays in an archive of `size` bytes; ValueError if one is suspicious.

    Each is stored as it is, neither compressed nor encrypted, and together they are no larger than
    the archive, so that a small file never unfolds into a large one.
    """
    names = set()
    for member in archive.infolist():
        name = member.orig_filename.removesuffix(".npy")
        if name == member.orig_filename or name in names:
            raise ValueError(f"{member.orig_filename} is not expected, or is there twice")
        if member.compress_type != zipfile.ZIP_STORED or member.flag_bits:
            raise ValueError(f"{name} is compressed, encrypted or otherwise special")
        if member.compress_size != member.file_size:
            raise ValueError(f"{name} has two different sizes")
        names.add(name)
    if sum(member.file_size for member in archive.infolist()) > size:
        raise ValueError("its arrays are larger than the file")
    return names


def read_description(archive, names):
    """The description as a dictionary, if it is one of ours."""
    if "description" not in names:
        raise ValueError("description is missing")
    if archive.getinfo("description.npy").file_size > MOST_DESCRIPTION_BYTES:
        raise ValueError("its description is too long")
    try:
        description = json.loads(str(read_array(archive, "description", "<U", ())))
    except RecursionError as error:
        raise ValueError("its description is nested too deeply") from error
    if not isinstance(description, dict):
        raise ValueError("description is not a JSON object")
    version = description.get("format_version")
    if version != FORMAT_VERSION:
        raise ValueError(f"format version {version!r}; this program reads {FORMAT_VERSION}")
    for key, kind in (("layer_sizes", list), ("preprocessing", dict), ("settings", dict)):
        if not isinstance(description.get(key), kind):
            raise ValueError(f"{key} is missing from the description, or of the wrong type")
    for key in PREPROCESSING:
        if not isinstance(description["preprocessing"].get(key), bool):
            raise ValueError(f"{key} is missing from the preprocessing, or neither true nor false")
    # whoever edits it may have broken it: that is told before, and better
    from config import allowed

    for key in ("number_of_epochs", "validation_size", "seed"):
        _, lowest, highest = allowed[key]
        if not is_allowed(description["settings"].get(key), int, lowest, highest):
            raise ValueError(
                f"{key} is missing from the settings, or not a whole number from {lowest} to "
                f"{highest}"
            )
    sizes = description["layer_sizes"]
    if len(sizes) < 2 or sizes[0] != INPUTS or sizes[-1] != CLASSES:
        raise ValueError(f"layer sizes {sizes}, which do not lead from {INPUTS} to {CLASSES}")
    hidden = sizes[1:-1]
    if len(hidden) > MOST_HIDDEN_LAYERS or not all(
        is_allowed(n, int, 1, MOST_NEURONS) for n in hidden
    ):
        raise ValueError(
            f"layer sizes {sizes}, not up to {MOST_HIDDEN_LAYERS} hidden layers of 1 to "
            f"{MOST_NEURONS} neurons each"
        )
    return description


def expected_arrays(layer_sizes, partial):
    """The arrays a file must hold besides the description: by name, their type and shape.

    A length of -1 may be any. partial: whether it is that of an interrupted training.
    """
    expected = dict.fromkeys(HISTORY, ("<f8", (-1,)))
    for layer, (inputs, outputs) in enumerate(zip(layer_sizes, layer_sizes[1:]), start=1):
        expected[f"W_{layer}"] = "<f4", (inputs, outputs)
        expected[f"b_{layer}"] = "<f4", (outputs,)
    if partial:
        sizes = zip(layer_sizes, layer_sizes[1:])
        expected["velocity"] = "<f4", (sum((inputs + 1) * outputs for inputs, outputs in sizes),)
    return expected


def read_array(archive, name, kind, shape):
    """One array of an archive; ValueError unless it declares the type and shape that are expected.

    kind: "<f4" for float32, "<f8" for float64, "<U" for text. shape: -1 stands for any length.
    The data is read when the rest has been found right, and its CRC is checked.
    """
    with archive.open(f"{name}.npy") as member:
        start = member.read(10)
        match = ARRAY_START.fullmatch(start + member.read(int.from_bytes(start[8:], "little")))
        if not match:
            raise ValueError(f"{name} is not an array of numbers or text, as NumPy writes it")
        dtype = np.dtype(match[1].decode())
        found = tuple(map(int, re.findall(rb"\d+", match[3])))
        wanted = tuple(n if m == -1 else m for m, n in zip(shape, found))
        if not dtype.str.startswith(kind) or found != wanted or len(found) != len(shape):
            should = f"{np.dtype(kind)} {shape}" if kind != "<U" else "text"
            raise ValueError(f"{name} should be {should} and is {dtype} {found}")
        content = member.read()
    order = "F" if match[2] == b"True" else "C"
    return np.frombuffer(content, dtype).reshape(found, order=order)


def check_parameters(network):
    """ValueError unless the network computes finite numbers from every image.

    A layer's outputs are at most the sums of its absolute weights, times the largest input, plus
    the absolute bias. Inputs are about 0 to 1. What stays under the limit can't overflow float32.
    """
    largest = 2.0
    for name, parameters in parameter_arrays(network).items():
        if not np.isfinite(parameters).all():
            raise ValueError(f"{name} holds values that are not finite")
    for W, b in zip(network.weights, network.biases):
        sums = np.abs(W).sum(axis=0, dtype=np.float64)
        largest = float((sums * largest + np.abs(b)).max())
        if largest > 1e38:
            raise ValueError("the network's parameters are so large that it can't be computed")


def parameter_arrays(network):
    """The parameters by their names in the file and in the formulas: W_1, b_1, W_2, b_2, ..."""
    named = {}
    for layer, (W, b) in enumerate(zip(network.weights, network.biases), start=1):
        named |= {f"W_{layer}": W, f"b_{layer}": b}
    return named
