import os
import signal

import parallel


def test_a_killed_process_costs_at_most_its_own_task(tmp_path, monkeypatch):
    def double(number):
        """Twice a number, but 7 kills its process, and 3 does so the first time."""
        if number == 7 or (number == 3 and not (tmp_path / "3").exists()):
            (tmp_path / f"{number}").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return 2 * number

    monkeypatch.setattr(parallel, "BATCH", 6)
    results = [*parallel.in_order(double, [(number,) for number in range(9)])]
    assert isinstance(results.pop(7), parallel.WorkerKilledError)
    assert results == [0, 2, 4, 6, 8, 10, 12, 16]
