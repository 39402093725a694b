"""The commands in docs/seeds.md and docs/handwriting.md, on a cluster of this machine alone."""

import contextlib
import re
import shutil
import subprocess
import sys

import pytest

from files import PROJECT
from save_load import load_model

QUICK = "--number-of-epochs 1 --batch-size 1000 --no-augment --hidden-layers 8"


@pytest.mark.long
def test_the_commands_in_the_docs_train_a_study_and_read_pictures_on_a_cluster(mnist, tmp_path):
    pytest.importorskip("distributed")
    section = (PROJECT / "docs" / "seeds.md").read_text().split("three commands")[1]
    commands = re.findall(r"```sh\npython (.+)\n```", section)
    scheduler, worker, study = ([sys.executable, *command.split()] for command in commands)
    study += [*QUICK.split(), "--model", tmp_path / "m.npz", "--plots-dir", tmp_path]
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
