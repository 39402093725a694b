import os
import re
import time

import numpy as np
import pytest
from conftest import QUICK, bits, plain, run_main

import seed_study as study
from files import PROJECT, UserError
from save_load import load_model
from train import train, untrained

TRAIN_WITH_SEED = study.train_with_seed


def test_a_study_of_three_seeds_equals_three_trainings(few, capsys):
    """The seeds go on at 0 after the largest."""
    settings, accuracies = plain(seed=2**32 - 1, number_of_epochs=2), []
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


def diverge_or_die(*arguments):
    if arguments[-1] == 0:
        return 0, None, "the loss is no longer finite"
    if arguments[-1] == 2:
        time.sleep(3)  # until the others have finished
        os._exit(9)
    return TRAIN_WITH_SEED(*arguments)


def test_seeds_that_fail_are_named_and_the_others_are_kept(monkeypatch, few, capsys):
    monkeypatch.setattr(study, "train_with_seed", diverge_or_die)
    trained = []
    with pytest.raises(UserError, match="without the seeds 0, 2: ") as error:
        trained.extend(study.seed_study(plain(), few, few, 4))
    for reason in ("the loss is no longer finite", "a worker process was killed"):
        assert reason in str(error.value)
    assert "2 seeds: mean accuracy" in capsys.readouterr().out
    assert trained[-1].settings.seed == 1


@pytest.mark.long
def test_a_study_and_pictures_on_a_cluster(mnist, tmp_path):
    distributed = pytest.importorskip("distributed")
    program = PROJECT / "benchmarks" / "on_cluster.py"
    pictures, outputs = 5 * [PROJECT / "docs" / "handwriting.jpg"], []
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1) as cluster:
        for task in [*QUICK, "--seeds", 4], ["--predict", *pictures]:
            process = run_main(tmp_path, cluster.scheduler_address, *task, program=program)
            assert process.returncode == 0, process.stderr
            outputs.append(process.stdout)
    accuracies = re.findall(r"^seed (\d): test accuracy", outputs[0], re.MULTILINE)
    assert sorted(accuracies) == [*"0123"] and "\n4 seeds: mean accuracy " in outputs[0]
    assert load_model(tmp_path / "m.npz").settings.seed == 0
    assert outputs[1].count(".jpg: 90210  (") == 5
