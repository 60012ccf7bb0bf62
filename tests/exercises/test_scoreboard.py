"""The checks of chapter scoreboard take any right answer, and a contender that does what it says."""

import pandas as pd
import pytest
from scipy import stats

from medgen_utils.benchmark.entries import CONTENDERS, Contender
from medgen_utils.exercises import check
from medgen_utils.feature_alignment import CORAL


def test_false_winners_may_come_from_the_binomial():
    assert check("scoreboard.1", lambda m, level: (m * level, stats.binom.sf(0, m, level))).passed


@pytest.mark.parametrize(
    ("given", "said"),
    [((20, 0.64), "on average"), ((1, 0.5), "The first number is right"), ((1, 1.0), "do not add up")],
)
def test_a_wrong_count_or_chance_is_told(given, said):
    assert said in check("scoreboard.1", lambda m, level: given, hint=0).text


def test_a_winner_may_be_found_by_a_loop_and_needs_its_unit():
    def found(table):
        means = {unit: sum(table[other] for other in table if other != unit) for unit in table}
        return pd.Series({unit: max(mean.index, key=mean.get) for unit, mean in means.items()})

    assert check("scoreboard.2", found).passed
    assert "Return a Series" in check("scoreboard.2", lambda table: list(found(table)), hint=0).text
    assert "best of the others" in check("scoreboard.2", lambda table: found(table).map(lambda _: "x"), hint=0).text


def test_a_contender_is_new_sees_no_target_and_changes_the_training():
    mine = Contender("mine", "combination", CORAL, {"weight": (1.0, 0.1, 10.0)})
    assert check("scoreboard.3", mine).passed
    assert "already on the board" in check("scoreboard.3", CONTENDERS[0], hint=0).text
    assert "sees the target" in check("scoreboard.3", Contender("mine", "mine", sees_target=True), hint=0).text
    broken = Contender("mine", "mine", CORAL, {"no such argument": (1.0, 0.1, 10.0)})
    assert "TypeError" in check("scoreboard.3", broken, hint=0).text
