"""Statements about boards: true where they should be, and on the real board what its claim says."""

import pandas as pd
import pytest

from tools.claims import boards, ledger

CLAIMS = [claim for claim in ledger.load() if isinstance(claim.null, dict) and "board" in claim.null]


def board(**scores: list[float]) -> pd.DataFrame:
    """A method's AUROC on the problems mitosis, one, two, ...; each with one unit."""
    names = ["mitosis", "one", "two", "three"]
    family = {"SimCLR": "self-supervision"}
    rows = [(problem, method.replace("_", " "), family.get(method, "other"), "unit", value)
            for method, values in scores.items() for problem, value in zip(names, values, strict=False)]  # fmt: skip
    return pd.DataFrame(rows, columns=["problem", "method", "family", "unit", "auroc"])


def test_the_best_is_beaten_where_three_are_ahead_somewhere():
    others = {f"m{k}": [0.5 + k / 100, 0.5, 0.5] for k in range(4)}
    assert boards.best_is_beaten(board(ERM=[0.4, 0.9, 0.9], **others))
    assert not boards.best_is_beaten(board(ERM=[0.9, 0.9, 0.9], **others))


def test_gains_are_differences_from_erm():
    final = board(ERM=[0.7], stain_jitter=[0.73], SimCLR=[0.71])
    assert boards.gains(final, "mitosis").round(6).to_dict() == {"stain jitter": 0.03, "SimCLR": 0.01}
    assert boards.stain_gain_is_small(final) and not boards.pathology_gains_are_small(final)
    assert boards.pathology_gains_are_small(board(ERM=[0.7], stain_jitter=[0.71], SimCLR=[0.71]))


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_the_statement_holds_on_the_real_board_as_the_claim_does(claim):
    assert boards.STATEMENTS[claim.null["board"]](boards.final_scores(claim.null.get("protocol", boards.PROTOCOL)))
    assert all(ledger.holds(rule, claim.values) for rule in claim.holds)


def test_unknown_statements_are_named():
    with pytest.raises(KeyError, match=r"'all_win'.*best_is_beaten"):
        boards.rate("all_win")
