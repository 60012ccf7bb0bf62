"""The scoreboard says of a sweep what can be counted by hand: picks, differences, families, and what is missing."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib import pyplot as plt
from scipy import stats

from medgen_utils import plotting, selection
from medgen_utils.benchmark import KEY, RULES
from medgen_utils.benchmark.entries import CONTENDERS, PROBLEMS, Contender, Problem
from medgen_utils.benchmark.runs import plan
from medgen_utils.benchmark.standings import (
    any_setting,
    by_rule,
    chosen,
    common,
    coverage,
    final_scores,
    finished,
    standings,
)
from medgen_utils.evaluation.intervals import holm, t_interval

DOMAINS = ("A", "B", "C", "D")
REAL = Problem("real", None, DOMAINS, ("B", "A", "D", "C"), steps=1, seeds=3)
DRAWN = Problem("drawn", None, ("new",), ("B",), steps=1, seeds=4)
REFERENCE = "reference: target included"
CREW = (
    Contender("ERM", "reference"),
    Contender(REFERENCE, "reference", sees_target=True),
    Contender("one", "remedy"),
    Contender("two", "remedy"),
)
INNER = {("real", t): i for t, i in zip(REAL.targets, REAL.inner, strict=True)} | {("drawn", "new"): "B"}


def made_up(seed: int = 0, trials: int = 3) -> pd.DataFrame:
    """A finished sweep of CREW on REAL and DRAWN with scores that are drawn, not trained."""
    random, rows = np.random.default_rng(seed), []
    for task in plan(CREW, (REAL, DRAWN), trials):
        for part, domain in [("validation", "all sources"), *(("test", domain) for domain in task.left_out)]:
            scores = [round(random.uniform(0.5, 1), 6), random.uniform(1, 2)]
            rows.append([*task.key, task.contender.family, part, domain, *scores])
    return pd.DataFrame(rows, columns=[*KEY, "family", "split", "domain", "auroc", "seconds"])


RESULTS = made_up()
UNIT = ["problem", "method", "left_out", "seed"]


def of(table: pd.DataFrame, problem: str, method: str) -> pd.Series:
    (row,) = table[(table["problem"] == problem) & (table["method"] == method)].to_dict("records")
    return pd.Series(row)


def rule_by_rule(results: pd.DataFrame, rule: str) -> list[tuple]:
    """The picks of the rules of `selection`, one target and seed at a time."""
    results = results.assign(step=0, metric="auroc", value=results["auroc"])
    alone = results[~results["left_out"].str.contains(" + ", regex=False)]
    picked = []
    for (problem, method, target, seed), runs in alone.groupby(UNIT):
        held_out = INNER[problem, target]
        pair = results.query("problem == @problem and method == @method and domain == @held_out and seed == @seed")
        pair = pair[pair["left_out"] == " + ".join(sorted([target, held_out]))].assign(held_out=held_out)
        if rule == "training-domain validation":
            choice = selection.training_domain_validation(runs)
        elif rule == "oracle":
            choice = selection.oracle(runs)
        elif pair.empty:
            continue
        else:
            choice = selection.held_out_domain_validation(pair.assign(split="validation"))
        (row,) = runs[(runs["trial"] == choice.trial) & (runs["split"] == "test")].to_dict("records")
        picked.append((problem, method, target, seed, choice.trial, row["auroc"]))
    return picked


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("seed", range(3))
def test_what_is_chosen_is_what_the_rules_of_selection_choose(rule, seed):
    results = made_up(seed)
    at_once = chosen(results, rule, INNER)[[*UNIT, "trial", "auroc"]]
    assert list(at_once.itertuples(index=False, name=None)) == rule_by_rule(results, rule)


def test_a_search_that_was_cut_short_does_not_count():
    whole = made_up(trials=4)  # as many as these contenders have
    short = whole.query("not (method == 'one' and left_out == 'A' and seed == 1 and trial == 2)")
    left = finished(short, CREW, (REAL, DRAWN))
    assert left.query("method == 'one' and left_out == 'A' and seed == 1").empty
    rest = "not (method == 'one' and left_out == 'A' and seed == 1)"
    pd.testing.assert_frame_equal(left, whole.query(rest).reset_index(drop=True))


def test_only_units_that_all_methods_have_are_compared():
    lacking = RESULTS.query("not (method == 'one' and problem == 'real' and (left_out == 'D' or seed == 2))")
    left = common(lacking).query("problem == 'real' and not left_out.str.contains(' + ', regex=False)")
    runs = left.groupby("method")[["left_out", "seed"]].apply(lambda part: set(map(tuple, part.to_numpy())))
    assert all(units == {(target, seed) for target in "ABC" for seed in (0, 1)} for units in runs)
    assert set(common(lacking, ["ERM", "two"]).query("problem == 'real'")["method"]) == {"ERM", "two", REFERENCE}
    pd.testing.assert_frame_equal(common(RESULTS), RESULTS)
    assert common(lacking.query("not (method == 'one' and problem == 'real')"), ["one"]).query("method == 'one'").size


def test_the_ensemble_stays_where_every_seed_is_there():
    whole = RESULTS.query("problem == 'real' and method != 'two'").copy()
    mean = whole.query("method == 'ERM' and seed == 0 and trial == 0").assign(seed=-1, method="ensemble of seeds")
    rows = pd.concat([whole, mean])
    assert set(common(rows).query("seed == -1")["left_out"]) >= set(DOMAINS)
    fewer = rows.query("not (method == 'one' and left_out == 'B' and seed == 2)")
    assert "B" not in set(common(fewer).query("seed == -1")["left_out"])


def test_selection_is_made_anew_for_every_unit_and_seed():
    trials = chosen(RESULTS).query("problem == 'real' and method == 'one'")["trial"]
    assert len(trials) == len(DOMAINS) * REAL.seeds and trials.nunique() > 1


def test_of_equal_trials_the_first_is_picked():
    results = RESULTS.assign(auroc=0.75)
    assert (chosen(results, "oracle", INNER)["trial"] == 0).all()


def test_an_unknown_rule_is_refused():
    with pytest.raises(ValueError, match="use one of"):
        chosen(RESULTS, "peeking", INNER)


def test_domains_are_the_units_where_there_are_several_and_seeds_where_there_is_one():
    units = final_scores(RESULTS).groupby("problem")["unit"].unique()
    assert sorted(units["real"]) == list(DOMAINS)
    assert sorted(units["drawn"]) == [f"seed {seed}" for seed in range(DRAWN.seeds)]


@pytest.mark.parametrize("problem", ["real", "drawn"])
def test_a_row_by_hand(problem):
    final = final_scores(RESULTS).query("problem == @problem")
    table = final.pivot_table(index="unit", columns="method", values="auroc")
    differences = (table["one"] - table["ERM"]).to_numpy()
    row = of(standings(RESULTS), problem, "one")
    assert (row["value"], row["worst"]) == pytest.approx((table["one"].mean(), table["one"].min()))
    assert row["worst_unit"] == table["one"].idxmin()
    assert (row["difference"], row["low"], row["high"]) == pytest.approx(tuple(t_interval(differences)))
    assert row["p_value"] == pytest.approx(stats.ttest_rel(table["one"], table["ERM"]).pvalue)
    assert row["gains"] == (differences > 0).sum()
    assert row["smallest"] == 2 / 2 ** len(differences)
    assert row["seconds"] == pytest.approx(final.query("method == 'one'")["seconds"].mean())


def test_seconds_of_another_device_do_not_mix_with_those_of_the_baseline():
    mixed = RESULTS.assign(device="cpu", seconds=3.0)
    elsewhere = (mixed["method"] == "one") & (mixed["seed"] > 0)
    mixed.loc[elsewhere, ["device", "seconds"]] = "gpu", 0.1
    mixed.loc[mixed["method"] == "two", "device"] = "gpu"
    table = standings(mixed)
    assert of(table, "drawn", "one")["seconds"] == 3.0 and np.isnan(of(table, "drawn", "two")["seconds"])
    scores = ["value", "difference", "low", "high"]
    pd.testing.assert_frame_equal(table[scores], standings(RESULTS)[scores])


def test_rows_go_from_the_best_down_problem_by_problem():
    table = standings(RESULTS)
    assert table.index.tolist() == list(range(len(table)))
    assert table["problem"].is_monotonic_increasing and table["problem"].nunique() == 2
    assert all(part["value"].is_monotonic_decreasing for _, part in table.groupby("problem"))


def test_the_baseline_differs_from_itself_by_nothing():
    row = of(standings(RESULTS), "real", "ERM")
    assert (row["difference"], row["low"], row["high"], row["gains"]) == (0, 0, 0, 0)
    assert np.isnan(row["p_value"])


def test_ranks_leave_the_reference_out():
    table = standings(RESULTS)
    assert table.loc[table["method"] == REFERENCE, "rank"].isna().all()
    for _, rows in table[table["method"] != REFERENCE].groupby("problem"):
        assert sorted(rows["rank"]) == [1, 2, 3]
        assert rows.sort_values("rank")["value"].is_monotonic_decreasing


def test_an_unfinished_sweep_is_refused_by_name():
    last = RESULTS.query("problem == 'real' and method == 'two' and seed == 2 and left_out == 'D'").index
    with pytest.raises(ValueError, match="real: two has 11 runs, ERM 12"):
        standings(RESULTS.drop(last))


def test_no_rule_beats_the_oracle_and_the_upper_bound_is_left_out():
    table = by_rule(RESULTS, INNER)
    assert (table["oracle"] >= table.max(axis=1) - 1e-12).all()
    assert set(table.index.get_level_values("method")) == {"ERM", "one", "two"}


def test_a_setting_picked_by_lot_is_the_mean_of_all_and_no_pair_counts():
    lot = any_setting(RESULTS)
    tested = RESULTS[(RESULTS["split"] == "test") & ~RESULTS["left_out"].str.contains("+", regex=False)]
    for (problem, method), rows in tested.groupby(["problem", "method"]):
        grid = rows.pivot_table(index=["left_out", "seed"], columns="trial", values="auroc")
        assert lot[problem, method] == pytest.approx(grid.mean(axis=1).mean())
    assert (by_rule(RESULTS, INNER, RULES[2:])["oracle"] >= lot - 1e-12).all()


def test_a_finished_sweep_is_covered_and_a_missing_run_is_counted():
    table = coverage(RESULTS, CREW, (REAL, DRAWN), trials=3)
    assert (table["runs"] == table["planned"]).all()
    assert len(table) == 2 * len(CREW)
    lost = RESULTS.query("not (problem == 'drawn' and method == 'one' and seed == 1)")
    table = coverage(lost, CREW, (REAL, DRAWN), trials=3).set_index(["problem", "method"])
    assert (table["planned"] - table["runs"]).loc[lambda gap: gap > 0].to_dict() == {("drawn", "one"): 3}


def test_what_the_sweep_never_plans_is_not_missed():
    table = coverage(RESULTS.iloc[:0])
    colour = {c.name for c in CONTENDERS if c.needs_colour}
    assert set(table.loc[table["method"].isin(colour), "problem"]) == {p.name for p in PROBLEMS if p.colour}


p_values = st.lists(st.floats(0, 1), min_size=1, max_size=12)


@given(p_values)
def test_holm_rejects_what_the_step_down_rule_rejects(values):
    """The rule as published: from the smallest on, reject while p <= level / (tests not yet rejected)."""
    p, level, rejected = np.array(values), 0.05, set()
    for i in np.argsort(p, kind="stable"):
        if p[i] * (len(p) - len(rejected)) > level:
            break
        rejected.add(int(i))
    assert set(np.flatnonzero(holm(p) <= level)) == rejected


@given(p_values)
def test_holm_is_no_smaller_than_the_p_value_and_no_larger_than_bonferroni(values):
    p = np.array(values)
    assert (holm(p) >= p).all() and (holm(p) <= np.minimum(1, len(p) * p)).all()


def test_holm_by_hand():
    np.testing.assert_allclose(holm(np.array([0.01, 0.04, 0.03])), [0.03, 0.06, 0.06])


def test_a_grid_writes_every_known_cell_and_frames_the_flagged_ones():
    values = pd.DataFrame({"a": [0.104, np.nan], "b": [-0.004, -0.2]}, index=["x", "y"])
    axis = plotting.difference_grid(values, (2, 2), framed=values < -0.1, note=lambda row, column: row + column)
    assert [text.get_text() for text in axis.texts] == ["+10", "xa", "0", "xb", "-20", "yb"]
    assert len(axis.patches) == 1 and axis.patches[0].get_x() == pytest.approx(0.54)
    plt.close(axis.figure)


def test_a_method_is_converged_where_the_curves_of_its_chosen_trials_are_flat_on_average():
    flat, steep = "0.5 0.6 0.7 0.8 0.8 0.8 0.8 0.801", "0.5 0.6 0.7 0.7 0.7 0.8 0.8 0.9"
    curves = np.where(RESULTS["method"] == "one", steep, flat)
    rows = RESULTS.assign(curve=np.where(RESULTS["split"] == "validation", curves, ""))
    table = standings(rows)
    assert not of(table, "real", "one")["converged"] and of(table, "real", "two")["converged"]
    assert of(table, "real", "one")["rise"] == pytest.approx(0.1)
    assert standings(RESULTS)["converged"].isna().all()


def test_the_in_domain_score_is_that_of_the_chosen_trials():
    picked = chosen(RESULTS)[[*KEY]]
    inside = RESULTS[RESULTS["split"] == "validation"].merge(picked, on=KEY)
    by_hand = inside.query("problem == 'real' and method == 'one'")["auroc"].mean()
    assert of(standings(RESULTS), "real", "one")["in_domain"] == pytest.approx(by_hand)
