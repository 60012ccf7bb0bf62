"""Each rule reads what it may, and the choices are those of the rules."""

import numpy as np
import pytest

from medgen_utils import selection
from medgen_utils.benchmark import watch
from medgen_utils.benchmark.watched import HELD_OUT, LAST, ORACLE, TRAINING
from medgen_utils.clinic import NEW_HOSPITAL
from tests.benchmark.small import small_clinic


@pytest.fixture(scope="module")
def watched():
    return watch(small_clinic(0), NEW_HOSPITAL, seeds=(0, 1), steps=6, evaluations=3, width=4, n_jobs=1)


def test_the_target_is_scored_and_never_read_by_an_honest_rule(watched):
    main = watched.main
    assert set(main.loc[main["split"] == "test", "domain"]) == {NEW_HOSPITAL}
    assert NEW_HOSPITAL not in set(main.loc[main["split"] == "validation", "domain"]) | set(watched.inner["domain"])
    assert sorted(main["step"].unique()) == [2, 4, 6] and set(main["trial"]) == {0, 1}
    held_out = watched.inner.groupby("held_out")["domain"].agg(set)
    assert all(name in domains for name, domains in held_out.items()) and len(held_out) == 3


def test_choices_are_those_of_the_rules_and_the_oracle_is_never_behind(watched):
    table = watched.choices().set_index(["seed", "rule"])
    for seed in (0, 1):
        history = watched.history(seed)
        assert table.loc[(seed, TRAINING), "step"] == selection.training_domain_validation(history).step
        at = history[history["split"] == "test"].set_index("step")["value"]
        assert table.loc[(seed, ORACLE), "value"] == at.max() and table.loc[(seed, LAST), "value"] == at[6]
        inner = watched.inner[watched.inner["trial"] == seed]
        assert table.loc[(seed, HELD_OUT), "step"] == selection.held_out_domain_validation(inner).step


def test_figure_and_sentence_show_the_choices(watched):
    above, below = watched.plot().axes
    assert len(above.lines) == 3
    means = watched.choices().groupby("rule", sort=False)["value"].mean()
    points = np.concatenate([line.get_xdata() for line in below.lines if line.get_marker() == "o"])
    assert sorted(points) == sorted(watched.choices()["value"])
    assert all(f"{rule} {value:.3f}" in watched.say().data for rule, value in means.items())


@pytest.mark.parametrize("target", ["nowhere"])
def test_an_unknown_target_is_named(target):
    with pytest.raises(ValueError, match="target='nowhere'"):
        watch(small_clinic(0), target, steps=1)
    with pytest.raises(ValueError, match="three or more"):
        only = small_clinic(0).only("hospital A", "hospital B")
        watch(type(only)(**{**only.__dict__, "domain_names": ("hospital A", "hospital B")}), "hospital A", steps=1)
