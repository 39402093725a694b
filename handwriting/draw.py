"""A window to draw in, or a page in the browser, which shows how the network reads a digit."""

import itertools
import os
import socket

import numpy as np
from matplotlib import pyplot as plt
from PIL import Image, ImageDraw, ImageOps

from files import UserError, atomic_write
from handwriting.explanation import ReadingFigure
from handwriting.normalise import normalise
from utils import softmax

PAPER_SIDE = 560  # pixels of the square to draw in
PEN = 20  # radius of the pen in pixels, such that strokes come out as thick as MNIST's
TOOLKITS = ("gtk", "macosx", "qt", "tk", "wx")  # of matplotlib's backends that open windows
HINT = "c  clear      u  undo      s  save      q  quit"
PAGE = """<!DOCTYPE html>
<title>Draw a digit</title>
<style>.ui-dialog-titlebar, .mpl-toolbar { display: none }</style>
<body><script src="js/mpl.js"></script><script>
const socket = new WebSocket(`ws://${location.host}/1/ws`);
new mpl.figure(1, socket, null, document.body);
socket.onclose = () => document.body.append("The program has ended.");
</script>
"""


def open_window(model, left_out_below, folder):
    """Let the user draw, in a window or in the browser; return 0 when it is closed.

    A drawing is no digit if its largest probability is below left_out_below. folder: where drawings
    are saved. Raises UserError if neither a window nor a page can be opened.
    """
    in_browser = not plt.get_backend().lower().startswith(TOOLKITS)
    if in_browser:
        try:
            plt.switch_backend("webagg")
        except (ImportError, RuntimeError):
            raise UserError(
                "--draw needs a display and a toolkit that matplotlib knows, such as Tk (Debian's "
                "python3-tk), or, to draw in a browser, tornado (pip install tornado)"
            ) from None
    window = DrawingWindow(model, left_out_below, folder)
    if in_browser:
        prepare_page(window)
    plt.show()
    return 0


def prepare_page(window):
    """Make matplotlib's web server serve the window as a page, until q or Ctrl-C is pressed."""
    from matplotlib.backends.backend_webagg import WebAggApplication
    from tornado.ioloop import IOLoop

    plt.rcParams["webagg.open_in_browser"] = False  # matplotlib prints the address instead
    WebAggApplication.AllFiguresPage.get = lambda handler: handler.write(PAGE)
    WebAggApplication.initialize()
    if "SSH_CONNECTION" in os.environ:
        port = WebAggApplication.port
        print(f"Forward the port: ssh -L {port}:127.0.0.1:{port} {socket.gethostname()}")
    canvas, send_frame = window.canvas, window.canvas.blit
    canvas.blit = lambda area: canvas.draw_idle()  # the browser asks for a frame when it is ready
    canvas.handle_draw = lambda event: send_frame()  # all is drawn already
    canvas.mpl_connect("resize_event", lambda event: canvas.draw())
    window.close = IOLoop.current().stop


class DrawingWindow:
    """The window: the figure, with a pen that draws on its paper.

    ink: the drawing, a square of pixels from 0 (paper) to 255 (ink). layers, probabilities: its
    forward pass, a list of layers (1, n), and (10,); all 0 while nothing is drawn.
    """

    def __init__(self, model, left_out_below, folder):
        self.model, self.network = model, model.network
        self.left_out_below, self.folder = left_out_below, folder
        self.ink = Image.new("L", (PAPER_SIDE, PAPER_SIDE))
        self.before = []  # the drawing before each stroke
        self.pen_at = None  # where the pen touches the paper
        self.stale = []  # panels that don't show its answer yet
        with plt.rc_context({"toolbar": "None"}):  # its pan and zoom would take the mouse away
            note = "28 x 28 pixels" + ",\nstraightened" * model.settings.deskew
            self.picture = ReadingFigure(self.network, PAPER_SIDE, note)
        self.figure, self.paper = self.picture.figure, self.picture.paper
        self.close = lambda: plt.close(self.figure)
        self.canvas = self.figure.canvas
        # matplotlib's own keys: s would open a dialogue, c go back in the zoom
        self.canvas.mpl_disconnect(self.canvas.manager.key_press_handler_id)
        self.canvas.mpl_connect("button_press_event", self.press)
        self.canvas.mpl_connect("motion_notify_event", self.move)
        self.canvas.mpl_connect("button_release_event", self.release)
        self.canvas.mpl_connect("figure_leave_event", self.release)  # a page misses what follows
        self.canvas.mpl_connect("key_press_event", self.key)
        self.canvas.draw()
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
        self.draw_line(self.pen_at or here, here)
        self.pen_at = here
        # one panel per event: all would take longer than the mouse does to its next event
        if not self.stale:
            self.ask()
            self.stale = self.picture.panels[1:]
        self.picture.redraw(self.stale.pop())

    def release(self, event):
        """Lift the pen."""
        if getattr(event, "button", 1) == 1 and self.pen_at is not None:
            self.pen_at = None
            self.update()

    def key(self, event):
        """Clear the paper, undo the last stroke or clearing, save the drawing, or end."""
        if event.key == "s":
            return self.save()
        if event.key == "q":
            return self.close()
        if event.key == "c":
            self.before.append(self.ink)
            self.ink = Image.new("L", (PAPER_SIDE, PAPER_SIDE))
        elif event.key in ("u", "ctrl+z") and self.before:
            self.ink = self.before.pop()
        else:
            return
        self.pen_at = None
        self.update()

    def save(self):
        """Write the drawing to the first of drawing-1.png, drawing-2.png, ... that isn't there."""
        paths = (self.folder / f"drawing-{number}.png" for number in itertools.count(1))
        path = next(path for path in paths if not path.exists())
        try:
            with atomic_write(path) as file:
                ImageOps.invert(self.ink).save(file, "PNG")
            self.update(f"saved in {path.parent.name}/{path.name}")
        except UserError as error:
            self.update(f"error: {error}")

    def update(self, message=HINT):
        """Ask the network and show the whole answer, and a message below the drawing."""
        self.picture.message.set_text(message)
        self.picture.drawing.set_data(1 - self.soft_ink())
        self.ask()
        self.stale = []
        for panel in self.picture.panels:
            self.picture.redraw(panel)

    def ask(self):
        """Ask the network what the drawing is, and set its answer in the picture."""
        self.layers = [np.zeros((1, size)) for size in self.network.layer_sizes]
        self.probabilities, title, digit = np.zeros(10), "", None
        if self.ink.getbbox():  # anything is drawn
            X = self.model.inputs(normalise(self.soft_ink())[None])
            self.layers = self.network.forward(X)
            self.probabilities, title = softmax(self.layers[-1])[0], "no digit"
            if self.probabilities.max() >= self.left_out_below:
                digit = self.probabilities.argmax()
                title = f"The answer: {digit}"
        self.picture.show(self.layers, self.probabilities, title, digit)

    def soft_ink(self):
        """The drawing, half as large, with soft edges: float32 from 0 (paper) to 1 (ink)."""
        return np.asarray(self.ink.reduce(2), np.float32) / 255

    def draw_line(self, start, end):
        """Draw a line with round ends, and show it."""
        drawing = ImageDraw.Draw(self.ink)
        ends = np.rint((start, end))
        drawing.line(ends.flatten().tolist(), 255, 2 * PEN + 1)
        for x, y in ends:
            drawing.ellipse([x - PEN, y - PEN, x + PEN, y + PEN], 255)
        self.picture.drawing.set_data(1 - self.soft_ink())
        self.picture.redraw(self.picture.panels[0])
