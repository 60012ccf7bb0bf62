"""Each rule reads what it may, and the choices are those of the rules."""

import numpy as np
import pytest

from medgen_utils import selection
from medgen_utils.benchmark import watch
from medgen_utils.benchmark.watched import LAST
from medgen_utils.clinic import NEW_HOSPITAL
from medgen_utils.selection import RULES
from tests.benchmark.small import small_clinic


@pytest.fixture(scope="module")
def watched():
    return watch(small_clinic(0), NEW_HOSPITAL, seeds=(0, 1), steps=6, looks=3, width=4, n_jobs=1)


def test_no_honest_rule_reads_the_target(watched):
    read = watched.read()
    assert set(read[RULES[2]]["domain"]) == {NEW_HOSPITAL}
    assert all(NEW_HOSPITAL not in set(read[rule]["domain"]) for rule in RULES[:2])
    assert (read[RULES[1]]["domain"] == read[RULES[1]]["held_out"]).all()
    assert sorted(read[RULES[1]]["domain"].unique()) == ["hospital A", "hospital B", "hospital C"]


def test_choices_are_those_of_the_rules_and_the_oracle_is_never_behind(watched):
    table = watched.choices().set_index(["seed", "rule"])
    for seed in (0, 1):
        history = watched.history(seed)
        assert table.loc[(seed, RULES[0]), "step"] == selection.training_domain_validation(history).step
        at = history[history["split"] == "test"].set_index("step")["value"]
        assert table.loc[(seed, RULES[2]), "value"] == at.max() and table.loc[(seed, LAST), "value"] == at[6]
        assert set(history["step"]) == {2, 4, 6}


def test_figure_and_sentence_show_the_choices(watched):
    above, below = watched.plot().axes
    assert len(above.lines) == 3
    points = np.concatenate([line.get_xdata() for line in below.lines if line.get_marker() == "o"])
    assert sorted(points) == sorted(watched.choices()["value"])
    means = watched.choices().groupby("rule")["value"].mean()
    assert f"oracle {means['oracle']:.3f}" in watched.say().data
    assert f"held-out-domain {means[RULES[1]]:.3f}" in watched.say().data


def test_an_unknown_target_is_named():
    with pytest.raises(ValueError, match="'nowhere'"):
        watch(small_clinic(0), "nowhere", steps=1)
