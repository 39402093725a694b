import numpy as np

from evaluation import count_confusions, most_confident_mistakes, plot_confusion_matrix, report


def test_confusions_and_report():
    labels = np.array([0, 1, 1, 2, 2, 2, 3, 4, 5, 6, 7, 8])
    predictions = np.array([0, 1, 2, 2, 2, 0, 3, 4, 5, 6, 7, 8])
    expected = np.diag([1, 1, 2, 1, 1, 1, 1, 1, 1, 0])  # the digit 9 never occurs
    expected[1, 2] = expected[2, 0] = 1
    confusions = count_confusions(labels, predictions)
    np.testing.assert_array_equal(confusions, expected)
    lines = report(confusions).splitlines()
    assert lines[0] == "Test accuracy: 83.33% (2 errors in 12)"
    assert lines[2].split() == ["digit", "precision", "recall", "images"]
    assert lines[4].split() == ["1", "100.00%", "50.00%", "2"]
    assert lines[5].split() == ["2", "66.67%", "66.67%", "3"]
    assert lines[12].split() == ["9", "-", "-", "0"]


def test_most_confident_mistakes_come_first():
    probabilities = np.full((4, 10), 0.01)
    probabilities[[0, 1, 2, 3], [5, 6, 7, 8]] = [0.5, 0.8, 0.9, 0.7]
    labels = np.array([5, 0, 0, 0])  # the first is right
    assert most_confident_mistakes(labels, probabilities).tolist() == [2, 1, 3]


def test_confusion_matrix_shows_every_count():
    confusions = np.diag(np.full(10, 1135))
    confusions[4, 9] = 17
    axes = plot_confusion_matrix(confusions).axes[0]
    texts = [text.get_text() for text in axes.texts]
    assert texts == [str(count) for count in confusions.ravel()]
    assert "17 errors" in axes.get_title()
