"""The activation functions: ReLU and softmax."""

import numpy as np


def relu(Z):
    """Rectified linear unit, max(Z, 0), elementwise; any shape and dtype."""
    return np.maximum(Z, 0)


def log_softmax(Z):
    """Logarithm of the softmax of each row: Z - log(sum(exp(Z))).

    The largest logit of each row is subtracted first. This does not change the result and keeps
    exp from overflowing (Goodfellow, Bengio and Courville: Deep Learning, 2016, section 4.1).

    Z: (n, classes) logits. Returns the same shape and dtype, finite if the logits are.
    """
    Z = Z - Z.max(axis=1, keepdims=True)
    return Z - np.log(np.exp(Z).sum(axis=1, keepdims=True))


def softmax(Z):
    """Softmax of each row: (n, classes) logits to probabilities that sum to 1."""
    return np.exp(log_softmax(Z))
