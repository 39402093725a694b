"""Run main.py on a cluster: python benchmarks/on_cluster.py tcp://ADDRESS:PORT [options]."""

import sys
from pathlib import Path

from dask.distributed import Client
from joblib import parallel_config

sys.path.insert(0, str(Path(__file__).parent.parent))

from command_line import run_as_program
from main import main

if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    _, address, *options = sys.argv
    with Client(address), parallel_config(backend="dask"):
        sys.exit(run_as_program(lambda: main(options)))
