"""Boards of other groups, as they print them, to set beside ours. Chapter: scoreboard."""

from __future__ import annotations

import pandas as pd

from medgen_utils.selection import RULES

DOMAINBED = pd.DataFrame(
    {
        "ERM": (66.6, 63.2, 68.7),
        "mixup": (66.7, 63.8, 69.0),
        "CORAL": (67.5, 65.0, 69.2),
        "MMD": (63.3, 60.7, 66.9),
        "DANN": (66.1, 63.4, 67.7),
        "CDANN": (65.6, 62.2, 68.2),
        "IRM": (65.4, 62.0, 66.9),
        "V-REx": (65.6, 60.6, 68.2),
        "group DRO": (64.8, 62.7, 67.9),
        "MLDG": (66.7, 64.0, 68.7),
    },
    index=list(RULES),
).T
"""Accuracy in %, mean over seven sets of natural images, a column a rule of selection. Gulrajani & Lopez-Paz 2021, from
github.com/facebookresearch/DomainBed, domainbed/results/2020_10_06_7df6f06/results.tex."""

CAMELYON = pd.DataFrame(
    {"ERM": (70.3, 6.4), "CORAL": (59.5, 7.7), "IRM": (64.2, 8.1), "group DRO": (68.4, 7.3)},
    index=["accuracy", "sd over seeds"],
).T
"""WILDS Camelyon17: accuracy in % at the unseen hospital, ten seeds. Koh et al. 2021, table 5 of arXiv 2012.07421."""


def beside(board: pd.DataFrame, rule: str = RULES[0], baseline: str = "ERM") -> pd.DataFrame:
    """Differences from the baseline there and here, a row a method that both boards have.

    board: rows of `standings.standings` of one problem. Columns: theirs (points of accuracy, DomainBed under ``rule``),
    ours (hundredths of AUROC): other images, networks and another metric, so only sign and order can be compared.
    """
    theirs = DOMAINBED[rule] - DOMAINBED.loc[baseline, rule]
    ours = 100 * board.set_index("method")["difference"]
    both = pd.DataFrame({"theirs": theirs, "ours": ours.reindex(theirs.index)})
    return both.drop(index=baseline).dropna().round(1)
