"""The mixed model finds what was put in, and agrees with plain formulas where the design is balanced."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from scipy import stats

from medgen_utils.benchmark.mixed import mixed_gain, two_intervals
from medgen_utils.evaluation.intervals import t_interval


def drawn(sites=6, scanners=1, seeds=3, mean=0.02, sd=(0.02, 0.0, 0.01), seed=0) -> pd.DataFrame:
    random, rows = np.random.default_rng(seed), []
    for site in range(sites):
        of_site = random.normal(0, sd[0])
        for scanner in range(scanners):
            of_scanner = random.normal(0, sd[1])
            for repeat in range(seeds):
                value = mean + of_site + of_scanner + random.normal(0, sd[2])
                rows.append([f"site {site}", f"site {site}, scanner {scanner}", repeat, value])
    return pd.DataFrame(rows, columns=["site", "domain", "seed", "value"])


def test_a_balanced_design_without_scanners_is_the_t_interval_over_sites():
    frame = drawn(sd=(0.03, 0.0, 0.005))
    gain = mixed_gain(frame)
    by_site = frame.groupby("site")["value"].mean()
    assert (gain.value, gain.low, gain.high) == pytest.approx(tuple(t_interval(by_site.to_numpy())[:3]), abs=2e-4)
    assert np.isnan(gain.sd_scanner) and (gain.sites, gain.scanners, gain.differences) == (6, 6, 18)


def test_a_balanced_nested_design_gives_the_components_of_variance_of_the_analysis_of_variance():
    frame = drawn(sites=30, scanners=3, seeds=4, sd=(0.03, 0.02, 0.01))
    gain = mixed_gain(frame)
    within = frame.groupby("domain")["value"].var(ddof=1).mean()
    scanner = frame.groupby(["site", "domain"])["value"].mean().groupby("site").var(ddof=1).mean() - within / 4
    site = frame.groupby("site")["value"].mean().var(ddof=1) - scanner / 3 - within / 12
    expected = np.sqrt([site, scanner, within])
    assert np.array([gain.sd_site, gain.sd_scanner, gain.sd_seed]) == pytest.approx(expected, rel=0.02)


def test_the_interval_covers_the_mean_of_other_sites():
    covered = [g.low <= 0.02 <= g.high for g in (mixed_gain(drawn(sites=5, seeds=2, seed=s)) for s in range(120))]
    assert stats.binomtest(sum(covered), len(covered), 0.95).pvalue > 0.001


def test_where_sites_do_not_differ_the_error_is_that_of_equal_draws():
    """The variance of sites is then estimated as zero, its bound, where a fit by second derivatives gives no error."""
    frame = drawn(sites=4, sd=(0.0, 0.0, 0.01), seeds=2, seed=1)
    frame["value"] -= frame.groupby("site")["value"].transform("mean") - 0.02  # sites are as equal as can be
    gain = mixed_gain(frame)
    assert gain.sd_site == pytest.approx(0, abs=1e-4)
    half = stats.t.ppf(0.975, 3) * gain.sd_seed / np.sqrt(len(frame))
    assert (gain.low, gain.high) == pytest.approx((gain.value - half, gain.value + half), abs=1e-5)


@pytest.mark.filterwarnings("ignore:The MLE may be")
@pytest.mark.parametrize("seed", range(3))
def test_inside_the_bounds_the_error_is_that_of_the_fit(seed):
    frame = drawn(sites=12, scanners=3, seeds=3, sd=(0.03, 0.02, 0.01), seed=seed)
    model = smf.mixedlm("value ~ 1", frame, groups="site", re_formula="1", vc_formula={"scanner": "0 + C(domain)"})
    error = model.fit(reml=True).bse_fe.iloc[0]
    gain = mixed_gain(frame)
    assert (gain.high - gain.low) / 2 == pytest.approx(stats.t.ppf(0.975, 11) * error, rel=0.01)


@pytest.mark.parametrize("factor", [-1e-4, 1e3])
def test_a_gain_in_another_unit_is_the_same_gain(factor):
    frame = drawn(sites=4, scanners=2, seeds=2, sd=(0.03, 0.02, 0.01))
    gain, other = mixed_gain(frame), mixed_gain(frame.assign(value=factor * frame["value"]))
    spread = np.array([gain.high - gain.low, gain.sd_site, gain.sd_scanner, gain.sd_seed])
    expected = abs(factor) * spread
    assert other.value == pytest.approx(factor * gain.value, rel=1e-3)
    found = [other.high - other.low, other.sd_site, other.sd_scanner, other.sd_seed]
    assert found == pytest.approx(expected, rel=1e-3, abs=1e-3 * expected[0])


def test_equal_differences_have_no_spread():
    gain = mixed_gain(drawn(sites=4, scanners=2, sd=(0.0, 0.0, 0.0)))
    assert (gain.value, gain.low, gain.high) == pytest.approx((0.02,) * 3, abs=1e-5)
    assert (gain.sd_site, gain.sd_scanner, gain.sd_seed) == pytest.approx((0, 0, 0), abs=1e-4)


@pytest.mark.parametrize(("sites", "seeds", "told"), [(1, 3, "1 site"), (4, 1, "one difference a site")])
def test_what_cannot_be_told_apart_is_refused(sites, seeds, told):
    with pytest.raises(ValueError, match=told):
        mixed_gain(drawn(sites=sites, seeds=seeds))


def scored(frame: pd.DataFrame) -> pd.DataFrame:
    """Tested rows of ERM, of a method ahead of it by the drawn gains, and of its mirror image."""
    luck = np.random.default_rng(9).normal(0.8, 0.05, len(frame))
    parts = [("ERM", luck), ("ahead", luck + frame["value"]), ("behind", luck - frame["value"])]
    return pd.concat([frame.assign(method=name, auroc=score, unit=frame["domain"]) for name, score in parts])


def test_two_intervals_agree_where_every_scanner_is_a_site_and_differ_where_three_share_one():
    alone = two_intervals(scored(drawn(sites=6, seeds=2)), ["behind", "ahead"], "ERM")
    assert list(alone.index) == ["ahead", "behind"]
    assert alone["low"].to_numpy() == pytest.approx(alone["nested_low"].to_numpy(), abs=5e-4)
    frame = drawn(sites=4, seeds=1, sd=(0.03, 0.0, 0.0))
    others = [frame[frame["site"] == "site 0"].assign(domain=f"other {k}") for k in range(2)]
    crowded = pd.concat([frame, *others], ignore_index=True)
    crowded["value"] += np.random.default_rng(1).normal(0, 0.003, len(crowded))
    table = two_intervals(scored(crowded), ["ahead"], "ERM").loc["ahead"]
    assert (table["units"], table["sites"]) == (6, 4)
    assert table["nested_high"] - table["nested_low"] > table["high"] - table["low"]  # three scanners are one draw
    by_site = frame["value"].mean()
    assert abs(table["nested_difference"] - by_site) < abs(table["difference"] - by_site)


def test_two_intervals_wait_for_a_second_difference():
    assert two_intervals(scored(drawn(sites=4, seeds=1)), ["ahead"], "ERM").empty
