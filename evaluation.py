"""How well the network recognises: accuracy, report, confusion matrix, mistakes."""

import numpy as np

from model import CLASSES


def report(labels, predictions):
    """The accuracy and, for each digit, precision, recall and their harmonic mean, as text.

    Precision: of the images read as this digit, the fraction that show it. Recall: of the images
    that show it, the fraction read as it. They are nan if there are no such images.
    labels, predictions: (n,) integers.
    """
    from sklearn.metrics import classification_report  # slow to import

    errors, images = np.count_nonzero(predictions != labels), len(labels)
    table = classification_report(
        labels, predictions, labels=range(CLASSES), digits=4, zero_division=np.nan
    )
    accuracy = f"{1 - errors / images:.2%} ({errors:,} errors in {images:,})"
    return f"Test accuracy: {accuracy}\n\n{table.rstrip()}"


def plot_confusion_matrix(labels, predictions):
    """Plot how often each digit was read as each: colours show the errors, numbers the counts.

    labels, predictions: (n,) integers.
    """
    from sklearn.metrics import ConfusionMatrixDisplay  # slow to import

    from plots import Figure

    figure = Figure((8, 7))
    axes = figure.subplots()
    display = ConfusionMatrixDisplay.from_predictions(
        labels, predictions, labels=range(CLASSES), ax=axes, cmap="Blues", colorbar=False
    )
    errors = display.confusion_matrix.copy()
    np.fill_diagonal(errors, 0)
    display.im_.set_clim(0, max(2 * errors.max(), 1))  # else the diagonal outshines the rest
    axes.set_title(f"Confusion matrix: {errors.sum():,} errors in {len(labels):,} test images")
    return figure


def most_confident_mistakes(labels, probabilities):
    """Indices of the misread images, the most probable wrong answer first.

    labels: (n,); probabilities: (n, 10).
    """
    mistakes = np.flatnonzero(probabilities.argmax(axis=1) != labels)
    return mistakes[np.argsort(-probabilities[mistakes].max(axis=1))]
