"""Measure how soon a stroke on the page of --draw is answered; save docs/draw.png."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
from playwright.sync_api import sync_playwright

PROJECT = Path(__file__).parent.parent
TIMER = """
var times = [];
addEventListener("pointerup", async () => {
  const start = performance.now();
  while (answer.ariaBusy === "true") await new Promise((resolve) => setTimeout(resolve));
  times.push(performance.now() - start);
}, true);
"""
ARCS = (0.34, 0.15, np.linspace(-2.6, 1.4, 25)), (0.66, 0.19, np.linspace(-1.4, 2.5, 25))
THREE = [(0.48 + 1.1 * r * np.cos(a), y + r * np.sin(a)) for y, r, angles in ARCS for a in angles]


def main():
    command = [sys.executable, PROJECT / "main.py", "--draw"]
    program = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        times = draw_threes(re.search(r"http://\S+/", program.stdout.readline())[0])
    finally:
        program.terminate()
    print(f"From the end of a stroke to the answer: {np.median(times):.0f} ms (median of 20)")


def draw_threes(address):
    """Draw a 3 on the page at an address, 20 times; save a picture; return the milliseconds."""
    with sync_playwright() as playwright:
        options = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=options)
        page = browser.new_page(viewport={"width": 1100, "height": 620})
        page.goto(address)
        page.evaluate(TIMER)
        box = page.locator("#paper").bounding_box()
        start, *others = np.array(THREE) * box["width"] + [box["x"], box["y"]]
        for _ in range(20):
            page.keyboard.press("c")
            page.mouse.move(*start)
            page.mouse.down()
            for place in others:
                page.mouse.move(*place)
            page.mouse.up()
            page.wait_for_function("answer.ariaBusy === 'false' && !isBusy")
        page.screenshot(path=PROJECT / "docs" / "draw.png")
        return page.evaluate("times")


if __name__ == "__main__":
    main()
