"""Pictures of digits, made from MNIST's training images, must be read as the network reads those.

The test images are left to benchmarks/handwriting.py, so that its numbers are of unseen digits.
"""

import io
import resource
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

import handwriting
from command_line import PROJECT
from data_preprocessing import preprocess
from main import main
from save_load import load_model


@pytest.fixture(scope="session")
def read():
    """Function that reads images (n, 28, 28) with the shipped network: (n,) integers."""
    network, _, settings, _ = load_model(PROJECT / "trained_model.npz")
    return lambda images: network.predict(preprocess(images, settings.deskew, settings.edges))


@pytest.fixture(scope="session")
def clear(mnist, read):
    """One image of each digit, 0 to 9, that the network reads rightly: (10, 28, 28)."""
    images, labels = mnist[:2]
    right = read(images[:200]) == labels[:200]
    return np.array([images[:200][right & (labels[:200] == digit)][0] for digit in range(10)])


def page(images, scale=4, margin=30, paper=0.9, ink=0.15):
    """A picture (height, width) float64 of images (n, 28, 28), enlarged, in a row."""
    row = np.hstack(images)
    size = (scale * row.shape[1], scale * row.shape[0])
    row = np.asarray(Image.fromarray(row).resize(size, Image.Resampling.BICUBIC)) / 255
    return paper + (ink - paper) * np.pad(row, margin)


def save(path, picture, **options):
    """Save a picture (height, width) from 0 to 1 in the format that the name of the path says."""
    Image.fromarray(np.rint(255 * np.clip(picture, 0, 1)).astype(np.uint8)).save(path, **options)
    return path


def find(picture):
    """The digits and their boxes in a picture (height, width)."""
    return handwriting.find_digits(handwriting.find_ink(picture.astype(np.float32)))


def digits_in(picture, read):
    """What the network reads in a picture (height, width), as a text."""
    images, boxes = find(picture)
    assert len(images) == len(boxes)
    return "".join(map(str, read(images))) if len(images) else ""


# Normalisation


def test_mnist_is_centred_where_normalise_puts_it(mnist):
    images = mnist[0][:2000]
    centres = np.array([ndimage.center_of_mass(image) for image in images])
    assert np.abs(centres - 14).max() <= 0.5
    extents = np.maximum(*((images.max(axis) > 0).sum(1) for axis in (1, 2)))
    assert (extents == 20).mean() > 0.99


@pytest.mark.parametrize("shape", [(200, 40), (60, 300), (20, 20), (7, 5)])
def test_normalise_scales_the_longer_side_to_20_and_keeps_the_aspect(shape):
    ink = np.pad(np.ones(shape, np.float32), ((3, 90), (50, 8)))
    image = handwriting.normalise(ink)
    assert image.shape == (28, 28) and image.dtype == np.uint8 and image.max() == 255
    height, width = (image / 255).max(1).sum(), (image / 255).max(0).sum()
    assert max(height, width) == pytest.approx(20, abs=0.5)
    assert height / width == pytest.approx(shape[0] / shape[1], rel=0.15)
    assert np.abs(np.subtract(ndimage.center_of_mass(image), 14)).max() <= 0.5


def test_normalise_gives_back_what_mnist_made(mnist):
    images = mnist[0][:200]
    for scale in (1, 3, 8):
        size = (28 * scale, 28 * scale)
        large = [Image.fromarray(image).resize(size, Image.Resampling.NEAREST) for image in images]
        again = [handwriting.normalise(np.float32(image) / 255) for image in large]
        difference = np.abs(np.subtract(again, images, dtype=float)).mean((1, 2))
        assert np.median(difference) < 6  # of 255; a digit moved by a pixel differs by about 25


def test_enlarged_and_pasted_anywhere_mnist_is_read_as_it_is(mnist, read):
    images, labels = (array[:300] for array in mnist[:2])
    random_generator = np.random.default_rng(0)
    seen = np.zeros_like(images)
    for number, image in enumerate(images):
        sides = random_generator.integers(0, 120, 4).reshape(2, 2)
        picture = page([image], scale=random_generator.integers(2, 5), margin=0)
        picture = np.pad(picture, sides, constant_values=0.9)
        if number % 2:
            picture = 1 - picture
        found, _ = find(picture)
        seen[number] = found[0] if len(found) == 1 else 0
    originals, again = read(images), read(seen)
    assert (originals == again).mean() >= 0.98
    assert (again == labels).mean() >= (originals == labels).mean() - 0.01


# Formats and modes


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
        picture, images, boxes = handwriting.read_digits(path)
        assert picture.shape == (172, 396) and picture.dtype == np.float32, path
        assert picture.min() >= 0 and picture.max() <= 1
        assert read(images).tolist() == [3, 1, 4], path
        assert (np.diff(boxes[:, 2]) > 0).all()


def test_from_8_by_8_to_28_by_28_pixels(mnist, read, clear, tmp_path):
    for side, digit in ((28, 7), (14, 3), (8, 0)):  # 28: an image of MNIST itself
        image = Image.fromarray(clear[digit]).resize((side, side), Image.Resampling.BOX)
        image.save(tmp_path / "small.png")
        assert read(handwriting.read_digits(tmp_path / "small.png")[1]).tolist() == [digit]


# Paper, light and pens


def test_uneven_light_and_shadow(clear, read):
    picture = page(clear[[2, 7, 1, 8]], scale=6, margin=100)
    y, x = np.indices(picture.shape) / picture.shape[1]
    assert digits_in(picture * (1 - 0.7 * x), read) == "2718"
    assert digits_in(picture * (1 - 0.5 / (1 + np.exp(-(x + y - 0.6) / 0.03))), read) == "2718"
    assert digits_in((1 - picture) * (1 - 0.4 * x), read) == "2718"


@pytest.mark.parametrize("angle", range(0, 360, 45))
def test_the_sharp_edge_of_a_shadow(clear, read, angle):
    picture = page(clear[[2, 7, 1, 8]], scale=6, margin=60)
    y, x = (np.indices(picture.shape).T - np.array(picture.shape) / 2).T
    shadow = np.cos(np.radians(angle)) * x + np.sin(np.radians(angle)) * y > 10
    assert digits_in(np.where(shadow, 0.4 * picture, picture), read) == "2718"
    assert digits_in(np.where(shadow, 0.36, 0.9), read) == ""


@pytest.mark.parametrize("strength", [0.25, 0.5])
@pytest.mark.parametrize("squared", [False, True])
def test_ruled_and_squared_paper(clear, read, squared, strength):
    picture = page(clear[[9, 0, 2, 1]], scale=4, margin=80)
    y, x = np.indices(picture.shape)
    lines = (y + x // 60) % 35 < 2  # a little askew
    if squared:
        lines |= (x - y // 60) % 35 < 2
    assert digits_in(np.where(lines, (1 - strength) * picture, picture), read) == "9021"
    blank = np.where(lines, (1 - strength) * 0.9, 0.9)
    assert digits_in(blank, read) == ""


def test_a_large_thin_digit_is_no_ruling(read):
    picture = np.full((800, 1200), 0.9)
    picture[100:600, 500:505] = 0.2
    images, boxes = find(picture)
    assert boxes.tolist() == [[100, 600, 500, 505]] and images.max() == 255


def test_noise_and_specks(clear, read, tmp_path):
    random_generator = np.random.default_rng(0)
    picture = page(clear[[5, 7, 7]], scale=5, margin=60)
    assert digits_in(picture + random_generator.normal(0, 0.1, picture.shape), read) == "577"
    for y, x in random_generator.integers(0, (40, picture.shape[1]), (20, 2)):
        picture[y : y + 4, x : x + 4] = 0.2
    assert digits_in(picture, read) == "577"
    impulses = random_generator.random(picture.shape)
    spoilt = np.where(impulses < 0.05, 0, np.where(impulses > 0.95, 1, picture))
    assert digits_in(spoilt, read) == "577"
    path = save(tmp_path / "p.jpg", picture, quality=15)
    assert read(handwriting.read_digits(path)[1]).tolist() == [5, 7, 7]


def test_faint_and_light_ink(clear, read):
    pencil = page(clear[[6, 3]], ink=0.675)
    pencil += np.random.default_rng(0).normal(0, 0.015, pencil.shape)
    assert digits_in(pencil, read) == "63"
    assert digits_in(page(clear[[6, 3]], paper=0.2, ink=0.8), read) == "63"  # chalk


def test_broken_strokes_are_joined(clear, read):
    picture = page(clear[[8, 5]], scale=8, margin=0)
    whole = find(picture)[1]
    picture[14 * 8 - 3 : 14 * 8 + 3] = 0.9  # cuts both in an upper and a lower half
    assert np.abs(find(picture)[1] - whole).max() <= 2


def test_digits_of_different_sizes_and_askew(clear, read):
    small = np.pad(page(clear[[3]], scale=2, margin=0), 28, constant_values=0.9)
    large = page(clear[[5]], scale=4, margin=0)
    row = np.pad(np.hstack([small, large, small]), 20, constant_values=0.9)
    assert digits_in(row, read) == "353"
    for angle in (-10, 10):
        turned = ndimage.rotate(page(clear[[2, 7, 5]]), angle, order=1, cval=0.9)
        assert digits_in(turned, read) == "275"


def test_digits_at_the_border(clear, read):
    picture = page(clear[[4, 0, 6]], margin=0)
    rows, columns = (np.flatnonzero((picture < 0.5).any(axis)) for axis in (1, 0))
    tight = picture[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    assert digits_in(tight, read) == "406"
    for digit in (0, 2, 3, 4, 5, 6, 7, 8, 9):  # a 1 would be half of its picture
        picture = page(clear[[digit]], margin=0)
        rows, columns = (np.flatnonzero((picture < 0.5).any(axis)) for axis in (1, 0))
        tight = picture[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        assert digits_in(tight, read) == str(digit)


def test_the_table_around_the_paper_is_no_digit(clear, read):
    picture = page(clear[[1, 9]], margin=100)
    picture = np.pad(picture, ((0, 0), (0, 25)), constant_values=0.2)
    assert digits_in(np.pad(picture, ((30, 0), (0, 0)), constant_values=0.2), read) == "19"


def test_rows_are_read_from_above_and_from_the_left(clear, read):
    rows = [page(clear[[3, 1, 4]]), page(clear[[1, 5, 9]]), page(clear[[2, 6, 5]])]
    assert digits_in(np.vstack(rows), read) == "314159265"
    tight = np.vstack([page(clear[[4, 7, 4]], margin=0)[8:-8]] * 3)  # a quarter of a digit apart
    assert digits_in(np.pad(tight, 40, constant_values=0.9), read) == 3 * "474"
    falling = np.full((420, 900), 0.9)
    for place, digit in enumerate((7, 2, 3, 0)):
        top = 60 * place
        falling[top : top + 172, 200 * place : 200 * place + 172] = page(clear[[digit]])
    assert digits_in(falling, read) == "7230"


def test_boxes_are_where_the_digits_are(clear):
    _, boxes = find(page(clear[[2, 8]], margin=40))
    for place, (digit, box) in enumerate(zip(clear[[2, 8]], boxes)):
        rows, columns = (np.flatnonzero((digit > 128).any(axis)) for axis in (1, 0))
        corners = [rows[0], rows[-1] + 1, columns[0] + 28 * place, columns[-1] + 1 + 28 * place]
        assert np.abs(box - (40 + 4 * np.array(corners))).max() <= 6


# The program


def run(capsys, tmp_path, *paths):
    """Exit status, output and errors of --predict."""
    status = main(["--predict", *map(str, paths), "--plots-dir", str(tmp_path / "plots")])
    output = capsys.readouterr()
    return status, output.out, output.err


def test_the_line_and_the_picture(clear, capsys, tmp_path):
    one = save(tmp_path / "scan.jpg", page(clear[[9, 0, 2, 1, 0]]))
    two = save(tmp_path / "$1_a$.png", 1 - page(clear[[4]]))
    status, out, err = run(capsys, tmp_path, one, two)
    assert (status, err) == (0, "")
    first, second, last = out.splitlines()
    name, answer = first.split(": ")
    digits, probabilities = answer.split("  ")
    assert (name, digits) == (str(one), "90210")
    assert probabilities[0] + probabilities[-1] == "()"
    assert all(0.5 < float(text) <= 1 and len(text) == 4 for text in probabilities[1:-1].split())
    assert len(probabilities.split()) == 5
    assert second.startswith(f"{two}: 4  (")
    assert last == f"Saved what the network saw in {tmp_path / 'plots' / 'recognised.png'}."
    with Image.open(tmp_path / "plots" / "recognised.png") as picture:
        assert 1000 <= picture.width <= 2000 and 400 <= picture.height <= 1200
        blue = (np.asarray(picture.convert("RGB")) == (0, 0x72, 0xB2)).all(axis=2)
        assert blue[:, :500].sum() > 500 and blue[:, 500:].sum() > 500  # boxes, bars


def test_a_doubtful_digit_has_a_question_mark():
    probabilities = np.full((2, 10), 0.01)
    probabilities[[0, 1], [3, 8]] = 0.91, 0.69
    assert handwriting.digit_texts(probabilities, 0.7) == ["3", "8?"]
    assert handwriting.digit_texts(probabilities, 0) == ["3", "8"]


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
    texts |= {"folder": "Is a directory", "missing.png": "No such file or directory"}
    return {folder / name: text for name, text in texts.items()}


def test_bad_files_are_named_and_the_others_answered(clear, capsys, tmp_path):
    picture = page(clear[[1, 2]])
    good = save(tmp_path / "good.png", picture)
    bad = bad_files(tmp_path, picture)
    status, out, err = run(capsys, tmp_path, *bad, good)
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


@pytest.mark.parametrize("value", [0, 0.5, 1])
def test_a_blank_page(capsys, tmp_path, value):
    path = save(tmp_path / "blank.png", np.full((300, 200), value))
    assert run(capsys, tmp_path, path) == (1, f"{path}: no digit found\n", "")


def test_a_page_with_light_and_noise_and_nothing_else(read):
    y, x = np.indices((400, 600)) / 600
    noise = np.random.default_rng(0).normal(0, 0.03, x.shape)
    assert digits_in(0.9 - 0.5 * x * y + noise, read) == ""
    assert digits_in(0.9 - 1.5 * ((x - 0.5) ** 2 + (y - 0.33) ** 2) + noise / 3, read) == ""
    assert digits_in(np.full((8, 8), 0.3), read) == ""
    assert digits_in(np.full((1, 1), 0.3), read) == ""


def test_a_page_with_a_stripe_or_the_table_and_nothing_else(read):
    noise = np.random.default_rng(0).normal(0, 0.015, (600, 800))
    y, x = np.indices(noise.shape)
    stripe = np.abs(x - 300 - 0.05 * y) < 20
    edge = x < 30 + 0.03 * y
    for dark in (stripe, stripe.T[:600, :600], edge, edge | (y > 560), edge | edge[:, ::-1]):
        blank = 0.9 + noise[: dark.shape[0], : dark.shape[1]]
        assert digits_in(np.where(dark, blank - 0.6, blank), read) == ""


def test_more_than_100_blobs(clear, capsys, tmp_path):
    picture = np.vstack([page(clear, scale=2, margin=8)] * 10)
    path = save(tmp_path / "p.png", picture)
    assert run(capsys, tmp_path, path)[0] == 0  # 100 digits
    path = save(tmp_path / "p.png", np.vstack([picture, picture[:72]]))
    status, out, err = run(capsys, tmp_path, path)
    assert (status, out) == (1, "")
    assert err == f"error: {path}: 110 blobs; at most 100 digits are read\n"


def test_a_50_megapixel_photo_is_answered_in_under_2_seconds(clear, read, tmp_path):
    picture = Image.fromarray(np.rint(255 * page(clear[[4, 2]], margin=200)).astype(np.uint8))
    picture.resize((8160, 6144)).convert("RGB").save(tmp_path / "photo.jpg")
    assert max(handwriting.read_picture(tmp_path / "photo.jpg").shape) <= 1800
    seconds = []
    for _ in range(3):  # the quickest of three, since a machine may be busy with other things
        start = resource.getrusage(resource.RUSAGE_CHILDREN)
        command = [sys.executable, PROJECT / "main.py", "--predict", "photo.jpg"]
        process = subprocess.run(
            [*command, "--plots-dir", "plots"], cwd=tmp_path, capture_output=True, text=True
        )
        end = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append(end.ru_utime + end.ru_stime - start.ru_utime - start.ru_stime)
    assert process.stdout.startswith("photo.jpg: 42  (")
    assert min(seconds) < 2  # 1.0 on an idle machine


@pytest.mark.parametrize(
    "arguments",
    [
        ["--predict"],
        ["--predict", "p.png", "--train-model"],
        ["--predict", "p.png", "--alpha", "0.1"],
        ["--predict", "p.png", "--seeds", "2"],
        ["--predict", "p.png", "--draw"],
        ["--draw", "--train-model"],
        ["--draw", "--batch-size", "8"],
    ],
)
def test_wrong_usage(capsys, arguments):
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert capsys.readouterr().err.startswith("usage: ")


def test_no_training_data_is_loaded(clear, tmp_path):
    save(tmp_path / "p.png", page(clear[[5]]))
    command = [sys.executable, "-X", "importtime", PROJECT / "main.py", "--predict", "p.png"]
    process = subprocess.run(
        [*command, "--plots-dir", "plots"], cwd=tmp_path, capture_output=True, text=True
    )
    assert process.stdout.startswith("p.png: 5  (")
    assert "matplotlib" in process.stderr
    assert "sklearn" not in process.stderr and "tensorflow" not in process.stderr
