"""What scores varied by in the evidence store: between sites, seeds and patients. Chapter: evaluation_protocols.

Moments: the variance that is seen between sites is that of the sites plus what seeds and patients add to the mean of a
site, so these parts are subtracted; a variance below zero is zero. With four sites this is known to a factor and not
better: `limits` says by how much.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from medgen_utils.benchmark import evidence
from medgen_utils.benchmark.entries import PROTOCOL
from medgen_utils.benchmark.standings import BASELINE, REFERENCES
from medgen_utils.evaluation.delong import delong
from medgen_utils.evaluation.power import Spread, auroc_variance


class Estimate(NamedTuple):
    """spread, with what it rests on: sites, seeds (most at a site), low and high of the standard deviation between
    sites (95 %, of what is seen, before seeds and patients are subtracted)."""

    spread: Spread
    low: float
    high: float
    sites: int
    seeds: int


def limits(sd: float, sites: int, level: float = 0.95) -> tuple[float, float]:
    """Interval of a standard deviation that ``sites`` normal values had (chi square with sites - 1 degrees)."""
    free = sites - 1
    low, high = (np.sqrt(free / stats.chi2.ppf(q, free)) * sd for q in (0.5 + level / 2, 0.5 - level / 2))
    return float(low), float(high)


def of_differences(differences: pd.DataFrame, correlation: float = 0.0, seed_sd: float | None = None) -> Estimate:
    """The parts of measured differences: columns site, value and patients (its variance over other patients), a row a
    site and seed.

    seed_sd: the standard deviation between seeds, where other runs know it. ValueError with fewer than two sites, or
    where neither it nor a site with two seeds is there: the parts cannot be told apart.
    """
    by_site = differences.groupby("site")
    counts, free = by_site.size(), (by_site.size() - 1).sum()
    if len(counts) < 2 or not (free or seed_sd is not None):
        seeds = f"{len(counts)} sites with {counts.max()} seeds at most"
        raise ValueError(f"{seeds}: needs two sites, and two seeds at one")
    within = float((by_site["value"].var(ddof=1).fillna(0) * (counts - 1)).sum() / max(free, 1))
    seed = within if seed_sd is None else seed_sd**2
    seen = float(by_site["value"].mean().var(ddof=1))
    added = float((seed / counts).mean() + by_site["patients"].mean().mean())
    low, high = limits(np.sqrt(seen), len(counts))
    spread = Spread(float(np.sqrt(max(seen - added, 0))), float(np.sqrt(seed)), correlation)
    return Estimate(spread, low, high, len(counts), int(counts.max()))


def gap_differences(
    picked: pd.DataFrame, inside: pd.DataFrame, images: pd.DataFrame, prevalence: float
) -> pd.DataFrame:
    """The gap of one method at each site and seed, for `of_differences`.

    picked, inside: rows of the store for target and sources (`evidence.result`'s frame and inside); images: predictions
    of the method on the targets (`evidence.predictions`). The variance over patients is DeLong's at the target, with
    patients as units, and Hanley and McNeil's inside, where images of a patient count as patients.
    """
    rows = picked.merge(inside[["left_out", "seed", "auroc", "n"]], on=["left_out", "seed"], suffixes=("", "_inside"))
    over = {key: _delong(part).variance for key, part in images.groupby(["domain", "seed"])}
    found = []
    for row in rows.itertuples():
        cases = row.n_inside * prevalence
        patients = over[row.domain, row.seed] + auroc_variance(row.auroc_inside, cases, row.n_inside - cases)
        found.append([row.site, row.seed, row.auroc_inside - row.auroc, patients])
    return pd.DataFrame(found, columns=["site", "seed", "value", "patients"])


def method_differences(one: pd.DataFrame, other: pd.DataFrame, sites: dict[str, str]) -> tuple[pd.DataFrame, float]:
    """one minus other (predictions of two methods, the same images) for `of_differences`, and their mean correlation.

    A row a site and seed that both have; the variance over patients is DeLong's of the difference.
    """
    found, correlations = [], []
    mine = dict(tuple(one.groupby(["domain", "seed"])))
    for key, part in other.groupby(["domain", "seed"]):
        if key not in mine:
            continue
        a, b = _delong(mine[key].sort_values("index")), _delong(part.sort_values("index"))
        covariance = float(a.influence @ b.influence)
        correlations.append(covariance / np.sqrt(float(a.influence @ a.influence) * float(b.influence @ b.influence)))
        patients = max(a.variance + b.variance - 2 * covariance, 0.0)
        found.append([sites.get(key[0], key[0]), key[1], a.value - b.value, patients])
    return pd.DataFrame(found, columns=["site", "seed", "value", "patients"]), float(np.mean(correlations))


def stored_gap(problem: str, prevalence: float, protocol: int = PROTOCOL) -> Estimate:
    """What the gap of ERM, inside minus a site left out, varies by in the store.

    prevalence: share of cases among the images inside, of which the store knows the number alone.
    """
    stored = evidence.result(problem, [BASELINE], protocol=protocol)
    images = evidence.predictions(problem, protocol)
    mine = images[images["algorithm"] == BASELINE]
    return of_differences(gap_differences(stored.frame, stored.inside, mine, prevalence))


def stored_gain(problem: str, protocol: int = PROTOCOL) -> tuple[Estimate, tuple[str, ...]]:
    """What a method's difference to ERM varies by in the store, and the methods that say so.

    The luck of seeds is that of ERM against itself. The methods are those whose predictions are stored at every site;
    their variances between sites are averaged. ValueError where there is none yet.
    """
    images = evidence.predictions(problem, protocol)
    erm = images[images["algorithm"] == BASELINE]
    sites = evidence.result(problem, [BASELINE], protocol=protocol).sites
    seeds = sorted(set(erm["seed"]))
    pairs = []
    for a, b in pairwise(seeds):
        other = erm[erm["seed"] == b].assign(seed=a)
        pairs.append(method_differences(erm[erm["seed"] == a], other, sites)[0])
    luck = float(np.sqrt((pd.concat(pairs)["value"] ** 2).mean()))  # both means are ERM's, so the mean is zero
    estimates = {}
    for name in sorted(set(images["algorithm"]) - {BASELINE, *REFERENCES}):
        found, rho = method_differences(images[images["algorithm"] == name], erm, sites)
        if found["site"].nunique() == len(set(sites.values())):
            estimates[name] = of_differences(found, rho, luck)
    if not estimates:
        raise ValueError(f"no method has all sites of {problem} yet: run more of the sweep")
    every = list(estimates.values())
    site = float(np.sqrt(np.mean([one.spread.site**2 for one in every])))
    low, high = (float(np.sqrt(np.mean([getattr(one, end) ** 2 for one in every]))) for end in ("low", "high"))
    rho = float(np.mean([one.spread.correlation for one in every]))
    return Estimate(Spread(site, luck, rho), low, high, every[0].sites, len(seeds)), tuple(estimates)


def _delong(images: pd.DataFrame):
    """AUROC of the images of one run at one domain, patients as units."""
    units = pd.factorize(images["group"])[0]
    return delong(images["y"].to_numpy() == 1, images["prob_1"].to_numpy(), units, int(units.max()) + 1)
