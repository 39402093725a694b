"""Distorted copies of the training images, anew for every epoch.

A digit that is turned, scaled, slanted, moved or bent a little stays the same digit; a network
that never sees the same picture twice learns the digits and not the pictures (Simard, Steinkraus
and Platt: Best practices for convolutional neural networks applied to visual document analysis,
2003).
"""

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from data_preprocessing import SIDE

WARPS = 200  # different distortions in an epoch; each is applied to a random group of images

# The most a distortion turns (radians), scales, slants (both as a share) and moves (pixels).
ROTATION, SCALE, SLANT, SHIFT = 0.12, 0.1, 0.1, 0.8
ELASTICITY = 0.7  # standard deviation of how far it bends a pixel, pixels
SMOOTHNESS = 4.0  # standard deviation of the Gaussian that smooths the bending, pixels


def distorted_epochs(X, random_generators):
    """Yield a distorted copy of the images X (n, 784) float32 for each random generator.

    A second thread prepares the next copy while the caller uses this one, which is valid until the
    next is asked for; NumPy lets both compute at once. Each copy depends on its random generator
    alone, and so not on which thread is faster.
    """
    copies = itertools.cycle([np.empty_like(X), np.empty_like(X)])
    stop = threading.Event()
    with ThreadPoolExecutor(max_workers=1) as executor:
        tasks = (executor.submit(distort, X, rng, next(copies), stop) for rng in random_generators)
        try:
            upcoming = next(tasks, None)
            while upcoming:
                copy = upcoming.result()
                upcoming = next(tasks, None)
                yield copy
        finally:
            stop.set()  # who interrupts the training need not wait for a whole copy


def distort(X, random_generator, out, stop=None):
    """Write a distorted copy of each image of X to `out`, both (n, 784) float32; return `out`.

    stop: a threading.Event that ends it early, the copy unfinished.
    """
    groups = np.array_split(random_generator.permutation(len(X)), WARPS)
    for group, positions in zip(groups, random_warps(random_generator, WARPS)):
        if stop and stop.is_set():
            break
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
    """Move the pixels of images: each comes from where `positions` says, interpolated linearly.

    pixels: (784, n), one image a column, so that one look-up serves all; positions: (2, 784) rows
    and columns, in pixels. What comes from outside the image is paper, 0. Returns (784, n).
    """
    paper = np.zeros((1, pixels.shape[1]), pixels.dtype)
    source = np.concatenate([pixels, paper])
    corner = np.floor(positions)
    down, right = positions - corner
    top, left = corner.astype(np.intp)
    moved = np.zeros_like(pixels, order="C")
    for row, row_weight in ((top, 1 - down), (top + 1, down)):
        for column, column_weight in ((left, 1 - right), (left + 1, right)):
            inside = (row >= 0) & (row < SIDE) & (column >= 0) & (column < SIDE)
            neighbour = np.where(inside, row * SIDE + column, SIDE * SIDE)
            moved += (row_weight * column_weight)[:, None] * source[neighbour]
    return moved
