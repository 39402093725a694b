"""The program as a user runs it: in a process of its own or a notebook, on the real MNIST."""

import os
import re
import shutil
import signal

import pytest
from conftest import QUICK, run_main

from files import PROJECT
from save_load import load_model

NAMES = ("loss", "accuracy", "confusion_matrix", "predictions", "mistakes", "weights")
PICTURES = {f"{name}.png" for name in NAMES}
LONG = [*QUICK, "--batch-size", 200, "--number-of-epochs", 20]
DEEP = [*QUICK, "--hidden-layers", ",".join(["4096"] * 16)]
FAILURES = [
    ([*QUICK, "--model", "/proc/m.npz"], {}, "/proc/m.npz: can't be written: "),
    (["--model", "a\n\33[31m.npz"], {}, r"error: a\n\x1b[31m.npz: no such file"),
    (QUICK, {"RLIMIT_FSIZE": 10_000}, "m.npz: can't be written: File too large"),  # a full disk
    (DEEP, {"RLIMIT_AS": 1000 * 2**20}, "memory"),
]
HARSH = {"PYTHONWARNINGS": "error", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}
HARSH["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"  # if started from a notebook
TOOLKIT = """
import os
from matplotlib.backends.backend_agg import FigureCanvas
from matplotlib.pyplot import get_fignums

os.write(1, b"toolkit\\n")  # is loaded; unbuffered
show = lambda: print("windows:", len(get_fignums()))
"""
ASK = """import re, urllib.request
for run in (one, two):
    address = re.search(r"http://\\S+/", run.stdout)[0]
    print(urllib.request.urlopen(address).status)"""
CELLS = [
    f"%run {PROJECT}/main.py --plots-dir plots",
    f"%run {PROJECT}/main.py --predict {PROJECT}/docs/handwriting.jpg --plots-dir plots",
    f"%%capture one\n%run {PROJECT}/main.py --draw",
    f"%%capture two\n%run {PROJECT}/main.py --draw",
    ASK,
    "import signal\nprint(signal.getsignal(signal.SIGTERM) is signal.SIG_DFL)",
]


def accuracy(process):
    """The accuracy that a run reports, in percent."""
    assert process.returncode == 0, process.stderr
    return float(re.search(r"^Test accuracy: (.+)% \(", process.stdout, re.MULTILINE)[1])


@pytest.mark.parametrize(("arguments", "limits", "error"), FAILURES)
def test_a_failure_keeps_the_old_model(mnist, tmp_path, arguments, limits, error):
    (tmp_path / "m.npz").write_bytes(b"the old model")
    process = run_main(tmp_path, *arguments, limits=limits, OPENBLAS_NUM_THREADS="1")
    assert process.returncode == 1 and error in process.stderr
    assert process.stderr.startswith("error: ") and process.stderr.count("\n") == 1
    if not limits:
        assert process.stdout == ""  # where a model can't be written, before the work
    assert (tmp_path / "m.npz").read_bytes() == b"the old model"
    assert {*os.listdir(tmp_path)} <= {"plots", "m.npz"}


def test_any_environment(mnist, tmp_path):
    """Odd names of folders and pictures, a link to main.py, and a config.py beside the link."""
    program, folder, picture = tmp_path / "das Prögramm 数", tmp_path / "字", "Bild 数 $x_$.jpg"
    shutil.copytree(PROJECT, program, ignore=shutil.ignore_patterns(".*", "data", "plots", "tests"))
    (program / "data").symlink_to(PROJECT / "data")
    (tmp_path / "main.py").symlink_to(program / "main.py")
    (tmp_path / "config.py").write_text("broken! That beside the real main.py counts.")
    folder.mkdir()
    shutil.copy(PROJECT / "docs" / "handwriting.jpg", folder / picture)
    (folder / "matplotlibrc").write_text("text.usetex: True\nimage.origin: lower\n")
    read = ["--predict", picture], "jpg: 90210  ("
    for locale, (arguments, text) in (("C", ([], "accuracy: 99.")), ("C", read), ("C.UTF-8", read)):
        process = run_main(folder, *arguments, program=tmp_path / "main.py", LC_ALL=locale, **HARSH)
        assert (process.returncode, process.stderr) == (0, "")
        assert text in process.stdout
        assert "windows" not in process.stdout and "Figure" not in process.stdout
    assert {*os.listdir(folder / "plots")} == PICTURES | {"recognised.png", "recognised.csv"}


def test_six_pictures_of_the_shipped_model_and_windows_last(mnist, tmp_path):
    """A toolkit ends the program if its Python package is installed without its libraries (Qt)."""
    (tmp_path / "toolkit.py").write_text(TOOLKIT)
    toolkit = {"MPLBACKEND": "module://toolkit", "PYTHONPATH": str(tmp_path)}
    process = run_main(tmp_path, PYTHONPROFILEIMPORTTIME="1", **toolkit)
    assert accuracy(process) >= 99.3 and {*os.listdir(tmp_path / "plots")} == PICTURES
    assert "numpy" in process.stderr
    assert not re.search(r"\b(tensorflow|keras)\b", process.stderr)
    before, saved, shown = process.stdout.partition("Saved 6 pictures in plots.\n")
    assert shown == "toolkit\nwindows: 6\n"
    assert run_main(tmp_path, "--no-show-plots", **toolkit).stdout == before + saved


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_output_to_a_closed_pipe_or_a_full_disk(mnist, tmp_path):
    reading, writing = os.pipe()
    os.close(reading)
    with open("/dev/full", "w") as full:
        for stdout, end in ((writing, ""), (full, "error: [Errno 28] No space left on device\n")):
            process = run_main(tmp_path, *LONG, stdout=stdout)  # nothing that was learnt is lost
            saved = "Saved 1 of 20 epochs; continue with --resume m.partial.npz\n"
            assert (process.stderr, process.returncode) == (saved + end, 1 if end else 141)
            assert load_model(tmp_path / "m.partial.npz").epochs == 1
    os.close(writing)


def test_an_interrupted_training_resumes_as_if_nothing_had_happened(mnist, tmp_path):
    """Ctrl-C, then a closed terminal."""
    model, partial = tmp_path / "m.npz", tmp_path / "m.partial.npz"
    model.write_bytes(b"the old model")
    partial.write_bytes(b"an old training")
    arguments, last_epoch = LONG, 0
    for number in (signal.SIGINT, signal.SIGHUP):
        process = run_main(tmp_path, *arguments, after="epoch ", send=number)
        epochs = load_model(partial).epochs
        saved = f"Saved {epochs} of 20 epochs; continue with --resume m.partial.npz\n"
        assert process.stderr == f"{saved}interrupted\n"
        assert process.returncode == 128 + number and last_epoch < epochs < 20
        arguments, last_epoch = ["--resume", partial.name], epochs

    assert (tmp_path / "m.partial.previous.npz").read_bytes() == b"an old training"
    assert model.read_bytes() == b"the old model"
    loaded = run_main(tmp_path, "--model", partial.name)
    assert loaded.stdout.startswith(f"An interrupted training: {last_epoch} of 20 epochs.\n")
    uninterrupted = [*LONG, "--model", "uninterrupted.npz"]
    accuracies = [accuracy(run_main(tmp_path, *end)) for end in (arguments, uninterrupted)]
    assert accuracies[0] == accuracies[1] > accuracy(loaded) > 50
    assert model.read_bytes() == (tmp_path / "uninterrupted.npz").read_bytes()
    assert (tmp_path / "m.previous.npz").read_bytes() == b"the old model"
    assert not partial.exists()


def test_an_interrupted_study_keeps_what_is_finished(mnist, tmp_path):
    end = {"after": "seed 0: ", "send": signal.SIGTERM, "TMPDIR": "/dev/null"}  # as schedulers do
    process = run_main(tmp_path, *QUICK, "--seeds", 200, **end)
    assert (process.returncode, process.stderr) == (128 + signal.SIGTERM, "interrupted\n")
    finished = re.findall(r"^seed \d+: ", process.stdout, re.MULTILINE)
    assert 1 <= len(finished) < 200
    if len(finished) > 1:
        assert f"\n{len(finished)} seeds: mean accuracy " in process.stdout
    model = load_model(tmp_path / "m.npz")
    assert model.settings.seed == 0 and model.is_complete
    assert f"seed 0: test accuracy {model.history['held_out_accuracy'][-1]:.2%}\n" in process.stdout
    assert {*os.listdir(tmp_path)} == {"m.npz"}


def test_run_in_a_notebook(mnist, tmp_path, monkeypatch):
    nbformat, nbclient, _ = map(pytest.importorskip, ("nbformat", "nbclient", "ipykernel"))
    monkeypatch.delenv("MPLBACKEND", raising=False)  # the kernel sets it
    notebook = nbformat.v4.new_notebook(cells=[*map(nbformat.v4.new_code_cell, CELLS)])
    nbclient.execute(notebook, cwd=tmp_path, timeout=300)
    outputs = [cell.outputs for cell in notebook.cells]
    evaluated, predicted, _, _, *last = ("".join(o.get("text", "") for o in c) for c in outputs)
    assert "Test accuracy: 99." in evaluated and "windows" not in evaluated
    assert sum("image/png" in output.get("data", {}) for output in outputs[0]) == 6
    assert "90210" in predicted
    # the pages of both runs answer; signals are left as they were
    assert last == ["200\n200\n", "True\n"]


def test_the_library_example_of_the_readme(mnist, monkeypatch, capsys):
    monkeypatch.chdir(PROJECT)
    example = (PROJECT / "README.md").read_text(encoding="utf-8").split("```python\n")[1]
    exec(example.split("```")[0], {})
    assert re.match(r"\[7 2 1 .* 4 5 6\]\n90210 \[\[", capsys.readouterr().out)
