"""--predict: files, folders and patterns, what is printed, and the picture."""

import os
import re

import numpy as np
import pytest
from conftest import run_main
from matplotlib.colors import to_hex
from pages import as_image, page, predict, save

import plots
from handwriting import predict as module
from handwriting.page import Page, recognise_page


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


@pytest.mark.parametrize(
    ("name", "kind", "which"), [("p.tiff", "TIFF", " (page 1 of 2)"), ("p.jpg", "MPO", "")]
)
def test_the_first_of_several_pages(clear, capsys, tmp_path, name, kind, which):
    first, *others = (as_image(page(clear[[digit]])) for digit in (4, 2))
    first.save(tmp_path / name, kind, save_all=True, append_images=others)
    status, out, err = predict(capsys, tmp_path, tmp_path / name)
    assert (status, err) == (0, "")
    assert out.startswith(f"{tmp_path / name}{which}: 4  (")


@pytest.mark.parametrize("pattern", ["", "*[g]", "*.[jpJP]*"])  # Windows doesn't expand these
def test_a_folder_and_a_pattern(clear, capsys, tmp_path, pattern):
    folder = tmp_path / "my [scans]"
    folder.mkdir()
    for name in ("notes.txt", "._a.png"):
        (folder / name).write_text("no picture")
    for name, digit in (("b.jpg", 2), ("a.png", 6), ("c.PNG", 0)):
        save(folder / name, page(clear[[digit]]))
    path = os.path.join(module.escape(str(folder)), pattern) if pattern else folder
    status, out, err = predict(capsys, tmp_path, path)
    names = ["a.png: 6", "b.jpg: 2"] + ["c.PNG: 0"] * (pattern != "*[g]")
    assert (status, err) == (0, "") and out.count("\n") == len(names) + 1
    for line, name in zip(out.splitlines(), names):
        assert line.startswith(f"{folder / name}  (")


def test_what_cannot_be_read_is_named_and_the_rest_answered(clear, capsys, tmp_path, monkeypatch):
    good = save(tmp_path / "good.png", page(clear[[1, 2]]))
    unknown = "not a picture in a format known here"
    bad = {
        "text.png": (b"These are my digits: 1 2 3", unknown),
        "empty.jpg": (b"", unknown),
        "cut.png": (good.read_bytes()[:-700], "truncated"),
        "corrupt.png": (good.read_bytes()[:60] + b"\0" * 500, ""),
        "bomb.ppm": (b"P6 60000 60000 255\n", "more than 89 megapixels"),
        "less-a-bomb.ppm": (b"P6 10000 10000 255\n", "more than 89 megapixels"),
        "film.MOV": (b"\0\0\0\x14ftypqt  ", "a video; take a photo"),
        "scan.pdf": (b"%PDF-1.7", "a PDF; save its page as a PNG or JPEG"),
        "photo.HEIC": (b"\0\0\0\x18ftypheic", "pip install pillow-heif"),
        "missing.png": (None, "No such file or directory"),
        "folder": (None, "a folder without pictures"),
        "huge.png": (good.read_bytes(), "not enough memory"),
    }
    (tmp_path / "folder").mkdir()
    if os.name != "nt":  # Windows says it in other words
        bad |= {"x" * 300: (None, "File name too long"), "loop.png": (None, "symbolic links")}
        (tmp_path / "loop.png").symlink_to("loop.png")
    for name, (content, _) in bad.items():
        if content is not None:
            (tmp_path / name).write_bytes(content)

    def recognise(path, *arguments):
        if str(path).endswith("huge.png"):
            raise MemoryError
        return recognise_page(path, *arguments)

    monkeypatch.setattr(module, "recognise_page", recognise)
    monkeypatch.setattr("handwriting.picture.FORMATS", module.FORMATS[:7])  # no pillow-heif
    status, out, err = predict(capsys, tmp_path, *(tmp_path / name for name in bad), good)
    assert status == 1 and out.startswith(f"{good}: 12  (") and out.count("\n") == 2
    for line, (name, (_, text)) in zip(err.splitlines(), bad.items(), strict=True):
        assert line.startswith(f"error: {tmp_path / name}: ") and text in line


def test_many_pictures_are_shown_on_several(clear, capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "AT_ONCE", 2)
    path = save(tmp_path / "p.png", page(clear[[3]]))
    status, out, _ = predict(capsys, tmp_path, *[path] * 5)
    names = ["recognised.png", "recognised-2.png", "recognised-3.png"]
    assert status == 0 and re.findall(r"recognised.*png", out) == names
    assert all((tmp_path / "plots" / name).exists() for name in names)


def test_boxes_and_doubts_are_shown_however_large_the_picture(mnist):
    probabilities = np.full((100, 10), 0.01)
    probabilities[:, 7], probabilities[0, 3] = 0.91, 0.4
    boxes = np.array([[10 * i, 10 * i + 8, 5, 9] for i in range(100)])
    texts = ["7?", *["7"] * 99]
    answer = Page(
        np.ones((1000, 2000), np.float32), boxes, mnist[0][:100], probabilities, texts, "7?77",
        left_out=boxes[:3] + 100, rows=np.zeros(100, int),
    )  # fmt: skip
    small = module.reduced(answer)
    assert small.picture.shape == (300, 600) and boxes.max() == 998 and small.boxes.max() == 299.4
    figure = module.plot_recognised([("$page.png", answer), ("$page.png", small)])
    axes = figure.axes[0]
    shown = [text.get_text() for text in axes.texts]
    assert shown.count("$page.png: 7?77") == shown.count("7?  0.91\nor 3  0.40") == 2
    assert shown.count("7  0.91") == 2 * 99
    colours = [to_hex(frame.get_edgecolor()) for frame in axes.patches]
    assert colours.count(plots.ORANGE) == 4 and colours.count(plots.GREY) == 6
    most = module.plot_recognised([("p", small)] * module.AT_ONCE)
    assert most.get_size_inches().max() * 100 < 2**16  # matplotlib can save it


def test_heic_is_read_if_the_package_is_there(clear, capsys, tmp_path):
    pytest.importorskip("pillow_heif", reason="pillow-heif is not installed")
    save(tmp_path / "p.heic", page(clear[[5, 1]]))
    assert predict(capsys, tmp_path, tmp_path)[1].startswith(f"{tmp_path / 'p.heic'}: 51  (")


def test_no_training_data_is_loaded(clear, tmp_path):
    save(tmp_path / "p.png", page(clear[[5]]))
    process = run_main(tmp_path, "--predict", "p.png", PYTHONPROFILEIMPORTTIME="1")
    assert process.stdout.startswith("p.png: 5  (")
    assert "matplotlib" in process.stderr
    assert "sklearn" not in process.stderr and "tensorflow" not in process.stderr
