import numpy as np

from evaluation import most_confident_mistakes, plot_confusion_matrix, report


def test_report_counts_errors_and_shows_precision_and_recall():
    labels = np.array([0, 1, 1, 2, 2, 2, 3, 4, 5, 6, 7, 8])
    predictions = np.array([0, 1, 2, 2, 2, 0, 3, 4, 5, 6, 7, 8])
    lines = report(labels, predictions).splitlines()
    assert lines[0] == "Test accuracy: 83.33% (2 errors in 12)"
    rows = [line.split() for line in lines]
    assert rows[2][:2] == ["precision", "recall"]
    assert rows[5][:3] == ["1", "1.0000", "0.5000"] and rows[6][:3] == ["2", "0.6667", "0.6667"]
    assert rows[13][:3] == ["9", "nan", "nan"]


def test_most_confident_mistakes_come_first():
    probabilities = np.full((4, 10), 0.01)
    probabilities[[0, 1, 2, 3], [5, 6, 7, 8]] = [0.5, 0.8, 0.9, 0.7]
    labels = np.array([5, 0, 0, 0])  # the first is right
    assert most_confident_mistakes(labels, probabilities).tolist() == [2, 1, 3]


def test_confusion_matrix_shows_every_count():
    labels, predictions = np.repeat([3, 4, 4], 20), np.repeat([3, 4, 9], 20)  # no other digit
    axes = plot_confusion_matrix(labels, predictions).axes[0]
    counts = np.zeros((10, 10), int)
    counts[[3, 4, 4], [3, 4, 9]] = 20
    assert [text.get_text() for text in axes.texts] == [str(count) for count in counts.ravel()]
    assert axes.get_title().endswith(" 20 errors in 60 test images")
