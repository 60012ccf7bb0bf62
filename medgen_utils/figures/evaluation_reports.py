"""The figures that only the chapter on evaluation reports draws, and their tables. Chapter: evaluation_reports."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd
import torch
from IPython.display import HTML
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from medgen_utils import plotting, shifts
from medgen_utils.benchmark.result import About
from medgen_utils.domains import DomainDataset
from medgen_utils.evaluation import decision_curve, metrics_by
from medgen_utils.machine import is_static
from medgen_utils.shifts.stress import Stress

BINS = 8
THRESHOLDS = np.arange(0.02, 0.81, 0.02)
MEASURES = {
    "auroc": "AUROC", "balanced_accuracy": "balanced accuracy", "accuracy": "accuracy", "brier": "Brier score",
    "calibration_error": "calibration error",
}  # fmt: skip


def metrics_table(frame: pd.DataFrame) -> pd.DataFrame:
    """A row a domain: images, share of the sick, and five measures of one model's predictions."""
    found = metrics_by(frame, ("domain",), tuple(MEASURES))
    table = found.pivot(index="domain", columns="metric", values="value").rename(columns=MEASURES)
    of = frame.groupby("domain")["y"]
    table.insert(0, "sick", of.mean())
    table.insert(0, "images", of.size())
    order = list(dict.fromkeys(frame["domain"]))
    return table.loc[order, ["images", "sick", *MEASURES.values()]].rename_axis(columns=None).round(2)


def measures_by_site(frame: pd.DataFrame, about: About) -> Figure:
    """A line a measure of one model's predictions, a point a domain."""
    found = metrics_by(frame, ("domain",), tuple(MEASURES))
    rows = found.assign(measure=found["metric"].map(MEASURES))
    order = rows.set_index(["measure", "domain"]).loc[list(MEASURES.values())].reset_index()
    axis = plotting.dot_plot(order, "measure", "domain", label="value", reference=None)
    axis.set_xlim(0, 1)
    plt.close(axis.figure)  # returned, so shown once
    return plotting.footer(axis.figure, about.line(1), about.credit)


# ------------------------------------------------------------------------------------------------------ calibration


def reliability(p: np.ndarray, y: np.ndarray, weights: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Mean probability and share of the sick in each of `BINS` bins that holds over 1 % of the weight."""
    weights = np.ones(len(y)) if weights is None else weights
    place = np.clip((p * BINS).astype(int), 0, BINS - 1)
    total = np.bincount(place, weights, BINS)
    used = total > 0.01 * weights.sum()
    means = [np.bincount(place, weights * values, BINS)[used] / total[used] for values in (p, y)]
    return means[0], means[1]


def calibration(frame: pd.DataFrame, domains: Sequence[str], about: About) -> Figure:
    """A reliability curve a domain, with the diagonal of right probabilities."""
    figure, axis = plt.subplots(figsize=(5.8, 4.0))
    axis.plot([0, 1], [0, 1], ":", color=plotting.QUIET)
    for i, domain in enumerate(domains):
        rows = frame[frame["domain"] == domain]
        curve = reliability(rows["prob_1"].to_numpy(), rows["y"].to_numpy())
        axis.plot(*curve, plotting.MARKERS[i] + "-", label=domain, linewidth=1.5)
    axis.set(xlabel="mean probability of malignant", ylabel="share malignant", xlim=(0, 1), ylim=(0, 1))
    axis.legend(fontsize=9.5)
    plt.close(figure)  # returned, so shown once
    return plotting.footer(figure, f"bins with over 1 % of the images · {about.line(1)}", about.credit)


def at_rates(measures: Callable[[float], Mapping[str, float]], rates: Sequence[float]) -> pd.DataFrame:
    """What ``measures`` gives at each prevalence: a row a measure, a column a rate."""
    return pd.DataFrame({f"{rate:.0%}": measures(rate) for rate in rates}).round(2)


def at_prevalence(
    measures: Callable[..., Mapping[str, float]], prob: np.ndarray, y: np.ndarray, trained: float = 0.5
) -> Callable[[float], Figure]:
    """A function of the prevalence: ``measures(prevalence, prob)`` and calibration, before and after correction.

    prob (n, 2), made for a share ``trained`` of the sick; y (n,).
    """

    def draw(prevalence: float) -> Figure:
        corrected = shifts.prior_correction(prob, [1 - trained, trained], [1 - prevalence, prevalence])
        weights = np.where(y == 1, prevalence / y.mean(), (1 - prevalence) / (1 - y.mean()))
        figure, (left, right) = plt.subplots(1, 2, figsize=(5.8, 2.9), width_ratios=[1.1, 1])
        for i, (label, p) in enumerate({"as trained": prob, "prior-corrected": corrected}.items()):
            values = measures(prevalence, p)
            style = {"marker": plotting.MARKERS[i], "color": plotting.PALETTE[i], "label": label}
            left.plot(list(values.values()), list(values), linestyle="", alpha=0.85, **style)
            right.plot(*reliability(p[:, 1], y, weights), linewidth=1.4, **style)
        left.set(xlim=(-0.03, 1.03))
        left.invert_yaxis()
        right.plot([0, 1], [0, 1], ":", color=plotting.QUIET)
        right.set(xlabel="mean probability", ylabel="share sick", xlim=(0, 1), ylim=(0, 1))
        handles = left.get_legend_handles_labels()
        figure.legend(*handles, loc="outside upper center", ncols=2, fontsize=9)
        return figure

    return draw


# -------------------------------------------------------------------------------------------------- decision curves


def net_benefits(frame: pd.DataFrame, domain: str, trained: float, prevalence: float) -> dict[str, pd.DataFrame]:
    """Decision curves at a domain, of the probabilities as trained and corrected for a prevalence."""
    rows = frame[frame["domain"] == domain]
    y, prob = rows["y"].to_numpy(), rows[["prob_0", "prob_1"]].to_numpy()
    corrected = shifts.prior_correction(prob, [1 - trained, trained], [1 - prevalence, prevalence])
    kinds = {"as trained": prob, "corrected for prevalence": corrected}
    return {name: decision_curve(y, p[:, 1], THRESHOLDS) for name, p in kinds.items()}


def useful(curve: pd.DataFrame, margin: float = 0.002) -> float:
    """Share of the thresholds at which a model beats treating everybody and treating nobody by a margin."""
    return float((curve["model"] > curve[["treat_all", "treat_none"]].max(axis=1) + margin).mean())


def decisions(curves: Mapping[str, Mapping[str, pd.DataFrame]], about: About) -> Figure:
    """A panel a domain: its curves of `net_benefits`, biopsy everybody, biopsy nobody."""
    figure, axes = plt.subplots(1, len(curves), figsize=(5.8, 3.3), sharey=True, squeeze=False)
    for axis, (title, kinds) in zip(axes[0], curves.items(), strict=True):
        for i, (label, curve) in enumerate(kinds.items()):
            axis.plot(curve["threshold"], curve["model"], ("-", "--")[i], label=label)
        style = {"color": plotting.QUIET, "linewidth": 1.3}
        axis.plot(curve["threshold"], curve["treat_all"], label="biopsy everybody", **style)
        axis.axhline(0, linestyle=":", label="biopsy nobody", **style)
        axis.set(title=title, xlabel="threshold probability", ylim=(-0.12, 0.5))
    axes[0, 0].set_ylabel("net benefit")
    handles = axes[0, 0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside upper center", ncols=2, fontsize=9)
    plt.close(figure)
    return plotting.footer(figure, about.line(1), about.credit)


# ------------------------------------------------------------------------------------------------------ corruptions


def damaged(dataset: DomainDataset, kinds: Sequence[str]) -> Figure:
    """The first image under each corruption, a row a kind, severity 0 to 5."""
    x = dataset.x[:1]
    rows = [
        torch.cat([shifts.corrupt(x, name, s, torch.Generator().manual_seed(0)) for s in range(6)]) for name in kinds
    ]
    figure = plotting.show_images(rows, list(kinds), [str(s) for s in range(6)], scale=0.6)
    plt.close(figure)
    return plotting.footer(figure, "", [dataset.info])


def severity(stress: Stress, line: str, credit: DomainDataset) -> Figure:
    """A panel a family: error over severity, a line a version; a star where the version trained on that family."""
    frame, families = stress.frame, list(dict.fromkeys(stress.errors().index))
    figure, axes = plt.subplots(-(-len(families) // 2), 2, figsize=(5.8, 4.9), sharex=True, sharey=True, squeeze=False)
    clean = stress.clean()
    for axis, family in zip(axes.flat, families, strict=False):
        rows = frame[frame["family"] == family]
        for i, (name, version) in enumerate(stress.versions.items()):
            means = rows[rows["version"] == name].groupby("severity")["error"].mean()
            curve = pd.concat([pd.Series({0: clean[name]}), means])
            axis.plot(curve.index, curve, plotting.MARKERS[i] + "-", markersize=5, label=name)
            if version.trained_on == family:
                where = curve.index[-1], curve.iloc[-1]
                axis.annotate("*", where, (6, -6), textcoords="offset points", fontsize=16)
        axis.axhline(0.5, color=plotting.QUIET, linestyle=":", linewidth=1.4)
        axis.set_title(family)
    figure.supylabel("error", fontsize=11)
    for axis in axes[-1]:
        axis.set(xlabel="severity", xticks=range(6))
    handles = axes[0, 0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside upper center", ncols=3, fontsize=9, columnspacing=1)
    plt.close(figure)
    return plotting.footer(figure, line, [credit.info])


# ------------------------------------------------------------------------------------------------------------ audit


class Audited(Protocol):
    """What `audit.audit` returns."""

    report: dict

    def write(self, folder: Path) -> Path: ...


def saved(predictions: pd.DataFrame, file: str = "predictions.csv") -> Path:
    """The table as a CSV in a folder of its own; its path."""
    path = Path(tempfile.mkdtemp()) / file
    predictions.to_csv(path, index=False)
    return path


def findings(audited: Audited) -> pd.DataFrame:
    """What an audit found, a row a finding with its verdict."""
    table = pd.DataFrame(audited.report["findings"])
    return table[["kind", "who", "domain", "verdict", "value", "low", "high"]].round(2)


def published(audited: Audited) -> HTML:
    """Write the report: for the site into _extra/, which is copied onto it, else into a folder of its own; the link."""
    page = audited.write((Path("../_extra") if is_static() else Path(tempfile.mkdtemp())) / "audit")
    if is_static():
        link = '<a href="../audit/index.html">Open the report of these two models</a>'
        return HTML(f"<p>{link}: one page, nothing loaded from elsewhere.</p>")
    return HTML(f"<p>The report is {page}</p>")
