"""What a shift is, and what each two-sample test looks at: a picture a test. Chapter: domain_shift.

The pictures of the tests have a panel for each new hospital: ``targets`` maps its name to what the home model makes of
its images, ``source`` is what it makes of images of home.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from medgen_utils.plotting import INK, PALETTE, QUIET
from medgen_utils.shifts import Outputs, black_box_shift_detection, domain_classifier_test, predicted_label_test
from medgen_utils.shifts.detection import domain_scores, mmd_and_deals

HOME, AWAY = PALETTE[0], PALETTE[1]
KINDS = ("covariate", "prior", "concept", "shortcut")


def clouds(seed: int = 0) -> Figure:
    """Four kinds of shift in two features: home pale, the new hospital strong, one panel a kind."""
    random = np.random.default_rng(seed)
    figure, axes = plt.subplots(2, 2, figsize=(4.8, 4.4), sharex=True, sharey=True)
    for axis, kind in zip(axes.flat, KINDS, strict=True):
        for where, alpha in ((f"home of {kind}", 0.18), (kind, 0.9)):
            x, y = _cloud(where, random)
            axis.plot(*x[~y].T, "o", color=HOME, alpha=alpha, ms=4, mew=0)
            axis.plot(*x[y].T, "^", color=AWAY, alpha=alpha, ms=4.5, mew=0)
        axis.axvline(0, color=QUIET, linestyle="--", linewidth=1)
        axis.set(title=kind if kind == "shortcut" else f"{kind} shift", xticks=[], yticks=[])
    figure.supxlabel("what the disease looks like", fontsize=11)
    figure.supylabel("everything else", fontsize=11)
    words = {"fontsize": 10.5, "ha": "right", "va": "top", "transform": axes[0, 1].transAxes}
    axes[0, 1].text(1, 1, "● benign", color=HOME, **words)
    axes[0, 1].text(1, 0.88, "▲ malignant", color=AWAY, **words)
    return figure


def _cloud(kind: str, random: np.random.Generator, n: int = 90) -> tuple[np.ndarray, np.ndarray]:
    """Two features (n, 2) and labels (n,) of one toy hospital."""
    y = random.random(n) < (0.12 if kind == "prior" else 0.5)
    side = np.where(y, 1, -1)
    x = random.normal(0, 0.5, (n, 2)) + np.outer(side, [1, 0])
    if kind == "covariate":
        x += np.array([0.9, 1.6])
    if kind == "concept":
        y = x[:, 0] > -0.8
    x[:, 1] += 1.2 * side * {"shortcut": -1, "home of shortcut": 1}.get(kind, 0)
    return x, y


def deals(source: Outputs, targets: Mapping[str, Outputs], seed: int = 0) -> Figure:
    """The MMD of pixels: the values that dealing out at random gives, and the one observed."""
    figure, axes = _panels(targets, sharex=False)
    for axis, (name, target) in zip(axes, targets.items(), strict=True):
        observed, dealt = mmd_and_deals(source.pixels, target.pixels, seed)
        share = (1 + (dealt >= observed).sum()) / (1 + len(dealt))
        axis.hist(1000 * dealt, bins=25, color=QUIET, alpha=0.6)
        axis.axvline(1000 * observed, color=AWAY)
        _title(axis, name, share)
        axis.set(yticks=[])
        axis.set_xlabel("1,000 × squared MMD")
    axes[0].set_ylabel("random deals")
    return figure


def origins(source: Outputs, targets: Mapping[str, Outputs], seed: int = 0) -> Figure:
    """The domain classifier: how much each held-out image looks as if it came from the new hospital."""
    figure, axes = _panels(targets)
    for axis, (name, target) in zip(axes, targets.items(), strict=True):
        scores = domain_scores(source.pixels, target.pixels, seed)
        test = domain_classifier_test(source.pixels, target.pixels, seed)
        for row, (score, colour) in enumerate(zip(scores, (HOME, AWAY), strict=True)):
            spread = np.random.default_rng(row).uniform(-0.28, 0.28, len(score))
            axis.plot(score, row + spread, "o^"[row], color=colour, ms=4.5, alpha=0.7, mew=0)
        axis.set(yticks=[0, 1], yticklabels=["home", "new"], ylim=(1.55, -0.55))
        axis.set_xlabel("looks new (log-odds)")
        _title(axis, name, test.p_value, f"AUROC {test.statistic:.2f}, ")
    return figure


def outputs(source: Outputs, targets: Mapping[str, Outputs], seed: int = 0) -> Figure:
    """The model's probabilities: their cumulative distributions, and the largest distance between them."""
    figure, axes = _panels(targets)
    for axis, (name, target) in zip(axes, targets.items(), strict=True):
        a, b = np.sort(source.prob[:, 1]), np.sort(target.prob[:, 1])
        at = np.concatenate([a, b])
        low, high = (np.searchsorted(part, at, side="right") / len(part) for part in (a, b))
        widest = np.abs(low - high).argmax()
        for part, colour, words in ((a, HOME, "home"), (b, AWAY, "new")):
            axis.step(np.r_[0, part, 1], np.r_[0, np.arange(1, len(part) + 1) / len(part), 1], color=colour,
                      where="post", label=words)  # fmt: skip
        axis.plot([at[widest]] * 2, [low[widest], high[widest]], color=INK, linestyle=":")
        axis.set(ylim=(0, 1.02), xlabel="probability of malignant")
        _title(axis, name, black_box_shift_detection(source.prob, target.prob).p_value)
    axes[0].set_ylabel("share below")
    axes[0].legend(loc="lower right", fontsize=10, handlelength=1)
    return figure


def calls(source: Outputs, targets: Mapping[str, Outputs], seed: int = 0) -> Figure:
    """The predicted labels: how many in a hundred the model calls malignant at home, and at the new hospital."""
    figure, axes = _panels(targets, height=2.0)
    for axis, (name, target) in zip(axes, targets.items(), strict=True):
        called = [part.prob.argmax(1) for part in (source, target)]
        for row, (part, colour) in enumerate(zip(called, (HOME, AWAY), strict=True)):
            axis.barh(row, 100 * part.mean(), color=colour, height=0.6)
            axis.text(100 * part.mean() + 2, row, f"{100 * part.mean():.0f}", va="center", fontsize=10.5)
        axis.set(yticks=[0, 1], yticklabels=["home", "new"], ylim=(1.55, -0.55), xlim=(0, 100))
        axis.set_xlabel("called malignant, of 100")
        _title(axis, name, predicted_label_test(*called).p_value)
    return figure


def _panels(targets: Mapping[str, Outputs], height: float = 2.7, sharex: bool = True) -> tuple[Figure, np.ndarray]:
    figure, axes = plt.subplots(1, len(targets), figsize=(5.2, height), sharey=True, sharex=sharex, squeeze=False)
    return figure, axes[0]


def _title(axis: Axes, name: str, p_value: float, before: str = "") -> None:
    p = "p < 0.01" if p_value < 0.01 else f"p = {p_value:.2f}"
    axis.set_title(f"{name}\n{before}{p}", fontsize=11)
