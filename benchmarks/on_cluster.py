"""Run main.py on a cluster: python benchmarks/on_cluster.py tcp://ADDRESS:PORT [options]."""

import sys
from pathlib import Path

from dask.distributed import Client
from joblib import parallel_config

sys.path.insert(0, str(Path(__file__).parent.parent))

from command_line import run_as_program
from main import main


def main_on_cluster(address, *options):
    with Client(address), parallel_config(backend="dask"):
        return main(options)


if __name__ == "__main__":
    if len(sys.argv) < 2 or "://" not in sys.argv[1]:
        sys.exit(__doc__)
    sys.exit(run_as_program(lambda: main_on_cluster(*sys.argv[1:])))
