"""Do intervals and verdicts hold for few patients? Ours beside DeLong's and the bootstrap's, in drawn hospitals.

    python speed/small_hospitals.py [REPEATS]

draws every hospital of the grid REPEATS times (500 unless given; about 5 minutes of one core) and writes
speed/small_hospitals.csv, a line a hospital, and of it what the page about the audit shows. How often each interval
held the true AUROC, how often a hospital that is as good as the reference (100 positives, 200 negatives) was called
different at 5 %, and how often an interval was a point. "patients": scores are normal, images of a patient agree by
half. "swapped": all positives score above all negatives, but in one patient of twenty the two look alike; a few
patients then often look perfect. "inverted" is its mirror. "classes": four of them, the rarest with the number of
positives. The audit gives no verdict below ten patients of a class.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import ndtri

from medgen_utils.evaluation import auroc, bootstrap_draws
from medgen_utils.evaluation.bootstrap import no_spread
from medgen_utils.evaluation.delong import auroc_estimate, delong
from medgen_utils.evaluation.intervals import percentiles

TABLE = Path(__file__).with_name("small_hospitals.csv")
SHOWN = Path(__file__).resolve().parents[1] / "chapters" / "audit.csv"
POSITIVES = (1, 2, 3, 5, 10, 20, 30, 50, 100)
RESAMPLES = 200


def draw(rng: np.random.Generator, kind: str, positives: int, images: int, truth: float):
    """Labels (n,), scores (n,) or (n, 4), patients (n,) of one hospital with up to ``images`` images a patient."""
    if kind == "classes":
        y = np.repeat(np.arange(4), [4 * positives, 3 * positives, 2 * positives, positives])
        units = np.repeat(np.arange(len(y)), rng.integers(1, images + 1, len(y)))
        shift = np.sqrt(2) * ndtri(truth) * np.eye(4)[y]
        score = (rng.normal(size=(len(y), 4))[units] + rng.normal(size=(len(units), 4))) / np.sqrt(2) + shift[units]
        return y[units], score, units
    y = np.repeat([1, 0], [positives, max(20, 4 * positives) if positives < 30 else 2 * positives])
    units = np.repeat(np.arange(len(y)), rng.integers(1, images + 1, len(y)))
    score = (rng.normal(size=len(y))[units] + rng.normal(size=len(units))) / np.sqrt(2)
    if kind == "patients":
        return y[units], score + np.sqrt(2) * ndtri(truth) * y[units], units
    swapped = rng.random(len(y)) < 0.05
    side = np.where(swapped, 1 - y, y) * (1 if kind == "swapped" else -1)
    return y[units], score + 40 * side[units], units


def row(kind: str, positives: int, images: int, truth: float, repeats: int) -> dict:
    """One line of the table."""
    held = dict.fromkeys(("ours", "DeLong", "bootstrap"), 0)
    alarms, certain = dict.fromkeys(held, 0), dict.fromkeys(held, 0)
    for seed in range(repeats):
        rng = np.random.default_rng([seed, positives, images])
        y, score, units = draw(rng, kind, positives, images, truth)
        home_y, home_score, home_units = draw(rng, kind, 100 if kind != "classes" else 50, 1, truth)
        ends, gap = {}, {}
        here, home = auroc_estimate(y, [score], units, "here"), auroc_estimate(home_y, [home_score], home_units, "home")
        ends["ours"], gap["ours"] = here.interval()[1:], home.minus(here).interval()[1:]
        draws = []
        for labels, values, of in ((y, score, units), (home_y, home_score, home_units)):
            draws.append(bootstrap_draws([auroc], labels, values, of, of.max() + 1, RESAMPLES, rng)[0])
        ends["bootstrap"], gap["bootstrap"] = percentiles(draws[0], 0.95), percentiles(draws[1] - draws[0], 0.95)
        certain["bootstrap"] += no_spread(draws[0])
        if kind != "classes":
            a, b = (
                delong(labels == 1, values, of, of.max() + 1)
                for labels, values, of in ((y, score, units), (home_y, home_score, home_units))
            )
            half, both = 1.96 * a.variance**0.5, 1.96 * (a.variance + b.variance) ** 0.5
            ends["DeLong"], gap["DeLong"] = (
                (a.value - half, a.value + half),
                (b.value - a.value - both, b.value - a.value + both),
            )
            certain["DeLong"] += half == 0
        certain["ours"] += ends["ours"][0] == ends["ours"][1]
        for method in ends:
            held[method] += ends[method][0] <= truth + 1e-12 and truth - 1e-12 <= ends[method][1]
            alarms[method] += not gap[method][0] <= 0 <= gap[method][1]
    methods = ["ours", "bootstrap"] if kind == "classes" else list(held)
    line = {"kind": kind, "positives": positives, "images": images, "auroc": truth, "repeats": repeats}
    for name, counts in (("coverage", held), ("false alarms", alarms), ("certain", certain)):
        line |= {f"{name} {m}": round(counts[m] / repeats, 4) if m in methods else np.nan for m in held}
    return line


def grid() -> list[tuple[str, int, int, float]]:
    """Every hospital that is drawn."""
    cells = [("patients", n, images, a) for n in POSITIVES for images in (1, 12) for a in (0.5, 0.7, 0.86, 0.95, 0.99)]
    cells += [(kind, n, 1, a) for kind, a in (("swapped", 0.95), ("inverted", 0.05)) for n in POSITIVES]
    return cells + [("classes", n, images, 0.86) for n in (1, 3, 10, 30) for images in (1, 12)]


def shown(table: pd.DataFrame) -> pd.DataFrame:
    """A line for each number of positives: the lowest coverage of its hospitals, the most false alarms."""
    rows = []
    for (kind, positives), part in table.groupby(["kind", "positives"], sort=False):
        row = {"hospitals": kind, "patients with the disease": positives}
        for name, worst in (("coverage", min), ("false alarms", max)):
            values = [part[f"{name} {method}"].dropna() for method in ("ours", "DeLong", "bootstrap")]
            ends = [f"{100 * worst(found):.0f}" if len(found) else "none" for found in values]
            row[f"{name}: ours, DeLong, bootstrap"] = " / ".join(ends) + " %"
        most = part[["certain DeLong", "certain bootstrap"]].max(axis=None)
        rows.append(row | {"certain, others": f"{100 * most:.0f} %"})
    return pd.DataFrame(rows)


def main(repeats: int = 500) -> None:
    """Fill the table, line by line."""
    start, lines = time.perf_counter(), []
    for cell in grid():
        lines.append(row(*cell, repeats))
        pd.DataFrame(lines).to_csv(TABLE, index=False)
    shown(pd.DataFrame(lines)).to_csv(SHOWN, index=False)
    print(f"{len(lines)} hospitals, {repeats} times each: {time.perf_counter() - start:.0f} s, {TABLE}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
