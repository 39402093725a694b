"""The machine of a benchmark, and how its times are taken and printed."""

import contextlib
import importlib.metadata
import itertools
import os
import platform
import re
import statistics
import time
from pathlib import Path

from threadpoolctl import threadpool_limits

CPU_INFORMATION = Path("/proc/cpuinfo").read_text() if platform.system() == "Linux" else ""
PACKAGES = ("numpy", "tensorflow", "tensorflow-cpu", "keras", "torch", "scikit-learn", "jax")


def processor():
    """The processor's name and its widest vector instructions, as far as the system knows them."""
    if not (model := re.search(r"model name\s*: (.*)", CPU_INFORMATION)):
        return platform.processor() or platform.machine()
    name = re.sub(r"\((R|TM)\)| Processor| @.*", "", model[1])
    flags = {" avx512f": ", AVX-512", " avx2": ", AVX2"}
    return name + next((text for flag, text in flags.items() if flag in CPU_INFORMATION), "")


def describe_machine():
    """The processor and the versions of Python and of the packages, in one line."""
    texts = [f"{os.cpu_count()} cores of {processor()}", f"Python {platform.python_version()}"]
    for package in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            texts.append(f"{package} {importlib.metadata.version(package)}")
    return ", ".join(texts)


def time_epoch(epochs, blas_threads):
    """Train the next epoch with this number of BLAS threads; return the seconds."""
    with threadpool_limits(blas_threads, user_api="blas"):
        start = time.perf_counter()
        next(epochs)
        return time.perf_counter() - start


def median_seconds(trainings, turns):
    """Median seconds of an epoch of each of several trainings, which take turns.

    trainings: pairs of an iterator over epochs and a number of BLAS threads.
    """
    seconds = [[time_epoch(*training) for training in trainings] for _ in range(1 + turns)]
    return [statistics.median(times) for times in zip(*seconds[1:])]  # the first turn warms up


def print_table(header, rows):
    """Print a Markdown table, each row as soon as it is there; floats with three decimals."""
    print()
    for cells in itertools.chain([header, ["---"] + ["---:"] * (len(header) - 1)], rows):
        texts = [f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in cells]
        print("|", " | ".join(texts), "|", flush=True)
