"""What a threshold and a prior do elsewhere: decisions in every domain, as they are and re-weighted. Used by the audit.

Re-weighting needs the class shares that the probabilities were made for. Nobody can read them off predictions, so they
are given (``prior``), or both usual guesses are shown side by side and nothing is concluded from either.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from medgen_utils.audit.measures import n_classes
from medgen_utils.evaluation.metrics import accuracy, brier, calibration_error
from medgen_utils.shifts import prior_correction

Prior = str | Sequence[float] | None


def check_prior(prior: Prior, k: int, reference: str | None) -> Prior:
    """The prior as given, numbers as a list; ValueError where it does not fit."""
    if prior is None or prior == "balanced":
        return prior
    if isinstance(prior, str):
        if prior != "reference":
            raise ValueError(f"prior {prior!r}: give {k} shares, 'balanced' or 'reference'")
        if reference is None:
            raise ValueError("prior 'reference' needs a reference domain: name it")
        return prior
    shares = np.asarray(prior, float)
    if shares.shape != (k,) or (shares <= 0).any() or abs(shares.sum() - 1) > 0.01:
        raise ValueError(f"prior {list(prior)}: give {k} positive shares that sum to 1, one for each class")
    return (shares / shares.sum()).tolist()


def sources(prior: Prior, home: np.ndarray | None, k: int) -> dict[str, np.ndarray | None]:
    """The class shares to correct from, by name; None where the reference lacks a class. home (k,): its counts."""
    shares = None if home is None or (home == 0).any() else home / home.sum()
    if isinstance(prior, list):
        return {"given": np.array(prior)}
    both = {"balanced": np.full(k, 1 / k)} | ({} if home is None else {"reference": shares})
    return both if prior is None else {prior: both[prior]}


def transfer(name: str, tests: dict[str, tuple], prior: Prior, reference: str | None, threshold: float | None) -> list:
    """Decisions of one model in each domain: a row as the probabilities are, and one for each prior to correct from."""
    k = n_classes(tests)
    home = np.bincount(tests[reference][0], minlength=k) if reference in tests else None
    rows = []
    for domain, (y, prob, _) in tests.items():
        target = np.bincount(y, minlength=k) / len(y)
        for corrected, source in {None: None, **sources(prior, home, k)}.items():
            row = {"algorithm": name, "domain": domain, "corrected": corrected, "threshold": threshold}
            row |= {"prevalence": float(target[1]) if k == 2 else np.nan, "reason": None}
            if corrected and source is None:
                row["reason"] = f"{reference} lacks a class: its shares cannot be corrected from"
            else:
                runs = prob if source is None else [prior_correction(p, source, target) for p in prob]
                row |= pd.DataFrame([_decisions(y, p, threshold) for p in runs]).mean().to_dict()
            rows.append(row)
    return rows


def _decisions(y: np.ndarray, prob: np.ndarray, threshold: float | None) -> dict:
    values = {"brier": brier(y, prob), "calibration_error": calibration_error(y, prob), "accuracy": accuracy(y, prob)}
    if threshold is None:
        return values
    flagged, positive = prob[:, 1] >= threshold, y == 1
    hits, alarms = int((flagged & positive).sum()), int((flagged & ~positive).sum())
    odds = threshold / (1 - threshold) if threshold < 1 else np.nan
    return values | {
        "flagged": float(flagged.mean()),
        "sensitivity": hits / positive.sum() if positive.any() else np.nan,
        "specificity": 1 - alarms / (~positive).sum() if not positive.all() else np.nan,
        "predictive_value": hits / flagged.sum() if flagged.any() else np.nan,
        "net_benefit": (hits - alarms * odds) / len(y),
    }
