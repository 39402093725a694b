"""How well the network reads: accuracy, precision and recall, mistakes."""

import numpy as np


def report(labels, predictions):
    """The accuracy and, for each digit, precision and recall, as text to print.

    labels, predictions: (n,). Precision is the fraction of correct answers among the images read
    as a digit, recall among the images of that digit, F1 their harmonic mean.
    """
    from sklearn.metrics import classification_report  # slow to import

    images, errors = len(labels), np.count_nonzero(labels != predictions)
    table = classification_report(labels, predictions, digits=4, zero_division=np.nan)
    return f"Test accuracy: {1 - errors / images:.2%} ({errors:,} errors in {images:,})\n\n{table}"


def most_confident_mistakes(labels, probabilities):
    """Indices of the misread images, the most probable wrong answer first.

    labels: (n,); probabilities: (n, 10).
    """
    mistakes = np.flatnonzero(probabilities.argmax(axis=1) != labels)
    return mistakes[np.argsort(-probabilities[mistakes].max(axis=1))]
