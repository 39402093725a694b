"""--draw: the page in a real browser, and its server."""

import shutil
import signal
import threading
from base64 import b64encode
from http.server import ThreadingHTTPServer

import numpy as np
import pytest
from browsing import (
    ONE,
    PHOTOGRAPH,
    SEVEN,
    TRANSFER,
    Proxy,
    between,
    expect,
    ink,
    places,
    press,
    program,
    stroke,
)  # fmt: skip
from conftest import run_main

OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
OPTIONS += ["--disable-background-networking", "--disable-component-update"]


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
    for key, code, command in [
        ("C", "KeyC", False),
        ("\u0441", "KeyC", False),
        ("\u044f", "KeyZ", True),
    ]:
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


@pytest.mark.parametrize(
    "way", [[], ["drop", "DragEvent", "dataTransfer"], ["paste", "ClipboardEvent", "clipboardData"]]
)
def test_a_photograph_is_shown_with_what_was_read(visit, way):
    tab = visit()
    stroke(tab, ONE)
    if way:
        tab.evaluate(TRANSFER, [b64encode(PHOTOGRAPH.read_bytes()).decode(), *way])
    else:
        tab.set_input_files("#photo", PHOTOGRAPH)
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
