"""The time from the end of a stroke to the answer on the page of --draw; a screenshot of it.

    python benchmarks/draw.py

It draws in Chromium, prints the median time and saves docs/draw.png. The page is reading while the
pen moves, so the end of a stroke waits for the answer before.
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
REPETITIONS = 20
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
    arcs = [(0.34, 0.15, np.linspace(-2.6, 1.4, 25)), (0.66, 0.19, np.linspace(-1.4, 2.5, 25))]
    for y, radius, angles in arcs:
        for angle in angles:
            place = 0.48 + 1.1 * radius * np.cos(angle), y + radius * np.sin(angle)
            page.mouse.move(*(box["xy"[n]] + place[n] * box["width"] for n in range(2)))
            page.mouse.down()
    page.mouse.up()
    page.wait_for_function("answer.ariaBusy === 'false' && !isBusy")


def main():
    command = [sys.executable, PROJECT / "main.py", "--draw"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as program:
        address = re.search(r"http://\S+/", program.stdout.readline())[0]
        with sync_playwright() as playwright:
            path = shutil.which("chromium")
            browser = playwright.chromium.launch(executable_path=path, args=OPTIONS)
            page = browser.new_page(viewport={"width": 1100, "height": 620})
            page.goto(address)
            page.evaluate(TIMER)
            for _ in range(REPETITIONS):
                page.keyboard.press("c")
                draw_three(page)
            page.screenshot(path=PROJECT / "docs" / "draw.png")
            times = page.evaluate("times")
        program.terminate()
    milliseconds = np.median(times)
    print(f"From the end of a stroke to the answer: {milliseconds:.0f} ms (median of {len(times)})")


if __name__ == "__main__":
    main()
