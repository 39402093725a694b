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


@pytest.mark.parametrize(
    ("arguments", "file"),
    [
        ([], "plots/loss.png"),
        ([*QUICK, "--plots-dir", "other", "--model", "/proc/m.npz"], "/proc/m.npz"),
    ],
)
def test_what_cannot_be_written_is_named_before_the_work(mnist, tmp_path, arguments, file):
    (tmp_path / "plots").write_text("a file where the folder should be")
    (tmp_path / "m.npz").write_bytes(b"the old model")
    process = run_main(tmp_path, *arguments)
    assert_one_line_error(process, f"{file}: can't be written: ")
    assert process.stdout == "" and (tmp_path / "m.npz").read_bytes() == b"the old model"
    assert names(tmp_path) <= {"plots", "other", "m.npz"}


def test_a_full_disk_while_saving_keeps_the_old_model(mnist, tmp_path):
    (tmp_path / "m.npz").write_bytes(b"the old model")
    limits = [(resource.RLIMIT_FSIZE, 10_000)]  # fails in the middle of writing, as a full disk
    process = run_main(tmp_path, *QUICK, limits=limits)
    assert_one_line_error(process, "m.npz: can't be written: File too large")
    assert (tmp_path / "m.npz").read_bytes() == b"the old model"
    assert names(tmp_path) <= {"plots", "m.npz", "m.previous.npz"}


@pytest.mark.parametrize(
    ("megabytes", "hidden_layers"), [(300, "8"), (1000, ",".join(["4096"] * 16))]
)
def test_too_little_memory_ends_in_one_line(mnist, tmp_path, megabytes, hidden_layers):
    limits = [(resource.RLIMIT_AS, megabytes * 2**20)]
    arguments = [*QUICK, "--hidden-layers", hidden_layers]
    process = run_main(tmp_path, *arguments, limits=limits, OPENBLAS_NUM_THREADS="1")
    assert_one_line_error(process, "memory")
    assert not (tmp_path / "m.npz").exists()


def test_an_edited_program(copy_of_program, tmp_path):
    edits = {"config.py": ("(128,)", "128"), "main.py": ("train_model = False", "train_model = f")}
    errors = ["config.py: hidden_layers = 128: it must be ", ": train_model = f"]
    for (name, (old, new)), error in zip(edits.items(), errors):
        path = copy_of_program / name
        text = path.read_text()
        path.write_text(text.replace(old, new))
        assert_one_line_error(run_main(tmp_path, program=copy_of_program), error)
        path.write_text(text)


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
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backend_bases import FigureManagerBase

class FigureManager(FigureManagerBase):
    def set_window_title(self, title):
        print("window", title)

    @classmethod
    def pyplot_show(cls, *, block=None):
        print("shown")

class FigureCanvas(FigureCanvasAgg):
    manager_class = FigureManager
"""


@pytest.fixture
def toolkit(tmp_path):
    """The environment variables for windows of a toolkit that prints what it shows."""
    (tmp_path / "toolkit.py").write_text(TOOLKIT)
    return {"MPLBACKEND": "module://toolkit", "PYTHONPATH": str(tmp_path)}


def test_the_windows_have_titles_and_a_line_says_how_to_end(mnist, tmp_path, toolkit):
    lines = run_main(tmp_path, **toolkit).stdout.splitlines()
    assert {*lines[-8:-2]} == {f"window {name}" for name in PICTURES}
    assert lines[-2].startswith("Close the windows") and lines[-1] == "shown"


def test_a_warm_start_imports_no_tensorflow_and_windows_can_be_switched_off(
    mnist, tmp_path, toolkit
):
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
    _, _, settings, velocity = load_model(tmp_path / "m.npz")
    assert settings.seed == 0 and velocity is None
    assert names(tmp_path) == {"m.npz", "plots"}
