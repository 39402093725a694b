"""--draw: the page in a real browser, and the answers, addresses and limits of its server."""

import json
import os
import re
import shutil
import signal
import socket
import sys
import threading
import time
from base64 import b64encode
from http.server import ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import browsing
import numpy as np
import pytest
from browsing import ONE, PHOTOGRAPH, SEVEN, ask, between, expect, places, program, stroke
from conftest import assert_one_line_error, run_main
from pages import THRESHOLDS, page, save

from files import PROJECT
from handwriting import draw
from handwriting.page import recognise_page
from model import Model
from save_load import load_model

GARBAGE = [b"", b"{", b"[NaN]", b'{"strokes": 7}', b"P5 60000 60000 255\n", b"P5 -1 0 255\n"]
GARBAGE += [b"\x89PNG\r\n\x1a\n" + b"\0" * 50, b"\xff\xd8\xff\xe0" * 20, b"GIF89a" + b"\xff" * 99]
MODEL = load_model(PROJECT / "handwriting" / "model.npz")
NAMES = ("read", "show", "draw", "why")
OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
OPTIONS += ["--disable-background-networking", "--disable-component-update"]


@pytest.fixture(scope="module")
def server():
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


def frames(tab, tag, sheet="#paper"):
    """The frames on the paper or a photograph: top, bottom, left, right, from 0 to 1; (n, 4)."""
    outer, *boxes = [f.bounding_box() for f in tab.locator(f"{sheet}, #sheet {tag}").all()]
    sides = (("y", "height"), ("x", "width"))
    starts, sizes = ([[box[side[n]] for side in sides] for box in boxes] for n in (0, 1))
    starts = (np.array(starts) - [outer["y"], outer["x"]]) / [outer["height"], outer["width"]]
    ends = starts + sizes / np.array([outer["height"], outer["width"]])
    return np.stack([starts, ends], axis=2).reshape(-1, 4)


def test_a_finger_draws_a_1_and_a_7_on_a_phone(visit):
    tab = visit(360, 640, has_touch=True, is_mobile=True, device_scale_factor=3)
    touch = tab.context.new_cdp_session(tab)
    for points, digit in (ONE, "1"), (SEVEN, "7"):
        for n, (x, y) in enumerate(places(tab, between(points))):
            event = {"type": "touchMove" if n else "touchStart", "touchPoints": [{"x": x, "y": y}]}
            touch.send("Input.dispatchTouchEvent", event)
        touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        expect(tab, digit)
        tab.wait_for_timeout(500)  # a tap that follows at once is taken for part of the gesture
        tab.locator("#clear").tap()
        expect(tab, "")
    tab.locator("#undo").tap()
    expect(tab, "7")
    with tab.expect_download() as download:
        tab.locator("#save").tap()
    assert download.value.suggested_filename == "drawing.png"
    file = Path(download.value.path()).read_bytes()
    assert draw.read(MODEL, THRESHOLDS, "read", file)["text"] == "7"
    assert tab.evaluate("[scrollX, scrollY, document.body.scrollWidth]") == [0, 0, 360]
    boxes = [tab.locator(f"#{name}").bounding_box() for name in ("answer", "clear", "undo", "save")]
    assert all(box["height"] >= 40 and box["y"] + box["height"] < 640 for box in boxes)


def test_a_stroke_ends_with_its_release_even_if_that_is_missed(visit):
    tab = visit()
    tab.mouse.dblclick(*places(tab, [(0.3, 0.3)])[0])
    tab.mouse.move(*places(tab, [(0.8, 0.8)])[0], steps=5)
    tab.mouse.click(*places(tab, [(0.8, 0.8)])[0], button="right")
    assert browsing.ink(tab)[0] == 2
    browsing.press(tab, [(0.1, 0.8), (0.5, 0.8)])
    before = browsing.ink(tab)
    tab.evaluate("paper.dispatchEvent(new PointerEvent('pointermove', {pointerId: state.pen.id}))")
    tab.mouse.move(*places(tab, [(0.9, 0.1)])[0], steps=5)
    assert browsing.ink(tab) == before and before[0] == 3
    tab.mouse.up()
    tab.keyboard.press("u")
    stroke(tab, [(0.5, 0.5), (0.5, -0.2), (0.7, -0.2), (0.7, 0.5)])  # leaves and comes back
    assert browsing.ink(tab)[0] == 4
    tab.keyboard.press("u")
    assert browsing.ink(tab)[0] == 2


def test_behind_a_proxy_with_a_prefix(visit, server):
    origin, token = server.rstrip("/").rsplit("/", 1)
    with ThreadingHTTPServer(("127.0.0.1", 0), browsing.Proxy) as proxy:
        proxy.origin = origin
        threading.Thread(target=proxy.serve_forever).start()
        for end in ("/", ""):
            tab = visit(address=f"http://127.0.0.1:{proxy.server_port}/user/me/8000/{token}{end}")
            stroke(tab, SEVEN)
            expect(tab, "7")
        proxy.shutdown()


def test_two_people_draw_on_papers_of_their_own(visit):
    tabs = visit(360, 640, device_scale_factor=3), visit(3840, 2160, color_scheme="dark")
    for tab, points in zip(tabs, (ONE, SEVEN)):
        browsing.press(tab, points)
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
        assert browsing.ink(tab)[1] > 20_000
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
    reached = []
    for _ in range(5):
        tab.keyboard.press("Tab")
        focus = "document.activeElement.id || document.activeElement.innerText"
        reached.append(tab.evaluate(focus))
    assert reached[:4] == ["photo", "undo", "clear", "save"] and reached[4].startswith("1")
    assert tab.get_by_role("img", name="Paper").count() and tab.get_by_label("Photograph").count()
    assert tab.locator("#answer").get_attribute("aria-live") == "polite"


def test_a_row_and_a_scribble_are_explained(visit):
    tab = visit()
    for left, points in (0.05, SEVEN), (0.35, ONE), (0.65, SEVEN):
        stroke(tab, [(left + 0.3 * x, 0.3 + 0.3 * y) for x, y in points])
    expect(tab, "717")
    for left, points, frame in zip((0.05, 0.35, 0.65), (SEVEN, ONE, SEVEN), frames(tab, "button")):
        x, y = np.transpose(points)
        ends = 0.3 + 0.3 * y.min(), 0.3 + 0.3 * y.max(), left + 0.3 * x.min(), left + 0.3 * x.max()
        np.testing.assert_allclose(frame, ends + np.array([-1, 1, -1, 1]) * 0.03, atol=0.015)
    stroke(tab, [(0.2, 0.4), (0.2, 0.5)])  # in a frame
    assert browsing.ink(tab)[0] == 4
    tab.keyboard.press("u")
    expect(tab, "717")
    assert tab.locator("#question").text_content() == "Why 7?"
    tab.locator("#digits button").nth(1).focus()
    tab.keyboard.press("Enter")
    expect(tab, "717")
    assert tab.locator("#question").text_content() == "Why 1?"
    assert tab.evaluate("document.activeElement.ariaPressed") == "true"
    tab.keyboard.press("c")
    stroke(tab, np.random.default_rng(0).uniform(0.1, 0.9, (15, 2)).tolist())
    expect(tab, "no digit")
    assert tab.locator("#bars").inner_text().count("%") > 1
    assert tab.locator("#why figure").count() == 0


def test_doubt_and_what_is_left_out_are_shown(visit):
    tab = visit()
    expect(tab, "")
    digits = [
        {"text": "4", "doubt": False, "probabilities": [0, 0, 0, 0, 1, 0, 0, 0, 0, 0]},
        {"text": "3?", "doubt": True, "probabilities": [0.01, 0, 0, 0.55, 0, 0, 0, 0, 0.44, 0]},
    ]
    for digit in digits:
        digit |= {"box": [0.1, 0.3, 0.5, 0.6], "image": [0] * 784}
    reading = {"digits": digits, "left_out": [[0.2, 0.4, 0.6, 0.7]], "margins": [0, 0]}
    tab.evaluate(f"show({json.dumps(reading)})")
    texts = tab.locator("#digits button").all_inner_texts()
    assert [text.strip() for text in texts] == ["4 · 100%", "3? · 55%\nor 8 · 44%"]
    colours = tab.locator("#sheet button").evaluate_all(
        "(frames) => frames.map((frame) => getComputedStyle(frame).borderTopColor)"
    )
    assert colours == ["rgb(0, 114, 178)", "rgb(213, 94, 0)"]
    np.testing.assert_allclose(frames(tab, "i"), [[0.2, 0.4, 0.6, 0.7]], atol=0.005)


def test_a_photograph_is_shown_with_what_was_read(visit, server, small):
    tab = visit()
    stroke(tab, ONE)
    for way in ("choose", "drop", "paste"):
        if way == "choose":
            tab.set_input_files("#photo", small)
        else:
            tab.evaluate(browsing.TRANSFER, [b64encode(small.read_bytes()).decode(), way])
        expect(tab, "90210")
        assert tab.locator("#sheet img").is_visible() and tab.locator("#save").is_disabled()
        assert tab.locator("#sheet button").all_inner_texts() == [*"90210"]
        assert tab.locator("#question").text_content() == "Why 9?"
        tab.locator("#sheet button").nth(2).click()
        expect(tab, "90210")
        assert tab.locator("#question").text_content() == "Why 2?"
        tab.mouse.click(*places(tab, [(0.5, 0.05)])[0])  # beside it: nothing is drawn
        shown = frames(tab, "button", "#sheet img")
        tab.locator("#undo").click()  # the digit that is looked at is no step
        expect(tab, "1")
    answer = json.loads(ask(f"{server}read", small.read_bytes())[1])
    np.testing.assert_allclose(shown, [digit["box"] for digit in answer["digits"]], atol=0.01)


def test_what_is_no_picture_gets_the_error_of_predict(visit, tmp_path):
    tab = visit()
    (tmp_path / "scan.png").write_text("%PDF-1.7")
    tab.set_input_files("#photo", tmp_path / "scan.png")
    tab.get_by_text("error: scan.png: a PDF").wait_for()
    process = run_main(tmp_path, "--predict", "scan.png")
    assert process.stderr.rstrip() == tab.locator("#message").inner_text()


def test_a_photograph_is_read_from_the_command_line(server, read):
    expected = recognise_page(PHOTOGRAPH, read, THRESHOLDS)
    for address in (server, f"{server}read"):
        status, text = ask(address, PHOTOGRAPH.read_bytes(), Host="evil.example.org")
        answer = json.loads(text)
        assert status == 200 and answer["text"] == "90210" and not answer["left_out"]
        for digit, n in zip(answer["digits"], [9, 0, 2, 1, 0], strict=True):
            assert {*digit} == {"text", "doubt", "box", "probabilities"}
            assert digit["text"] == str(n) and digit["doubt"] is False
            assert np.argmax(digit["probabilities"]) == n
        boxes = [digit["box"] for digit in answer["digits"]] * np.repeat(expected.picture.shape, 2)
        np.testing.assert_allclose(boxes, expected.boxes)


@pytest.mark.parametrize(
    ("doubtful_below", "left_out_below", "text"), [(0, 0, "47"), (1, 0, "47?"), (0, 1, "4_")]
)
def test_the_thresholds_of_the_settings_count(clear, small, doubtful_below, left_out_below, text):
    thresholds = {"doubtful_below": doubtful_below, "left_out_below": left_out_below}
    body = save(small.parent / "47.png", page(clear[[4, 7]])).read_bytes()  # a 4 of 1, a 7 of 0.99
    answer = draw.read(MODEL, SimpleNamespace(**thresholds), "read", body)
    assert answer["text"] == text
    assert any(digit["doubt"] for digit in answer["digits"]) == ("?" in text)


def begin(address, body, length):
    """A connection on which a request of a length is sent, up to some of its body."""
    _, _, host, token, _ = address.split("/")
    connection = socket.create_connection(host.split(":"))
    headers = f"POST /{token}/read HTTP/1.1\r\nHost: here\r\nContent-Length: {length}\r\n\r\n"
    connection.sendall(headers.encode() + body)
    return connection


def test_a_tab_that_is_closed_in_the_middle_of_a_request_disturbs_nobody(server, small):
    for body, length in (b"P5", 100), (small.read_bytes(), small.stat().st_size), (b"", 0):
        begin(server, body, length).close()
        assert browsing.read_drawing(server) == "7"


def test_garbage_and_requests_without_the_token_are_refused_in_one_line(server):
    origin, token = server.rstrip("/").rsplit("/", 1)
    requests = []
    for path in ("", "/", "/read", f"/{token[:-1]}/", f"/{token}x/read", f"/x{token}/"):
        for method in ("GET", "POST", "PUT", "OPTIONS", "DELETE", "PATCH"):
            requests.append((403, origin + path, b"1", method))
    requests += [(403, f"{origin}/read", b"x" * 10_000_000, "POST")]  # read to its end
    requests += [(400, server + name, body, "POST") for name in NAMES for body in GARBAGE]
    requests += [(405, server, b"", "BREW"), (403, f"{server}nonsense", b"", "POST")]
    requests += [(403, f"{origin}/%ff/", b"", "GET")]
    for expected, *request in requests:
        status, text = ask(*request, Origin="http://evil.example.org")
        assert status == expected and re.fullmatch("error: .+\n", text)
    status, text = ask(f"{server}read", b"x" * 40_000_001)
    assert (status, text) == (413, "error: more than 40 MB; make it smaller\n")
    handler = SimpleNamespace(body=bytearray(), path_args=["token", "read"])
    for _ in range(3):
        draw.Handler.data_received(handler, bytes(25_000_000))
    assert len(handler.body) == 50_000_000  # the rest is not kept
    assert browsing.read_drawing(server) == "7"


def test_drawings_stay_live_while_photographs_are_read(server, clear, tmp_path):
    rows = np.vstack([page(clear, scale=2) for _ in range(8)])
    body, ends = save(tmp_path / "p.png", rows).read_bytes(), []

    def work():
        ends.append((ask(f"{server}read", body)[0], time.monotonic()))

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    assert browsing.read_drawing(server) == "7"
    drawn = time.monotonic()
    for thread in threads:
        thread.join()
    assert [status for status, end in ends if end > drawn] == [200, 200]


@pytest.mark.parametrize("hidden_layers", [(128,), (2, 1), (5,) * 16])
def test_the_layers_and_the_contributions_of_neurons(make_network, clear, hidden_layers):
    network = make_network(hidden_layers)
    model = Model(network, {}, load_model(PROJECT / "trained_model.npz").settings)
    thoughts = draw.explain(model, clear[7].tobytes())
    X, *hidden, logits = network.forward(model.inputs(clear[[7]]))
    for shades, layer in zip(thoughts["layers"], [X, *hidden], strict=True):
        np.testing.assert_allclose(np.divide(shades, 255), layer[0] / layer.max(), atol=0.005)
    assert np.argmax(thoughts["probabilities"]) == logits.argmax()
    contributions = hidden[-1][0] * network.weights[-1][:, logits.argmax()]
    least, *others = np.argsort(contributions)
    expected = [j for j in [*others[::-1][:4], least] if contributions[j]]
    assert [number for number, _, _ in thoughts["neurons"]] == expected
    for number, adds, weights in thoughts["neurons"]:
        gradient = np.eye(len(contributions))[number]  # of its activation, by backpropagation
        for W, H in zip(network.weights[-2::-1], hidden[::-1]):
            gradient = W @ (gradient * (H[0] > 0))
        assert adds == pytest.approx(contributions[number])
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
def test_a_hundred_clients_and_a_thousand_bad_requests():
    def memory():
        status = Path("/proc", str(process.pid), "status").read_text()
        return int(re.search(r"VmRSS:\s*(\d+)", status)[1]) / 1e3

    def work(client):
        ask(f"{address}show", PHOTOGRAPH.read_bytes())
        for body in [*GARBAGE, b"x" * 100_000]:
            assert ask(address + NAMES[client % 4], body)[0] == 400

    with program() as (process, address):
        for _ in range(10):  # until its threads and the allocator have what they need
            honest = ask(f"{address}show", PHOTOGRAPH.read_bytes())
        before = memory()
        threads = [threading.Thread(target=work, args=[client]) for client in range(100)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert ask(f"{address}show", PHOTOGRAPH.read_bytes()) == honest
        print(f"\n100 clients, 1,000 bad requests: {memory() - before:.0f} MB more memory")
        assert memory() < before + 50
