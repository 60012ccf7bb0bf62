"""The evidence store: every number about real data in the book is a row of it, or computed from rows. All chapters.

``chapters/evidence/`` holds ``runs.csv.gz``, ``predictions/*.npz`` and ``manifest.json``, which names each file with
its SHA-256; its README says how each part was made. Outside the repository the files come from the book's release.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
from collections.abc import Sequence
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from medgen_utils.benchmark.entries import CONTENDERS, PROBLEMS, PROTOCOL
from medgen_utils.benchmark.protocol import KEY, SCORES, Task, run_task
from medgen_utils.benchmark.result import About, Result
from medgen_utils.benchmark.runs import provenance, read_results
from medgen_utils.benchmark.standings import chosen
from medgen_utils.data.prepared import Source, obtain
from medgen_utils.machine import with_one_thread
from medgen_utils.selection import RULES

STORE = "chapters/evidence"  # the one place where the package names it
RUNS, MANIFEST = "runs.csv.gz", "manifest.json"
COLUMNS = [
    "protocol", "problem", "method", "family", "backbone", "image_size", "left_out", "trial", "seed", "split", "domain",
    *SCORES, "n", "steps", "settings", "curve", "seconds", "finished", "device", "versions", "commit",
]  # fmt: skip
TOLERANCE = 0.02  # AUROC: what another machine's arithmetic, grown over a training, may change


def path_of(file: str) -> Path:
    """A file of the store: in the repository where we are in it, else downloaded from its release and checked.

    `DataUnavailable` and `DataCorrupt` as in `medgen_utils.data.prepared`; KeyError for a file the manifest lacks.
    """
    here = Path(__file__).parents[2] / STORE / file
    if here.exists():
        return here
    package = metadata.metadata("medgen-utils")
    repository = dict(line.split(", ") for line in package.get_all("Project-URL"))["Repository"]
    address = f"{repository}/raw/v{package['Version']}/{STORE}"
    name = f"evidence-{package['Version']}-{file.replace('/', '-')}"
    checksum = "" if file == MANIFEST else f"sha256:{manifest()['files'][file]['sha256']}"
    return obtain(Source(name, f"{address}/{file}", checksum))


def manifest() -> dict:
    """What the store holds: files with SHA-256 and bytes, and for each protocol its runs, commits and dates."""
    return json.loads(path_of(MANIFEST).read_text())


def read(**where: object) -> pd.DataFrame:
    """The rows of the store, filtered: ``read(protocol=2, problem="mitosis", method=["ERM", "CORAL"])``.

    A value, or a list of values, for any column (`COLUMNS`); ValueError where the store has none of them.
    """
    return select(load_rows(path_of(RUNS)), **where)


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

    ``where`` filters further (protocol, image_size, ...); without a protocol the latest that has the problem.
    """
    rows = read(problem=problem, **where)
    if "protocol" not in where:
        rows = rows[rows["protocol"] == rows["protocol"].max()]
    rows = select(rows, method=methods)
    picked = chosen(rows, rule)
    inside = rows[rows["split"] == "validation"].merge(picked[KEY], on=KEY)
    about = About(
        tuple(sorted(set(picked["steps"]))), ", ".join(sorted(set(picked["versions"]))),
        ", ".join(sorted(set(picked["device"]))), rows.drop_duplicates(KEY)["seconds"].sum(),
        f"evidence store, protocol {', '.join(str(value) for value in sorted(set(picked['protocol'])))}",
    )  # fmt: skip
    return Result(picked, tuple(methods), about, metric, unit, inside)


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
    within `TOLERANCE`. ValueError where the method or the problem is not among the entries any more.
    """
    task = _task_of(dict(row))
    stored = read(**{key: row[key] for key in [*KEY, "protocol", "backbone", "image_size"]})
    here = with_one_thread(run_task, (task, device, json.loads(row["settings"])))
    table = stored[["split", "domain", "auroc"]].merge(here[["split", "domain", "auroc"]], on=["split", "domain"])
    table.columns = ["split", "domain", "stored", "here"]
    now = provenance(device)
    same = all(str(row[key]) == now[key] for key in ("device", "versions"))
    close = (table["stored"] - table["here"]).abs() <= (0.5e-6 if same else TOLERANCE)
    return Repeat(table, same, bool(close.all()) and len(table) == len(stored))


def _task_of(row: dict) -> Task:
    """The run of a row, at the row's steps and width."""
    contender = next((c for c in CONTENDERS if c.name == row["method"]), None)
    problem = next((p for p in PROBLEMS if p.name == row["problem"]), None)
    if contender is None or problem is None:
        raise ValueError(f"{row['method']!r} on {row['problem']!r} is not among the entries: repeat it with its commit")
    width = int(str(row["backbone"]).rsplit(" ", 1)[1])
    steps = row["steps"] / contender.passes
    left_out = tuple(str(row["left_out"]).split(" + "))
    return Task(replace(problem, steps=steps, width=width), contender, left_out, int(row["trial"]), int(row["seed"]))


# -------------------------------------------------------------------------------------------------- predictions


def predictions(problem: str, protocol: int) -> pd.DataFrame:
    """The stored predictions of featured runs as the tidy frame, so that intervals go over patients."""
    file = np.load(path_of(_predictions_file(problem, protocol)))
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


def _pack_predictions(problem_name: str, picked: pd.DataFrame, work: Path, folder: Path) -> None:
    """Bring the log odds of the picked runs, one npz a run in ``work``, into one file with labels and patients."""
    problem = next(p for p in PROBLEMS if p.name == problem_name)
    tasks = [
        Task(problem, next(c for c in CONTENDERS if c.name == row.method), (row.left_out,), row.trial, row.seed)
        for row in picked.itertuples()
    ]
    tasks = [task for task in tasks if (work / task.file).exists()]
    if not tasks:
        return
    dataset = problem.load(0)
    names = np.array(dataset.domain_names)[dataset.domain.numpy()]
    numbers = dataset.index.tolist()
    group = [f"{d}/{g}" if g else f"{d}/image {i}" for d, g, i in zip(names, dataset.group, numbers, strict=True)]
    arrays = {"y": dataset.y.numpy().astype(np.int8), "domain": names, "group": np.array(group)}
    for number, task in enumerate(tasks):
        with np.load(work / task.file) as one:
            arrays[f"index_{number}"], arrays[f"log_odds_{number}"] = one["index"], one["log_odds"]
    runs = [[task.contender.name, task.left_out[0], int(task.trial), int(task.seed)] for task in tasks]
    path = folder / _predictions_file(problem_name, PROTOCOL)
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, runs=np.array(json.dumps(runs)), **arrays)


def _predictions_file(problem: str, protocol: int) -> str:
    return f"predictions/{problem.replace(' ', '-')}-{protocol}.npz"


# -------------------------------------------------------------------------------------------------- packing


def pack(results: str | Path, folder: str | Path, predictions: Path | None = None) -> pd.DataFrame:
    """Add the finished runs of a CSV (as `runs.sweep` writes it) to the store in ``folder``, and write its manifest.

    A run that the store has already is replaced by the new one. The bytes depend on the rows alone. ``predictions``:
    the folder with the log odds of each run; those of the trials that training-domain validation picks are stored.
    Returns all rows of the store.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / RUNS
    new = rows = read_results(results).reindex(columns=COLUMNS)
    key = ["protocol", "backbone", "image_size", *KEY]
    if path.exists():
        before = load_rows(path)
        fresh = pd.MultiIndex.from_frame(rows[key])
        rows = pd.concat([before[~pd.MultiIndex.from_frame(before[key]).isin(fresh)], rows], ignore_index=True)
    rows = rows.sort_values([*key, "split", "domain"], ignore_index=True)
    packed = io.BytesIO()
    with gzip.GzipFile(filename="", fileobj=packed, mode="wb", mtime=0) as stream:
        stream.write(rows.to_csv(index=False, lineterminator="\n").encode())
    _replace(path, packed.getvalue())
    if predictions:
        for problem, part in chosen(new).groupby("problem"):
            _pack_predictions(problem, part, Path(predictions), folder)
    _write_manifest(folder, rows)
    return rows


def unpack(path: str | Path) -> None:
    """Start a CSV for `runs.sweep` with what the store has of the present protocol, so that nothing is run twice."""
    rows = load_rows(path_of(RUNS))
    rows = rows[rows["protocol"] == PROTOCOL]
    if len(rows):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        rows = rows.assign(rows=rows.groupby(KEY)["n"].transform("size"))
        rows.to_csv(path, index=False, lineterminator="\n")


def _write_manifest(folder: Path, rows: pd.DataFrame) -> None:
    """``manifest.json``: the store's files with their SHA-256, and what each protocol holds."""
    files = sorted(p for p in folder.rglob("*") if p.suffix in (".gz", ".npz", ".csv"))
    listed = {
        str(p.relative_to(folder)): {"sha256": hashlib.sha256(p.read_bytes()).hexdigest(), "bytes": p.stat().st_size}
        for p in files
    }
    protocols = {
        str(protocol): {
            "runs": len(part.drop_duplicates(["backbone", "image_size", *KEY])),
            "commits": sorted(part["commit"].dropna().astype(str).unique()),
            "first": part["finished"].min(),
            "last": part["finished"].max(),
        }
        for protocol, part in rows.groupby("protocol")
    }
    text = json.dumps({"files": listed, "protocols": protocols}, indent=1) + "\n"
    _replace(folder / MANIFEST, text.encode())


def _replace(path: Path, content: bytes) -> None:
    unfinished = path.with_suffix(".tmp")
    unfinished.write_bytes(content)
    os.replace(unfinished, path)
