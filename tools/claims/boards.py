"""Statements about the scoreboard of the evidence store, and how often a board of nothing makes them true.

On a null board every method is ERM with other seeds (`benchmark.nulls`). A claim names a statement in its field
``null_rate: {board: name}``; it computes what the claim's ``holds`` asks of the numbers that the chapter prints.
"""

from collections.abc import Callable
from functools import lru_cache

import pandas as pd

from medgen_utils.benchmark import standings
from medgen_utils.benchmark.board import Board, read_board
from medgen_utils.benchmark.nulls import null_rate

BOARDS = 500
PROBLEM = "breast hospitals"
ASIDE = (standings.BASELINE, "ERM, equal seconds", *standings.REFERENCES)  # who is no remedy


def scores(final: pd.DataFrame) -> pd.DataFrame:
    """AUROC, mean over seeds: a row a method, a column a unit."""
    return final.groupby(["method", "unit"])["auroc"].mean().unstack()


def best_gain_is_small(final: pd.DataFrame) -> bool:
    """No remedy's mean over units is .03 above ERM's."""
    means = scores(final).mean(axis=1)
    return bool((means.drop(list(ASIDE), errors="ignore") - means[standings.BASELINE]).max() < 0.03)


def best_is_beaten(final: pd.DataFrame) -> bool:
    """The remedy with the best mean is not among the first three at one of the units."""
    table = scores(final).drop(index=list(standings.REFERENCES), errors="ignore")
    best = table.drop(index=list(ASIDE), errors="ignore").mean(axis=1).idxmax()
    return bool(table.rank(ascending=False).loc[best].max() > 3)


STATEMENTS: dict[str, Callable[[pd.DataFrame], bool]] = {
    one.__name__: one for one in (best_gain_is_small, best_is_beaten)
}


@lru_cache
def board() -> Board:
    """The board on which the statements are made."""
    return read_board(PROBLEM)


@lru_cache
def rate(statement: str) -> float:
    """The share of null boards on which a statement is true. KeyError, with the names there are, for another one."""
    if statement not in STATEMENTS:
        raise KeyError(f"no statement {statement!r} about a board: there are {sorted(STATEMENTS)}")
    luck = pd.Series({PROBLEM: board().luck})
    return null_rate(board().final, STATEMENTS[statement], n=BOARDS, spread=luck)
