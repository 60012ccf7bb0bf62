"""What a model does in each domain, as estimates that know how sure they are. Used by `audit.report`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from medgen_utils.evaluation.cells import Cell, Cells, one_test, runs_of
from medgen_utils.evaluation.delong import ESTIMATES, auroc_estimate, error_estimate, rate_estimate, share_estimate
from medgen_utils.evaluation.estimates import Estimate
from medgen_utils.evaluation.metrics import (
    calibration_error,
    confidence_and_outcome,
    predicted_class,
    reliability_curve,
)
from medgen_utils.evaluation.predictions import NOBODY, probabilities
from medgen_utils.machine import progress_bar

NAMES = ("auroc", "balanced_accuracy", "accuracy", "average_precision", "brier")


def by_domain(rows: pd.DataFrame, domains: Sequence[str]) -> dict[str, tuple]:
    """Labels (n,), probabilities of each run, patients (n,) of one model by domain, in the order of ``domains``."""
    rows = rows.sort_values(["run", "index"], kind="stable") if rows["run"].nunique() > 1 else rows
    parts = dict(tuple(rows.groupby("domain", sort=False, observed=True)))
    return {d: one_test(runs_of(parts[d], d), d) for d in domains if d in parts}


def n_classes(tests: dict[str, tuple]) -> int:
    """How many classes the probabilities have, the same in every run and domain."""
    (k,) = {p.shape[1] for _, prob, _ in tests.values() for p in prob}
    return k


def measure(name: str, tests: dict[str, tuple], threshold: float | None) -> Cells:
    """The metrics of one model by domain; with two classes its mean error, and both rates at a threshold."""
    groups, names = {}, list(NAMES)
    binary = n_classes(tests) == 2
    names += ["mean_error"] if binary else []
    names += ["sensitivity", "specificity"] if threshold is not None else []
    many = sum(len(y) for y, _, _ in tests.values()) > 100_000
    for domain, (y, prob, units) in progress_bar(tests.items(), title=name, show=many):
        found = [ESTIMATES[metric](y, prob, units, domain) for metric in NAMES]
        found += [error_estimate(y, prob, units, domain)] if binary else []
        if threshold is not None:
            found += [rate_estimate(y, prob, units, label, threshold, domain) for label in (1, 0)]
        groups[domain] = Cell(len(y), tuple(found))
    return Cells(("algorithm",), tuple(names), {(name,): groups})


def describe(frame: pd.DataFrame, classes: Sequence[str], minimum: int, named: bool | None) -> list[dict]:
    """Who is in each domain: images and patients, of all and of each class, and whether that is enough to judge.

    named: whether patients are known; None: they are unless every ``group`` is one of an image (`NOBODY`).
    """
    one = frame[frame["algorithm"] == frame["algorithm"].iloc[0]]
    one = one.drop_duplicates(["domain", "index"])  # each run may have tested a domain of its own
    k, rows = len(classes), []
    for domain, images in one.groupby("domain", sort=False, observed=True):
        y, group = images["y"].to_numpy(), images["group"]
        patients = [int(group[y == c].nunique()) for c in range(k)]
        total = int(group.nunique())
        known = named if named is not None else total < len(images) or not group.astype(str).str.contains(NOBODY).all()
        row = {"domain": domain, "images": len(images), "patients": total, "known": bool(known)}
        row |= {"counts": np.bincount(y, minlength=k).tolist(), "patients_by_class": patients}
        row["note"] = too_few(patients, classes, minimum, "patients" if known else "images")
        rows.append(row)
    return rows


def too_few(patients: Sequence[int], classes: Sequence[str], minimum: int, unit: str) -> str | None:
    """Why a domain cannot be judged, from its patients by class; None where it can."""
    present = [(n, c) for n, c in zip(patients, classes, strict=True) if n]
    if len(present) < 2:
        return f"only class {present[0][1]} occurs: nothing can be told apart"
    small = [f"{n} of class {c}" for n, c in present if n < minimum]
    return f"too few {unit} to judge: {', '.join(small)} (at least {minimum} are asked)" if small else None


def per_class(name: str, domain: str, test: tuple, classes: Sequence[str], level: float) -> list[dict]:
    """For each class its AUROC against the rest and the share of it that is recognised, or why there is none."""
    y, prob, units = test
    rows = []
    for c, label in enumerate(classes):
        member = y == c
        row = {"algorithm": name, "domain": domain, "class": label, "images": int(member.sum())}
        row["patients"] = len(np.unique(units[member]))
        scores = [p[:, c] for p in prob]
        area = auroc_estimate(member.astype(int), scores, units) if 0 < member.sum() < len(y) else None
        right = [(predicted_class(p)[member] == c).astype(float) for p in prob]
        found = share_estimate(right, units[member]) if member.any() else None
        rows.append(row | _numbers("auroc", area, level) | _numbers("recall", found, level))
        if not member.any():
            rows[-1]["reason"] = "no image of this class"
        elif member.all():
            rows[-1]["reason"] = "no image of another class"
    return rows


def _numbers(name: str, estimate: Estimate | None, level: float) -> dict:
    value, low, high = map(float, estimate.interval(level) if estimate is not None else (np.nan,) * 3)
    return {name: value, f"{name}_low": low, f"{name}_high": high}


def curve(name: str, domain: str, test: tuple, draws: int, seed: int) -> dict:
    """Reliability curve of the first run, its error, and the error that right probabilities show on as many images."""
    y, prob, _ = test
    confidence, correct = confidence_and_outcome(y, prob[0])
    bins = reliability_curve(confidence, correct, n_bins=10).to_dict("records")
    edges = np.clip((confidence * 15).astype(int), 0, 14)
    variance = np.bincount(edges, confidence * (1 - confidence), 15)
    chance = np.random.default_rng(seed).normal(0, np.sqrt(variance), (draws, 15))
    floor = np.quantile(np.abs(chance).sum(1) / len(y), 0.95)
    error = float(np.mean([calibration_error(y, p) for p in prob]))
    return {"algorithm": name, "domain": domain, "bins": bins, "error": error, "floor": float(floor)}


def subgroups(frame: pd.DataFrame, classes: Sequence[str], minimum: int, level: float) -> list[dict]:
    """AUROC in each part of each domain that the column ``subgroup`` makes; small parts are listed and not judged."""
    rows = []
    for (name, domain, part), images in frame.groupby(["algorithm", "domain", "subgroup"], sort=True, observed=True):
        y, prob, units = one_test(runs_of(images.sort_values(["run", "index"], kind="stable"), domain), domain)
        patients = [len(np.unique(units[y == c])) for c in range(len(classes))]
        area = auroc_estimate(y, prob, units, domain)
        row = {"algorithm": name, "domain": domain, "subgroup": str(part), "images": len(y)}
        row |= {"patients_by_class": patients} | _numbers("auroc", area, level)
        rows.append(row | {"note": too_few(patients, classes, minimum, "patients")})
    return rows


def threshold_of(test: tuple, sensitivity: float) -> float:
    """The largest threshold that finds at least the share ``sensitivity`` of the positives, its runs together."""
    y, prob, _ = test
    positives = np.sort(np.concatenate([p[y == 1, 1] for p in prob]))[::-1]
    if not len(positives):
        raise ValueError("the reference holds no positive case: name a threshold instead, or another reference")
    return float(positives[int(np.ceil(sensitivity * len(positives) - 1e-9)) - 1])


def by_patient(frame: pd.DataFrame, how: str) -> pd.DataFrame:
    """A row for each patient (``group``) of each run: the mean of its images' probabilities, or the largest of class 1.

    how: "mean" or, with two classes, "max". A patient with a positive image is positive; with more classes all images
    of a patient must agree (ValueError). Where the frame has a column ``unit`` (breast, lesion), a row for each of
    those: patients stay what is drawn together.
    """
    k = probabilities(frame).shape[1]
    if how not in ("mean", "max") or (how == "max" and k > 2):
        raise ValueError(f"aggregate {how!r} with {k} classes: choose 'mean', or with two classes 'max'")
    keys = ["run", "algorithm", "domain", "group", *(["unit"] if "unit" in frame.columns else [])]
    rows = frame.groupby(keys, sort=False, observed=True)
    if k > 2 and (mixed := rows["y"].nunique() > 1).any():
        raise ValueError(f"{keys[-1]} {mixed.idxmax()[-1]!r} has images of several classes: audit images instead")
    columns = [f"prob_{c}" for c in range(k)]
    done = rows[columns].mean() if how == "mean" else rows[columns[1:]].max()
    if how == "max":
        done["prob_0"] = 1 - done["prob_1"]
    done["y"] = rows["y"].max()
    done = done.reset_index()
    done["index"] = pd.factorize(done["domain"].astype(str) + "/" + done[keys[-1]].astype(str))[0]
    if "subgroup" in frame.columns:
        done["subgroup"] = rows["subgroup"].first().to_numpy()
    return done
