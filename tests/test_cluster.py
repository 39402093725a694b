"""The commands in docs/seeds.md, on a cluster of this machine alone."""

import contextlib
import re
import subprocess
import sys
import time

import pytest

from files import PROJECT
from save_load import load_model

QUICK = "--number-of-epochs 1 --batch-size 1000 --no-augment --no-edges --hidden-layers 8"
SECONDS = 120


@pytest.mark.long
def test_the_commands_in_the_docs_train_a_study_on_a_cluster(mnist, tmp_path):
    pytest.importorskip("distributed")
    section = (PROJECT / "docs" / "seeds.md").read_text().split("three commands")[1]
    scheduler, worker, study = re.findall(r"```sh\npython (.+)\n```", section)
    with contextlib.ExitStack() as stack:
        for command in (scheduler, worker):
            with open(tmp_path / "log", "a") as log:
                process = subprocess.Popen(
                    [sys.executable, *command.split()], cwd=PROJECT, stdout=log, stderr=log
                )
            stack.callback(process.wait)
            stack.callback(process.terminate)
        options = [*QUICK.split(), "--model", tmp_path / "m.npz", "--plots-dir", tmp_path]
        start = time.monotonic()
        process = subprocess.run(
            [sys.executable, *study.split(), *options],
            cwd=PROJECT,
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
    assert process.returncode == 0, process.stderr + (tmp_path / "log").read_text()
    assert "4 seeds: mean accuracy " in process.stdout
    assert load_model(tmp_path / "m.npz")[2].seed == 0
    print(f"a study of 4 networks on a cluster: {time.monotonic() - start:.0f} s")
