"""The scoreboard says of a sweep what can be counted by hand: picks, differences, families, and what is missing."""

import hashlib
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib import pyplot as plt
from scipy import stats

from medgen_utils import plotting, selection
from medgen_utils.benchmark import KEY, RULES, chosen, read_results
from medgen_utils.benchmark import standings as scoreboard
from medgen_utils.benchmark.entries import CONTENDERS, PROBLEMS, Contender, Problem
from medgen_utils.benchmark.standings import UPPER_BOUND, by_family, by_rule, coverage, final_scores, standings
from medgen_utils.data import prepared as download
from medgen_utils.evaluation.intervals import holm, t_interval

DOMAINS = ("A", "B", "C", "D")
REAL = Problem("real", None, DOMAINS, ("B", "A", "D", "C"), steps=1, seeds=3)
DRAWN = Problem("drawn", None, ("new",), ("B",), steps=1, seeds=4)
CREW = (
    Contender("ERM", "reference"),
    Contender(UPPER_BOUND, "reference", sees_target=True),
    Contender("one", "remedy"),
    Contender("two", "remedy"),
)
INNER = {("real", t): i for t, i in zip(REAL.targets, REAL.inner, strict=True)} | {("drawn", "new"): "B"}


def made_up(seed: int = 0, trials: int = 3) -> pd.DataFrame:
    """A finished sweep of CREW on REAL and DRAWN with scores that are drawn, not trained."""
    random, rows = np.random.default_rng(seed), []

    def add(problem, contender, left_out, trial, seed):
        key = (problem.name, contender.name, " + ".join(left_out), trial, seed, contender.family)
        for part, domain in [("validation", "all sources"), *(("test", domain) for domain in left_out)]:
            rows.append([*key, part, domain, round(random.uniform(0.5, 1), 6), random.uniform(1, 2)])

    columns = [*KEY, "family", "split", "domain", "auroc", "seconds"]
    for problem in (REAL, DRAWN):
        for contender in CREW:
            for left_out in [(t,) for t in problem.targets] if contender.sees_target else problem.left_out():
                for trial in range(trials):
                    add(problem, contender, left_out, trial, 0)
    trial_of = chosen(pd.DataFrame(rows, columns=columns), RULES[0], INNER)
    for record in trial_of.to_dict("records"):
        problem = {"real": REAL, "drawn": DRAWN}[record["problem"]]
        contender = next(c for c in CREW if c.name == record["contender"])
        for repeat in range(1, problem.seeds):
            add(problem, contender, (record["left_out"],), record["trial"], repeat)
    return pd.DataFrame(rows, columns=columns)


RESULTS = made_up()
COMMITTED = Path(__file__).parents[1] / scoreboard.FILE


def of(table: pd.DataFrame, problem: str, contender: str) -> pd.Series:
    (row,) = table[(table["problem"] == problem) & (table["contender"] == contender)].to_dict("records")
    return pd.Series(row)


def rule_by_rule(results: pd.DataFrame, rule: str) -> list[tuple]:
    """The picks of the rules of `selection`, one target at a time."""
    searched = results[results["seed"] == 0].assign(step=0, metric="auroc", value=results["auroc"])
    alone = searched[~searched["left_out"].str.contains(" + ", regex=False)]
    picked = []
    for (problem, contender, target), runs in alone.groupby(["problem", "contender", "left_out"]):
        held_out = INNER[problem, target]
        pair = searched.query("problem == @problem and contender == @contender and domain == @held_out")
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
        picked.append((problem, contender, target, choice.trial, row["auroc"]))
    return picked


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("seed", range(3))
def test_what_is_chosen_is_what_the_rules_of_selection_choose(rule, seed):
    results = made_up(seed)
    at_once = chosen(results, rule, INNER)[["problem", "contender", "left_out", "trial", "auroc"]]
    assert list(at_once.itertuples(index=False, name=None)) == rule_by_rule(results, rule)


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
    table = final.pivot_table(index="unit", columns="contender", values="auroc")
    differences = (table["one"] - table["ERM"]).to_numpy()
    row = of(standings(RESULTS), problem, "one")
    assert (row["value"], row["worst"]) == pytest.approx((table["one"].mean(), table["one"].min()))
    assert row["worst_unit"] == table["one"].idxmin()
    assert (row["difference"], row["low"], row["high"]) == pytest.approx(tuple(t_interval(differences)))
    assert row["p_value"] == pytest.approx(stats.ttest_rel(table["one"], table["ERM"]).pvalue)
    assert row["gains"] == (differences > 0).sum()
    assert row["smallest"] == 2 / 2 ** len(differences)
    assert row["seconds"] == pytest.approx(final.query("contender == 'one'")["seconds"].mean())


def test_the_baseline_differs_from_itself_by_nothing():
    row = of(standings(RESULTS), "real", "ERM")
    assert (row["difference"], row["low"], row["high"], row["gains"]) == (0, 0, 0, 0)
    assert np.isnan(row["p_value"])


def test_ranks_leave_the_upper_bound_out():
    table = standings(RESULTS)
    assert table.loc[table["contender"] == UPPER_BOUND, "rank"].isna().all()
    for _, rows in table[table["contender"] != UPPER_BOUND].groupby("problem"):
        assert sorted(rows["rank"]) == [1, 2, 3]
        assert rows.sort_values("rank")["value"].is_monotonic_decreasing


def test_an_unfinished_sweep_is_refused_by_name():
    last = RESULTS.query("problem == 'real' and contender == 'two' and seed == 2").index[:2]
    with pytest.raises(ValueError, match="real: two has 11 runs, ERM 12"):
        standings(RESULTS.drop(last))


def test_families_count_all_members_and_both_directions():
    table = pd.DataFrame(
        {
            "problem": "p",
            "family": ["f", "f", "f", "g"],
            "contender": list("abcd"),
            "difference": [0.3, -0.2, 0.05, 0.1],
            "low": [0.2, -0.3, -0.1, 0.0],
            "high": [0.4, -0.1, 0.2, 0.2],
        }
    )
    families = by_family(table)
    assert families.loc[("p", "f")].to_dict() == pytest.approx(
        {"members": 3, "difference": 0.05, "above": 1, "below": 1}
    )
    assert families.loc[("p", "g"), ["above", "below"]].tolist() == [0, 0]


def test_no_rule_beats_the_oracle_and_the_upper_bound_is_left_out():
    table = by_rule(RESULTS, INNER)
    assert (table["oracle"] >= table.max(axis=1) - 1e-12).all()
    assert set(table.index.get_level_values("contender")) == {"ERM", "one", "two"}


def test_a_finished_sweep_is_covered_and_a_missing_run_is_counted():
    table = coverage(RESULTS, CREW, (REAL, DRAWN))
    assert (table["runs"] == table["planned"]).all()
    assert len(table) == 2 * len(CREW)
    lost = RESULTS.query("not (problem == 'drawn' and contender == 'one' and seed == 1)")
    table = coverage(lost, CREW, (REAL, DRAWN)).set_index(["problem", "contender"])
    assert (table["planned"] - table["runs"]).loc[lambda gap: gap > 0].to_dict() == {("drawn", "one"): 1}


def test_what_the_sweep_never_plans_is_not_missed():
    table = coverage(RESULTS.iloc[:0])
    colour = {contender.name for contender in CONTENDERS if contender.needs_colour}
    assert set(table.loc[table["contender"].isin(colour), "problem"]) == {p.name for p in PROBLEMS if p.colour}


def test_without_the_file_the_results_are_downloaded_from_the_release_and_checked(tmp_path, monkeypatch):
    asked = []

    def write(source, path):
        asked.append(source.address)
        shutil.copy(COMMITTED, path)

    monkeypatch.setattr(scoreboard, "__file__", str(tmp_path / "site-packages" / "medgen_utils" / "scoreboard.py"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("MEDGEN_DATA", raising=False)
    monkeypatch.setattr(download, "_write", write)
    downloaded = scoreboard.committed_results()
    assert downloaded.equals(read_results(COMMITTED))
    assert re.fullmatch(rf"https://github.com/.+/raw/v\d+\.\d+\.\d+/{re.escape(scoreboard.FILE)}", asked[0])
    scoreboard.committed_results()
    assert len(asked) == 1, "downloaded twice"


def test_another_file_than_the_books_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(scoreboard, "__file__", str(tmp_path / "site-packages" / "medgen_utils" / "scoreboard.py"))
    monkeypatch.setenv("MEDGEN_DATA", str(tmp_path))
    RESULTS.to_csv(tmp_path / COMMITTED.name)
    with pytest.raises(download.DataCorrupt, match="SHA256"):
        scoreboard.committed_results()


def test_the_checksum_is_that_of_the_committed_sweep():
    found = hashlib.sha256(COMMITTED.read_bytes()).hexdigest()
    assert f"sha256:{found}" == scoreboard.CHECKSUM, "after a new sweep, write its checksum into scoreboard.CHECKSUM"


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
