"""Where the time of an epoch goes: its parts alone, and the limit that the processor sets."""

import re
import timeit

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.speed.contenders import HIDDEN, Contender
from benchmarks.speed.measure import CPU_INFORMATION
from data_preprocessing import INPUTS
from model import CLASSES

LARGE = 2048  # rows and columns of a large matrix


class MatrixProducts(Contender):
    title = "the matrix products alone"
    blas_threads = 1

    def epoch(self, X, batches):
        (W_1, W_2), (dW_1, dW_2) = self.network.weights, self.network.weight_gradients
        H, dZ_1 = np.empty((2, self.batch_size, len(W_2)), np.float32)
        Z_2 = np.empty((self.batch_size, CLASSES), np.float32)
        for X_batch in X[: batches.size].reshape(*batches.shape, INPUTS):
            np.matmul(X_batch, W_1, out=H)
            np.matmul(H, W_2, out=Z_2)
            np.matmul(Z_2, W_2.T, out=dZ_1)
            np.matmul(H.T, Z_2, out=dW_2)
            np.matmul(X_batch.T, dZ_1, out=dW_1)


class Batches(Contender):
    title = "copying the images of each batch alone"

    def epoch(self, X, batches):
        for batch in batches:
            X.take(batch, axis=0)


class Update(Contender):
    title = "the L2 penalty and the update alone"

    def epoch(self, X, batches):
        for _ in batches:
            for W, dW in zip(self.network.weights, self.network.weight_gradients):
                dW += self.l2 * W
            self.network.gradient *= self.alpha
            self.network.parameters -= self.network.gradient


PARTS = (MatrixProducts, Batches, Update)


def limits(images):
    """Rows of a table: the seconds that an epoch's matrix products would take at a core's peak.

    In practice, this is the speed of a product of large matrices; in theory, two multiplications
    and two additions of whole vectors per clock cycle.
    """
    operations = 2 * images * HIDDEN * (2 * INPUTS + 3 * CLASSES) / 1e9
    A = np.ones((LARGE, LARGE), np.float32)
    with threadpool_limits(1, user_api="blas"):
        seconds = min(timeit.repeat(lambda: A @ A, number=1, repeat=10))
    peak = 2 * LARGE**3 / seconds / 1e9
    yield f"at {peak:.0f} GFLOP/s, as in a product of large matrices", operations / peak
    if clock := re.search(r"cpu MHz\s*: (.*)", CPU_INFORMATION):
        gigahertz, floats = float(clock[1]) / 1000, 16 if "avx512f" in CPU_INFORMATION else 8
        peak = 4 * floats * gigahertz
        yield f"at {peak:.0f} GFLOP/s, 2 x 2 x {floats} x {gigahertz:.1f} GHz", operations / peak
