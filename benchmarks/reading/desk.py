"""Photographs of a sheet of paper on a desk, taken with a hand-held phone, for pages.py."""

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter
from scipy import ndimage
from skimage.transform import AffineTransform, estimate_transform

from benchmarks.reading.paper import across, darkened, jpeg


def photograph(sheet, number, random):
    """A sheet, an image, on a dark, wooden or grey desk by its number: a page in colours."""
    size, corners = framed(sheet.size, random)
    picture = desk_top(number, size, random)
    rectangle = np.array([(0, 0), (1, 0), (1, 1), (0, 1)]) * sheet.size
    matrix = estimate_transform("projective", corners, rectangle).params
    perspective = Image.Transform.PERSPECTIVE, (matrix / matrix[2, 2]).ravel()[:8]
    sheet = sheet.convert("RGBA").transform(size, *perspective, Image.Resampling.BICUBIC)
    shadow = ImageChops.offset(sheet.getchannel("A"), max(size) // 150)
    shadow = shadow.filter(ImageFilter.BoxBlur(max(size) // 150)).point(lambda value: 0.6 * value)
    picture.paste("black", mask=shadow)
    picture.paste(sheet, mask=sheet)
    picture = picture.filter(ImageFilter.GaussianBlur(max(size) / 2500 * random.uniform(0.4, 1.2)))
    # light that falls off to one side, and the soft shadow of a hand or a phone
    flat = np.ones((picture.height, picture.width), np.float32)
    shade = random.uniform(0, 0.45) / (1 + np.exp(-across(flat, random) / 0.05))
    light = np.float32((1 - shade) * darkened(flat, random))
    cast = random.uniform(0.92, 1, 3).astype(np.float32)
    pixels = np.asarray(picture) / np.float32(255) * light[..., None] * cast
    noise = random.standard_normal((*flat.shape, 1), np.float32)
    return jpeg(pixels + np.float32(random.uniform(0, 0.025)) * noise, random, 60)


def framed(sheet_size, random):
    """The size of a photograph of a sheet, and the sheet's corners (4, 2) in it."""
    turn = AffineTransform(rotation=random.normal(0, 0.09)).params[:2, :2]
    corners = np.array(sheet_size) / max(sheet_size) * [(-1, -1), (1, -1), (1, 1), (-1, 1)] @ turn
    corners /= 1 + corners @ random.normal(0, (0.03, 0.08))[:, None]  # the far side is smaller
    corners -= corners.min(axis=0)
    corners *= min(random.uniform(0.6, 1.2) * max(sheet_size), 3000) / corners.max()
    margins = random.uniform(-0.02, 0.3, (2, 2)) * corners.max(axis=0)
    size = corners.max(axis=0) + margins.sum(axis=0)
    return tuple(map(int, size)), corners + margins[0]


def desk_top(number, size, random):
    """The top of a desk with a pen on it: an image of a size (width, height)."""
    colour, contrast, grain = (
        (random.uniform(20, 60) * random.uniform(0.85, 1.15, 3), 0.1, 1),
        (random.choice([(150, 85, 35), (190, 140, 90)]), 0.1, (1.5, 120)),
        (random.uniform(90, 160) * random.uniform(0.9, 1.1, 3), 0.04, 1.5),
    )[number % 3]
    pattern = random.standard_normal((size[1] // 2, size[0] // 2), np.float32)
    pattern = ndimage.gaussian_filter(pattern, grain)
    pattern = 1 + contrast * pattern / pattern.std()
    pixels = np.clip(pattern[..., None] * colour, 0, 255).astype(np.uint8)
    picture = Image.fromarray(pixels).resize(size)
    ends = random.choice([0, 1], 2) * size, random.uniform(0.2, 0.8, 2) * size
    colour = tuple(map(int, random.uniform(20, 200) * random.uniform(0.8, 1.2, 3)))
    ImageDraw.Draw(picture).line([*np.ravel(ends)], colour, max(size) // 33)
    return picture
