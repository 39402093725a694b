import contextlib
import os
import re
import shutil
import subprocess
import sys
import time

import numpy as np
import pytest
from conftest import bits, plain

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
def test_the_commands_in_the_docs_train_and_read_on_a_cluster(mnist, tmp_path):
    """A cluster of this machine alone."""
    pytest.importorskip("distributed")
    section = (PROJECT / "docs" / "seeds.md").read_text().split("three commands")[1]
    commands = re.findall(r"```sh\npython (.+)\n```", section)
    scheduler, worker, study = ([sys.executable, *command.split()] for command in commands)
    quick = "--number-of-epochs 1 --batch-size 1000 --no-augment --hidden-layers 8"
    study += [*quick.split(), "--model", tmp_path / "m.npz", "--plots-dir", tmp_path]
    page = (PROJECT / "docs" / "handwriting.md").read_text()
    (command,) = re.findall(r"\npython (benchmarks/cluster_study.+) scans\n", page)
    (tmp_path / "scans").mkdir()
    for number in range(5):
        shutil.copy(PROJECT / "docs" / "handwriting.jpg", tmp_path / "scans" / f"{number}.jpg")
    read = [sys.executable, *command.split(), tmp_path / "scans", "--plots-dir", tmp_path]
    with contextlib.ExitStack() as stack, open(tmp_path / "log", "w") as log:
        for command in (scheduler, worker):
            process = subprocess.Popen(command, cwd=PROJECT, stdout=log, stderr=log)
            stack.callback(process.wait)
            stack.callback(process.terminate)
        options = {"cwd": PROJECT, "capture_output": True, "text": True, "timeout": 120}
        process = subprocess.run(study, **options)
        reading = subprocess.run(read, **options)
    assert process.returncode == 0, process.stderr + (tmp_path / "log").read_text()
    accuracies = re.findall(r"^seed (\d): test accuracy", process.stdout, re.MULTILINE)
    assert sorted(accuracies) == [*"0123"] and "\n4 seeds: mean accuracy " in process.stdout
    assert load_model(tmp_path / "m.npz").settings.seed == 0
    assert reading.returncode == 0 and reading.stdout.count(".jpg: 90210  (") == 5
