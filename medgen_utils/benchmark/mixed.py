"""A mixed model of a method's gain: scanners within sites, seeds within scanners. Chapter: scoreboard."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from medgen_utils.evaluation.intervals import t_interval


class Gain(NamedTuple):
    """value with low and high (the mean gain and its interval), and the standard deviations sd_site, sd_scanner (NaN
    where no site has two) and sd_seed, with the numbers of sites, scanners and differences they rest on."""

    value: float
    low: float
    high: float
    sd_site: float
    sd_scanner: float
    sd_seed: float
    sites: int
    scanners: int
    differences: int


def mixed_gain(differences: pd.DataFrame, level: float = 0.95) -> Gain:
    """Fit gain = mean + site + scanner within site + seed to the differences of a method from the baseline.

    differences: columns value, site, domain (the scanner) and seed, a row a run. Site and scanner are random: the
    interval of the mean is about other sites of the kind, by Student's t with sites - 1 degrees of freedom, since the
    usual normal one is too narrow for so few. Restricted maximum likelihood (statsmodels' MixedLM). ValueError with
    fewer than two sites, or where no site has two differences, so that the parts cannot be told apart.
    """
    import statsmodels.formula.api as smf  # a second to import

    sites = differences["site"].nunique()
    if sites < 2:
        raise ValueError(f"the differences are of {sites} site: a gain at other sites needs at least 2")
    if not differences.groupby("site").size().gt(1).any():
        raise ValueError("one difference a site: sites and seeds cannot be told apart, use an interval over sites")
    scanners = differences.groupby("site")["domain"].nunique()
    nested = bool((scanners > 1).any()) and differences.groupby("domain").size().gt(1).any()
    unit = differences["value"].std() or 1.0  # the search for the variances starts at 1
    parts = {"scanner": "0 + C(domain)"} if nested else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a variance at its bound of zero, which is a result and no failure
        scaled = differences.assign(value=differences["value"] / unit)
        model = smf.mixedlm("value ~ 1", scaled, groups="site", re_formula="1", vc_formula=parts)
        fit = model.fit(reml=True, method="powell")  # without gradients, which break down at that bound
    value = unit * float(fit.fe_params.iloc[0])
    variances = [fit.cov_re.iloc[0, 0], fit.vcomp[0] if nested else np.nan, fit.scale]
    half = stats.t.ppf(0.5 + level / 2, sites - 1) * unit * _error(differences, *np.nan_to_num(variances))
    spread = (unit * np.sqrt(np.maximum(variances, 0))).tolist()
    return Gain(value, value - half, value + half, *spread, sites, int(scanners.sum()), len(differences))


def _error(differences: pd.DataFrame, site: float, scanner: float, seed: float) -> float:
    """Standard error of the mean, (1' V^-1 1)^-1/2, where V holds these variances of site, scanner and seed.

    The fit's own comes from second derivatives, which do not exist where a variance is at its bound of zero.
    """
    same_site, same_scanner = (
        differences[column].to_numpy()[:, None] == differences[column].to_numpy() for column in ("site", "domain")
    )
    covariance = site * same_site + scanner * same_scanner + max(seed, 1e-12) * np.eye(len(differences))
    return float(np.linalg.solve(covariance, np.ones(len(differences))).sum() ** -0.5)


def two_intervals(final: pd.DataFrame, methods: Sequence[str], baseline: str) -> pd.DataFrame:
    """The mean gain of each method, by the interval over units and by the mixed model: index method, best first.

    final: tested rows of the chosen trials (`standings.final_scores`: method, unit, site, domain, seed, auroc).
    Columns difference, low, high (mean of seeds at a unit, Student's t over units), units, and with ``nested_`` in
    front those of `mixed_gain`, with sd_site, sd_scanner, sd_seed and sites. Empty where there is one site, or one
    difference a site.
    """
    if not len(methods):
        return pd.DataFrame()
    runs = final.pivot_table(index=["site", "domain", "unit", "seed"], columns="method", values="auroc")
    of_site = runs.groupby("site").size()
    if len(of_site) < 2 or of_site.max() < 2:
        return pd.DataFrame()
    rows = {}
    for method in methods:
        gains = (runs[method] - runs[baseline]).dropna().rename("value").reset_index()
        nested = mixed_gain(gains)
        simple = t_interval(gains.groupby("unit")["value"].mean().to_numpy())
        rows[method] = {"difference": simple.value, "low": simple.low, "high": simple.high}
        rows[method] |= {"units": gains["unit"].nunique(), "sites": nested.sites}
        rows[method] |= {"nested_difference": nested.value, "nested_low": nested.low, "nested_high": nested.high}
        rows[method] |= {"sd_site": nested.sd_site, "sd_scanner": nested.sd_scanner, "sd_seed": nested.sd_seed}
    return pd.DataFrame.from_dict(rows, orient="index").sort_values("difference", ascending=False)
