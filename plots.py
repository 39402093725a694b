"""The pictures. Each `plot_...` function returns a figure; main.py saves and shows them."""

import sys

import matplotlib
import numpy as np
from matplotlib import ticker
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from data_preprocessing import SIDE
from files import atomic_write

matplotlib.rcdefaults()  # pictures don't depend on the user's matplotlibrc

# Two colours and a grey that people with any colour vision can tell apart
# (Okabe and Ito: Color Universal Design, 2008).
BLUE, ORANGE, GREY = "#0072b2", "#d55e00", "#666666"

GAP = 16  # pixels between images with text below
DPI = 100  # dots per inch of the saved pictures


def plot_history(history, quantity, held_out):
    """Plot the loss or accuracy on the training and the held-out images, epoch by epoch.

    history: that of a Model. quantity: "loss" or "accuracy". held_out: what the held-out
    images are called, "test" or "validation".
    """
    figure = Figure((8, 5), layout="constrained")
    axes = figure.subplots()
    training, other = history[f"training_{quantity}"], history[f"held_out_{quantity}"]
    epochs = np.arange(1, len(training) + 1)
    marker = "o" if len(epochs) == 1 else ""  # a line needs two points
    label = "training images, during the epoch"
    axes.plot(epochs, training, color=BLUE, marker=marker, label=label)
    axes.plot(epochs, other, "--", color=ORANGE, marker=marker, label=f"{held_out} images")
    axes.set_xlabel("epoch")
    axes.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
    if quantity == "accuracy":
        axes.set_ylabel("accuracy")
        # each tick about halves the errors, so that differences near 100% show
        scale = (lambda y: -np.log(1.001 - y), lambda y: 1.001 - np.exp(-y))
        axes.set_yscale("function", functions=scale)
        ticks = [0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 1]
        axes.set_yticks(ticks, [f"{100 * tick:g}%" for tick in ticks])
        axes.set_ylim(min(training.min(), other.min(), 0.9), 1)
        axes.set_title(f"Final accuracy on the {held_out} images: {other[-1]:.2%}")
    else:
        axes.set_ylabel("loss (cross-entropy with L2, nats)")
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter(ticker.NullFormatter())
        axes.set_title(f"Final loss on the {held_out} images: {other[-1]:.4f}")
    axes.grid(alpha=0.3)
    axes.legend()
    return figure


def plot_predictions(images, labels, probabilities, chosen, title):
    """Plot the first 25 chosen images, with their labels, predictions and probabilities.

    images: (n, 28, 28) uint8; labels: (n,); probabilities: (n, 10); chosen: indices of images.
    """
    chosen = chosen[:25]
    predicted, highest = probabilities[chosen].argmax(axis=1), probabilities[chosen].max(axis=1)
    answers = list(zip(labels[chosen], predicted, highest))
    texts = [f"truth {label}, read {digit}\nprobability {p:.1%}" for label, digit, p in answers]
    colours = [BLUE if label == digit else ORANGE for label, digit, _ in answers]
    figure = Figure((8, 8.4), layout="constrained")
    axes = figure.subplots()
    add_tiles(axes, images[chosen], texts, colours, columns=5)
    axes.set_title(title)
    axes.axis("off")
    return figure


def add_tiles(axes, images, texts, colours, columns, left=0, top=0):
    """Show framed images (n, 28, 28) uint8, row by row, each with up to two lines of text below.

    The axes' units are pixels of the images; left, top: the corner of the first one.
    """
    tiles = mosaic(images, columns, GAP)
    height, width = tiles.shape
    extent = (left, left + width, top + height, top)
    axes.imshow(tiles, "gray_r", vmin=0, vmax=255, interpolation="nearest", extent=extent)
    for place, (text, colour) in enumerate(zip(texts, colours)):
        row, column = divmod(place, columns)
        x, y = left + column * (SIDE + GAP), top + row * (SIDE + GAP)
        axes.add_artist(Rectangle((x, y), SIDE, SIDE, fill=False, color=colour))
        axes.text(x + SIDE / 2, y + SIDE + 1.5, text, color=colour, ha="center", va="top")


def plot_weights(W):
    """Plot the weights W_1 (784, neurons) of the hidden neurons, a 28 x 28 picture for each."""
    shown = min(W.shape[1], 128)
    columns = min(shown, 16)
    pictures = mosaic(W.T[:shown].reshape(shown, SIDE, SIDE), columns, gap=2)
    limit = np.percentile(np.abs(W), 99.5)  # a few extreme weights would make the rest pale
    height = 9.6 * pictures.shape[0] / pictures.shape[1]
    figure = Figure((11, height + 0.6), layout="constrained")
    axes = figure.subplots()
    colours = LinearSegmentedColormap.from_list("weights", [ORANGE, "white", BLUE])
    image = axes.imshow(pictures, colours, vmin=-limit, vmax=limit, interpolation="nearest")
    axes.axis("off")
    of_all = "" if shown == W.shape[1] else f" (the first {shown} of {W.shape[1]})"
    meaning = "ink on blue excites, on orange inhibits"
    figure.suptitle(f"Weights of the hidden neurons{of_all}: {meaning}")
    figure.colorbar(image, label="weight", extend="both")
    return figure


def mosaic(images, columns, gap):
    """Tile images (n, height, width) into one picture, each followed by `gap` pixels of 0."""
    n, height, width = images.shape
    rows = max(1, -(-n // columns))
    tiles = np.zeros((rows * columns, height + gap, width + gap), images.dtype)
    tiles[:n, :height, :width] = images
    tiles = tiles.reshape(rows, columns, height + gap, width + gap)
    return tiles.swapaxes(1, 2).reshape(rows * (height + gap), columns * (width + gap))


def save_figures(figures, folder):
    """Save figures, by file name, in a folder as PNG; return their paths, or raise UserError."""
    for name, figure in figures.items():
        with atomic_write(folder / name) as file:
            figure.savefig(file, format="png", dpi=DPI, pil_kwargs={"compress_level": 3})
    return [folder / name for name in figures]


def show_pictures(paths):
    """Show picture files in the notebook or, if there is a display, in windows until closed."""
    import matplotlib.pyplot as plt  # only here: a broken GUI toolkit ends the program

    # a program that is started from a notebook inherits its backend
    if "inline" in matplotlib.get_backend() and "ipykernel" not in sys.modules:
        return
    for path in paths:
        picture = plt.imread(path)
        height, width, _ = picture.shape
        window = plt.figure(path.name, (width / DPI, height / DPI), DPI)
        axes = window.add_axes((0, 0, 1, 1))
        axes.imshow(picture)
        axes.axis("off")
    plt.show()
