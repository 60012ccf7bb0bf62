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

from medgen_utils.benchmark.entries import PROTOCOL, contender_of, problem_of
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
from medgen_utils.evaluation.predictions import patients_of

ENSEMBLE = "ensemble of seeds"


def pack(results: str | Path, folder: str | Path, predictions: Path | None = None) -> pd.DataFrame:
    """Add the finished runs of a CSV (as `runs.sweep` writes it) to the store in ``folder``, and write its manifest.

    A run that the store has already is replaced by the new one. The bytes depend on the rows alone. ``predictions``:
    the folder with the log odds of each run; those of the trials that training-domain validation picks are stored,
    beside what the store has of them already.
    Returns all rows of the store.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / RUNS
    rows = read_results(results).reindex(columns=COLUMNS)
    if rows.empty:  # nothing is finished, so nothing changes
        return load_rows(path) if path.exists() else rows
    if predictions:
        for name, picked in chosen(rows).groupby("problem"):
            path_of_problem = _pack_predictions(name, picked, Path(predictions), folder)
            if path_of_problem:
                rows = pd.concat([rows, _ensemble(rows[rows["problem"] == name], path_of_problem)], ignore_index=True)
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


def write_manifest(folder: str | Path) -> None:
    """``manifest.json`` of the store in ``folder`` anew, after one of its files has changed."""
    _write_manifest(Path(folder), load_rows(Path(folder) / RUNS))


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
    """Bring the log odds of the picked runs, one npz a run in ``work``, into one file with labels and patients.

    Of a run that was made elsewhere, so that only the store has its log odds, these are kept. None where ``work`` has
    none of the picked ones: the store stays as it is.
    """
    problem = problem_of(problem_name)
    path = folder / predictions_file(problem_name, PROTOCOL)
    stored, here = _log_odds(path), {}
    for row in picked.itertuples():
        run = (row.method, row.left_out, int(row.trial), int(row.seed))
        file = work / Task(problem, contender_of(row.method), (row.left_out,), row.trial, row.seed).file
        if file.exists():
            with np.load(file) as one:
                here[run] = one["index"], one["log_odds"]
        elif run in stored:
            here[run] = stored[run]
    if all(run in stored and here[run] is stored[run] for run in here):
        return None
    dataset = problem.load(0)
    names = np.array(dataset.domain_names)[dataset.domain.numpy()]
    arrays = {"y": dataset.y.numpy().astype(np.int8), "domain": names, "group": np.array(patients_of(dataset))}
    for number, (index, log_odds) in enumerate(here.values()):
        arrays[f"index_{number}"], arrays[f"log_odds_{number}"] = index, log_odds
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, runs=np.array(json.dumps(list(here))), **arrays)
    return path


def _log_odds(path: Path) -> dict[tuple, tuple[np.ndarray, np.ndarray]]:
    """Index and log odds of each run (method, left out, trial, seed) of a file of predictions; empty without one."""
    if not path.exists():
        return {}
    with np.load(path) as file:
        runs = json.loads(str(file["runs"]))
        return {tuple(run): (file[f"index_{i}"], file[f"log_odds_{i}"]) for i, run in enumerate(runs)}


def _ensemble(rows: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Rows of the method `ENSEMBLE`: the mean probability of the seeds of `BASELINE`, each with its chosen trial.

    ``rows`` are those of one problem. A target whose seeds are not all there is left out, and so is a problem of one
    seed: an ensemble of one is none. The validation row is the members' mean: their networks never
    share a held-back image, so the ensemble has no in-domain score of its own. Seed `ALL_SEEDS`, seconds of all.
    """
    frame = load_predictions(path)
    found = []
    seeds = problem_of(rows["problem"].iloc[0]).seeds
    for target, images in frame[frame["algorithm"] == BASELINE].groupby("domain"):
        trials = images.drop_duplicates("seed").set_index("seed")["trial"]
        mine = rows[(rows["method"] == BASELINE) & (rows["left_out"] == target)]
        mine = mine[mine["trial"] == mine["seed"].map(trials)]
        if len(trials) < max(2, seeds):
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
        about |= {"seconds": round(float(mine.drop_duplicates("seed")["seconds"].sum()), 2)}
        inside = mine[mine["split"] == "validation"][SCORES].mean().round(6).to_dict()
        for split, values in (("validation", inside), ("test", scores)):
            row = mine[mine["split"] == split].sort_values("seed").iloc[-1].to_dict()
            found.append(row | about | values)
    return pd.DataFrame(found, columns=COLUMNS)
