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
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from conftest import assert_one_line_error, run_main
from pages import as_image, page, save

from files import PROJECT
from handwriting import draw
from model import Model
from save_load import load_model

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
ARGUMENTS += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
SEVEN = [(0.3, 0.25), (0.7, 0.25), (0.45, 0.8)]
ONE = [(0.5, 0.2), (0.5, 0.8)]


@contextlib.contextmanager
def program(*arguments, **environment):
    """The program and the address that it prints."""
    command = [sys.executable, PROJECT / "main.py", "--draw", *arguments]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=os.environ | environment, **pipes) as process:
        try:
            process.lines = [process.stdout.readline()]
            while "Ctrl-C" not in process.lines[-1]:
                process.lines.append(process.stdout.readline())
            yield process, re.search(r"http://\S+/", process.lines[0])[0]
        finally:
            process.kill()


@pytest.fixture(scope="module")
def server():
    with program() as (process, address):
        yield address
        process.send_signal(signal.SIGINT)
        assert process.communicate()[1] == "interrupted\n"


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    path = shutil.which("chromium")
    if not path:
        pytest.skip("Chromium is not installed")
    with playwright.sync_playwright() as driver:
        yield driver.chromium.launch(executable_path=path, args=ARGUMENTS)


@pytest.fixture
def visit(browser, server):
    """Function that opens the page in a tab of its own; nothing may go wrong in it."""
    errors, contexts = [], []

    def visit(width=1024, height=600, address=server, **options):
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        tab = context.new_page()
        tab.on("pageerror", lambda error: errors.append(error))
        tab.goto(address)
        return tab

    yield visit
    for context in contexts:
        context.close()
    assert not errors


def places(tab, points):
    """Points on the paper, from 0 to 1, as pixels of the screen."""
    box = tab.locator("#paper").bounding_box()
    return [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]


def stroke(tab, points, until_release=True):
    start, *others = places(tab, points)
    tab.mouse.move(*start)
    tab.mouse.down()
    for point in others:
        tab.mouse.move(*point, steps=5)
    if until_release:
        tab.mouse.up()


def drag(tab, points):
    """Draw with a finger."""
    session = tab.context.new_cdp_session(tab)
    kinds = ["touchStart", *["touchMove"] * (len(points) - 1)]
    for kind, (x, y) in zip(kinds, places(tab, points)):
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y}]})
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def expect(tab, text):
    """Wait for an answer that is complete."""
    answer = "document.getElementById('answer')"
    is_there = f"{answer}.textContent === '{text}' && {answer}.ariaBusy === 'false'"
    tab.wait_for_function(f"{is_there} && !isBusy", timeout=20_000)


def ink(tab):
    """The number of strokes, and the share of the paper that is inked."""
    pixels = "pencil.getImageData(0, 0, paper.width, paper.height).data"
    dark = f"{pixels}.filter((value, n) => n % 4 === 0 && value < 128).length"
    return tab.evaluate(f"[state.strokes.length, {dark} / paper.width / paper.height]")


def between(points, steps=10):
    """Points along lines."""
    ends = zip(points[:-1], points[1:])
    return [p for a, b in ends for p in np.linspace(a, b, steps).tolist()]


def test_a_finger_draws_a_1_and_a_7_on_a_phone(visit):
    tab = visit(360, 640, has_touch=True, is_mobile=True, device_scale_factor=3)
    for points, digit in (ONE, "1"), (SEVEN, "7"):
        drag(tab, between(points))
        expect(tab, digit)
        tab.locator("#clear").tap()
        expect(tab, "")
    tab.locator("#undo").tap()
    expect(tab, "7")
    sizes = "[scrollX, scrollY, document.documentElement.scrollWidth, innerWidth]"
    assert tab.evaluate(sizes) == [0, 0, 360, 360]
    with tab.expect_download() as download:
        tab.locator("#save").tap()
    assert download.value.suggested_filename == "drawing.png"
    for name in ("paper", "answer", "clear", "undo", "save"):
        box = tab.locator(f"#{name}").bounding_box()
        assert box["height"] >= 40 and box["y"] + box["height"] < 640


def test_a_stroke_ends_with_its_release_even_if_that_is_missed(visit):
    tab = visit()
    (place,) = places(tab, [(0.3, 0.3)])
    tab.mouse.dblclick(*place)
    tab.mouse.move(*places(tab, [(0.8, 0.8)])[0], steps=5)
    assert ink(tab)[0] == 2
    stroke(tab, [(0.1, 0.8), (0.5, 0.8)], until_release=False)
    before = ink(tab)
    tab.evaluate("paper.dispatchEvent(new PointerEvent('pointermove', {pointerId: pen.id}))")
    tab.mouse.move(*places(tab, [(0.9, 0.1)])[0], steps=5)
    assert ink(tab) == before and before[0] == 3
    tab.mouse.up()
    tab.locator("#undo").click()
    assert ink(tab)[0] == 2


def test_a_stroke_leaves_the_paper_and_comes_back(visit):
    tab = visit()
    stroke(tab, [(0.5, 0.5), (0.5, -0.2), (0.7, -0.2), (0.7, 0.5)])
    assert ink(tab)[0] == 2
    tab.keyboard.press("u")
    assert ink(tab) == [0, 0]


class Proxy(BaseHTTPRequestHandler):
    """Passes requests on without the prefix of their path, with another Host, as JupyterHub does."""

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        request = urllib.request.Request(self.server.target + self.path.removeprefix("/user/me/8000"))
        request.data, request.method = body or None, self.command
        request.add_header("Host", "hub.example.org")
        with urllib.request.urlopen(request) as response:
            self.send_response(response.status)
            self.send_header("Content-Type", response.headers["Content-Type"])
            self.end_headers()
            self.wfile.write(response.read())

    do_GET = do_POST = answer
    log_message = lambda *arguments: None  # noqa: E731


@pytest.mark.parametrize("end", ["/", ""])
def test_behind_a_proxy_with_a_prefix(visit, server, end):
    origin, token = server.rstrip("/").rsplit("/", 1)
    with ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as proxy:
        proxy.target = origin
        threading.Thread(target=proxy.serve_forever).start()
        tab = visit(address=f"http://127.0.0.1:{proxy.server_port}/user/me/8000/{token}{end}")
        stroke(tab, SEVEN)
        expect(tab, "7")
        proxy.shutdown()


def test_two_people_draw_on_papers_of_their_own(visit):
    tabs = visit(360, 640, device_scale_factor=3), visit(3840, 2160, color_scheme="dark")
    for tab, points in zip(tabs, (ONE, SEVEN)):
        stroke(tab, points, until_release=False)
    for tab, digit in zip(tabs, "17"):
        tab.mouse.up()
        expect(tab, digit)
        assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
    shares = [tab.evaluate("paper.width / paper.clientWidth") for tab in tabs]
    assert shares == pytest.approx([3, 1], rel=0.01)


def test_strokes_appear_at_once_and_the_newest_is_read_when_the_server_is_slow(visit):
    with program() as (process, address):
        tab, requests = visit(address=address), []
        expect(tab, "")
        tab.on("request", lambda request: requests.append(request.url))
        process.send_signal(signal.SIGSTOP)
        stroke(tab, between(SEVEN, 30))
        assert ink(tab)[1] > 0.03
        process.send_signal(signal.SIGCONT)
        expect(tab, "7")
        assert len(requests) <= 4  # what the pen began, and all of it
        process.kill()
        tab.keyboard.press("c")
        stroke(tab, ONE)
        tab.get_by_text("error: no answer; has the program ended?").wait_for()


def test_keys_go_by_their_letter_or_else_by_their_place(visit):
    tab = visit()
    for key, code, command in [("C", "KeyC", False), ("с", "KeyC", False), ("я", "KeyZ", True)]:
        stroke(tab, ONE)
        press = "([key, code, ctrlKey]) => document.body.dispatchEvent("
        press += "new KeyboardEvent('keydown', {key, code, ctrlKey, bubbles: true}))"
        tab.evaluate(press, [key, code, command])
        expect(tab, "")
    tab.keyboard.press("Alt+u")
    tab.keyboard.press("Control+c")
    tab.keyboard.press("u")
    expect(tab, "1")


def test_a_row_is_read_and_each_of_its_digits_explained(visit):
    tab = visit()
    for left in (0.05, 0.35, 0.65):
        stroke(tab, [(left + 0.3 * x, 0.3 + 0.3 * y) for x, y in (ONE if left == 0.35 else SEVEN)])
    expect(tab, "717")
    assert tab.locator("#question").text_content() == "Why 7?"
    tab.locator("#digits button").nth(1).focus()
    tab.keyboard.press("Enter")
    expect(tab, "717")
    assert tab.locator("#question").text_content() == "Why 1?"
    assert tab.evaluate("document.activeElement.ariaPressed") == "true"


def test_a_drawing_that_is_no_digit_is_watched_all_the_same(visit):
    tab = visit()
    scribble = np.random.default_rng(0).uniform(0.1, 0.9, (40, 2)).tolist()
    stroke(tab, scribble)
    expect(tab, "no digit")
    assert tab.locator("#bars").inner_text().count("%") > 1
    assert tab.locator("#why figure").count() == 0


@pytest.fixture
def photograph(clear, tmp_path):
    return save(tmp_path / "photo.png", page(clear[[9, 0, 2, 1, 0]]))


DROP = """([bytes, kind]) => {
  const data = new DataTransfer();
  data.items.add(new File([new Uint8Array(bytes)], "photo.png"));
  const options = {bubbles: true, cancelable: true, dataTransfer: data, clipboardData: data};
  document.body.dispatchEvent(kind === "drop" ? new DragEvent(kind, options) :
    new ClipboardEvent(kind, options));
}"""


@pytest.mark.parametrize("way", ["choose", "drop", "paste"])
def test_a_photograph_is_shown_with_what_was_read(visit, photograph, way):
    tab = visit()
    stroke(tab, ONE)
    if way == "choose":
        tab.set_input_files("#photo", photograph)
    else:
        tab.evaluate(DROP, [list(photograph.read_bytes()), way])
    expect(tab, "90210")
    assert tab.locator("#sheet img").is_visible() and tab.locator("#save").is_disabled()
    assert tab.locator("#sheet button").all_inner_texts() == [*"90210"]
    tab.locator("#sheet button").nth(2).click()
    expect(tab, "90210")
    assert tab.locator("#question").text_content() == "Why 2?"
    tab.locator("#undo").click()
    expect(tab, "1")
    assert ink(tab)[1] > 0


def test_what_is_no_picture_gets_the_error_of_predict(visit, tmp_path):
    tab = visit()
    (tmp_path / "notes.txt").write_text("1 2 3")
    tab.set_input_files("#photo", tmp_path / "notes.txt")
    text = "error: notes.txt: not a picture in a format known here: "
    tab.get_by_text(text).wait_for()
    process = run_main(tmp_path, "--predict", "notes.txt")
    assert process.stderr.rstrip() == tab.locator("#message").inner_text()


def test_everything_has_a_name_and_is_reached_by_keyboard(visit):
    tab = visit()
    stroke(tab, SEVEN)
    expect(tab, "7")
    for role, name in [("img", "Paper to draw on"), ("button", "Photograph"), ("button", "Undo")]:
        assert tab.get_by_role(role, name=name).count() or name == "Photograph"
    assert tab.get_by_label("Photograph").count() and tab.get_by_role("list").count()
    assert tab.locator("#answer").get_attribute("aria-live") == "polite"
    reached = []
    for _ in range(5):
        tab.keyboard.press("Tab")
        reached.append(tab.evaluate("document.activeElement.id || document.activeElement.innerText"))
    assert reached[:4] == ["photo", "undo", "clear", "save"] and reached[4].startswith("7")


def ask(address, body=b"", method="POST", **headers):
    """The status and text of an answer to a request."""
    host, path = re.fullmatch(r"http://([^/]+)(.*)", address).groups()
    connection = http.client.HTTPConnection(host)
    connection.request(method, path, body, headers)
    response = connection.getresponse()
    return response.status, response.read().decode()


def drawing(points=SEVEN, pen=5, side=80):
    """The file that the page sends."""
    places = side * np.array(between(points, 40))
    distances = np.hypot(*(np.indices((side, side))[::-1, :, :, None] - places.T[:, None, None]))
    file = io.BytesIO()
    as_image(distances.min(axis=2) > pen / 2).save(file, "PPM")
    return file.getvalue()


def test_a_photograph_is_read_from_the_command_line(server, photograph, read):
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
    assert ask(server, method="GET", Host="evil.example.org")[0] == 200


def test_without_the_token_every_request_is_refused(server):
    origin, token = server.rstrip("/").rsplit("/", 1)
    for path in ("", "/", "/read", f"/{token[:-1]}/", f"/{token}x/read", f"/x{token}/", "/../"):
        for method in ("GET", "POST", "HEAD", "PUT", "OPTIONS", "DELETE", "PATCH"):
            origins = {"Host": "127.0.0.1", "Origin": "http://evil.example.org"}
            status, text = ask(origin + path, drawing(), method, **origins)
            assert status == 403 and text.count("\n") == (method != "HEAD")
    assert ask(f"{origin}/read", b"x" * 10_000_000)[0] == 403  # read to its end


GARBAGE = [b"", b"{", b"[NaN]", b'{"strokes": "x"}', b"P5 60000 60000 255\n", b"P5 -1 0 255\n"]
GARBAGE += [b"\x89PNG\r\n\x1a\n" + b"\0" * 50, b"\xff\xd8\xff\xe0" * 20, b"GIF89a" + b"\xff" * 99]


def test_garbage_is_answered_with_one_line(server):
    for name in ("read", "show", "draw", "why"):
        for body in GARBAGE:
            status, text = ask(server + name, body)
            assert status == 400 and re.fullmatch(r"error: .+\n", text)
    for address, method in [(f"{server}read", "BREW"), (f"{server}nonsense", "POST")]:
        assert 400 <= ask(address, method=method)[0] < 500
    status, text = ask(f"{server}read", b"x" * 40_000_001)
    assert (status, text) == (413, "error: more than 40 MB; make the picture smaller\n")
    assert json.loads(ask(f"{server}draw", drawing())[1])["text"] == "7"


def test_drawings_stay_live_while_photographs_are_read(server, clear, tmp_path):
    rows = np.vstack([page(clear, scale=2) for _ in range(8)])
    photograph, ends = save(tmp_path / "p.png", rows).read_bytes(), []
    work = lambda: ends.append((ask(f"{server}read", photograph)[0], time.monotonic()))  # noqa: E731
    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    time.sleep(0.2)
    assert json.loads(ask(f"{server}draw", drawing())[1])["text"] == "7"
    drawn = time.monotonic()
    for thread in threads:
        thread.join()
    assert all(status == 200 and drawn < end for status, end in ends)


@pytest.mark.parametrize("hidden_layers", [(128,), (2, 1), (5,) * 16])
def test_the_layers_and_the_neurons_that_speak_for_and_against(make_network, clear, hidden_layers):
    network = make_network(hidden_layers)
    model = Model(network, {}, load_model(PROJECT / "trained_model.npz").settings)
    thoughts = draw.explain(clear[7].tobytes(), "why", model, None)
    X, *hidden, logits = network.forward(model.inputs(clear[[7]]))
    for shades, layer in zip(thoughts["layers"], [X, *hidden], strict=True):
        np.testing.assert_allclose(np.divide(shades, 255), layer[0] / layer.max(), atol=0.005)
    digit = logits.argmax()
    assert np.argmax(thoughts["probabilities"]) == digit
    speech = hidden[-1][0] * network.weights[-1][:, digit]
    expected = [j for j in np.argsort(-speech)[:4] if speech[j] > 0]
    expected += [j for j in [speech.argmin()] if speech[j] < 0]
    assert [number for number, _, _ in thoughts["neurons"]] == expected
    for number, adds, weights in thoughts["neurons"]:
        assert adds == pytest.approx(speech[number])
        gradient = np.eye(len(speech))[number]  # of its activation, by backpropagation
        for W, H in zip(network.weights[-2::-1], hidden[::-1]):
            gradient = W @ (gradient * (H[0] > 0))
        ratio = np.divide(weights, 255) - gradient / np.abs(gradient).max()
        assert np.abs(ratio).max() < 0.005


def test_ports_addresses_and_browsers(tmp_path):
    for name in ("w3m", "www-browser", "lynx"):
        (tmp_path / name).write_text(f"#!/bin/sh\ntouch '{tmp_path}/opened'\n")
        (tmp_path / name).chmod(0o755)
    path = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "TERM": "xterm", "DISPLAY": ""}
    with program() as (_, one), program("--address", "0.0.0.0", **path) as (process, other):
        assert one.startswith("http://127.0.0.1:80") and one.split(":")[2] != other.split(":")[2]
        assert "isn't encrypted" in "".join(process.lines)
        port = re.search(r":\d+", other)[0]
        assert ask(re.sub(r"//[^/]+", f"//127.0.0.1{port}", other), method="GET")[0] == 200
        process.send_signal(signal.SIGINT)
        assert process.communicate()[1] == "interrupted\n" and process.returncode == 130
    assert not (tmp_path / "opened").exists()
    assert_one_line_error(run_main(tmp_path, "--draw", "--address", "1.2.3.4"), "of this machine")


@pytest.mark.long
def test_a_hundred_clients_and_a_thousand_bad_requests(tmp_path, clear):
    photograph = save(tmp_path / "p.png", page(clear)).read_bytes()
    with program() as (process, address):
        memory = lambda: int(re.search(r"VmRSS:\s*(\d+)", status.read_text())[1]) / 1e3  # noqa: E731
        status = PROJECT.joinpath("/proc", str(process.pid), "status")
        honest = [ask(address + name, photograph) for name in ("read", "show", "draw")]
        before = memory()
        random = np.random.default_rng(0)

        def work(client):
            ask(f"{address}read", photograph)
            for body in [*GARBAGE, random.bytes(100_000)]:
                assert ask(address + ["read", "show", "draw", "why"][client % 4], body)[0] == 400

        threads = [threading.Thread(target=work, args=[n]) for n in range(100)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [ask(address + name, photograph) for name in ("read", "show", "draw")] == honest
        print(f"\n100 clients: {memory() - before:.0f} MB more memory")
        assert memory() < before + 50
        process.send_signal(signal.SIGINT)
        assert process.communicate()[1] == "interrupted\n"
