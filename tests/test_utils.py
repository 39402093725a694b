import numpy as np
import pytest

from utils import log_softmax, softmax


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_softmax_of_huge_logits(dtype):
    Z = np.array([[1e4, -1e4, 0], [-1e4, -1e4, -1e4], [1e4, 1e4, -1e4]], dtype)
    with np.errstate(all="raise", under="ignore"):
        log_P, P = log_softmax(Z), softmax(Z)
    assert P.dtype == dtype
    np.testing.assert_allclose(P, [[1, 0, 0], [1 / 3, 1 / 3, 1 / 3], [0.5, 0.5, 0]], rtol=1e-6)
    np.testing.assert_allclose(log_P[0], [0, -2e4, -1e4])
