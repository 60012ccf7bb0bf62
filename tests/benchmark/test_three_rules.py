"""The three rules look where they say, and choose among the same candidates."""

import pandas as pd
import pytest

from medgen_utils.benchmark import RULES, Contender, candidates, chosen_by_rules
from medgen_utils.benchmark.three_rules import LOOKS
from medgen_utils.clinic import NEW_HOSPITAL, make_clinic
from medgen_utils.feature_alignment import VREx
from tests.benchmark.small import FEW, HOSPITALS


def history(trial, step, *, inside, left_out, target, seed=0):
    """Rows of one trial at one step: on the sources, at the one left out in another training, at the target."""
    shared = {"metric": "auroc", "trial": trial, "step": step, "seed": seed}
    rows = [
        {"split": "validation", "domain": "A", "held_out": "", "value": inside},
        {"split": "test", "domain": "new", "held_out": "", "value": target},
        {"split": "validation", "domain": "A", "held_out": "A", "value": left_out},
        {"split": "validation", "domain": "B", "held_out": "A", "value": 0.99},  # it trained on B: no witness
    ]
    return [row | shared for row in rows]


def test_each_rule_takes_what_is_best_where_it_looks():
    rows = history("ERM", 10, inside=0.9, left_out=0.5, target=0.6)
    rows += history("IRM", 10, inside=0.7, left_out=0.8, target=0.65)
    rows += history("IRM", 20, inside=0.6, left_out=0.6, target=0.8)
    picked = chosen_by_rules(pd.DataFrame(rows), {"IRM": ["ERM", "IRM"]}).set_index("rule")
    assert picked["trial"].to_dict() == dict(zip(RULES, ("ERM", "IRM", "IRM"), strict=True))
    assert picked["auroc"].tolist() == [0.6, 0.65, 0.8] and picked["step"].tolist() == [10, 10, 20]


def test_a_family_chooses_among_its_own_trials_and_each_seed_for_itself():
    rows = history("ERM", 10, inside=0.9, left_out=0.9, target=0.6)
    rows += history("IRM", 10, inside=0.95, left_out=0.95, target=0.7)
    rows += history("ERM", 10, inside=0.9, left_out=0.9, target=0.5, seed=1)
    rows += history("IRM", 10, inside=0.8, left_out=0.8, target=0.4, seed=1)
    picked = chosen_by_rules(pd.DataFrame(rows), {"ERM alone": ["ERM"], "IRM": ["ERM", "IRM"]})
    assert set(picked.query("family == 'ERM alone'")["trial"]) == {"ERM"}
    assert picked.query("family == 'IRM' and seed == 0")["trial"].unique().tolist() == ["IRM"]
    assert picked.query("family == 'IRM' and seed == 1")["trial"].unique().tolist() == ["ERM"]


@pytest.fixture(scope="module")
def histories():
    images = make_clinic(HOSPITALS, 60, seed=0, size=16)
    methods = [FEW[0], Contender("V-REx", "risks", VREx, {"weight": (1.0, 1.0, 1.0)})]
    return candidates(methods, images, NEW_HOSPITAL, steps=8, width=4, n_jobs=1)


def test_every_method_is_trained_on_all_sources_and_without_each(histories):
    runs = histories[["trial", "held_out"]].drop_duplicates()
    assert len(runs) == 2 * 4 and set(runs["held_out"]) == {"", "hospital A", "hospital B", "hospital C"}
    assert histories["step"].nunique() == LOOKS and histories.index.is_unique


def test_the_target_is_tested_and_the_sources_are_validation(histories):
    where = histories.groupby("split")["domain"].unique().map(set)
    assert where["test"] == {NEW_HOSPITAL} and NEW_HOSPITAL not in where["validation"]


def test_the_oracle_is_never_below_the_other_rules(histories):
    picked = chosen_by_rules(histories, {"V-REx": ["ERM", "V-REx"]}).set_index("rule")["auroc"]
    assert picked[RULES[2]] == picked.max()
