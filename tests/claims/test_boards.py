"""Statements about boards: true where they should be, and on the real board what its claim says."""

import pandas as pd
import pytest

from tools.claims import boards, ledger

CLAIMS = [claim for claim in ledger.load() if isinstance(claim.null, dict) and "board" in claim.null]


def board(**scores: list[float]) -> pd.DataFrame:
    """A method's AUROC at three hospitals."""
    rows = [(method, f"hospital {k}", value) for method, values in scores.items() for k, value in enumerate(values)]
    return pd.DataFrame(rows, columns=["method", "unit", "auroc"])


def test_winners_change_where_another_is_best_for_certain():
    low, high = [0.5, 0.51, 0.52], [0.8, 0.81, 0.821]
    one, other = board(ERM=low, a=high, b=low), board(ERM=low, a=low, b=high)
    assert boards.winners_change(pd.concat([one.assign(problem="one"), other.assign(problem="other")]))
    assert not boards.winners_change(pd.concat([one.assign(problem="one"), one.assign(problem="other")]))


def test_a_gain_is_a_mean_over_units_minus_erm():
    assert boards.best_gain_is_small(board(ERM=[0.7, 0.7], one=[0.75, 0.70], two=[0.6, 0.6]))
    assert not boards.best_gain_is_small(board(ERM=[0.7, 0.7], one=[0.76, 0.71]))
    reference = {boards.standings.REFERENCES[1]: [0.9, 0.9]}
    assert boards.best_gain_is_small(board(ERM=[0.7, 0.7], one=[0.7, 0.7], **reference))


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_the_statement_holds_on_the_real_board_as_the_claim_does(claim):
    assert boards.STATEMENTS[claim.null["board"]](boards.tested(claim.null["board"]))
    assert all(ledger.holds(rule, claim.values) for rule in claim.holds)


def test_unknown_statements_are_named():
    with pytest.raises(KeyError, match=r"'all_win'.*winners_change"):
        boards.rate("all_win")
