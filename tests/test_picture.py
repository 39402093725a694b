import numpy as np
import pytest
from conftest import answer, as_image, page, page_of, save
from PIL import Image
from scipy import ndimage

from benchmarks.reading.paper import darkened, held, jpeg, shadow
from handwriting.picture import FORMATS, load_picture


def test_every_mode_and_format(clear, read, tmp_path):
    picture = page(clear[[3, 1, 4]])
    grey = as_image(picture)
    rgb = Image.merge("RGB", (grey, grey.point(lambda v: v * 0.8), grey.point(lambda v: v * 0.6)))
    opacity = as_image((0.9 - picture) / 0.75)
    white, black = (Image.new("L", grey.size, colour) for colour in (255, 0))
    holed = rgb.convert("RGBA")
    holed.paste((0, 0, 0, 0), (0, 0, 20, 40))
    turned = rgb.transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    files = [
        ("holed.png", holed, {}),
        ("black-on-nothing.png", Image.merge("LA", (black, opacity)).convert("RGBA"), {}),
        ("white-on-nothing.png", Image.merge("LA", (white, opacity)), {}),
        ("palette.png", rgb.quantize(16), {}),
        ("bilevel.png", grey.convert("1", dither=Image.Dither.NONE), {}),
        ("deep.png", Image.fromarray(np.rint(65535 * picture).astype(np.uint16)), {}),
        ("real.tiff", Image.fromarray(picture.astype(np.float32)), {}),
        ("cmyk.jpg", rgb.convert("CMYK"), {}),
        ("colour.jpg", rgb, {"progressive": True}),
        ("colour.tiff", rgb, {"compression": "tiff_lzw"}),
        *[(f"colour.{kind.lower()}", rgb, {}) for kind in FORMATS],
        *[(f"turned.{kind}", turned, {"exif": exif}) for kind in ("jpg", "png", "webp", "tiff")],
    ]
    for name, image, options in files:
        image.save(tmp_path / name, **options)
        found = page_of(tmp_path / name, read)
        assert found.picture.shape == (172, 396) and found.picture.dtype == np.float32, name
        assert found.picture.min() >= 0 and found.picture.max() <= 1
        assert found.text == "314", name


@pytest.mark.parametrize(("side", "digit"), [(28, 7), (14, 3), (8, 0)])
def test_from_8_by_8_to_28_by_28_pixels(read, clear, tmp_path, side, digit):
    image = Image.fromarray(clear[digit]).resize((side, side), Image.Resampling.BOX)
    image.save(tmp_path / "small.png")
    assert answer(tmp_path / "small.png", read).rstrip("?") == str(digit)


def test_pixels_that_touch_at_corners_stay_connected(tmp_path):
    diagonal = np.eye(28) * np.where(np.arange(28) % 2, 1, 0.5)  # every other one is half as dark
    ink = 1 - load_picture(save(tmp_path / "p.png", 1 - diagonal), 1200)[0]
    darkest = np.percentile(ink[ink > 0.1], 95)
    assert ndimage.label(ink > 0.5 * darkest, np.ones((3, 3)))[1] == 1


def specks(page, random):
    """Twenty dark specks of 4 x 4 pixels in the margins."""
    page = np.pad(page, 40, constant_values=0.9)
    for y, x in random.integers(0, (40, page.shape[1] - 4), (20, 2)):
        page[y : y + 4, x : x + 4] = 0.2
    return page


SPOIL = {
    "pencil": lambda page, random: 0.63 + 0.3 * page + random.normal(0, 0.015, page.shape),
    "blurred": lambda page, random: ndimage.gaussian_filter(page, 6),
    "noisy": lambda page, random: page + random.normal(0, 0.1, page.shape),
    "squared": lambda page, random: held(page, random, 0, 1, lines=2),
} | {function.__name__: function for function in (darkened, jpeg, shadow, specks)}


@pytest.mark.parametrize("spoil", SPOIL)
def test_spoiled_pages_are_read_and_show_no_digit_if_blank(clear, read, spoil):
    picture = page(clear[[2, 7, 5, 9]], margin=60)
    for random in map(np.random.default_rng, range(2)):
        found = answer(SPOIL[spoil](picture, random), read)
        assert (found.replace("?", "") if spoil == "blurred" else found) == "2759"
        if spoil not in ("shadow", "specks"):  # these may be strokes on a blank page
            assert answer(SPOIL[spoil](np.full_like(picture, 0.9), random), read) == ""


PAPERS_AND_PENS = [
    ((1, 1, 1), (1, 0.97, 0.4)),  # yellow highlighter
    ((0.95, 0.95, 0.9), (0.85, 0.2, 0.2)),  # red
    ((0.95, 0.95, 0.95), (0.6, 0.85, 0.95)),  # light blue
    ((0.2, 0.2, 0.2), (0.8, 0.8, 0.8)),  # chalk
    # opposed channels, of about the same lightness
    ((0.9, 0.6, 0.3), (0.3, 0.6, 0.9)),  # blue on orange
    ((0.2, 0.6, 0.2), (0.9, 0.24, 0.2)),  # red on green
    ((0.7, 0.35, 0.3), (0.3, 0.75, 0.3)),  # green on red
    ((0.5, 0.75, 0.5), (0.65, 0.5, 0.7)),  # purple on green
    ((0.9, 0.6, 0.6), (0.6, 0.75, 0.75)),  # teal on rose
]


@pytest.mark.parametrize(("paper", "pen"), PAPERS_AND_PENS)
def test_coloured_pens(clear, read, tmp_path, paper, pen):
    ink = page(clear[[3, 8]], paper=0, shade=1)[..., None]
    path = save(tmp_path / "p.png", paper + np.subtract(pen, paper) * ink)
    assert answer(path, read) == "38"


def test_a_thin_stroke_between_the_pixels_sampled_for_its_colour(clear, tmp_path):
    picture = np.ones((64, 64, 3))
    picture[10:50, 30, :2] = 0  # blue
    grey = load_picture(save(tmp_path / "p.png", picture), 1200)[0]
    assert np.ptp(grey) > 0.5
