import numpy as np
import pytest

from handwriting import beyond_mnist
from handwriting.beyond_mnist import KINDS, extra_images
from handwriting.normalise import box_of
from model import CLASSES, NO_DIGIT

DIGITS = ("pick", "printed_digit")  # drawn_character makes both
NO_DIGITS = ("printed_symbol", "scribble", "dot", "touching", "part")


def test_images_like_mnists_of_every_kind_settled_by_the_seed(few, few_of_each):
    before = few[0].copy()
    images, labels = extra_images(*few, np.random.default_rng(0))
    again, other = (extra_images(*few, np.random.default_rng(seed))[0] for seed in (0, 1))
    assert np.array_equal(images, again) and not np.array_equal(images, other)
    np.testing.assert_array_equal(few[0], before)
    assert images.shape == (20 * len(KINDS), 28, 28) and images.dtype == np.uint8
    assert labels.shape == (20 * len(KINDS),) and labels.dtype == few[1].dtype
    assert (images.max(axis=(1, 2)) > 100).all()
    rows, columns = (images > 25).any(axis=2), (images > 25).any(axis=1)
    assert max(rows.sum(axis=1).max(), columns.sum(axis=1).max()) <= 20  # MNIST's margin
    for kind, own in zip(KINDS, labels.reshape(-1, 20)):
        assert (own < CLASSES).all() or kind.__name__ not in DIGITS
        assert (own == NO_DIGIT).all() or kind.__name__ not in NO_DIGITS


@pytest.mark.parametrize("kind", ["pick", "drawn_character", "printed_digit"])
def test_digits_are_those_of_their_labels(few, read, kind, monkeypatch):
    make = getattr(beyond_mnist, kind)
    monkeypatch.setattr(beyond_mnist, "KINDS", {make: (200, KINDS[make][1])})
    images, labels = extra_images(*few, np.random.default_rng(0))
    answers = read(images).argmax(axis=1)
    assert (answers == labels)[labels != NO_DIGIT].mean() > 0.95


def test_the_pen_changes_the_thickness_of_strokes_and_not_their_place():
    cross = np.zeros((60, 60), np.float32)
    cross[28:32, 5:55] = cross[5:55, 28:32] = 1
    random_generator, amounts = np.random.default_rng(0), []
    for _ in range(50):
        ink = beyond_mnist.rewritten(cross, random_generator)
        assert ink.shape == (100, 100) and ink.min() >= 0 and 0.8 < ink.max() <= 1
        top, bottom, left, right = box_of(ink)
        assert max(abs(top + bottom - 100), abs(left + right - 100)) <= 2
        assert (ink[45:55, 45:55] > 0.5).any() and ink[15:38, 15:38].max() < 0.5
        amounts.append((ink > 0.5).sum())
    assert max(amounts) > 3 * min(amounts)


def test_touching_digits_leave_no_gap(few):
    random_generator = np.random.default_rng(0)
    for _ in range(50):
        left, right = (beyond_mnist.pick(*few, random_generator)[0] for _ in range(2))
        ink = beyond_mnist.beside(left, right, random_generator)
        assert (np.diff(np.flatnonzero((ink > 0.5).any(axis=0))) == 1).all()


def test_a_cut_leaves_part_of_the_ink_even_of_a_thin_stroke_that_slants_as_the_cut_may(few):
    thin = np.zeros((28, 28), np.uint8)
    thin[np.arange(4, 24), 16 - np.arange(20) // 4] = 255
    random_generator = np.random.default_rng(0)
    for image, least, most in ((few[0][0], 0.1, 0.9), (few[0][1], 0.1, 0.9), (thin, 0, 1)):
        for _ in range(100):
            part = beyond_mnist.cut_off(image / np.float32(255), random_generator)
            kept, whole = part > 0, image / np.float32(255)
            np.testing.assert_array_equal(part[kept], whole[kept])
            assert kept.any() and least < part.sum() / whole.sum() < most
