"""Digits and non-digits that the handwriting network was not trained on, for pages.py.

It shares no typeface, symbol or shape with the training images of handwriting/beyond_mnist.py. Each
function makes one: its ink (height, width) float32, 0 to 1, and its label, NO_DIGIT for what is
none.
"""

import functools
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from model import NO_DIGIT

FACES = [f"DejaVuSerif{style}" for style in ("", "-Bold", "-Italic", "-BoldItalic")]
FACES += [f"STIXGeneral{style}" for style in ("", "Bol", "Italic", "BolIta")]
SYMBOLS = list("ΓΔΠΣΦΨαγλμπφψωДЖИЙФЦШЩЮЯ¥€£©®±‡ÆŒþ")  # all of them unlike digits
WORDS = (
    "account address amount answer bank birth black city class colour country customer date "
    "delivery desk door email family garden home hour invoice kitchen letter meter minute "
    "month name number office order page paper phone postcode price quantity reading room "
    "school signature street summer table telephone ticket total water week white winter year"
)
ANGLES = np.linspace(0, 2 * np.pi, 41)
CIRCLE = 0.5 + 0.5 * np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1)


def line(points):
    """The points "x,y" of a line, in a square of 100 x 100, in a unit square: (n, 2) float64."""
    return np.array([point.split(",") for point in points.split()], float) / 100


DRAWINGS = {
    "house": [line("0,100 0,40 50,0 100,40 100,100 0,100"), line("40,100 40,60 60,60 60,100")],
    "sun": [0.5 * CIRCLE + 0.25, *np.stack([CIRCLE[::5], 0.65 * CIRCLE[::5] + 0.175], axis=1)],
    "face": [CIRCLE, 0.1 * CIRCLE + 0.3, 0.1 * CIRCLE + (0.6, 0.3), line("30,70 50,80 70,70")],
    "cup": [line("0,20 10,100 70,100 80,20 0,20"), line("78,35 100,40 95,70 73,75")],
    "arrow": [line("0,50 100,50"), line("60,20 100,50 60,80")],
    "boat": [line("0,70 20,100 80,100 100,70 0,70"), line("50,70 50,0 85,55 50,55")],
    "spiral": [0.5 + (CIRCLE - 0.5) * ANGLES[:, None] / 6, line("100,50 20,10 0,80")],
    "umbrella": [line("0,50 15,15 50,0 85,15 100,50 0,50"), line("50,50 50,90 40,100 30,90")],
    "stick figure": [
        0.3 * CIRCLE + (0.35, 0),
        line("50,30 50,65"),
        line("10,45 90,45"),
        line("20,100 50,65 80,100"),
    ],
    "tick": [line("0,60 35,100 100,0")],
    "tree": [line("50,100 50,0"), line("10,40 50,70 90,40"), line("20,10 50,40 80,10")],
    "envelope": [line("0,10 100,10 100,90 0,90 0,10 50,50 100,10")],
    "flash": [line("60,0 20,55 70,45 30,100")],
    "ladder": [line("20,0 20,100"), line("80,0 80,100"), line("20,30 80,30"), line("20,70 80,70")],
    "fish": [0.6 * CIRCLE * (1, 0.7) + (0, 0.3), line("60,50 100,20 100,80 60,50")],
}


def printed(text, random_generator):
    """A character of a random typeface, turned by up to 8 degrees and a little thickened."""
    image = Image.new("L", (160, 160))
    face = font(random_generator.choice(FACES), int(random_generator.integers(50, 100)))
    thickening = int(random_generator.integers(0, 3))
    ImageDraw.Draw(image).text((80, 80), text, 255, face, anchor="mm", stroke_width=thickening)
    image = image.rotate(random_generator.uniform(-8, 8), Image.Resampling.BICUBIC)
    return np.asarray(image, np.float32) / 255


@functools.cache
def font(face, size):
    """A typeface of matplotlib's at a size in pixels, by the name of its file."""
    path = Path(matplotlib.get_data_path(), "fonts", "ttf", f"{face}.ttf")
    return ImageFont.truetype(str(path), size)


def printed_words(count, face, size, random_generator):
    """A number of random words in a typeface, as ink that fits tightly."""
    text = " ".join(random_generator.choice(WORDS.split(), count)).capitalize()
    left, top, right, bottom = font(face, size).getbbox(text)
    image = Image.new("L", (right - left, bottom - top))
    ImageDraw.Draw(image).text((-left, -top), text, 255, font(face, size))
    return np.asarray(image, np.float32) / 255


def printed_digit(images, labels, random_generator):
    label = random_generator.integers(10)
    return printed(str(label), random_generator), label


def printed_symbol(images, labels, random_generator):
    return printed(random_generator.choice(SYMBOLS), random_generator), NO_DIGIT


def drawn(lines, random_generator):
    """Lines of points (x, y) drawn by a round pen, wide or narrow and a little turned."""
    image = Image.new("L", (160, 160))
    pen = ImageDraw.Draw(image)
    width = int(random_generator.integers(4, 12))
    angle, scale = random_generator.uniform(-0.15, 0.15), random_generator.uniform(70, 110, 2)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    for line in lines:
        points = 80 + (np.asarray(line) - 0.5) * scale @ turn
        knots = np.arange(len(points))
        for time in np.linspace(0, len(points) - 1, 50 * len(points)):
            x, y = (np.interp(time, knots, coordinate) for coordinate in points.T)
            pen.ellipse((x - width / 2, y - width / 2, x + width / 2, y + width / 2), 255)
    return np.asarray(image, np.float32) / 255


def drawing(images, labels, random_generator):
    lines = DRAWINGS[random_generator.choice(list(DRAWINGS))]
    return drawn(lines, random_generator), NO_DIGIT


def scribble(images, labels, random_generator):
    """A smooth curve: the sum of five vibrations of random phases along each axis."""
    time, vibrations = np.linspace(0, 1, 60)[:, None, None], np.arange(2, 7)
    phases = random_generator.uniform(0, 2 * np.pi, (2, 5))
    curve = (np.sin(vibrations * 4 * time + phases) / np.sqrt(vibrations)).sum(axis=2)
    curve -= curve.min(axis=0)
    return drawn([curve / curve.max(axis=0)], random_generator), NO_DIGIT
