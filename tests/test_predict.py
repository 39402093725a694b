"""--predict: files, folders and patterns, what is printed, and the picture."""

import csv
import os
import re
import signal
import time
from unittest.mock import Mock

import numpy as np
import pytest
from conftest import THRESHOLDS, as_image, page, page_of, predict, save
from matplotlib.colors import to_hex
from PIL import Image

import plots
from files import PROJECT
from handwriting import predict as module
from handwriting.page import Page
from handwriting.picture import resize

READ = module.read


def test_one_line_per_file_also_without_mnist(clear, capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("main.load_mnist", None)
    one = save(tmp_path / "scan.jpg", page(clear[[9, 0, 2, 1, 0]]))
    two = save(tmp_path / "$1_a$.png", 1 - page(clear[[4]]))
    pages, mpo = tmp_path / "p.tiff", tmp_path / "p.jpg"
    first, *others = (as_image(page(clear[[digit]])) for digit in (4, 2))
    for path, kind in (pages, "TIFF"), (mpo, "MPO"):
        first.save(path, kind, save_all=True, append_images=others)
    status, out, err = predict(capsys, tmp_path, one, two, pages, mpo)
    assert (status, err) == (0, "")
    line, *lines, last = out.splitlines()
    probability = r"(0\.[5-9]\d|1\.00)"
    answer = rf"90210  \({probability}( {probability}){{4}}\)"
    assert re.fullmatch(re.escape(f"{one}: ") + answer, line)
    for line, name in zip(lines, (two, f"{pages} (page 1 of 2)", mpo), strict=True):
        assert line.startswith(f"{name}: 4  (")
    assert last == f"Saved recognised.png and recognised.csv in {tmp_path / 'plots'}."


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
        "film": (b"\0\0\0\x14ftypqt  ", "a video; take a photo"),
        "film.png": (b"\x1aE\xdf\xa3", "a video; take a photo"),
        "scan.png": (b"%PDF-1.7", "a PDF; save its page as a PNG or JPEG"),
        "photo.jpg": (b"\0\0\0\x18ftypheic", "pip install pillow-heif"),
        "photo.avif": (b"\0\0\0\x1cftypavif", unknown),
    }
    for name, (content, _) in bad.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "folder").mkdir()
    bad |= {"missing.png": (None, "No such file"), "folder": (None, "a folder without pictures")}
    if os.name != "nt":  # Windows says it in other words
        bad |= {"x" * 300: (None, "File name too long"), "loop.png": (None, "symbolic links")}
        (tmp_path / "loop.png").symlink_to("loop.png")
    monkeypatch.setattr(module, "FEW", len(bad) + 1)
    monkeypatch.setattr("handwriting.picture.FORMATS", module.FORMATS[:7])  # no pillow-heif
    status, out, err = predict(capsys, tmp_path, *(tmp_path / name for name in bad), good)
    assert status == 1 and out.startswith(f"{good}: 12  (") and out.count("\n") == 2
    for line, (name, (_, text)) in zip(err.splitlines(), bad.items(), strict=True):
        assert line.startswith(f"error: {tmp_path / name}: ") and text in line
    monkeypatch.setattr("handwriting.picture.decode", Mock(side_effect=MemoryError))
    assert predict(capsys, tmp_path, good) == (1, "", f"error: {good}: not enough memory\n")


@pytest.mark.parametrize("side", [400, 3000])
def test_the_table_says_where_each_digit_is(clear, read, capsys, tmp_path, monkeypatch, side):
    monkeypatch.chdir(tmp_path)
    picture = np.vstack([page([clear[3], 0 * clear[0]]), page(clear[[4, 6]])])
    factor = side / picture.shape[1]
    large = resize(picture, np.array(picture.shape) * side // picture.shape[1])
    exif = Image.Exif()
    exif[0x0112] = 6  # shown turned to the right
    as_image(np.rot90(large)).save("=1+1,;\n\x1b.png", exif=exif)
    assert predict(capsys, tmp_path, "=1+1,;\n\x1b.png")[0] == 0
    with open("plots/recognised.csv", encoding="utf-8-sig", newline="") as file:
        header, *lines = csv.reader(file, quoting=csv.QUOTE_NONNUMERIC)
    assert header == [*module.COLUMNS]
    for line, place in zip(lines, [(1, 1, 3), (2, 1, 4), (2, 2, 6)], strict=True):
        assert line[:4] == ["'=1+1,;\\n\\x1b.png", *place]
        assert 0.7 < line[4] <= 1 and line[5] == ""
    boxes = [line[6:] for line in lines]
    np.testing.assert_allclose(boxes, factor * page_of(picture, read).boxes, atol=0.01 * side)


def test_a_killed_process_costs_one_picture(clear, capsys, tmp_path, monkeypatch):
    def die_or_wait(path, *arguments):  # local, so that the processes import no tests
        second_attempt = os.path.exists(f"{path}.killed")
        if path.endswith("0.png") or (path.endswith("3.png") and not second_attempt):
            open(f"{path}.killed", "w").close()
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(0.5 * path.endswith("1.png"))
        return READ(path, *arguments)

    monkeypatch.setattr(module, "read", die_or_wait)
    paths = [save(tmp_path / f"{n}.png", page(clear[[n]])) for n in range(6)]
    status, out, err = predict(capsys, tmp_path, tmp_path)
    assert status == 1
    assert err == f"error: {paths.pop(0)}: a worker process was killed, often for lack of memory\n"
    for path, line in zip(paths, out.splitlines()):  # in order
        assert line.startswith(f"{path}: {path.stem}  (")


@pytest.mark.parametrize("limit", ["AT_ONCE", "MOST_DIGITS"])
def test_an_interrupt_saves_several_pictures(clear, capsys, tmp_path, monkeypatch, limit):
    def interrupt(path, *arguments):
        if path.endswith("3.png"):
            raise KeyboardInterrupt
        return READ(path, *arguments)

    monkeypatch.setattr(module, limit, 2)
    monkeypatch.setattr(module, "read", interrupt)
    paths = [save(tmp_path / f"{n}.png", page(clear[[n]])) for n in range(4)]
    with pytest.raises(KeyboardInterrupt):
        predict(capsys, tmp_path, *paths)
    folder = tmp_path / "plots"
    saved = f"\nSaved recognised.png, recognised-2.png and recognised.csv in {folder}.\n"
    assert capsys.readouterr().out.endswith(saved)
    assert {*os.listdir(folder)} == {"recognised.png", "recognised-2.png", "recognised.csv"}
    assert (folder / "recognised.csv").read_bytes().count(b"\n") == 4


def test_the_boxes_fit_the_picture_however_large_it_is(clear, tmp_path, read):
    path = save(tmp_path / "p.png", page(clear[[4, 7]], scale=12))
    small, _ = READ(path, lambda images: read(images) * (np.arange(10) != 7), THRESHOLDS)
    assert max(small.picture.shape) == 600
    left, right = small.picture[:, :300] < 0.5, small.picture[:, 300:] < 0.5
    for boxes, ink, start in (small.boxes, left, 0), (small.left_out, right, 300):
        y, x = np.nonzero(ink)
        expected = [y.min(), y.max(), start + x.min(), start + x.max()]
        np.testing.assert_allclose(boxes, [expected], atol=8)


def test_each_digit_is_framed_and_its_doubt_shown(mnist, tmp_path, monkeypatch):
    probabilities = np.full((100, 10), 0.01)
    probabilities[:, 7], probabilities[0, 3] = 0.91, 0.4
    boxes, texts = np.array([[10 * i, 10 * i + 8, 5, 9] for i in range(100)]), ["7?", *["7"] * 99]
    answer = Page(
        np.ones((1000, 2000), np.float32), boxes, mnist[0][:100], probabilities,
        texts, "7?77", left_out=boxes[:3] + 100, rows=np.zeros(100, int),
    )  # fmt: skip
    axes = module.plot_recognised([("$page.png", answer), ("a/2.png", answer)]).axes[0]
    labels = ["", "", "", *texts, "7?  0.91\nor 3  0.40", *["7  0.91"] * 99]
    expected = ["$page.png: 7?77", *labels, "2.png: 7?77", *labels]
    assert [text.get_text() for text in axes.texts] == expected
    colours = [plots.GREY] * 3 + [plots.ORANGE, *[plots.BLUE] * 99] * 2
    assert [to_hex(frame.get_edgecolor()) for frame in axes.patches] == 2 * colours
    x, right, _, y = axes.images[0].get_extent()
    scale = (right - x) / 2000
    for frame, label, box in zip(axes.patches, axes.texts[1:], [*answer.left_out, *boxes]):
        top, bottom, left, right = scale * box + [y, y, x, x]
        np.testing.assert_allclose(frame.get_bbox().extents, [left, top, right, bottom])
        np.testing.assert_allclose(label.get_position(), [left, top])
    np.testing.assert_array_equal(axes.images[1].get_array()[:28, :28], answer.images[0])
    record = module.Record(tmp_path)
    record.add("p", answer, boxes)
    assert record.table.getvalue().splitlines()[1] == '"p",1,1,7,0.91,"?",0,8,5,9'
    monkeypatch.setattr(module, "MOST_LABELS", 99)
    most = module.plot_recognised([("p", answer)] * (module.MOST_DIGITS // 100))
    assert "7" not in [text.get_text() for text in most.axes[0].texts]
    assert most.get_size_inches().max() * 100 < 2**16  # matplotlib can save it


@pytest.mark.parametrize(("shape", "value"), [((8, 8), 0), ((1, 1), 1), ((300, 200), 0.3)])
def test_an_earlier_table_goes_with_a_blank_page_only(capsys, tmp_path, shape, value):
    path = save(tmp_path / "blank.png", np.full(shape, value))
    table = tmp_path / "plots" / "recognised.csv"
    table.parent.mkdir()
    table.touch()
    assert predict(capsys, tmp_path, "missing.png")[0] == 1 and table.exists()
    assert predict(capsys, tmp_path, path) == (1, f"{path}: no digit found\n", "")
    assert not table.exists()


def test_handwriting_imports_neither_the_training_nor_the_settings():
    closed = {"train", "seed_study", "save_load", "settings", "command_line", "config", "main"}
    for path in (PROJECT / "handwriting").glob("*.py"):
        imported = re.findall(r"^\s*(?:from|import) (\w+)", path.read_text(), re.MULTILINE)
        assert not closed & {*imported}, path.name
