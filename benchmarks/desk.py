"""Photographs of a sheet of paper on a desk, taken with a hand-held phone, for pages.py.

All pictures are Pillow images of mode RGB, masks of mode L.
"""

import io

import numpy as np
from matplotlib import get_data_path
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont
from scipy import ndimage

SIZES = 1500, 4000  # pixels of the longer side
PRINTS = ["MOUSE PAD", "KEYBOARD", "Made in Norway", "PRESS", "desk", "OFFICE & HOME", "Enter"]


def photograph(sheet, desk, random):
    """A sheet on a desk ("dark", "wooden" or "grey") as a JPEG file of a phone: an io.BytesIO."""
    size, corners = framed(sheet, random)
    picture = surface(desk, size, random)
    for clutter in (neighbour, print_on_desk):
        if random.random() < 0.4:
            clutter(picture, random)
    shape = Image.new("L", sheet.size, 255)
    sheet, shape = (in_perspective(image, corners, size) for image in (sheet, shape))
    small = size[0] // 8, size[1] // 8
    below = ImageChops.offset(shape.resize(small), *map(int, random.integers(-2, 5, 2)))
    below = below.filter(ImageFilter.GaussianBlur(3)).point(lambda value: 255 - 0.6 * value)
    picture = multiplied(picture, below)
    picture.paste(sheet, mask=shape)
    picture = multiplied(picture, light(small, random))
    blur = max(size) / 2500 * random.uniform(0.4, 1.2)
    return developed(picture.filter(ImageFilter.GaussianBlur(blur)), random)


def framed(sheet, random):
    """The size (width, height) of a photograph and where the corners (4, 2) of the sheet are in it.

    The camera is 1.1 to 2 heights of the sheet away and tilted by up to 30 degrees.
    """
    half = np.array(sheet.size) / max(sheet.size)
    corners = half * [(-1, -1), (1, -1), (1, 1), (-1, 1)]
    turn, pitch, yaw = np.radians(random.normal(0, (5, 15, 6))).clip(-0.5, 0.5)
    corners = corners @ [[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]
    depth = 1 + corners @ [np.sin(yaw), np.sin(pitch)] / random.uniform(2.2, 4)
    corners = corners * [np.cos(yaw), np.cos(pitch)] / depth[:, None]
    low, high = corners.min(axis=0), corners.max(axis=0)
    sides = np.array([random.choice([9 / 16, 3 / 4, 3 / 4]), 1])
    sides = sides if high[1] - low[1] > high[0] - low[0] else sides[::-1]
    share = random.uniform(0.6, 1.03) * (sides / (high - low)).min()
    # digits should not be much smaller than on the sheet
    longest = max(np.exp(random.uniform(*np.log(SIZES))), 0.4 * max(sheet.size) / share)
    size = np.rint(sides * min(longest, SIZES[1])).astype(int)
    corners = (corners - (low + high) / 2) * share * max(size)
    room = (size - np.ptp(corners, axis=0)) / 2
    return tuple(map(int, size)), corners + size / 2 + random.uniform(-1, 0.95, 2) * room


def in_perspective(image, corners, size):
    """An image whose corners (4, 2) are moved to these places in a picture of a size."""
    width, height = image.size
    equations, values = [], []
    for (x, y), (u, v) in zip(corners, [(0, 0), (width, 0), (width, height), (0, height)]):
        equations += [(x, y, 1, 0, 0, 0, -u * x, -u * y), (0, 0, 0, x, y, 1, -v * x, -v * y)]
        values += [u, v]
    coefficients = np.linalg.solve(equations, values)
    return image.transform(
        size, Image.Transform.PERSPECTIVE, coefficients, Image.Resampling.BICUBIC
    )


def surface(desk, size, random):
    """The top of a desk: an image of a size (width, height)."""
    height, width = size[1] // 2, size[0] // 2
    pattern = random.normal(size=(height, width)).astype(np.float32)
    if desk == "wooden":
        colour, contrast = random.choice([(150, 85, 35), (190, 140, 90), (110, 70, 45)]), 0.1
        waves = ndimage.gaussian_filter(random.normal(size=(height // 8, width // 8)), (12, 25))
        waves = np.asarray(Image.fromarray(waves).resize((width, height)))
        y = np.arange(height)[:, None] + 40 * waves / waves.std()
        grain = ndimage.gaussian_filter1d(random.normal(size=4 * height), 2)
        grain += 2 * ndimage.gaussian_filter1d(random.normal(size=4 * height), 15)
        pattern = grain[np.clip(y.astype(int) + height, 0, 4 * height - 1)]
        pattern += 0.3 * ndimage.gaussian_filter(random.normal(size=(height, width)), (0.5, 20))
    elif desk == "dark":
        colour, contrast = random.uniform(20, 60) * random.uniform(0.85, 1.15, 3), 0.1
        pattern = ndimage.gaussian_filter(pattern, 1)
    else:
        colour, contrast = random.uniform(90, 160) * random.uniform(0.92, 1.08, 3), 0.04
        pattern = ndimage.gaussian_filter(pattern, 1.5)
    pattern = 1 + contrast * pattern / pattern.std()
    pixels = np.clip(pattern[..., None] * np.asarray(colour), 0, 255).astype(np.uint8)
    image = Image.fromarray(pixels).resize(size)
    return image.rotate(90, expand=True).resize(size) if random.random() < 0.5 else image


def neighbour(picture, random):
    """A pen, a cup or a book that reaches into the picture."""
    width, height = picture.size
    shape = Image.new("L", (width // 4, height // 4))
    unit = max(shape.size) / 100
    x, y = random.choice([0, 1], 2) * shape.size + random.normal(0, 4 * unit, 2)
    box = [x - 14 * unit, y - 14 * unit, x + 14 * unit, y + 14 * unit]
    draw = ImageDraw.Draw(shape)
    kind = random.integers(3)
    if kind == 0:
        draw.ellipse(box, 255)
    elif kind == 1:
        draw.rounded_rectangle(box, 2 * unit, 255)
    else:
        end = x + random.normal(0, 15 * unit), shape.size[1] / 2 + random.normal(0, 20 * unit)
        draw.line([x, y, *end], 255, round(3 * unit))
    colour = random.uniform(20, 200) + random.uniform(-20, 20, 3)
    colour = tuple(map(int, colour))
    shape = shape.filter(ImageFilter.GaussianBlur(1))
    picture.paste(
        tuple(map(int, colour)), mask=shape.resize(picture.size, Image.Resampling.BICUBIC)
    )


def print_on_desk(picture, random):
    """Faint letters near a border of the picture."""
    text, side = random.choice(PRINTS), max(picture.size)
    font = ImageFont.truetype(
        f"{get_data_path()}/fonts/ttf/DejaVuSans-Bold.ttf", side * random.uniform(0.015, 0.04)
    )
    letters = Image.new("L", (side // 2, side // 2))
    centre = side // 4, side // 4
    ImageDraw.Draw(letters).text(centre, text, int(random.integers(60, 160)), font, "mm")
    letters = letters.rotate(random.uniform(0, 360), Image.Resampling.BICUBIC)
    corner = random.choice([0.05, 0.95], 2) * picture.size - np.array(centre)
    shade = int(random.choice([30, 200]))
    picture.paste((shade,) * 3, tuple(map(int, corner)), letters)


def light(size, random):
    """Light that falls off to one side, with the soft shadow of a hand or a phone: mode L."""
    y, x = np.indices(size[::-1]) / max(size)
    angle, turn = random.uniform(0, 2 * np.pi, 2)
    away = np.cos(angle) * x + np.sin(angle) * y
    away = (away - away.min()) / np.ptp(away)
    brightness = 1 - random.uniform(0.05, 0.5) * away
    edge = np.cos(turn) * (x - random.uniform(0.2, 0.8)) + np.sin(turn) * (y - 0.5)
    soft = random.uniform(0.02, 0.1)
    brightness *= 1 - random.uniform(0, 0.45) / (1 + np.exp(-edge / soft))
    ripples = ndimage.gaussian_filter(random.normal(size=x.shape), max(size) / 12)
    brightness *= 1 + 0.03 * ripples / ripples.std()
    return Image.fromarray(np.uint8(np.clip(255 * brightness, 0, 255)))


def multiplied(picture, brightness):
    """A picture in a light: an image of mode L, of any size."""
    brightness = brightness.resize(picture.size, Image.Resampling.BICUBIC)
    return ImageChops.multiply(picture, Image.merge("RGB", [brightness] * 3))


def developed(picture, random):
    """A picture as a JPEG file of a phone, with noise and a cast of colour."""
    noise = random.standard_normal((picture.height, picture.width, 1), np.float32)
    pixels = np.asarray(picture) * random.uniform(0.92, 1, 3).astype(np.float32)
    pixels += np.float32(random.uniform(1, 6)) * noise
    pixels = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
    file = io.BytesIO()
    pixels.save(file, "JPEG", quality=int(random.integers(60, 95)))
    return file
