"""--predict: files and folders, what is printed, and the picture."""

import re

import pytest
from conftest import run_main
from pages import as_image, page, predict, save

from main import main


def test_the_line_and_the_picture(clear, capsys, tmp_path):
    one = save(tmp_path / "scan.jpg", page(clear[[9, 0, 2, 1, 0]]))
    two = save(tmp_path / "$1_a$.png", 1 - page(clear[[4]]))
    status, out, err = predict(capsys, tmp_path, one, two)
    assert (status, err) == (0, "")
    first, second, last = out.splitlines()
    probability = r"(0\.[5-9]\d|1\.00)"
    answer = rf"90210  \({probability}( {probability}){{4}}\)"
    assert re.fullmatch(re.escape(f"{one}: ") + answer, first)
    assert second.startswith(f"{two}: 4  (")
    assert last == f"Saved what the network saw in {tmp_path / 'plots' / 'recognised.png'}."


def test_the_first_of_several_pages(clear, capsys, tmp_path):
    pages = [as_image(page(clear[[digit]])) for digit in (4, 2, 7)]
    for name in ("p.tiff", "p.gif"):
        pages[0].save(tmp_path / name, save_all=True, append_images=pages[1:])
        status, out, err = predict(capsys, tmp_path, tmp_path / name)
        assert (status, err) == (0, "")
        assert out.startswith(f"{tmp_path / name} (page 1 of 3): 4  (")


def test_a_folder_of_pictures(clear, capsys, tmp_path):
    folder = tmp_path / "scans"
    folder.mkdir()
    (folder / "notes.txt").write_text("no picture")
    for name, digit in (("b.jpg", 2), ("a.png", 6), ("c.PNG", 0)):
        save(folder / name, page(clear[[digit]]))
    status, out, err = predict(capsys, tmp_path, folder)
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert len(lines) == 4
    for line, (name, digit) in zip(lines, (("a.png", 6), ("b.jpg", 2), ("c.PNG", 0))):
        assert line.startswith(f"{folder / name}: {digit}  (")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--predict"],
        ["--predict", "p.png", "--train-model"],
        ["--predict", "p.png", "--draw"],
        ["--draw", "--train-model"],
    ],
)
def test_wrong_usage(capsys, arguments):
    with pytest.raises(SystemExit, match=r"^2$"):
        main(arguments)
    assert capsys.readouterr().err.startswith("usage: ")


def test_no_training_data_is_loaded(clear, tmp_path):
    save(tmp_path / "p.png", page(clear[[5]]))
    process = run_main(tmp_path, "--predict", "p.png", PYTHONPROFILEIMPORTTIME="1")
    assert process.stdout.startswith("p.png: 5  (")
    assert "matplotlib" in process.stderr
    assert "sklearn" not in process.stderr and "tensorflow" not in process.stderr
