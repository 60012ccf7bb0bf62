"""One cause at a time: what each moves, which test notices it, and what it is taken for. Chapter: domain_shift."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from medgen_utils.clinic import make_clinic
from medgen_utils.hospital import Hospital
from medgen_utils.machine import map_runs
from medgen_utils.shifts.diagnosis import ShiftReport, diagnose, outputs_of
from medgen_utils.shifts.experiments.prevalences import hospital_numbers
from medgen_utils.shifts.experiments.trials import alarms, disjoint_pairs
from medgen_utils.training import ERM, build, fit, flips_and_turns

Changes = dict[str, tuple[Hospital, dict[str, Any]]]
PAIRS, DIAGNOSED = 10, 400  # pairs of samples a run for the shares of alarms; patients a side that diagnose reads


def home_model(home: Hospital, seed: int, steps: int, n: int = 1200) -> ERM:
    """A small network trained on n patients of one hospital, in batches with as many sick as healthy."""
    train = make_clinic([home], n, seed=1000 + seed)
    model = build(ERM, train, seed=seed, width=16)
    fit(model, train, steps=steps, seed=seed, augment=flips_and_turns)
    return model


@dataclass(frozen=True)
class Causes:
    """What `one_at_a_time` found.

    changes: cause, seed, metric, value (new hospital minus home); noticed: cause, seed, test, value (share of pairs
    of samples in which the test alarms); verdicts: cause, seed, labels ("without" or "with"), verdict; reports: the
    `ShiftReport` by (cause, seed, labels).
    """

    changes: pd.DataFrame
    noticed: pd.DataFrame
    verdicts: pd.DataFrame
    reports: dict[tuple[str, int, str], ShiftReport]


def one_at_a_time(causes: Changes, seeds: Sequence[int], steps: int, *, n: int = 1500, n_repeats: int = 10) -> Causes:
    """Train at home, test on n new patients of home and of hospitals that differ from it in one thing each.

    causes: name -> (home hospital, the parameters that differ at the new one). Causes with the same home share its
    model and its patients, a model a seed; every new hospital has patients of its own, or one unlucky draw would be
    shown for several causes. The tests get `PAIRS` disjoint samples of n / `PAIRS`, `diagnose` the first
    `DIAGNOSED` patients a side. Chapter: domain_shift.
    """
    homes = dict.fromkeys(home for home, _ in causes.values())
    tasks = []
    for home in homes:
        mine = {name: change for name, (its_home, change) in causes.items() if its_home == home}
        tasks += [(home, mine, seed, steps, n, n_repeats) for seed in seeds]
    rows = [row for part in map_runs(_at_one_home, tasks) for row in part]
    rows.sort(key=lambda row: list(causes).index(row["cause"]))
    return Causes(
        _long(rows, "changes", "metric"),
        _long(rows, "noticed", "test"),
        pd.DataFrame(
            {"cause": row["cause"], "seed": row["seed"], "labels": labels, "verdict": report.verdict}
            for row in rows
            for labels, report in row["reports"].items()
        ),
        {(row["cause"], row["seed"], labels): report for row in rows for labels, report in row["reports"].items()},
    )


def _at_one_home(
    home: Hospital, changes: dict[str, dict[str, Any]], seed: int, steps: int, n: int, n_repeats: int
) -> list[dict[str, Any]]:
    """Train one model and meet every new hospital of this home with it."""
    model = home_model(home, seed, steps)
    known = outputs_of(model, make_clinic([home], n, seed=2000 + 2 * seed))
    before = pd.Series(hospital_numbers(known.y, known.prob))
    rows = []
    for number, (cause, change) in enumerate(changes.items()):
        there = replace(home, **change)
        new = outputs_of(model, make_clinic([there], n + 3 * PAIRS, seed=3000 + 100 * seed + number))
        pairs = disjoint_pairs(known, new, PAIRS)
        few = known.rows(slice(DIAGNOSED)), new.rows(slice(DIAGNOSED))
        rows.append({
            "cause": cause,
            "seed": seed,
            "changes": pd.Series(hospital_numbers(new.y, new.prob)) - before,
            "noticed": pd.DataFrame([alarms(*pair) for pair in pairs]).mean(),
            "reports": {
                "without": diagnose(few[0], few[1].blind(), seed, n_repeats=n_repeats),
                "with": diagnose(*few, seed, n_repeats=n_repeats),
            },
        })  # fmt: skip
    return rows


def _long(rows: list[dict[str, Any]], entry: str, name: str) -> pd.DataFrame:
    """One row a run and number: cause, seed, ``name``, value."""
    parts = [
        row[entry].rename("value").rename_axis(name).reset_index().assign(cause=row["cause"], seed=row["seed"])
        for row in rows
    ]
    return pd.concat(parts, ignore_index=True)
