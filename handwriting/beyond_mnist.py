"""Training images beyond MNIST: digits in other styles, and things that aren't digits.

Each function in KINDS makes the ink of one image, (height, width) float32, 0 on paper and 1 within
strokes, and its label. images, labels: MNIST's for training, (m, 28, 28) uint8 and (m,) integers.
The benchmark's pages hold other typefaces, symbols and drawings: benchmarks/reading/non_digits.py.
"""

from pathlib import Path

import numpy as np
from matplotlib import get_data_path
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from handwriting.normalise import box_of, normalise
from handwriting.picture import resize
from model import NO_DIGIT

FACES = ("", "-Bold", "-Oblique", "-BoldOblique")
NAMES = [f"DejaVuSans{width}{face}" for width in ("", "Mono") for face in FACES]
NAMES += ["cmb10", "cmr10", "cmss10", "cmti10", "cmtt10"]  # cmti10: since matplotlib 3.11
FOLDER = Path(get_data_path(), "fonts", "ttf")
TYPEFACES = [name for name in NAMES if (FOLDER / f"{name}.ttf").exists()]
SYMBOLS = list("#$%&*+<>?@ACEFHJKLMNPRTUVWXacdefhijkmnprtuvwx")  # none like a digit, as O is

# Characters as they are written outside MNIST, in several styles each: the points "x,y" of the
# strokes, in a square of 100 x 100 with y downwards. A / starts a stroke, a | another style.
STYLES = {
    0: """50,0 10,25 10,75 50,100 90,75 90,25 50,0 | 60,0 30,20 25,60 45,100 70,75 75,30 60,2 45,8 |
        70,10 25,10 5,60 40,100 85,75 80,20 45,0 35,15""",
    1: """20,25 50,0 50,100 / 20,100 80,100 | 15,30 50,0 50,100 | 30,20 50,0 50,100 |
        10,45 50,0 50,100 | 10,40 45,0 60,100 | 10,80 50,0 50,100 | 25,95 50,0 65,100 |
        25,30 45,22 50,0 45,100 | 5,50 32,32 52,0 55,100 | 20,32 50,5 50,100 / 40,97 72,100 |
        10,32 38,25 55,0 50,100 / 25,100 75,100 | 0,55 25,40 50,0 40,100 / 15,98 75,100""",
    2: """10,25 35,0 75,5 70,45 20,90 0,95 5,80 30,82 90,85 |
        10,25 40,0 75,10 70,40 10,100 90,95""",
    3: """10,15 50,0 75,20 35,45 80,65 60,100 0,95 | 10,0 80,0 40,40 80,65 60,100 10,95 |
        25,5 85,5 55,40 75,55 55,80 0,100 | 30,0 85,5 60,30 85,45 75,65 0,100""",
    4: """20,5 5,45 25,62 70,55 85,30 65,15 52,40 48,100 | 20,0 10,60 90,60 / 65,20 60,100 |
        30,0 5,60 60,60 90,35 75,15 55,40 45,100 | 60,100 60,0 0,65 85,65 | 95,45 5,70 50,0 65,100 |
        45,0 5,70 90,70 / 60,45 55,100 | 15,0 10,55 85,55 / 75,0 75,100 |
        20,10 15,40 70,35 / 75,0 60,100 | 45,0 5,45 85,50 / 72,12 64,100 |
        15,5 5,30 65,35 / 70,0 65,100 | 40,0 10,45 60,45 / 70,5 60,100 |
        50,10 20,40 70,45 / 80,0 60,100 | 30,0 20,35 70,40 / 65,15 60,100""",
    5: """20,5 15,45 60,40 80,70 50,100 10,95 / 20,5 90,0 |
        85,0 20,0 15,45 55,40 80,65 60,95 10,95""",
    6: """80,25 85,5 60,0 30,10 15,60 30,100 70,95 85,65 60,48 20,60 |
        65,25 75,5 45,0 20,30 15,75 40,100 75,90 80,60 45,55 |
        50,0 15,60 20,90 50,100 80,80 55,60 15,75 | 65,0 25,50 15,85 50,100 80,75 50,60 30,80""",
    7: """10,0 80,0 40,100 / 30,50 85,50 | 5,10 85,0 25,100 / 20,40 75,60 | 0,15 80,0 50,100 |
        5,10 20,25 50,10 85,5 50,100 | 0,0 60,12 100,25 20,100 | 10,20 10,0 85,0 45,100""",
    8: """100,10 60,0 30,20 75,65 50,100 20,75 70,30 65,5 |
        80,15 50,0 25,20 75,70 50,100 20,75 60,35 95,5 |
        20,5 30,30 75,75 50,100 25,75 75,25 85,0 | 95,10 70,5 40,10 25,28 80,65 65,100 25,80 30,30 |
        100,15 75,22 / 40,62 75,35 80,20 60,2 25,10 15,30 40,62 38,75 5,100 |
        95,20 75,20 55,0 25,10 25,30 50,55 40,75 25,95 15,100 20,90 50,55 75,30 70,10""",
    9: """80,10 45,0 20,25 45,45 80,20 80,90 60,100 10,100 | 65,0 30,15 40,25 70,5 60,100 |
        75,20 40,0 20,25 45,50 75,20 75,75 50,100 15,85 | 75,15 45,0 20,30 45,50 75,25 70,100 |
        80,0 30,0 30,40 80,40 / 80,0 75,85 40,100 10,90 | 60,10 40,0 25,12 40,28 62,12 65,100 |
        65,10 30,5 10,40 30,60 60,35 65,5 70,40 95,100""",
    NO_DIGIT: """0,0 90,0 90,90 0,90 0,0 / 20,20 70,70 / 70,20 20,70 | 0,0 100,0 / 0,40 100,40 |
        0,0 90,0 90,90 0,90 0,0 / 20,45 40,70 75,15 | 75,0 45,5 45,45 20,50 45,55 45,95 75,100 |
        50,0 50,100 / 0,50 100,50 | 65,0 60,100 / 0,40 100,45 | 35,0 35,100 / 0,65 100,50 |
        0,0 100,100 / 90,0 10,100 | 70,0 25,25 25,75 70,100 | 30,0 75,25 75,75 30,100 |
        75,0 20,0 20,100 75,100 | 25,0 80,0 80,100 25,100 | 0,50 100,50""",
}


def to_strokes(text):
    """Strokes, each (n, 2) points x and y, from points "x,y" in hundredths; a / starts a stroke."""
    lines = (stroke.split() for stroke in text.split("/"))
    return [np.array([point.split(",") for point in line], float) / 100 for line in lines]


DRAWN = [(label, to_strokes(s)) for label, styles in STYLES.items() for s in styles.split("|")]


def extra_images(images, labels, random_generator):
    """Make the images to train on besides MNIST's: (n, 28, 28) uint8, and their labels (n,)."""
    inks, extra_labels = [], []
    for make, (number, share) in KINDS.items():
        for _ in range(number):
            ink, label = make(images, labels, random_generator)
            if random_generator.random() < share:
                ink = rewritten(ink, random_generator)
            if random_generator.random() < 1 / 3:  # blurred as in a small picture
                ink = ndimage.gaussian_filter(ink, random_generator.uniform(0.015, 0.05) * len(ink))
            inks.append(normalise(ink / ink.max()))
            extra_labels.append(label)
    return np.array(inks), np.array(extra_labels, labels.dtype)


def pick(images, labels, random_generator):
    """The ink (28, 28) of a random one of MNIST's digits, and its label."""
    n = random_generator.integers(len(images))
    return images[n] / np.float32(255), labels[n]


def drawn_character(images, labels, random_generator):
    """A digit or symbol in one of the styles of DRAWN."""
    label, strokes = DRAWN[random_generator.integers(len(DRAWN))]
    return drawn(strokes, random_generator), label


def printed_digit(images, labels, random_generator):
    """A digit of a typeface."""
    label = random_generator.integers(10)
    return printed(str(label), random_generator), label


def printed_symbol(images, labels, random_generator):
    """A letter or symbol of a typeface or, one time in five, two of them."""
    text = "".join(random_generator.choice(SYMBOLS, random_generator.choice([1, 1, 1, 1, 2])))
    ink = printed(text, random_generator)
    shifts = random_generator.normal(0, 3, (2, 6, 6)).astype(np.float32)  # bends it smoothly
    places = np.indices(ink.shape) + [resize(shift, ink.shape) for shift in shifts]
    return ndimage.map_coordinates(ink, places, order=1), NO_DIGIT


def scribble(images, labels, random_generator):
    """A line through random points, a curl, a star or heart, or a few strokes of 2 or 3 points."""
    kind, number = random_generator.integers(4), random_generator.integers(3, 8)
    if kind == 0:
        strokes = [random_generator.random((2 * number, 2))]
    elif kind == 1:
        angles = np.cumsum(random_generator.normal(0, 1.5, 3 * number))
        points = np.cumsum(np.stack([np.cos(angles), np.sin(angles)], axis=1), axis=0)
        strokes = [(points - points.min(axis=0)) / np.ptp(points, axis=0).max()]
    elif kind == 2:
        angles = np.linspace(0, 2 * np.pi, 2 * number + 1) + random_generator.uniform(0, 6)
        radii = np.tile(random_generator.uniform([-0.1, 0.4], [0.15, 0.5]), number + 1)[:-1]
        if random_generator.random() < 0.5:  # one dent instead of several
            radii[2:-2] = radii[1]
        strokes = [0.5 + radii[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)]
    else:
        strokes = list(random_generator.random((number, random_generator.integers(2, 4), 2)))
    return drawn(strokes, random_generator), NO_DIGIT


def dot(images, labels, random_generator):
    """A dot of a few pixels, such as a dotted line's."""
    width, roundness = random_generator.integers(3, 10), random_generator.uniform(1, 2)
    y, x = np.ogrid[-1 : 1 : random_generator.integers(3, width + 2) * 1j, -1 : 1 : width * 1j]
    return np.pad(x**2 + y**2 <= roundness, 4).astype(np.float32), NO_DIGIT


def touching(images, labels, random_generator):
    """Two or three digits, or one and part of another character, which touch."""
    cases = (pick, pick), (pick, pick), (pick, pick, pick), (pick, part), (part, pick)
    case = cases[random_generator.integers(len(cases))]
    ink, *others = (make(images, labels, random_generator)[0] for make in case)
    for other in others:
        ink = beside(ink, other, random_generator)
    return ink, NO_DIGIT


def part(images, labels, random_generator):
    """The left or right part of a digit or symbol, but never one that looks like a 1."""
    while True:
        make = random_generator.choice([pick, printed_symbol])
        ink, label = make(images, labels, random_generator)
        ink = cut_off(normalise(ink) / np.float32(255), random_generator)
        top, bottom, left, right = box_of(ink)
        has_gap = not (ink > 0.5).any(axis=1)[top:bottom].all()
        # the right part of an 8 is a 3
        if label not in (1, 8) and (has_gap or right - left - 1 > 0.5 * (bottom - top - 1)):
            return ink, NO_DIGIT


def cut_off(ink, random_generator):
    """The left or right part of ink (28, 28): 30 to 50 % of its width."""
    *_, left, right = box_of(ink)
    keep_left, share = random_generator.random() < 0.5, random_generator.uniform(0.3, 0.5)
    position = left + (share if keep_left else 1 - share) * (right - left)
    rows, columns = np.indices(ink.shape)
    is_left = columns + random_generator.uniform(-0.3, 0.3) * (rows - 13.5) < position
    kept = np.where(is_left == keep_left, ink, 0)
    # a cut that slants as the digit does may leave nothing
    return kept if (kept > 0.5).any() else cut_off(ink, random_generator)


def beside(left, right, random_generator):
    """Two inks, (height, width) each, in one; the right one is moved left until they touch."""
    size = random_generator.integers(22, 34)
    right = resize(right, (size, size))
    room = len(left) + 8 - size
    top = np.clip(room // 2 + random_generator.integers(-3, 4), 0, room)
    left = np.pad(left, ((4, 4), (0, 0)))
    right = np.pad(right, ((top, room - top), (0, 0)))
    # in each row, where the left one ends and the right one starts
    end = ((left > 0.5) * np.arange(1, left.shape[1] + 1)).max(axis=1)
    start = np.where((right > 0.5).any(axis=1), (right > 0.5).argmax(axis=1), 99)
    shift = max(0, (ndimage.maximum_filter1d(end, 3) - start).max() - random_generator.integers(3))
    ink = np.pad(left, ((0, 0), (0, max(0, shift + size - left.shape[1]))))
    ink[:, shift : shift + size] = np.maximum(ink[:, shift : shift + size], right)
    return ink


def drawn(strokes, random_generator):
    """Strokes, each (n, 2) points x and y in a unit square, drawn by a shaky pen: (128, 128)."""
    image = Image.new("L", (128, 128))
    pen = ImageDraw.Draw(image)
    width = int(random_generator.choice([2, 3, 4, 5, 6, 8, 10, 12, 15]))
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


def printed(text, random_generator):
    """A text, its typeface, width, slant and thickness of strokes chosen at random: (160, 160)."""
    typeface = random_generator.choice(TYPEFACES)
    font = ImageFont.truetype(str(FOLDER / f"{typeface}.ttf"), 80)
    image = Image.new("L", (160, 160))
    options = {"stroke_width": int(random_generator.integers(0, 5)), "anchor": "mm"}
    ImageDraw.Draw(image).text((80, 80), text, 255, font, **options)
    slant, width = random_generator.uniform([-0.2, 0.8], [0.2, 1.4])
    matrix = (width, slant, 80 - 80 * (width + slant), 0, 1, 0)
    image = image.transform(image.size, Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR)
    return np.asarray(image, np.float32) / 255


def rewritten(ink, random_generator):
    """Ink as if written with another pen: its strokes 1 to 20 % as thick as it is long."""
    top, bottom, left, right = box_of(ink)
    ink = ink[top:bottom, left:right]
    shape = [max(1, round(80 * side / max(ink.shape))) for side in ink.shape]
    ink = np.pad(resize(ink, shape), 10)
    # the middle of a stroke is where the distance to its edge has a ridge
    distance = ndimage.distance_transform_edt(ink > 0.5)
    is_middle = ndimage.gaussian_laplace(distance, 1.5) < -0.25
    distance = ndimage.distance_transform_edt(~is_middle)
    radius = random_generator.uniform(0.6, 2.7) ** 2
    return np.clip(radius + 0.5 - distance, 0, 1).astype(np.float32)


# The number of images of each kind, and the share of them that is written with another pen.
KINDS = {
    pick: (8000, 1),
    drawn_character: (18800, 0),
    printed_digit: (3000, 0.3),
    printed_symbol: (5000, 0.5),
    scribble: (4000, 0),
    dot: (500, 0),
    touching: (5000, 0.5),
    part: (4000, 0.3),
}
