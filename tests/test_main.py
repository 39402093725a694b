"""The program as a user runs it: in a process of its own, on the real MNIST."""

import os
import re
import resource
import shutil
import signal

import pytest
from conftest import assert_one_line_error, run_main
from PIL import Image

from files import PROJECT
from save_load import load_model

NAMES = ("loss", "accuracy", "confusion_matrix", "predictions", "mistakes", "weights")
PICTURES = {f"{name}.png" for name in NAMES}
QUICK = ["--train-model", "--number-of-epochs", 1, "--batch-size", 1000, "--no-augment"]
QUICK += ["--hidden-layers", 8, "--model", "m.npz"]


def names(folder):
    return {path.name for path in folder.iterdir()}


def assert_pictures(folder):
    assert names(folder) == PICTURES
    for path in folder.iterdir():
        with Image.open(path) as picture:
            width, height = picture.size
            assert 600 <= width <= 1600 and 400 <= height <= 1200
            assert len(picture.convert("L").getcolors()) > 20  # ink of several shades


def accuracy(process):
    """The accuracy that a run reports, in percent, checked against the errors it reports."""
    assert process.returncode == 0, process.stderr
    pattern = r"^Test accuracy: (\d+\.\d\d)% \(([\d,]+) errors in 10,000\)$"
    line = re.search(pattern, process.stdout, re.MULTILINE)
    assert float(line[1]) == pytest.approx(100 - int(line[2].replace(",", "")) / 100)
    return float(line[1])


@pytest.fixture
def copy_of_program(mnist, tmp_path):
    """The program in a folder of its own, sharing the dataset's cache."""
    program = tmp_path / "das Prögramm 数"
    shutil.copytree(PROJECT, program, ignore=shutil.ignore_patterns(".*", "data", "plots", "tests"))
    (program / "data").symlink_to(PROJECT / "data")
    return program


def test_the_shipped_model_reads_99_percent_and_draws_six_pictures(mnist, tmp_path):
    process = run_main(tmp_path)
    assert accuracy(process) >= 99.3
    assert process.stderr == "" and "windows" not in process.stdout
    assert_pictures(tmp_path / "plots")
    assert names(tmp_path) == {"plots"}


def test_a_trained_network_is_saved_and_the_previous_one_kept(mnist, tmp_path):
    arguments = ["--number-of-epochs", 1, "--model", "models/m.npz"]
    trained = run_main(tmp_path, "--train-model", *arguments)
    assert accuracy(trained) > 88 and trained.stderr == ""
    assert names(tmp_path) == {"plots", "models"} and names(tmp_path / "models") == {"m.npz"}
    assert_pictures(tmp_path / "plots")
    assert accuracy(run_main(tmp_path, *arguments[2:])) == accuracy(trained)
    first = (tmp_path / "models" / "m.npz").read_bytes()
    again = run_main(tmp_path, "--train-model", *arguments, "--seed", 1, "--no-augment")
    assert "m.previous.npz" in again.stdout and "m.previous.npz" not in trained.stdout
    assert (tmp_path / "models" / "m.previous.npz").read_bytes() == first
    assert (tmp_path / "models" / "m.npz").read_bytes() != first


DEEP = ["--hidden-layers", ",".join(["4096"] * 16)]
FILE_SIZE, MEMORY = resource.RLIMIT_FSIZE, resource.RLIMIT_AS  # the first fails as a full disk does


@pytest.mark.parametrize(
    ("arguments", "limits", "error"),
    [
        (["--plots-dir", "m.npz"], [], "m.npz/loss.png: can't be written: "),
        ([*QUICK, "--model", "/proc/m.npz"], [], "/proc/m.npz: can't be written: "),
        (QUICK, [(FILE_SIZE, 10_000)], "m.npz: can't be written: File too large"),
        (QUICK, [(MEMORY, 300 * 2**20)], "memory"),
        ([*QUICK, *DEEP], [(MEMORY, 1000 * 2**20)], "memory"),
    ],
)
def test_a_failure_ends_in_one_line_and_keeps_the_old_model(
    mnist, tmp_path, arguments, limits, error
):
    (tmp_path / "m.npz").write_bytes(b"the old model")
    process = run_main(tmp_path, *arguments, limits=limits, OPENBLAS_NUM_THREADS="1")
    assert_one_line_error(process, error)
    assert limits or process.stdout == ""  # where writing is impossible, before the work
    assert (tmp_path / "m.npz").read_bytes() == b"the old model"
    assert names(tmp_path) <= {"plots", "m.npz", "m.previous.npz"}


def test_a_mistyped_train_model_ends_in_one_line(copy_of_program, tmp_path):
    path = copy_of_program / "main.py"
    path.write_text(path.read_text().replace("train_model = False", "train_model = f"))
    assert_one_line_error(run_main(tmp_path, program=copy_of_program), ": train_model = f")


ENVIRONMENTS = {
    "warnings are errors": {"PYTHONWARNINGS": "error"},
    "ASCII alone": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"},
    "no such toolkit": {"MPLBACKEND": "nonsense"},
    "no windows": {"MPLBACKEND": "pdf"},
    "no home": {"HOME": "/dev/null/home", "MPLCONFIGDIR": "/dev/null/home"},
    "no network": dict.fromkeys(("http_proxy", "https_proxy"), "http://localhost:9"),
    "no path to the program's folder": {"PYTHONSAFEPATH": "1"},  # as python -P
}


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_any_environment(copy_of_program, tmp_path, environment):
    """From a folder with blanks and letters that are not ASCII, and a picture of such a name."""
    folder, picture = tmp_path / "ein Ördner 字", "Bild 数 $x_$.jpg"
    folder.mkdir()
    shutil.copy(PROJECT / "docs" / "handwriting.jpg", folder / picture)
    options = {"program": copy_of_program, **ENVIRONMENTS[environment]}
    for arguments, text in (([], "Test accuracy: 99."), (["--predict", picture], "jpg: 90210  (")):
        process = run_main(folder, *arguments, **options)
        assert process.returncode == 0, process.stderr
        if environment != "no home":  # matplotlib says that it made a folder for itself
            assert process.stderr == ""
        assert text in process.stdout and "Saved " in process.stdout
    assert names(folder / "plots") == PICTURES | {"recognised.png"}


TOOLKIT = """
from matplotlib.backend_bases import FigureManagerBase
from matplotlib.backends.backend_agg import FigureCanvasAgg

class FigureManager(FigureManagerBase):
    set_window_title = lambda self, title: print("window", title)
    pyplot_show = classmethod(lambda cls, **options: print("shown"))

class FigureCanvas(FigureCanvasAgg):
    manager_class = FigureManager
"""


def test_the_windows_can_be_switched_off_and_a_warm_start_is_light(mnist, tmp_path):
    (tmp_path / "toolkit.py").write_text(TOOLKIT)
    toolkit = {"MPLBACKEND": "module://toolkit", "PYTHONPATH": str(tmp_path)}
    *windows, advice, last = run_main(tmp_path, **toolkit).stdout.splitlines()[-8:]
    assert {*windows} == {f"window {name}" for name in PICTURES}
    assert advice.startswith("Close the windows") and last == "shown"
    process = run_main(tmp_path, "--no-show-plots", PYTHONPROFILEIMPORTTIME="1", **toolkit)
    assert process.returncode == 0 and "shown" not in process.stdout
    assert re.search(r"\bnumpy$", process.stderr, re.MULTILINE)
    assert not re.search(r"\b(tensorflow|keras)\b", process.stderr)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_output_to_a_closed_pipe_or_a_full_disk(mnist, tmp_path):
    reading, writing = os.pipe()
    os.close(reading)
    process = run_main(tmp_path, stdout=writing)
    os.close(writing)
    assert process.stderr == "" and process.returncode == -13
    with open("/dev/full", "w") as full:
        process = run_main(tmp_path, stdout=full)
    assert_one_line_error(process, "No space left on device")


def assert_interrupted(process, number, text):
    assert process.returncode == 128 + number
    assert process.stderr.startswith("interrupted: ") and process.stderr.count("\n") == 1
    assert text in process.stderr


def test_an_interrupted_training_resumes_as_if_nothing_had_happened(mnist, tmp_path):
    """Ctrl-C, then the end of a scheduler's time limit, then a closed terminal."""
    small = ["--train-model", "--hidden-layers", 4, "--batch-size", 200, "--number-of-epochs", 10]
    model, partial = tmp_path / "m.npz", tmp_path / "m.partial.npz"
    model.write_bytes(b"the old model")
    arguments, last_epoch = [*small, "--model", model.name], 0
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        process = run_main(tmp_path, *arguments, after="epoch ", send=number)
        assert_interrupted(process, number, "--resume m.partial.npz")
        assert names(tmp_path) == {"m.npz", "m.partial.npz", "plots"}
        assert model.read_bytes() == b"the old model"
        epochs = len(load_model(partial)[1]["training_loss"])
        assert last_epoch < epochs < 10
        arguments, last_epoch = ["--resume", partial.name], epochs

    loaded = run_main(tmp_path, "--model", partial.name)
    assert accuracy(loaded) > 50
    progress = f"An interrupted training: {last_epoch} of 10 epochs."
    assert loaded.stdout.startswith(progress)
    options = {"after": progress, "PYTHONUNBUFFERED": "1"}
    process = run_main(tmp_path, "--model", partial.name, **options)
    assert_interrupted(process, signal.SIGINT, "no file is left half written")
    shutil.copy(partial, tmp_path / "renamed.npz")
    uninterrupted = [*small, "--model", "uninterrupted.npz"]
    for arguments in (["--resume", partial.name], ["--resume", "renamed.npz"], uninterrupted):
        assert accuracy(run_main(tmp_path, *arguments)) > 60
    for name in ("m.npz", "renamed.npz"):
        assert (tmp_path / name).read_bytes() == (tmp_path / "uninterrupted.npz").read_bytes()
    assert (tmp_path / "m.previous.npz").read_bytes() == b"the old model"
    assert not partial.exists()
    process = run_main(tmp_path, "--resume", "m.npz")
    assert_one_line_error(process, "m.npz: its training is complete")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_study_keeps_what_is_finished(mnist, tmp_path, number):
    study = [*QUICK, "--seeds", 200]
    process = run_main(tmp_path, *study, after="seed 0: ", send=number, PYTHONSAFEPATH="1")
    assert_interrupted(process, number, "")
    finished = re.findall(r"^seed \d+: .*accuracy \d", process.stdout, re.MULTILINE)
    assert 1 <= len(finished) < 200
    if len(finished) > 1:
        assert f"\n{len(finished)} seeds: mean accuracy " in process.stdout
    _, history, settings, velocity = load_model(tmp_path / "m.npz")
    assert settings.seed == 0 and velocity is None
    assert f"seed 0: test accuracy {history['held_out_accuracy'][-1]:.2%}\n" in process.stdout
    assert names(tmp_path) == {"m.npz", "plots"}
