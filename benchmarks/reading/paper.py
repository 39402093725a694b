"""From ink to a page, and what happens to pages.

Ink is (height, width) float32, 0 on paper and 1 within strokes. A page is (height, width) or
(height, width, 3) floats, from 0 for black to 1 for white.
"""

import io

import numpy as np
from PIL import Image
from scipy import ndimage

PAPER, INK = 0.9, 0.15  # grey values, from 0 (black) to 1


def page(ink, margin=30, paper=PAPER, shade=INK):
    """A page of ink; paper, shade: the grey values of the paper and of the ink."""
    return paper + (shade - paper) * np.pad(ink, margin)


def as_image(page):
    """A page as a Pillow image."""
    return Image.fromarray(np.rint(255 * np.clip(page, 0, 1)).astype(np.uint8))


def stacked(inks, space):
    """Inks one below another, aligned on the left: (height, width)."""
    width = max(ink.shape[1] for ink in inks)
    return np.vstack([np.pad(ink, ((0, space), (0, width - ink.shape[1]))) for ink in inks])


def pasted(ink, part, top, left):
    """Add a part to ink in place, as far as it lies within."""
    target = ink[top : top + len(part), left : left + part.shape[1]]
    np.maximum(target, part[: len(target), : target.shape[1]], out=target)


def darkened(page, random):
    """Light that falls by up to 70% from one side of the page to the other."""
    away = across(page, random) / np.sqrt(2) + 0.5
    return page * (1 - random.uniform(0.3, 0.7) * away)


def shadow(page, random):
    """A shadow with a hard edge through the middle, or with two, beside a beam of light."""
    distance = across(page, random)
    if random.random() < 0.5:
        distance = np.abs(distance) - random.uniform(0.05, 0.25)
    return np.where(distance > 0, 0.4 * page, page)


def across(page, random):
    """How far each pixel is from the middle in a random direction, in longer sides of the page."""
    angle = random.uniform(0, 2 * np.pi)
    y, x = (np.indices(page.shape).T - np.array(page.shape) / 2).T / max(page.shape)
    return np.cos(angle) * x + np.sin(angle) * y


def jpeg(page, random, least=10):
    """JPEG at a quality of `least` to 95 of 100."""
    file = io.BytesIO()
    as_image(page).save(file, "JPEG", quality=int(random.integers(least, 96)))
    return np.asarray(Image.open(file), np.float32) / 255


def dotted(page, random):
    """A dotted line at the feet of the digits of one row."""
    y, x = np.indices(page.shape) / len(page)
    radius, distance = random.uniform((0.0045, 0.025), (0.009, 0.04))
    is_dot = np.hypot(x % distance - distance / 2, y - random.uniform(0.5, 0.54)) < radius
    return np.where(is_dot, INK, page)


def turned(page, random):
    """Turned by one to three quarters."""
    return np.rot90(page, random.integers(1, 4))


def held(page, random, least, most, lines=0):
    """A page held askew by some degrees to either side; lines: 1 for ruling, 2 for squares."""
    angle = random.choice([-1, 1]) * random.uniform(least, most)
    page = ndimage.rotate(page, angle, order=1, cval=PAPER)
    y, x = np.indices(page.shape) + random.integers(35, size=(2, 1, 1))
    slope = np.sin(np.radians(angle))
    for position in (y + slope * x, x - slope * y)[:lines]:
        page = np.where(position % 35 < 2, 0.7 * page, page)
    return page
