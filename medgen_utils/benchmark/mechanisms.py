"""What the mechanism of each clinic predicts of the methods, held against its board. Chapter: scoreboard.

A clinic is drawn so that one thing differs at the unseen hospital (`medgen_utils.clinic`), so what a method does there
follows from what it acts on. A prediction can fail: it names a direction, and an interval decides.
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from medgen_utils.benchmark.board import PRIMARY, Board
from medgen_utils.benchmark.packing import ENSEMBLE
from medgen_utils.benchmark.standings import BASELINE
from medgen_utils.evaluation import t_interval

NO_GAIN = 0.01  # AUROC: what is surely less than this is no gain
GAIN, NONE, LOSS = "gain", "no gain", "loss"
PREDICTED = {
    "acquisition": {GAIN: ("per-image standardization", "intensity jitter"), NONE: ("CORAL", "DANN")},
    "population": {NONE: ("per-image standardization", "intensity jitter", "CORAL", "DANN")},
    "prevalence": {LOSS: ("CORAL", "DANN")},
    "shortcut": {GAIN: ("V-REx", "group DRO", "Fishr"), NONE: ("per-image standardization", "intensity jitter")},
    "graders": {NONE: tuple(name for name in PRIMARY if name != ENSEMBLE)},
}


def verdict(predicted: str, low: float, high: float) -> str:
    """What an interval of the difference from ERM (AUROC) says: "borne out", "refuted" or "open".

    A gain is borne out above zero and refuted below `NO_GAIN`, a loss likewise on the other side; no gain is borne out
    below `NO_GAIN`, whatever the loss, and refuted above zero. An interval that does both, above zero and below
    `NO_GAIN`, is read as the prediction asks. ValueError for another prediction.
    """
    said = {
        GAIN: (low > 0, high < NO_GAIN),
        LOSS: (high < 0, low > -NO_GAIN),
        NONE: (high < NO_GAIN, low > 0),
    }
    if predicted not in said:
        raise ValueError(f"predicted {predicted!r}: use one of {', '.join(said)}")
    borne_out, refuted = said[predicted]
    return "borne out" if borne_out else "refuted" if refuted else "open"


def held(boards: Mapping[str, Board], level: float = 0.95) -> pd.DataFrame:
    """Every prediction whose clinic has its runs: a row a shift and method, in the order of `PREDICTED`.

    boards: by shift. Columns shift, method, predicted, units, value (mean difference from ERM over fresh clinics), low,
    high (Student's t over clinics) and verdict. The intervals are Bonferroni's: together, over all predictions, those
    still without runs too, they hold with this ``level``.
    """
    planned = sum(len(names) for kinds in PREDICTED.values() for names in kinds.values())
    rows = []
    for shift, kinds in PREDICTED.items():
        if shift not in boards or boards[shift].table.empty:
            continue
        scores = boards[shift].scores
        for predicted, names in kinds.items():
            for name in (name for name in names if name in scores):
                gain = (scores[name] - scores[BASELINE]).to_numpy()
                value, low, high = t_interval(gain, 1 - (1 - level) / planned)
                rows.append([shift, name, predicted, len(gain), value, low, high, verdict(predicted, low, high)])
    return pd.DataFrame(rows, columns=["shift", "method", "predicted", "units", "value", "low", "high", "verdict"])
