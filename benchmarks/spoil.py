"""From ink to a page, and what happens to pages, for pages.py.

A page is (height, width) float64, from 0 (black) to 1. What happens to it is a function of the page
and a random generator.
"""

import io

import numpy as np
from PIL import Image
from scipy import ndimage

PAPER, INK = 0.9, 0.15  # grey values, from 0 (black) to 1


def page(ink, margin=30, paper=PAPER, pen=INK):
    """A page (height, width) or, with colours (3,) for paper and pen, (height, width, 3)."""
    ink = np.pad(ink, margin)
    if np.ndim(paper):
        ink = ink[..., None]
    return paper + (np.asarray(pen) - paper) * ink


def as_image(page):
    """A page as a Pillow image."""
    return Image.fromarray(np.rint(255 * np.clip(page, 0, 1)).astype(np.uint8))


def centred(page, random):
    return page


def off_centre(page, random):
    """Extended by up to half its side at each border."""
    return np.pad(page, random.integers(0, len(page) // 2, (2, 2)), constant_values=PAPER)


def inverted(page, random):
    return 1 - page


def darkened(page, random):
    """Light that falls by up to 70% from one side of the page to the other."""
    y, x = (np.indices(page.shape) + 0.5) / max(page.shape) - 0.5
    angle = random.uniform(0, 2 * np.pi)
    away = (np.cos(angle) * x + np.sin(angle) * y) / np.sqrt(2) + 0.5
    return page * (1 - random.uniform(0.3, 0.7) * away)


def noisy(page, random):
    """Normal noise with a standard deviation of 0.1."""
    return page + random.normal(0, 0.1, page.shape)


def jpeg(page, random):
    """JPEG at quality 20 of 100."""
    file = io.BytesIO()
    as_image(page).save(file, "JPEG", quality=20)
    return np.asarray(Image.open(file)) / 255


def everything(page, random):
    page = darkened(off_centre(page, random), random)
    if random.random() < 0.5:
        page = inverted(page, random)
    return jpeg(page + random.normal(0, 0.05, page.shape), random)


def tilted(page, random):
    """Turned by up to 10 degrees."""
    return ndimage.rotate(page, random.uniform(-10, 10), order=1, cval=PAPER)


def shadow(page, random):
    """A shadow with a hard edge through the middle."""
    angle = random.uniform(0, 2 * np.pi)
    y, x = (np.indices(page.shape).T - np.array(page.shape) / 2).T
    return np.where(np.cos(angle) * x + np.sin(angle) * y > 0, 0.4 * page, page)


def beam(page, random):
    """In the shade, but for a beam of light with hard edges."""
    angle = random.uniform(0, 2 * np.pi)
    y, x = (np.indices(page.shape).T - np.array(page.shape) / 2).T
    distance = np.abs(np.cos(angle) * x + np.sin(angle) * y) / max(page.shape)
    return np.where(distance > random.uniform(0.05, 0.25), 0.35 * page, page)


def held_askew(page, random):
    """Turned by 8 to 12 degrees to either side."""
    angle = random.choice([-1, 1]) * random.uniform(8, 12)
    return ndimage.rotate(page, angle, order=1, mode="nearest", reshape=False)


def turned(page, random):
    """Turned by one to three quarters."""
    return np.rot90(page, random.integers(1, 4))


def table(page, random):
    """A dark table at two borders, a little askew."""
    page = np.pad(page, ((40, 0), (60, 0)), constant_values=PAPER)
    y, x = np.indices(page.shape)
    bent = random.uniform(-0.05, 0.05, 2)
    return np.where((y < 25 + bent[0] * x) | (x < 40 + bent[1] * y), 0.2, page)


def specks(page, random):
    """Twenty dark specks of 4 x 4 pixels in the margins."""
    page = np.pad(page, 40, constant_values=PAPER)
    for y, x in random.integers(0, (40, page.shape[1] - 4), (20, 2)):
        page[y : y + 4, x : x + 4] = 0.2
    return page
