"""A window to draw a digit in, which shows how the network reads it.

Where matplotlib can't open one, the same figure is shown on a page in the browser.
"""

import asyncio
import contextlib
import itertools
import os
import socket
import time

import numpy as np
from matplotlib.transforms import Bbox

from data_preprocessing import preprocess
from explanation import ReadingFigure
from files import UserError, atomic_write
from handwriting import normalise
from plots import plt
from utils import softmax

SIDE = 280  # pixels of the square to draw in
PEN = 10  # radius of the pen in pixels, such that strokes come out as thick as MNIST's
REFRESH = 0.05  # seconds, at least, between two answers of the network during a stroke
HINT = "c  clear      u  undo      s  save      q  quit"
FIRST_PORT = 8988
PAGE = """<!DOCTYPE html>
<title>Draw a digit</title>
<link rel="icon" href="data:,">
<style>.ui-dialog-titlebar, .mpl-toolbar { display: none }</style>
<body><script src="js/mpl.js"></script><script>
mpl.toolbar_items = [];
const socket = new WebSocket(`ws://${location.host}/1/ws`);
new mpl.figure(1, socket, null, document.body);
socket.onclose = () => document.body.append("The program has ended.");
</script>
"""


def open_window(network, settings, left_out_below, folder):
    """Let the user draw, in a window or in the browser; return 0 when it is closed.

    network: a MultilayerPerceptron; settings: those it was trained with. A drawing is no digit if
    its largest probability is below left_out_below. folder: where drawings are saved. Raises
    UserError if neither a window nor a page can be opened.
    """
    window = DrawingWindow(network, settings, left_out_below, folder)
    if window.canvas.required_interactive_framework:  # there are a toolkit and a display
        plt.show()
        return 0
    plt.close("all")
    try:
        plt.switch_backend("webagg")
    except (ImportError, RuntimeError):
        raise UserError(
            "--draw needs a display and a toolkit that matplotlib knows, such as Tk (Debian's "
            "python3-tk), or, to draw in a browser, tornado (pip install tornado)"
        ) from None
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(DrawingWindow(network, settings, left_out_below, folder)))
    return 0


async def serve(window):
    """Serve the window as a page, to browsers on this machine alone, until q is pressed."""
    import tornado.web
    from matplotlib.backends.backend_webagg import WebAggApplication

    class Page(tornado.web.RequestHandler):
        def get(self):
            self.write(PAGE)

    canvas, send, closed = window.canvas, window.canvas.blit, asyncio.Event()
    drawn = None

    def send_frame(event):
        nonlocal drawn
        if drawn is canvas.get_renderer():
            send()
        else:  # the first frame, or the first in this size
            drawn = canvas.get_renderer()
            canvas.draw()

    canvas.handle_draw = send_frame
    canvas.blit = lambda area: canvas.draw_idle()  # the browser asks for a frame when it is ready
    window.close = closed.set
    application = tornado.web.Application()
    sockets = ("/([0-9]+)/ws", WebAggApplication.WebSocket)
    handlers = [("/", Page), ("/js/mpl.js", WebAggApplication.MplJs), sockets]
    application.add_handlers(r"127\.0\.0\.1|localhost", handlers)
    for port in range(FIRST_PORT, FIRST_PORT + 100):
        with contextlib.suppress(OSError):  # the port is taken
            application.listen(port, "127.0.0.1")
            break
    else:
        raise UserError(f"--draw: no port from {FIRST_PORT} to {port} is free")
    if "SSH_CONNECTION" in os.environ:
        print(f"Forward the port: ssh -L {port}:127.0.0.1:{port} {socket.gethostname()}")
    print(f"Draw at http://127.0.0.1:{port} in a browser; Ctrl-C ends the program.", flush=True)
    await closed.wait()


class DrawingWindow:
    """The window: the figure, with a pen that draws on its paper.

    ink: (SIDE, SIDE) float32, the drawing, 0 paper and 1 ink. layers: its forward pass, as
    MultilayerPerceptron.forward returns it, and probabilities: (10,), all 0 while nothing is drawn.
    """

    def __init__(self, network, settings, left_out_below, folder):
        self.network, self.settings = network, settings
        self.left_out_below, self.folder = left_out_below, folder
        self.ink = np.zeros((SIDE, SIDE), np.float32)
        self.before = []  # the drawing before each stroke
        self.pen_at = None  # where the pen touches the paper
        self.asked_at = 0.0  # when the network was last asked, in seconds
        self.stale = []  # panels that don't show its answer yet
        with plt.rc_context({"toolbar": "None"}):  # its pan and zoom would take the mouse away
            note = "edges in 4 directions" if settings.edges else "28 x 28 pixels"
            note += ",\nstraightened" * settings.deskew
            self.picture = ReadingFigure(network, SIDE, note)
        self.figure, self.paper = self.picture.figure, self.picture.paper
        self.pen = self.paper.plot([], "k", solid_capstyle="round", animated=True)[0]
        self.close = lambda: plt.close(self.figure)
        self.canvas = self.figure.canvas
        if self.canvas.manager:  # its keys: s would open a dialogue, c go back in the zoom
            self.canvas.mpl_disconnect(self.canvas.manager.key_press_handler_id)
        self.canvas.mpl_connect("button_press_event", self.press)
        self.canvas.mpl_connect("motion_notify_event", self.move)
        self.canvas.mpl_connect("button_release_event", self.release)
        self.canvas.mpl_connect("figure_leave_event", self.release)  # a page misses what follows
        self.canvas.mpl_connect("key_press_event", self.key)
        self.update()

    def press(self, event):
        """Put the pen on the paper."""
        if event.button == 1 and event.inaxes is self.paper:
            self.before.append(self.ink.copy())
            self.pen_at = (event.xdata, event.ydata)
            self.move(event)

    def move(self, event):
        """Draw with the pen, if it is on the paper.

        The other panels follow one per event. Together they would take longer than the mouse does
        to its next event, and window systems merge the events that wait.
        """
        if self.pen_at is None:
            return
        if event.inaxes is not self.paper:  # it goes on where the pen comes back
            self.pen_at = ()
            return
        here = (event.xdata, event.ydata)
        self.draw_line(self.pen_at or here, here)
        self.pen_at = here
        if self.stale:
            self.redraw(self.stale.pop())
        elif time.monotonic() >= self.asked_at + REFRESH:
            self.ask()
            self.stale = [axes for axes in self.picture.panels if axes is not self.paper]

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
            self.before.append(self.ink.copy())
            self.ink[:] = 0
        elif event.key in ("u", "ctrl+z") and self.before:
            self.ink[:] = self.before.pop()
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
                plt.imsave(file, self.ink, cmap="gray_r", vmin=0, vmax=1, format="png")
            self.update(f"saved in {path.parent.name}/{path.name}")
        except UserError as error:
            self.update(f"error: {error}")

    def update(self, message=HINT):
        """Ask the network and show the whole answer, and a message below the drawing."""
        self.picture.drawing.set_data(1 - self.ink)
        self.picture.message.set_text(message)
        self.ask()
        self.stale = []
        for axes in self.picture.panels:
            self.redraw(axes)

    def ask(self):
        """Ask the network what the drawing is, and set its answer in the picture."""
        self.asked_at = time.monotonic()
        self.layers = [np.zeros((1, size)) for size in self.network.layer_sizes]
        self.probabilities, title, digit = np.zeros(10), "", None
        if (self.ink > 0.5).any():
            image = normalise(self.ink)[None]
            X = preprocess(image, self.settings.deskew, self.settings.edges)
            self.layers = self.network.forward(X)
            self.probabilities, title = softmax(self.layers[-1])[0], "no digit"
            if self.probabilities.max() >= self.left_out_below:
                digit = self.probabilities.argmax()
                title = f"The answer: {digit}"
        self.picture.show(self.layers, self.probabilities, title, digit)

    def redraw(self, axes):
        """Draw one panel again, and nothing else."""
        self.figure.draw_artist(axes)
        self.canvas.blit(axes.bbox)

    def draw_line(self, start, end):
        """Draw a line in the drawing and in the window."""
        add_line(self.ink, start, end)
        width = 2 * PEN / SIDE * self.paper.bbox.width  # in pixels of the screen
        self.pen.set(data=list(zip(start, end)), linewidth=width * 72 / self.figure.dpi)
        self.figure.draw_artist(self.pen)
        points = self.paper.transData.transform((start, end))
        self.canvas.blit(Bbox((points.min(axis=0) - width, points.max(axis=0) + width)))


def add_line(ink, start, end):
    """Draw a line of the pen's width, with round ends and soft edges, in place.

    ink: (SIDE, SIDE) float32. start, end: (x, y) in pixels from the upper left corner.
    """
    left, top = np.maximum(np.floor(np.minimum(start, end)).astype(int) - PEN - 1, 0)
    right, bottom = np.floor(np.maximum(start, end)).astype(int) + PEN + 2
    ink = ink[top:bottom, left:right]
    y, x = np.ogrid[: ink.shape[0], : ink.shape[1]]
    x, y = x + left + 0.5 - start[0], y + top + 0.5 - start[1]  # from the start
    dx, dy = end[0] - start[0], end[1] - start[1]
    along = (x * dx + y * dy) / max(dx * dx + dy * dy, 1e-9)
    along = np.clip(along, 0, 1)  # the nearest point of the line, from its start to its end
    distance = np.hypot(x - along * dx, y - along * dy)
    np.maximum(ink, np.clip(PEN + 0.5 - distance, 0, 1), out=ink)
