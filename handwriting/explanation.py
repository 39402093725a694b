"""The figure of how a network reads a drawing: its input, hidden neurons and answer, and why."""

import numpy as np
from matplotlib import pyplot as plt

from data_preprocessing import SIDE
from model import CLASSES
from plots import BLUE, GREY, ORANGE
from utils import relu_derivative

NOTHING = np.ones((SIDE, SIDE, 3))  # an empty picture
NO_TEXT = " "  # keeps its room in the layout
EXPLANATION = """Each picture shows how a hidden neuron weighs its
input: what is on blue excites it, on red inhibits it.
The number is the neuron's activation times its weight
for the answer: what it adds to the answer's score.
The digit with the highest score is the answer."""


class ReadingFigure:
    """The figure; see docs/draw.png. What changes is drawn over the rest by panels (blitting).

    figure: the matplotlib figure. panels: its parts that change, the sheet of paper first. paper:
    the axes to draw in, from (0, 0) to (side, side). drawing, message: the image on the paper and
    the text below it.
    """

    def __init__(self, network, side, note):
        """Create the figure, with no answer. note: how a drawing becomes the network's input."""
        self.network = network
        self.figure = plt.figure("Draw a digit", figsize=(11.6, 6.9), layout="constrained")
        self.figure.get_layout_engine().set(w_pad=0.08, h_pad=0.08)
        top, bottom = self.figure.subfigures(2, 1, height_ratios=(2.2, 1))
        sheet, seen, hidden, answer = top.subfigures(1, 4, width_ratios=(35, 21, 21, 23))
        why, *cards = bottom.subfigures(1, 6, width_ratios=(36, *[13] * 5))
        self.panels = [sheet, seen, hidden, answer, *cards]
        for panel in (seen, hidden, answer):
            panel.supylabel("→", rotation=0, fontsize=22, color=GREY)
        self.drawing = add_image(sheet, "Draw a digit here", extent=(0, side, side, 0))
        self.paper = self.drawing.axes
        self.message = sheet.supxlabel(NO_TEXT, color=GREY, fontsize="medium", animated=True)
        self.input = add_image(seen, "What the network gets", note)
        sizes, self.grids = network.layer_sizes[1:-1], []
        layers = hidden.subplots(len(sizes), squeeze=False)[:, 0]
        for size, axes in zip(sizes, layers):
            title = f"{size} hidden neurons" * (len(sizes) < 4)  # if there is room
            frame_axes(axes, title)
            columns = min(size, round(np.sqrt(size * len(sizes) / 2)))
            cells = np.zeros((-(-size // columns), columns))
            style = {"cmap": "gray", "vmin": 0, "vmax": 1, "edgecolors": "black"}
            self.grids.append(axes.pcolormesh(cells, animated=True, **style))
            axes.invert_yaxis()
        layers[-1].set_xlabel("bright: active\nframed: shown below", color=GREY)
        bars = answer.subplots()
        bars.set(xlim=(0, 1.4), xticks=[], yticks=range(CLASSES))
        bars.set_xlabel("probability of each digit", color=GREY)
        bars.tick_params(left=False)
        bars.spines[["top", "right", "bottom"]].set_visible(False)
        bars.invert_yaxis()
        self.bars = bars.barh(range(CLASSES), np.zeros(CLASSES), height=0.7, lw=0, animated=True)
        self.percents = bars.bar_label(self.bars, padding=4, animated=True)
        self.answer = bars.set_title(NO_TEXT, fontsize=14, weight="bold", animated=True)

        self.speakers = []  # picture, number, and frame in the grid of the last hidden layer
        headings = ["speak most for the answer", NO_TEXT, NO_TEXT, NO_TEXT, "most against it"]
        for card, heading, colour in zip(cards, headings, [BLUE] * 4 + [ORANGE]):
            card.suptitle(heading, color=colour, x=0.04, ha="left")
            picture = add_image(card, colour=colour)
            number = picture.axes.title
            number.set(color=colour, weight="bold", fontsize="medium", animated=True)
            frame = plt.Rectangle((0, 0), 1, 1, fill=False, color=colour, lw=2, animated=True)
            self.speakers.append((picture, number, axes.add_patch(frame)))
        why.text(0.06, 0.9, "Why?", fontsize=14, weight="bold")
        why.text(0.06, 0.82, EXPLANATION, color=GREY, va="top", linespacing=1.4)

        self.figure.draw_without_rendering()  # lays it out
        self.figure.set_layout_engine("none")  # text that changes moves nothing
        self.animated = {panel: panel.findobj(plt.Artist.get_animated) for panel in self.panels}
        self.figure.canvas.mpl_connect("draw_event", self.keep_backgrounds)

    def keep_backgrounds(self, event):
        """Keep the background, which was just drawn, and complete the figure."""
        copy = self.figure.canvas.copy_from_bbox
        self.backgrounds = {panel: copy(panel.bbox) for panel in self.panels}
        for panel in self.panels:
            self.redraw(panel)

    def redraw(self, panel):
        """Draw what changes in one panel again, and nothing else."""
        self.figure.canvas.restore_region(self.backgrounds[panel])
        for artist in self.animated[panel]:
            self.figure.draw_artist(artist)
        self.figure.canvas.blit(panel.bbox)

    def show(self, layers, probabilities, title, digit):
        """Set a forward pass of one image, its probabilities (10,), and the answer or None."""
        X, *hidden, _ = (layer[0] for layer in layers)
        self.input.set_data(X.reshape(SIDE, SIDE))
        for grid, H in zip(self.grids, hidden):
            brightness = np.zeros(grid.get_array().shape)
            brightness.flat[: len(H)] = 0.15 + 0.85 * H / max(H.max(), 1e-9)
            grid.set_array(brightness)
        for bar, percent, p in zip(self.bars, self.percents, probabilities):
            bar.set(width=p, color=GREY)
            percent.xy = (p, percent.xy[1])
            percent.set_text(f"{p:.0%}" if p >= 0.005 else "")
        self.answer.set_text(title or NO_TEXT)
        for picture, number, frame in self.speakers:
            picture.set_data(NOTHING)
            number.set_text(NO_TEXT)
            frame.set_visible(False)
        if digit is not None:
            self.bars[digit].set_color(BLUE)
            self.explain(X, hidden, digit)

    def explain(self, X, hidden, digit):
        """Set the neurons of the last hidden layer that speak most for and against a digit."""
        weights = self.network.weights
        speech = hidden[-1] * weights[-1][:, digit]
        order = speech.argsort()
        loudest = [(place, j) for place, j in enumerate(order[:-5:-1]) if speech[j] > 0]
        loudest += [(4, j) for j in order[:1] if speech[j] < 0]
        columns = self.grids[-1].get_array().shape[1]
        for place, j in loudest:
            picture, number, frame = self.speakers[place]
            # the weight of each pixel: along all paths through active neurons
            w = weights[-2][:, j]
            for W, H in zip(weights[-3::-1], hidden[-2::-1]):
                w = W @ (w * relu_derivative(H))
            colours = plt.cm.RdBu(0.5 + w / max(np.abs(w).max(), 1e-9) / 2)[:, :3]
            colours *= 1 - 0.4 * np.clip(X, 0, 1)[:, None]  # the drawing, as a shadow
            picture.set_data(colours.reshape(SIDE, SIDE, 3))
            number.set_text(f"{speech[j]:+.2f}")
            frame.set(xy=(j % columns, j // columns), visible=True)


def frame_axes(axes, title="", label="", colour="#bbbbbb"):
    """Give axes a frame without ticks, a title above and a label below."""
    axes.set(xticks=[], yticks=[], title=title)
    axes.set_xlabel(label, color=GREY)
    axes.spines[:].set(color=colour, linewidth=1.5)


def add_image(panel, title=NO_TEXT, label="", colour="#bbbbbb", **style):
    """Add axes with an image, still white, of numbers from 0 (black) to 1; return the image."""
    axes = panel.subplots()
    frame_axes(axes, title, label, colour)
    return axes.imshow(NOTHING, "gray", vmin=0, vmax=1, animated=True, **style)
