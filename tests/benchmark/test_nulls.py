"""Null boards keep the places and lose the methods."""

import numpy as np
import pandas as pd
import pytest

from medgen_utils.benchmark.nulls import best_of_nothing, null_boards, null_rate, seed_spread


def board(methods=6, targets=4, seeds=3, sd=0.02, gain=0.1, seed=0) -> pd.DataFrame:
    random, rows = np.random.default_rng(seed), []
    for k in range(methods):
        for target in range(targets):
            for repeat in range(seeds):
                name = "ERM" if k == 0 else f"method {k}"
                value = 0.6 + 0.05 * target + gain * k + random.normal(0, sd)
                rows.append(["real", name, f"target {target}", repeat, value])
    return pd.DataFrame(rows, columns=["problem", "method", "domain", "seed", "auroc"])


def test_the_spread_between_seeds_is_found_whatever_methods_and_targets_differ_by():
    assert seed_spread(board(methods=40, targets=8))["real"] == pytest.approx(0.02, rel=0.1)


def test_one_seed_tells_nothing_about_luck():
    with pytest.raises(ValueError, match=r"real.*two seeds"):
        seed_spread(board(seeds=1))


def test_on_null_boards_no_method_is_better_and_targets_stay_what_they_are():
    final = board()
    mean = sum(null["auroc"] for null in null_boards(final, 400)) / 400
    by_target = mean.groupby(final["domain"]).agg(["min", "max"])
    erm = final[final["method"] == "ERM"].groupby("domain")["auroc"].mean()
    assert np.allclose(by_target["min"], erm, atol=0.006) and np.allclose(by_target["max"], erm, atol=0.006)


def test_null_boards_vary_as_seeds_do_and_repeat_with_their_seed():
    final = board(methods=30)
    (one,) = null_boards(final, 1, seed=3)
    (same,) = null_boards(final, 1, seed=3)
    pd.testing.assert_frame_equal(one, same)
    assert one.groupby(["method", "domain"])["auroc"].var().mean() ** 0.5 == pytest.approx(0.02, rel=0.15)


def test_a_clinic_drawn_for_each_seed_keeps_its_own_score():
    final = board(targets=1, seeds=5, sd=0.1).assign(domain="new hospital")
    spread = pd.Series({"real": 1e-6})
    (null,) = null_boards(final, 1, spread=spread)
    erm = final[final["method"] == "ERM"].set_index("seed")["auroc"]
    assert np.allclose(null["auroc"], null["seed"].map(erm), atol=1e-4)


def test_a_sentence_that_cannot_fail_has_a_null_rate_of_one():
    def some_winner_exists(final):
        return final.groupby("method")["auroc"].mean().idxmax() is not None

    def method_5_beats_erm_by_a_tenth(final):
        mean = final.groupby("method")["auroc"].mean()
        return mean["method 5"] > mean["ERM"] + 0.1

    assert null_rate(board(), some_winner_exists, n=20) == 1
    assert null_rate(board(), method_5_beats_erm_by_a_tenth, n=50) == 0
    assert method_5_beats_erm_by_a_tenth(board())


def test_one_nothing_has_no_lead_and_the_spread_of_a_difference_of_means():
    lead = best_of_nothing(0.02, units=4, seeds=3, contenders=1, n=40_000)
    assert lead.mean() == pytest.approx(0, abs=2e-4)
    assert lead.std() == pytest.approx(0.02 * np.sqrt(2 / 12), rel=0.02)


def test_the_best_of_many_nothings_leads_by_the_largest_of_as_many_normal_draws():
    lead = best_of_nothing(0.02, units=4, seeds=1, contenders=28, n=40_000)
    expected = 0.01 * np.random.default_rng(5).normal(size=(40_000, 28)).max(axis=1).mean()
    assert lead.mean() == pytest.approx(expected, rel=0.02)
