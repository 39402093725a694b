"""Ink that isn't digits: symbols, drawings, scribbles and printed words.

The network was trained on none of these typefaces, symbols and drawings (beyond_mnist.py).
"""

import numpy as np
from matplotlib import get_data_path
from PIL import Image, ImageDraw, ImageFont

from benchmarks.reading.paper import stacked
from benchmarks.reading.writer import CIRCLE, drawn
from handwriting.beyond_mnist import to_strokes

FACES = [f"DejaVuSerif{style}" for style in ("", "-Bold", "-Italic", "-BoldItalic")]
FACES += [f"STIXGeneral{style}" for style in ("", "Bol", "Italic", "BolIta")]
SYMBOLS = list("ΓΔΠΣΦΨαγλμπφψωДЖИЙФЦШЩЮЯ¥€£©®±‡ÆŒþ")  # all of them unlike digits
WORDS = """account address amount answer bank birth black city class colour country customer date
    delivery desk door email family garden hour invoice kitchen letter meter minute month name
    number office order page paper phone price quantity reading signature street table total"""
DRAWINGS = {
    "house": to_strokes("0,100 0,40 50,0 100,40 100,100 0,100 / 40,100 40,60 60,60 60,100"),
    "sun": [0.5 * CIRCLE + 0.25, *np.stack([CIRCLE[::5], 0.65 * CIRCLE[::5] + 0.175], axis=1)],
    "face": [CIRCLE, CIRCLE / 10 + 0.3, CIRCLE / 10 + (0.6, 0.3), *to_strokes("30,70 50,80 70,70")],
    "arrow": to_strokes("0,50 100,50 / 60,20 100,50 60,80"),
    "boat": to_strokes("0,70 20,100 80,100 100,70 0,70 / 50,70 50,0 85,55 50,55"),
    "fish": [0.6 * CIRCLE * (1, 0.7) + (0, 0.3), *to_strokes("60,50 100,20 100,80 60,50")],
}


def symbol(random):
    """A symbol of a typeface, a little thickened."""
    size, thickening = map(int, random.integers((50, 0), (100, 3)))
    return printed(random.choice(SYMBOLS), random.choice(FACES), size, thickening)


def drawing(random):
    """A drawing of something, wide or narrow and a little turned."""
    angle, scale = random.uniform(-0.15, 0.15), random.uniform(70, 110, 2)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    lines = DRAWINGS[random.choice(list(DRAWINGS))]
    lines = [80 + (points - 0.5) * scale @ turn for points in lines]
    return drawn(lines, random.uniform(4, 11), 160)


def scribble(random):
    """A smooth curve: the sum of five vibrations of random phases along each axis."""
    time, vibrations = np.linspace(0, 1, 500)[:, None, None], np.arange(2, 7)
    phases = random.uniform(0, 2 * np.pi, (2, 5))
    curve = (np.sin(vibrations * 4 * time + phases) / np.sqrt(vibrations)).sum(axis=2)
    curve -= curve.min(axis=0)
    scale = random.uniform(70, 110, 2)
    return drawn([25 + curve / curve.max(axis=0) * scale], random.uniform(4, 11), 160)


def words(random, lines, counts, sizes):
    """Printed words: ranges of the number of lines, of words in one, and of the size in pixels."""
    face, size, inks = random.choice(FACES), int(random.integers(*sizes)), []
    for _ in range(random.integers(*lines)):
        text = " ".join(random.choice(WORDS.split(), random.integers(*counts)))
        inks.append(printed(text.capitalize(), face, size))
    return stacked(inks, size // 2)


def printed(text, face, size, thickening=0):
    """A text in a typeface of matplotlib's, as ink that fits tightly; size: in pixels."""
    font = ImageFont.truetype(f"{get_data_path()}/fonts/ttf/{face}.ttf", size)
    left, top, right, bottom = map(int, font.getbbox(text, stroke_width=thickening))
    image = Image.new("L", (right - left, bottom - top))
    ImageDraw.Draw(image).text((-left, -top), text, 255, font, stroke_width=thickening)
    return np.asarray(image, np.float32) / 255
