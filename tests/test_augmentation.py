import time

import numpy as np
import pytest

import augmentation
from augmentation import distort, distorted_epochs, random_warps, warp

ROWS, COLUMNS = np.mgrid[:28, :28].reshape(2, -1).astype(np.float32)


@pytest.fixture
def pixels(mnist):
    """50 digits, one a column: (784, 50) float32."""
    return mnist[0][:50].reshape(50, -1).T.astype(np.float32)


def test_the_identity_returns_the_images_exactly(pixels):
    np.testing.assert_array_equal(warp(pixels, np.stack([ROWS, COLUMNS])), pixels)


@pytest.mark.parametrize(("down", "right"), [(1, 0), (0, -2), (-3, 2), (28, 0)])
def test_a_shift_moves_the_images_exactly(pixels, down, right):
    moved = warp(pixels, np.stack([ROWS - down, COLUMNS - right])).reshape(28, 28, 50)
    framed = np.zeros((28 * 3, 28 * 3, 50), np.float32)
    framed[28 + down : 56 + down, 28 + right : 56 + right] = pixels.reshape(28, 28, 50)
    np.testing.assert_array_equal(moved, framed[28:56, 28:56])


def test_between_pixels_it_interpolates(pixels):
    images = pixels.reshape(28, 28, 50)
    moved = warp(pixels, np.stack([ROWS + 0.25, COLUMNS + 0.5])).reshape(28, 28, 50)
    left, right = images[:-1, :-1], images[:-1, 1:]
    below_left, below_right = images[1:, :-1], images[1:, 1:]
    expected = 0.75 * (left + right) / 2 + 0.25 * (below_left + below_right) / 2
    np.testing.assert_allclose(moved[:-1, :-1], expected, rtol=1e-5, atol=1e-4)


def test_a_quarter_turn(pixels):
    turned = warp(pixels, np.stack([COLUMNS, 27 - ROWS])).reshape(28, 28, 50)
    np.testing.assert_array_equal(turned, np.rot90(pixels.reshape(28, 28, 50)))


def test_random_warps_are_small_and_of_every_kind():
    positions = random_warps(np.random.default_rng(0), 1000)
    assert positions.shape == (1000, 2, 784) and positions.dtype == np.float32
    moved = positions - np.stack([ROWS, COLUMNS])
    assert abs(moved.mean(axis=0)).max() < 0.2  # to no side in particular
    shift = moved.mean(axis=2)
    assert 0.4 < shift.std() < 1.2  # pixels
    assert moved.std() < 2.5
    # the affine map that fits best gives back the limits it was drawn within
    design = np.stack([ROWS - 13.5, COLUMNS - 13.5, np.ones(784)], axis=1)
    fits = np.linalg.lstsq(design, positions.reshape(2000, 784).T, rcond=None)[0]
    fits = fits.T.reshape(1000, 2, 3)[:, :, :2]
    turned = np.arctan2(fits[:, 1, 0] - fits[:, 0, 1], fits[:, 0, 0] + fits[:, 1, 1])
    assert augmentation.ROTATION / 3 < turned.std() < augmentation.ROTATION
    size = np.sqrt(np.abs(np.linalg.det(fits)))
    assert np.mean(size) == pytest.approx(1, abs=0.02)
    assert augmentation.SCALE / 4 < size.std() < augmentation.SCALE
    # what is left is the elastic part: smooth, and of the strength that is asked for
    elastic = (
        positions.reshape(2000, 784).T
        - design @ np.linalg.lstsq(design, positions.reshape(2000, 784).T, rcond=None)[0]
    ).T.reshape(1000, 2, 28, 28)
    assert 0.3 < elastic.std() / augmentation.ELASTICITY < 1
    assert np.abs(np.diff(elastic, axis=3)).mean() < elastic.std() / 3


def test_distort_gives_every_image_its_own_place(mnist):
    X = mnist[0][:5000].reshape(5000, -1) / np.float32(255)
    distorted = distort(X, np.random.default_rng(0), np.full_like(X, np.nan))
    assert np.isfinite(distorted).all()
    assert not np.array_equal(distorted, X)
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    own, other = (distorted * X).sum(axis=1), (distorted * X[::-1]).sum(axis=1)
    assert np.mean(own > other) > 0.97


def test_few_images_are_distorted_too(pixels):
    X = np.ascontiguousarray(pixels[:, :3].T)
    assert distort(X, np.random.default_rng(0), np.empty_like(X)).any(axis=1).all()


@pytest.mark.parametrize("pause", [0, 0.05])
def test_epochs_depend_on_the_seed_and_not_on_the_threads(mnist, pause):
    X = mnist[0][:300].reshape(300, -1) / np.float32(255)
    expected = [distort(X, np.random.default_rng(seed), np.empty_like(X)) for seed in range(4)]
    copies = distorted_epochs(X, map(np.random.default_rng, range(4)))
    for copy, expected_copy in zip(copies, expected, strict=True):
        time.sleep(pause)  # the other thread gets far ahead, or does not
        np.testing.assert_array_equal(copy, expected_copy)


def test_training_images_stay_as_they_are(mnist):
    X = mnist[0][:300].reshape(300, -1) / np.float32(255)
    before = X.copy()
    list(distorted_epochs(X, [np.random.default_rng(0)] * 2))
    np.testing.assert_array_equal(X, before)
