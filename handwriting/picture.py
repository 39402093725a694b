"""From a picture file to a grey picture, upright, neither large nor tiny; scaling; JPEG files."""

import contextlib
import io
import warnings

import numpy as np
from PIL import Image, ImageOps, ImageStat, UnidentifiedImageError
from scipy import ndimage

from files import UserError

NOISE = 8  # of 255, about the largest difference between pixels of blank paper in a JPEG file
SMALLEST_SIZE = 64  # a picture is enlarged until its longer side has so many pixels, at least
FORMATS = ["PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF", "PPM"]
HEIC = {".heic", ".heif"}  # what iPhones save
HEIC_KINDS = (b"hei", b"hev", b"mif", b"msf")
with contextlib.suppress(ImportError):
    import pillow_heif

    pillow_heif.register_heif_opener()
    FORMATS.append("HEIF")


def load_picture(path, size):
    """Load a picture file; its longer side is reduced to about `size` pixels or enlarged to 64.

    Both by a whole number: to 0.75 to 1.5 times `size`, or to at least 64 pixels. Returns a grey
    picture (height, width) float32, from 0 (black) to 1 (white), upright; the length of one of its
    pixels in pixels of the file; and the number of pages in the file, of which this is the first.
    Raises UserError if it can't be read or has over 89 megapixels, which Pillow takes for an
    attack.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about faults in a file that don't touch its pixels
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image, factor, pages = decode(path, size)
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise UserError("more than 89 megapixels; make the picture smaller") from None
    except UnidentifiedImageError:
        raise UserError(advice(path)) from None
    except IsADirectoryError:
        raise UserError("a folder without pictures") from None
    except MemoryError:
        raise
    except OSError as error:
        raise UserError(error.strerror or error) from error
    except Exception as error:  # a damaged picture makes Pillow fail in ways nobody can list
        raise UserError(f"a damaged picture ({error or type(error).__name__})") from error
    picture = to_grey(image)
    enlarge = -(-SMALLEST_SIZE // max(picture.shape))
    if enlarge > 1:  # pixels as squares, softened: strokes that touch at corners stay connected
        picture = np.kron(picture, np.ones((enlarge, enlarge), np.float32))
        picture = ndimage.gaussian_filter(picture, enlarge / 3, mode="nearest")
    return np.clip(picture, 0, 1), factor / enlarge, pages


def advice(path):
    """What to do about a file, a path or a file object, of no known format, by its first bytes."""
    with contextlib.nullcontext(path) if hasattr(path, "read") else open(path, "rb") as file:
        file.seek(0)
        start = file.read(12)
    kind = start[8:11] if start[4:8] == b"ftyp" else None  # as HEIC, MP4 and QuickTime begin
    if kind in HEIC_KINDS and "HEIF" not in FORMATS:
        return "HEIC needs another package: pip install pillow-heif"
    if start[:4] == b"%PDF":
        return "a PDF; save its page as a PNG or JPEG"
    is_video = kind not in (None, *HEIC_KINDS, b"avi", b"crx")  # AVIF, a Canon camera's pictures
    if is_video or start[:4] == b"\x1aE\xdf\xa3" or start[8:] == b"AVI ":  # Matroska
        return "a video; take a photo, or save a frame as a PNG or JPEG"
    return f"not a picture in a format known here: {', '.join(FORMATS)}"


def decode(path, size):
    """The Pillow image in a file, upright, of mode RGB or F; its reduction and number of pages."""
    with Image.open(path, formats=FORMATS) as image:
        # the other pictures in a photo's file are previews and the like
        pages = 1 if image.format in ("MPO", "HEIF") else getattr(image, "n_frames", 1)
        longest = max(image.size)
        image.draft("RGB", (size, size))  # a JPEG is read at a smaller scale
        image.load()
        ImageOps.exif_transpose(image, in_place=True)
    mode = "RGBA" if image.has_transparency_data else "RGB"
    if image.mode.startswith(("I", "F")):  # 16 or 32 bits a pixel, or real numbers
        mode = "F"
    if image.mode != mode:  # convert would copy it anyway, up to 350 MB
        image = image.convert(mode)
    if mode == "RGBA":  # reduce would convert it and back itself, with one copy more
        image = image.convert("RGBa")
    image = image.reduce(max(1, round(max(image.size) / size)))
    if mode == "RGBA":
        image = on_paper(image.convert("RGBA")).convert("RGB")
    return image, longest / max(image.size), pages


def on_paper(image):
    """An RGBA image on the shade of its page or, if most of it is transparent, unlike the ink."""
    opacity = image.getchannel("A")
    is_dark = ImageStat.Stat(image.convert("L"), opacity).median[0] < 128
    is_page = ImageStat.Stat(opacity).mean[0] > 127
    paper = Image.new("RGBA", image.size, "black" if is_dark == is_page else "white")
    return Image.alpha_composite(paper, image)


def to_grey(image):
    """A Pillow image of mode RGB, or F of any range, as a picture (height, width) from 0 to 1."""
    if image.mode == "F":
        pixels = np.nan_to_num(np.asarray(image), posinf=0, neginf=0)
        return (pixels - pixels.min()) / max(np.ptp(pixels), np.float32(1e-30))
    pixels = np.asarray(image)
    # Mix the colours so that ink and paper differ most: by the first principal component of the
    # differences between pixels some way apart. It may weigh colours against each other.
    for step in (4, 1):  # thin strokes may lie between the pixels of a sample
        sample = pixels[::step, ::step].astype(np.float32)
        differences = np.diff(sample, axis=0).reshape(-1, 3)
        if (abs(differences) > NOISE).any():
            break
    shares = np.linalg.eigh(differences.T @ differences)[1][:, -1]
    shares *= np.copysign(1 / np.abs(shares).sum(), shares.sum())  # bright stays bright
    picture = np.full(pixels.shape[:2], -shares[shares < 0].sum(), np.float32)
    for channel, share in enumerate(shares):
        picture += pixels[..., channel] * np.float32(share / 255)
    return picture


def resize(image, shape, box=None):
    """Scale an image, (height, width) float32, to another shape, without aliasing.

    box: the part of it to scale (left, top, right, bottom), in pixels; by default all.
    """
    size = (shape[1], shape[0])
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.LANCZOS, box))


def as_jpeg(picture):
    """A grey picture (height, width) from 0 to 1 as a JPEG file: bytes."""
    file = io.BytesIO()
    Image.fromarray(np.rint(255 * picture).astype(np.uint8)).save(file, "JPEG")
    return file.getvalue()
