"""The server behind the page of --draw: its answers, addresses and limits."""

import json
import os
import re
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from browsing import PHOTOGRAPH, ask, program, read_drawing
from conftest import assert_one_line_error, run_main
from pages import page, save

from files import PROJECT
from handwriting import draw
from model import Model
from save_load import load_model

GARBAGE = [b"", b"{", b"[NaN]", b'{"strokes": 7}', b"P5 60000 60000 255\n", b"P5 -1 0 255\n"]
GARBAGE += [b"\x89PNG\r\n\x1a\n" + b"\0" * 50, b"\xff\xd8\xff\xe0" * 20, b"GIF89a" + b"\xff" * 99]
NAMES = ("read", "show", "draw", "why")


@pytest.fixture(scope="module")
def server():
    with program() as (_, address):
        yield address


def test_a_photograph_is_read_from_the_command_line(server):
    for address in (server, f"{server}read"):
        status, text = ask(address, PHOTOGRAPH.read_bytes(), Host="evil.example.org")
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
