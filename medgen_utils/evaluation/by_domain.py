"""Claims about domains: metrics, worst domain, gap, paired difference. Chapter: evaluation_protocols.

Each claim comes twice: from the tidy frame (``worst_domain(frame, ...)``), and from cells that are computed already
(``worst_domain_of(cells, ...)``, see `cells.cells_by_domain`), so that several claims cost one pass over the images.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from medgen_utils.evaluation.cells import Cells, cells_by_domain
from medgen_utils.evaluation.intervals import Interval, percentiles, t_interval
from medgen_utils.evaluation.metrics import LOWER_IS_BETTER, Metric

COLUMNS = ["metric", "value", "n", "low", "high"]


def metrics_by(
    frame: pd.DataFrame,
    by: Sequence[str] = ("algorithm", "domain"),
    metrics: Sequence[str | Metric] = ("auroc",),
    n_resamples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
    units: str = "patient",
) -> pd.DataFrame:
    """Metrics with intervals, a long frame: the columns ``by``, then metric, value, n, low, high.

    value: the metric of each run in each domain, averaged over runs, then over the domains of the group (so without
    "domain" in ``by`` it is the mean over domains, not the metric of pooled images). n: distinct images.
    low, high: units="patient", percentile bootstrap of the patients of each domain, jointly for all runs (these
    hospitals, other patients); units="domain", Student's t over the domain values (other hospitals; NaN for one).
    NaN with a warning where a class is missing; resamples without a value are left out.
    """
    return metrics_of(cells_by_domain(frame, by, metrics, n_resamples, seed), level, units)


def metrics_of(cells: Cells, level: float = 0.95, units: str = "patient") -> pd.DataFrame:
    """`metrics_by` from computed cells."""
    rows = []
    for key, domains in cells.groups.items():
        values = np.stack([cell.value for cell in domains.values()])
        draws = np.mean([cell.draws for cell in domains.values()], axis=0)
        n = sum(cell.n for cell in domains.values())
        for i, name in enumerate(cells.metrics):
            value, low, high = _interval(values[:, i], draws[i], level, units)
            rows.append([*key, name, value, n, low, high])
    return pd.DataFrame(rows, columns=[*cells.by, *COLUMNS])


def worst_domain(
    frame: pd.DataFrame,
    by: Sequence[str] = ("algorithm",),
    metric: str | Metric = "auroc",
    n_resamples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> pd.DataFrame:
    """The domain with the worst value (mean over runs) in each group: by, domain, metric, value, n, low, high.

    The interval resamples all domains and takes the worst of each resample. The worst of several noisy values is
    pessimistic: read it next to all domains.
    """
    return worst_domain_of(cells_by_domain(frame, by, [metric], n_resamples, seed), level)


def worst_domain_of(cells: Cells, level: float = 0.95, metric: str | None = None) -> pd.DataFrame:
    """`worst_domain` from computed cells; ``metric``: one of theirs, the first unless given."""
    i, name = _position(cells, metric)
    best, worst = (np.min, np.argmax) if name in LOWER_IS_BETTER else (np.max, np.argmin)
    rows = []
    for key, domains in cells.groups.items():
        names, values = list(domains), np.array([cell.value[i] for cell in domains.values()])
        draws = np.stack([cell.draws[i] for cell in domains.values()])
        at = int(worst(values)) if not np.isnan(values).any() else int(np.flatnonzero(np.isnan(values))[0])
        low, high = percentiles(-best(-draws, axis=0), level)
        rows.append([*key, names[at], name, values[at], domains[names[at]].n, low, high])
    return pd.DataFrame(rows, columns=[*cells.by, "domain", *COLUMNS])


def generalization_gap(
    frame: pd.DataFrame,
    reference: str,
    by: Sequence[str] = ("algorithm",),
    metric: str | Metric = "auroc",
    n_resamples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> pd.DataFrame:
    """How much worse each domain is than the reference domain: by, domain, metric, value, n, low, high.

    value: reference minus domain (domain minus reference where lower is better), so positive is a loss.
    """
    return generalization_gap_of(cells_by_domain(frame, by, [metric], n_resamples, seed), reference, level)


def generalization_gap_of(cells: Cells, reference: str, level: float = 0.95, metric: str | None = None) -> pd.DataFrame:
    """`generalization_gap` from computed cells; ``metric``: one of theirs, the first unless given."""
    i, name = _position(cells, metric)
    sign = -1 if name in LOWER_IS_BETTER else 1
    rows = []
    for key, domains in cells.groups.items():
        if reference not in domains:
            raise ValueError(f"no reference domain {reference!r}: choose from {sorted(domains)}")
        home = domains[reference]
        for domain, cell in domains.items():
            if domain != reference:
                low, high = percentiles(sign * (home.draws[i] - cell.draws[i]), level)
                gap = sign * (home.value[i] - cell.value[i])
                rows.append([*key, domain, name, gap, cell.n, low, high])
    return pd.DataFrame(rows, columns=[*cells.by, "domain", *COLUMNS])


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
) -> pd.DataFrame:
    """Metric of algorithm ``a`` minus that of ``b`` on the same images: by, metric, value, n, low, high.

    Both see the same resampled patients, so what makes a patient hard for both cancels. by=() gives the mean over
    domains; with units="domain" its interval is Student's t over the domain differences (see ``sign_flip_test``).
    ValueError where the two were not tested on the same images with the same labels.
    """
    check_same_images(frame, a, b)
    both = (cells_by_domain(frame[frame["algorithm"] == x], by, [metric], n_resamples, seed) for x in (a, b))
    return paired_difference_of(*both, level, units)


def paired_difference_of(
    a: Cells, b: Cells, level: float = 0.95, units: str = "patient", metric: str | None = None
) -> pd.DataFrame:
    """`paired_difference` from the cells of both algorithms; ``metric``: one of theirs, the first unless given."""
    i, name = _position(a, metric)
    rows = []
    for key, domains in a.groups.items():
        pairs = [(cell, b.groups[key][domain]) for domain, cell in domains.items()]
        values = np.array([cell.value[i] - other.value[i] for cell, other in pairs])
        draws = np.mean([cell.draws[i] - other.draws[i] for cell, other in pairs], axis=0)
        value, low, high = _interval(values, draws, level, units)
        rows.append([*key, name, value, sum(cell.n for cell in domains.values()), low, high])
    return pd.DataFrame(rows, columns=[*a.by, *COLUMNS])


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


def _interval(values: np.ndarray, draws: np.ndarray, level: float, units: str) -> Interval:
    """Mean of the domain values with the interval for other patients (``draws``) or for other domains (Student's t)."""
    value = float(values.mean())
    if units == "patient":
        return Interval(value, *percentiles(draws, level))
    if units != "domain":
        raise ValueError(f"units {units!r}: choose 'patient' (other patients) or 'domain' (other hospitals)")
    return t_interval(values, level)


def _position(cells: Cells, metric: str | None) -> tuple[int, str]:
    name = metric or cells.metrics[0]
    if name not in cells.metrics:
        raise ValueError(f"no metric {name!r} in these cells: choose from {list(cells.metrics)}")
    return cells.metrics.index(name), name
