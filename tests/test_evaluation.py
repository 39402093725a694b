import numpy as np

from evaluation import most_confident_mistakes, report

LABELS = np.array([0, 1, 1, 2, 2, 2, 3, 4, 5, 6, 7, 8])
PREDICTIONS = np.array([0, 1, 2, 2, 2, 1, 3, 4, 5, 6, 7, 8])


def test_report():
    lines = report(LABELS, PREDICTIONS).splitlines()
    assert lines[0] == "Test accuracy: 83.33% (2 errors in 12)"
    assert lines[2].split() == ["precision", "recall", "f1-score", "support"]
    assert lines[5].split() == ["1", "0.5000", "0.5000", "0.5000", "2"]
    assert lines[6].split() == ["2", "0.6667", "0.6667", "0.6667", "3"]
    assert "100.00% (0 errors in 10,000)\n" in report(np.zeros(10_000), np.zeros(10_000))


def test_most_confident_mistakes_come_first():
    probabilities = np.full((4, 10), 0.01)
    probabilities[[0, 1, 2, 3], [5, 6, 7, 8]] = [0.5, 0.8, 0.9, 0.7]
    labels = np.array([5, 0, 0, 0])  # the first is right
    assert most_confident_mistakes(labels, probabilities).tolist() == [2, 1, 3]
