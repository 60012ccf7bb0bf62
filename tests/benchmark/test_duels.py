"""A pool holds its runs' own scores, and dealing counts what a habit says of nothing."""

import numpy as np
import pandas as pd
import pytest

from medgen_utils.benchmark.duels import Pool, deal, pool_of
from medgen_utils.evaluation import auroc


def frame(seeds=4, n=60, domain="A"):
    random, parts = np.random.default_rng(0), []
    for seed in range(seeds):
        y = np.arange(n) % 2
        p = 1 / (1 + np.exp(-(y - 0.5 + random.normal(size=n))))
        parts.append(pd.DataFrame({
            "run": f"{domain}/{seed}", "algorithm": "ERM", "seed": seed, "split": "test", "domain": domain,
            "group": [f"{i // 2}" for i in range(n)], "index": np.arange(n), "y": y, "prob_0": 1 - p, "prob_1": p,
        }))  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def test_a_pool_has_a_score_a_run_and_resamples_of_the_same_patients():
    runs = frame()
    pool = pool_of(runs, "A", n_resamples=50)
    by_hand = [auroc(part["y"].to_numpy(), part["prob_1"].to_numpy()) for _, part in runs.groupby("seed")]
    assert pool.value.tolist() == pytest.approx(by_hand) and pool.draws.shape == (4, 50)
    twice = pd.concat([runs[runs["seed"] == 0], runs[runs["seed"] == 0].assign(run="again", seed=1)])
    same = pool_of(twice, "A", n_resamples=50)
    assert (same.draws[0] == same.draws[1]).all() and same.seed_sd == 0 < same.patient_sd


@pytest.mark.parametrize(("runs", "said"), [
    (pd.concat([frame(), frame(domain="B")]), r"\['A', 'B'\]"), (frame(seeds=1), "at least two"),
])  # fmt: skip
def test_what_is_no_pool_is_refused(runs, said):
    with pytest.raises(ValueError, match=said):
        pool_of(runs, "pool", n_resamples=20)


def test_dealing_counts_calls_and_no_run_plays_against_itself():
    pool = Pool("A", np.arange(8.0), np.zeros((8, 3)))
    seen = []

    def habits(value, draws, a, b):
        seen.append((len(a), len({*a, *b})))
        return {"first side ahead": value[a].mean() > value[b].mean(), "always": True}

    shares = deal([pool], habits, sides=(1, 4), n=400).set_index(["seeds", "habit"])["share"]
    assert (shares[:, "always"] == 1).all()
    assert shares[1, "first side ahead"] == pytest.approx(0.5, abs=0.08)
    assert set(seen) == {(1, 2), (4, 8)}


def test_an_honest_test_keeps_its_level_and_a_margin_does_not():
    random = np.random.default_rng(1)
    value = random.normal(0.8, 0.02, 4000)
    pool = Pool("A", value, np.zeros((len(value), 2)))

    def habits(value, draws, a, b):
        z = (value[a].mean() - value[b].mean()) / (0.02 * np.sqrt(2 / len(a)))
        return {"z test": abs(z) > 1.96, "margin": abs(value[a].mean() - value[b].mean()) > 0.01}

    shares = deal([pool], habits, sides=(3,), n=4000).set_index("habit")["share"]
    assert shares["z test"] == pytest.approx(0.05, abs=0.015) and shares["margin"] > 0.4


def test_too_few_runs_for_two_sides():
    with pytest.raises(ValueError, match="8 runs, two sides of 5 take 10"):
        deal([Pool("A", np.arange(8.0), np.zeros((8, 3)))], lambda *_: {}, sides=(5,))
