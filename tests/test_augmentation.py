import time

import numpy as np
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


def test_random_warps_are_small_and_to_no_side():
    moved = random_warps(np.random.default_rng(0), 1000) - GRID
    assert moved.shape == (1000, 2, 784) and moved.dtype == np.float32
    assert abs(moved.mean(axis=0)).max() < 0.2  # pixels
    down, right = moved.std(axis=(0, 2))
    assert 0.5 < down < 2.5 and 0.5 < right < 2.5


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
