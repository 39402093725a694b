"""Every picture. Each `plot_...` function returns a figure; main.py saves and shows them."""

import os
import warnings
from pathlib import Path

import numpy as np

from files import atomic_write
from model import SIDE

chosen_backend = os.environ.pop("MPLBACKEND", None)  # a wrong one would stop the import
import matplotlib.pyplot as plt  # noqa: E402
from matplotlib import ticker  # noqa: E402

if chosen_backend:
    try:
        plt.switch_backend(chosen_backend)
    except Exception:  # no such backend, no display or no toolkit: no windows
        plt.switch_backend("agg")

# Two colours and a grey that people with any colour vision can tell apart
# (Okabe and Ito: Color Universal Design, 2008).
BLUE, ORANGE, GREY = "#0072b2", "#d55e00", "#666666"


def plot_history(history, quantity, held_out):
    """Plot the loss or accuracy on the training and the held-out images, epoch by epoch.

    history: as returned by `train`. quantity: "loss" or "accuracy". held_out: what the held-out
    images are called, "test" or "validation".
    """
    figure, axes = plt.subplots(figsize=(8, 5), layout="constrained")
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
        # equal steps where about half of the errors are gone, so that the last ones show
        scale = (lambda y: -np.log(1.001 - y), lambda y: 1.001 - np.exp(-y))
        axes.set_yscale("function", functions=scale)
        ticks = [0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 1]
        axes.set_yticks(ticks, [f"{100 * tick:g}%" for tick in ticks])
        axes.set_ylim(min(training.min(), other.min(), 0.9), 1)
        axes.set_title(f"Final accuracy on the {held_out} images: {other[-1]:.2%}")
    else:
        axes.set_ylabel("loss (cross-entropy with L2, nats)")
        if training.any() or other.any():  # 0 has no logarithm
            axes.set_yscale("log")
            axes.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
            axes.yaxis.set_major_formatter("{x:g}")
            axes.yaxis.set_minor_formatter(ticker.NullFormatter())
        axes.set_title(f"Final loss on the {held_out} images: {other[-1]:.4f}")
    axes.grid(alpha=0.3)
    axes.legend()
    return figure


def plot_confusion_matrix(confusions):
    """Plot the confusion matrix: colours show the errors, numbers the counts."""
    from sklearn.metrics import ConfusionMatrixDisplay  # slow to import

    figure, axes = plt.subplots(figsize=(8, 7))
    most_errors = (confusions - np.diag(np.diag(confusions))).max()
    ConfusionMatrixDisplay(confusions).plot(
        ax=axes,
        cmap="Blues",
        colorbar=False,
        im_kw={"vmin": 0, "vmax": max(2 * most_errors, 1)},  # else the diagonal outshines the rest
    )
    errors = confusions.sum() - np.trace(confusions)
    axes.set_title(f"Confusion matrix: {errors:,} errors in {confusions.sum():,} test images")
    axes.set_xlabel("predicted digit")
    axes.set_ylabel("true digit")
    return figure


def plot_predictions(images, labels, probabilities, chosen, title):
    """Plot the first 25 chosen images, with their labels, predictions and probabilities.

    images: (n, 28, 28) uint8; labels: (n,); probabilities: (n, 10); chosen: indices of images.
    """
    chosen, columns, gap = chosen[:25], 5, 16
    pictures = mosaic(images[chosen], columns, gap)
    figure, axes = plt.subplots(figsize=(8, 8.4))
    figure.subplots_adjust(left=0.01, right=0.99, bottom=0.01, top=0.95)
    axes.imshow(pictures, cmap="gray_r", vmin=0, vmax=255, interpolation="nearest")
    axes.set_xlim(-gap / 2, pictures.shape[1] - gap / 2)  # the gaps hold two lines of text
    axes.set_title(title)
    axes.axis("off")
    for place, index in enumerate(chosen):
        row, column = divmod(place, columns)
        predicted = probabilities[index].argmax()
        axes.text(
            column * (SIDE + gap) + SIDE / 2,
            row * (SIDE + gap) + SIDE + 1,
            f"truth {labels[index]}, read {predicted}\n"
            f"probability {probabilities[index, predicted]:.1%}",
            color=BLUE if predicted == labels[index] else ORANGE,
            horizontalalignment="center",
            verticalalignment="top",
        )
    return figure


def plot_weights(W, edges=False):
    """Plot the weights W_1 (784, neurons) of the hidden neurons, a 28 x 28 picture for each.

    edges: whether the inputs are edges; then each quarter is a direction (`edge_directions`).
    """
    shown = min(W.shape[1], 128)
    columns = min(shown, 16)
    pictures = mosaic(W.T[:shown].reshape(shown, SIDE, SIDE), columns, gap=2)
    limit = np.percentile(np.abs(W), 99.5)  # a few extreme weights would make the rest pale
    width = 9.6  # inches of the pictures
    height = width * pictures.shape[0] / pictures.shape[1]
    size = (width + 1.4, height + 0.6)
    figure = plt.figure(figsize=size)
    axes = figure.add_axes((0.1 / size[0], 0.1 / size[1], width / size[0], height / size[1]))
    image = axes.imshow(pictures, cmap="RdBu", vmin=-limit, vmax=limit, interpolation="nearest")
    axes.axis("off")
    of_all = "" if shown == W.shape[1] else f" (the first {shown} of {W.shape[1]})"
    meaning = "ink on blue excites, on red inhibits"
    if edges:
        meaning = "edges on blue excite, on red inhibit; each quarter is a direction"
    figure.suptitle(f"Weights of the hidden neurons{of_all}: {meaning}")
    bar = figure.add_axes((1 - 1.1 / size[0], 0.1, 0.2 / size[0], 0.75))
    figure.colorbar(image, cax=bar, label="weight", extend="both")
    return figure


def plot_recognised(answers):
    """Figure of pictures, the digits found in them and what the network made of each digit.

    answers: a list of name and Page, as `read_page` returns it. Digits with a ? are orange, and
        what is left out is grey.

    Matplotlib can't save more than 600 inches; the answers from there on are left out.
    """
    columns = min(6, max(len(page.texts) for _, page in answers))
    tile_width, tile_height = 40, 60  # in pixels of a digit
    inch = 28  # pixels of a digit
    width = 5.2 + columns * tile_width / inch
    small = {"markersize": 5, "markeredgewidth": 0, "linestyle": "none"}
    heights = [
        0.6
        + max(
            -(-len(page.texts) // columns) * tile_height / inch,
            min(4.8 * page.picture.shape[0] / page.picture.shape[1], 6),
        )
        for _, page in answers
    ]
    shown = int(np.searchsorted(np.cumsum(heights), 600)) or 1
    figure_height = sum(heights[:shown])
    figure = plt.Figure(figsize=(width, figure_height))
    bottom = figure_height

    for height, (name, page) in zip(heights, answers[:shown]):
        bottom -= height
        colours = [ORANGE if text.endswith("?") else BLUE for text in page.texts]

        place = (0.2, bottom + 0.1, 4.8, height - 0.6)  # left, bottom, width, height
        axes = figure.add_axes(np.divide(place, (width, figure_height, width, figure_height)))
        extent = (0, page.picture.shape[1], page.picture.shape[0], 0)
        axes.imshow(page.picture, cmap="gray", vmin=0, vmax=1, extent=extent)
        plate = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}  # readable on any picture
        for y_1, y_2, x_1, x_2 in page.left_out:
            axes.plot([x_1, x_2, x_2, x_1, x_1], [y_1, y_1, y_2, y_2, y_1], color=GREY)
        for text, colour, (y_1, y_2, x_1, x_2) in zip(page.texts, colours, page.boxes):
            axes.plot([x_1, x_2, x_2, x_1, x_1], [y_1, y_1, y_2, y_2, y_1], color=colour)
            axes.text(x_1, y_1, text, color=colour, va="bottom", weight="bold", bbox=plate)
        name = os.fsencode(Path(name).name).decode(errors="replace")  # in any locale
        title = f"{name}: {page.text}"
        title = title if len(title) <= 50 else title[:49] + "…"
        axes.set_title(title, loc="left", y=1, pad=14, parse_math=False)
        axes.set_anchor("NW")
        axes.axis("off")

        place = (5.2, bottom, width - 5.2, height)
        axes = figure.add_axes(np.divide(place, (width, figure_height, width, figure_height)))
        axes.axis("off")
        row, column = np.divmod(np.arange(len(page.texts)), columns)
        left, top = column * tile_width + 4, row * tile_height + 14
        zero = top + 42  # where the bars stand
        # One picture and one set of lines for all digits: hundreds of small ones take seconds.
        tiles = np.full((round(height * inch), columns * tile_width), np.nan)  # nan: transparent
        digits = zip(left, top, page.images, page.texts, colours, page.probabilities)
        for x, y, image, text, colour, p in digits:
            tiles[y : y + SIDE, x : x + SIDE] = image
            axes.text(x, y - 1, f"{text}  {p.max():.2f}", color=colour, weight="bold")
        extent = (0, tiles.shape[1], tiles.shape[0], 0)
        axes.imshow(tiles, cmap="gray", vmin=0, vmax=255, extent=extent, aspect="auto")
        for label in range(10):
            x, tip = left + 1.4 + 2.8 * label, zero - 12 * page.probabilities[:, label]
            axes.vlines(x, zero, tip, colours, linewidth=5.7)
            axes.plot(x, zero + 2.5, marker=f"${label}$", color="black", **small)
        axes.hlines(zero, left, left + SIDE, GREY, linewidth=0.8)
        axes.set_xlim(0, columns * tile_width)
        axes.set_ylim(height * inch, 0)
    return figure


def mosaic(images, columns, gap):
    """Tile images (n, height, width) into one picture, `gap` pixels of 0 between them."""
    n, height, width = images.shape
    rows = max(1, -(-n // columns))
    tiles = np.zeros((rows * columns, height + gap, width + gap), images.dtype)
    tiles[:n, :height, :width] = images
    tiles = tiles.reshape(rows, columns, height + gap, width + gap)
    return tiles.swapaxes(1, 2).reshape(rows * (height + gap), columns * (width + gap))


def save_figures(figures, folder):
    """Save figures, a dictionary by file name, as PNG files in a folder; UserError if it fails."""
    for name, figure in figures.items():
        with atomic_write(folder / name) as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a letter missing in the font is drawn as a box
            figure.savefig(file, format="png", dpi=100, pil_kwargs={"compress_level": 3})


def show_figures(figures):
    """Show figures, a dictionary by file name, in windows until the user closes them.

    Without a display, nothing happens.
    """
    if plt.get_backend().lower() in {"agg", "cairo", "pdf", "pgf", "ps", "svg", "template"}:
        return
    for name, figure in figures.items():
        figure.canvas.manager.set_window_title(name)
    print("Close the windows to end the program.", flush=True)
    plt.show()
