"""--draw: the page in a real browser, and its server."""

import contextlib
import http.client
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from conftest import assert_one_line_error, run_main
from pages import as_image, page, save

from files import PROJECT
from handwriting import draw
from model import Model
from save_load import load_model

OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
OPTIONS += ["--disable-background-networking", "--disable-component-update"]
SEVEN, ONE = [(0.3, 0.25), (0.7, 0.25), (0.45, 0.8)], [(0.5, 0.2), (0.5, 0.8)]
GARBAGE = [b"", b"{", b"[NaN]", b'{"strokes": 7}', b"P5 60000 60000 255\n", b"P5 -1 0 255\n"]
GARBAGE += [b"\x89PNG\r\n\x1a\n" + b"\0" * 50, b"\xff\xd8\xff\xe0" * 20, b"GIF89a" + b"\xff" * 99]
NAMES = ("read", "show", "draw", "why")


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


@pytest.fixture(scope="module")
def server():
    with program() as (_, address):
        yield address


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    if not (path := shutil.which("chromium")):
        pytest.skip("Chromium is not installed")
    with playwright.sync_playwright() as driver:
        yield driver.chromium.launch(executable_path=path, args=OPTIONS)


@pytest.fixture
def visit(browser, server):
    """Function that opens the page in a tab of its own; nothing may go wrong in it."""
    errors = []

    def visit(width=1024, height=600, address=server, **options):
        tab = browser.new_page(viewport={"width": width, "height": height}, **options)
        tab.on("pageerror", lambda error: errors.append(error))
        tab.goto(address)
        return tab

    yield visit
    for context in browser.contexts:
        context.close()
    assert not errors


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
    tab.wait_for_function(is_there, timeout=20_000)


def ink(tab):
    """The number of strokes, and the number of inked pixels."""
    pixels = "pencil.getImageData(0, 0, paper.width, paper.height).data"
    return tab.evaluate(f"[state.strokes.length, {pixels}.filter((value) => value < 128).length]")


def test_a_finger_draws_a_1_and_a_7_on_a_phone(visit):
    tab = visit(360, 640, has_touch=True, is_mobile=True, device_scale_factor=3)
    touch = tab.context.new_cdp_session(tab)
    for points, digit in (ONE, "1"), (SEVEN, "7"):
        for n, (x, y) in enumerate(places(tab, between(points))):
            event = {"type": "touchMove" if n else "touchStart", "touchPoints": [{"x": x, "y": y}]}
            touch.send("Input.dispatchTouchEvent", event)
        touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        expect(tab, digit)
        tab.locator("#clear").tap()
        expect(tab, "")
    tab.locator("#undo").tap()
    expect(tab, "7")
    with tab.expect_download() as download:
        tab.locator("#save").tap()
    assert download.value.suggested_filename == "drawing.png"
    assert tab.evaluate("[scrollX, scrollY, document.body.scrollWidth]") == [0, 0, 360]
    boxes = [tab.locator(f"#{name}").bounding_box() for name in ("answer", "clear", "undo", "save")]
    assert all(box["height"] >= 40 and box["y"] + box["height"] < 640 for box in boxes)


def test_a_stroke_ends_with_its_release_even_if_that_is_missed(visit):
    tab = visit()
    tab.mouse.dblclick(*places(tab, [(0.3, 0.3)])[0])
    tab.mouse.move(*places(tab, [(0.8, 0.8)])[0], steps=5)
    assert ink(tab)[0] == 2
    press(tab, [(0.1, 0.8), (0.5, 0.8)])
    before = ink(tab)
    tab.evaluate("paper.dispatchEvent(new PointerEvent('pointermove', {pointerId: pen.id}))")
    tab.mouse.move(*places(tab, [(0.9, 0.1)])[0], steps=5)
    assert ink(tab) == before and before[0] == 3
    tab.mouse.up()
    tab.keyboard.press("u")
    stroke(tab, [(0.5, 0.5), (0.5, -0.2), (0.7, -0.2), (0.7, 0.5)])  # leaves and comes back
    assert ink(tab)[0] == 4
    tab.keyboard.press("u")
    assert ink(tab)[0] == 2


class Proxy(BaseHTTPRequestHandler):
    """Passes requests on without the prefix of their path, with another Host, as JupyterHub does."""

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


@pytest.mark.parametrize("end", ["/", ""])
def test_behind_a_proxy_with_a_prefix(visit, server, end):
    origin, token = server.rstrip("/").rsplit("/", 1)
    with ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as proxy:
        proxy.origin = origin
        threading.Thread(target=proxy.serve_forever).start()
        tab = visit(address=f"http://127.0.0.1:{proxy.server_port}/user/me/8000/{token}{end}")
        stroke(tab, SEVEN)
        expect(tab, "7")
        proxy.shutdown()


def test_two_people_draw_on_papers_of_their_own(visit):
    tabs = visit(360, 640, device_scale_factor=3), visit(3840, 2160, color_scheme="dark")
    for tab, points in zip(tabs, (ONE, SEVEN)):
        press(tab, points)
    for tab, digit, density in zip(tabs, "17", (3, 1)):
        tab.mouse.up()
        expect(tab, digit)
        assert tab.evaluate("document.body.scrollWidth <= innerWidth")
        assert tab.evaluate("paper.width / paper.clientWidth") == pytest.approx(density, rel=0.01)


def test_strokes_appear_at_once_and_the_newest_is_read_when_the_server_is_slow(visit):
    with program() as (process, address):
        tab, requests = visit(address=address), []
        expect(tab, "")
        tab.on("request", lambda request: requests.append(request.url))
        process.send_signal(signal.SIGSTOP)
        stroke(tab, between(SEVEN))
        assert ink(tab)[1] > 1000
        process.send_signal(signal.SIGCONT)
        expect(tab, "7")
        assert len(requests) <= 4  # what the pen began, and all of it
    stroke(tab, ONE)
    tab.get_by_text("error: no answer; has the program ended?").wait_for()


def test_keys_and_names(visit):
    tab = visit()
    for key, code, command in [("C", "KeyC", False), ("с", "KeyC", False), ("я", "KeyZ", True)]:
        stroke(tab, ONE)
        event = f"{{key: '{key}', code: '{code}', ctrlKey: {str(command).lower()}, bubbles: true}}"
        tab.evaluate(f"document.body.dispatchEvent(new KeyboardEvent('keydown', {event}))")
        expect(tab, "")
    tab.keyboard.press("u")
    expect(tab, "1")
    reached = []
    for _ in range(5):
        tab.keyboard.press("Tab")
        reached.append(
            tab.evaluate("document.activeElement.id || document.activeElement.innerText")
        )
    assert reached[:4] == ["photo", "undo", "clear", "save"] and reached[4].startswith("1")
    assert tab.get_by_role("img", name="Paper").count() and tab.get_by_label("Photograph").count()
    assert tab.locator("#answer").get_attribute("aria-live") == "polite"


def test_a_row_and_a_scribble_are_explained(visit):
    tab = visit()
    for left, points in (0.05, SEVEN), (0.35, ONE), (0.65, SEVEN):
        stroke(tab, [(left + 0.3 * x, 0.3 + 0.3 * y) for x, y in points])
    expect(tab, "717")
    assert tab.locator("#question").text_content() == "Why 7?"
    tab.locator("#digits button").nth(1).focus()
    tab.keyboard.press("Enter")
    expect(tab, "717")
    assert tab.locator("#question").text_content() == "Why 1?"
    assert tab.evaluate("document.activeElement.ariaPressed") == "true"
    tab.keyboard.press("c")
    stroke(tab, np.random.default_rng(0).uniform(0.1, 0.9, (40, 2)).tolist())
    expect(tab, "no digit")
    assert tab.locator("#bars").inner_text().count("%") > 1
    assert tab.locator("#why figure").count() == 0


@pytest.fixture
def photograph(clear, tmp_path):
    return save(tmp_path / "photo.png", page(clear[[9, 0, 2, 1, 0]]))


TRANSFER = """([bytes, kind, Kind, name]) => {
  const data = new DataTransfer();
  data.items.add(new File([new Uint8Array(bytes)], "photo.png"));
  document.body.dispatchEvent(new window[Kind](kind, {bubbles: true, [name]: data}));
}"""


@pytest.mark.parametrize(
    "way", [[], ["drop", "DragEvent", "dataTransfer"], ["paste", "ClipboardEvent", "clipboardData"]]
)
def test_a_photograph_is_shown_with_what_was_read(visit, photograph, way):
    tab = visit()
    stroke(tab, ONE)
    if way:
        tab.evaluate(TRANSFER, [list(photograph.read_bytes()), *way])
    else:
        tab.set_input_files("#photo", photograph)
    expect(tab, "90210")
    assert tab.locator("#sheet img").is_visible() and tab.locator("#save").is_disabled()
    assert tab.locator("#sheet button").all_inner_texts() == [*"90210"]
    tab.locator("#sheet button").nth(2).click()
    expect(tab, "90210")
    assert tab.locator("#question").text_content() == "Why 2?"
    tab.locator("#undo").click()  # the digit that is looked at is no step
    expect(tab, "1")


def test_what_is_no_picture_gets_the_error_of_predict(visit, tmp_path):
    tab = visit()
    (tmp_path / "notes.txt").write_text("1 2 3")
    tab.set_input_files("#photo", tmp_path / "notes.txt")
    tab.get_by_text("error: notes.txt: not a picture").wait_for()
    process = run_main(tmp_path, "--predict", "notes.txt")
    assert process.stderr.rstrip() == tab.locator("#message").inner_text()


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


def test_a_photograph_is_read_from_the_command_line(server, photograph):
    for address in (server, f"{server}read"):
        status, text = ask(address, photograph.read_bytes(), Host="evil.example.org")
        answer = json.loads(text)
        assert status == 200 and answer["text"] == "90210" and not answer["left_out"]
        for digit, n in zip(answer["digits"], [9, 0, 2, 1, 0], strict=True):
            assert {*digit} == {"text", "doubt", "box", "probabilities"}
            assert digit["text"] == str(n) and digit["doubt"] is False
            assert np.argmax(digit["probabilities"]) == n
            top, bottom, left, right = digit["box"]
            assert 0 <= top < bottom <= 1 and 0 <= left < right <= 1


def test_garbage_and_requests_without_the_token_are_refused_in_one_line(server):
    origin, token = server.rstrip("/").rsplit("/", 1)
    for path in ("", "/", "/read", f"/{token[:-1]}/", f"/{token}x/read", f"/x{token}/"):
        for method in ("GET", "POST", "PUT", "OPTIONS", "DELETE", "PATCH"):
            status, text = ask(origin + path, b"1", method, Origin="http://evil.example.org")
            assert status == 403 and re.fullmatch("error: .+\n", text)
    assert ask(f"{origin}/read", b"x" * 10_000_000)[0] == 403  # read to its end
    for name, body in ((name, body) for name in NAMES for body in GARBAGE):
        status, text = ask(server + name, body)
        assert status == 400 and re.fullmatch("error: .+\n", text)
    assert {ask(server, method="BREW")[0], ask(f"{server}nonsense")[0]} <= {403, 404, 405}
    status, text = ask(f"{server}read", b"x" * 40_000_001)
    assert (status, text) == (413, "error: more than 40 MB; make the picture smaller\n")
    assert read_drawing(server) == "7"


def test_drawings_stay_live_while_photographs_are_read(server, clear, tmp_path):
    rows = np.vstack([page(clear, scale=2) for _ in range(8)])
    body, ends = save(tmp_path / "p.png", rows).read_bytes(), []

    def work():
        ends.append((ask(f"{server}read", body)[0], time.monotonic()))

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    assert read_drawing(server) == "7"
    drawn = time.monotonic()
    for thread in threads:
        thread.join()
    assert [status for status, end in ends if end > drawn] == [200, 200]


@pytest.mark.parametrize("hidden_layers", [(128,), (2, 1), (5,) * 16])
def test_the_layers_and_the_neurons_that_speak_for_and_against(make_network, clear, hidden_layers):
    network = make_network(hidden_layers)
    model = Model(network, {}, load_model(PROJECT / "trained_model.npz").settings)
    thoughts = draw.explain(clear[7].tobytes(), "why", model, None)
    X, *hidden, logits = network.forward(model.inputs(clear[[7]]))
    for shades, layer in zip(thoughts["layers"], [X, *hidden], strict=True):
        np.testing.assert_allclose(np.divide(shades, 255), layer[0] / layer.max(), atol=0.005)
    assert np.argmax(thoughts["probabilities"]) == logits.argmax()
    speech = hidden[-1][0] * network.weights[-1][:, logits.argmax()]
    expected = [j for j in np.argsort(-speech)[:4] if speech[j] > 0]
    expected += [speech.argmin()] * bool(speech.min() < 0)
    assert [number for number, _, _ in thoughts["neurons"]] == expected
    for number, adds, weights in thoughts["neurons"]:
        gradient = np.eye(len(speech))[number]  # of its activation, by backpropagation
        for W, H in zip(network.weights[-2::-1], hidden[::-1]):
            gradient = W @ (gradient * (H[0] > 0))
        assert adds == pytest.approx(speech[number])
        np.testing.assert_allclose(
            np.divide(weights, 255), gradient / abs(gradient).max(), atol=0.005
        )


def test_ports_addresses_and_no_text_browser(tmp_path):
    for name in ("w3m", "www-browser", "lynx"):
        (tmp_path / name).write_text(f"#!/bin/sh\ntouch '{tmp_path}/opened'\n")
        (tmp_path / name).chmod(0o755)
    path = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "TERM": "xterm", "DISPLAY": ""}
    with program() as (_, one), program("--address", "0.0.0.0", **path) as (process, two):
        assert one.startswith("http://127.0.0.1:80") and one.split(":")[2] != two.split(":")[2]
        assert "isn't encrypted" in "".join(process.lines)
        assert ask(re.sub(r"//[^:]+", "//127.0.0.1", two), method="GET")[0] == 200
    assert not (tmp_path / "opened").exists()
    assert_one_line_error(run_main(tmp_path, "--draw", "--address", "1.2.3.4"), "of this machine")


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="the memory is read as on Linux")
def test_a_hundred_clients_and_a_thousand_bad_requests(photograph):
    def memory():
        status = Path("/proc", str(process.pid), "status").read_text()
        return int(re.search(r"VmRSS:\s*(\d+)", status)[1]) / 1e3

    def work(client):
        ask(f"{address}show", photograph.read_bytes())
        for body in [*GARBAGE, b"x" * 100_000]:
            assert ask(address + NAMES[client % 4], body)[0] == 400

    with program() as (process, address):
        honest, before = ask(f"{address}show", photograph.read_bytes()), memory()
        threads = [threading.Thread(target=work, args=[client]) for client in range(100)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert ask(f"{address}show", photograph.read_bytes()) == honest
        print(f"\n100 clients, 1,000 bad requests: {memory() - before:.0f} MB more memory")
        assert memory() < before + 50
