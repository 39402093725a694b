"""--draw: the page in a real browser, and the answers, addresses and limits of its server."""

import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import THRESHOLDS, answer, make_network, page, page_of, plain, save, start_main

from files import PROJECT, UserError
from handwriting import draw
from main import main
from model import Model
from save_load import load_model

SEVEN, ONE = [(0.3, 0.25), (0.7, 0.25), (0.45, 0.8)], [(0.5, 0.2), (0.5, 0.8)]
MODEL = load_model(PROJECT / "handwriting" / "model.npz")
NAMES = ("read", "show", "draw", "why")
GARBAGE = [b"", b"{", b"[NaN]", b'{"strokes": 7}', b"P5 60000 60000 255\n", b"P5 -1 0 255\n"]
GARBAGE += [b"\x89PNG\r\n\x1a\n" + b"\0" * 50, b"\xff\xd8\xff\xe0" * 20, b"GIF89a" + b"\xff" * 99]
# drops or pastes the file that was chosen
TRANSFER = """([Kind, kind, name]) => {
  const data = new DataTransfer();
  data.items.add(find("photo").files[0]);
  document.body.dispatchEvent(new window[Kind](kind, {bubbles: true, [name]: data}));
}"""
WAYS = ["DragEvent", "drop", "dataTransfer"], ["ClipboardEvent", "paste", "clipboardData"]


@contextlib.contextmanager
def program(*arguments, **environment):
    """The program and the address that it prints; Ctrl-C ends it."""
    with start_main(None, "--draw", *arguments, **environment) as process:
        try:
            process.lines = [*iter(process.stdout.readline, "Ctrl-C ends the program.\n")]
            yield process, re.search(r"http://\S+/", process.lines[0])[0]
            process.send_signal(signal.SIGINT)
            assert (process.communicate()[1], process.returncode) == ("interrupted\n", 130)
        finally:
            process.kill()


@pytest.fixture(scope="module")
def server():
    """The address of the page."""
    with program() as (_, address):
        yield address


@pytest.fixture(scope="module")
def small(clear, tmp_path_factory):
    """A picture of 90210 that is read soon."""
    return save(tmp_path_factory.mktemp("small") / "p.png", page(clear[[9, 0, 2, 1, 0]]))


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    if not (path := shutil.which("chromium")):
        pytest.skip("Chromium is not installed")
    with playwright.sync_playwright() as driver:
        yield driver.chromium.launch(executable_path=path)


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


def stroke(tab, points, release=True):
    start, *others = places(tab, points)
    tab.mouse.move(*start)
    tab.mouse.down()
    for place in others:
        tab.mouse.move(*place, steps=5)
    if release:
        tab.mouse.up()


def expect(tab, text, question=None):
    """Wait until an answer, and which digit is explained, are complete."""
    is_there = f"answer.textContent === '{text}' && answer.ariaBusy === 'false' && !isBusy"
    tab.wait_for_function(is_there, timeout=60_000)
    assert question in (None, tab.locator("#question").text_content())


def ink(tab):
    """The number of strokes, and the number of inked pixels."""
    pixels = "paper.getContext(`2d`).getImageData(0, 0, paper.width, paper.height).data"
    return tab.evaluate(f"[state.strokes.length, {pixels}.filter((value) => value < 128).length]")


def frames(tab, tag, sheet="#paper"):
    """The frames on the paper or a photograph: top, bottom, left, right, from 0 to 1; (n, 4)."""
    boxes = [frame.bounding_box() for frame in tab.locator(f"{sheet}, #sheet {tag}").all()]
    edges = [[b["y"], b["y"] + b["height"], b["x"], b["x"] + b["width"]] for b in boxes]
    (top, bottom, left, right), *inner = edges
    return np.subtract(inner, [top, top, left, left]) / np.repeat([bottom - top, right - left], 2)


def ask(address, body=b"", method="POST", **headers):
    """The status and text of an answer to a request."""
    host, path = re.fullmatch(r"http://([^/]+)(.*)", address).groups()
    connection = http.client.HTTPConnection(host)
    connection.request(method, path, body, headers)
    response = connection.getresponse()
    return response.status, response.read().decode()


def test_a_finger_draws_a_1_and_a_7_on_a_phone(visit, read):
    tab = visit(360, 640, has_touch=True, is_mobile=True, device_scale_factor=3)
    touch = tab.context.new_cdp_session(tab)
    for points, digit in (ONE, "1"), (SEVEN, "7"):
        ends = zip(points[:-1], points[1:])
        track = [point for start, end in ends for point in np.linspace(start, end, 5).tolist()]
        for n, (x, y) in enumerate(places(tab, track)):  # so fast that it is a fling
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
    assert answer(download.value.path(), read) == "7"
    assert tab.evaluate("[scrollX, scrollY, document.body.scrollWidth]") == [0, 0, 360]
    boxes = [tab.locator(f"#{name}").bounding_box() for name in ("answer", "clear", "undo", "save")]
    assert all(box["height"] >= 40 and box["y"] + box["height"] < 640 for box in boxes)


def test_a_stroke_ends_with_its_release_even_if_that_is_missed(visit):
    tab = visit()
    start, end = places(tab, [(0.3, 0.3), (0.8, 0.8)])
    tab.mouse.dblclick(*start)
    tab.mouse.move(*end, steps=5)
    tab.mouse.click(*end, button="right")
    assert ink(tab)[0] == 2
    stroke(tab, [(0.1, 0.8), (0.5, 0.8)], release=False)
    before = ink(tab)
    tab.evaluate("paper.dispatchEvent(new PointerEvent('pointermove', {pointerId: state.pen.id}))")
    tab.mouse.move(*end, steps=5)
    assert ink(tab) == before and before[0] == 3
    tab.mouse.up()
    tab.keyboard.press("u")
    stroke(tab, [(0.5, 0.5), (0.5, -0.2), (0.7, -0.2), (0.7, 0.5)])  # leaves and comes back
    assert ink(tab)[0] == 4
    tab.keyboard.press("u")
    assert ink(tab)[0] == 2


@pytest.mark.parametrize(("prefix", "end"), [("", "/"), ("/user/me/8000", "")])
def test_behind_a_proxy_that_keeps_its_prefix_or_not(visit, server, prefix, end):
    origin, token = server.rstrip("/").rsplit("/", 1)
    hub = "https://hub.example.org/user/me/8000"

    def proxy(route):
        route.fulfill(response=route.fetch(url=route.request.url.replace(hub, origin + prefix)))

    tab = visit(address="about:blank")
    tab.route("**", proxy)
    tab.goto(f"{hub}/{token}{end}")
    stroke(tab, SEVEN)
    expect(tab, "7")


def test_two_people_draw_on_papers_of_their_own(visit):
    tabs = visit(360, 640, device_scale_factor=3), visit(3840, 2160, color_scheme="dark")
    for tab, points in zip(tabs, (ONE, SEVEN)):
        stroke(tab, points, release=False)
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
        stroke(tab, SEVEN)
        assert ink(tab)[1] > 20_000
        process.send_signal(signal.SIGCONT)
        expect(tab, "7")
        assert len(requests) <= 4  # what the pen began, and all of it
    stroke(tab, ONE)
    tab.get_by_text(re.compile("error: (no answer; has the program ended|the address)")).wait_for()


def test_keys_and_names(visit):
    tab = visit()
    keys = [("C", "KeyC", "false"), ("\u0441", "KeyC", "false"), ("\u044f", "KeyZ", "true")]
    for key, code, is_command in keys:
        stroke(tab, ONE)
        event = f"{{key: '{key}', code: '{code}', ctrlKey: {is_command}, bubbles: true}}"
        tab.evaluate(f"document.body.dispatchEvent(new KeyboardEvent('keydown', {event}))")
        expect(tab, "")
    tab.keyboard.press("u")
    expect(tab, "1")
    assert tab.get_by_role("img", name="Paper").count() and tab.get_by_label("Photograph").count()
    assert tab.locator("#answer").get_attribute("aria-live") == "polite"


def test_a_row_and_a_scribble_are_explained(visit):
    tab = visit()
    expected = []
    for start, points in (0.05, SEVEN), (0.35, ONE), (0.65, SEVEN):
        points = 0.3 * np.array(points) + (start, 0.3)
        stroke(tab, points.tolist())
        (left, top), (right, bottom) = points.min(axis=0) - 0.03, points.max(axis=0) + 0.03
        expected.append([top, bottom, left, right])
    expect(tab, "717", "Why 7?")
    np.testing.assert_allclose(frames(tab, "button"), expected, atol=0.015)
    stroke(tab, [(0.2, 0.4), (0.2, 0.5)])  # in a frame
    assert ink(tab)[0] == 4
    tab.keyboard.press("u")
    expect(tab, "717")
    tab.locator("#digits button").nth(1).focus()
    tab.keyboard.press("Enter")
    expect(tab, "717", "Why 1?")
    assert tab.evaluate("document.activeElement.ariaPressed") == "true"
    tab.keyboard.press("c")
    stroke(tab, np.random.default_rng(0).uniform(0.1, 0.9, (15, 2)).tolist())
    expect(tab, "no digit")
    assert tab.locator("#bars").inner_text().count("%") > 1
    assert tab.locator("#why figure").count() == 0


def test_doubt_and_what_is_left_out_are_shown(visit):
    tab = visit()
    expect(tab, "")
    place = {"box": [0.1, 0.3, 0.5, 0.6], "image": [0] * 784}
    sure = {"text": "4", "doubt": False, "probabilities": [0, 0, 0, 0, 1, 0, 0, 0, 0, 0]}
    unsure = {"text": "3?", "doubt": True, "probabilities": [0, 0, 0, 0.55, 0, 0, 0, 0, 0.44, 0]}
    reading = {"digits": [sure | place, unsure | place], "left_out": [[0.2, 0.4, 0.6, 0.7]]}
    tab.evaluate(f"show({json.dumps(reading | {'margins': [0, 0]})})")
    texts = tab.locator("#digits button").all_inner_texts()
    assert [text.strip() for text in texts] == ["4 · 100%", "3? · 55%\nor 8 · 44%"]
    colour = "(frame) => getComputedStyle(frame).borderTopColor"
    colours = [frame.evaluate(colour) for frame in tab.locator("#sheet button").all()]
    assert colours == ["rgb(0, 114, 178)", "rgb(213, 94, 0)"]
    np.testing.assert_allclose(frames(tab, "i"), [[0.2, 0.4, 0.6, 0.7]], atol=0.005)


def test_a_photograph_is_shown_with_what_was_read(visit, server, small):
    tab = visit()
    stroke(tab, ONE)
    tab.set_input_files("#photo", small)
    for way in (None, *WAYS):
        if way:
            tab.evaluate(TRANSFER, way)
        expect(tab, "90210", "Why 9?")
        assert tab.locator("#sheet img").is_visible() and tab.locator("#save").is_disabled()
        assert tab.locator("#sheet button").all_inner_texts() == [*"90210"]
        tab.locator("#sheet button").nth(2).click()
        expect(tab, "90210", "Why 2?")
        tab.mouse.click(*places(tab, [(0.5, 0.05)])[0])  # beside it: nothing is drawn
        shown = frames(tab, "button", "#sheet img")
        tab.locator("#undo").click()  # the digit that is looked at is no step
        expect(tab, "1")
    answer = json.loads(ask(f"{server}read", small.read_bytes())[1])
    np.testing.assert_allclose(shown, [digit["box"] for digit in answer["digits"]], atol=0.01)
    scan = {"name": "scan.png", "mimeType": "image/png", "buffer": b"%PDF-1.7"}
    tab.set_input_files("#photo", scan)
    tab.get_by_text("error: scan.png: a PDF; save its page as a PNG or JPEG").wait_for()


def test_a_photograph_is_read_from_the_command_line(server, small, clear, read):
    expected = page_of(small, read)
    size = np.repeat(expected.picture.shape, 2)
    for address in (server, f"{server}read"):
        status, content = ask(address, small.read_bytes(), Host="evil.example.org")
        answer = json.loads(content)
        assert (status, answer["text"], answer["left_out"]) == (200, "90210", [])
        for digit, text, box in zip(answer["digits"], "90210", expected.boxes, strict=True):
            assert {*digit} == {"text", "doubt", "box", "probabilities"}
            assert (digit["text"], digit["doubt"]) == (text, False)
            assert np.argmax(digit["probabilities"]) == int(text)
            np.testing.assert_allclose(digit["box"] * size, box)
    body = save(small.parent / "40.png", page(clear[[4, 0]])).read_bytes()  # the 4 is surer
    for *thresholds, text in (0, 0, "40"), (0.99999, 0, "40?"), (0.7, 0.99999, "4_"):
        settings = SimpleNamespace(doubtful_below=thresholds[0], left_out_below=thresholds[1])
        answer = draw.read(MODEL, settings, "read", body)
        assert answer["text"] == text
        assert all(digit["doubt"] == ("?" in digit["text"]) for digit in answer["digits"])
    body = save(small.parent / "turned.png", np.rot90(page(clear[[4, 7, 3]]))).read_bytes()
    assert draw.read(MODEL, THRESHOLDS, "read", body)["text"] == "473"
    assert "473" not in draw.read(MODEL, THRESHOLDS, "draw", body)["text"]  # it is upright


def test_no_request_that_is_wrong_or_cut_off_disturbs_the_next(server, small):
    origin, token = server.rstrip("/").rsplit("/", 1)
    for body, length in (b"P5", 100), (small.read_bytes(), small.stat().st_size), (b"", 0):
        with socket.create_connection(server.split("/")[2].split(":")) as connection:
            headers = [f"POST /{token}/read HTTP/1.1", "Host: x", f"Content-Length: {length}"]
            connection.sendall("\r\n".join([*headers, "", ""]).encode() + body)
    methods = ("GET", "POST", "PUT", "OPTIONS", "DELETE", "PATCH")
    paths = ("", "/", "/read", f"/{token[:-1]}/", f"/{token}x/read", f"/x{token}/")
    requests = [(403, origin + path, b"1", method) for path in paths for method in methods]
    requests += [(403, f"{origin}/read", b"x" * 10_000_000, "POST")]  # read to its end
    requests += [(400, server + name, body, "POST") for name in NAMES for body in GARBAGE]
    requests += [(405, server, b"", "BREW"), (403, f"{server}nonsense", b"", "POST")]
    requests += [(403, f"{origin}/%ff/", b"", "GET")]
    for expected, *request in requests:
        status, text = ask(*request, Origin="http://evil.example.org")
        assert status == expected and re.fullmatch("error: .+\n", text)
    too_large = 413, "error: more than 40 MB; make it smaller\n"
    assert ask(f"{server}read", b"x" * 40_000_001) == too_large
    handler = SimpleNamespace(body=bytearray(), path_args=["token", "read"])
    for _ in range(3):
        draw.Handler.data_received(handler, bytes(25_000_000))
    assert len(handler.body) == 50_000_000  # the rest is not kept
    assert json.loads(ask(f"{server}draw", small.read_bytes())[1])["text"] == "90210"


def test_drawings_stay_live_while_photographs_are_read(server, small, clear, tmp_path):
    rows = np.vstack([page(clear, scale=2) for _ in range(8)])
    body = save(tmp_path / "p.png", rows).read_bytes()
    with ThreadPoolExecutor() as pool:
        photographs = [pool.submit(ask, f"{server}read", body) for _ in range(2)]
        assert json.loads(ask(f"{server}draw", small.read_bytes())[1])["text"] == "90210"
        assert not any(photograph.done() for photograph in photographs)
    assert [photograph.result()[0] for photograph in photographs] == [200, 200]


@pytest.mark.parametrize("hidden_layers", [(128,), (2, 1), (5,) * 16])
def test_the_layers_and_the_contributions_of_neurons(clear, hidden_layers):
    network = make_network(hidden_layers)
    model = Model(network, {}, plain(deskew=hidden_layers != (128,)))
    thoughts = draw.explain(model, clear[7].tobytes())
    X, *hidden, logits = network.forward(model.inputs(clear[[7]]))
    for shades, layer in zip(thoughts["layers"], [X, *hidden], strict=True):
        np.testing.assert_allclose(np.divide(shades, 255), layer[0] / layer.max(), atol=0.005)
    assert np.argmax(thoughts["probabilities"]) == logits.argmax()
    contributions = hidden[-1][0] * network.weights[-1][:, logits.argmax()]
    order = np.argsort(contributions)
    expected = [j for j in order[::-1][:4] if contributions[j] > 0]
    expected += [j for j in order[:1] if contributions[j] < 0]
    assert [number for number, _, _ in thoughts["neurons"]] == expected
    gradients = np.eye(len(contributions))  # of their activations, by backpropagation
    for W, H in zip(network.weights[-2::-1], hidden[::-1]):
        gradients = W @ (gradients * (H.T > 0))
    for number, adds, weights in thoughts["neurons"]:
        gradient = gradients[:, number] / abs(gradients[:, number]).max()
        assert adds == pytest.approx(contributions[number])
        np.testing.assert_allclose(np.divide(weights, 255), gradient, atol=0.005)


def test_ports_addresses_and_no_text_browser(server, tmp_path):
    for name in ("w3m", "www-browser", "lynx"):
        (tmp_path / name).write_text(f"#!/bin/sh\ntouch '{tmp_path}/opened'\n")
        (tmp_path / name).chmod(0o755)
    path = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "TERM": "xterm", "DISPLAY": ""}
    with program("--address", "0.0.0.0", **path) as (process, other):
        assert server.startswith("http://127.0.0.1:80")
        assert server.split(":")[2] != other.split(":")[2]
        assert "nothing is encrypted" in "".join(process.lines)
        assert ask(re.sub(r"//[^:]+", "//127.0.0.1", other), method="GET")[0] == 200
    assert not (tmp_path / "opened").exists()
    for address in ("1.2.3.4", "a..b", ""):
        message = f"--address {address}: it must be an address of this machine"
        with pytest.raises(UserError, match=re.escape(message)):
            main(["--draw", "--address", address])


@pytest.mark.long
def test_a_hundred_clients_and_a_thousand_bad_requests():
    psutil = pytest.importorskip("psutil", reason="psutil measures the memory")
    photograph = (PROJECT / "docs" / "handwriting.jpg").read_bytes()

    def work(client):
        if client % 5 == 0:
            ask(f"{address}show", photograph)
        for body in [*GARBAGE, b"x" * 100_000]:
            assert ask(address + NAMES[client % 4], body)[0] == 400

    with program() as (process, address):
        for _ in range(10):  # until its threads and the allocator have what they need
            honest = ask(f"{address}show", photograph)
        before = psutil.Process(process.pid).memory_info().rss
        with ThreadPoolExecutor(100) as pool:
            assert [*pool.map(work, range(100))] == 100 * [None]
        assert ask(f"{address}show", photograph) == honest
        more = (psutil.Process(process.pid).memory_info().rss - before) / 1e6
        print(f"\n100 clients, 1,000 bad requests: {more:.0f} MB more memory")
        assert more < 50
