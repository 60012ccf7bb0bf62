"""The sweep behind the scoreboard: ``make sweep``. Killed or not, started again it runs what is missing.

MEDGEN_MODE=full runs what the evidence store lacks of the protocol in ``chapters/evidence/README.md``, the primary
family first: into ``_sweep/``, which git ignores, and at the end of each part into the store. SWEEP=PART takes a part:
"primary", "selection" (runs of the primary family for held-out-domain validation), "exploratory", the name of a
problem, or both ("primary/mitosis"); SWEEP=budget looks for the steps that ERM needs (on one problem:
"budget/mitosis"); SWEEP=pack runs nothing and packs what is there. DEVICE=cuda trains on a GPU.
MEDGEN_MODE=fast, the default, writes ``_build/scoreboard_fast.csv``: few steps, two trials, one seed, four contenders.
For a Dask cluster: ``python -m tools.sweep --dask scheduler-address``.
"""

import argparse
import os
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import joblib
import pandas as pd

from medgen_utils import setup
from medgen_utils.benchmark import evidence, find_budget, packing, runs, sweep
from medgen_utils.benchmark.entries import CONTENDERS, PROBLEMS, Contender, Problem, contender_of
from tools import ROOT

FAST = ("ERM", "per-image standardization", "intensity jitter", "CORAL")
FIRST = ("breast hospitals", "mitosis", "breast scanners")
GROUPS = ("primary", "selection", "exploratory")
WORK = ROOT / "_sweep"
STORE = ROOT / evidence.STORE


def parts(wanted: str) -> list[tuple[str, Problem]]:
    """Group and problem of each part to run, in order. ValueError for a word that is neither."""
    order = sorted(PROBLEMS, key=lambda problem: FIRST.index(problem.name) if problem.name in FIRST else len(FIRST))
    found = [(group, problem) for group in GROUPS for problem in order]
    for word in filter(None, wanted.split("/")):
        found = [(group, problem) for group, problem in found if word in (group, problem.name)]
        if not found:
            raise ValueError(f"SWEEP={wanted!r}: use one of {GROUPS}, or one of {[p.name for p in PROBLEMS]}")
    return found


def named(names: Sequence[str]) -> list[Contender]:
    """The contenders of these names, in the order of the scoreboard. ValueError for a name that is not on it."""
    wanted = {contender_of(name) for name in names}
    return [contender for contender in CONTENDERS if contender in wanted]


def run_part(group: str, problem: Problem, jobs: int | None, device: str | None) -> None:
    """Run what is missing of a part, and pack it."""
    contenders = [c for c in CONTENDERS if c.primary == (group != "exploratory")]
    which = {"primary": "targets", "selection": "pairs", "exploratory": "all"}[group]
    path = WORK / "runs.csv"
    if not path.exists():
        packing.unpack(path)
    print(f"{group}: {problem.name}, {problem.steps} steps", flush=True)
    sweep(contenders, [problem], path, which=which, n_jobs=jobs, device=device, predictions=WORK / "predictions")
    pack()


def pack() -> None:
    """Bring what is finished into the store."""
    rows = packing.pack(WORK / "runs.csv", STORE, WORK / "predictions")
    print(f"{evidence.STORE}: {len(rows)} rows")


def budgets(jobs: int | None, device: str | None, wanted: str = "") -> pd.DataFrame:
    """The learning curves that the budgets come from, and their runs, into the store; other problems' stay."""
    sought = [problem for problem in dict.fromkeys(problem for _, problem in parts(wanted)) if problem.budgets]
    path = STORE / evidence.BUDGETS
    before = pd.read_csv(path) if path.exists() else pd.DataFrame(columns=["problem"])
    tables = [before[~before["problem"].isin([problem.name for problem in sought])]]
    for problem in sought:
        table = find_budget(CONTENDERS[0], problem, WORK / "budget.csv", n_jobs=jobs, device=device)
        print(table.to_string(index=False), flush=True)
        tables.append(table)
        pd.concat(tables).to_csv(path, index=False, lineterminator="\n")
        keep_budget_runs(problem)
        packing.write_manifest(STORE)
    return pd.concat(tables)


def keep_budget_runs(problem: Problem, work: Path = WORK / "budget.csv") -> None:
    """The runs of a search for a budget into the store; those of other problems stay as they are."""
    path, mine = STORE / evidence.BUDGET_RUNS, runs.budget_runs(problem, work)
    before = pd.read_csv(path)
    kept = pd.concat([before[before["problem"] != problem.name], mine])
    kept.to_csv(path, index=False, lineterminator="\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dask", metavar="ADDRESS", help="address of the scheduler of a Dask cluster")
    parser.add_argument("--jobs", type=int, help="runs side by side (default: one a core)")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="fast mode: these contenders")
    options = parser.parse_args()
    where, device, wanted = nullcontext(), os.environ.get("DEVICE"), os.environ.get("SWEEP", "")
    if options.dask:
        from distributed import Client

        Client(options.dask)
        where = joblib.parallel_config("dask")
    with where:
        if setup.mode() == "fast" and wanted:
            raise ValueError(f"SWEEP={wanted!r} is a part of the full sweep: set MEDGEN_MODE=full too, or leave it out")
        if setup.mode() == "fast":
            path = ROOT / "_build/scoreboard_fast.csv"
            contenders = named(options.only or FAST)
            problems = [replace(problem, steps=40, seeds=1) for problem in PROBLEMS]
            results = sweep(contenders, problems, path, trials=2, n_jobs=options.jobs)
            print(f"{path.relative_to(ROOT)}: {results.groupby(['problem', 'method']).ngroups} rows of the scoreboard")
        elif wanted.partition("/")[0] == "budget":
            budgets(options.jobs, device, wanted.partition("/")[2])
        elif wanted == "pack":
            pack()
        else:
            for group, problem in parts(wanted):
                run_part(group, problem, options.jobs, device)


if __name__ == "__main__":
    main()
