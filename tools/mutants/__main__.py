"""Change the formulas, one place at a time, and see which changes no test notices: ``make mutants``.

    python -m tools.mutants [--seed 4] [--changes 100] [--jobs 2] [--only PART_OF_A_PATH]

A line a change goes into ``_build/mutants.csv``. ``tests/mutants.csv`` names the survivors that are known, each with
its reason. The exit code is 1 where more than 8 % survive, or one without a reason.
"""

from __future__ import annotations

import argparse
import csv
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from tools import ROOT
from tools.mutants import judge
from tools.mutants.changes import Change, sample

RESULT, KNOWN = ROOT / "_build/mutants.csv", ROOT / "tests/mutants.csv"
COLUMNS = ["module", "line", "function", "operator", "before", "after", "outcome", "test", "seconds"]
LIMIT = 0.08


def reasons() -> dict[tuple[str, str, str], str]:
    """Module, line before, line after -> why this change may survive."""
    with KNOWN.open(encoding="utf-8", newline="") as lines:
        return {(row["module"], row["before"], row["after"]): row["reason"] for row in csv.DictReader(lines)}


def room(change: Change) -> str:
    """The folder of the package that holds the module, or the module itself."""
    return change.module.partition("/")[0]


def judge_room(chosen: Sequence[Change]) -> list[list]:
    """Judge the changes of one room in a copy of the checkout; runs in a process of its own."""
    rows = []
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        bench = judge.Bench(ROOT, Path(folder))
        for change in chosen:
            verdict = bench.judge(change)
            print(
                f"{verdict.outcome:8} {verdict.seconds:5.0f} s  {change.module}:{change.line}  {verdict.test}",
                flush=True,
            )
            rows.append([*change[:6], verdict.outcome, verdict.test, round(verdict.seconds, 1)])
    return rows


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=4, help="of the sample")
    parser.add_argument("--changes", type=int, default=100, help="size of the sample")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--only", default="", help="of the sample, only modules whose path holds this")
    options = parser.parse_args(arguments)
    start = time.perf_counter()
    chosen = sorted(c for c in sample(ROOT / "medgen_utils", options.changes, options.seed) if options.only in c.module)
    jobs = sorted((list(group) for _, group in groupby(chosen, room)), key=len, reverse=True)
    judge.load_libraries()
    RESULT.parent.mkdir(exist_ok=True)
    survivors = []
    with (
        RESULT.open("w", encoding="utf-8", newline="") as file,
        multiprocessing.get_context("fork").Pool(options.jobs, maxtasksperchild=1) as pool,
    ):
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for rows in pool.imap_unordered(judge_room, jobs):
            writer.writerows(rows)
            file.flush()
            survivors += [(row[0], row[4], row[5]) for row in rows if row[6] == "passed"]
    known = reasons()
    for module, before, after in survivors:
        print(
            f"{module}\n    - {before}\n    + {after}\n    {known.get((module, before, after), 'no reason is known')}"
        )
    share, unexplained = len(survivors) / max(len(chosen), 1), sum(key not in known for key in survivors)
    minutes = (time.perf_counter() - start) / 60
    print(f"seed {options.seed}: {len(chosen)} changes, {len(survivors)} survived ({share:.1%}), {minutes:.0f} minutes")
    print(f"{unexplained} without a reason in {KNOWN.relative_to(ROOT)}")
    return int(share > LIMIT or unexplained > 0)


if __name__ == "__main__":
    sys.exit(main())
