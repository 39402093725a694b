import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from augmentation import distort, distorted_epochs, random_warps, warp
from data_preprocessing import preprocess

GRID = np.mgrid[:28, :28].reshape(2, -1).astype(np.float32)  # row and column of each pixel


@given(st.integers(-30, 30), st.integers(-30, 30))
def test_a_shift_by_whole_pixels_is_exact(down, right):
    images = np.random.default_rng(0).random((20, 28, 28), np.float32)
    shifted = warp(images.reshape(20, -1).T, GRID - np.float32([[down], [right]]))
    framed = np.zeros((20, 28 * 4, 28 * 4), np.float32)
    framed[:, 42 + down : 70 + down, 42 + right : 70 + right] = images
    np.testing.assert_array_equal(shifted.T.reshape(20, 28, 28), framed[:, 42:70, 42:70])


@given(st.integers(0, 2**32 - 1))
def test_warp_interpolates_bilinear_images_exactly(seed):
    """Linear interpolation returns a + b r + c c + d r c wherever it is asked."""
    positions = np.random.default_rng(seed).uniform(0, 27, (2, 784)).astype(np.float32)
    images, expected = (
        np.stack([np.ones(784), r, c, r * c], axis=1).astype(np.float32)
        for r, c in (GRID, positions)
    )
    np.testing.assert_allclose(warp(images, positions), expected, rtol=1e-4, atol=1e-4)


def assert_uniform(values, limit):
    """The values are spread evenly from -limit to limit."""
    assert abs(values).max() <= 1.001 * limit and abs(values.mean()) < 0.05 * limit
    np.testing.assert_allclose(values.std(), limit / np.sqrt(3), rtol=0.05)


def test_warps_are_turned_scaled_slanted_and_shifted(monkeypatch):
    monkeypatch.setattr("augmentation.ELASTICITY", 0)
    positions = random_warps(np.random.default_rng(0), 3000).astype(float)
    design = np.vstack([GRID - 13.5, np.ones(784)]).T
    fitted = positions @ np.linalg.pinv(design).T  # an affine map about the middle, (n, 2, 3)
    np.testing.assert_allclose(fitted @ design.T, positions, atol=1e-4)
    (height_cosine, width_sine, down), (sine, width_cosine, right) = np.moveaxis(fitted, 0, -1)
    angle = np.arctan2(-width_sine, width_cosine)
    height, width = height_cosine / np.cos(angle), width_cosine / np.cos(angle)
    assert_uniform(angle, 0.12)
    for scale in (height, width):
        assert_uniform(np.log(scale), 0.1)
    assert_uniform(sine - height * np.sin(angle), 0.1)  # the slant
    for shift in (down, right):
        assert_uniform(shift - 13.5, 0.8)


def test_warps_are_bent_smoothly(monkeypatch):
    for name in ("ROTATION", "SCALE", "SLANT", "SHIFT"):
        monkeypatch.setattr(f"augmentation.{name}", 0)
    bent = (random_warps(np.random.default_rng(0), 3000) - GRID).reshape(-1, 28, 28)
    np.testing.assert_allclose(bent.std(axis=0), 0.7, rtol=0.1)
    for neighbours in (bent[:, 10, 10] * bent[:, 14, 10], bent[:, 10, 10] * bent[:, 10, 14]):
        # noise smoothed by a Gaussian with a standard deviation of 4 pixels, 4 pixels apart
        assert neighbours.mean() / 0.7**2 == pytest.approx(np.exp(-1 / 4), abs=0.05)


def test_200_distortions_serve_an_epoch(mnist):
    X = np.repeat(preprocess(mnist[0][:1], deskew=False), 1000, axis=0)
    distorted = distort(X, np.random.default_rng(0), np.empty_like(X))
    assert len(np.unique(distorted, axis=0)) == 200


def test_epochs_depend_on_the_seed_and_not_on_the_threads(mnist):
    X = preprocess(mnist[0][:300], deskew=False)
    before = X.copy()
    expected = [distort(X, np.random.default_rng(seed), np.empty_like(X)) for seed in range(6)]
    copies = distorted_epochs(X, map(np.random.default_rng, range(6)))
    for index, copy in enumerate(copies):
        time.sleep(0.05 * (index % 2))  # in some epochs the other thread gets ahead
        np.testing.assert_array_equal(copy, expected[index])
    assert index == 5
    np.testing.assert_array_equal(X, before)
