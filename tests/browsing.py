"""For the tests of --draw: the program, strokes on its page, requests to its server, a proxy."""

import contextlib
import http.client
import io
import json
import os
import re
import signal
import subprocess
import sys
from http.server import BaseHTTPRequestHandler

import numpy as np
from pages import as_image

from files import PROJECT

PHOTOGRAPH = PROJECT / "docs" / "handwriting.jpg"  # of 90210
SEVEN, ONE = [(0.3, 0.25), (0.7, 0.25), (0.45, 0.8)], [(0.5, 0.2), (0.5, 0.8)]


@contextlib.contextmanager
def program(*arguments, **environment):
    """The program and the address that it prints; Ctrl-C ends it."""
    command = [sys.executable, PROJECT / "main.py", "--draw", *arguments]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=os.environ | environment, **pipes) as process:
        try:
            process.lines = [*iter(process.stdout.readline, "Ctrl-C ends the program.\n")]
            yield process, re.search(r"http://\S+/", process.lines[0])[0]
            process.send_signal(signal.SIGINT)
            assert (process.communicate()[1], process.returncode) == ("interrupted\n", 130)
        finally:
            process.kill()


def places(tab, points):
    """Points on the paper, from 0 to 1, as pixels of the screen."""
    box = tab.locator("#paper").bounding_box()
    return [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]


def between(points):
    """Points along lines."""
    ends = zip(points[:-1], points[1:])
    return [point for start, end in ends for point in np.linspace(start, end, 20).tolist()]


def press(tab, points):
    start, *others = places(tab, points)
    tab.mouse.move(*start)
    tab.mouse.down()
    for place in others:
        tab.mouse.move(*place, steps=5)


def stroke(tab, points):
    press(tab, points)
    tab.mouse.up()


def expect(tab, text):
    """Wait until an answer is complete."""
    is_there = f"answer.textContent === '{text}' && answer.ariaBusy === 'false' && !isBusy"
    tab.wait_for_function(is_there, timeout=60_000)


def ink(tab):
    """The number of strokes, and the number of inked pixels."""
    pixels = "paper.getContext(`2d`).getImageData(0, 0, paper.width, paper.height).data"
    return tab.evaluate(f"[state.strokes.length, {pixels}.filter((value) => value < 128).length]")


def ask(address, body=b"", method="POST", **headers):
    """The status and text of an answer to a request."""
    host, path = re.fullmatch(r"http://([^/]+)(.*)", address).groups()
    connection = http.client.HTTPConnection(host)
    connection.request(method, path, body, headers)
    response = connection.getresponse()
    return response.status, response.read().decode()


def read_drawing(address):
    """What is read of a drawing of a 7, as the page sends it."""
    distances = (
        np.indices((80, 80))[::-1, :, :, None] - 80 * np.array(between(SEVEN)).T[:, None, None]
    )
    file = io.BytesIO()
    as_image(np.hypot(*distances).min(axis=2) > 2.5).save(file, "PPM")
    return json.loads(ask(f"{address}draw", file.getvalue())[1])["text"]


class Proxy(BaseHTTPRequestHandler):
    """Passes requests on without the prefix of their path, and with another Host."""

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        address = self.server.origin + self.path.removeprefix("/user/me/8000")
        status, text = ask(address, body, self.command, Host="hub.example.org")
        self.send_response(status)
        self.end_headers()
        self.wfile.write(text.encode())

    do_GET = do_POST = answer

    def log_message(self, *arguments):
        pass


# drops or pastes a file
TRANSFER = """([base64, kind]) => {
  const data = new DataTransfer(), bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt());
  data.items.add(new File([bytes], "photo.jpg"));
  const names = { drop: [DragEvent, "dataTransfer"], paste: [ClipboardEvent, "clipboardData"] };
  const [Kind, name] = names[kind];
  document.body.dispatchEvent(new Kind(kind, {bubbles: true, [name]: data}));
}"""
