"""Measure how soon a stroke on the page of --draw is answered; save docs/draw.png.

python benchmarks/draw.py
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
from playwright.sync_api import sync_playwright

PROJECT = Path(__file__).parent.parent
OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
TIMER = """
var times = [];
addEventListener("pointerup", async () => {
  const start = performance.now();
  while (answer.ariaBusy === "true") await new Promise((resolve) => setTimeout(resolve));
  times.push(performance.now() - start);
}, true);
"""


def draw_three(page):
    box = page.locator("#paper").bounding_box()
    for y, radius, angles in ((0.34, 0.15, (-2.6, 1.4)), (0.66, 0.19, (-1.4, 2.5))):
        for angle in np.linspace(*angles, 25):
            place = np.array([0.48 + 1.1 * radius * np.cos(angle), y + radius * np.sin(angle)])
            page.mouse.move(*(place * box["width"] + [box["x"], box["y"]]))
            if angle == -2.6:
                page.mouse.down()
    page.mouse.up()
    page.wait_for_function("answer.ariaBusy === 'false' && !isBusy")


def main():
    command = [sys.executable, PROJECT / "main.py", "--draw"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as program:
        address = re.search(r"http://\S+/", program.stdout.readline())[0]
        with sync_playwright() as playwright:
            options = {"executable_path": shutil.which("chromium"), "args": OPTIONS}
            browser = playwright.chromium.launch(**options)
            page = browser.new_page(viewport={"width": 1100, "height": 620})
            page.goto(address)
            page.evaluate(TIMER)
            for _ in range(20):
                page.keyboard.press("c")
                draw_three(page)
            page.screenshot(path=PROJECT / "docs" / "draw.png")
            times = page.evaluate("times")
        program.terminate()
    print(f"From the end of a stroke to the answer: {np.median(times):.0f} ms (median of 20)")


if __name__ == "__main__":
    main()
