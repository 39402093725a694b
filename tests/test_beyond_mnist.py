import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

import beyond_mnist
from beyond_mnist import KINDS, extra_images, printed_digit
from data_preprocessing import preprocess
from handwriting import normalise
from model import CLASSES, NO_DIGIT, TARGETS, score
from train import train

DIGITS = ("with_another_pen", "drawn_digit", "printed_digit")


@pytest.fixture
def few_of_each(monkeypatch):
    """KINDS with 20 images of each kind."""
    kinds = dict.fromkeys(KINDS, 20)
    monkeypatch.setattr(beyond_mnist, "KINDS", kinds)
    return kinds


def test_images_like_mnists_of_every_kind(few, few_of_each):
    images, labels = extra_images(*few, np.random.default_rng(0))
    assert images.shape == (20 * len(KINDS), 28, 28) and images.dtype == np.uint8
    assert labels.shape == (20 * len(KINDS),) and labels.dtype == few[1].dtype
    assert (images.max(axis=(1, 2)) > 100).all()
    rows, columns = (images > 25).any(axis=2), (images > 25).any(axis=1)
    assert max(rows.sum(axis=1).max(), columns.sum(axis=1).max()) <= 20  # MNIST's margin
    for kind, own in zip(KINDS, labels.reshape(-1, 20)):
        assert (own < CLASSES).all() if kind.__name__ in DIGITS else (own == NO_DIGIT).all()


def test_the_seed_settles_the_images_and_mnist_stays_as_it_is(few, few_of_each):
    before = few[0].copy()
    first, again, other = (extra_images(*few, np.random.default_rng(s))[0] for s in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    np.testing.assert_array_equal(few[0], before)


def test_typefaces_for_tests_are_kept_out_of_training():
    assert not [face for face in beyond_mnist.TYPEFACES if face.startswith(("DejaVuSerif", "STIX"))]


def test_printed_digits_are_those_of_their_labels(few):
    """The closest digit of DejaVu Sans, undistorted, is mostly the one that the label names."""
    random_generator, plain, right = np.random.default_rng(0), [], []
    font = ImageFont.truetype(str(beyond_mnist.FOLDER / "DejaVuSans.ttf"), 80)
    for digit in range(10):
        image = Image.new("L", (160, 160))
        ImageDraw.Draw(image).text((50, 30), str(digit), 255, font)
        plain.append(normalise(np.asarray(image, np.float32) / 255))
    plain = preprocess(np.array(plain), deskew=True)
    for _ in range(200):
        ink, label = printed_digit(*few, random_generator)
        X = preprocess(normalise(ink)[None], deskew=True)
        right.append(np.square(plain - X).sum(axis=1).argmin() == label)
    assert np.mean(right) > 0.8


def test_a_flagged_1_has_more_ink_near_its_top_than_near_its_foot(few, monkeypatch):
    styles = [style for style in beyond_mnist.DRAWN_DIGITS if style[0] == 1 and len(style[1]) == 1]
    monkeypatch.setattr(beyond_mnist, "DRAWN_DIGITS", styles)
    random_generator = np.random.default_rng(0)
    drawn = [normalise(beyond_mnist.drawn_digit(*few, random_generator)[0]) for _ in range(100)]
    ink = np.array([image[image.any(axis=1)].mean(axis=1)[[3, -4]] for image in drawn])
    assert (ink[:, 0] > 1.2 * ink[:, 1]).mean() > 0.9


def test_touching_digits_leave_no_gap(few):
    random_generator = np.random.default_rng(0)
    for _ in range(50):
        ink, label = beyond_mnist.touching(*few, random_generator)
        columns = np.flatnonzero((ink > 0.5).any(axis=0))
        assert label == NO_DIGIT and (np.diff(columns) == 1).all()


def test_a_cut_leaves_part_of_the_ink_even_of_a_thin_stroke_that_slants_as_the_cut_may(few):
    thin = np.zeros((28, 28), np.uint8)
    thin[np.arange(4, 24), 16 - np.arange(20) // 4] = 255
    random_generator = np.random.default_rng(0)
    for image, least, most in ((few[0][0], 0.1, 0.9), (few[0][1], 0.1, 0.9), (thin, 0, 1)):
        for _ in range(100):
            part = beyond_mnist.cut(image[None], np.array([7]), random_generator)
            kept, whole = part > 0, image / np.float32(255)
            np.testing.assert_array_equal(part[kept], whole[kept])
            assert kept.any() and least < part.sum() / whole.sum() < most


def test_the_target_of_no_digit_is_a_tenth_for_each_and_counts_in_the_cross_entropy_alone():
    np.testing.assert_allclose(TARGETS, [*np.eye(CLASSES), np.full(CLASSES, 0.1)])
    log_P = np.log(np.array([[0.91] + [0.01] * 9, [0.1] * 10, [0.91] + [0.01] * 9]))
    cross_entropy, accuracy = score(log_P, np.array([0, NO_DIGIT, 1]))
    assert cross_entropy == pytest.approx(-(np.log(0.91) + np.log(0.1) + np.log(0.01)) / 3)
    assert accuracy == 0.5


def test_training_beyond_mnist_makes_the_network_unsure_of_non_digits(few, few_of_each, settings):
    """Of those that it was trained on; twice the same, bit for bit."""
    settings.beyond_mnist, settings.number_of_epochs, settings.alpha = True, 20, 0.1
    network, _ = train(few, few, settings, show_progress=False)
    again, _ = train(few, few, settings, show_progress=False)
    np.testing.assert_array_equal(network.parameters, again.parameters)
    images, labels = extra_images(*few, np.random.default_rng(0))
    X = images.reshape(-1, 784) / np.float32(255)
    sure = network.predict_proba(X).max(axis=1) >= 0.7
    assert sure[labels == NO_DIGIT].mean() < 0.5 * sure[labels != NO_DIGIT].mean()
