import warnings

import numpy as np
import pytest
from PIL import Image

import evaluation

LABELS = np.array([0, 1, 1, 2, 2, 2, 3, 4, 5, 6, 7, 8])
PREDICTIONS = np.array([0, 1, 2, 2, 2, 1, 3, 4, 5, 6, 7, 8])


@pytest.fixture
def history():
    names = ("training_loss", "training_accuracy", "held_out_loss", "held_out_accuracy")
    return {name: np.array([0.5, 0.25, 0.125]) for name in names}


@pytest.fixture
def digits(mnist):
    """100 test images with made-up probabilities: (images, labels, probabilities)."""
    probabilities = np.random.default_rng(0).dirichlet(np.ones(10), 100)
    return mnist[2][:100], mnist[3][:100], probabilities


def test_count_confusions():
    confusions = evaluation.count_confusions(LABELS, PREDICTIONS)
    assert confusions.shape == (10, 10)  # also where a digit never occurs
    assert confusions[1, 2] == 1 and confusions[2, 1] == 1 and confusions[2, 2] == 2
    assert confusions.sum() == 12


def test_report():
    lines = evaluation.report(evaluation.count_confusions(LABELS, PREDICTIONS)).splitlines()
    assert lines[0] == "Test accuracy: 83.33% (2 errors in 12)"
    assert lines[2].split() == ["digit", "precision", "recall", "images"]
    assert lines[4].split() == ["1", "50.00%", "50.00%", "2"]
    assert lines[5].split() == ["2", "66.67%", "66.67%", "3"]
    assert lines[12].split() == ["9", "-", "-", "0"]


def test_report_of_ten_thousand():
    confusions = np.diag(np.full(10, 1000))
    confusions[3, 5], confusions[3, 3] = 220, 780
    first_line = evaluation.report(confusions).splitlines()[0]
    assert first_line == "Test accuracy: 97.80% (220 errors in 10,000)"


def test_most_confident_mistakes_come_first():
    probabilities = np.full((4, 10), 0.01)
    probabilities[[0, 1, 2, 3], [5, 6, 7, 8]] = [0.5, 0.9, 0.8, 0.7]
    labels = np.array([5, 0, 0, 0])  # the first is right
    assert evaluation.most_confident_mistakes(labels, probabilities).tolist() == [1, 2, 3]


def test_mosaic():
    images = np.arange(1, 13).reshape(3, 2, 2)
    assert evaluation.mosaic(images, columns=2, gap=1).tolist() == [
        [1, 2, 0, 5, 6, 0],
        [3, 4, 0, 7, 8, 0],
        [0, 0, 0, 0, 0, 0],
        [9, 10, 0, 0, 0, 0],
        [11, 12, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 0],
    ]


@pytest.mark.parametrize("epochs", [1, 3])
def test_history_is_plotted_as_it_is(history, epochs):
    history = {name: values[:epochs] for name, values in history.items()}
    axes = evaluation.plot_history(history, "accuracy", "validation").axes[0]
    training, held_out = axes.lines
    assert held_out.get_label() == "validation images"
    assert training.get_xdata().tolist() == [1, 2, 3][:epochs]
    assert held_out.get_ydata().tolist() == [50, 25, 12.5][:epochs]
    assert axes.get_xlabel() == "epoch" and axes.get_ylabel() == "accuracy (%)"


@pytest.mark.parametrize("epochs", [1, 3])
@pytest.mark.parametrize("losses", [(0, 0), (0, 1), (1e-300, 1), (1e39, 1e39), (1e-3, 1e39)])
def test_any_loss_is_plotted_without_a_warning(tmp_path, epochs, losses):
    history = dict(zip(("training_loss", "held_out_loss"), np.outer(losses, np.ones(epochs))))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", DeprecationWarning)  # of one library to another
        figure = evaluation.plot_history(history, "loss", "test")
        assert figure.axes[0].get_yscale() == ("log" if any(losses) else "linear")
        evaluation.save_figures({"loss.png": figure}, tmp_path)
    evaluation.plt.close(figure)


@pytest.mark.parametrize("scale", [0, 1e-45, 1e37])
def test_any_weights_are_plotted_without_a_warning(tmp_path, scale):
    W = np.float32(scale) * np.random.default_rng(0).uniform(-1, 1, (784, 5)).astype(np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", DeprecationWarning)  # of one library to another
        figure = evaluation.plot_weights(W)
        evaluation.save_figures({"weights.png": figure}, tmp_path)
    evaluation.plt.close(figure)


def test_confusion_matrix_shows_every_count():
    confusions = np.diag(np.full(10, 1135))
    confusions[4, 9] = 17
    axes = evaluation.plot_confusion_matrix(confusions).axes[0]
    texts = [text.get_text() for text in axes.texts]
    assert texts.count("1135") == 10 and texts.count("17") == 1 and texts.count("0") == 89
    assert "17 errors" in axes.get_title()


@pytest.mark.parametrize("chosen", [[], [3], range(100)])
def test_predictions_tell_truth_prediction_and_probability(digits, chosen):
    images, labels, probabilities = digits
    chosen = np.array(chosen, int)
    axes = evaluation.plot_predictions(images, labels, probabilities, chosen, "title").axes[0]
    assert len(axes.texts) == min(len(chosen), 25)
    for text, index in zip(axes.texts, chosen):
        read, probability = probabilities[index].argmax(), probabilities[index].max()
        assert text.get_text() == (
            f"truth {labels[index]}, read {read}\nprobability {probability:.1%}"
        )


@pytest.mark.parametrize("neurons", [1, 10, 128, 800])
def test_weights_are_shown_neuron_by_neuron(neurons):
    W = np.random.default_rng(0).standard_normal((784, neurons)).astype(np.float32)
    axes = evaluation.plot_weights(W).axes[0]
    picture = axes.images[0].get_array()
    np.testing.assert_array_equal(picture[:28, :28], W[:, 0].reshape(28, 28))
    assert ("the first 128 of 800" in axes.get_title()) == (neurons == 800)


def test_save_figures(tmp_path, history):
    figures = {"a.png": evaluation.plot_history(history, "loss", "test")}
    evaluation.save_figures(figures, tmp_path / "new")
    with Image.open(tmp_path / "new" / "a.png") as picture:
        assert picture.format == "PNG" and picture.size == (800, 500)
