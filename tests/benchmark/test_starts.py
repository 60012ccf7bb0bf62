"""Three starts are compared at the same sites, seeds and number of trials, and what is not there is named."""

import pandas as pd
import pytest

from medgen_utils.benchmark import by_steps, same_size, starts
from medgen_utils.benchmark.entries import problem_of
from medgen_utils.benchmark.evidence import COLUMNS
from medgen_utils.benchmark.starts import STARTS

SITES = ("Cairo", "Rio de Janeiro", "Ciudad Real", "Poland")


def rows(problem: str, scores: list[float], sites=SITES, seeds=(0,), method="ERM") -> pd.DataFrame:
    """A row a trial and split: the trial's score at the target, and one that grows with it inside."""
    found = []
    for site in sites:
        for seed in seeds:
            for trial, score in enumerate(scores):
                for split, value in (("validation", score + 0.1), ("test", score)):
                    found.append({
                        "protocol": 2, "problem": problem, "method": method, "left_out": site, "trial": trial,
                        "seed": seed, "split": split, "domain": site, "auroc": value, "steps": 10, "seconds": 1.0,
                        "versions": "v", "device": "d", "site": site, "curve": f"0.5 0.5 0.6 {0.6 + score / 10}",
                    })  # fmt: skip
    return pd.DataFrame(found).reindex(columns=COLUMNS)


def store(monkeypatch, *parts):
    monkeypatch.setattr(starts, "load_rows", lambda path: pd.concat(parts, ignore_index=True))


def test_every_start_is_a_problem_of_the_board_at_one_size():
    problems = [problem_of(name) for name in STARTS.values()]
    assert {problem.size for problem in problems} == {64}
    assert len({problem.backbone for problem in problems}) == len(STARTS)


def test_the_best_of_three_trials_of_each_start_at_the_sites_that_all_have(monkeypatch):
    scratch, frozen, tuned = STARTS.values()
    store(monkeypatch, rows(scratch, [0.6, 0.8, 0.7]), rows(frozen, [0.5, 0.6, 0.7, 0.9], seeds=(0, 1, 2)),
          rows(tuned, [0.7, 0.7, 0.75], SITES[:3]), rows(tuned, [0.7], SITES[3:]),
          rows(frozen, [0.99] * 3, method="CORAL"))  # fmt: skip
    found = same_size()
    assert found.lacking == () and found.result.methods == tuple(STARTS)
    table = found.result.table()
    assert table["mean"].tolist() == pytest.approx([0.8, 0.7, 0.75]), "a fourth trial would be a larger search"
    assert table["in domain"].tolist() == pytest.approx([0.9, 0.8, 0.85])
    assert set(table["units"]) == {3} and set(found.result.frame["seed"]) == {0}
    assert found.result.rises.to_dict() == pytest.approx(dict(zip(STARTS, (0.08, 0.07, 0.075), strict=True)))
    assert "1 seed at 3 sites" in found.say().data


def test_what_is_not_finished_is_lacking_and_one_start_is_no_comparison(monkeypatch):
    scratch, frozen, tuned = STARTS.values()
    store(monkeypatch, rows(scratch, [0.6, 0.8]), rows(frozen, [0.5, 0.6, 0.7]), rows(tuned, [0.7, 0.7, 0.7]))
    found = same_size()
    assert found.lacking == ("from scratch",) and found.result.methods == tuple(STARTS)[1:]
    store(monkeypatch, rows(frozen, [0.5, 0.6, 0.7]))
    assert same_size().result is None and same_size().lacking == tuple(STARTS)
    store(monkeypatch, rows(frozen, [0.5] * 3, SITES[:1]), rows(tuned, [0.5] * 3, SITES[1:]))
    assert same_size().result is None, "no site that both have"


def test_longer_training_is_a_point_a_site_and_steps_and_frozen_features_stand_at_their_budget(monkeypatch):
    budget = problem_of(STARTS["ImageNet, frozen"]).steps

    def runs(problem):
        return pd.DataFrame([
            {"steps": steps, "left_out": site, "seed": seed, "validation": 0.9, "test": 0.5 + steps / 1000 + seed / 10}
            for steps in (budget, 2 * budget) for site in SITES for seed in (0, 1)
        ])  # fmt: skip

    monkeypatch.setattr(starts, "budget_runs", runs)
    found = by_steps()
    assert found.groupby("start")["steps"].unique().map(list).to_dict() == {
        "from scratch": [budget, 2 * budget], "ImageNet, frozen": [budget], "ImageNet, fine-tuned": [budget, 2 * budget]
    }  # fmt: skip
    unseen = found[(found["place"] == "unseen site") & (found["start"] == "from scratch")]
    assert len(unseen) == 2 * len(SITES) and set(unseen["site"]) == set(SITES)
    assert unseen.groupby("steps")["auroc"].first().tolist() == pytest.approx(
        [0.55 + budget / 1000, 0.55 + budget / 500]
    )
    assert set(found.loc[found["place"] == "held-back patients", "auroc"]) == {0.9}
