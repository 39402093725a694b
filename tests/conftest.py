"""What several test files need: the program, networks, and pages with digits on them."""

import contextlib
import io
import os
import signal
import subprocess
import sys
import tempfile
from subprocess import PIPE
from types import SimpleNamespace

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

os.environ["MPLBACKEND"] = "Agg"  # no windows, here and in the programs the tests start
os.environ.pop("DISPLAY", None)
os.environ.pop("WAYLAND_DISPLAY", None)
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import config
from benchmarks.reading import paper
from benchmarks.reading.paper import as_image
from benchmarks.reading.writer import enlarged
from data_preprocessing import load_mnist
from files import PROJECT
from handwriting import beyond_mnist
from handwriting.page import recognise_page
from main import main
from model import HISTORY, MultilayerPerceptron
from save_load import load_model
from settings import MOST_HIDDEN_LAYERS, RECOGNITION, TRAINING, check_settings

MAIN = PROJECT / "main.py"
QUICK = ["--train-model", "--hidden-layers", 8, "--no-augment", "--no-deskew", "--model", "m.npz"]
QUICK += ["--batch-size", 1000, "--number-of-epochs", 1]
DEFAULTS = {name: getattr(config, name) for name in TRAINING}
THRESHOLDS = check_settings(vars(config), RECOGNITION, "config.py")

hypothesis.settings.register_profile("unhurried", deadline=None)  # on a busy machine, too
hypothesis.settings.load_profile("unhurried")


def start_main(folder, *arguments, program=MAIN, limits=None, stdout=PIPE, stderr=PIPE, **env):
    """Start main.py, or another program, in `folder` as a shell does: a subprocess.Popen.

    limits: of resources, by name. env: what the environment holds besides.
    """
    resource = pytest.importorskip("resource", reason="the program is run as Unix shells do")

    def prepare():
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)  # tests in the background ignore some
        for name, limit in (limits or {}).items():
            resource.setrlimit(getattr(resource, name), (limit, limit))

    command = [sys.executable, program, *map(str, arguments)]
    options = {"cwd": folder, "env": os.environ | env, "start_new_session": True}
    options |= {"stdout": stdout, "stderr": stderr, "text": True, "preexec_fn": prepare}
    return subprocess.Popen(command, **options)


def run_main(folder, *arguments, after=None, send=signal.SIGINT, **options):
    """Run main.py, the pictures going to folder/plots: a subprocess.CompletedProcess.

    after, send: send this signal after a line that begins so, to the whole process group, as a
    terminal does. options: see start_main.
    """
    arguments += "--plots-dir", "plots"
    with tempfile.TemporaryFile("w+") as stderr:
        process, output = start_main(folder, *arguments, stderr=stderr, **options), ""
        with process.stdout or contextlib.nullcontext(()) as lines:
            for line in lines:
                output += line
                if after is not None and line.startswith(after):
                    os.killpg(process.pid, send)
                    after = None
        process.wait()
        stderr.seek(0)
        return subprocess.CompletedProcess((), process.returncode, output, stderr.read())


def bits(model):
    """The bytes of a Model's parameters and history."""
    arrays = [model.network.parameters, *(model.history[name] for name in HISTORY)]
    return [array.tobytes() for array in arrays]


def allowed_values(setting):
    """Hypothesis strategy: the values that a setting may have."""
    if setting.kind is bool:
        return st.booleans()
    numbers = st.floats if setting.kind is float else st.integers
    values = numbers(setting.lowest, setting.highest)
    if setting.kind is tuple:
        return st.lists(values, min_size=1, max_size=MOST_HIDDEN_LAYERS).map(tuple)
    return values


def plain(**changes):
    """Settings for plain mini-batch gradient descent, apart from the changes."""
    settings = {
        "alpha": 0.01, "number_of_epochs": 1, "batch_size": 32, "hidden_layers": (128,), "l2": 0.0,
        "decay": False, "deskew": False, "augment": False, "beyond_mnist": False,
        "validation_size": 0, "seed": 0,
    }  # fmt: skip
    return SimpleNamespace(**settings | changes)


def make_network(hidden_layers=(128,), dtype=np.float32, seed=2):
    """A network with random weights and biases."""
    network = MultilayerPerceptron(hidden_layers, dtype)
    network.initialise(np.random.default_rng(seed))
    for b in network.biases:  # not 0, so that a mistake in the biases shows
        b[...] = 0.1 * np.random.default_rng(seed).standard_normal(b.shape)
    return network


def page(images, scale=4, **options):
    """A picture (height, width) of images (n, 28, 28), enlarged, in a row: see paper.page."""
    return paper.page(enlarged(np.hstack(images) / 255, scale), **options)


def save(file, picture, **options):
    """Save a picture from 0 to 1 in a path or a file object; return that."""
    as_image(picture).save(file, **options)
    return file


def page_of(picture, read):
    """What is read in a file or in a grey picture (height, width): a Page."""
    if isinstance(picture, np.ndarray):
        picture = save(io.BytesIO(), picture, format="PNG")
    return recognise_page(picture, read, THRESHOLDS)


def answer(picture, read):
    return page_of(picture, read).text


def predict(capsys, folder, *paths):
    """Exit status, output and errors of --predict; its picture goes to folder/plots."""
    status = main(["--predict", *map(str, paths), "--plots-dir", str(folder / "plots")])
    return status, *capsys.readouterr()


@pytest.fixture(scope="session")
def mnist():
    """MNIST itself: training images, training labels, test images, test labels."""
    return load_mnist()


@pytest.fixture(scope="session")
def read():
    """The shipped network, as a function from images (n, 28, 28) to probabilities (n, 10)."""
    return load_model(PROJECT / "handwriting" / "model.npz").predict_proba


@pytest.fixture(scope="session")
def clear(mnist):
    """One clear image of each digit, 0 to 9: (10, 28, 28)."""
    return mnist[0][[1, 102, 5, 98, 150, 35, 66, 38, 31, 110]]


@pytest.fixture
def ctrl_c():
    """Ctrl-C raises KeyboardInterrupt; in the background, pytest may be started without it."""
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, handler)


@pytest.fixture
def few(mnist):
    """The first 500 training images and their labels."""
    return mnist[0][:500], mnist[1][:500]


@pytest.fixture
def few_of_each(monkeypatch):
    """Only 20 images of each kind that training beyond MNIST adds."""
    kinds = {make: (20, share) for make, (_, share) in beyond_mnist.KINDS.items()}
    monkeypatch.setattr(beyond_mnist, "KINDS", kinds)
