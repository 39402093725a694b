"""The program in a notebook's kernel."""

import pytest

from files import PROJECT

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")

MAIN, PICTURE = PROJECT / "main.py", PROJECT / "docs" / "handwriting.jpg"
ASK = "import re, urllib.request\nurllib.request.urlopen(re.search(r'http://\\S+/', {})[0]).status"
CELLS = [
    f"%run {MAIN} --plots-dir plots",
    f"%run {MAIN} --predict {PICTURE} --plots-dir plots",
    f"%%capture one\n%run {MAIN} --draw",
    f"%%capture two\n%run {MAIN} --draw",
    ASK.format("one.stdout"),
    ASK.format("two.stdout"),
    "import signal\nsignal.getsignal(signal.SIGTERM) is signal.SIG_DFL",
]


def test_run_in_a_notebook(mnist, tmp_path, monkeypatch):
    monkeypatch.delenv("MPLBACKEND", raising=False)  # the kernel sets it
    notebook = nbformat.v4.new_notebook(cells=[*map(nbformat.v4.new_code_cell, CELLS)])
    place = {"metadata": {"path": tmp_path}}
    nbclient.NotebookClient(notebook, timeout=300, resources=place).execute()
    evaluated, predicted, _, _, *last = (cell.outputs for cell in notebook.cells)
    text = "".join(output.get("text", "") for output in evaluated)
    assert "Test accuracy: 99." in text and "windows" not in text
    assert sum("image/png" in output.get("data", {}) for output in evaluated) == 6
    assert "90210" in "".join(output.get("text", "") for output in predicted)
    # the pages of both runs answer; signals are left as they were
    assert [outputs[0].data["text/plain"] for outputs in last] == ["200", "200", "True"]
