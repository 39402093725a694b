import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from handwriting.normalise import normalise


@pytest.mark.parametrize("shape", [(200, 40), (60, 300), (20, 20), (7, 5)])
def test_normalise_scales_the_longer_side_to_20_and_keeps_the_aspect(shape):
    ink = np.pad(np.ones(shape, np.float32), ((3, 90), (50, 8)))
    image = normalise(ink)
    assert image.shape == (28, 28) and image.dtype == np.uint8 and image.max() == 255
    height, width = (image / 255).max(1).sum(), (image / 255).max(0).sum()
    assert max(height, width) == pytest.approx(20, abs=0.5)
    assert height / width == pytest.approx(shape[0] / shape[1], rel=0.15)
    assert np.abs(np.subtract(ndimage.center_of_mass(image), 14)).max() <= 0.5


def test_normalise_gives_back_what_mnist_made(mnist):
    images = mnist[0][:200]
    for scale in (1, 3, 8):
        size = (28 * scale, 28 * scale)
        large = [Image.fromarray(image).resize(size, Image.Resampling.NEAREST) for image in images]
        again = [normalise(np.float32(image) / 255) for image in large]
        difference = np.abs(np.subtract(again, images, dtype=float)).mean((1, 2))
        assert np.median(difference) < 6  # of 255; a digit moved by a pixel differs by about 25
