"""--predict: the digits in picture files and folders of them, printed and drawn."""

import os
import sys
from dataclasses import replace
from glob import escape, glob
from pathlib import Path

import numpy as np
from PIL import Image

from data_preprocessing import SIDE
from files import UserError
from handwriting.page import recognise_page
from handwriting.picture import FORMATS, HEIC, resize

AT_ONCE = 25  # answers in a picture: matplotlib can't save more than 600 inches


def predict(paths, recognise, thresholds, folder):
    """Recognise the digits in pictures, print them, and save what the network saw in a folder.

    paths: of pictures and folders, or patterns such as *.jpg. recognise, thresholds: see
    `recognise_page`. Returns the exit status: 1 if a picture can't be loaded or shows no digit.
    """
    paths, answers = expand(paths), []
    for path in paths:
        try:
            page = recognise_page(path, recognise, thresholds)
        except (UserError, MemoryError) as error:
            reason = "not enough memory" if isinstance(error, MemoryError) else error
            print(f"error: {path}: {reason}", file=sys.stderr)
            continue
        which = f" (page 1 of {page.pages})" if page.pages > 1 else ""
        if page.texts:
            numbers = " ".join(f"{p:.2f}" for p in page.probabilities.max(axis=1))
            print(f"{path}{which}: {page.text}  ({numbers})", flush=True)
            answers.append((path, reduced(page)))
        else:
            print(f"{path}{which}: no digit found")
    for start in range(0, len(answers), AT_ONCE):
        import plots  # after the answers, since matplotlib is slow to import

        name = f"recognised-{start // AT_ONCE + 1}.png" if start else "recognised.png"
        plots.save_figures({name: plot_recognised(answers[start : start + AT_ONCE])}, folder)
        print(f"Saved what the network saw in {folder / name}.")
    return 1 if len(answers) < len(paths) else 0


def expand(paths):
    """The paths, each folder or pattern replaced by its pictures, sorted by name, none hidden.

    The shell of Windows leaves patterns to the program.
    """
    suffixes = {s for s, kind in Image.registered_extensions().items() if kind in FORMATS} | HEIC
    files = []
    for pattern in paths:
        matches = [] if os.path.lexists(pattern) else sorted(glob(pattern))
        for path in matches or [pattern]:
            inside = sorted(glob(os.path.join(escape(path), "*"))) if path else []
            files += [p for p in inside if Path(p).suffix.lower() in suffixes] or [path]
    return files


def reduced(page):
    """A Page whose picture is as small as it is shown: those of many photos fill the memory."""
    factor = max(1, max(page.picture.shape) / 600)
    picture = resize(page.picture, [max(1, round(side / factor)) for side in page.picture.shape])
    boxes, left_out = page.boxes / factor, page.left_out / factor
    return replace(page, picture=picture, boxes=boxes, left_out=left_out)


def plot_recognised(answers):
    """Figure of pictures and the digits in them. answers: a list of name and Page.

    Digits with a ? are orange, with the second most probable below. What is left out is grey.
    """
    import plots  # slow to import

    inch, margin, left = 40, 8, 210  # the units are pixels of a digit; digits are from left on
    right = bottom = 0
    figure = plots.Figure()
    axes = figure.add_axes((0, 0, 1, 1))
    for name, page in answers:
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
        left_out = [(box, "", plots.GREY) for box in page.left_out]
        style = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}  # readable on any picture
        for box, text, colour in [*left_out, *zip(page.boxes, page.texts, colours)]:
            box = scale * box + [top, top, margin, margin]
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
