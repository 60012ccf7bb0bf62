"""How often does each two-sample test alarm? False alarms and power, over pairs of samples. Chapter: domain_shift."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pandas as pd

from medgen_utils.clinic import make_clinic
from medgen_utils.hospital import Hospital
from medgen_utils.machine import map_runs
from medgen_utils.shifts.detection import (
    ShiftTest,
    black_box_shift_detection,
    domain_classifier_test,
    mmd_two_sample_test,
    predicted_label_test,
)
from medgen_utils.shifts.diagnosis import Outputs, outputs_of
from medgen_utils.training import ERM

TESTS = ("MMD, pixels", "MMD, features", "domain classifier", "model outputs", "predicted labels")
LEAST = 8  # images a side: below that a test has next to nothing to see


def every_test(source: Outputs, target: Outputs, seed: int, n_permutations: int = 200) -> dict[str, ShiftTest]:
    """The tests of `TESTS` on what one model makes of two samples; both need pixels. Chapter: domain_shift."""
    if source.pixels is None or target.pixels is None:
        raise ValueError("no pixels: take the outputs from shifts.outputs_of, which keeps them")
    called = source.prob.argmax(1), target.prob.argmax(1)
    results = (
        mmd_two_sample_test(source.pixels, target.pixels, seed, n_permutations),
        mmd_two_sample_test(source.features, target.features, seed, n_permutations),
        domain_classifier_test(source.pixels, target.pixels, seed),
        black_box_shift_detection(source.prob, target.prob),
        predicted_label_test(*called),
    )
    return dict(zip(TESTS, results, strict=True))


def alarms(source: Outputs, target: Outputs, seed: int, level: float = 0.05) -> dict[str, bool]:
    """Which tests alarm at this level."""
    return {name: test.p_value < level for name, test in every_test(source, target, seed).items()}


def disjoint_pairs(source: Outputs, target: Outputs, pairs: int) -> list[tuple[Outputs, Outputs, int]]:
    """Both samples cut into ``pairs`` parts that share no image, each pair with a seed of its own.

    Pairs that are drawn again and again from the same images would repeat their chance: shares of alarms over them
    look surer than they are. ValueError where fewer than `LEAST` images a part are left.
    """
    n, m = len(source.prob) // pairs, len(target.prob) // pairs
    if min(n, m) < LEAST:
        raise ValueError(f"{pairs} pairs leave {n} and {m} images a side: ask for fewer pairs, or give more images")
    parts = range(pairs)
    return [(source.rows(slice(i * n, i * n + n)), target.rows(slice(i * m, i * m + m)), i) for i in parts]


def alarm_rates(source: Outputs, target: Outputs, pairs: int, level: float = 0.05) -> pd.DataFrame:
    """Share of independent pairs of samples in which each test alarms, with a 95 % (Wilson) interval.

    A row a test: test, value, low, high, pairs. Between two samples of one hospital the shares are false alarms and
    should lie near ``level``; else they are the power at this sample size. Images must come in random order. With two
    samples of the same size the Kolmogorov-Smirnov statistic takes few values, which makes its test too shy: let them
    differ by a few images. Chapter: domain_shift.
    """
    tasks = [(*pair, level) for pair in disjoint_pairs(source, target, pairs)]
    noticed = pd.DataFrame(map_runs(alarms, tasks))
    return shares(noticed.melt(var_name="test", value_name="alarm"), ["test"])


def shares(frame: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Share of alarms (column alarm) for each value of ``by``: value, low, high (95 %, Wilson), pairs."""
    from scipy import stats  # takes its time, and only this needs it

    rows = []
    for key, values in frame.groupby(by, sort=False)["alarm"]:
        low, high = stats.binomtest(int(values.sum()), len(values)).proportion_ci(method="wilson")
        found = {"value": values.mean(), "low": low, "high": high, "pairs": len(values)}
        rows.append(dict(zip(by, key, strict=True)) | found)
    return pd.DataFrame(rows)


def power(model: ERM, home: Hospital, sizes: Mapping[str, Sequence[float]], pairs: int, n: int = 100) -> pd.DataFrame:
    """`alarm_rates` at hospitals that differ from home in one parameter: a row a parameter, size and test.

    ``sizes``: parameter of `Hospital` -> the values it takes. Every size has patients of its own, n a sample of home
    and three more of the new hospital. Chapter: domain_shift.
    """
    known = outputs_of(model, make_clinic([home], n * pairs, seed=13))
    parts = []
    for parameter, values in sizes.items():
        for number, size in enumerate(values):
            there = replace(home, **{parameter: size})
            new = outputs_of(model, make_clinic([there], (n + 3) * pairs, seed=100 + number))
            parts.append(alarm_rates(known, new, pairs).assign(parameter=parameter, size=size))
    return pd.concat(parts, ignore_index=True)


def in_words(tests: Mapping[str, Mapping[str, ShiftTest]], name: str, level: float = 0.05) -> str:
    """One sentence: at which hospital this test alarms. ``tests``: hospital -> what `every_test` found there."""
    parts = []
    for hospital, found in tests.items():
        p = found[name].p_value
        said = "p < 0.01" if p < 0.01 else f"p = {p:.2f}"
        parts.append(f"{hospital}: it {'**alarms**' if p < level else 'is **silent**'} ({said})")
    return "; ".join(parts) + "."
