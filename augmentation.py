"""Random distortions of the training images, new ones for every epoch.

A digit that is turned, scaled, slanted, shifted or bent a little stays the same digit. A network
that never sees the same image twice learns the digits instead of the images (Simard, Steinkraus and
Platt: Best practices for convolutional neural networks applied to visual document analysis, 2003).
"""

import itertools
import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from data_preprocessing import INPUTS, SIDE

WARPS = 200  # distortions per epoch; each serves a group of images, which is fast

# Limits of rotation (radians), scaling and slant (fractions) and shift (pixels).
ROTATION, SCALE, SLANT, SHIFT = 0.12, 0.1, 0.1, 0.8
ELASTICITY = 0.7  # standard deviation of the elastic displacement, pixels
SMOOTHNESS = 4.0  # standard deviation of the Gaussian that smooths the displacement, pixels


def distorted_epochs(X, random_generators):
    """Yield a distorted copy of the images X (n, 784) float32 for each random generator.

    A second thread prepares the next copy while the caller uses the current one. Two buffers take
    turns: a copy is valid until the next one is requested. NumPy releases the interpreter lock, so
    both threads compute at once. A copy does not depend on the threads.
    """
    copies = itertools.cycle([np.empty_like(X), np.empty_like(X)])
    with ThreadPoolExecutor(max_workers=1) as executor:
        tasks = (executor.submit(distort, X, r, next(copies)) for r in random_generators)
        # pairs, since the next task is submitted before the caller uses the result of this one
        for task, _ in itertools.pairwise(itertools.chain(tasks, [None])):
            yield task.result()


def distort(X, random_generator, out):
    """Write a distorted copy of each image of X to `out`, both (n, 784) float32; return `out`."""
    size = math.ceil(len(X) / WARPS)
    for start, positions in zip(range(0, len(X), size), random_warps(random_generator, WARPS)):
        group = slice(start, start + size)
        out[group] = warp(X[group].T, positions).T
    return out


def random_warps(random_generator, n):
    """Draw n distortions: the row and column each pixel comes from, (n, 2, 784) float32.

    An affine map about the middle of the image, plus a smooth elastic displacement: noise blurred
    by a Gaussian, which on the rows and columns of an image is a product with one matrix each.
    """

    def uniform(limit):
        return random_generator.uniform(-limit, limit, n)

    angle, shift = uniform(ROTATION), np.stack([uniform(SHIFT), uniform(SHIFT)], axis=1)
    height, width, slant = np.exp(uniform(SCALE)), np.exp(uniform(SCALE)), uniform(SLANT)
    affine = np.empty((n, 2, 2))
    affine[:, 0] = np.stack([np.cos(angle) * height, -np.sin(angle) * width], axis=1)
    affine[:, 1] = np.stack([np.sin(angle) * height + slant, np.cos(angle) * width], axis=1)

    offset = np.arange(SIDE) - (SIDE - 1) / 2  # from the middle
    blur = np.exp(-((offset[:, None] - offset) ** 2) / (2 * SMOOTHNESS**2))
    blur /= np.sqrt((blur**2).sum(axis=1, keepdims=True))  # keeps the noise's variance of 1
    noise = random_generator.standard_normal((n, 2, SIDE, SIDE))
    elastic = ELASTICITY * (blur @ noise @ blur.T)

    grid = np.stack(np.meshgrid(offset, offset, indexing="ij")).reshape(2, -1)
    positions = affine @ grid + shift[:, :, None] + elastic.reshape(n, 2, -1) + (SIDE - 1) / 2
    return positions.astype(np.float32)


def warp(pixels, positions):
    """Warp images: each pixel comes from its position, with linear interpolation.

    pixels: (784, n) float32, one image per column, so that one look-up serves all images.
    positions: (2, 784) float32 source rows and columns, in pixels. Positions outside the image are
    paper, 0. Returns (784, n).
    """
    corner = np.floor(positions)
    down, right = positions - corner
    top, left = corner.astype(np.intp)
    rows = np.stack([top, top, top + 1, top + 1])  # of the 4 pixels around each position
    columns = np.stack([left, left + 1, left, left + 1])
    weights = np.stack([1 - down, 1 - down, down, down]) * [1 - right, right, 1 - right, right]
    inside = (rows >= 0) & (rows < SIDE) & (columns >= 0) & (columns < SIDE)
    neighbours = np.where(inside, rows * SIDE + columns, INPUTS)  # INPUTS: the row of paper below
    source = np.concatenate([pixels, np.zeros((1, pixels.shape[1]), pixels.dtype)])
    return np.einsum("kp,kpn->pn", weights, source.take(neighbours, axis=0))
