"""The sweep behind the scoreboard: ``make sweep``. Killed or not, started again it runs what is missing.

MEDGEN_MODE=full writes ``chapters/results/sweep_scoreboard.csv`` (hours on two cores, see the chapter).
MEDGEN_MODE=fast, the default, writes ``_build/scoreboard_fast.csv``: few steps, two trials, one seed, four contenders.
For a Dask cluster: ``python -m tools.sweep --dask scheduler-address``.
"""

import argparse
from contextlib import nullcontext
from dataclasses import replace

import joblib

from medgen_utils import setup
from medgen_utils.benchmark import sweep
from medgen_utils.benchmark.entries import CONTENDERS, PROBLEMS
from tools import ROOT

FAST = ("ERM", "per-image standardization", "intensity jitter", "CORAL")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dask", metavar="ADDRESS", help="address of the scheduler of a Dask cluster")
    parser.add_argument("--jobs", type=int, help="runs side by side (default: one a core)")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="fast mode: these contenders")
    options = parser.parse_args()
    where = nullcontext()
    if options.dask:
        from distributed import Client

        Client(options.dask)
        where = joblib.parallel_config("dask")
    with where:
        if setup.mode() == "full":
            path = ROOT / "chapters/results/sweep_scoreboard.csv"
            results = sweep(CONTENDERS, PROBLEMS, path, n_jobs=options.jobs)
        else:
            path = ROOT / "_build/scoreboard_fast.csv"
            contenders = [contender for contender in CONTENDERS if contender.name in (options.only or FAST)]
            problems = [replace(problem, steps=40, seeds=1) for problem in PROBLEMS]
            results = sweep(contenders, problems, path, trials=2, n_jobs=options.jobs)
    print(f"{path.relative_to(ROOT)}: {results.groupby(['problem', 'contender']).ngroups} rows of the scoreboard")


if __name__ == "__main__":
    main()
