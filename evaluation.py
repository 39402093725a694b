"""How well the network recognises: accuracy, report, confusion matrix, mistakes."""

import numpy as np

from model import CLASSES


def count_confusions(labels, predictions):
    """Confusion matrix (10, 10) of integers: rows are true digits, columns predicted digits."""
    from sklearn.metrics import confusion_matrix  # slow to import

    return confusion_matrix(labels, predictions, labels=np.arange(CLASSES))


def report(confusions):
    """The accuracy and, for each digit, precision and recall, as text to print.

    Precision: of the images read as this digit, the fraction that show it. Recall: of the images
    that show it, the fraction read as it.
    """
    images = confusions.sum()
    errors = images - np.trace(confusions)
    lines = [
        f"Test accuracy: {1 - errors / images:.2%} ({errors:,} errors in {images:,})",
        "",
        "digit  precision  recall  images",
    ]
    for digit, correct in enumerate(np.diag(confusions)):
        predicted, true = confusions[:, digit].sum(), confusions[digit].sum()
        # undefined for a digit that was never predicted or never shown
        precision = f"{correct / predicted:.2%}" if predicted else "-"
        recall = f"{correct / true:.2%}" if true else "-"
        lines.append(f"{digit:5}  {precision:>9}  {recall:>6}  {true:6,}")
    return "\n".join(lines)


def plot_confusion_matrix(confusions):
    """Plot the confusion matrix: colours show the errors, numbers the counts."""
    from sklearn.metrics import ConfusionMatrixDisplay  # slow to import

    from plots import Figure

    figure = Figure((8, 7))
    axes = figure.subplots()
    most_errors = (confusions - np.diag(np.diag(confusions))).max()
    ConfusionMatrixDisplay(confusions).plot(
        ax=axes,
        cmap="Blues",
        colorbar=False,
        im_kw={"vmin": 0, "vmax": max(2 * most_errors, 1)},  # else the diagonal outshines the rest
    )
    errors = confusions.sum() - np.trace(confusions)
    axes.set_title(f"Confusion matrix: {errors:,} errors in {confusions.sum():,} test images")
    axes.set_xlabel("predicted digit")
    axes.set_ylabel("true digit")
    return figure


def most_confident_mistakes(labels, probabilities):
    """Indices of the misread images, the most probable wrong answer first.

    labels: (n,); probabilities: (n, 10).
    """
    mistakes = np.flatnonzero(probabilities.argmax(axis=1) != labels)
    return mistakes[np.argsort(-probabilities[mistakes].max(axis=1))]
