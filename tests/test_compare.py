"""The comparison with other ways to train refuses one that computes something else."""

import pytest
from threadpoolctl import threadpool_limits

from benchmarks.speed.compare import CHECKED_IMAGES, change, check
from benchmarks.speed.contenders import Ours, ScikitLearn, Textbook


class WithoutPenalty(Textbook):
    title = "without the L2 penalty"

    def build(self):
        super().build()
        self.l2 = 0


def test_the_contenders_have_to_compute_the_same():
    contenders = Ours, Textbook, ScikitLearn, WithoutPenalty
    with threadpool_limits(1, user_api="blas"):
        changes = {c.title: change(c, CHECKED_IMAGES) for c in contenders}
    with pytest.raises(SystemExit, match=WithoutPenalty.title):
        check(changes)
    del changes[WithoutPenalty.title]
    check(changes)
