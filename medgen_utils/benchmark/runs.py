"""Many runs side by side: the sweep, which can be killed at any time, and how long to train. Chapter: scoreboard.

`sweep` runs contenders x problems x left-out domains x seeds x trials of hyper-parameters, writing each run to a plain
CSV as it ends; started again, it goes on where it was. `packing.pack` moves finished runs into the store.
"""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from importlib import metadata
from io import StringIO
from pathlib import Path
from typing import Literal

import pandas as pd

from medgen_utils.benchmark.entries import Contender, Problem
from medgen_utils.benchmark.protocol import KEY, SCORES, Task, run_task
from medgen_utils.machine import device_name, run_side_by_side, training_device

RISE = 0.005  # of the mean source-validation AUROC over the last quarter: above it, training had not stopped
GAIN = 0.005  # of the same AUROC by twice the steps: above it, the budget was too small


def plan(
    contenders: Sequence[Contender],
    problems: Sequence[Problem],
    trials: int | None = None,
    which: Literal["all", "targets", "pairs"] = "all",
) -> list[Task]:
    """The runs of a sweep, in an order in which comparisons are complete early.

    Problem by problem, seed by seed, target by target, all trials of a contender together; the search is made anew for
    every target and seed. At the end of a problem the runs without target and inner domain, at seed 0, for
    held-out-domain validation; ``which`` takes only these, or only the others. ``trials`` in place of the problem's own
    numbers.
    """
    tasks = []
    for problem in problems:
        crew = [c for c in contenders if problem.takes(c)]
        alone = [(seed, (target,)) for seed in range(problem.seeds) for target in problem.targets]
        pairs = [(0, pair) for pair in problem.left_out() if len(pair) > 1]
        wanted = {"all": alone + pairs, "targets": alone, "pairs": pairs}[which]
        tasks += [
            Task(problem, contender, left_out, trial, seed)
            for seed, left_out in wanted
            for contender in crew
            if len(left_out) == 1 or not contender.sees_target
            for trial in range(trials or problem.trials(contender))
        ]
    return tasks


def sweep(
    contenders: Sequence[Contender],
    problems: Sequence[Problem],
    path: str | Path,
    *,
    trials: int | None = None,
    which: Literal["all", "targets", "pairs"] = "all",
    n_jobs: int | None = None,
    device: str | None = None,
    predictions: str | Path | None = None,
) -> pd.DataFrame:
    """Run what the CSV at ``path`` lacks of the `plan`, one thread a run, and return the runs of the plan.

    The runs are `joblib` tasks, so that ``joblib.parallel_config("dask")`` sends them to a cluster. Each is added to
    the file as it ends, with its provenance (device, versions, commit); killed and started again, the sweep runs what
    is missing, and the file comes out the same, apart from seconds. ``predictions``: a folder for the log odds of the
    test images of the primary family on real problems. ValueError where the file holds runs with other budgets.
    """
    path, tasks = Path(path), plan(contenders, problems, trials, which)
    device = device or training_device()
    finished = read_results(path)
    have = set(finished[KEY].itertuples(index=False, name=None))
    _same_budget(tasks, finished)
    missing = [task for task in tasks if task.key not in have]
    folder = Path(predictions) if predictions else None
    jobs = [(task, device, None, folder_of(task, folder)) for task in missing]
    path.parent.mkdir(parents=True, exist_ok=True)
    _write(finished, path)  # without what a kill cut off
    known = provenance(device)
    for rows in run_side_by_side(run_task, jobs, n_jobs=n_jobs, device=device, ordered=False, title="runs"):
        rows = rows.assign(**known, rows=len(rows))
        rows = rows[list(finished.columns)] if len(finished) else rows  # in the order of what the file begins with
        text = rows.to_csv(index=False, header=not path.stat().st_size, lineterminator="\n")
        with path.open("a", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    results = read_results(path).sort_values([*KEY, "split", "domain"], ignore_index=True)
    _write(results, path)
    wanted = {task.key for task in tasks}
    return results[[key in wanted for key in results[KEY].itertuples(index=False, name=None)]].reset_index(drop=True)


def folder_of(task: Task, folder: Path | None) -> Path | None:
    """Predictions are kept of final runs of the primary family on images of patients."""
    keep = folder and task.contender.primary and task.problem.real and len(task.left_out) == 1
    return folder if keep else None


def _same_budget(tasks: Sequence[Task], finished: pd.DataFrame) -> None:
    if finished.empty:
        return
    steps = finished.set_index(KEY)["steps"].to_dict()
    for task in tasks:
        if steps.get(task.key, task.steps) != task.steps:
            raise ValueError(
                f"the file has {task.key} at {steps[task.key]} steps, now {task.steps}: use another file, or delete it"
            )


def read_results(path: str | Path) -> pd.DataFrame:
    """The finished runs of a results file, also of one whose writing was cut off; an empty frame where there is none.

    A last line without its end is dropped, and so is a run with fewer rows than its column ``rows`` says.
    """
    path = Path(path)
    text = path.read_text() if path.exists() else ""
    text = text[: text.rfind("\n") + 1]
    if not text:
        return pd.DataFrame(columns=[*KEY, "rows"])
    digits = dict.fromkeys(SCORES, 6) | {"seconds": 2}
    table = pd.read_csv(StringIO(text), dtype={"commit": str, "curve": str}, keep_default_na=False, na_values=[""])
    table = table.round(digits)
    complete = table.groupby(KEY)["rows"].transform("size") == table["rows"]
    return table[complete].drop_duplicates([*KEY, "split", "domain"]).reset_index(drop=True)


def _write(results: pd.DataFrame, path: Path) -> None:
    unfinished = path.with_suffix(".tmp")
    unfinished.write_text(results.to_csv(index=False, lineterminator="\n") if len(results) else "")
    os.replace(unfinished, path)


def provenance(device: str) -> dict[str, str]:
    """What made a result: device, versions of Python and torch, commit of the code ("" outside a repository)."""
    here = Path(__file__).parent
    git = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=here, capture_output=True, text=True, check=False)
    versions = f"python {platform.python_version()}, torch {metadata.version('torch').split('+')[0]}"
    return {"device": device_name(device), "versions": versions, "commit": git.stdout.strip()}


def rise(curve: str) -> float:
    """How much a learning curve ("0.71 0.80 ...", evenly spaced, the last at the end) rose over its last quarter."""
    values = [float(value) for value in curve.split()]
    return values[-1] - values[len(values) - 1 - max(1, round(len(values) / 4))]


def find_budget(
    contender: Contender,
    problem: Problem,
    path: str | Path,
    budgets: Sequence[int] | None = None,
    seeds: int = 2,
    **options: int | str | None,
) -> pd.DataFrame:
    """How long to train: ``contender`` (ERM) with its defaults at growing budgets, until more steps change nothing.

    A row a budget: problem, backbone, image_size, steps, runs (targets x seeds), validation and test (mean AUROC), rise
    (of the validation AUROC over the last quarter, mean over runs), gain (of the validation AUROC by the next budget),
    enough (rise <= `RISE` and gain <= `GAIN`). The budget is the first that is enough; one more was tried to know, so
    the last of ``budgets`` (by default those of the problem) never is: where no row is enough, the list has to grow.
    The gain is needed because a
    schedule whose rate falls to zero ends flat at any budget, so that the rise alone would call every network finished.
    ``path``: a CSV of its own, and ``options``, as `sweep` takes them.
    """
    columns = ["problem", "backbone", "image_size", "steps", "runs", "validation", "test", "rise"]
    rows = []
    for steps in budgets or problem.budgets:
        variant = replace(problem, name=f"{problem.name} at {steps} steps", steps=steps, seeds=seeds)
        results = sweep([contender], [variant], path, trials=1, which="targets", **options)
        by_split = results.groupby("split")["auroc"].mean()
        rises = results.loc[results["split"] == "validation", "curve"].map(rise)
        mean = round(float(rises.mean()), 4)
        row = [problem.name, problem.backbone, problem.size, steps, len(rises)]
        rows.append([*row, by_split["validation"].round(4), by_split["test"].round(4), mean])
        table = pd.DataFrame(rows, columns=columns)
        table["gain"] = (table["validation"].shift(-1) - table["validation"]).round(4)
        table["enough"] = (table["rise"] <= RISE) & (table["gain"] <= GAIN)
        if table["enough"].any():
            break
    return table


def budget_runs(problem: Problem, path: str | Path) -> pd.DataFrame:
    """The runs behind `find_budget`, from its CSV: a row a run, at each number of steps that was tried.

    Columns: problem, backbone, image_size, steps, left_out, seed, validation and test (AUROC), curve, seconds, device,
    versions, commit. No row where the file has none of this problem.
    """
    rows = read_results(path)
    mine = rows[rows["problem"] == problem.name + " at " + rows["steps"].astype(str) + " steps"]
    run = ["steps", "left_out", "seed"]
    inside = mine[mine["split"] == "validation"].assign(problem=problem.name).rename(columns={"auroc": "validation"})
    tested = mine[mine["split"] == "test"][[*run, "auroc"]].rename(columns={"auroc": "test"})
    columns = ["problem", "backbone", "image_size", *run, "validation", "test", "curve", "seconds"]
    found = inside.merge(tested, on=run)[[*columns, "device", "versions", "commit"]]
    return found.sort_values(run, ignore_index=True)
