"""A board of the store holds what can be compared fairly, counts its comparisons, and says what is missing."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from medgen_utils.benchmark import board, evidence
from medgen_utils.benchmark.board import (
    agreement,
    families,
    primary_family,
    progress,
    read_board,
    side_by_side,
    winners,
)
from medgen_utils.benchmark.entries import Contender
from medgen_utils.benchmark.packing import ENSEMBLE
from medgen_utils.benchmark.standings import final_scores
from medgen_utils.evaluation import holm
from tests.benchmark.small import CREW, PROBLEM

LATE = Contender("late", "remedy", primary=True)


@pytest.fixture
def small(store, monkeypatch):
    """The board reads the small store, with one contender more than it has runs of."""
    monkeypatch.setattr(board, "path_of", lambda file: store / file)
    monkeypatch.setattr(board, "CONTENDERS", (*CREW, LATE))
    monkeypatch.setattr(board, "PROBLEMS", (PROBLEM,))
    monkeypatch.setattr(board, "CONFIRMING", ("small",))
    monkeypatch.setattr(board, "PRIMARY", [c.name for c in CREW if c.name != "ERM"])
    return store


def test_scores_are_means_over_seeds_and_the_best_follows_the_baseline(small):
    found = read_board("small", ["ERM", "jitter", "late"])
    assert found.lacking == ("late",) and found.scores.columns[0] == "ERM"
    final = final_scores(evidence.read(problem="small", method=["ERM", "jitter"]))
    for method in ("ERM", "jitter"):
        expected = final[final["method"] == method].groupby("unit")["auroc"].mean()
        pd.testing.assert_series_equal(found.scores[method], expected, check_names=False)
    assert list(found.remedies["method"]) == ["jitter"]
    assert "jitter stands beside ERM, with 2 seeds at each of 2 units: " in found.say().data
    assert found.say().data.endswith("Not finished there yet: late.")


def test_a_clinic_drawn_anew_for_each_seed_has_one_seed_and_small_p_values_are_not_written_as_zero():
    found = read_board("clinic: acquisition")
    assert found.seeds == 1 and len(found.scores) == found.rows["seed"].nunique() == 20
    assert "1 seed at each of 20 units" in found.say().data and "sign-flip test is below .001." in found.say().data


def test_the_store_is_read_once(small, monkeypatch):
    reads, rows = [], evidence.read(problem="small")
    for module in (board, evidence):
        monkeypatch.setattr(module, "load_rows", lambda path: reads.append(path) or rows)
    read_board("small")
    assert len(reads) == 1


def test_p_values_are_corrected_over_the_primary_family_only(small):
    table = read_board("small").table
    primary = table[table["primary"]]
    np.testing.assert_allclose(primary["holm"], holm(primary["p_value"].to_numpy()))
    assert table.loc[~table["primary"], "holm"].isna().all() and "ERM" not in set(primary["method"])


def test_the_primary_family_is_corrected_over_all_boards_together(small, monkeypatch):
    one, empty = read_board("small"), read_board("nowhere")
    other = one._replace(problem="other", table=one.table.assign(problem="other", p_value=one.table["p_value"] / 3))
    family = primary_family([one, empty, other])
    primary = one.table["p_value"][one.table["primary"]].to_numpy()
    asked = np.sort(np.concatenate([primary, primary / 3]))
    np.testing.assert_allclose(family["p_value"], asked)
    np.testing.assert_allclose(family["holm"], holm(asked))
    assert (family["holm"].iloc[0] == min(1, len(asked) * asked[0])) and list(family["problem"]).count("other") == len(
        primary
    )


def test_a_problem_outside_the_primary_family_corrects_nothing(small, monkeypatch):
    monkeypatch.setattr(board, "CONFIRMING", ("another",))
    table = read_board("small").table
    assert not table["primary"].any() and table["holm"].isna().all()


def test_who_does_not_take_part_is_not_missed(small, monkeypatch):
    assert read_board("small").lacking == ("late",)
    monkeypatch.setattr(board, "PROBLEMS", (replace(PROBLEM, methods=tuple(c.name for c in CREW)),))
    assert read_board("small").lacking == ()


def test_the_ensemble_needs_rivals_with_all_its_seeds(small, monkeypatch):
    assert ENSEMBLE in set(read_board("small").table["method"])
    rows = evidence.read(problem="small")
    fewer = rows[~((rows["method"] != "ERM") & (rows["seed"] == 1))]
    for module in (board, evidence):
        monkeypatch.setattr(module, "load_rows", lambda path: fewer)
    found = read_board("small")
    assert found.seeds == 1 and ENSEMBLE not in set(found.table["method"])
    at_one = rows[~((rows["method"] == "jitter") & (rows["seed"] == 1) & (rows["left_out"] == "hospital A"))]
    for module in (board, evidence):
        monkeypatch.setattr(module, "load_rows", lambda path: at_one)
    found = read_board("small")
    assert found.seeds == 1 and set(found.table["units"]) == {2} and ENSEMBLE not in set(found.table["method"])


def test_luck_is_the_spread_between_seeds_and_unknown_without_two(small, monkeypatch):
    final = final_scores(evidence.read(problem="small", method=["ERM", "jitter"]))
    pooled = final.groupby(["method", "domain"])["auroc"].var().groupby("method").mean()
    assert read_board("small").luck == pytest.approx(np.sqrt(pooled.median()))
    once = evidence.read(problem="small", seed=0)
    for module in (board, evidence):
        monkeypatch.setattr(module, "load_rows", lambda path: once)
    assert np.isnan(read_board("small").luck)


def test_a_problem_without_runs_says_so(small):
    found = read_board("small", protocol=1)
    assert found.table.empty and "no methods on small to compare yet" in found.say().data
    assert found.final.empty and list(found.remedies["method"]) == []


def test_progress_counts_done_and_planned(small):
    (row,) = progress().to_dict("records")
    done = evidence.read(problem="small").query("seed >= 0").drop_duplicates(["method", "left_out", "trial", "seed"])
    alone = done[~done["left_out"].str.contains(" + ", regex=False)]
    primary = [c.name for c in CREW if c.primary]
    assert row["primary runs"] + row["other runs"] <= len(alone)
    assert row["primary runs"] == alone["method"].isin(primary).sum()
    assert row["primary planned"] >= row["primary runs"] and row["targets"] == len(PROBLEM.targets)


def test_a_board_of_several_remedies_counts_them_and_names_the_ends():
    rows = [("ERM", 0.0, 0.0, 0.5), *(("abc"[k], d, d - 0.01, 0.25) for k, d in enumerate((0.03, 0.005, -0.02)))]
    table = pd.DataFrame(rows, columns=["method", "difference", "low", "smallest"])
    runs = pd.DataFrame([
        {"method": name, "left_out": place, "domain": place, "seed": seed, "problem": "p"}
        for name in ("ERM", *"abc") for place in ("x", "y", "z") for seed in (0, 1)
    ])  # fmt: skip
    final = runs.assign(auroc=0.5, unit=runs["domain"])

    class Told(board.Board):
        final = property(lambda self: final)

    said = Told("p", runs, table, (), 0.01).say().data
    assert "3 remedies stand beside ERM, with 2 seeds at each of 3 units. Their means" in said
    assert "from +0.030 (a) down to -0.020 (c) around ERM's, 2 of them above it; 1 of the intervals" in said
    assert "1 of the intervals over units lies above zero" in said
    assert "3 units can give in a sign-flip test is 0.250." in said and "Not finished" not in said
    two = table.assign(low=[0, 0.01, 0.001, -1])
    assert "2 of the intervals over units lie above zero" in Told("p", runs, two, (), 0.01).say().data


def one_board(**gains: float):
    """A board on which each method differs from ERM by so much."""
    rows = [{"method": name, "difference": gain} for name, gain in gains.items()]
    extra = [{"method": name, "difference": 0.9} for name in ("ERM", ENSEMBLE, "reference: target included")]
    return board.Board("made up", pd.DataFrame(), pd.DataFrame(rows + extra), (), 0.0)


def test_two_boards_stand_side_by_side_in_the_order_of_the_first_with_what_both_have():
    small, large = one_board(a=0.01, b=0.03, c=0.02, only=0.05), one_board(c=0.1, b=0.2, a=-0.1)
    found = side_by_side({"28 px": small, "64 px": large})
    assert found["method"].tolist() == ["b", "c", "a"] * 2, "neither ERM nor what has seen the target, best first"
    assert found["board"].tolist() == ["28 px"] * 3 + ["64 px"] * 3
    assert found["value"].tolist() == [0.03, 0.02, 0.01, 0.2, 0.1, -0.1]
    assert agreement(found)[0] == pytest.approx(1)
    turned = side_by_side({"28 px": small, "64 px": one_board(a=0.3, b=0.1, c=0.2)})
    assert agreement(turned)[0] == pytest.approx(-1)
    with pytest.raises(ValueError, match="2 remedies are on both boards"):
        agreement(side_by_side({"28 px": small, "64 px": one_board(a=0.3, b=0.1)}))


def test_families_count_all_members_and_are_corrected_over_all_cells(small):
    one = read_board("small")
    names = {"jitter": "f"} | {name: "g" for name in one.remedies["method"] if name != "jitter"}
    table = one.table.assign(family=one.table["method"].map(names).fillna(one.table["family"]))
    one = one._replace(table=table)
    other, empty = one._replace(problem="other"), read_board("nowhere")
    cells = families([one, empty, other])
    assert list(cells["problem"].unique()) == ["small", "other"]
    np.testing.assert_allclose(cells["holm"], holm(cells["p_value"].to_numpy()))
    scores, remedies = one.scores, one.remedies
    for row in cells[cells["problem"] == "small"].itertuples():
        members = list(remedies.loc[remedies["family"] == row.family, "method"])
        gain = scores[members].sub(scores["ERM"], axis=0).mean(axis=1)
        low, high = stats.t.interval(0.95, len(gain) - 1, gain.mean(), stats.sem(gain))
        assert (row.members, row.units) == (len(members), len(gain))
        assert (row.difference, row.low, row.high) == pytest.approx((gain.mean(), low, high))
        assert row.p_value == pytest.approx(stats.ttest_1samp(gain, 0).pvalue)
    assert families([empty]).empty


def many(seed: int, **gains: float) -> pd.DataFrame:
    """Scores of 20 units: the luck of the unit is shared, that of a run is not; a reference far above all."""
    draw = np.random.default_rng(seed)
    base = draw.normal(0.7, 0.05, 20)
    methods = {"ERM": 0.0, "reference: target included": 0.3} | gains
    return pd.DataFrame({name: base + gain + draw.normal(0, 0.02, 20) for name, gain in methods.items()})


def test_the_best_of_one_problem_meets_the_best_of_another_and_references_do_not():
    scores = {
        "one": many(0, a=0.1, b=0.0, c=0.0),
        "two": many(1, a=0.0, b=0.1, c=0.0),
        "three": many(2, a=0.1, b=0, c=0),
    }
    table = winners(scores).set_index(["at", "of"])
    assert list(table.index) == [("one", "two"), ("two", "one"), ("two", "three"), ("three", "two")]
    assert list(table.loc["two", "visitor"]) == ["a", "a"] and set(table["best"]) == {"a", "b"}
    gain = scores["two"]["b"] - scores["two"]["a"]
    half = stats.t.ppf(1 - 0.05 / 9 / 2, 19) * stats.sem(gain)  # three pairs of methods at each of three problems
    found = table.loc[("two", "one"), ["value", "low", "high"]].astype(float)
    np.testing.assert_allclose(found, [gain.mean(), gain.mean() - half, gain.mean() + half])
    assert (table["low"] > 0).all()


def test_where_all_are_alike_the_winner_seldom_wins_for_certain():
    names = dict.fromkeys("abcdefgh", 0.0)
    told = [
        (winners({"one": many(2 * i, **names), "two": many(2 * i + 1, **names)})["low"] > 0).any() for i in range(200)
    ]
    assert np.mean(told) < 0.05
