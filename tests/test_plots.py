import numpy as np
import pytest

import plots
from evaluation import most_confident_mistakes, plot_confusion_matrix, report
from model import HISTORY

IGNORED = "ignore::DeprecationWarning", "ignore:overflow"  # of old versions of matplotlib
pytestmark = pytest.mark.filterwarnings("error", *IGNORED)


@pytest.mark.parametrize("quantity", ["accuracy", "loss"])
@pytest.mark.parametrize("epochs", [1, 3])
def test_history_is_plotted_as_it_is(quantity, epochs):
    history = dict(zip(HISTORY, np.random.default_rng(0).random((4, epochs))))
    axes = plots.plot_history(history, quantity, "validation").axes[0]
    for line, images in zip(axes.lines, ("training", "held_out"), strict=True):
        assert line.get_xdata().tolist() == [1, 2, 3][:epochs]
        assert line.get_ydata().tolist() == history[f"{images}_{quantity}"].tolist()
    assert axes.lines[1].get_label() == "validation images"
    assert axes.get_xlabel() == "epoch" and axes.get_ylabel().startswith(quantity)
    last = history[f"held_out_{quantity}"][-1]
    final = f"{last:.2%}" if quantity == "accuracy" else f"{last:.4f}"
    assert axes.get_title() == f"Final {quantity} on the validation images: {final}"


@pytest.mark.parametrize("chosen", [[], [3], range(100)])
def test_predictions_show_truth_prediction_and_probability(mnist, chosen):
    probabilities = np.random.default_rng(0).dirichlet(np.ones(10), 100)
    images, labels, chosen = mnist[2][:100], mnist[3][:100], np.array(chosen, int)
    axes = plots.plot_predictions(images, labels, probabilities, chosen, "title").axes[0]
    assert axes.get_title() == "title"
    for text, index in zip(axes.texts, chosen[:25], strict=True):
        label, digit, p = labels[index], probabilities[index].argmax(), probabilities[index].max()
        assert text.get_text() == f"truth {label}, read {digit}\nprobability {p:.1%}"
        assert text.get_color() == (plots.BLUE if label == digit else plots.ORANGE)


@pytest.mark.parametrize(("neurons", "scale"), [(1, 0), (20, 1e-45), (128, 1e37), (800, 1)])
def test_weights_are_shown_neuron_by_neuron(tmp_path, neurons, scale):
    W = np.random.default_rng(0).uniform(-1, 1, (784, neurons)).astype(np.float32)
    W *= np.float32(scale)
    figure = plots.plot_weights(W)
    image = figure.axes[0].images[0]
    tiles = image.get_array().reshape(-1, 30, min(neurons, 16), 30).swapaxes(1, 2)  # in rows
    pictures = tiles[:, :, :28, :28].reshape(-1, 784)
    np.testing.assert_array_equal(pictures[:neurons], W.T[:128])
    assert ("the first 128 of 800" in figure.get_suptitle()) == (neurons == 800)
    if scale == 1:
        positive, negative = image.to_rgba([1, -1])[:, [0, 2]]  # red and blue of each
        assert "blue excites" in figure.get_suptitle() and positive[1] > 2 * positive[0]
        assert negative[0] > 2 * negative[1]
    plots.save_figures({"weights.png": figure}, tmp_path)


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
