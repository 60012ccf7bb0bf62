"""From the work folder of a sweep into the evidence store: rows, predictions, manifest. Chapter: scoreboard."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
from pathlib import Path

import numpy as np
import pandas as pd

from medgen_utils.benchmark.entries import CONTENDERS, PROBLEMS, PROTOCOL
from medgen_utils.benchmark.evidence import (
    COLUMNS,
    MANIFEST,
    RUNS,
    load_predictions,
    load_rows,
    path_of,
    predictions_file,
)
from medgen_utils.benchmark.protocol import KEY, SCORES, Task
from medgen_utils.benchmark.runs import read_results
from medgen_utils.benchmark.standings import ALL_SEEDS, BASELINE, chosen
from medgen_utils.evaluation import METRICS

ENSEMBLE = "ensemble of seeds"


def pack(results: str | Path, folder: str | Path, predictions: Path | None = None) -> pd.DataFrame:
    """Add the finished runs of a CSV (as `runs.sweep` writes it) to the store in ``folder``, and write its manifest.

    A run that the store has already is replaced by the new one. The bytes depend on the rows alone. ``predictions``:
    the folder with the log odds of each run; those of the trials that training-domain validation picks are stored.
    Returns all rows of the store.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / RUNS
    rows = read_results(results).reindex(columns=COLUMNS)
    if predictions:
        kept = [_pack_predictions(*part, Path(predictions), folder) for part in chosen(rows).groupby("problem")]
        rows = pd.concat([rows, *(_ensemble(rows, path) for path in kept if path)], ignore_index=True)
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
    _write_manifest(folder, rows)
    return rows


def unpack(path: str | Path) -> None:
    """Start a CSV for `runs.sweep` with what the store has of the present protocol, so that nothing is run twice."""
    rows = load_rows(path_of(RUNS))
    rows = rows[(rows["protocol"] == PROTOCOL) & (rows["seed"] != ALL_SEEDS)]
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


def _pack_predictions(problem_name: str, picked: pd.DataFrame, work: Path, folder: Path) -> Path | None:
    """Bring the log odds of the picked runs, one npz a run in ``work``, into one file with labels and patients."""
    problem = next(p for p in PROBLEMS if p.name == problem_name)
    tasks = [
        Task(problem, next(c for c in CONTENDERS if c.name == row.method), (row.left_out,), row.trial, row.seed)
        for row in picked.itertuples()
    ]
    tasks = [task for task in tasks if (work / task.file).exists()]
    if not tasks:
        return None
    dataset = problem.load(0)
    names = np.array(dataset.domain_names)[dataset.domain.numpy()]
    numbers = dataset.index.tolist()
    group = [f"{d}/{g}" if g else f"{d}/image {i}" for d, g, i in zip(names, dataset.group, numbers, strict=True)]
    arrays = {"y": dataset.y.numpy().astype(np.int8), "domain": names, "group": np.array(group)}
    for number, task in enumerate(tasks):
        with np.load(work / task.file) as one:
            arrays[f"index_{number}"], arrays[f"log_odds_{number}"] = one["index"], one["log_odds"]
    runs = [[task.contender.name, task.left_out[0], int(task.trial), int(task.seed)] for task in tasks]
    path = folder / predictions_file(problem_name, PROTOCOL)
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, runs=np.array(json.dumps(runs)), **arrays)
    return path


def _ensemble(rows: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Rows of the method `ENSEMBLE`: the mean probability of the seeds of `BASELINE`, each with its chosen trial.

    A target whose seeds are not all there is left out. The validation row is the members' mean: their networks never
    share a held-back image, so the ensemble has no in-domain score of its own. Seed `ALL_SEEDS`, seconds of all.
    """
    frame = load_predictions(path)
    found = []
    for target, images in frame[frame["algorithm"] == BASELINE].groupby("domain"):
        trials = images.drop_duplicates("seed").set_index("seed")["trial"]
        mine = rows[(rows["method"] == BASELINE) & (rows["left_out"] == target)]
        mine = mine[mine["trial"] == mine["seed"].map(trials)]
        problem = next(p for p in PROBLEMS if p.name in set(mine["problem"]))
        if len(trials) < problem.seeds:
            continue
        by_image = images.groupby("index")[["y", "prob_0", "prob_1"]].mean()
        y, p = by_image["y"].to_numpy(int), by_image[["prob_0", "prob_1"]].to_numpy()
        scores = {metric: round(METRICS[metric](y, p), 6) for metric in SCORES}
        about = {
            "method": ENSEMBLE,
            "family": "averaging",
            "trial": 0,
            "seed": ALL_SEEDS,
            "settings": "{}",
            "curve": "",
        }
        about |= {"seconds": mine.drop_duplicates("seed")["seconds"].sum().round(2)}
        inside = mine[mine["split"] == "validation"][SCORES].mean().round(6).to_dict()
        for split, values in (("validation", inside), ("test", scores)):
            row = mine[mine["split"] == split].sort_values("seed").iloc[-1].to_dict()
            found.append(row | about | values)
    return pd.DataFrame(found, columns=COLUMNS)
