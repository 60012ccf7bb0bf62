"""Statements about the scoreboard of the evidence store, and how often a board of nothing makes them true.

On a null board every method is ERM with other seeds (`benchmark.nulls`). A claim names a statement in its field
``null_rate: {board: name}``; it computes what the claim's ``holds`` asks of the numbers that the chapter prints.
"""

from collections.abc import Callable
from functools import lru_cache

import pandas as pd

from medgen_utils.benchmark import evidence, standings
from medgen_utils.benchmark.entries import PROTOCOL
from medgen_utils.benchmark.nulls import null_rate

BOARDS = 500


def gains(final: pd.DataFrame, problem: str) -> pd.Series:
    """method -> mean difference of its AUROC from ERM's over the units of a problem; without the references."""
    scores = final[final["problem"] == problem].groupby(["method", "unit"])["auroc"].mean().unstack()
    return (
        (scores - scores.loc[standings.BASELINE])
        .mean(axis=1)
        .drop([standings.BASELINE, *standings.REFERENCES], errors="ignore")
    )


def best_is_beaten(final: pd.DataFrame) -> bool:
    """The method with the best mean rank over the problems is not among the first three on one of them."""
    value = final.groupby(["problem", "method", "unit"])["auroc"].mean().groupby(["problem", "method"]).mean().unstack()
    ranks = value.drop(columns=list(standings.REFERENCES), errors="ignore").dropna(axis=1).rank(axis=1, ascending=False)
    return bool(ranks[ranks.mean().idxmin()].max() > 3)


def pathology_gains_are_small(final: pd.DataFrame) -> bool:
    """On mitoses neither stain jitter nor the mean self-supervised method gains .02."""
    found = gains(final, "mitosis")
    family = final.drop_duplicates("method").set_index("method")["family"].reindex(found.index)
    return bool(found["stain jitter"] < 0.02 and found[family == "self-supervision"].mean() < 0.02)


def stain_gain_is_small(final: pd.DataFrame) -> bool:
    """On mitoses stain jitter gains less than .05."""
    return bool(gains(final, "mitosis")["stain jitter"] < 0.05)


STATEMENTS: dict[str, Callable[[pd.DataFrame], bool]] = {
    one.__name__: one for one in (best_is_beaten, pathology_gains_are_small, stain_gain_is_small)
}


@lru_cache
def final_scores(protocol: int = PROTOCOL) -> pd.DataFrame:
    """The tested rows of the chosen trials of a protocol, as `standings.final_scores` gives them."""
    return standings.final_scores(
        standings.finished(evidence.read(protocol=protocol)) if protocol else evidence.read(protocol=0)
    )


@lru_cache
def rate(statement: str, protocol: int = PROTOCOL) -> float:
    """The share of null boards on which a statement is true. KeyError, with the names there are, for another one."""
    if statement not in STATEMENTS:
        raise KeyError(f"no statement {statement!r} about a board: there are {sorted(STATEMENTS)}")
    return null_rate(final_scores(protocol), STATEMENTS[statement], n=BOARDS)
