"""Numbers with gaps, of several sizes and with marks between them, for pages.py.

Each function takes a writer and the page's number, and returns the page and its answer.
"""

import numpy as np
from spoil import page
from writer import enlarged, trimmed


def stacked(inks, space, indent=0):
    """Inks below each other, from the left or indented: (height, width)."""
    width = indent + max(ink.shape[1] for ink in inks)
    rows = [np.pad(ink, ((0, space), (indent, width - indent - ink.shape[1]))) for ink in inks]
    return np.vstack(rows)


def numbers(writer, number):
    """Three rows of numbers of one to three digits, with gaps between these."""
    rows = []
    for _ in range(3):
        counts = writer.random.choice([1, 2, 2, 3], writer.random.integers(3, 6))
        rows.append(writer.text(" ".join("d" * count for count in counts), gaps=(2, 6), space=12))
    return page(stacked([ink for ink, _ in rows], 10)), " ".join(answer for _, answer in rows)


def three_sizes(writer, number):
    """Three rows of digits, each of another size, in any order."""
    rows = []
    for scale in writer.random.permutation([2, 4, 9]):
        writer.scale = int(scale)
        rows.append(writer.text("ddd" if scale == 9 else "ddddd"))
    return page(stacked([ink for ink, _ in rows], 20)), " ".join(answer for _, answer in rows)


def growing(writer, number):
    """Digits that grow from one to the next, on a line."""
    inks, answer = [], ""
    for scale in np.linspace(1, 6, 8):
        writer.scale = scale
        ink, label = writer.digit()
        inks.append(np.pad(ink, ((170 - len(ink), 0), (0, 0))))
        answer += label
    return page(np.hstack(inks)), answer


def clock(writer, number):
    """One large digit below a line of small ones, such as a telephone shows the time in."""
    writer.scale = 2
    time, answer = writer.text("d:dd")
    writer.scale = int(writer.random.integers(12, 18))
    ink, label = writer.digit()
    return page(stacked([time, np.pad(ink, ((0, 0), (60, 60)))], 60)), f"{answer} {label}"


def squared(writer, number):
    """A sum with a superscript: 98² + 3."""
    left, answer = writer.text("dd", gaps=(3, 6))
    right, last = writer.text("+d", gaps=(6, 10))
    small, label = writer.digit()
    small = np.asarray(enlarged(small, writer.random.uniform(0.45, 0.6)))
    small = trimmed(trimmed(small).T).T
    ink = np.hstack([left, np.zeros((len(left), small.shape[1] + 8 * writer.scale)), right])
    ink, end = np.pad(ink, ((20, 0), (0, 0))), left.shape[1] + 2 * writer.scale
    ink[20 : 20 + len(small), end : end + small.shape[1]] = small
    return page(ink), f"{answer}{label} {last}"


def flagged_ones(writer, number):
    """Numbers whose 1s have a flag and are taller than the other digits."""
    pattern = "".join(writer.random.permutation([*"11ddd"]))
    ink, answer = writer.text(pattern, reach=(0.05, 0.25))
    return page(ink), answer


PATTERNS = ["(d+d)/d", "dd+dxdd-(d+dd)/d", "d-d/d", "d-dx(d-d)/d", "(d-d+dxdd)xd+ddd", "dxd=dd"]


def bracketed(writer, number):
    """A sum with brackets, and with signs for multiplication and division."""
    writer.pen = writer.random.uniform(1, 2)
    ink, answer = writer.text(PATTERNS[number % len(PATTERNS)], gaps=(4, 10))
    return page(ink), answer
