"""The expected pick is that of all subsets; looking never loses, and with one run to choose from it gains nothing."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from medgen_utils.benchmark import About, cheating, evidence
from medgen_utils.benchmark.cheating import HONEST, ORACLE, Tried, expected_pick


@pytest.mark.parametrize("k", [1, 2, 3, 6])
def test_the_expected_pick_is_the_mean_over_all_subsets(k):
    random = np.random.default_rng(k)
    value, by = random.random(6), random.random(6)
    subsets = [list(some) for some in combinations(range(6), k)]
    by_hand = np.mean([value[max(some, key=lambda i: by[i])] for some in subsets])
    assert expected_pick(value, by, k) == pytest.approx(by_hand)


@pytest.mark.parametrize("k", [0, 4])
def test_one_to_all_candidates(k):
    with pytest.raises(ValueError, match=f"k={k} of 3"):
        expected_pick(np.zeros(3), np.zeros(3), k)


@pytest.fixture
def rows(monkeypatch):
    """Two methods at two targets, three trials of two seeds; inside says nothing of the target. One method unfinished
    in name only, a reference, and a pair."""
    random, rows = np.random.default_rng(0), []
    for method in ("ERM", "other", "reference: target included"):
        for left_out in ("A", "B", "A + B"):
            for trial, seed in ((t, s) for t in range(3) for s in range(2)):
                inside, test = random.random(2)
                base = {"problem": "p", "protocol": 2, "method": method, "left_out": left_out, "trial": trial}
                base |= {"seed": seed}
                rows += [base | {"split": "validation", "auroc": inside}, base | {"split": "test", "auroc": test}]
    table = pd.DataFrame(rows)
    monkeypatch.setattr(evidence, "read", lambda **where: table)
    result = type("Some", (), {"about": About(1, "torch", "cpu", 1.0)})
    monkeypatch.setattr(evidence, "result", lambda *arguments, **where: result)
    return table


def test_looking_gains_with_every_try_and_references_take_no_part(rows):
    table = cheating("p").table()
    assert list(dict.fromkeys(table.index.get_level_values("pool"))) == ["ERM alone", "2 methods"]
    assert table.loc["ERM alone"].index.tolist() == [1, 2, 4, 6]
    assert table.loc["2 methods"].index.tolist() == [1, 2, 4, 8, 12]
    for pool in ("ERM alone", "2 methods"):
        bought = table.loc[pool, "bought by looking"]
        assert bought.iloc[0] == pytest.approx(0) and (bought.iloc[1:] > 0).all()
        assert table.loc[pool, ORACLE].is_monotonic_increasing
    mine = rows[(rows["method"] == "ERM") & (rows["split"] == "test") & (rows["left_out"] != "A + B")]
    assert table.loc[("ERM alone", 6), ORACLE] == pytest.approx(mine.groupby("left_out")["auroc"].max().mean())
    assert table.loc[("ERM alone", 1), HONEST] == pytest.approx(mine["auroc"].mean())


def test_sentence_and_figure_say_what_the_table_says(rows):
    tried = cheating("p")
    bought = tried.table().loc[("2 methods", 12), "bought by looking"]
    assert f"{bought:.3f} AUROC" in tried.say().data
    names = list(dict.fromkeys(tried.frame["pool"]))
    renamed = tried.frame.assign(pool=tried.frame["pool"].map(dict(zip(names, ("zebra", "ant"), strict=True))))
    said = Tried(renamed, tried.about).say().data
    assert 0 <= said.index("With zebra") < said.index("With ant"), "the pools come in their own order"
    axis = tried.plot().axes[0]
    assert len(axis.lines) == 4 and axis.lines[0].get_ydata()[-1] == tried.table().loc[("ERM alone", 6), ORACLE]
