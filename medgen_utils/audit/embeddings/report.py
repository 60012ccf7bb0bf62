"""What embeddings know, on one page, so that images never leave the hospital. Used by ``audit --features``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from medgen_utils import __version__
from medgen_utils.audit.embeddings.read import Study
from medgen_utils.audit.parts import template
from medgen_utils.audit.write import plain, write_report
from medgen_utils.pretraining.embeddings import (
    Embeddings,
    Robustness,
    class_probe,
    confounded_training,
    hospital_probe,
    permuted_labels,
    random_embeddings,
    robustness_index,
)

SCHEMA = "medgen-embeddings-1"
LISTED = 20  # hospitals whose pairs are shown; the others are in metrics.csv


@dataclass(frozen=True)
class EmbeddingAudit:
    """What was found: ``report``, nested lists and numbers, and ``metrics``, a long frame of all of them."""

    report: dict
    metrics: pd.DataFrame

    def write(self, folder: str | Path) -> Path:
        """Write index.html, report.json and metrics.csv into ``folder``, all or none; returns the page's path."""
        page = template("medgen_utils.audit.embeddings", "embeddings.html.j2").render(report=self.report, listed=LISTED)
        return write_report(folder, page, self.report, self.metrics)


def audit_embeddings(study: Study, *, title: str = "Audit of embeddings by hospital", seed: int = 0) -> EmbeddingAudit:
    """Hospital probe, class probe within and across hospitals, robustness index with controls, confounded training.

    What each number means, and what it cannot mean, stands beside it on the page. Draws depend on ``seed`` alone.
    Chapter: pretraining.
    """
    data = study.data
    probe, classes = hospital_probe(data, seed=seed), class_probe(data, seed=seed)
    tied = confounded_training(data, seed=seed)
    index = {
        "embeddings": robustness_index(data, seed=seed),
        "permuted labels": robustness_index(permuted_labels(data, seed), seed=seed),
        "random numbers": robustness_index(random_embeddings(data, seed), seed=seed),
    }
    report = {
        "schema": SCHEMA,
        "title": title,
        "made": {"medgen_utils": __version__, "seed": seed},
        "images": len(data.z),
        "numbers": data.z.shape[1],
        "classes": list(study.class_names),
        "patients_named": study.patients_named,
        "notices": list(study.notices),
        "hospitals": _hospitals(data, len(study.class_names)),
        "hospital_probe": probe._asdict(),
        "robustness": [{"what": name, **found._asdict()} for name, found in index.items()],
        "class_probe": plain(classes.to_dict("records")),
        "left_out": classes.attrs["left_out"],
        "home": _mean(classes[classes["learned"] == classes["tested"]]["auroc"]),
        "away": _mean(classes[classes["learned"] != classes["tested"]]["auroc"]),
        "confounded": plain(tied.to_dict("records")),
    }
    return EmbeddingAudit(report, _long(probe.value, index, classes, tied))


def _hospitals(data: Embeddings, k: int) -> list[dict]:
    rows = []
    for place, name in enumerate(data.domain_names):
        inside = data.domain == place
        counts = np.bincount(data.y[inside], minlength=k).tolist()
        patients = len(np.unique(data.group[inside]))
        rows.append({"name": name, "images": int(inside.sum()), "patients": patients, "counts": counts})
    return rows


def _mean(values: pd.Series) -> float | None:
    return float(values.mean()) if values.notna().any() else None


def _long(probe: float, index: dict[str, Robustness], classes: pd.DataFrame, tied: pd.DataFrame) -> pd.DataFrame:
    rows = [("hospital probe", "", "", probe)]
    rows += [("robustness index", name, f"k = {found.k}", found.value) for name, found in index.items()]
    rows += [("class probe", row.learned, row.tested, row.auroc) for row in classes.itertuples()]
    rows += [("confounded training", row.pair, f"{row.strength:g}", row.auroc) for row in tied.itertuples()]
    return pd.DataFrame(rows, columns=["measure", "first", "second", "value"])
