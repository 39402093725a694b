"""Photographs of a sheet of paper on a desk, taken with a hand-held phone, for pages.py.

All pictures are Pillow images of mode RGB, masks of mode L.
"""

import io

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter
from scipy import ndimage
from skimage.transform import estimate_transform

from benchmarks.reading.ink import printed

SIDES = 1500, 4000  # least and greatest, of the longer side of a photograph, in pixels
SURFACES = "dark", "wooden", "grey"
BICUBIC = Image.Resampling.BICUBIC


def photograph(sheet, surface, random):
    """A sheet on a desk with a surface as a JPEG file of a phone: an io.BytesIO."""
    size, corners = framed(sheet, random)
    picture = desk_top(surface, size, random)
    if random.random() < 0.5:
        add_clutter(picture, random)
    sheet = in_perspective(sheet.convert("RGBA"), corners, size)
    shadow = ImageChops.offset(sheet.getchannel("A"), max(size) // 150)
    shadow = shadow.filter(ImageFilter.BoxBlur(max(size) // 150)).point(lambda value: 0.6 * value)
    picture.paste("black", mask=shadow)
    picture.paste(sheet, mask=sheet)
    picture = picture.filter(ImageFilter.GaussianBlur(max(size) / 2500 * random.uniform(0.4, 1.2)))
    pixels = np.asarray(picture) * light(size, random)[..., None]
    pixels *= random.uniform(0.92, 1, 3)  # a cast of colour
    pixels += random.uniform(1, 6) * random.standard_normal((*pixels.shape[:2], 1), np.float32)
    file = io.BytesIO()
    picture = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
    picture.save(file, "JPEG", quality=int(random.integers(60, 95)))
    return file


def framed(sheet, random):
    """The size (width, height) of a photograph and where the corners (4, 2) of the sheet are in it.

    The sheet is turned and seen at a slant, and may reach beyond the picture a little.
    """
    angle = np.radians(random.normal(0, 5))
    turn = [[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]
    corners = np.array(sheet.size) / max(sheet.size) * [(-1, -1), (1, -1), (1, 1), (-1, 1)] @ turn
    corners /= 1 + corners @ random.normal(0, (0.04, 0.1))[:, None]  # the far side is smaller
    corners -= corners.min(axis=0)
    extent = corners.max(axis=0)
    sides = np.array([0.75, 1] if extent[1] > extent[0] else [1, 0.75])
    share = random.uniform(0.6, 1.03) * (sides / extent).min()
    # digits should not be much smaller than on the sheet
    longest = max(np.exp(random.uniform(*np.log(SIDES))), 0.4 * max(sheet.size) / share)
    size = np.rint(sides * min(longest, SIDES[1])).astype(int)
    corners *= share * max(size)
    return tuple(map(int, size)), corners + random.random(2) * (size - corners.max(axis=0))


def in_perspective(image, corners, size):
    """An image whose corners (4, 2) are moved to these places in a picture of a size."""
    width, height = image.size
    rectangle = np.array([(0, 0), (width, 0), (width, height), (0, height)])
    matrix = estimate_transform("projective", corners, rectangle).params
    coefficients = (matrix / matrix[2, 2]).ravel()[:8]
    return image.transform(size, Image.Transform.PERSPECTIVE, coefficients, BICUBIC)


def desk_top(surface, size, random):
    """The top of a desk: an image of a size (width, height)."""
    colour, contrast, grain = {
        "dark": (random.uniform(20, 60) * random.uniform(0.85, 1.15, 3), 0.1, 1),
        "wooden": (random.choice([(150, 85, 35), (190, 140, 90)]), 0.1, (1.5, 120)),
        "grey": (random.uniform(90, 160) * random.uniform(0.9, 1.1, 3), 0.04, 1.5),
    }[surface]
    pattern = random.standard_normal((size[1] // 2, size[0] // 2), np.float32)
    pattern = ndimage.gaussian_filter(pattern, grain)
    pattern = 1 + contrast * pattern / pattern.std()
    pixels = np.clip(pattern[..., None] * colour, 0, 255).astype(np.uint8)
    return Image.fromarray(pixels).resize(size)


def add_clutter(picture, random):
    """Add a cup or a pen at a corner, and faint letters anywhere, to a desk."""
    size, unit = np.array(picture.size), max(picture.size) / 100
    x, y = random.choice([0, 1], 2) * size + random.normal(0, 4 * unit, 2)
    draw, colour = (
        ImageDraw.Draw(picture),
        tuple(map(int, random.uniform(20, 200) * random.uniform(0.8, 1.2, 3))),
    )
    if random.random() < 0.5:
        draw.ellipse([x - 14 * unit, y - 14 * unit, x + 14 * unit, y + 14 * unit], colour)
    else:
        draw.line([x, y, *random.uniform(0.2, 0.8, 2) * size], colour, round(3 * unit))
    ink = printed("Made in Norway", "DejaVuSans-Bold", int(unit * random.uniform(1.5, 4)))
    letters = Image.fromarray(np.uint8(100 * ink)).rotate(random.uniform(0, 360), expand=True)
    place = random.uniform(0, 0.9, 2) * size
    picture.paste((30, 30, 30), tuple(map(int, place)), letters)


def light(size, random):
    """Light that falls off to one side, with the soft shadow of a hand or a phone: from 0 to 1."""
    y, x = (np.indices(size[::-1]) / max(size)).astype(np.float32)
    angle, turn = random.uniform(0, 2 * np.pi, 2)
    away = np.cos(angle) * x + np.sin(angle) * y
    brightness = 1 - random.uniform(0.05, 0.5) * (away - away.min()) / np.ptp(away)
    edge = np.cos(turn) * (x - random.uniform(0.2, 0.8)) + np.sin(turn) * (y - 0.5)
    return brightness * (1 - random.uniform(0, 0.45) / (1 + np.exp(-edge / 0.05)))
