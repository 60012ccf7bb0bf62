"""Streams of months at a hospital of the clinic: how often a monitor is wrong, and how late. Chapter: outlook."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd
from scipy import stats

from medgen_utils import monitoring
from medgen_utils.clinic import make_clinic
from medgen_utils.evaluation import auroc, predict_probabilities
from medgen_utils.hospital import Hospital
from medgen_utils.shifts import ShiftReport, diagnose, outputs_of
from medgen_utils.training import ERM

CHARTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "each month alone": monitoring.each_month_alone,
    "cumulative sum": monitoring.cusum,
}
GRADED = "cumulative sum, graded sample"
NAIVE = "p < 0.05, each month"


@dataclass(frozen=True)
class Design:
    """How a monitor is set up: patients in the reference, images a month, months, and the stated false-alarm rate.

    The change comes after month ``change``. A reference of 503 and not 500: a multiple of the month's size would
    leave few possible distances (`monitoring.alarm_threshold`).
    """

    reference: int = 503
    month: int = 50
    months: int = 24
    change: int = 12
    rate: float = 0.05

    def thresholds(self, n_streams: int, seed: int = 0) -> dict[str, float]:
        """Chart -> threshold, from simulated quiet streams."""
        design = {"n_reference": self.reference, "month_size": self.month, "n_months": self.months, "seed": seed}
        return {
            name: monitoring.alarm_threshold(self.rate, **design, chart=chart, n_streams=n_streams)
            for name, chart in CHARTS.items()
        }

    def distances(self, quiet: np.ndarray, later: Sequence[np.ndarray], rng: np.random.Generator) -> np.ndarray:
        """`monitoring.monthly_distances` (months,) of a stream: reference and first months from ``quiet``, without
        replacement, then a month from each pool of ``later`` (none of them: quiet to the end)."""
        stream = rng.permutation(quiet)[: self.reference + (self.months - len(later)) * self.month]
        drawn = [rng.choice(pool, self.month, replace=False) for pool in later]
        months = np.concatenate([stream[self.reference :], *drawn]).reshape(self.months, self.month)
        return monitoring.monthly_distances(stream[: self.reference], months)


@dataclass(frozen=True)
class Watched:
    """A model in use at a hospital, and many quiet patients of it: what a monitor can be tested on."""

    model: ERM
    home: Hospital
    n_quiet: int = 8000

    def outputs(self, hospital: Hospital, n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Probability of class 1 (n,) and recorded label (n,) of n patients of a hospital."""
        patients = make_clinic([hospital], n, seed)
        return predict_probabilities(self.model, patients.x)[:, 1], patients.y.numpy()

    @cached_property
    def quiet(self) -> tuple[np.ndarray, np.ndarray]:
        """Probabilities and labels of the quiet patients, drawn once."""
        return self.outputs(self.home, self.n_quiet, 500)

    def two_years(self, hospital: Hospital, design: Design) -> tuple[np.ndarray, float]:
        """Distances of one stream that turns into ``hospital`` after the change, and the AUROC there."""
        later, y = self.outputs(hospital, (design.months - design.change) * design.month, 501)
        pools = later.reshape(-1, design.month)
        return design.distances(self.quiet[0], pools, np.random.default_rng(1)), auroc(y, later)

    def seen_by(self, hospital: Hospital, design: Design, thresholds: dict[str, float]) -> tuple[float, int | None]:
        """Change of the AUROC against recorded labels, and the month in which the cumulative sum alarms or None."""
        score, y = self.quiet
        distances, after = self.two_years(hospital, design)
        alarm = monitoring.first_alarm(monitoring.cusum(distances), thresholds["cumulative sum"])
        return after - auroc(y, score), alarm

    def diagnose(self, hospital: Hospital, n: int = 300) -> ShiftReport:
        """`shifts.diagnose` of n patients of home, with their labels, and of n of ``hospital`` without."""
        home, now = (
            outputs_of(self.model, make_clinic([place], n, seed)) for place, seed in ((self.home, 600), (hospital, 601))
        )
        return diagnose(home, now.blind(), seed=0, n_repeats=4)


def alarm_rates(quiet: np.ndarray, design: Design, thresholds: dict[str, float], n_streams: int) -> pd.DataFrame:
    """The share of quiet streams, drawn from real outputs, in which each rule alarms at all: rule, value, low, high.

    Beside the charts the naive rule: a Kolmogorov-Smirnov test each month. Binomial intervals (exact).
    """
    found = np.array([design.distances(quiet, (), np.random.default_rng([7, seed])) for seed in range(n_streams)])
    largest = {NAIVE: (found.max(1), stats.kstwobign.isf(0.05))}
    largest |= {name: (chart(found).max(1), thresholds[name]) for name, chart in CHARTS.items()}
    rows = []
    for name, (values, threshold) in largest.items():
        alarms = int((values > threshold).sum())
        interval = stats.binomtest(alarms, n_streams).proportion_ci()
        rows.append([name, alarms / n_streams, interval.low, interval.high])
    return pd.DataFrame(rows, columns=["rule", "value", "low", "high"])


def suddenly(home: Hospital, n_months: int = 12, **changed: float) -> list[Hospital]:
    """The hospital of each month after a change that comes at once: parameters of `Hospital` by name."""
    return [replace(home, **changed)] * n_months


def slowly(home: Hospital, n_months: int = 12, **changed: float) -> list[Hospital]:
    """The hospital of each month while parameters move, in equal steps, to these values in the last month."""
    ways = {name: np.linspace(getattr(home, name), value, n_months + 1)[1:] for name, value in changed.items()}
    return [replace(home, **{name: float(way[month]) for name, way in ways.items()}) for month in range(n_months)]


def watch(
    watched: Watched, changes: dict[str, Sequence[Hospital]], design: Design, n_streams: int, graded: int = 20
) -> pd.DataFrame:
    """Which monitor notices which change, and when: a row a change, monitor and month after the change.

    changes: name -> the hospital in each month after the change. Two charts read all outputs; the third (`GRADED`)
    reads, for ``graded`` patients a month whose label is recorded, the probability that the model gives to that label.
    Columns change, monitor, month, value (share of the streams noticed by then), delay (median over all streams, inf
    where half of them are not noticed in time), harm (change of the AUROC against recorded labels in the last month),
    left_out (share of streams with a false alarm before the change, which are set aside).
    """
    score, y = watched.quiet
    home = auroc(y, score)
    sample = replace(design, month=graded)
    thresholds = design.thresholds(10 * n_streams)
    rules = {name: (chart, thresholds[name], False) for name, chart in CHARTS.items()}
    rules[GRADED] = monitoring.cusum, sample.thresholds(10 * n_streams)["cumulative sum"], True
    rows = []
    for change, hospitals in changes.items():
        found = {hospital: watched.outputs(hospital, 600, 900) for hospital in dict.fromkeys(hospitals)}
        harm = auroc(found[hospitals[-1]][1], found[hospitals[-1]][0]) - home
        pools = {
            False: (design, score, [found[hospital][0] for hospital in hospitals]),
            True: (sample, given(score, y), [given(*found[hospital]) for hospital in hospitals]),
        }
        streams = {
            labels: np.array([way.distances(quiet, later, np.random.default_rng([9, k])) for k in range(n_streams)])
            for labels, (way, quiet, later) in pools.items()
        }
        for name, (chart, threshold, labels) in rules.items():
            late = monitoring.delays(chart(streams[labels]), threshold, design.change)
            share = monitoring.noticed_by(late, design.months - design.change)
            facts = [np.median(late), harm, 1 - len(late) / n_streams]
            rows += [[change, name, month, value, *facts] for month, value in enumerate(share, 1)]
    return pd.DataFrame(rows, columns=["change", "monitor", "month", "value", "delay", "harm", "left_out"])


def given(score: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The probability that the model gave to the label that was recorded: score of class 1 (n,), y (n,) -> (n,)."""
    return np.where(y == 1, score, 1 - score)
