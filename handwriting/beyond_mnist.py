"""Training images beyond MNIST: digits in other styles, and things that are no digits.

MNIST has hardly any 1s with a flag, 9s with a hook or printed digits, and no image that is not a
digit. A network trained on it alone misreads such digits and takes letters, scribbles and touching
digits for digits, with high probability.

Each function in KINDS makes the ink of one image, (height, width) float32, 0 on paper and 1 within
strokes, and its label. Its arguments are MNIST's training images and labels, and a
numpy.random.Generator.
"""

from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from handwriting.normalise import box_of, normalise
from handwriting.picture import resize
from model import NO_DIGIT

# The typefaces of matplotlib that are trained on; DejaVu Serif and STIX are kept for tests.
STYLES = ("", "-Bold", "-Oblique", "-BoldOblique")
TYPEFACES = [f"DejaVuSans{width}{style}" for width in ("", "Mono") for style in STYLES]
TYPEFACES += ["cmb10", "cmr10", "cmss10", "cmti10", "cmtt10"]
FOLDER = Path(matplotlib.get_data_path(), "fonts", "ttf")
TYPEFACES = [name for name in TYPEFACES if (FOLDER / f"{name}.ttf").exists()]  # cmti10 since 3.11
# Without those that look like digits once normalised, such as O, and flat ones, such as -.
SYMBOLS = list("#$%&*+<>?@ACEFHJKLMNPRTUVWXacdefhijkmnprtuvwx")

# Digits as they are written outside MNIST: the points "x,y" of each stroke, in a square of 100 x
# 100 with y downwards.
DRAWN_DIGITS = (
    (1, ["15,30 50,0 50,100"]),  # flags
    (1, ["30,20 50,0 50,100"]),
    (1, ["10,45 50,0 50,100"]),
    (1, ["20,25 50,0 50,100", "20,100 80,100"]),  # a flag and a foot
    (4, ["20,0 10,60 90,60", "65,20 60,100"]),  # open
    (4, ["45,0 5,70 90,70", "60,45 55,100"]),  # with a short stem
    (4, ["60,100 60,0 0,65 85,65"]),  # closed
    (6, ["50,0 15,60 20,90 50,100 80,80 55,60 15,75"]),  # with a straight stem
    (7, ["10,0 80,0 40,100", "30,50 85,50"]),  # crossed
    (7, ["10,20 10,0 85,0 45,100"]),  # with a serif
    (9, ["75,20 40,0 20,25 45,50 75,20 75,75 50,100 15,85"]),  # hooks
    (9, ["80,10 45,0 20,25 45,45 80,20 80,90 60,100 10,100"]),
    (9, ["80,0 30,0 30,40 80,40", "80,0 75,85 40,100 10,90"]),
    (9, ["75,15 45,0 20,30 45,50 75,25 70,100"]),  # with a straight stem
)


def extra_images(images, labels, random_generator):
    """Make the images to train on besides MNIST's: (n, 28, 28) uint8, and their labels (n,).

    images, labels: MNIST's training images and labels, (m, 28, 28) uint8 and (m,) integers.
    """
    makers = [make for make, number in KINDS.items() for _ in range(number)]
    inks, extra_labels = zip(*(make(images, labels, random_generator) for make in makers))
    return np.array([normalise(ink) for ink in inks]), np.array(extra_labels, labels.dtype)


def pick(images, labels, random_generator):
    """The ink (28, 28) of a random one of MNIST's digits, and its label."""
    n = random_generator.integers(len(images))
    return images[n] / np.float32(255), labels[n]


def with_another_pen(images, labels, random_generator):
    """One of MNIST's digits with thicker, thinner or softer strokes."""
    ink, label = pick(images, labels, random_generator)
    effect = random_generator.integers(3)
    if effect == 0:
        changed = ndimage.grey_dilation(ink, (2, 2))
    elif effect == 1:
        changed = ndimage.grey_erosion(ink, (2, 2))
    else:
        changed = ndimage.gaussian_filter(ink, random_generator.uniform(0.5, 1.5))
    if changed.max() < 0.3:  # erosion would break a thin stroke
        changed = ink
    return changed / changed.max(), label


def drawn_digit(images, labels, random_generator):
    """One of DRAWN_DIGITS."""
    label, strokes = DRAWN_DIGITS[random_generator.integers(len(DRAWN_DIGITS))]
    strokes = [np.array([p.split(",") for p in s.split()], float) / 100 for s in strokes]
    return softened(drawn(strokes, random_generator), random_generator), label


def printed_digit(images, labels, random_generator):
    """A digit of a typeface."""
    label = random_generator.integers(10)
    ink = printed(random_generator.choice(TYPEFACES), str(label), random_generator)
    return softened(ink, random_generator), label


def printed_symbol(images, labels, random_generator):
    """A letter or symbol of a typeface."""
    typeface, text = random_generator.choice(TYPEFACES), random_generator.choice(SYMBOLS)
    return printed(typeface, text, random_generator), NO_DIGIT


def scribble(images, labels, random_generator):
    """A line through random points."""
    points = random_generator.random((random_generator.integers(7, 15), 2))
    return drawn([points], random_generator), NO_DIGIT


def touching(images, labels, random_generator):
    """Two digits, in one case of seven three, that touch."""
    ink, _ = pick(images, labels, random_generator)
    for _ in range(1 if random_generator.random() < 6 / 7 else 2):
        ink = beside(ink, pick(images, labels, random_generator)[0], random_generator)
    return ink, NO_DIGIT


def part(images, labels, random_generator):
    """The left or right part of a digit, but never one as narrow as a 1."""
    while True:
        ink = cut_off(images, labels, random_generator)
        top, bottom, left, right = box_of(ink)
        if right - left - 1 > 0.45 * (bottom - top - 1):
            return ink, NO_DIGIT


def digit_and_part(images, labels, random_generator):
    """A digit and part of another, which touch."""
    inks = [pick(images, labels, random_generator)[0], cut_off(images, labels, random_generator)]
    if random_generator.random() < 0.5:
        inks.reverse()
    return beside(*inks, random_generator), NO_DIGIT


def cut_off(images, labels, random_generator):
    """The left or right part of a digit other than 1: 30 to 50 % of its width, (28, 28)."""
    ink, label = pick(images, labels, random_generator)
    while label == 1:
        ink, label = pick(images, labels, random_generator)
    *_, left, right = box_of(ink)
    keep_left, share = random_generator.random() < 0.5, random_generator.uniform(0.3, 0.5)
    position = left + (share if keep_left else 1 - share) * (right - left)
    rows, columns = np.indices(ink.shape)
    is_left = columns + random_generator.uniform(-0.3, 0.3) * (rows - 13.5) < position
    kept = np.where(is_left == keep_left, ink, 0)
    # a cut that slants as the digit does may leave nothing
    return kept if (kept > 0.5).any() else cut_off(images, labels, random_generator)


def beside(left, right, random_generator):
    """Two inks, (28, width) each, in one; the right one is moved left until their strokes touch."""
    size = random_generator.integers(22, 34)
    right = resize(right, (size, size))
    room = len(left) + 8 - size
    top = np.clip(room // 2 + random_generator.integers(-3, 4), 0, room)
    left = np.pad(left, ((4, 4), (0, 0)))
    right = np.pad(right, ((top, room - top), (0, 0)))
    # in each row, where the left one ends and the right one starts
    end = ((left > 0.5) * np.arange(1, left.shape[1] + 1)).max(axis=1)
    start = np.where((right > 0.5).any(axis=1), (right > 0.5).argmax(axis=1), 99)
    shift = (ndimage.maximum_filter1d(end, 3) - start).max() - random_generator.integers(0, 3)
    shift = max(shift, 0)
    width = max(left.shape[1], shift + size)
    left = np.pad(left, ((0, 0), (0, width - left.shape[1])))
    right = np.pad(right, ((0, 0), (shift, width - shift - size)))
    return np.maximum(left, right)


def drawn(strokes, random_generator):
    """Strokes, each (n, 2) points x and y in a unit square, drawn by a shaky pen: (128, 128)."""
    image = Image.new("L", (128, 128))
    pen = ImageDraw.Draw(image)
    width = int(random_generator.integers(5, 16))
    # roundness in twentieths of the way from a point to the next
    roundness, slant, narrowness = random_generator.uniform([0.5, -0.1, 0.5], [8, 0.4, 1])
    for stroke in strokes:
        points = stroke + random_generator.normal(0, 0.04, stroke.shape)
        points[:, 0] -= slant * points[:, 1]
        time, knots = np.linspace(0, len(points) - 1, 20 * (len(points) - 1)), range(len(points))
        line = np.stack([np.interp(time, knots, coordinate) for coordinate in points.T], axis=1)
        line = ndimage.gaussian_filter1d(line, roundness, axis=0, mode="nearest")
        pen.line([tuple(point) for point in 34 + 80 * line * (narrowness, 1)], 255, width, "curve")
    return np.asarray(image, np.float32) / 255


def printed(typeface, text, random_generator):
    """A character, its strokes thickened, its width and slant changed at random: (160, 160)."""
    font = ImageFont.truetype(str(FOLDER / f"{typeface}.ttf"), 80)
    image = Image.new("L", (160, 160))
    options = {"stroke_width": int(random_generator.integers(0, 5)), "anchor": "mm"}
    ImageDraw.Draw(image).text((80, 80), text, 255, font, **options)
    slant, width = random_generator.uniform([-0.2, 0.8], [0.2, 1.4])
    matrix = (width, slant, 80 - 80 * (width + slant), 0, 1, 0)
    image = image.transform(image.size, Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR)
    return np.asarray(image, np.float32) / 255


def softened(ink, random_generator):
    """The ink of a large digit, in one case of three blurred as in a small picture."""
    if random_generator.random() < 1 / 3:
        ink = ndimage.gaussian_filter(ink, random_generator.uniform(2, 6))
    return ink / ink.max()


KINDS = {  # and the number of images of each
    with_another_pen: 4000,
    drawn_digit: 6000,
    printed_digit: 3000,
    printed_symbol: 3000,
    scribble: 1000,
    touching: 3000,
    part: 2000,
    digit_and_part: 2000,
}
