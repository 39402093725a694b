"""--draw: the server behind draw.html, a page to draw on, to drop photographs in and to watch.

The path of a request ends in a token, new at each start, and a name. GET: the page. POST: a picture
file to `read` (or without a name), `show` or `draw`, an image to `why`. The server keeps nothing.
"""

import asyncio
import base64
import contextlib
import io
import os
import secrets
import socket
import sys
import threading
import time
import webbrowser
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler, stream_request_body

from data_preprocessing import INPUTS, SIDE
from files import PROJECT, UserError, printable
from handwriting.normalise import normalise
from handwriting.page import recognise_page
from handwriting.picture import as_jpeg
from utils import softmax

MOST_BYTES = 40_000_000  # of a picture file


def serve(model, thresholds, address):
    """Serve the page until Ctrl-C, in a notebook as long as its kernel runs; return 0.

    model: a Model. thresholds: see `recognise_page`. Raises UserError if it can't listen there.
    """
    for port in (*range(8000, 8010), 0):  # the first that is free; 0: any
        with contextlib.suppress(OSError, UnicodeError):
            sockets = bind_sockets(port, address or "-")  # "" would be all addresses
            break
    else:
        raise UserError(f"--address {address}: it must be an address of this machine")
    port, token = sockets[0].getsockname()[1], secrets.token_hex(6)
    routes = [(rf"(?:.*/({token})/?(read|show|draw|why|)|.*)", Handler)]  # a proxy adds a prefix
    options = {"model": model, "thresholds": thresholds, "log_function": lambda handler: None}
    options |= {"photographs": asyncio.Lock(), "drawings": asyncio.Lock()}
    server = HTTPServer(Application(routes, **options), max_body_size=2**60)
    loop = asyncio.new_event_loop()
    loop.set_default_executor(ThreadPoolExecutor(2))  # every thread keeps memory of its own
    loop.call_soon(server.add_sockets, sockets)
    threading.Thread(target=loop.run_forever, daemon=True).start()  # a notebook's loop runs here
    if address == "0.0.0.0":
        with contextlib.suppress(OSError), socket.socket(type=socket.SOCK_DGRAM) as probe:
            probe.connect(("192.0.2.1", 9))  # sends nothing, but finds the way into the network
            address = probe.getsockname()[0]
    url = f"http://{f'[{address}]' if ':' in address else address}:{port}/{token}/"
    print(f"Draw on this page, or drop photographs on it: {url}")
    print(f"To read a photograph from the command line: curl --data-binary @photo.jpg {url}read")
    if address not in ("127.0.0.1", "localhost", "::1"):
        print("Anyone in this network who knows the address can use it; nothing is encrypted.")
    if "ipykernel" not in sys.modules:
        print("Ctrl-C ends the program.", flush=True)
        os.environ["TERM"] = ""  # so that no text browser opens in the terminal
        webbrowser.open(url)
        try:
            while True:
                time.sleep(1000)  # on Windows, Ctrl-C ends this as well
        finally:
            loop.call_soon_threadsafe(loop.stop)  # requests that wait are dropped
    return 0


@stream_request_body
class Handler(RequestHandler):
    """Answers a request, with one line if anything is wrong."""

    def prepare(self):
        self.body = bytearray()

    def data_received(self, chunk):
        if self.path_args[0] and len(self.body) <= MOST_BYTES:
            self.body += chunk  # the rest is received and dropped: else no answer would arrive

    async def answer(self, has_token, name):
        model, thresholds = self.settings["model"], self.settings["thresholds"]
        work = (explain, model) if name == "why" else (read, model, thresholds, name)
        try:
            if not has_token:
                self.send_error(403, text="the address must be as the program printed it")
            elif self.request.method in ("GET", "HEAD"):
                self.finish((PROJECT / "handwriting" / "draw.html").read_bytes())
            elif len(self.body) > MOST_BYTES:
                self.send_error(413, text=f"more than {MOST_BYTES / 1e6:g} MB; make it smaller")
            else:
                async with self.settings["drawings" if name in ("why", "draw") else "photographs"]:
                    self.finish(await asyncio.to_thread(*work, self.body))
        except (UserError, MemoryError) as error:
            self.send_error(400, text=printable(error) or "not enough memory")

    def write_error(self, status, text="this request can't be answered", **details):
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish(f"error: {text}\n")

    get = head = post = put = patch = delete = options = answer  # a wrong token is refused by all


def read(model, thresholds, name, body):
    """The digits in a picture, upright if drawn, as a dictionary; boxes are shares of its sides."""
    page = recognise_page(io.BytesIO(body), model.predict_proba, thresholds, name == "draw")
    size = np.repeat(page.picture.shape, 2)
    answer = {"text": page.text, "digits": [], "left_out": (page.left_out / size).tolist()}
    for text, *arrays in zip(page.texts, page.boxes / size, page.probabilities, page.images):
        box, probabilities, image = (array.ravel().tolist() for array in arrays)
        digit = {"text": text, "doubt": "?" in text, "box": box, "probabilities": probabilities}
        answer["digits"].append(digit | {"image": image} if name in ("show", "draw") else digit)
    if name == "draw" and not page.texts and page.picture.min() < 0.5:
        answer["image"] = normalise(1 - page.picture).ravel().tolist()  # of no digit
    if name == "show":
        code = base64.b64encode(as_jpeg(page.picture)).decode()
        answer |= {"picture": f"data:image/jpeg;base64,{code}", "shape": page.picture.shape}
    return answer


def explain(model, body):
    """What the network makes of an image, 784 bytes, and which neurons contribute to the answer."""
    if len(body) != INPUTS:
        raise UserError(f"an image has {INPUTS} bytes")
    network, image = model.network, np.frombuffer(body, np.uint8).reshape(1, SIDE, SIDE)
    *layers, logits = network.forward(model.inputs(image))
    probabilities = softmax(logits)[0]
    adds = layers[-1][0] * network.weights[-1][:, probabilities.argmax()]
    order = adds.argsort()[::-1]
    neurons = [j for j in order[:4] if adds[j] > 0] + [j for j in order[-1:] if adds[j] < 0]
    # the weight of each pixel for them, along all paths through active neurons
    W = network.weights[-2][:, neurons]
    for n in reversed(range(1, len(layers) - 1)):
        W = network.weights[n - 1] @ (W * (layers[n] > 0).T)
    return {
        "layers": [shades(layer[0]) for layer in layers],
        "probabilities": probabilities.tolist(),
        "neurons": [(int(j), float(adds[j]), shades(w)) for j, w in zip(neurons, W.T)],
    }


def shades(values):
    """Numbers scaled to integers from -255 to 255, so that the largest absolute value is 255."""
    return np.rint(255 * values / max(np.abs(values).max(), 1e-9)).astype(int).tolist()
