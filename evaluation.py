"""How well a network reads: accuracy, confusion matrix, and every picture.

Each `plot_...` function returns a matplotlib figure; main.py saves and shows them.
"""

import os
import warnings
from pathlib import Path

import numpy as np

from utils import atomic_write


def load_pyplot():
    """matplotlib.pyplot, without windows if those that MPLBACKEND names can't be opened."""
    name = os.environ.pop("MPLBACKEND", None)  # matplotlib can't be imported with a wrong one
    import matplotlib.pyplot as plt

    if name:
        try:
            plt.switch_backend(name)
        except (ImportError, ValueError):
            plt.switch_backend("agg")
    return plt


plt = load_pyplot()

# Two colours and a neutral one that people with any colour vision tell apart
# (Okabe and Ito: Color Universal Design, 2008).
BLUE, ORANGE, GREY = "#0072b2", "#d55e00", "#666666"


def count_confusions(labels, predictions):
    """Confusion matrix (10, 10) of integers: row the true digit, column the digit read."""
    from sklearn.metrics import confusion_matrix  # takes a second, and not every run needs it

    return confusion_matrix(labels, predictions, labels=np.arange(10))


def report(confusions):
    """Accuracy, and for each digit precision and recall, as the lines of text to print.

    Precision is the share of right answers among the images read as a digit, recall among the
    images that are that digit.
    """
    images = confusions.sum()
    errors = images - np.trace(confusions)
    lines = [
        f"Test accuracy: {1 - errors / images:.2%} ({errors:,} errors in {images:,})",
        "",
        "digit  precision  recall  images",
    ]
    for digit, right in enumerate(np.diag(confusions)):
        read, true = confusions[:, digit].sum(), confusions[digit].sum()
        # a digit that was never read, or that no image shows, has no precision or recall
        precision = f"{right / read:.2%}" if read else "-"
        recall = f"{right / true:.2%}" if true else "-"
        lines.append(f"{digit:5}  {precision:>9}  {recall:>6}  {true:6,}")
    return "\n".join(lines)


def plot_history(history, quantity, held_out):
    """Figure of one quantity over the epochs, on the training and on the held-out images.

    history: as `train` returns it. quantity: "loss" or "accuracy". held_out: what the held-out
    images are called, "test" or "validation".
    """
    figure, axes = plt.subplots(figsize=(8, 5))
    unit = 100 if quantity == "accuracy" else 1  # accuracies are shown in percent
    training, other = (
        unit * history[f"{images}_{quantity}"] for images in ("training", "held_out")
    )
    epochs = np.arange(1, len(training) + 1)
    marker = "o" if len(epochs) == 1 else ""  # a single point makes no line
    axes.plot(
        epochs,
        training,
        color=BLUE,
        marker=marker,
        label="training images, during the epoch",
    )
    axes.plot(epochs, other, "--", color=ORANGE, marker=marker, label=f"{held_out} images")
    axes.set_xlabel("epoch")
    axes.xaxis.get_major_locator().set_params(integer=True)
    if quantity == "accuracy":
        axes.set_ylabel("accuracy (%)")
        # the last errors matter most: a step wherever about half of the errors are gone
        scale = (lambda y: -np.log(100.1 - y), lambda y: 100.1 - np.exp(-y))
        axes.set_yscale("function", functions=scale)
        axes.set_yticks([0, 50, 80, 90, 95, 98, 99, 99.5, 99.8, 100])
        axes.set_ylim(min(training.min(), other.min(), 90), 100)
        axes.set_title(f"Accuracy: {other[-1]:.2f} % of the {held_out} images in the end")
    else:
        axes.set_ylabel("loss (cross-entropy with L2, nats)")
        if training.any() or other.any():  # a loss of 0 throughout has no logarithm
            axes.set_yscale("log")
        axes.set_title(f"Loss: {other[-1]:.4f} on the {held_out} images in the end")
    axes.grid(alpha=0.3)
    axes.legend()
    return figure


def plot_confusion_matrix(confusions):
    """Figure of the confusion matrix; the colours show the errors, the numbers the counts."""
    from sklearn.metrics import ConfusionMatrixDisplay

    figure, axes = plt.subplots(figsize=(8, 7))
    most_errors = (confusions - np.diag(np.diag(confusions))).max()
    ConfusionMatrixDisplay(confusions).plot(
        ax=axes,
        cmap="Blues",
        colorbar=False,
        # the right answers are a hundred times the errors: without a limit, all errors are white
        im_kw={"vmin": 0, "vmax": max(2 * most_errors, 1)},
    )
    errors = confusions.sum() - np.trace(confusions)
    axes.set_title(f"Confusion matrix: {errors:,} errors in {confusions.sum():,} test images")
    axes.set_xlabel("digit read")
    axes.set_ylabel("true digit")
    return figure


def most_confident_mistakes(labels, probabilities):
    """Indices of the images read wrongly, those with the most probable wrong answer first.

    labels: (n,); probabilities: (n, 10).
    """
    mistakes = np.flatnonzero(probabilities.argmax(axis=1) != labels)
    return mistakes[np.argsort(-probabilities[mistakes].max(axis=1))]


def plot_predictions(images, labels, probabilities, chosen, title):
    """Figure of the first 25 chosen images: truth, prediction, and the prediction's probability.

    images: (n, 28, 28) uint8; labels: (n,); probabilities: (n, 10); chosen: indices of images.
    """
    chosen, columns, gap = chosen[:25], 5, 16
    pictures = mosaic(images[chosen], columns, gap)
    figure, axes = plt.subplots(figsize=(8, 8.4))
    figure.subplots_adjust(left=0.01, right=0.99, bottom=0.01, top=0.95)
    axes.imshow(pictures, cmap="gray_r", vmin=0, vmax=255, interpolation="nearest")
    axes.set_xlim(-gap / 2, pictures.shape[1] - gap / 2)  # a gap has room for two lines of text
    axes.set_title(title)
    axes.axis("off")
    for place, index in enumerate(chosen):
        row, column = divmod(place, columns)
        read = probabilities[index].argmax()
        axes.text(
            column * (28 + gap) + 14,
            row * (28 + gap) + 29,
            f"truth {labels[index]}, read {read}\nprobability {probabilities[index, read]:.1%}",
            color=BLUE if read == labels[index] else ORANGE,
            horizontalalignment="center",
            verticalalignment="top",
        )
    return figure


def plot_weights(W):
    """Figure of what the hidden neurons look for: W_1 (784, neurons), a 28 x 28 picture each."""
    shown = min(W.shape[1], 128)
    pictures = mosaic(W.T[:shown].reshape(shown, 28, 28), columns=16, gap=2)
    limit = np.percentile(np.abs(W), 99.5)  # the few largest weights would make the rest pale
    figure, axes = plt.subplots(figsize=(11, 5))
    figure.subplots_adjust(left=0.02, right=1, bottom=0.02, top=0.94)
    image = axes.imshow(pictures, cmap="RdBu", vmin=-limit, vmax=limit, interpolation="nearest")
    axes.axis("off")
    of_all = "" if shown == W.shape[1] else f" (the first {shown} of {W.shape[1]})"
    axes.set_title(
        f"What each hidden neuron looks for{of_all}: ink on blue excites it, on red inhibits it"
    )
    figure.colorbar(image, label="weight of a pixel", shrink=0.8, extend="both")
    return figure


def plot_recognised(answers):
    """Figure of pictures, the digits found in them and what the network made of each digit.

    answers: a list of name, picture (height, width) from 0 (black) to 1, digits (n, 28, 28) uint8,
        boxes (n, 4) of top, bottom, left, right in the picture, probabilities (n, 10), and the n
        texts to call the digits, orange where there is a ? in them.

    Matplotlib can't save more than 600 inches; the answers from there on are left out.
    """
    columns, tile_width, tile_height = 6, 40, 60  # in pixels of a digit
    inch = 28  # pixels of a digit
    small = {"markersize": 5, "markeredgewidth": 0, "linestyle": "none"}
    rows = [-(-len(digits) // columns) for _, _, digits, *_ in answers]
    heights = [max(3.0, 0.5 + number * tile_height / inch) for number in rows]
    shown = int(np.searchsorted(np.cumsum(heights), 600)) or 1
    figure_height = sum(heights[:shown])
    figure = plt.Figure(figsize=(14, figure_height))
    bottom = figure_height

    for height, answer in zip(heights, answers[:shown]):
        name, picture, digits, boxes, probabilities, texts = answer
        bottom -= height
        colours = [ORANGE if text.endswith("?") else BLUE for text in texts]

        place = (0.2, bottom + 0.2, 4.8, height - 0.6)  # left, bottom, width, height
        axes = figure.add_axes(np.divide(place, (14, figure_height, 14, figure_height)))
        extent = (0, picture.shape[1], picture.shape[0], 0)
        axes.imshow(picture, cmap="gray", vmin=0, vmax=1, extent=extent)
        plate = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}  # readable on any picture
        for text, colour, (y_1, y_2, x_1, x_2) in zip(texts, colours, boxes):
            axes.plot([x_1, x_2, x_2, x_1, x_1], [y_1, y_1, y_2, y_2, y_1], color=colour)
            axes.text(x_1, y_1, text, color=colour, va="bottom", weight="bold", bbox=plate)
        name = os.fsencode(Path(name).name).decode(errors="replace")  # in any locale
        title = f"{name}: {''.join(texts)}"
        title = title if len(title) <= 50 else title[:49] + "…"
        axes.set_title(title, loc="left", y=1, pad=14, parse_math=False)
        axes.set_anchor("NW")
        axes.axis("off")

        place = (5.2, bottom, 8.8, height)
        axes = figure.add_axes(np.divide(place, (14, figure_height, 14, figure_height)))
        axes.axis("off")
        row, column = np.divmod(np.arange(len(digits)), columns)
        left, top = column * tile_width + 4, row * tile_height + 14
        zero = top + 42  # where the bars stand
        # One picture and one set of lines for all digits: hundreds of small ones take seconds.
        tiles = np.full((round(height * inch), columns * tile_width), np.nan)  # nan: transparent
        for x, y, digit, text, colour, p in zip(left, top, digits, texts, colours, probabilities):
            tiles[y : y + 28, x : x + 28] = digit
            axes.text(x, y - 1, f"{text}  {p.max():.2f}", color=colour, weight="bold")
        extent = (0, tiles.shape[1], tiles.shape[0], 0)
        axes.imshow(tiles, cmap="gray", vmin=0, vmax=255, extent=extent, aspect="auto")
        for label in range(10):
            x, tip = left + 1.4 + 2.8 * label, zero - 12 * probabilities[:, label]
            axes.vlines(x, zero, tip, colours, linewidth=5.7)
            axes.plot(x, zero + 2.5, marker=f"${label}$", color="black", **small)
        axes.hlines(zero, left, left + 28, GREY, linewidth=0.8)
        axes.set_xlim(0, 8.8 * inch)
        axes.set_ylim(height * inch, 0)
    return figure


def mosaic(images, columns, gap):
    """Images (n, height, width) side by side in one picture, `gap` pixels of 0 between them."""
    n, height, width = images.shape
    rows = max(1, -(-n // columns))
    tiles = np.zeros((rows * columns, height + gap, width + gap), images.dtype)
    tiles[:n, :height, :width] = images
    tiles = tiles.reshape(rows, columns, height + gap, width + gap)
    return tiles.swapaxes(1, 2).reshape(rows * (height + gap), columns * (width + gap))


def save_figures(figures, folder):
    """Write figures, a dictionary by file name, as PNG files into a folder; UserError if not."""
    for name, figure in figures.items():
        with atomic_write(folder / name) as file, warnings.catch_warnings():
            # that the font has no such letter, say: the picture shows a box for it
            warnings.simplefilter("ignore")
            figure.savefig(file, format="png", dpi=100, pil_kwargs={"compress_level": 3})


def show_figures():
    """Open all figures in windows, if there is a display; return when they are closed."""
    if plt.get_backend().lower() not in {"agg", "cairo", "pdf", "pgf", "ps", "svg", "template"}:
        plt.show()
