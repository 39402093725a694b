"""The drawing window, with a mouse that is not there, and on a real but virtual screen."""

import os
import shutil
import subprocess
import sys

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.backend_bases import KeyEvent, MouseEvent
from PIL import Image

import draw
import handwriting
from command_line import PROJECT
from data_preprocessing import preprocess
from files import UserError
from save_load import load_model

SEVEN = [(60, 60), (210, 60), (120, 230)]  # pixels of the square to draw in
ONE = [(140, 50), (140, 230)]


@pytest.fixture
def window(tmp_path):
    network, _, settings, _ = load_model(PROJECT / "trained_model.npz")
    yield draw.DrawingWindow(
        lambda images: network.predict_proba(preprocess(images, settings.deskew, settings.edges)),
        tmp_path,
    )
    plt.close("all")


def mouse(window, name, point, button=1):
    x, y = window.paper.transData.transform(point)
    canvas = window.figure.canvas
    canvas.callbacks.process(name, MouseEvent(name, canvas, x, y, button))


def stroke(window, points):
    """Press the mouse at the first point, move it over the others and release it at the last."""
    mouse(window, "button_press_event", points[0])
    for start, end in zip(points, points[1:]):
        for part in np.linspace(0, 1, 10):
            mouse(
                window, "motion_notify_event", (1 - part) * np.array(start) + part * np.array(end)
            )
    mouse(window, "button_release_event", points[-1])


def press_key(window, key):
    canvas = window.figure.canvas
    canvas.callbacks.process("key_press_event", KeyEvent("key_press_event", canvas, key))


def test_a_seven_is_read_while_it_is_drawn(window):
    assert not window.image.any() and not window.probabilities.any()
    mouse(window, "button_press_event", SEVEN[0])
    assert window.ink.any() and window.probabilities.sum() == pytest.approx(1)
    stroke(window, SEVEN)
    assert window.probabilities.argmax() == 7
    assert [bar.get_height() for bar in window.bars] == window.probabilities.tolist()
    assert (window.seen.get_array() == window.image).all()
    assert (window.drawing.get_array() == window.ink).all()
    assert (window.image == handwriting.normalise(window.ink)).all()
    window.figure.canvas.draw()


def test_ink_is_where_the_mouse_was_and_nowhere_else(window):
    stroke(window, ONE)
    rows, columns = (np.flatnonzero((window.ink > 0.5).any(axis)) for axis in (1, 0))
    assert (rows[0], rows[-1] + 1) == (50 - draw.PEN, 230 + draw.PEN)
    assert (columns[0], columns[-1] + 1) == (140 - draw.PEN, 140 + draw.PEN)
    assert (window.ink[60:220, 130:150] == 1).all()


def test_only_the_left_button_on_the_paper_draws(window):
    mouse(window, "motion_notify_event", (100, 100))
    mouse(window, "button_press_event", (100, 100), button=3)
    mouse(window, "motion_notify_event", (150, 100), button=3)
    mouse(window, "button_release_event", (150, 100), button=3)
    mouse(window, "button_press_event", (-50, 100))
    mouse(window, "motion_notify_event", (150, 100))
    assert not window.ink.any() and not window.before


def test_a_stroke_that_leaves_the_paper_goes_on_where_it_comes_back(window):
    mouse(window, "button_press_event", (20, 20))
    mouse(window, "motion_notify_event", (-20, 20))
    mouse(window, "motion_notify_event", (20, 250))
    mouse(window, "button_release_event", (20, 250))
    assert window.ink[20, 20] == 1 and window.ink[250, 20] == 1
    assert not window.ink[60:200].any()


def test_undo_and_clear(window):
    stroke(window, SEVEN)
    seven = window.ink.copy()
    stroke(window, ONE)
    press_key(window, "u")
    assert (window.ink == seven).all()
    press_key(window, "c")
    assert not window.ink.any() and not window.probabilities.any() and not window.image.any()
    press_key(window, "u")
    assert (window.ink == seven).all() and window.probabilities.argmax() == 7
    for _ in range(3):
        press_key(window, "u")
    assert not window.ink.any()


def test_saved_drawings_can_be_read_as_pictures(window, tmp_path):
    stroke(window, SEVEN)
    press_key(window, "s")
    press_key(window, "s")
    assert {path.name for path in tmp_path.iterdir()} == {"drawing-1.png", "drawing-2.png"}
    assert "drawing-2.png" in window.paper.get_xlabel()
    with Image.open(tmp_path / "drawing-1.png") as picture:
        assert picture.size == (draw.SIDE, draw.SIDE)
    _, images, _ = handwriting.read_digits(tmp_path / "drawing-1.png")
    assert window.read(images).argmax(axis=1).tolist() == [7]
    assert np.abs(images[0] - window.image.astype(float)).mean() < 8


def test_a_drawing_that_cannot_be_saved_says_so_in_the_window(window, tmp_path):
    window.folder = tmp_path / "file"
    window.folder.write_text("not a folder")
    press_key(window, "s")
    assert window.paper.get_xlabel().startswith("error: ")


def test_matplotlibs_own_keys_are_off(window):
    assert window.figure.canvas.manager.toolbar is None
    saved = []
    window.figure.savefig = lambda *arguments: saved.append(arguments)
    press_key(window, "l")  # logarithmic axes, as a rule
    assert window.paper.get_yscale() == "linear" and not saved


def test_without_a_display_one_line_says_what_is_needed(tmp_path):
    with pytest.raises(UserError, match="needs a display"):
        draw.open_window(None, tmp_path)
    environment = {"PATH": os.environ["PATH"], "MPLBACKEND": "TkAgg"}
    for remove in ((), ("MPLBACKEND",)):
        process = subprocess.run(
            [sys.executable, PROJECT / "main.py", "--draw"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            env={name: environment[name] for name in environment if name not in remove},
        )
        assert process.returncode == 1 and process.stdout == ""
        assert process.stderr.startswith("error: --draw opens a window, which needs a display")
        assert process.stderr.count("\n") == 1


# Draws with the events of the window system itself, in the window that main.py opens.
ON_A_SCREEN = """
import sys
sys.path.insert(0, sys.argv[1])
import matplotlib.pyplot as plt
import draw, main

def play():
    widget = window.figure.canvas.get_tk_widget()
    height = widget.winfo_height()
    def at(point):
        x, y = window.paper.transData.transform(point)
        return {"x": round(x), "y": round(height - y)}
    widget.event_generate("<ButtonPress-1>", **at((60, 60)))
    for point in ((130, 60), (210, 60), (165, 145), (120, 230)):
        widget.event_generate("<B1-Motion>", **at(point))
    widget.event_generate("<ButtonRelease-1>", **at((120, 230)))
    widget.update()
    print("read", window.probabilities.argmax(), flush=True)
    widget.focus_force()
    widget.update()
    widget.event_generate("<Key-s>")
    widget.update()
    window.figure.savefig("window.png")
    plt.close(window.figure)

class Played(draw.DrawingWindow):
    def __init__(self, *arguments):
        global window
        super().__init__(*arguments)
        window = self
        self.timer = self.figure.canvas.new_timer(500)
        self.timer.single_shot = True
        self.timer.add_callback(play)
        self.timer.start()

draw.DrawingWindow = Played
sys.exit(main.main(["--draw", "--plots-dir", "plots"]))
"""


def test_a_real_window(tmp_path):
    pytest.importorskip("tkinter", reason="Python was built without tkinter")
    if not shutil.which("Xvfb"):
        pytest.skip("Xvfb, a virtual X server, is not installed")
    reading, writing = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(writing), "-screen", "0", "1280x1024x24", "-nolisten", "tcp"],
        pass_fds=[writing],
        stderr=subprocess.DEVNULL,
    )
    try:
        os.close(writing)
        with os.fdopen(reading) as file:
            display = file.readline().strip()
        assert display, "Xvfb has not started"
        process = subprocess.run(
            [sys.executable, "-c", ON_A_SCREEN, str(PROJECT)],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            env=os.environ | {"DISPLAY": f":{display}", "MPLBACKEND": "TkAgg"},
        )
    finally:
        server.terminate()
        server.wait()
    assert (process.returncode, process.stdout, process.stderr) == (0, "read 7\n", "")
    assert [path.name for path in (tmp_path / "plots").iterdir()] == ["drawing-1.png"]
