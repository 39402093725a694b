"""The drawing window: with made-up mouse events, on a virtual screen, and in the browser."""

import asyncio
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import urllib.request
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pytest
from conftest import assert_one_line_error, run_main
from matplotlib.backend_bases import KeyEvent, LocationEvent, MouseEvent
from pages import answer_to_file
from PIL import Image

from files import PROJECT
from handwriting import draw
from handwriting.normalise import normalise
from save_load import load_model

CORNERS = np.array([(120, 120), (420, 120), (240, 460)])
SEVEN = np.vstack([np.linspace(*CORNERS[:2], 20), np.linspace(*CORNERS[1:], 20)])
ONE = [(280, 100), (280, 460)]


@pytest.fixture
def make_window(tmp_path):
    shipped = load_model(PROJECT / "handwriting" / "model.npz")

    def make(network=shipped.network):
        return draw.DrawingWindow(replace(shipped, network=network), 0.7, tmp_path)

    yield make
    plt.close("all")


@pytest.fixture
def window(make_window):
    return make_window()


def mouse(window, name, point, button=1):
    x, y = window.paper.transData.transform(point)
    MouseEvent(name, window.canvas, x, y, button)._process()


def stroke(window, points, button=1):
    """Press the mouse at the first point, move it over all and release it at the last."""
    mouse(window, "button_press_event", points[0], button)
    for point in points:
        mouse(window, "motion_notify_event", point)
    mouse(window, "button_release_event", points[-1], button)


def press_keys(window, keys):
    for key in keys:
        KeyEvent("key_press_event", window.canvas, key)._process()


def ink(window):
    return np.asarray(window.ink, np.float32) / 255


def test_a_seven_is_read_during_the_stroke_and_at_its_end(window):
    mouse(window, "button_press_event", SEVEN[0])
    for point in SEVEN:
        mouse(window, "motion_notify_event", point)
    assert window.probabilities.argmax() == 7 and window.probabilities.sum() == pytest.approx(1)
    mouse(window, "button_release_event", SEVEN[-1])
    assert window.probabilities.argmax() == 7
    picture = window.picture
    assert picture.answer.get_text() == "The answer: 7"
    X = window.model.inputs(normalise(window.soft_ink())[None])
    np.testing.assert_array_equal(picture.input.get_array(), X.reshape(28, 28))
    window.left_out_below = 1.01
    window.update()
    assert picture.answer.get_text() == "no digit"
    assert not any(number.get_text().strip() for _, number, _ in picture.speakers)


def test_the_neurons_that_speak_for_and_against(make_window, make_network):
    window = make_window(make_network((128,)))
    window.left_out_below = 0
    stroke(window, SEVEN)
    W_1, W_2 = window.network.weights
    speech = window.layers[1][0] * W_2[:, window.probabilities.argmax()]
    loudest = [*np.argsort(-speech)[:4], speech.argmin()]
    columns = window.picture.grids[0].get_array().shape[1]
    for (picture, number, frame), j in zip(window.picture.speakers, loudest, strict=True):
        assert number.get_text() == f"{speech[j]:+.2f}"
        strong = np.abs(W_1[:, j]) > 0.3 * np.abs(W_1[:, j]).max()
        red, _, blue = picture.get_array().reshape(784, 3)[strong].T
        np.testing.assert_array_equal(blue > red, W_1[strong, j] > 0)
        assert (frame.get_y(), frame.get_x()) == divmod(j, columns)


@pytest.mark.parametrize("hidden_layers", [(2, 1), (5,) * 16])
def test_networks_of_any_depth_are_shown(make_window, make_network, hidden_layers):
    window = make_window(make_network(hidden_layers))
    stroke(window, SEVEN)
    for grid, layer in zip(window.picture.grids, window.layers[1:-1], strict=True):
        assert grid.get_array().argmax() == layer.argmax()


def test_ink_is_where_the_left_button_was_down_and_nowhere_else(window):
    stroke(window, ONE, button=3)
    stroke(window, [(-50, 100), (150, 100)])  # begins outside of the paper
    assert not ink(window).any() and not window.before
    stroke(window, ONE)
    pen = draw.PEN
    assert window.ink.getbbox() == (280 - pen, 100 - pen, 281 + pen, 461 + pen)
    assert ink(window)[100:460, 280 - pen : 280 + pen].all()
    press_keys(window, "c")
    stroke(window, [(40, 40), (-40, 40), (1, 559)])  # leaves the paper and comes back elsewhere
    assert ink(window)[[40, 559], [40, 0]].all() and not ink(window)[300, 20]
    press_keys(window, "c")
    mouse(window, "button_press_event", ONE[0])
    LocationEvent("figure_leave_event", window.canvas, 0, 0)._process()
    mouse(window, "motion_notify_event", ONE[1])
    assert not ink(window)[130:400].any()


def test_undo_clear_save_and_quit(window, read, tmp_path):
    stroke(window, SEVEN)
    seven = ink(window)
    stroke(window, ONE)
    press_keys(window, "uc")
    assert not ink(window).any() and not window.probabilities.any() and not window.layers[0].any()
    press_keys(window, "u")
    assert (ink(window) == seven).all() and window.probabilities.argmax() == 7
    press_keys(window, "ssl")  # l: logarithmic axes, as a rule
    assert {path.name for path in tmp_path.iterdir()} == {"drawing-1.png", "drawing-2.png"}
    assert "drawing-2.png" in window.picture.message.get_text()
    assert window.paper.get_yscale() == "linear"
    assert answer_to_file(tmp_path / "drawing-1.png", read) == "7"
    window.folder = tmp_path / "drawing-1.png"  # not a folder
    press_keys(window, "s")
    assert window.picture.message.get_text().startswith("error: ")
    press_keys(window, "uuuq")
    assert not ink(window).any() and not plt.get_fignums()


@pytest.mark.parametrize(
    "backend", ["TkAgg", "webagg", "svg", "nonsense", "module://matplotlib_inline"]
)
def test_without_a_display_and_tornado(tmp_path, backend):
    (tmp_path / "tornado.py").write_text("raise ImportError")
    environment = {"PYTHONPATH": str(tmp_path), "MPLBACKEND": backend}
    process = run_main(tmp_path, "--draw", **environment)
    assert_one_line_error(process, "--draw needs a display and a toolkit")
    assert process.stderr.endswith("tornado (pip install tornado)\n") and not process.stdout


async def play_on_the_page(port, events):
    """Send events to the page, then s and q; return its picture after the events."""
    from tornado.websocket import websocket_connect

    client = await websocket_connect(f"ws://127.0.0.1:{port}/1/ws")
    for event in [*events, {"type": "refresh"}, {"type": "draw"}]:
        await client.write_message(json.dumps(event))
    while not isinstance(message := await client.read_message(), bytes):
        pass
    for key in "sq":
        await client.write_message(json.dumps({"type": "key_press", "key": f"k{key}"}))
    return np.asarray(Image.open(io.BytesIO(message))).astype(int)


@pytest.mark.skipif(os.name == "nt", reason="Windows can't send a process Ctrl-C alone")
def test_the_page_in_the_browser(request, window, tmp_path):
    processes, ports = [], []
    command = [sys.executable, PROJECT / "main.py", "--draw", "--plots-dir", tmp_path]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    environment = os.environ | {"SSH_CONNECTION": "1.2.3.4 5 6.7.8.9 22"}
    for backend in ("", "nonsense"):
        process = subprocess.Popen(command, env=environment | {"MPLBACKEND": backend}, **pipes)
        request.addfinalizer(process.kill)
        forward, address, how_to_end = (process.stdout.readline() for _ in range(3))
        ports.append(int(address.split("http://127.0.0.1:")[1].rstrip("/\n")))
        assert f"ssh -L {ports[-1]}:127.0.0.1:{ports[-1]} " in forward and "Ctrl+C" in how_to_end
        processes.append(process)
    assert ports[1] > ports[0]  # the next port that is free
    assert b"mpl.figure" in urllib.request.urlopen(f"http://127.0.0.1:{ports[0]}/").read()

    names = ["button_press", *["motion_notify"] * len(SEVEN), "button_release"]
    places = window.paper.transData.transform([SEVEN[0], *SEVEN, SEVEN[-1]])
    places[:, 1] = window.figure.bbox.height - places[:, 1]
    left = {"button": 0, "buttons": 1, "modifiers": []}
    events = [left | {"type": name, "x": x, "y": y} for name, (x, y) in zip(names, places)]
    seven = asyncio.run(play_on_the_page(ports[0], events))
    processes[1].send_signal(signal.SIGINT)
    for process in processes:
        assert process.communicate()[1] == "" and process.returncode == 0
    stroke(window, SEVEN)
    differences = np.abs(np.asarray(window.canvas.buffer_rgba()).astype(int) - seven)
    assert (differences > 40).mean() < 0.0001  # edges are drawn twice
    assert (tmp_path / "drawing-1.png").exists()


# Run when Python starts: plt.show plays events of the window system instead of waiting for a user.
ON_A_SCREEN = """
from matplotlib import pyplot as plt

def play_events():
    plt.gcf().show()
    widget = plt.gcf().canvas.get_tk_widget()
    widget.update()
    widget.focus_force()
    for event in ("ButtonPress-1", "B1-Motion", "ButtonRelease-1", "Key-s", "Key-q"):
        widget.update()
        widget.event_generate(f"<{event}>", x=200, y=120 if event == "ButtonPress-1" else 380)
    assert not plt.get_fignums()

plt.show = play_events
"""


def test_a_real_window(read, tmp_path):
    pytest.importorskip("tkinter", reason="Python was built without tkinter")
    if not shutil.which("Xvfb"):
        pytest.skip("Xvfb, a virtual X server, is not installed")
    command = ["Xvfb", "-displayfd", "1", "-screen", "0", "1280x1024x24", "-nolisten", "tcp"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    (tmp_path / "sitecustomize.py").write_text(ON_A_SCREEN)
    environment = {"PYTHONPATH": str(tmp_path), "MPLBACKEND": "TkAgg"}
    with subprocess.Popen(command, text=True, **pipes) as server:
        display = f":{server.stdout.readline().strip()}"
        process = run_main(tmp_path, "--draw", DISPLAY=display, **environment)
        server.terminate()
    assert (process.returncode, process.stdout, process.stderr) == (0, "", "")
    assert answer_to_file(tmp_path / "plots" / "drawing-1.png", read) == "1"
