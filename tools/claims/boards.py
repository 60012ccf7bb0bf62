"""Statements about the scoreboard of the evidence store, and how often a board of nothing makes them true.

On a null board every method is ERM with other seeds (`benchmark.nulls`). A claim names a statement in its field
``null_rate: {board: name}``; it computes what the claim's ``holds`` asks of the numbers that the chapter prints.
"""

from collections.abc import Callable
from functools import lru_cache

import pandas as pd

from medgen_utils.benchmark import standings
from medgen_utils.benchmark.board import ASIDE, Board, read_board, winners
from medgen_utils.benchmark.entries import PROBLEMS
from medgen_utils.benchmark.nulls import null_rate

BOARDS = 1_000
PROBLEM = "breast hospitals"
CLINICS = tuple(problem.name for problem in PROBLEMS if not problem.real)


def scores(final: pd.DataFrame) -> pd.DataFrame:
    """AUROC, mean over seeds: a row a method, a column a unit."""
    return final.groupby(["method", "unit"])["auroc"].mean().unstack()


def best_gain_is_small(final: pd.DataFrame) -> bool:
    """No remedy's mean over units is .03 above ERM's."""
    means = scores(final).mean(axis=1)
    return bool((means.drop(list(ASIDE), errors="ignore") - means[standings.BASELINE]).max() < 0.03)


def winners_change(final: pd.DataFrame) -> bool:
    """The best remedy of one problem is beaten at another by the best there, with the whole interval."""
    return bool((winners({name: scores(part).T for name, part in final.groupby("problem")})["low"] > 0).any())


STATEMENTS: dict[str, Callable[[pd.DataFrame], bool]] = {
    one.__name__: one for one in (best_gain_is_small, winners_change)
}


@lru_cache
def boards(statement: str) -> tuple[Board, ...]:
    """The boards on which a statement is made: of breast hospitals, or of the clinics that have their runs."""
    names = CLINICS if statement == "winners_change" else (PROBLEM,)
    return tuple(found for found in map(read_board, names) if len(found.table))


def tested(statement: str) -> pd.DataFrame:
    """The tested rows of these boards."""
    return pd.concat([found.final for found in boards(statement)])


@lru_cache
def rate(statement: str) -> float:
    """The share of null boards on which a statement is true. KeyError, with the names there are, for another one."""
    if statement not in STATEMENTS:
        raise KeyError(f"no statement {statement!r} about a board: there are {sorted(STATEMENTS)}")
    luck = pd.Series({found.problem: found.luck for found in boards(statement)})
    return null_rate(tested(statement), STATEMENTS[statement], n=BOARDS, spread=luck)
