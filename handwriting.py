"""From a picture of handwriting to what the network knows: images like MNIST's.

People's digits are misread when they don't look like MNIST's, which were all cut out, scaled into
20 x 20 pixels and centred by mass in 28 x 28, white on black. So a picture goes this way:

    read_picture    file                ->  grey picture, at most about 1,800 pixels a side
    find_ink        grey picture        ->  how much ink each pixel holds; light and shadow are gone
    find_digits     ink                 ->  the digits in reading order, each with its box
    normalise       the ink of a digit  ->  28 x 28, as MNIST's images were made
"""

import sys
import warnings

import numpy as np
from scipy import ndimage

from files import UserError

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF", "PPM")
WORKING_SIZE = 1200  # pixels of the longer side, about, that a larger picture is reduced to
SMALLEST_SIZE = 64  # pixels of the longer side, at least, that a smaller picture is enlarged to
MOST_DIGITS = 100
FAINTEST_INK = 0.12  # how much darker than the paper, as a share, ink must be
NEIGHBOURS = np.ones((3, 3))  # pixels that touch at a corner belong together


def read_pictures(paths, read, doubtful_below, folder):
    """Read the digits in pictures, print them, and save what the network saw in a folder.

    read: function that turns images (n, 28, 28) uint8 into probabilities (n, 10). Returns the exit
    status: 1 if a picture can't be read or shows no digit.
    """
    answers, failures = [], 0
    for path in paths:
        try:
            picture, digits, boxes = read_digits(path)
        except UserError as error:
            print(f"error: {error}", file=sys.stderr)
            failures += 1
            continue
        if not len(digits):
            print(f"{path}: no digit found")
            failures += 1
            continue
        probabilities = read(digits)
        texts = digit_texts(probabilities, doubtful_below)
        numbers = " ".join(f"{probability:.2f}" for probability in probabilities.max(axis=1))
        print(f"{path}: {''.join(texts)}  ({numbers})", flush=True)
        answers.append((path, picture, digits, boxes, probabilities, texts))
    if answers:
        import plots  # after the answers, since matplotlib is slow to import

        figures = {"recognised.png": plots.plot_recognised(answers)}
        plots.save_figures(figures, folder)
        print(f"Saved what the network saw in {folder / 'recognised.png'}.")
    return 1 if failures else 0


def read_digits(path):
    """Read a picture file and find the digits in it.

    Returns the grey picture (height, width) float32, the digits (n, 28, 28) uint8 as MNIST's are,
    in reading order, and their boxes (n, 4) integers: top, bottom, left, right, in pixels of the
    grey picture. n is 0 if there is no digit. Raises UserError, naming the file, if it can't be
    read or is no picture of digits.
    """
    try:
        picture = read_picture(path)
        return picture, *find_digits(find_ink(picture))
    except UserError as error:
        raise UserError(f"{path}: {error}") from error


def read_picture(path):
    """Read a picture file: (height, width) float32, from 0 (black) to 1 (white), upright.

    Large pictures are reduced to about WORKING_SIZE. Raises UserError if it can't be read, or is
    so large that it is more likely an attack on the memory (Pillow's limit, 89 megapixels).
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings(), open(path, "rb") as file:
            warnings.simplefilter("ignore")  # about faults in a file that don't touch its pixels
            # raised before any pixel is read
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = decode(file)
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise UserError("more than 89 megapixels; make the picture smaller") from None
    except UnidentifiedImageError:
        raise UserError(f"not a picture in a format known here: {', '.join(FORMATS)}") from None
    except OSError as error:
        raise UserError(error.strerror or error) from error
    except Exception as error:  # a damaged picture makes Pillow fail in ways nobody can list
        raise UserError(f"a damaged picture ({error or type(error).__name__})") from error
    return to_grey(image)


def decode(file):
    """A picture file as a Pillow image, upright, its mode one of L, RGB, RGBA and F.

    What it raises if the picture is damaged is up to Pillow.
    """
    from PIL import Image, ImageOps

    image = Image.open(file, formats=FORMATS)
    image.draft("L", (WORKING_SIZE, WORKING_SIZE))  # a JPEG is read at a smaller scale
    image.load()
    ImageOps.exif_transpose(image, in_place=True)
    if image.mode.startswith(("I", "F")):  # 16 or 32 bits a pixel, or real numbers
        return image.convert("F")
    if image.has_transparency_data:
        return image.convert("RGBA")
    return image if image.mode == "RGB" else image.convert("L")


def to_grey(image):
    """An image from `decode` as (height, width) float32 from 0 to 1, reduced if large.

    What is transparent becomes paper: the colour of a page that is mostly opaque, and else, where
    the ink alone is opaque, black or white, whichever differs more from the ink.
    """
    image = image.reduce(max(1, round(max(image.size) / WORKING_SIZE)))
    if image.mode == "F":
        grey = np.nan_to_num(np.asarray(image), posinf=0, neginf=0)
        darkest, lightest = grey.min(), grey.max()
        grey = (grey - darkest) / max(lightest - darkest, np.float32(1e-30))
        return enlarged(grey)
    grey = np.asarray(image.convert("L"), np.float32) / 255
    if image.mode == "RGBA":
        opacity = np.asarray(image.getchannel("A"), np.float32) / 255
        opaque = grey[opacity > 0.5]
        if opaque.size:
            paper = np.median(opaque)
            if opaque.size < grey.size / 2:
                paper = paper < 0.5
            grey = paper + (grey - paper) * opacity
        else:
            grey = np.zeros_like(grey)
    return enlarged(grey.astype(np.float32))


def enlarged(picture):
    """A picture (height, width) enlarged so that its longer side has SMALLEST_SIZE, at least."""
    factor = -(-SMALLEST_SIZE // max(picture.shape))
    shape = [factor * side for side in picture.shape]
    return np.clip(resize(picture, shape), 0, 1) if factor > 1 else picture


def find_ink(picture):
    """How much ink each pixel of a grey picture (height, width) holds: 0 paper, 1 darkest ink.

    Returns float32 of the same shape, about 0 to 1. Ink is what differs from the paper around it,
    so that light and shadow fall away, and it may be darker or lighter than the paper.
    """
    picture = without_specks(picture)
    factor = max(1, round(max(picture.shape) / 250))  # light and shadow need no more detail
    small = resize(picture, [max(1, round(side / factor)) for side in picture.shape])
    window = max(3, max(small.shape) // 3)  # wider than a stroke, narrower than a shadow
    # Strokes are narrow, so that their difference from the surroundings has long tails on one side.
    detail = small - ndimage.uniform_filter(small, 2 * window)
    if (detail**3).sum() > 0:
        picture, small = 1 - picture, 1 - small
    small = ndimage.gaussian_filter(small, 1, mode="nearest")
    # beyond the border, paper and shadows go on as they are there
    paper = ndimage.grey_closing(np.pad(small, window, "edge"), (window, window))
    paper = paper[window:-window, window:-window]
    paper = ndimage.gaussian_filter(paper, 1, mode="nearest")
    paper = ndimage.minimum_filter(paper, 5)  # at the edge of a shadow, light is no measure
    paper = resize(paper, picture.shape)
    ink = (paper - picture) / np.maximum(paper, 0.4)  # where it is darker, noise would be ink
    # a filter that leaves about 0.03 of the noise that two neighbouring pixels differ by
    noise = np.median(np.abs(np.diff(ink, axis=1))) if ink.shape[1] > 1 else 0
    ink = ndimage.gaussian_filter(ink, min(9 * noise, 3), mode="nearest")
    return without_ruling(ink - np.median(paper_of(ink)))


def without_ruling(ink):
    """The ink (height, width) without the lines and squares that are printed on paper.

    These are longer, thinner and straighter than any stroke of a digit.
    """
    side = max(ink.shape)
    length, reach, thickness = side // 6 + 1, side // 150, side // 200
    is_line = np.zeros(ink.shape, bool)
    for across, along in ((0, 1), (1, 0)):
        # Lines are a little askew or bent, so that a whole corridor is looked at.
        run = ndimage.maximum_filter1d(ink, 2 * reach + 1, across)
        run = ndimage.minimum_filter1d(run, length, along, mode="nearest")
        run = ndimage.maximum_filter1d(run, length, along, mode="nearest")
        thick = ndimage.minimum_filter1d(run, thickness + 2 * reach + 2, across, mode="constant")
        thick = ndimage.maximum_filter1d(thick, thickness + 2 * reach + 2, across)
        found = (run > FAINTEST_INK / 2) & (thick < run / 2)
        edges = np.count_nonzero(np.diff(found, axis=across)) / ink.shape[along]
        if edges >= 6:  # three lines: a single one may be a 1
            is_line |= found & (ink < run + FAINTEST_INK)
    return np.where(is_line, np.minimum(ink, 0), ink)


def without_specks(picture):
    """The picture (height, width) with no pixel lighter or darker than all its 8 neighbours."""
    around = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]])
    darkest = ndimage.minimum_filter(picture, footprint=around)
    lightest = ndimage.maximum_filter(picture, footprint=around)
    return np.clip(picture, darkest, lightest)


def paper_of(ink):
    """The ink of those pixels that are surely paper, which need not be most of them: (n,)."""
    return ink[ink <= max(FAINTEST_INK, ink.max() / 2)]


def find_digits(ink):
    """Find the digits in the ink (height, width) of a picture, as `find_ink` returns it.

    Returns the digits (n, 28, 28) uint8 in reading order and their boxes (n, 4) integers: top,
    bottom, left, right. Raises UserError if there are more than MOST_DIGITS.
    """
    faint, strong = ink_thresholds(ink)
    labels, _ = ndimage.label(ink > faint, NEIGHBOURS)
    pieces, boxes = find_pieces(ink, labels, strong)
    digits = in_reading_order(join_pieces(boxes), boxes)
    if len(digits) > MOST_DIGITS:
        raise UserError(f"{len(digits)} blobs; at most {MOST_DIGITS} digits are read")
    images = np.zeros((len(digits), 28, 28), np.uint8)
    digit_boxes = np.zeros((len(digits), 4), int)
    for digit, members in enumerate(digits):
        digit_boxes[digit] = box = outline(boxes[members])
        images[digit] = normalise(cut_out(ink, labels, pieces[members], box))
    return images, digit_boxes


def cut_out(ink, labels, members, box):
    """The ink of one digit and nothing else, around its box: 0 on paper, 1 within its strokes.

    members: the labels of its pieces.
    """
    reach = max(1, round(max(box[1] - box[0], box[3] - box[2]) / 20))  # a pixel of MNIST's
    top, left = max(0, box[0] - reach), max(0, box[2] - reach)
    around = np.s_[top : box[1] + reach, left : box[3] + reach]
    ink, labels = ink[around], labels[around]
    mask = np.isin(labels, members)
    level = np.percentile(ink[mask], 90)
    # strokes have soft edges, which reach beyond the pixels that are surely theirs
    soft = ndimage.maximum_filter(mask, 2 * reach + 1) & (labels == 0)
    return np.where(mask | soft, ink / level, 0)


def ink_thresholds(ink):
    """How much ink, at least, a pixel of a stroke holds, and its darkest pixels do: two floats.

    The rest is paper, its noise and its ruling.
    """
    noise = 1.4826 * np.median(np.abs(paper_of(ink)))  # the standard deviation, if noise is normal
    floor = max(FAINTEST_INK, 4 * noise)
    strong = max(otsu_threshold(ink[ink > floor], floor), 1.5 * floor)
    near = max(ink.shape) // 25  # pixels
    away = (ndimage.maximum_filter(ink, 2 * near + 1) <= strong) & (ink > floor)
    ruling = np.percentile(ink[away], 90) if away.any() else 0
    return min(max(floor, strong / 2, ruling), strong), strong


def otsu_threshold(values, lowest):
    """The threshold that parts values best in two classes; `lowest` if there are no two.

    Best is the largest variance between the classes (Otsu: A Threshold Selection Method from
    Gray-Level Histograms, 1979).
    """
    highest = max(values.max(initial=0), lowest + 0.01)
    counts, edges = np.histogram(values, 64, range=(lowest, highest))
    below = np.cumsum(counts)[:-1]
    above = len(values) - below
    sums = np.cumsum(counts * (edges[:-1] + edges[1:]) / 2)
    difference = sums[:-1] / np.maximum(below, 1) - (sums[-1] - sums[:-1]) / np.maximum(above, 1)
    return float(edges[1:-1][np.argmax(below * above * difference**2)])


def find_pieces(ink, labels, strong):
    """The connected pieces that may belong to digits: their labels (n,) and boxes (n, 4).

    labels: (height, width) integers, 0 on paper. strong: the ink that the darkest pixels of a piece
    hold, at least. Specks, ruled lines and squares, the table and soft shadows are left out. Raises
    UserError if there are too many pieces.
    """
    slices = ndimage.find_objects(labels)
    boxes = np.array([(y.start, y.stop, x.start, x.stop) for y, x in slices]).reshape(-1, 4)
    heights, widths = boxes[:, 1] - boxes[:, 0], boxes[:, 3] - boxes[:, 2]
    # much of a stroke is close to paper; what grows dark slowly is shade
    paler = ndimage.minimum_filter(ink, 2 * (max(ink.shape) // 30) + 5)
    is_dark, is_edge = ink > strong, (ink > strong) & (ink > 4 * paler)
    dark, edge = (np.bincount(labels[m], minlength=len(boxes) + 1)[1:] for m in (is_dark, is_edge))
    keep = (dark > 0) & (edge >= 0.15 * dark)
    sizes = np.maximum(heights, widths)
    keep &= sizes >= max(5, 0.012 * max(labels.shape))
    for piece in np.flatnonzero(keep):
        keep[piece] = not is_ruling(labels[slices[piece]] == piece + 1, labels.shape)
    # The table and shadows lie along the border, or are cut by two of its sides as wide as they
    # are, or reach in from it and are far larger than all else.
    sides = labels[0], labels[-1], labels[:, 0], labels[:, -1]
    contact = np.array([np.bincount(side, minlength=len(boxes) + 1)[1:] for side in sides])
    area = np.bincount(labels.ravel(), minlength=len(boxes) + 1)[1:]
    keep &= contact.max(axis=0) < 0.8 * sizes
    keep &= (heights <= 4 * widths) | (contact[:2].min(axis=0) < 0.7 * area / heights)
    at_border = contact.any(axis=0)
    inner = sizes[keep & ~at_border].max(initial=0)
    if inner > 0.04 * max(labels.shape):
        keep &= ~at_border | (sizes <= 2.5 * inner)
    upright = widths <= 3 * heights  # what lies is a ruled line, or the stroke on top of a 5 or 7
    tallest = heights[keep & upright].max(initial=0)
    keep &= (sizes >= 0.1 * tallest) & (upright | (widths <= 1.2 * tallest))
    if keep.sum() > 10 * MOST_DIGITS:
        raise UserError(f"{keep.sum():,} blobs; at most {MOST_DIGITS} digits are read")
    return np.flatnonzero(keep) + 1, boxes[keep]


def is_ruling(piece, page):
    """Whether a piece, (height, width) bool, is lines or squares printed on a page of a shape."""
    height, width = piece.shape
    if height >= 0.9 * page[0] and height > 15 * width:
        return True
    holes, _ = ndimage.label(~np.pad(piece, 1))
    large = np.bincount(holes.ravel())[2:] > (0.01 * max(page)) ** 2  # not where ink is uneven
    return large.sum() > 8  # a digit has two at most


def join_pieces(boxes):
    """Which pieces make up a digit: a list of arrays of indices into boxes (n, 4)."""
    if not len(boxes):
        return []
    digits, before = [np.array([piece]) for piece in range(len(boxes))], None
    tallest = (boxes[:, 1] - boxes[:, 0]).max()
    while len(digits) != before:  # a digit half joined may reach the next of its pieces
        before = len(digits)
        outlines = np.array([outline(boxes[digit]) for digit in digits])
        groups = connected(belong_together(outlines, tallest))
        digits = [np.concatenate([digits[i] for i in group]) for group in groups]
    heights = [np.ptp(boxes[digit, :2]) for digit in digits]
    return [digit for digit, h in zip(digits, heights) if h >= 0.25 * max(heights)]


def belong_together(boxes, tallest):
    """Which pairs of pieces with boxes (n, 4) are parts of one digit: (n, n) bool.

    They are if one is above the other, or if the smaller one is a fragment close by. tallest: the
    height of the tallest piece, which distances are measured in.
    """
    top, bottom, left, right = boxes.T[:, :, None]
    height, width = bottom - top, right - left
    gap_x = np.maximum(left, left.T) - np.minimum(right, right.T)
    gap_y = np.maximum(top, top.T) - np.minimum(bottom, bottom.T)
    fragment = np.minimum(height, height.T) <= 0.6 * tallest
    reach = np.where(fragment, 0.2, 0.1) * tallest  # two large pieces may be digits of two rows
    stacked = (gap_x <= -0.5 * np.minimum(width, width.T)) & (gap_y <= reach)
    close = np.maximum(gap_x, gap_y) <= 0.1 * tallest
    return stacked | (close & fragment)


def in_reading_order(digits, boxes):
    """Sort digits, lists of indices into boxes (n, 4), by rows from above, each from the left."""
    if not digits:
        return []
    outlines = np.array([outline(boxes[digit]) for digit in digits])
    top, bottom = outlines.T[:2, :, None]
    overlap = np.minimum(bottom, bottom.T) - np.maximum(top, top.T)
    rows = connected(overlap >= 0.5 * np.minimum(bottom - top, (bottom - top).T))
    rows.sort(key=lambda row: outlines[row, 0].mean())
    return [digits[i] for row in rows for i in row[np.argsort(outlines[row, 2:].sum(axis=1))]]


def connected(related):
    """The groups that a relation (n, n) of bool connects: a list of arrays of indices."""
    first, before = np.arange(len(related)), None
    while not np.array_equal(first, before):  # until each knows the first member of its group
        first, before = np.where(related, first, len(related)).min(axis=1), first
    return [np.flatnonzero(first == member) for member in np.unique(first)]


def outline(boxes):
    """The smallest box around boxes (n, 4): top, bottom, left, right."""
    return [boxes[:, 0].min(), boxes[:, 1].max(), boxes[:, 2].min(), boxes[:, 3].max()]


def normalise(ink):
    """Make the ink of one digit an image as MNIST's are: (28, 28) uint8.

    ink: (height, width) float32, 0 on paper and 1 within strokes. A square around the middle of
    the ink's bounding box, as large as its longer side, is scaled to 20 x 20 pixels, and then the
    centre of mass moved to the middle by whole pixels (LeCun, Bottou, Bengio and Haffner:
    Gradient-Based Learning Applied to Document Recognition, 1998, section III-A). The middle of
    MNIST's own images is the middle of pixel (14, 14), to within half a pixel in all of them.
    """
    rows, columns = (np.flatnonzero((ink > 0.5).any(axis=axis)) for axis in (1, 0))
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    side = max(bottom - top, right - left)
    ink = np.pad(np.clip(ink, 0, 1), side)  # the square may reach out of the picture
    y, x = (top + bottom + side) / 2, (left + right + side) / 2
    image = resize(ink, (20, 20), (x, y, x + side, y + side))
    image = image / np.clip(image.max(), 0.1, 1)  # the strokes of a thin pen would be pale
    image = np.rint(255 * np.clip(image, 0, 1))
    canvas = np.zeros((28, 28), np.uint8)
    top, left = (min(max(round(14 - c), 0), 8) for c in ndimage.center_of_mass(image))
    canvas[top : top + 20, left : left + 20] = image
    return canvas


def resize(image, shape, box=None):
    """Scale an image, (height, width) float32, to another shape, without aliasing.

    box: the part of it to scale (left, top, right, bottom), in pixels; by default all.
    """
    from PIL import Image

    size = (shape[1], shape[0])
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.LANCZOS, box))


def digit_texts(probabilities, doubtful_below):
    """The most probable digit of each row of probabilities (n, 10), as a list of n texts.

    A digit less probable than doubtful_below has a ? beside it.
    """
    doubts = np.where(probabilities.max(axis=1) < doubtful_below, "?", "")
    return [f"{digit}{doubt}" for digit, doubt in zip(probabilities.argmax(axis=1), doubts)]
