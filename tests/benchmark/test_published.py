"""Boards of others stand beside ours by method, as differences from the same baseline."""

import pandas as pd
import pytest

from medgen_utils.benchmark.published import CAMELYON, DOMAINBED, beside


def test_differences_are_from_erm_on_both_sides_and_only_of_shared_methods():
    ours = pd.DataFrame({"method": ["ERM", "CORAL", "other"], "difference": [0.0, 0.012, 0.5]})
    both = beside(ours)
    assert list(both.index) == ["CORAL"]
    assert both.loc["CORAL", "theirs"] == pytest.approx(67.5 - 66.6) and both.loc["CORAL", "ours"] == pytest.approx(1.2)


def test_tables_of_others_are_percentages_with_erm_among_them():
    for table in (DOMAINBED, CAMELYON):
        assert "ERM" in table.index and table.stack().between(0, 100).all()
