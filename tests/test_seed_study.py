import os
import time

import numpy as np
import pytest
from conftest import bits

import seed_study as study
from files import UserError
from train import train, untrained


def test_a_study_of_three_seeds_equals_three_trainings(few, settings, capsys):
    """The seeds go on at 0 after the largest."""
    settings.seed, settings.number_of_epochs, accuracies = 2**32 - 1, 2, []
    *_, first = study.seed_study(settings, few, few, 3)
    lines = capsys.readouterr().out.splitlines()
    for settings.seed in (2**32 - 1, 1, 0):
        *_, model = train(untrained(settings), few, few)
        accuracies.append(100 * model.history["held_out_accuracy"][-1])
        assert f"seed {settings.seed}: test accuracy {accuracies[-1]:.2f}%" in lines
    assert bits(first) == bits(model)  # of the lowest seed
    mean, deviation = np.mean(accuracies), np.std(accuracies, ddof=1)
    assert deviation > 0
    assert lines[-1] == f"3 seeds: mean accuracy {mean:.3f}%, standard deviation {deviation:.3f}%"


TRAIN_WITH_SEED = study.train_with_seed


def diverge(*arguments):
    if arguments[-1] == 0:
        return 0, None, "the loss is no longer finite"
    return TRAIN_WITH_SEED(*arguments)


def die(*arguments):
    if arguments[-1] == 2:
        time.sleep(1)  # until the others have finished
        os._exit(9)
    return TRAIN_WITH_SEED(*arguments)


@pytest.mark.parametrize(
    ("train_with_seed", "kept", "reason"),
    [(diverge, 1, "seeds 0: the loss is no"), (die, 0, "seeds 2: a worker process was killed")],
)
def test_a_seed_that_fails_is_named_and_the_others_are_kept(
    monkeypatch, few, settings, capsys, train_with_seed, kept, reason
):
    monkeypatch.setattr(study, "train_with_seed", train_with_seed)
    trained = []
    with pytest.raises(UserError, match=f"without the {reason}"):
        trained.extend(study.seed_study(settings, few, few, 3))
    assert "2 seeds: mean accuracy" in capsys.readouterr().out
    assert trained[-1].settings.seed == kept
