"""How long `python main.py --predict` takes for large pictures, and how much memory.

    python benchmarks/predict.py

The pictures are made from training digits: a photograph of a page, the same enlarged to nearly as
many megapixels as are accepted, and a photograph of one scribble. Each is read by a process of its
own, so that the time includes what starting Python takes.
"""

import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image
from reading import PROJECT, make_page

UNITS = 1e3 if sys.platform == "linux" else 1e6  # of the peak memory, for one megabyte


def save_pictures(folder):
    """Save the pictures in a folder; return names and paths."""
    page, _ = make_page("sheet on a dark desk", 0, training=True)
    scribble, _ = make_page("scribbles and drawings", 1, training=True)
    pictures = [
        ("a page, 12 megapixels", page, 12),
        ("a page, 89 megapixels", page, 89),
        ("a scribble, 12 megapixels", scribble, 12),
    ]
    paths = []
    for number, (_, file, megapixels) in enumerate(pictures):
        image = Image.open(file)
        size = np.array(image.size) * np.sqrt(1e6 * megapixels / np.prod(image.size))
        paths.append(Path(folder, f"{number}.jpg"))
        image.resize([int(side) for side in size], Image.Resampling.BICUBIC).save(paths[-1])
    return [name for name, *_ in pictures], paths


def measure(path):
    """Read a picture in a process of its own: the seconds and megabytes that it takes."""
    command = [sys.executable, "main.py", "--predict", path, "--plots-dir", path.parent]
    start = time.perf_counter()
    process = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.DEVNULL)
    _, _, usage = os.wait4(process.pid, 0)
    return time.perf_counter() - start, usage.ru_maxrss / UNITS


def main():
    print("| picture | seconds | megabytes |")
    print("|---|---:|---:|")
    # in a process of its own, since a child's peak memory starts from that of its parent
    with tempfile.TemporaryDirectory() as folder, multiprocessing.Pool(1) as pool:
        for name, path in zip(*pool.apply(save_pictures, (folder,))):
            seconds, megabytes = measure(path)
            print(f"| {name} | {seconds:.1f} | {megabytes:,.0f} |", flush=True)


if __name__ == "__main__":
    main()
