"""--predict: the digits in picture files and folders of them, printed and drawn."""

import os
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from files import UserError
from handwriting.page import recognise_page
from handwriting.picture import FORMATS
from model import SIDE


def predict(paths, recognise, thresholds, folder):
    """Recognise the digits in pictures, print them, and save what the network saw in a folder.

    recognise: function that turns images (n, 28, 28) uint8 into probabilities (n, 10). thresholds:
    those of config.py, in a namespace. Returns the exit status: 1 if a picture can't be loaded or
    shows no digit.
    """
    answers, failures = [], 0
    for path in expand_folders(paths):
        try:
            page = recognise_page(path, recognise, thresholds)
        except UserError as error:
            print(f"error: {path}: {error}", file=sys.stderr)
            failures += 1
            continue
        which = f" (page 1 of {page.pages})" if page.pages > 1 else ""
        if not page.texts:
            print(f"{path}{which}: no digit found")
            failures += 1
            continue
        numbers = " ".join(f"{probability:.2f}" for probability in page.probabilities.max(axis=1))
        print(f"{path}{which}: {page.text}  ({numbers})", flush=True)
        answers.append((path, page))
    if answers:
        from plots import save_figures  # after the answers, since matplotlib is slow to import

        save_figures({"recognised.png": plot_recognised(answers)}, folder)
        print(f"Saved what the network saw in {folder / 'recognised.png'}.")
    return 1 if failures else 0


def expand_folders(paths):
    """The paths, each folder replaced by its pictures, sorted by name."""
    format_of = Image.registered_extensions()
    files = []
    for path in map(Path, paths):
        inside = sorted(path.iterdir()) if path.is_dir() else []
        files += [p for p in inside if format_of.get(p.suffix.lower()) in FORMATS] or [path]
    return files


def plot_recognised(answers):
    """Figure of pictures, the digits found in them and what the network made of each digit.

    answers: a list of name and Page. Digits with a ? are orange, with the second most probable
        digit below. What is left out is grey.

    Matplotlib can't save more than 600 inches; the answers from there on are left out.
    """
    import plots  # slow to import

    inch, margin, left = 40, 8, 210  # the units are pixels of a digit; digits are from left on
    right = bottom = 0
    figure = plots.plt.Figure()
    axes = figure.add_axes((0, 0, 1, 1))
    for name, page in answers:
        if bottom > 600 * inch:
            break
        name = os.fsencode(Path(name).name).decode(errors="replace")  # in any locale
        title = f"{name}: {page.text}"
        title = title if len(title) <= 50 else title[:49] + "…"
        axes.text(margin, bottom + 16, title, fontsize="large", parse_math=False)

        top = bottom + 24
        scale = min(190 / page.picture.shape[1], 240 / page.picture.shape[0])
        height, width = scale * np.array(page.picture.shape)
        extent = (margin, margin + width, top + height, top)
        axes.imshow(page.picture, "gray", vmin=0, vmax=1, extent=extent)
        colours = [plots.ORANGE if text.endswith("?") else plots.BLUE for text in page.texts]
        boxes = scale * np.vstack([page.left_out, page.boxes]) + [top, top, margin, margin]
        nothing = [""] * len(page.left_out)
        style = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}  # readable on any picture
        frames = [plots.GREY] * len(nothing) + colours
        for box, text, colour in zip(boxes, nothing + page.texts, frames):
            plots.add_frame(axes, *box, color=colour, linewidth=1.5)
            axes.text(box[2], box[0], text, color=colour, va="bottom", weight="bold", bbox=style)

        texts = []
        for text, probabilities in zip(page.texts, page.probabilities):
            *_, second, first = probabilities.argsort()
            texts.append(f"{text}  {probabilities[first]:.2f}")
            if text.endswith("?"):
                texts[-1] += f"\nor {second}  {probabilities[second]:.2f}"
        rows = max(round(height / (SIDE + plots.GAP)), -(-len(texts) // 10))
        columns = -(-len(texts) // rows)
        plots.add_tiles(axes, page.images, texts, colours, columns, left, top)
        right = max(right, left + columns * (SIDE + plots.GAP))
        bottom = top + max(height + margin, rows * (SIDE + plots.GAP))
    figure.set_size_inches(right / inch, bottom / inch)
    axes.set(xlim=(0, right), ylim=(bottom, 0))
    axes.axis("off")
    return figure
