"""--predict: the digits in picture files and folders of them, printed, drawn and in a table."""

import contextlib
import csv
import io
import os
import sys
from dataclasses import replace
from glob import escape, glob
from pathlib import Path

import numpy as np
from PIL import Image

from data_preprocessing import SIDE
from files import UserError, atomic_write, check_writable, printable
from handwriting.page import recognise_page
from handwriting.picture import FORMATS, HEIC, resize
from parallel import on_all_cores, print_above, progress_bar

FEW = 4  # pictures that are read sooner than other processes start
BATCH = 100  # pictures whose results may wait in the memory for those before them
AT_ONCE, MOST_DIGITS = 25, 1000  # answers and digits in one recognised.png: it must fit in memory
MOST_LABELS = 200  # beside the digits of a page; more would hide it
MARGIN = 8  # around what is drawn, in pixels of a digit's image
COLUMNS = ("file", "row", "place", "digit", "confidence", "doubt", "top", "bottom", "left", "right")


def predict(paths, recognise, thresholds, folder):
    """Recognise the digits in pictures, print them, and save them in a folder: see Record.

    paths: of pictures and folders, or patterns such as *.jpg. recognise, thresholds: see
    `recognise_page`. Returns the exit status: 1 if a picture can't be loaded or shows no digit.
    """
    paths, record = expand(paths), Record(folder)
    tasks = [(os.path.abspath(path), recognise, thresholds) for path in paths]
    if len(tasks) > FEW:
        check_writable(record.path)  # before the work
    results = read_in_parallel(tasks) if len(tasks) > FEW else (read(*task) for task in tasks)
    try:
        with progress_bar("picture", 0, len(tasks), show=len(tasks) > 1) as bar:
            for path, result in zip(map(printable, paths), results):
                if isinstance(result, UserError):
                    print_above(bar, f"error: {path}: {result}", sys.stderr)
                else:
                    page, boxes = result
                    note = f" (page 1 of {page.pages})" if page.pages > 1 else ""
                    numbers = " ".join(f"{p:.2f}" for p in page.probabilities.max(axis=1))
                    text = f"{page.text}  ({numbers})" if page.texts else "no digit found"
                    record.add(path, page, boxes)
                    print_above(bar, f"{path}{note}: {text}")
                if bar:
                    bar.update()
    finally:  # also when it is interrupted
        record.save()
        if record.pictures:
            first, *others = record.pictures
            names = ", ".join([first, *["..."] * (len(others) > 1), *others[-1:]])
            print(f"Saved {names} and recognised.csv in {printable(folder)}.")
    return 1 if record.successes < len(paths) else 0


def read(path, recognise, thresholds):
    """The Page of a file, and the boxes (n, 4) of its digits in pixels of the file, or a UserError.

    The page's picture is reduced to the size it is shown at: many large ones would fill the memory.
    """
    try:
        page = recognise_page(path, recognise, thresholds)
    except (UserError, MemoryError) as error:
        return UserError("not enough memory" if isinstance(error, MemoryError) else error)
    boxes = np.rint(page.factor * page.boxes).astype(int)
    reduction = max(1, max(page.picture.shape) / 600)
    small = resize(page.picture, [max(1, round(n / reduction)) for n in page.picture.shape])
    parts = {"boxes": page.boxes / reduction, "left_out": page.left_out / reduction}
    return replace(page, picture=small, **parts), boxes


def read_in_parallel(tasks):
    """Yield the results of `read` for tuples of its arguments, in their order, as they are known.

    If a worker process is killed, the first task without a result is tried by itself; if that one
    is killed, too, its result is the error.
    """
    start = 0
    while start < len(tasks):
        try:
            for result in on_all_cores(read, tasks[start : start + BATCH], return_as="generator"):
                yield result
                start += 1
        except UserError:
            try:
                yield from on_all_cores(read, [tasks[start]])
            except UserError as error:
                yield error
            start += 1


class Record:
    """Saves answers in a folder: recognised.png, recognised-2.png, ... and recognised.csv."""

    def __init__(self, folder):
        self.folder, self.path = folder, folder / "recognised.csv"
        self.successes = 0  # pictures with digits
        self.answers, self.pictures, self.table = [], [], io.StringIO()
        # names are quoted: they may hold what a spreadsheet takes for the end of a column
        self.write = csv.writer(self.table, quoting=csv.QUOTE_NONNUMERIC).writerow
        self.write(COLUMNS)

    def add(self, name, page, boxes):
        """Add the answer to a picture: a Page, and the boxes (n, 4) of its digits in the file."""
        file = "'" + name if name[:1] in ("=", "+", "-", "@") else name  # it isn't a formula
        _, first, rows = np.unique(page.rows, return_index=True, return_inverse=True)
        places = np.stack([rows, np.arange(len(rows)) - first[rows]], axis=1) + 1
        for place, text, p, box in zip(places, page.texts, page.probabilities, boxes):
            self.write([file, *place, int(text[0]), round(float(p.max()), 4), text[1:], *box])
        if page.texts:
            self.successes += 1
            self.answers.append((name, page))
        elif self.successes == 0:
            with contextlib.suppress(OSError):
                self.path.unlink()  # an earlier run's; it stays if no picture can be loaded
        digits = sum(len(page.texts) for _, page in self.answers)
        if len(self.answers) == AT_ONCE or digits >= MOST_DIGITS:
            self.save()

    def save(self):
        """Save a picture of the answers that none shows yet, if there are any, and the table."""
        if self.answers:
            import plots  # after the answers, since matplotlib is slow to import

            number = len(self.pictures) + 1
            name = f"recognised-{number}.png" if number > 1 else "recognised.png"
            figure, self.answers = plot_recognised(self.answers), []
            plots.save_figures({name: figure}, self.folder)
            self.pictures.append(name)
            with atomic_write(self.path) as file:
                file.write(self.table.getvalue().encode("utf-8-sig"))  # Excel looks for the mark


def expand(paths):
    """The paths, with patterns replaced by their matches and folders by the pictures in them.

    Both are sorted by name, without hidden files.
    """
    suffixes = {s for s, kind in Image.registered_extensions().items() if kind in FORMATS} | HEIC
    files = []
    for pattern in paths:  # the shell of Windows leaves them to the program
        matches = [] if os.path.lexists(pattern) else sorted(glob(pattern))
        for path in matches or [pattern]:
            inside = sorted(glob(os.path.join(escape(path), "*"))) if path else []
            files += [p for p in inside if Path(p).suffix.lower() in suffixes] or [path]
    return files


def plot_recognised(answers):
    """Figure of pictures and the digits in them. answers: a list of name and Page.

    Digits with a ? are orange, with the second most probable below. What is left out is grey.
    """
    import plots

    inch, tile, left = 40, SIDE + plots.GAP, 210  # in pixels of a digit's image, as all lengths
    axes, right, bottom = plots.Figure().add_axes((0, 0, 1, 1)), 0, 0
    for name, page in answers:
        title = f"{Path(name).name}: {page.text}"
        title = title[:49] + "…" * (len(title) > 49)
        axes.text(MARGIN, bottom + 16, title, fontsize="large", parse_math=False)
        colours = [plots.ORANGE if text.endswith("?") else plots.BLUE for text in page.texts]
        top = bottom + 24
        height = draw_picture(axes, page, colours, top)
        texts = []
        for text, p in zip(page.texts, page.probabilities):
            second, first = p.argsort()[-2:]
            doubt = f"\nor {second}  {p[second]:.2f}" if text.endswith("?") else ""
            texts.append(f"{text}  {p[first]:.2f}{doubt}")
        rows = max(round(height / tile), -(-len(texts) // max(10, round(len(texts) ** 0.5))))
        columns = -(-len(texts) // rows)
        for row in range(rows):  # by themselves, since a large image takes a lot of memory
            part, y = slice(row * columns, (row + 1) * columns), top + row * tile
            plots.add_tiles(axes, page.images[part], texts[part], colours[part], columns, left, y)
        right = max(right, left + columns * tile)
        bottom = top + max(height + MARGIN, rows * tile)
    axes.figure.set_size_inches(right / inch, bottom / inch)
    axes.set(xlim=(0, right), ylim=(bottom, 0))
    axes.axis("off")
    return axes.figure


def draw_picture(axes, page, colours, top):
    """Draw a Page's picture from `top` down, with a frame around each shape; return its height.

    colours: of the digits, a list.
    """
    import plots

    scale = min(190 / page.picture.shape[1], 240 / page.picture.shape[0])
    height, width = scale * np.array(page.picture.shape)
    extent = (MARGIN, MARGIN + width, top + height, top)
    axes.imshow(page.picture, "gray", vmin=0, vmax=1, extent=extent)
    labels = page.texts if len(page.texts) <= MOST_LABELS else [""] * len(page.texts)
    left_out = [(box, "", plots.GREY) for box in page.left_out]
    style = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}  # readable on any picture
    for box, text, colour in [*left_out, *zip(page.boxes, labels, colours)]:
        box = scale * box + [top, top, MARGIN, MARGIN]
        frame = box[[2, 0]], box[3] - box[2], box[1] - box[0]
        axes.add_artist(plots.Rectangle(*frame, fill=False, color=colour, linewidth=1.5))
        axes.text(box[2], box[0], text, color=colour, va="bottom", weight="bold", bbox=style)
    return height
