"""The parts of the variance come out as they were put in."""

import numpy as np
import pandas as pd
import pytest

from medgen_utils.benchmark import evidence
from medgen_utils.benchmark.entries import PROTOCOL
from medgen_utils.benchmark.spread import (
    gap_differences,
    limits,
    method_differences,
    of_differences,
    stored_gain,
    stored_gap,
)
from medgen_utils.evaluation.delong import delong
from medgen_utils.evaluation.metrics import auroc
from medgen_utils.evaluation.power import auroc_variance


def drawn(sites: int, seeds: int, sd=(0.04, 0.02, 0.03), seed: int = 0) -> pd.DataFrame:
    random, rows = np.random.default_rng(seed), []
    for site in range(sites):
        mean = random.normal(0.05, np.hypot(sd[0], sd[2]))  # the patients of a site are the same for all its seeds
        rows += [[f"site {site}", k, mean + random.normal(0, sd[1]), sd[2] ** 2] for k in range(seeds)]
    return pd.DataFrame(rows, columns=["site", "seed", "value", "patients"])


def test_many_sites_give_the_parts_that_were_put_in():
    found = of_differences(drawn(3000, 4), 0.5)
    assert (found.spread.site, found.spread.seed) == pytest.approx((0.04, 0.02), rel=0.05)
    assert (found.spread.correlation, found.sites, found.seeds) == (0.5, 3000, 4)


def test_the_luck_of_seeds_may_be_known_from_elsewhere():
    found = of_differences(drawn(3000, 1), seed_sd=0.02)
    assert (found.spread.site, found.spread.seed) == pytest.approx((0.04, 0.02), rel=0.05)


def test_sites_that_do_not_differ_have_no_spread_rather_than_a_negative_one():
    values = [of_differences(drawn(6, 3, (0.0, 0.02, 0.03), seed)).spread.site for seed in range(200)]
    assert min(values) == 0 and np.mean(np.array(values) == 0) > 0.3


def test_four_sites_know_a_spread_to_a_factor_and_the_limits_say_so():
    random = np.random.default_rng(0)
    bounds = [limits(random.normal(0, 0.03, 4).std(ddof=1), 4) for _ in range(2000)]
    assert np.mean([low <= 0.03 <= high for low, high in bounds]) == pytest.approx(0.95, abs=0.015)
    low, high = limits(0.03, 4)
    assert high / low > 6


@pytest.mark.parametrize(("sites", "seeds"), [(1, 3), (5, 1)])
def test_what_cannot_be_told_apart_is_refused(sites, seeds):
    with pytest.raises(ValueError, match=f"{sites} sites with {seeds} seeds"):
        of_differences(drawn(sites, seeds))


def images(strength: float, noise: float, seed: int) -> pd.DataFrame:
    """One run at one domain; the patients' own difficulty is shared by all runs."""
    shared, own = np.random.default_rng(0), np.random.default_rng(seed)
    y = np.repeat([0, 1], 150)
    score = strength * y + shared.normal(size=300) + own.normal(0, noise, 300)
    names = [f"patient {i}" for i in range(300)]
    frame = {
        "domain": "A",
        "seed": 0,
        "index": np.arange(300),
        "group": names,
        "y": y,
        "prob_1": 1 / (1 + np.exp(-score)),
    }
    return pd.DataFrame(frame)


def test_two_models_that_agree_on_patients_are_correlated_and_a_difference_varies_less():
    a, b, far = images(1.5, 0.2, 1), images(1.2, 0.2, 2), images(1.2, 3.0, 3)
    near, rho = method_differences(a, b, {"A": "hospital"})
    apart, little = method_differences(a, far, {})
    assert rho > 0.8 > 0.6 > little and near["patients"][0] < apart["patients"][0]
    assert near["site"][0] == "hospital" and apart["site"][0] == "A"
    expected = auroc(a["y"].to_numpy(), a["prob_1"].to_numpy()) - auroc(b["y"].to_numpy(), b["prob_1"].to_numpy())
    assert near["value"][0] == pytest.approx(expected)
    units = np.arange(300)
    one, other = (delong(f["y"].to_numpy() == 1, f["prob_1"].to_numpy(), units, 300) for f in (a, b))
    assert near["patients"][0] == pytest.approx(((one.influence - other.influence) ** 2).sum(), rel=0.2)


def test_a_gap_adds_the_patients_inside_to_those_outside():
    frame = images(1.5, 0.2, 1)
    score = auroc(frame["y"].to_numpy(), frame["prob_1"].to_numpy())
    picked = pd.DataFrame(
        {"left_out": ["A"], "seed": [0], "domain": ["A"], "site": ["hospital"], "auroc": [score], "n": [300]}
    )
    inside = pd.DataFrame({"left_out": ["A"], "seed": [0], "auroc": [0.9], "n": [200]})
    (row,) = gap_differences(picked, inside, frame, 0.4).to_dict("records")
    assert row["value"] == pytest.approx(0.9 - score) and row["site"] == "hospital"
    outside = row["patients"] - auroc_variance(0.9, 80, 120)
    assert outside == pytest.approx(auroc_variance(score, 150, 150), rel=0.2)


def test_what_the_store_says_of_a_gap_has_its_parts():
    found = stored_gap("breast hospitals", prevalence=0.33)
    assert found.sites == 4 and found.low < found.high and 0 <= found.spread.site < found.high
    rarer = stored_gap("breast hospitals", prevalence=0.05)
    assert rarer.spread.site < found.spread.site  # fewer cases inside explain more of what is seen


def test_what_the_store_says_of_gains_names_its_methods():
    found, names = stored_gain("breast hospitals")
    assert names and "ERM" not in names and not [name for name in names if name.startswith("reference")]
    assert 0 < found.spread.correlation < 1 and found.spread.seed > 0


def test_what_gains_vary_by_is_measured_method_by_method():
    found, names = stored_gain("breast hospitals")
    images = evidence.predictions("breast hospitals", PROTOCOL)
    erm = images[images["algorithm"] == "ERM"]
    sites = evidence.result("breast hospitals", ["ERM"], protocol=PROTOCOL).sites
    pairs = [method_differences(images[images["algorithm"] == name], erm, sites) for name in names]
    assert found.spread.correlation == pytest.approx(np.mean([rho for _, rho in pairs]))
    site = [of_differences(differences, rho, found.spread.seed).spread.site for differences, rho in pairs]
    assert found.spread.site == pytest.approx(np.sqrt(np.mean(np.square(site))))
    assert (found.sites, found.seeds) == (4, erm["seed"].nunique())
