from unittest.mock import Mock

import numpy as np
import pytest
from scipy.ndimage import affine_transform

import data_preprocessing
from data_preprocessing import SOURCES, load_mnist, preprocess
from files import UserError

KERAS, PACKAGE_INDEX = SOURCES
MODULES = {KERAS: "tensorflow.py", PACKAGE_INDEX: "pip.py"}  # that they use
FAKE_TENSORFLOW = """
import numpy, os, sys, types
print("Downloading data")
a, b, c, d = numpy.load(os.environ["PYTHONPATH"] + "/m.npz").values()
keras = types.SimpleNamespace(mnist=types.SimpleNamespace(load_data=lambda: ((a, b), (c, d))))
sys.modules |= {"tensorflow.keras": keras, "tensorflow.keras.datasets": keras}
"""
TAMPERED_PACKAGE = "import sys\nopen(sys.argv[sys.argv.index('--dest') + 1] + '/m.whl', 'w')"
CACHES = [(KERAS, None), (PACKAGE_INDEX, None), (KERAS, "one bit"), (KERAS, "a folder")]
FAILURES = {
    "not done after 0.5 seconds": (KERAS, "import time; time.sleep(60)"),  # a slow network
    "ImportError: no such module": (KERAS, "raise ImportError('no such module')"),
    "failed with status 3": (KERAS, "import os; os._exit(3)"),  # a processor without AVX
    "its SHA-256 is not MNIST's": (KERAS, FAKE_TENSORFLOW.replace("a, b, c", "c, b, a")),
    "ERROR: no such thing": (PACKAGE_INDEX, "import sys; sys.exit('...\\nERROR: no such thing')"),
    "File is not a zip file": (PACKAGE_INDEX, TAMPERED_PACKAGE),
}


@pytest.fixture
def cache(monkeypatch, mnist, tmp_path):
    """The path of an empty cache; both sources fail unless the test sets them.

    It is in a folder with MNIST as m.npz, whose modules are found before the installed ones.
    """
    errors = {KERAS: "no route\nto host", PACKAGE_INDEX: "certificate"}
    failing = {name: Mock(side_effect=RuntimeError(error)) for name, error in errors.items()}
    monkeypatch.setattr(data_preprocessing, "SOURCES", failing)
    monkeypatch.setattr(data_preprocessing, "CACHE", tmp_path / "mnist.bin")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    np.savez(tmp_path / "m.npz", *mnist)
    return data_preprocessing.CACHE


@pytest.mark.parametrize(("name", "damage"), CACHES)
def test_each_source_is_read_once_and_cached(cache, monkeypatch, mnist, capsys, name, damage):
    good = b"".join(array.tobytes() for array in mnist)
    if damage == "a folder":
        cache.mkdir()
    elif damage:
        cache.write_bytes(good[:30_000_000] + bytes([good[30_000_000] ^ 1]) + good[30_000_001:])
    cache.with_name(MODULES[KERAS]).write_text(FAKE_TENSORFLOW)
    monkeypatch.setenv("PYTHONWARNINGS", "error")
    source = data_preprocessing.SOURCES[name] = Mock(side_effect=SOURCES[name])
    for _ in range(1 if damage == "a folder" else 2):
        for array, expected in zip(load_mnist(), mnist, strict=True):
            np.testing.assert_array_equal(array, expected)
    assert source.call_count == 1
    out = capsys.readouterr().out
    assert ("mnist.bin is damaged" in out) == bool(damage) and f"MNIST from {name} ..." in out
    assert ("MNIST is not cached for the next run" in out) == (damage == "a folder")
    assert damage == "a folder" or cache.read_bytes() == good


@pytest.mark.parametrize("reason", FAILURES)
def test_sources_that_fail_are_named_with_the_reason(cache, monkeypatch, reason):
    if "seconds" in reason:
        monkeypatch.setattr(data_preprocessing, "DOWNLOAD_SECONDS", 0.5)
    name, source = FAILURES[reason]
    cache.with_name(MODULES[name]).write_text(source)
    data_preprocessing.SOURCES[name] = SOURCES[name]
    with pytest.raises(UserError) as error:
        load_mnist()
    reasons = {KERAS: "no route to host", PACKAGE_INDEX: "certificate"} | {name: reason}
    assert all(f"{name}: {reason}" in str(error.value) for name, reason in reasons.items())
    assert "Check the network" in str(error.value) and str(error.value).isprintable()
    assert not cache.exists()


def test_the_input_is_the_image_or_its_slant_position_and_size_are_normalised(mnist):
    images = mnist[0][:310]
    with pytest.raises(ValueError, match=r"images must have the shape \(n, 28, 28\)"):
        preprocess(images[0], deskew=False)
    inputs, plain = (preprocess(images, deskew) for deskew in (True, False))
    assert inputs.dtype == plain.dtype == np.float32 and inputs.shape == (310, 784)
    np.testing.assert_allclose(255 * plain, images.reshape(310, 784), rtol=1e-6)
    places = np.mgrid[:28, :28].reshape(2, -1)  # row and column of each pixel
    for image, X in zip(images, inputs):
        centre = np.average(places, axis=1, weights=image.ravel())
        (r_r, r_c), (_, c_c) = np.cov(places, aweights=image.ravel(), ddof=0)
        slant = r_c / r_r
        sizes = np.sqrt(np.maximum([r_r, c_c - slant * r_c], 1))  # a 1 is at least a pixel wide
        height, width = np.sqrt(sizes / (6.6, 5.0))
        matrix = np.array([[height, 0], [slant * height, width]])
        offset = centre - matrix.sum(axis=1) * 13.5
        expected = affine_transform(image / 255, matrix, offset, order=1, mode="grid-constant")
        np.testing.assert_allclose(X.reshape(28, 28), expected, atol=1e-4)


@pytest.mark.parametrize("pixels", [[], [(0, 0)], [(13, 5)], [(27, 27), (0, 0)], [np.s_[:, :]]])
def test_deskewing_what_is_no_digit(pixels):
    images = np.zeros((1, 28, 28), np.uint8)
    for pixel in pixels:
        images[0][pixel] = 255
    with np.errstate(all="raise", under="ignore"):
        X = preprocess(images, deskew=True).reshape(28, 28)
    assert np.isfinite(X).all() and bool(pixels) == (X.max() > 0.1)
    if images.all():  # what comes from outside is paper
        assert not X[[0, -1]].any() and not X[:, [0, -1]].any()
