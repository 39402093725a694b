"""The program in a notebook's kernel."""

import os
import subprocess
import sys

import pytest

from files import PROJECT

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")

MAIN, PICTURE = PROJECT / "main.py", PROJECT / "docs" / "handwriting.jpg"
CELLS = [
    f"%run {MAIN} --plots-dir plots",
    f"%run {MAIN} --predict {PICTURE} --plots-dir plots",
    "import signal\nsignal.getsignal(signal.SIGTERM) is signal.SIG_DFL",
]


def test_run_in_a_notebook(mnist, tmp_path, monkeypatch):
    monkeypatch.delenv("MPLBACKEND", raising=False)  # the kernel sets it
    notebook = nbformat.v4.new_notebook(cells=[*map(nbformat.v4.new_code_cell, CELLS)])
    place = {"metadata": {"path": tmp_path}}
    nbclient.NotebookClient(notebook, timeout=300, resources=place).execute()
    evaluated, predicted, signals = (cell.outputs for cell in notebook.cells)
    text = "".join(output.get("text", "") for output in evaluated)
    assert "Test accuracy: 99." in text and "windows" not in text
    assert sum("image/png" in output.get("data", {}) for output in evaluated) == 6
    assert "90210" in "".join(output.get("text", "") for output in predicted)
    assert signals[0].data["text/plain"] == "True"  # left as it was


EDIT = """
import pathlib, settings
path = pathlib.Path("config.py")
first = settings.load_config(path)[0].alpha
path.write_text(path.read_text().replace("alpha = 0.01", "alpha = 0.02"))
print(first, settings.load_config(path)[0].alpha)
"""


def test_an_edited_config_is_loaded_anew_in_the_same_session(tmp_path):
    (tmp_path / "config.py").write_text((PROJECT / "config.py").read_text())
    options = {"cwd": tmp_path, "env": os.environ | {"PYTHONPATH": str(PROJECT)}, "text": True}
    assert subprocess.check_output([sys.executable, "-c", EDIT], **options) == "0.01 0.02\n"
