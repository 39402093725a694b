import time

import numpy as np
import pytest
from scipy.ndimage import map_coordinates
from scipy.stats import kstest

from augmentation import distort, distorted_epochs, random_warps

GRID = np.mgrid[:28, :28].reshape(2, -1).astype(np.float32)  # row and column of each pixel


def test_each_of_200_warps_distorts_its_group_of_images(monkeypatch):
    X = np.random.default_rng(0).random((600, 784), np.float32)  # ink at the border, too
    positions = random_warps(np.random.default_rng(1), 200).reshape(200, 2, 28, 28)
    positions[:20] += 10 * np.random.default_rng(2).standard_normal((20, 2, 1, 1))  # far outside
    expected = [
        map_coordinates(image, positions[place // 3], order=1, mode="grid-constant")
        for place, image in enumerate(X.reshape(-1, 28, 28))
    ]
    warps = {200: positions.reshape(200, 2, -1)}
    monkeypatch.setattr("augmentation.random_warps", lambda generator, n: warps[n])
    distorted = distort(X, None, np.empty_like(X))
    np.testing.assert_allclose(distorted.reshape(-1, 28, 28), expected, atol=1e-4)


def test_warps_are_turned_scaled_slanted_and_shifted(monkeypatch):
    monkeypatch.setattr("augmentation.ELASTICITY", 0)
    positions = random_warps(np.random.default_rng(0), 3000).astype(float)
    design = np.vstack([GRID - 13.5, np.ones(784)]).T
    fitted = positions @ np.linalg.pinv(design).T  # an affine map about the middle, (n, 2, 3)
    np.testing.assert_allclose(fitted @ design.T, positions, atol=1e-4)
    (height_cosine, width_sine, down), (sine, width_cosine, right) = np.moveaxis(fitted, 0, -1)
    angle = np.arctan2(-width_sine, width_cosine)
    height, width = height_cosine / np.cos(angle), width_cosine / np.cos(angle)
    slant = sine - height * np.sin(angle)
    drawn = [angle, np.log(height), np.log(width), slant, down - 13.5, right - 13.5]
    for values, limit in zip(drawn, (0.12, 0.1, 0.1, 0.1, 0.8, 0.8)):
        assert abs(values).max() <= 1.001 * limit
        assert kstest(values, "uniform", (-limit, 2 * limit)).pvalue > 0.01


def test_warps_are_bent_smoothly(monkeypatch):
    for name in ("ROTATION", "SCALE", "SLANT", "SHIFT"):
        monkeypatch.setattr(f"augmentation.{name}", 0)
    bent = (random_warps(np.random.default_rng(0), 3000) - GRID).reshape(-1, 28, 28)
    np.testing.assert_allclose(bent.std(axis=0), 0.7, rtol=0.1)
    for neighbours in (bent[:, 10, 10] * bent[:, 14, 10], bent[:, 10, 10] * bent[:, 10, 14]):
        # noise smoothed by a Gaussian with a standard deviation of 4 pixels, 4 pixels apart
        assert neighbours.mean() / 0.7**2 == pytest.approx(np.exp(-1 / 4), abs=0.05)


def test_epochs_depend_on_the_seed_and_not_on_the_threads():
    X = np.random.default_rng(0).random((300, 784), np.float32)
    before = X.copy()
    expected = [distort(X, np.random.default_rng(seed), np.empty_like(X)) for seed in range(6)]
    copies = distorted_epochs(X, map(np.random.default_rng, range(6)))
    for index, copy in enumerate(copies):
        time.sleep(0.05 * (index % 2))  # in some epochs the other thread gets ahead
        np.testing.assert_array_equal(copy, expected[index])
    assert index == 5 and not np.array_equal(expected[0], expected[1])
    np.testing.assert_array_equal(X, before)
