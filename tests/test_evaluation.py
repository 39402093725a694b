import numpy as np

from evaluation import most_confident_mistakes, plot_confusion_matrix, report


def test_every_count_is_in_the_report_and_in_the_confusion_matrix():
    labels = np.array([0, 1, 1, 2, 2, 2, 3, 4, 5, 6, 7, 8])  # no 9
    predictions = np.array([0, 1, 2, 2, 2, 0, 3, 4, 5, 6, 7, 8])
    first, *lines = report(labels, predictions).splitlines()
    assert first == "Test accuracy: 83.33% (2 errors in 12)"
    rows = {line.split()[0]: line.split()[1:3] for line in lines if line}
    assert rows["precision"][0] == "recall" and rows["1"] == ["1.0000", "0.5000"]
    assert rows["2"] == ["0.6667", "0.6667"] and rows["9"] == ["nan", "nan"]
    axes = plot_confusion_matrix(labels, predictions).axes[0]
    counts = np.zeros((10, 10), int)
    np.add.at(counts, (labels, predictions), 1)
    assert [text.get_text() for text in axes.texts] == [str(count) for count in counts.ravel()]
    assert axes.get_title().endswith(" 2 errors in 12 test images")


def test_most_confident_mistakes_come_first():
    probabilities = np.full((4, 10), 0.01)
    probabilities[[0, 1, 2, 3], [5, 6, 7, 8]] = [0.5, 0.8, 0.9, 0.7]
    labels = np.array([5, 0, 0, 0])  # the first is right
    assert most_confident_mistakes(labels, probabilities).tolist() == [2, 1, 3]
