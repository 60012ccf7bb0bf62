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


def test_copied_numbers_keep_their_sums():
    """A number that is copied from a table of others has no property of its own: sums guard against a slip."""
    assert DOMAINBED.sum().round(1).tolist() == [658.3, 627.6, 681.4]
    assert DOMAINBED.sum(axis=1).round(1).tolist() == [
        198.5, 199.5, 201.7, 190.9, 197.2, 196.0, 194.3, 194.4, 195.4, 199.4,
    ]  # fmt: skip
    assert CAMELYON.sum().round(1).tolist() == [262.4, 29.5]
    assert CAMELYON.sum(axis=1).round(1).tolist() == [76.7, 67.2, 72.3, 75.7]
