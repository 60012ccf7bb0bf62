"""The evidence store: the runs of the sweep, of which every score of the scoreboard is computed. Chapter: scoreboard.

``chapters/evidence/`` holds ``runs.csv.gz``, ``predictions/*.npz`` and ``manifest.json``, which names each file with
its SHA-256; its README says how each part was made. An installed package holds the store itself (setup.py).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from IPython.display import Markdown
from matplotlib.figure import Figure

from medgen_utils.benchmark.entries import PROBLEMS, PROTOCOL, contender_of, problem_of
from medgen_utils.benchmark.protocol import KEY, SCORES, Task, run_task
from medgen_utils.benchmark.result import About, Result
from medgen_utils.benchmark.runs import provenance
from medgen_utils.benchmark.standings import chosen, common, finished, leaves_two
from medgen_utils.data import DATASETS
from medgen_utils.data.released import released
from medgen_utils.machine import with_one_thread
from medgen_utils.selection import RULES

STORE = "chapters/evidence"  # the one place where the package names it
RUNS, MANIFEST = "runs.csv.gz", "manifest.json"
BUDGETS, BUDGET_RUNS = "budgets.csv", "budget_runs.csv"
COLUMNS = [
    "protocol", "problem", "method", "family", "backbone", "image_size", "left_out", "trial", "seed",
    "split", "domain", "site", *SCORES, "n", "steps", "settings", "curve",
    "seconds", "finished", "device", "versions", "commit",
]  # fmt: skip
MANY = 4  # methods beyond which a page says a result in brief
TOLERANCE = 0.02  # AUROC: what another machine's arithmetic, grown over a training, changes at most in nine runs of ten


def path_of(file: str) -> Path:
    """A file of the store, in the repository or carried by the installed package; errors as `released`.

    KeyError for a file the manifest lacks.
    """
    checksum = str if file == MANIFEST else lambda: f"sha256:{manifest()['files'][file]['sha256']}"
    return released(f"{STORE}/{file}", checksum)


def manifest() -> dict:
    """What the store holds: files with SHA-256 and bytes, and for each protocol its runs, commits and dates."""
    return json.loads(path_of(MANIFEST).read_text())


def read(**where: object) -> pd.DataFrame:
    """The rows of the store, filtered: ``read(protocol=2, problem="mitosis", method=["ERM", "CORAL"])``.

    A value, or a list of values, for any column (`COLUMNS`); ValueError where the store has none of them.
    """
    return select(load_rows(path_of(RUNS)), **where)


def budgets(problem: str) -> pd.DataFrame:
    """ERM on a problem at growing numbers of steps, as `runs.find_budget` wrote it: a row a number, the index.

    ValueError where the store has not looked at the problem.
    """
    return select(pd.read_csv(path_of(BUDGETS)), problem=problem).set_index("steps")


def budget_runs(problem: str) -> pd.DataFrame:
    """The runs behind `budgets`, also of a search that is not at its end: a row a run, `runs.budget_runs`.

    ValueError where the store has not looked at the problem.
    """
    return select(pd.read_csv(path_of(BUDGET_RUNS)), problem=problem).reset_index(drop=True)


def load_rows(path: Path) -> pd.DataFrame:
    """The rows of a ``runs.csv.gz``."""
    return pd.read_csv(path, dtype={"commit": str, "curve": str}, keep_default_na=False, na_values=[""])


def select(rows: pd.DataFrame, **where: object) -> pd.DataFrame:
    """The rows that have the given value, or one of the given values, in each named column."""
    for column, wanted in where.items():
        if column not in rows.columns:
            raise ValueError(f"no column {column!r}: filter by one of {list(rows.columns)}")
        values = [wanted] if np.isscalar(wanted) else list(wanted)
        if missing := [value for value in values if value not in set(rows[column])]:
            have = sorted(map(str, rows[column].unique()))[:40]
            raise ValueError(f"{column} {missing} is not in the evidence: choose from {have}")
        rows = rows[rows[column].isin(values)]
    return rows.reset_index(drop=True)


def result(
    problem: str,
    methods: Sequence[str],
    rule: str = RULES[0],
    metric: str = "auroc",
    unit: str = "domain",
    **where: object,
) -> Result:
    """Stored methods on a problem as a `Result`, the first the baseline, each with the trial that ``rule`` picks.

    ``where`` filters further (protocol, image_size, ...); without a protocol the latest that has the problem. Of a
    sweep that is still running only the targets and seeds count that all of these methods have finished; ValueError
    where there is none.
    """
    rows = read(problem=problem, **where)
    if "protocol" not in where:
        rows = rows[rows["protocol"] == rows["protocol"].max()]
    rows = select(rows, method=methods)
    now = rows["protocol"] == PROTOCOL  # before, a search was made at seed 0 only
    rows = pd.concat([rows[~now], common(finished(rows[now]))], ignore_index=True)
    if lacking := [name for name in methods if name not in set(rows["method"])]:
        raise ValueError(f"{problem}: no target and seed at which {lacking} is finished beside the others yet")
    picked = chosen(rows, rule)
    inside = rows[rows["split"] == "validation"].merge(picked[KEY], on=KEY)
    known = picked.dropna(subset="site").set_index("domain")["site"].to_dict()
    return Result(picked, tuple(methods), about_rows(picked, rows), metric, unit, inside, known)


def about_rows(picked: pd.DataFrame, rows: pd.DataFrame) -> About:
    """How stored runs were made: steps, versions and devices of the picked ones, the seconds of all of ``rows``."""
    of = {name for problem in set(rows["problem"]) for name in _data_of(problem)}
    return About(
        tuple(sorted(set(picked["steps"]))), ", ".join(sorted(set(picked["versions"]))),
        ", ".join(sorted(set(picked["device"]))), rows.drop_duplicates([*KEY])["seconds"].sum(),
        f"evidence store, protocol {', '.join(str(value) for value in sorted(set(picked['protocol'])))}",
        tuple(info for name, info in DATASETS.items() if name in of),
    )  # fmt: skip


def _data_of(problem: str) -> set[str]:
    """What `load` calls the images of a problem of this or an earlier protocol."""
    return {p.data for p in PROBLEMS if p.name == problem} | {problem.partition(":")[0].replace(" ", "-")}


class SoFar(NamedTuple):
    """What the store has of a comparison (None where nothing can be compared yet), and the methods that it lacks.

    The baseline is lacking where it has no run itself, and not because it has nothing beside it.
    """

    result: Result | None
    lacking: tuple[str, ...]
    problem: str

    def plot(self) -> Figure | None:
        """The figure of the result, where there is one."""
        return self.result.plot() if self.result else None

    def table(self) -> pd.DataFrame | None:
        """The table of the result, where there is one."""
        return self.result.table() if self.result else None

    def brief(self, name: str) -> str:
        """`Result.brief` of a method, or that it is not there yet."""
        there = self.result is not None and name in self.result.methods
        return self.result.brief(name) if there else "not in the evidence store yet"

    def say(self) -> Markdown:
        """The sentences of the result (in brief for many methods), what they rest on, who is not there yet, by name."""
        if self.result is None:
            return Markdown(
                f"The evidence store cannot compare anything on {self.problem} yet: {_listed(self.lacking)} "
                f"{'is' if len(self.lacking) == 1 else 'are'} not finished there."
            )
        frame = self.result.frame
        seeds, domains = frame["seed"].nunique(), frame["domain"].nunique()
        rests = f"{seeds} seed{'s' if seeds > 1 else ''} at {domains} {self.result.unit}{'s' if domains > 1 else ''}"
        later = f" Not finished there yet, so not in it: {_listed(self.lacking)}." if self.lacking else ""
        said = self.result.say() if len(self.result.methods) <= MANY else self.result.in_brief()
        return Markdown(f"{said.data} This rests on {rests} of the evidence store.{later}")


def so_far(problem: str, methods: Sequence[str], protocol: int = PROTOCOL, **options: object) -> SoFar:
    """`result` of those methods that are `comparable` by now; the first, the baseline, always.

    For a page that is built while a sweep runs. ``options`` as `result` takes them.
    """
    rows = load_rows(path_of(RUNS))
    rows = finished(rows[(rows["problem"] == problem) & (rows["protocol"] == protocol)])
    able = comparable(rows, methods)
    if not able:
        started = set(rows["method"])
        lacking = methods[1:] if methods[0] in started else [name for name in methods if name not in started]
        return SoFar(None, tuple(lacking), problem)
    lacking = tuple(name for name in methods if name not in able)
    return SoFar(result(problem, able, protocol=protocol, **options), lacking, problem)


def comparable(rows: pd.DataFrame, methods: Sequence[str]) -> tuple[str, ...]:
    """Those of ``methods``, the first the baseline, whose finished rows share targets and seeds; () where none do.

    The targets and seeds are those that give the most comparisons: how many there are, times how many methods have
    them all. ``rows``: of one problem and protocol.
    """
    rows = rows[rows["method"].isin(methods) & ~leaves_two(rows)]
    have = {name: set(map(tuple, part[["left_out", "seed"]].to_numpy())) for name, part in rows.groupby("method")}
    base, others = have.get(methods[0], set()), [name for name in methods[1:] if name in have]
    shared = [have[name] & base for name in others]
    units = max(shared, key=lambda some: len(some) * sum(more >= some for more in shared), default=set())
    return (methods[0], *(name for name in others if have[name] >= units)) if units else ()


def _listed(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


# -------------------------------------------------------------------------------------------------- repeat a row


class Repeat(NamedTuple):
    """A stored run and the same run trained here: a row a split and domain, columns stored and here."""

    table: pd.DataFrame
    same_machine: bool
    came_out: bool

    def say(self) -> str:
        """One sentence: did it come out, and to what precision was that asked."""
        largest = (self.table["here"] - self.table["stored"]).abs().max()
        asked = "to the last digit" if self.same_machine else f"within {TOLERANCE} (another machine or version)"
        verdict = "comes out" if self.came_out else "does not come out"
        return f"The stored run {verdict} {asked}: the AUROC differs by {largest:.6f} at most."


def repeat(row: pd.Series | dict, device: str = "cpu") -> Repeat:
    """Train the run of a row of the store here, with its own settings, and compare all its scores.

    On the same type of machine with the same versions the AUROC comes out to the last digit that is stored, elsewhere
    within `TOLERANCE`; there it takes all cores, since sums in another order cost nothing any more. ValueError where
    the method or the problem is not among the entries any more.
    """
    run = _task_of(dict(row)), device, json.loads(row["settings"])
    stored = read(**{key: row[key] for key in [*KEY, "protocol", "backbone", "image_size"]})
    now = provenance(device)
    same = all(str(row[key]) == now[key] for key in ("device", "versions"))
    here = with_one_thread(run_task, run) if same else run_task(*run)
    table = stored[["split", "domain", "auroc"]].merge(here[["split", "domain", "auroc"]], on=["split", "domain"])
    table.columns = ["split", "domain", "stored", "here"]
    close = (table["stored"] - table["here"]).abs() <= (0.5e-6 if same else TOLERANCE)
    return Repeat(table, same, bool(close.all()) and len(table) == len(stored))


def _task_of(row: dict) -> Task:
    """The run of a row, at the row's steps and width."""
    try:
        contender, problem = contender_of(row["method"]), problem_of(row["problem"])
    except ValueError as error:
        raise ValueError(f"{error}; or repeat the row with its commit, {row['commit']}") from None
    width = problem.width if problem.elsewhere else int(str(row["backbone"]).rsplit(" ", 1)[1])
    steps = row["steps"] / contender.passes
    left_out = tuple(str(row["left_out"]).split(" + "))
    share = problem.validation_share if row["protocol"] else 0.1
    problem = replace(problem, steps=steps, width=width, validation_share=share)
    return Task(problem, contender, left_out, int(row["trial"]), int(row["seed"]))


# -------------------------------------------------------------------------------------------------- predictions


def predictions(problem: str, protocol: int) -> pd.DataFrame:
    """The stored predictions of featured runs as the tidy frame, so that intervals go over patients."""
    return load_predictions(path_of(predictions_file(problem, protocol)))


def predictions_file(problem: str, protocol: int) -> str:
    """The name in the store of the predictions of a problem."""
    return f"predictions/{problem.replace(' ', '-')}-{protocol}.npz"


def load_predictions(path: Path) -> pd.DataFrame:
    """The tidy frame of a file of predictions, as `packing.pack` writes it."""
    file = np.load(path)
    runs = json.loads(str(file["runs"]))
    frames = []
    for number, (method, left_out, trial, seed) in enumerate(runs):
        index = file[f"index_{number}"]
        p = 1 / (1 + np.exp(-file[f"log_odds_{number}"].astype(float)))
        frames.append(pd.DataFrame({
            "run": f"leave out {left_out}/{method}/{seed}", "algorithm": method, "seed": seed, "trial": trial,
            "protocol": f"leave out {left_out}", "split": "test", "domain": file["domain"][index],
            "group": file["group"][index], "index": index, "y": file["y"][index],
            "pred": (p > 0.5).astype(int), "prob_0": 1 - p, "prob_1": p,
        }))  # fmt: skip
    return pd.concat(frames, ignore_index=True)
