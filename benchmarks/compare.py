"""Time this project's training beside other ways to train the same network.

    python benchmarks/compare.py

Each contender of contenders.py runs in its own process. All train 784-128-10 with the learning rate
(constant), batch size and L2 of config.py, on deskewed images, in float32 (the textbook
code in float64), from the same weights, over the same batches in the same order. First each trains
on a few images, and the script stops if one changes the parameters differently from this project.
Then they take turns, epoch by epoch.

After that, this project, PyTorch and JAX train on distorted images: some epochs in turns, then
until 99% of the test digits are read correctly. Last, the program itself is timed.

Prints Markdown tables and writes the figures to docs/benchmarks.json, a list with one entry per
machine.
"""

import argparse
import contextlib
import importlib.metadata
import json
import operator
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

PROJECT = Path(__file__).parent.parent
sys.path.insert(0, str(PROJECT))

from files import atomic_write

PLAIN = {
    "ours": "this project",
    "textbook": "NumPy, textbook style",
    "keras": "Keras, `fit`",
    "pytorch": "PyTorch, eager",
    "pytorch_compiled": "PyTorch, `torch.compile`",
    "sklearn": "scikit-learn, `MLPClassifier`",
    "jax": "JAX, `jit` of `lax.scan`",
    "matrix_products": "the matrix products alone",
}
DISTORTED = {
    "ours_distorted": "this project",
    "pytorch_distorted": "PyTorch, eager",
    "jax_distorted": "JAX, `jit` of the distortions and of `lax.scan`",
}
PROGRAMS = ("main.py", "main.py --predict docs/handwriting.jpg", "main.py --train-model")
PACKAGES = ("numpy", "tensorflow", "tensorflow-cpu", "keras", "torch", "scikit-learn", "jax")
SEEDS = 3  # of the trainings to 99%


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output", type=Path, help="write the new entry alone, to this file")
    parser.add_argument("--images", type=int, default=60_000, help="training images per epoch")
    parser.add_argument("--epochs", type=int, default=7, help="epochs timed, after a warm-up")
    parser.add_argument("--short", action="store_true", help="omit the trainings to the end")
    arguments = parser.parse_args()

    results = {"machine": describe_machine(), "images": arguments.images}
    results |= {"ratios": {}, "seconds": {}, "threads": {}, "failures": {}}
    take_turns(results, PLAIN, arguments.epochs)
    take_turns(results, DISTORTED, min(arguments.epochs, 3), epochs=5)
    results["ratios_with_distortions"] = {
        name.removesuffix("_distorted"): results["ratios"][name]
        for name in DISTORTED
        if name in results["ratios"]
    }
    results["to_99"] = {} if arguments.short else time_to_99(arguments.images)
    programs = PROGRAMS[:-1] if arguments.short else PROGRAMS
    results["programs"] = {program: run_program(program) for program in programs}
    save(results, arguments.output)
    print_tables(results)


class Contender:
    """A contender in its own process; `failure` is None, or why it failed."""

    def __init__(self, name, images, seed=0):
        script = Path(__file__).with_name("contenders.py")
        self.process = subprocess.Popen(
            [sys.executable, script, name, str(images), str(seed)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # messages of the libraries
            text=True,
        )
        self.failure = None
        self.threads = self.answer()  # once it is ready

    def ask(self, *command):
        """Send a command and return the answer; None after a failure."""
        with contextlib.suppress(BrokenPipeError):
            print(json.dumps(command), file=self.process.stdin, flush=True)
        return self.answer()

    def answer(self):
        if not self.failure:
            if line := self.process.stdout.readline():
                reply = json.loads(line)
            else:
                reply = {"error": f"died with exit status {self.process.wait()}"}
            self.failure = reply.get("error")
        return None if self.failure else reply["answer"]

    def close(self):
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.wait()


def take_turns(results, titles, turns, epochs=1):
    """Let contenders take turns and add the seconds of their epochs to the results.

    epochs: trained in a turn. Of several, the first and the last are not timed: distorting the next
    epoch's images overlaps with an epoch, except before the first and during the last.
    """
    contenders = {name: Contender(name, results["images"]) for name in titles}
    check_agreement(contenders)
    seconds = {name: [] for name in contenders}
    for turn in range(1 + turns):
        for name, contender in contenders.items():
            time.sleep(0.1)  # OpenBLAS threads of the previous one spin for 40 ms
            times = contender.ask("train", epochs) or []
            if turn > 0:  # after the warm-up
                seconds[name] += times[1:-1] if epochs > 2 else times
    ours = next(iter(titles))
    if contenders[ours].failure:
        sys.exit(f"error: {ours}: {contenders[ours].failure}")
    for name, contender in contenders.items():
        contender.close()
        if contender.failure:
            results["failures"][name] = contender.failure
            continue
        results["seconds"][name] = [round(value, 4) for value in seconds[name]]
        results["threads"] |= {name: contender.threads} if contender.threads else {}
        if name != ours:  # of the same turn, so that a slow moment of the machine affects both
            ratios = map(operator.truediv, seconds[ours], seconds[name])
            results["ratios"][name] = round(statistics.median(ratios), 4)


def check_agreement(contenders):
    """Stop unless all contenders change the parameters as the first one does.

    Rounding to float32 makes a difference of 1e-6, omitting the L2 penalty one of 5e-4. After a
    whole epoch, rounding alone would make one of 0.08, as training amplifies it.
    """
    ours = None
    for name, contender in contenders.items():
        if name == "matrix_products" or (change := contender.ask("check")) is None:
            continue
        ours = np.array(change if ours is None else ours)
        difference = np.linalg.norm(change - ours) / np.linalg.norm(ours)
        print(f"{name}: change of the parameters differs from ours by {difference:.1e}")
        if not difference < 1e-5:
            sys.exit(f"error: {name} does not compute what this project computes")


def time_to_99(images):
    """Seconds and epochs until 99% of the test digits are read, by contender and seed."""
    runs = {name: [] for name in DISTORTED}
    for seed in range(SEEDS):
        for name in runs:
            contender = Contender(name, images, seed)
            if answer := contender.ask("reach", 0.99):
                runs[name].append([round(answer[0], 2), answer[1]])
            contender.close()
    return runs


def run_program(program):
    """Median seconds, of one training or three other runs, and peak memory (MB) of the last."""
    seconds = []
    for _ in range(1 if "--train-model" in program else 3):
        with tempfile.TemporaryDirectory() as folder:
            options = ["--no-show-plots", "--plots-dir", folder]
            if "--train-model" in program:
                options += ["--model", f"{folder}/model.npz"]
            command = [sys.executable, *program.split(), *options]
            start = time.perf_counter()
            process = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.DEVNULL)
            _, status, usage = os.wait4(process.pid, 0)
            seconds.append(time.perf_counter() - start)
        if status:
            sys.exit(f"error: {program} failed")
    unit = 1 if sys.platform == "darwin" else 1024  # bytes
    return round(statistics.median(seconds), 2), round(usage.ru_maxrss * unit / 1e6)


def describe_machine():
    """The machine and the versions of the packages, as a dictionary."""
    versions = {}
    for package in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": versions,
    }


def processor():
    """The processor's name and its widest vector instructions, as far as the system knows them."""
    try:
        information = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor() or platform.machine()
    model = re.search(r"model name\s*: (.*)", information)
    name = re.sub(r"\((R|TM)\)| Processor| @.*", "", model[1]) if model else platform.machine()
    flags = {" avx512f": ", AVX-512", " avx2": ", AVX2"}
    return name + next((text for flag, text in flags.items() if flag in information), "")


def save(results, output):
    """Write the results to `output`, or as this machine's entry of docs/benchmarks.json."""
    content = results
    if output is None:
        output = PROJECT / "docs" / "benchmarks.json"
        machine = operator.itemgetter("processor", "cores")
        others = json.loads(output.read_text())
        content = [o for o in others if machine(o["machine"]) != machine(results["machine"])]
        content.append(results)
    with atomic_write(output) as file:
        file.write(json.dumps(content, indent=1).encode() + b"\n")


def print_tables(results):
    """Print the results as Markdown tables."""
    machine = results["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    print(f"\n{machine['cores']} cores, {machine['processor']}, {machine['system']}")
    print(f"Python {machine['python']}, {versions}")
    print(f"threads: {results['threads']}")
    for heading, titles in (
        ("one epoch of", PLAIN),
        ("one epoch with distortions of", DISTORTED),
    ):
        rows = []
        for name, title in titles.items():
            if failure := results["failures"].get(name):
                rows.append((title, failure, ""))
            else:
                seconds = statistics.median(results["seconds"][name])
                ratio = results["ratios"].get(name)
                rows.append((title, f"{seconds:.3f}", f"{ratio:.2f}" if ratio else ""))
        print_table((heading, "seconds", "ours / theirs"), rows)
    rows = [
        (DISTORTED[name], *(f"{statistics.mean(figures):.1f}" for figures in zip(*runs)))
        if runs
        else (DISTORTED[name], "failed", "")
        for name, runs in results["to_99"].items()
    ]
    if rows:
        print_table((f"99% of the test digits, mean of {SEEDS} seeds", "seconds", "epochs"), rows)
    rows = [
        (f"`python {program}`", f"{seconds:.1f} s", f"{megabytes} MB")
        for program, (seconds, megabytes) in results["programs"].items()
    ]
    print_table(("program", "time", "peak memory"), rows)


def print_table(header, rows):
    print()
    for cells in (header, ("---", "---:", "---:"), *rows):
        print("|", " | ".join(map(str, cells)), "|")


if __name__ == "__main__":
    main()
