"""Pictures in any format, light, paper and colour are read; what is no picture is refused."""

import io
import resource
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from pages import READING, answer, answer_to_file, page, save
from PIL import Image
from scipy import ndimage

import handwriting
from files import PROJECT
from main import main


def picture_files(folder, picture):
    """The picture in every mode and format, as (path, may the answer be less sure)."""
    grey = Image.fromarray(np.rint(255 * picture).astype(np.uint8))
    deep = Image.fromarray(np.rint(65535 * picture).astype(np.uint16))
    opacity = Image.fromarray(np.rint(255 * (0.9 - picture) / 0.75).clip(0, 255).astype(np.uint8))
    white_ink = Image.merge("LA", (Image.new("L", grey.size, 255), opacity))
    black_ink = Image.merge("LA", (Image.new("L", grey.size, 0), opacity))
    rgb = Image.merge("RGB", (grey, grey.point(lambda v: v * 0.8), grey.point(lambda v: v * 0.6)))
    palette_ink = grey.point(lambda v: 255 * (v > 128)).convert("P")
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    files = {
        "grey.png": (grey, {}),
        "colour.png": (rgb, {}),
        "alpha.png": (rgb.convert("RGBA"), {}),
        "black-on-nothing.png": (black_ink.convert("RGBA"), {}),
        "white-on-nothing.png": (white_ink, {}),
        "palette.png": (rgb.quantize(16), {}),
        "palette-on-nothing.png": (palette_ink, {"transparency": 255}),
        "bilevel.png": (grey.convert("1", dither=Image.Dither.NONE), {}),
        "deep.png": (deep, {}),
        "deep.tiff": (deep, {}),
        "real.tiff": (Image.fromarray(picture.astype(np.float32)), {}),
        "cmyk.jpg": (rgb.convert("CMYK"), {}),
        "colour.jpg": (rgb, {"quality": 50}),
        "progressive.jpg": (grey, {"progressive": True}),
        "colour.webp": (rgb, {}),
        "colour.bmp": (rgb, {}),
        "colour.tiff": (rgb, {"compression": "tiff_lzw"}),
        "colour.gif": (rgb, {}),
        "turned.jpg": (rgb.transpose(Image.Transpose.ROTATE_90), {"exif": exif}),
        "turned.png": (rgb.transpose(Image.Transpose.ROTATE_90), {"exif": exif}),
        "turned.webp": (rgb.transpose(Image.Transpose.ROTATE_90), {"exif": exif}),
        "turned.tiff": (rgb.transpose(Image.Transpose.ROTATE_90), {"exif": exif}),
    }
    for name, (image, options) in files.items():
        image.save(folder / name, **options)
    return [folder / name for name in files]


def test_every_mode_and_format(clear, read, tmp_path):
    for path in picture_files(tmp_path, page(clear[[3, 1, 4]])):
        found = handwriting.read_page(path, read, READING)
        assert found.picture.shape == (172, 396) and found.picture.dtype == np.float32, path
        assert found.picture.min() >= 0 and found.picture.max() <= 1
        assert found.text == "314", path
        assert found.images.shape == (3, 28, 28) and found.images.dtype == np.uint8
        assert (np.diff(found.boxes[:, 2]) > 0).all()


def test_from_8_by_8_to_28_by_28_pixels(mnist, read, clear, tmp_path):
    for side, digit in ((28, 7), (14, 3), (8, 0)):  # 28: an image of MNIST itself
        image = Image.fromarray(clear[digit]).resize((side, side), Image.Resampling.BOX)
        image.save(tmp_path / "small.png")
        found = handwriting.read_page(tmp_path / "small.png", read, READING)
        assert found.text.rstrip("?") == str(digit)


def test_uneven_light_and_shadow(clear, read):
    picture = page(clear[[2, 7, 1, 8]], scale=6, margin=100)
    y, x = np.indices(picture.shape) / picture.shape[1]
    assert answer(picture * (1 - 0.7 * x), read) == "2718"
    assert answer(picture * (1 - 0.5 / (1 + np.exp(-(x + y - 0.6) / 0.03))), read) == "2718"
    assert answer((1 - picture) * (1 - 0.4 * x), read) == "2718"


@pytest.mark.parametrize("angle", range(0, 360, 45))
def test_the_sharp_edge_of_a_shadow(clear, read, angle):
    picture = page(clear[[2, 7, 1, 8]], scale=6, margin=60)
    y, x = (np.indices(picture.shape).T - np.array(picture.shape) / 2).T
    shadow = np.cos(np.radians(angle)) * x + np.sin(np.radians(angle)) * y > 10
    assert answer(np.where(shadow, 0.4 * picture, picture), read) == "2718"
    assert answer(np.where(shadow, 0.36, 0.9), read) == ""


@pytest.mark.parametrize("strength", [0.25, 0.5])
@pytest.mark.parametrize("squared", [False, True])
def test_ruled_and_squared_paper(clear, read, squared, strength):
    picture = page(clear[[9, 0, 2, 1]], scale=4, margin=80)
    y, x = np.indices(picture.shape)
    lines = (y + x // 60) % 35 < 2  # a little askew
    if squared:
        lines |= (x - y // 60) % 35 < 2
    assert answer(np.where(lines, (1 - strength) * picture, picture), read) == "9021"
    blank = np.where(lines, (1 - strength) * 0.9, 0.9)
    assert answer(blank, read) == ""


def test_noise_and_specks(clear, read, tmp_path):
    random_generator = np.random.default_rng(0)
    picture = page(clear[[5, 7, 7]], scale=5, margin=60)
    assert answer(picture + random_generator.normal(0, 0.1, picture.shape), read) == "577"
    for y, x in random_generator.integers(0, (40, picture.shape[1]), (20, 2)):
        picture[y : y + 4, x : x + 4] = 0.2
    assert answer(picture, read) == "577"
    path = save(tmp_path / "p.jpg", picture, quality=15)
    assert answer_to_file(path, read) == "577"


def test_faint_and_light_ink(clear, read):
    pencil = page(clear[[6, 3]], ink=0.675)
    pencil += np.random.default_rng(0).normal(0, 0.015, pencil.shape)
    assert answer(pencil, read) == "63"
    assert answer(page(clear[[6, 3]], paper=0.2, ink=0.8), read) == "63"  # chalk


COLOURS = {
    "yellow highlighter": ((1, 1, 1), (1, 0.97, 0.4)),
    "red": ((0.95, 0.95, 0.9), (0.85, 0.2, 0.2)),
    "light blue": ((0.95, 0.95, 0.95), (0.6, 0.85, 0.95)),
    "red on green of the same lightness": ((0.2, 0.6, 0.2), (0.9, 0.24, 0.2)),
}


@pytest.mark.parametrize("name", COLOURS)
def test_coloured_pens(clear, read, tmp_path, name):
    paper, pen = np.array(COLOURS[name])
    ink = page(clear[[3, 8]], paper=0, ink=1)[..., None]
    path = save(tmp_path / "p.png", paper + (pen - paper) * ink)
    assert answer_to_file(path, read) == "38"


def test_half_wiped_and_blurred_strokes(clear, read):
    picture = page(clear[[2, 5]], scale=6)
    assert answer(np.where(np.arange(396) < 220, picture, 0.5 + 0.5 * picture), read) == "25"
    assert answer(ndimage.gaussian_filter(picture, 6), read) == "25"


def test_a_page_with_light_and_noise_and_nothing_else(read):
    y, x = np.indices((400, 600)) / 600
    noise = np.random.default_rng(0).normal(0, 0.03, x.shape)
    assert answer(0.9 - 0.5 * x * y + noise, read) == ""
    assert answer(0.9 - 1.5 * ((x - 0.5) ** 2 + (y - 0.33) ** 2) + noise / 3, read) == ""
    assert answer(np.full((8, 8), 0.3), read) == ""
    assert answer(np.full((1, 1), 0.3), read) == ""


def png(width, height):
    """A PNG file of that size, all of it said to be there in a few bytes."""

    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(bytes(10_000)))
    return b"\x89PNG\r\n\x1a\n" + header + pixels + chunk(b"IEND", b"")


def bad_files(folder, picture):
    """Files that are no pictures to read: their paths, and what the error says about each."""
    good = io.BytesIO()
    save(good, picture, format="PNG")
    jpeg = io.BytesIO()
    save(jpeg, picture, format="JPEG")
    contents = {
        "text.png": (b"These are my digits: 1 2 3", "not a picture in a format known here"),
        "empty.jpg": (b"", "not a picture in a format known here"),
        "cut.png": (good.getvalue()[:-700], "truncated"),
        "cut.jpg": (jpeg.getvalue()[:-700], "truncated"),
        "corrupt.png": (good.getvalue()[:60] + b"\0" * 500 + good.getvalue()[560:], ""),
        "bomb.png": (png(60_000, 60_000), "more than 89 megapixels"),
        "less-a-bomb.png": (png(10_000, 10_000), "more than 89 megapixels"),
    }
    for name, (content, _) in contents.items():
        (folder / name).write_bytes(content)
    (folder / "folder").mkdir()
    texts = {name: text for name, (_, text) in contents.items()}
    texts |= {"folder": "a folder without pictures", "missing.png": "No such file or directory"}
    return {folder / name: text for name, text in texts.items()}


def test_bad_files_are_named_and_the_others_answered(clear, capsys, tmp_path):
    picture = page(clear[[1, 2]])
    good = save(tmp_path / "good.png", picture)
    bad = bad_files(tmp_path, picture)
    status = main(["--predict", *map(str, [*bad, good]), "--plots-dir", str(tmp_path / "plots")])
    out, err = capsys.readouterr()
    assert status == 1
    assert out.startswith(f"{good}: 12  (") and out.count("\n") == 2
    lines = err.splitlines()
    assert len(lines) == len(bad)
    for line, (path, text) in zip(lines, bad.items()):
        assert line.startswith(f"error: {path}: ") and text in line


def test_a_bomb_takes_no_memory(tmp_path):
    (tmp_path / "bomb.png").write_bytes(png(60_000, 60_000))
    most = 1_500_000_000
    process = subprocess.run(
        [sys.executable, PROJECT / "main.py", "--predict", "bomb.png"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={"OPENBLAS_NUM_THREADS": "1"},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (most, most)),
    )
    assert process.returncode == 1
    assert process.stderr == (
        "error: bomb.png: more than 89 megapixels; make the picture smaller\n"
    )
