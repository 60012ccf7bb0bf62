"""Ranks agree with published values, with scipy, and with what can be counted by hand."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from medgen_utils.benchmark.ranks import Ranks, ranks


def scores(units: int, methods: int, seed: int = 0) -> pd.DataFrame:
    values = np.random.default_rng(seed).normal(size=(units, methods))
    return pd.DataFrame(values, columns=[f"method {k}" for k in range(methods)])


@pytest.mark.parametrize(("methods", "q"), [(3, 2.343), (4, 2.569), (5, 2.728), (6, 2.850), (10, 3.164)])
def test_the_critical_difference_uses_the_published_table(methods, q):
    """Demšar 2006, table 5a, at .05."""
    expected = q * np.sqrt(methods * (methods + 1) / (6 * 14))
    assert ranks(scores(14, methods)).critical_difference == pytest.approx(expected, abs=2e-3)


def test_ranks_are_counted_by_hand():
    table = pd.DataFrame({"a": [0.9, 0.8], "b": [0.7, 0.8], "c": [0.5, 0.1]})
    result = ranks(table)
    assert result.mean.to_dict() == {"a": 1.25, "b": 1.75, "c": 3.0} and result.units == 2
    assert result.p_value == pytest.approx(stats.friedmanchisquare(*table.to_numpy().T).pvalue)


def test_methods_that_are_alike_form_one_group_and_a_clear_order_none():
    alike = Ranks(pd.Series({"a": 1.0, "b": 2.0, "c": 3.0}), 5.0, 1.0, 4)
    assert alike.groups() == [["a", "b", "c"]]
    assert alike._replace(critical_difference=0.5).groups() == []
    assert alike._replace(critical_difference=1.2).groups() == [["a", "b"], ["b", "c"]]


def test_alike_methods_are_rarely_called_different():
    false = [
        ranks(scores(12, 4, seed)).critical_difference < np.ptp(ranks(scores(12, 4, seed)).mean) for seed in range(400)
    ]
    assert np.mean(false) < 0.08


@pytest.mark.parametrize(("units", "methods"), [(1, 5), (5, 2)])
def test_too_few_units_or_methods_are_named(units, methods):
    with pytest.raises(ValueError, match=f"{units} units and {methods} methods"):
        ranks(scores(units, methods))


def test_a_missing_score_is_named():
    with pytest.raises(ValueError, match="method 1"):
        ranks(scores(4, 3).mask(lambda table: table == table.loc[2, "method 1"]))
