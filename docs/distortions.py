"""Draw docs/distortions.png: ten training digits, deskewed, and distorted six times.

Run it from the project's folder: python docs/distortions.py
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

PROJECT = Path(__file__).parent.parent
sys.path.insert(0, str(PROJECT))

from augmentation import distort  # noqa: E402
from data_preprocessing import load_mnist, preprocess  # noqa: E402
from plots import mosaic  # noqa: E402

images, labels, _, _ = load_mnist()
digits = images[[np.flatnonzero(labels == digit)[3] for digit in range(10)]]
X = preprocess(digits, deskew=True)
random_generator = np.random.default_rng(0)
rows = [preprocess(digits, deskew=False), X]
rows += [distort(X, random_generator, np.empty_like(X)) for _ in range(6)]

gap = 3
figure, axes = plt.subplots(figsize=(8, 6.6), layout="constrained")
pictures = mosaic(np.concatenate(rows).reshape(-1, 28, 28), columns=10, gap=gap)
axes.imshow(pictures, cmap="gray_r", vmin=0, vmax=1)
axes.set_xticks([])
middles = [13.5 + (28 + gap) * row for row in range(8)]
axes.set_yticks(middles, ["MNIST", "deskewed", "distorted", *[""] * 5])
axes.set_title("What the network sees while it trains")
for row in (1, 2):
    axes.axhline((28 + gap) * row - gap / 2 - 0.5, color="black", linewidth=0.8)
figure.savefig(PROJECT / "docs" / "distortions.png", dpi=100)
