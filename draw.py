"""A window to draw a digit in with the mouse, and to watch the network read it."""

import itertools

import numpy as np

from files import UserError, atomic_write
from handwriting import normalise
from plots import BLUE, plt

SIDE = 280  # pixels of the square to draw in
PEN = 10  # radius of the pen in pixels, such that strokes come out as thick as MNIST's
HINT = "c  clear      u  undo      s  save"


def open_window(read, folder):
    """Let the user draw; return 0 when the window is closed.

    read: function that turns images (n, 28, 28) uint8 into probabilities (n, 10). folder: where
    drawings are saved. Raises UserError if no window can be opened.
    """
    try:
        window = DrawingWindow(read, folder)
    except ImportError:  # the toolkit that MPLBACKEND names is not there, or finds no display
        window = None
    if window is None or window.figure.canvas.required_interactive_framework is None:
        plt.close("all")
        raise UserError(
            "--draw opens a window, which needs a display and a toolkit that matplotlib knows, "
            "such as Tk (Debian's python3-tk); on another machine, try ssh -X"
        )
    plt.show()
    return 0


class DrawingWindow:
    """The window: the drawing on the left, what the network sees and says on the right.

    ink: (SIDE, SIDE) float32, the drawing, 0 paper and 1 ink. image: (28, 28) uint8 and
    probabilities: (10,), both 0 while nothing is drawn. figure: the matplotlib figure.
    """

    def __init__(self, read, folder):
        self.read, self.folder = read, folder
        self.ink = np.zeros((SIDE, SIDE), np.float32)
        self.before = []  # the drawing before each stroke
        self.pen_at = None  # where the pen touches the paper
        with plt.rc_context({"toolbar": "None"}):  # its pan and zoom would take the mouse away
            self.figure = plt.figure("Draw a digit", figsize=(9, 5))
        grid = self.figure.add_gridspec(
            2, 2, width_ratios=(4, 3), left=0.03, right=0.97, bottom=0.12, top=0.92, hspace=0.25
        )
        self.paper = self.figure.add_subplot(grid[:, 0], title="Draw a digit here", xlabel=HINT)
        seen = self.figure.add_subplot(grid[0, 1], title="What the network sees")
        bars = self.figure.add_subplot(grid[1, 1], xlim=(-0.5, 9.5), ylim=(0, 1.15), yticks=[])
        for axes in (self.paper, seen):
            axes.set(xticks=[], yticks=[])
        bars.set(xticks=range(10), xlabel="probability of each digit")
        extent = (0, SIDE, SIDE, 0)
        self.drawing = self.paper.imshow(self.ink, cmap="gray_r", vmin=0, vmax=1, extent=extent)
        self.seen = seen.imshow(np.zeros((28, 28)), cmap="gray", vmin=0, vmax=255)
        self.bars = bars.bar(range(10), np.zeros(10), color=BLUE)
        self.numbers = [bars.text(digit, 0, "", ha="center", va="bottom") for digit in range(10)]
        canvas = self.figure.canvas
        if canvas.manager is not None:  # its keys: s would open a dialogue, c go back in the zoom
            canvas.mpl_disconnect(canvas.manager.key_press_handler_id)
        canvas.mpl_connect("button_press_event", self.press)
        canvas.mpl_connect("motion_notify_event", self.move)
        canvas.mpl_connect("button_release_event", self.release)
        canvas.mpl_connect("key_press_event", self.key)
        self.update()

    def press(self, event):
        """Put the pen on the paper."""
        if event.button == 1 and event.inaxes is self.paper:
            self.before.append(self.ink.copy())
            self.pen_at = (event.xdata, event.ydata)
            self.move(event)

    def move(self, event):
        """Draw with the pen, if it is on the paper."""
        if self.pen_at is None:
            return
        if event.inaxes is not self.paper:  # it goes on where the pen comes back
            self.pen_at = ()
            return
        here = (event.xdata, event.ydata)
        add_line(self.ink, self.pen_at or here, here)
        self.pen_at = here
        self.update()

    def release(self, event):
        """Lift the pen."""
        if event.button == 1:
            self.pen_at = None

    def key(self, event):
        """Clear the paper, undo the last stroke or clearing, or save the drawing."""
        if event.key == "c":
            self.before.append(self.ink.copy())
            self.ink[:] = 0
        elif event.key in ("u", "ctrl+z") and self.before:
            self.ink[:] = self.before.pop()
        elif event.key == "s":
            return self.save()
        self.pen_at = None
        self.update()

    def save(self):
        """Write the drawing to the first of drawing-1.png, drawing-2.png, ... that isn't there."""
        paths = (self.folder / f"drawing-{number}.png" for number in itertools.count(1))
        path = next(path for path in paths if not path.exists())
        try:
            with atomic_write(path) as file:
                plt.imsave(file, self.ink, cmap="gray_r", vmin=0, vmax=1, format="png")
            self.update(f"saved in {path.parent.name}/{path.name}")
        except UserError as error:
            self.update(f"error: {error}")

    def update(self, message=HINT):
        """Show the drawing and what the network makes of it, and a message below."""
        self.image, self.probabilities = np.zeros((28, 28), np.uint8), np.zeros(10)
        if (self.ink > 0.5).any():
            self.image = normalise(self.ink)
            self.probabilities = self.read(self.image[None])[0]
        self.drawing.set_data(self.ink)
        self.seen.set_data(self.image)
        for bar, number, probability in zip(self.bars, self.numbers, self.probabilities):
            bar.set_height(probability)
            number.set_y(probability)
            number.set_text(f"{probability:.2f}" if probability >= 0.005 else "")
        self.paper.set_xlabel(message)
        self.figure.canvas.draw_idle()


def add_line(ink, start, end):
    """Draw a line of the pen's width, with round ends and soft edges, in place.

    ink: (SIDE, SIDE) float32. start, end: (x, y) in pixels from the upper left corner.
    """
    y, x = np.ogrid[0.5 : SIDE + 0.5, 0.5 : SIDE + 0.5]
    dx, dy = end[0] - start[0], end[1] - start[1]
    along = ((x - start[0]) * dx + (y - start[1]) * dy) / max(dx * dx + dy * dy, 1e-9)
    along = np.clip(along, 0, 1)  # the nearest point of the line, from its start to its end
    distance = np.hypot(x - start[0] - along * dx, y - start[1] - along * dy)
    np.maximum(ink, np.clip(PEN + 0.5 - distance, 0, 1), out=ink)
