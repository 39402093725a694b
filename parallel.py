"""Many tasks: on all cores or on a cluster, with a progress bar."""

import contextlib
import signal
import sys

from files import UserError, signals_to


def on_all_cores(function, tasks, return_as="generator_unordered"):
    """Call a function with each of several tuples of arguments, in parallel; yield the results.

    As many calls run at a time as there are cores, or workers if `joblib.parallel_config` has set
    up a cluster. return_as: see joblib.Parallel. Raises UserError if a worker process is killed;
    joblib can't tell by which task. A cluster starts another one and repeats its tasks.
    """
    import joblib  # slow to import
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    # By default, joblib passes arrays through files, for which there may be no room.
    parallel = joblib.Parallel(n_jobs=-1, return_as=return_as, max_nbytes=None)
    # The workers inherit this: signals are for this process to handle.
    with signals_to(signal.SIG_IGN):
        results = parallel(joblib.delayed(function)(*task) for task in tasks)
    try:
        yield from results
    except TerminatedWorkerError as error:
        raise UserError("a worker process was killed, often for lack of memory") from error


def progress_bar(unit, done, total, show):
    """A tqdm progress bar; a context of None if not `show` or if there is no terminal."""
    if not (show and sys.stderr and sys.stderr.isatty()):
        return contextlib.nullcontext()
    from tqdm import tqdm

    form = f"{unit} {{n_fmt}}/{{total_fmt}}, {{remaining}} left{{desc}} {{bar}}"
    return tqdm(initial=done, total=total, bar_format=form, dynamic_ncols=True)


def print_above(bar, line, file=None):
    """Print a line, above the progress bar if there is one."""
    with bar.external_write_mode(file) if bar else contextlib.nullcontext():
        print(line, file=file, flush=True)
