"""The machine of a benchmark, its peak speed, and how tables are printed."""

import importlib.metadata
import itertools
import os
import platform
import re
import timeit
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

CPU_INFORMATION = Path("/proc/cpuinfo").read_text() if platform.system() == "Linux" else ""
LARGE = 2048  # rows and columns of a large matrix
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
    packages = importlib.metadata.distributions()
    installed = {package.name.replace("_", "-"): package.version for package in packages}
    texts += [f"{name} {installed[name]}" for name in PACKAGES if name in installed]
    return ", ".join(texts)


def peaks():
    """The peak speeds of one core: what each is, and GFLOP/s.

    The practical one is that of a product of large matrices; the theoretical one is two
    multiplications and two additions of whole vectors per clock cycle.
    """
    A = np.ones((LARGE, LARGE), np.float32)
    with threadpool_limits(1, user_api="blas"):
        seconds = min(timeit.repeat(lambda: A @ A, number=1, repeat=10))
    yield "as in a product of large matrices", 2 * LARGE**3 / seconds / 1e9
    if clock := re.search(r"cpu MHz\s*: (.*)", CPU_INFORMATION):
        gigahertz, floats = float(clock[1]) / 1000, 16 if "avx512f" in CPU_INFORMATION else 8
        yield f"2 x 2 x {floats} x {gigahertz:.1f} GHz", 4 * floats * gigahertz


def print_table(header, rows):
    """Print a Markdown table, each row as soon as it is there; floats with three decimals."""
    print()
    for cells in itertools.chain([header, ["---", *["---:"] * (len(header) - 1)]], rows):
        texts = [f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in cells]
        print("|", " | ".join(texts), "|", flush=True)
