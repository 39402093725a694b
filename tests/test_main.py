"""The program as a user runs it: in a process of its own, on the real MNIST."""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from command_line import PROJECT
from model import MultilayerPerceptron
from save_load import load_model, save_model
from train import HISTORY

PICTURES = {
    "loss.png",
    "accuracy.png",
    "confusion_matrix.png",
    "predictions.png",
    "mistakes.png",
    "weights.png",
}


def run(folder, *arguments, program=PROJECT / "main.py", **environment):
    """Run main.py in `folder`, the pictures going to folder/plots."""
    command = [sys.executable, program, "--plots-dir", "plots", *map(str, arguments)]
    environment = os.environ | environment
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment)


def assert_pictures(folder):
    assert {path.name for path in folder.iterdir()} == PICTURES
    for name in PICTURES:
        with Image.open(folder / name) as picture:
            width, height = picture.size
            assert 600 <= width <= 1600 and 400 <= height <= 1200
            # not a blank page: ink of several shades
            assert len(picture.convert("L").getcolors()) > 20


def accuracy(output):
    """The accuracy a run reports, from 0 to 1, checked against the errors it reports."""
    line = re.search(r"^Test accuracy: (\d+\.\d\d)% \(([\d,]+) errors in 10,000\)$", output, re.M)
    assert float(line[1]) == pytest.approx(100 - int(line[2].replace(",", "")) / 100)
    return float(line[1]) / 100


@pytest.fixture(scope="module")
def trained(mnist, tmp_path_factory):
    """A folder in which a network was trained for one epoch, and what the program said."""
    folder = tmp_path_factory.mktemp("trained")
    arguments = ["--train-model", "--number-of-epochs", 1, "--model", "models/m.npz"]
    return folder, run(folder, *arguments)


@pytest.fixture
def copy_of_program(tmp_path):
    """The program in a folder of its own, to be tampered with, sharing the dataset's cache."""
    for path in PROJECT.glob("*.py"):
        shutil.copy(path, tmp_path)
    (tmp_path / "data").symlink_to(PROJECT / "data")
    return tmp_path


def test_the_shipped_model(mnist, tmp_path):
    process = run(tmp_path)
    assert process.returncode == 0, process.stderr
    assert process.stderr == ""
    assert accuracy(process.stdout) >= 0.976
    assert_pictures(tmp_path / "plots")
    assert [path.name for path in tmp_path.iterdir()] == ["plots"]


def test_training_saves_a_model_and_pictures(trained):
    folder, process = trained
    assert process.returncode == 0, process.stderr
    assert process.stderr == ""
    assert accuracy(process.stdout) > 0.88
    assert {path.name for path in folder.iterdir()} == {"plots", "models"}
    assert [path.name for path in (folder / "models").iterdir()] == ["m.npz"]
    assert_pictures(folder / "plots")


def test_a_loaded_model_reads_as_it_did_when_it_was_trained(trained, tmp_path):
    folder, process = trained
    loaded = run(tmp_path, "--model", folder / "models" / "m.npz")
    assert accuracy(loaded.stdout) == accuracy(process.stdout)
    assert_pictures(tmp_path / "plots")


def test_a_warm_start_imports_no_tensorflow(mnist, tmp_path):
    command = [sys.executable, "-X", "importtime", PROJECT / "main.py", "--plots-dir", tmp_path]
    process = subprocess.run(command, capture_output=True, text=True)
    assert process.returncode == 0
    assert re.search(r"\bnumpy$", process.stderr, re.M)
    assert not re.search(r"\b(tensorflow|keras)\b", process.stderr)


def assert_one_line_error(process, text):
    assert process.returncode == 1
    assert process.stderr.startswith("error: ") and process.stderr.count("\n") == 1
    assert text in process.stderr


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda path: None, "no such file; train a network with --train-model"),
        (lambda path: path.mkdir(), "Is a directory"),
        (lambda path: path.write_bytes(b"PK\3\4"), "not a whole .npz file"),
    ],
)
def test_a_model_that_cannot_be_loaded(mnist, tmp_path, make, text):
    make(tmp_path / "m.npz")
    before = sorted(tmp_path.rglob("*"))
    assert_one_line_error(run(tmp_path, "--model", "m.npz"), text)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    "arguments", [["--alpha", "0", "--train-model"], ["--batch-size", "5"], ["--speed", "1"]]
)
def test_wrong_usage_writes_nothing(tmp_path, arguments):
    process = run(tmp_path, *arguments)
    assert process.returncode == 2
    assert process.stderr.startswith("usage: ") and arguments[0] in process.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", [[], ["--train-model", "--model", "m.npz"]])
def test_plots_that_cannot_be_written(mnist, tmp_path, arguments):
    (tmp_path / "plots").write_text("a file where the folder should be")
    (tmp_path / "m.npz").write_bytes(b"the old model")
    assert_one_line_error(run(tmp_path, *arguments), "plots")
    assert (tmp_path / "m.npz").read_bytes() == b"the old model"


def test_a_full_disk_while_saving_leaves_the_old_model(mnist, copy_of_program):
    # a limit on the size of files fails as a full disk does: in the middle of writing
    main = copy_of_program / "main.py"
    limit = "import resource, signal\nsignal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
    limit += "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
    main.write_text(limit + main.read_text())
    (copy_of_program / "m.npz").write_bytes(b"the old model")
    arguments = ["--train-model", "--number-of-epochs", 1, "--model", "m.npz"]
    process = run(copy_of_program, *arguments, program=main)
    assert_one_line_error(process, "m.npz: can't be written: File too large")
    assert (copy_of_program / "m.npz").read_bytes() == b"the old model"
    assert not list(copy_of_program.glob(".*"))


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("batch_size = 0", "config.py: batch_size = 0: it must be a whole number from 1 to 60000"),
        ("alpha = 'fast'", "config.py: alpha = 'fast': it must be a number from 1e-08"),
        ("alpha = 1 +", "config.py: "),
    ],
)
def test_a_wrong_value_in_config(copy_of_program, line, text):
    with open(copy_of_program / "config.py", "a") as file:
        file.write(line + "\n")
    process = run(copy_of_program, program=copy_of_program / "main.py")
    assert_one_line_error(process, text)


ENVIRONMENTS = {
    "warnings are errors": {"PYTHONWARNINGS": "error"},
    "ASCII alone": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"},
    "no such toolkit": {"MPLBACKEND": "nonsense"},
    "no such module": {"MPLBACKEND": "module://nonsense"},
    "no windows": {"MPLBACKEND": "pdf"},
    "no home": {"HOME": "/dev/null/home", "MPLCONFIGDIR": "/dev/null/home"},
}


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_any_environment(mnist, tmp_path, environment):
    """From a folder with blanks and letters that are not ASCII, and a picture of such a name."""
    program, folder = tmp_path / "das Prögramm 数", tmp_path / "ein Ördner 字"
    folder.mkdir()
    shutil.copytree(PROJECT, program, ignore=shutil.ignore_patterns(".*", "data", "plots", "tests"))
    (program / "data").symlink_to(PROJECT / "data")
    shutil.copy(PROJECT / "docs" / "handwriting.jpg", folder / "Bild 数 $x_$.jpg")
    picture = ["--predict", "Bild 数 $x_$.jpg"]
    for arguments, text in (([], "Test accuracy: 99."), (picture, "jpg: 90210  (1.00")):
        options = {"program": program / "main.py", **ENVIRONMENTS[environment]}
        process = run(folder, *arguments, **options)
        assert process.returncode == 0, process.stderr
        if environment != "no home":  # matplotlib says that it made a folder for itself
            assert process.stderr == ""
        assert text in process.stdout and "Saved " in process.stdout
    assert {path.name for path in (folder / "plots").iterdir()} == PICTURES | {"recognised.png"}


@pytest.mark.parametrize(("arguments", "status"), [([], [141]), (["--help"], [0, 141])])
def test_a_reader_that_has_seen_enough(mnist, tmp_path, arguments, status):
    command = [sys.executable, PROJECT / "main.py", "--plots-dir", "plots", *arguments]
    process = subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    process.stdout.close()
    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.wait() in status  # newer argparse does not tell that the help is not read


QUICK = "--train-model --number-of-epochs 1 --batch-size 1000 --no-augment --model m.npz"


@pytest.mark.parametrize(
    ("closed", "options"),
    [(">&-", ""), (">&- 2>&- <&-", QUICK), ("2>&-", QUICK + " --seeds 2")],
)
def test_closed_output(mnist, tmp_path, closed, options):
    command = [sys.executable, PROJECT / "main.py", "--plots-dir", "plots", *options.split()]
    process = subprocess.run(
        f"{shlex.join(map(str, command))} {closed}",
        shell=True,
        cwd=tmp_path,
        capture_output=True,
        env=os.environ | {"PYTHONWARNINGS": "error"},
    )
    assert process.returncode == 0 and process.stderr == b""
    assert_pictures(tmp_path / "plots")
    if options:
        load_model(tmp_path / "m.npz")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_an_output_on_a_full_disk(mnist, tmp_path):
    with open("/dev/full", "w") as full:
        process = subprocess.run(
            [sys.executable, PROJECT / "main.py", "--plots-dir", "plots"],
            cwd=tmp_path,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert_one_line_error(process, "No space left on device")


def hear_ctrl_c():
    """Have a program hear Ctrl-C, even where the tests run in the background and do not."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def interrupt(folder, line, *arguments):
    """Run main.py, send it Ctrl-C after a line that begins so; return exit status and stderr."""
    command = [sys.executable, PROJECT / "main.py", "--plots-dir", "plots", *map(str, arguments)]
    process = subprocess.Popen(
        command,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=hear_ctrl_c,
    )
    while not process.stdout.readline().startswith(line):
        assert process.poll() is None
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=10)
    return process.returncode, err


def test_an_interrupted_training_goes_on_as_if_it_had_not_been(mnist, tmp_path):
    small = ["--hidden-layers", 8, "--number-of-epochs", 4, "--l2", 1e-4, "--model"]
    (tmp_path / "m.npz").write_bytes(b"the old model")
    expected = 130, "interrupted: what was learnt is kept: go on with --resume m.partial.npz\n"
    assert interrupt(tmp_path, "epoch 1/4", "--train-model", *small, "m.npz") == expected
    assert (tmp_path / "m.npz").read_bytes() == b"the old model"

    loaded = run(tmp_path, "--model", "m.partial.npz")
    assert loaded.returncode == 0 and accuracy(loaded.stdout) > 0.5
    first_line = loaded.stdout.splitlines()[0]
    assert first_line == "m.partial.npz is of an interrupted training: 1 of 4 epochs"
    assert interrupt(tmp_path, "epoch 2/4", "--resume", "m.partial.npz") == expected
    resumed = run(tmp_path, "--resume", "m.partial.npz")
    assert resumed.returncode == 0, resumed.stderr
    uninterrupted = run(tmp_path, "--train-model", *small, "uninterrupted.npz")
    assert uninterrupted.returncode == 0, uninterrupted.stderr
    assert (tmp_path / "m.npz").read_bytes() == (tmp_path / "uninterrupted.npz").read_bytes()
    assert {*tmp_path.iterdir()} == {
        tmp_path / name for name in ("plots", "m.npz", "m.partial.npz", "uninterrupted.npz")
    }
    assert_one_line_error(run(tmp_path, "--resume", "m.npz"), "m.npz: its training is complete")


@pytest.mark.parametrize("line", ["epoch 1/100", "seed 0"])
def test_ctrl_c_leaves_the_old_model(mnist, tmp_path, line):
    (tmp_path / "m.npz").write_bytes(b"the old model")
    study = ["--seeds", 3, "--number-of-epochs", 1] if line == "seed 0" else []
    status, err = interrupt(tmp_path, line, "--train-model", "--model", "m.npz", *study)
    assert status == 130
    assert err.count("\n") == 1 and err.startswith("interrupted: ")
    assert (tmp_path / "m.npz").read_bytes() == b"the old model"
    assert not list(tmp_path.glob(".*"))


def test_what_is_not_the_rest_of_a_training_is_not_resumed(mnist, tmp_path, few, settings):
    settings.number_of_epochs, settings.hidden_layers, settings.batch_size = 2, (3,), 0
    network, history = MultilayerPerceptron((3,)), {name: np.zeros(1) for name in HISTORY}
    save_model(tmp_path / "m.partial.npz", network, history, settings)
    process = run(tmp_path, "--resume", "m.partial.npz")
    assert_one_line_error(process, "m.partial.npz: batch_size = 0: it must be a whole number")
    assert not (tmp_path / "m.npz").exists()
