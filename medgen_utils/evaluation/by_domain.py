"""Claims about domains: metrics, worst domain, gap, paired difference. Chapter: evaluation_protocols.

Each claim comes twice: from the tidy frame (``worst_domain(frame, ...)``), and from cells that are computed already
(``worst_domain_of(cells, ...)``, see `cells.cells_by_domain`), so that several claims cost one pass over the images.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from medgen_utils.evaluation.cells import Cell, Cells, Resampled, cells_by_domain
from medgen_utils.evaluation.estimates import Estimate
from medgen_utils.evaluation.intervals import Interval, t_interval
from medgen_utils.evaluation.metrics import HIGHEST, LOWER_IS_BETTER, METRICS, Metric

COLUMNS = ["metric", "value", "n", "low", "high"]


def metrics_by(
    frame: pd.DataFrame,
    by: Sequence[str] = ("algorithm", "domain"),
    metrics: Sequence[str | Metric] = ("auroc",),
    n_resamples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
    units: str = "patient",
    method: str = "bootstrap",
) -> pd.DataFrame:
    """Metrics with intervals, a long frame: the columns ``by``, then metric, value, n, low, high.

    value: the metric of each run in each domain, averaged over runs, then over the domains of the group (so without
    "domain" in ``by`` it is the mean over domains, not the metric of pooled images). n: distinct images.
    low, high: units="patient", percentile bootstrap of the patients of each domain, jointly for all runs (these
    hospitals, other patients); units="domain", Student's t over the domain values (other hospitals; NaN for one, cut
    where a metric ends). method="delong": for AUROC, shares and Brier score intervals that hold for few patients too,
    AUROC and balanced accuracy then over the classes that occur.
    NaN with a warning where a class is missing; resamples without a value are left out.
    """
    return metrics_of(cells_by_domain(frame, by, metrics, n_resamples, seed, method), level, units)


def metrics_of(cells: Cells, level: float = 0.95, units: str = "patient") -> pd.DataFrame:
    """`metrics_by` from computed cells."""
    rows = []
    for key, domains in cells.groups.items():
        n = sum(cell.n for cell in domains.values())
        for i, name in enumerate(cells.metrics):
            interval = _interval([cell.estimates[i] for cell in domains.values()], level, units, name)
            rows.append([*key, name, interval.value, n, interval.low, interval.high])
    return pd.DataFrame(rows, columns=[*cells.by, *COLUMNS])


def worst_domain(
    frame: pd.DataFrame,
    by: Sequence[str] = ("algorithm",),
    metric: str | Metric = "auroc",
    n_resamples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
    method: str = "bootstrap",
) -> pd.DataFrame:
    """The domain with the worst value (mean over runs) in each group: by, domain, metric, value, n, low, high.

    The interval resamples all domains and takes the worst of each resample. The worst of several noisy values is
    pessimistic: read it next to all domains.
    """
    return worst_domain_of(cells_by_domain(frame, by, [metric], n_resamples, seed, method), level)


def worst_domain_of(cells: Cells, level: float = 0.95, metric: str | None = None) -> pd.DataFrame:
    """`worst_domain` from computed cells; ``metric``: one of theirs, the first unless given."""
    i, name = _position(cells, metric)
    sign = -1 if name in LOWER_IS_BETTER else 1
    rows = []
    for key, domains in cells.groups.items():
        estimates = {domain: cell.estimates[i] for domain, cell in domains.items()}
        undefined = [domain for domain, estimate in estimates.items() if np.isnan(estimate.value)]
        at = undefined[0] if undefined else min(estimates, key=lambda domain: sign * estimates[domain].value)
        value = low = high = np.nan
        if not undefined:
            value, low, high = type(estimates[at]).worst(list(estimates.values()), level, sign)
        rows.append([*key, at, name, value, domains[at].n, low, high])
    return pd.DataFrame(rows, columns=[*cells.by, "domain", *COLUMNS])


def generalization_gap(
    frame: pd.DataFrame,
    reference: str,
    by: Sequence[str] = ("algorithm",),
    metric: str | Metric = "auroc",
    n_resamples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
    method: str = "bootstrap",
) -> pd.DataFrame:
    """How much worse each domain is than the reference domain: by, domain, metric, value, n, low, high.

    value: reference minus domain (domain minus reference where lower is better), so positive is a loss.
    """
    return generalization_gap_of(cells_by_domain(frame, by, [metric], n_resamples, seed, method), reference, level)


def generalization_gap_of(cells: Cells, reference: str, level: float = 0.95, metric: str | None = None) -> pd.DataFrame:
    """`generalization_gap` from computed cells; ``metric``: one of theirs, the first unless given."""
    i, name = _position(cells, metric)
    sign = -1 if name in LOWER_IS_BETTER else 1
    rows = []
    for key, domains in cells.groups.items():
        for domain, gap in gaps(domains, reference, i, sign).items():
            rows.append([*key, domain, name, gap.value, domains[domain].n, *gap.interval(level)[1:]])
    return pd.DataFrame(rows, columns=[*cells.by, "domain", *COLUMNS])


def gaps(domains: dict[str, Cell], reference: str, i: int = 0, sign: int = 1) -> dict[str, Resampled | Estimate]:
    """Metric ``i`` of the reference minus that of each other domain; the other way round with sign -1."""
    if reference not in domains:
        raise ValueError(f"no reference domain {reference!r}: choose from {sorted(domains)}")
    home = domains[reference].estimates[i]
    others = {domain: cell.estimates[i] for domain, cell in domains.items() if domain != reference}
    return {d: home.minus(other) if sign == 1 else other.minus(home) for d, other in others.items()}


def paired_difference(
    frame: pd.DataFrame,
    a: str,
    b: str,
    metric: str | Metric = "auroc",
    by: Sequence[str] = ("domain",),
    n_resamples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
    units: str = "patient",
    method: str = "bootstrap",
) -> pd.DataFrame:
    """Metric of algorithm ``a`` minus that of ``b`` on the same images: by, metric, value, n, low, high.

    Both see the same resampled patients, so what makes a patient hard for both cancels. by=() gives the mean over
    domains; with units="domain" its interval is Student's t over the domain differences (see ``sign_flip_test``).
    ValueError where the two were not tested on the same images with the same labels.
    """
    check_same_images(frame, a, b)
    both = (cells_by_domain(frame[frame["algorithm"] == x], by, [metric], n_resamples, seed, method) for x in (a, b))
    return paired_difference_of(*both, level, units)


def paired_difference_of(
    a: Cells, b: Cells, level: float = 0.95, units: str = "patient", metric: str | None = None
) -> pd.DataFrame:
    """`paired_difference` from the cells of both algorithms; ``metric``: one of theirs, the first unless given."""
    i, name = _position(a, metric)
    rows = []
    for key, domains in a.groups.items():
        interval = _interval(list(differences(domains, b.groups[key], i).values()), level, units)
        n = sum(cell.n for cell in domains.values())
        rows.append([*key, name, interval.value, n, interval.low, interval.high])
    return pd.DataFrame(rows, columns=[*a.by, *COLUMNS])


def differences(a: dict[str, Cell], b: dict[str, Cell], i: int = 0) -> dict[str, Resampled | Estimate]:
    """Metric ``i`` of the cells ``a`` minus that of ``b``, for each domain, on the same patients."""
    return {domain: cell.estimates[i].minus(b[domain].estimates[i]) for domain, cell in a.items()}


def check_same_images(frame: pd.DataFrame, a: str, b: str) -> None:
    """ValueError unless algorithms ``a`` and ``b`` were tested on the same images with the same labels."""
    keys = []
    for name in (a, b):
        images = frame.loc[frame["algorithm"] == name, ["domain", "index", "y"]].drop_duplicates()
        keys.append(images.sort_values(["domain", "index"]).to_numpy())
    if not len(keys[0]) or not np.array_equal(*keys):
        raise ValueError(
            f"{a!r} ({len(keys[0])} images) and {b!r} ({len(keys[1])}) differ in domain, index or y: test both on the "
            f"same images; algorithms here: {sorted(frame['algorithm'].unique())}"
        )


def _interval(
    estimates: Sequence[Resampled | Estimate], level: float, units: str, metric: str | None = None
) -> Interval:
    """Mean of the domains with the interval for other patients, or for other domains (Student's t)."""
    if units == "patient":
        return type(estimates[0]).mean(estimates).interval(level)
    if units != "domain":
        raise ValueError(f"units {units!r}: choose 'patient' (other patients) or 'domain' (other hospitals)")
    bounds = (0.0, HIGHEST.get(metric, 1.0)) if metric in METRICS else (-np.inf, np.inf)
    return t_interval(np.array([estimate.value for estimate in estimates]), level, bounds)


def _position(cells: Cells, metric: str | None) -> tuple[int, str]:
    name = metric or cells.metrics[0]
    if name not in cells.metrics:
        raise ValueError(f"no metric {name!r} in these cells: choose from {list(cells.metrics)}")
    return cells.metrics.index(name), name
