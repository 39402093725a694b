"""The figure of how a network reads a drawing: its input, hidden neurons and answer, and why."""

import numpy as np

from model import CLASSES, SIDE
from plots import BLUE, GREY, ORANGE, mosaic, plt
from utils import relu_derivative

NOTHING = np.ones((SIDE, SIDE, 3))  # an empty picture
EXPLANATION = """Each picture shows how a hidden neuron weighs its
input: ink on blue excites it, ink on red inhibits it.
The number is the neuron's activation times its weight
for the answer: what it adds to the answer's score.
The digit with the highest score is the answer."""


class ReadingFigure:
    """The figure; see docs/draw.png.

    figure: the matplotlib figure. panels: its axes; what changes lies within one of them, so that
    each can be redrawn alone. paper: the one with the drawing, from (0, 0) to (side, side).
    drawing, message: the image on the paper and the text below it.
    """

    def __init__(self, network, side, note):
        """Create the figure, with no answer. note: how a drawing becomes the network's input."""
        centre = {"ha": "center", "va": "center"}
        self.network = network
        self.figure = plt.figure("Draw a digit", figsize=(11.6, 6.9))
        self.paper = self.add_panel(0.026, 0.4, 0.319, 0.536, "Draw a digit here")
        self.drawing = add_image(self.paper, np.ones((side, side)), extent=(0, side, side, 0))
        below = self.add_panel(0.026, 0.34, 0.319, 0.05, frame="white")
        self.message = below.text(0.5, 0.5, "", color=GREY, **centre)
        axes = self.add_panel(0.392, 0.543, 0.151, 0.254, "What the network gets", note)
        self.input = add_image(axes, np.zeros((SIDE, SIDE)))

        sizes, self.grids = network.layer_sizes[1:-1], []
        slot = 0.536 / len(sizes)
        for layer, size in enumerate(sizes, start=1):
            height = slot if layer == 1 else 0.8 * slot  # there is a title above
            title = f"{size} hidden neurons" * (layer == 1 or len(sizes) < 4)  # if there is room
            axes = self.add_panel(0.59, 0.936 - layer * slot, 0.16, height, title)
            columns = min(size, round(np.sqrt(size * len(sizes) / 2)))
            image = add_image(axes, mosaic(np.zeros((size, 4, 4)), columns, 1))
            rows, width = image.get_size()
            axes.set(
                xlim=(-1.5, width - 0.5), ylim=(rows - 0.5, -1.5), facecolor="k", aspect="auto"
            )
            self.grids.append((image, columns))

        bars = self.add_panel(0.81, 0.4, 0.18, 0.56, frame="white")
        bars.set(xlim=(-0.02, 1.3), ylim=(9.6, -1.7))
        bars.vlines(0, -0.5, 9.5, "#bbbbbb")
        self.bars = bars.barh(range(CLASSES), np.zeros(CLASSES), height=0.7, linewidth=0)
        self.percents = [bars.text(0, digit, "", va="center") for digit in range(CLASSES)]
        for digit in range(CLASSES):
            self.figure.text(0.8, 0.4 + 0.56 * (9.6 - digit) / 11.3, digit, **centre)
        self.answer = bars.text(0.55, -1.1, "", fontsize=14, weight="bold", **centre)

        self.speakers = []  # picture, number, and frame in the grid of the last hidden layer
        for place, colour in enumerate([BLUE] * 4 + [ORANGE]):
            card = self.add_panel(0.392 + 0.119 * place, 0.04, 0.108, 0.217, frame=colour)
            picture = add_image(card, NOTHING)
            card.set_ylim(33, -0.5)
            number = card.text(13.5, 30.3, "", color=colour, weight="bold", **centre)
            frame = plt.Rectangle((0, 0), 5, 5, fill=False, edgecolor=colour, linewidth=2)
            self.speakers.append((picture, number, axes.add_patch(frame)))
        self.panels = self.figure.axes

        for x in (0.368, 0.567, 0.776):
            self.figure.text(x, 0.667, "→", fontsize=22, color=GREY, **centre)
        self.figure.text(0.67, 0.36, "bright: active\nframed: shown below", color=GREY, **centre)
        self.figure.text(0.89, 0.373, "probability of each digit", color=GREY, **centre)
        self.figure.text(0.026, 0.28, "Why?", fontsize=14, weight="bold")
        self.figure.text(0.026, 0.255, EXPLANATION, color=GREY, va="top", linespacing=1.4)
        self.figure.text(0.392, 0.275, "speak most for the answer", color=BLUE)
        self.figure.text(0.868, 0.275, "most against it", color=ORANGE)

    def add_panel(self, left, bottom, width, height, title="", label="", frame="#bbbbbb"):
        """Axes within a frame, title above, label below; measures are parts of the figure's."""
        centre = left + width / 2
        self.figure.text(centre, bottom + height + 0.015, title, fontsize=12, ha="center")
        self.figure.text(centre, bottom - 0.015, label, color=GREY, va="top", ha="center")
        axes = self.figure.add_axes((left, bottom, width, height), xticks=[], yticks=[])
        axes.spines[:].set_visible(False)  # redrawn with the axes, their soft edges would darken
        edges = (left - 0.002, bottom - 0.0034), width + 0.004, height + 0.0068
        style = {"fill": False, "edgecolor": frame, "linewidth": 1.5}
        self.figure.add_artist(plt.Rectangle(*edges, **style))
        return axes

    def show(self, layers, probabilities, title, digit):
        """Set a forward pass of one image, its probabilities (10,), and the answer.

        digit: the answer, or None.
        """
        X, *hidden, _ = (layer[0] for layer in layers)
        self.input.set_data(X.reshape(SIDE, SIDE))
        for (image, columns), H in zip(self.grids, hidden):
            brightness = 0.15 + 0.85 * H / max(H.max(), 1e-9)
            image.set_data(mosaic(np.tile(brightness[:, None, None], (4, 4)), columns, 1))
        for bar, percent, p in zip(self.bars, self.percents, probabilities):
            bar.set(width=p, color=GREY)
            percent.set(x=p + 0.03, text=f"{p:.0%}" if p >= 0.005 else "")
        self.answer.set_text(title)
        for picture, number, frame in self.speakers:
            picture.set_data(NOTHING)
            number.set_text("")
            frame.set_visible(False)
        if digit is not None:
            self.bars[digit].set_color(BLUE)
            self.explain(X, hidden, digit)

    def explain(self, X, hidden, digit):
        """Set the neurons of the last hidden layer that speak most for and against a digit.

        A neuron speaks with its activation times its weight for the digit. Its picture shows the
        weight of each pixel: its column of W_1 or, after more hidden layers, the product of the
        weights along all paths through active neurons.
        """
        weights = self.network.weights
        speech = hidden[-1] * weights[-1][:, digit]
        order = speech.argsort()
        loudest = [(place, j) for place, j in enumerate(order[:-5:-1]) if speech[j] > 0]
        loudest += [(4, j) for j in order[:1] if speech[j] < 0]
        for place, j in loudest:
            picture, number, frame = self.speakers[place]
            w = weights[-2][:, j]
            for W, H in zip(weights[-3::-1], hidden[-2::-1]):
                w = W @ (w * relu_derivative(H))
            colours = plt.cm.RdBu(0.5 + w / max(np.abs(w).max(), 1e-9) / 2)[:, :3]
            colours *= 1 - 0.4 * np.clip(X, 0, 1)[:, None]  # the drawing, as a shadow
            picture.set_data(colours.reshape(SIDE, SIDE, 3))
            number.set_text(f"{speech[j]:+.2f}")
            row, column = divmod(j, self.grids[-1][1])
            frame.set(xy=(5 * column - 1, 5 * row - 1), visible=True)


def add_image(axes, image, **style):
    """Show an image, (height, width) from 0 (black) to 1 or (height, width, 3), in axes."""
    return axes.imshow(image, "gray", vmin=0, vmax=1, **style)
