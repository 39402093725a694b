"""Draw docs/inputs.png: ten training digits on their way into the network."""

import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

sys.path.insert(0, str(Path(__file__).parents[1]))

from augmentation import distort
from data_preprocessing import SIDE, load_mnist, preprocess
from files import PROJECT
from plots import mosaic, save_figures

images, labels, _, _ = load_mnist()
digits = images[[np.flatnonzero(labels == digit)[3] for digit in range(10)]]
deskewed = preprocess(digits, deskew=True)
distorted = [distort(deskewed, np.random.default_rng(n), np.empty_like(deskewed)) for n in range(3)]
rows = [preprocess(digits, deskew=False), deskewed, *distorted]

gap = 3
axes = Figure((8, 4.2), layout="constrained").subplots()
pictures = mosaic(np.concatenate(rows).reshape(-1, SIDE, SIDE), columns=10, gap=gap)
axes.imshow(pictures, cmap="gray_r", vmin=0, vmax=1)
middles = [SIDE / 2 + (SIDE + gap) * row for row in range(5)]
axes.set(xticks=[], yticks=middles, yticklabels=["MNIST", "deskewed", "distorted", "", ""])
save_figures({"inputs.png": axes.figure}, PROJECT / "docs")
