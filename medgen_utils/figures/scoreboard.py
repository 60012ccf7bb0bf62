"""The board as a table and as figures: gains at each unit, inside against outside, luck. Chapter: scoreboard."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from medgen_utils import plotting
from medgen_utils.benchmark import standings
from medgen_utils.benchmark.board import Board
from medgen_utils.benchmark.mechanisms import GAIN, LOSS, NO_GAIN, NONE
from medgen_utils.benchmark.nulls import best_of_nothing
from medgen_utils.benchmark.ranks import Ranks
from medgen_utils.benchmark.result import Result
from medgen_utils.figures.sortable import Sortable, sortable
from medgen_utils.selection import RULES

SHADE = "#F0F1F3"


def room(result: Result, area: pd.Series) -> Figure:
    """What is there to gain, a line a site: the area of the lesion alone, the baseline, and who has seen the target."""
    scores = result.scores().rename(columns={"method": "who"})
    control = pd.DataFrame({"who": "area of the lesion", "unit": area.index, "value": area.to_numpy()})
    axis = plotting.dot_plot(pd.concat([control, scores]), "unit", "who")
    plt.close(axis.figure)
    return axis.figure


def page(board: Board) -> Sortable:
    """The board as a table that a reader sorts and filters, best first; times are multiples of ERM's."""
    rows = board.table
    erm = rows.set_index("method").loc["ERM", "seconds"]
    frame = pd.DataFrame({
        "method": rows["method"], "family": rows["family"], "unseen": rows["value"], "in domain": rows["in_domain"],
        "minus ERM": rows["difference"].where(rows["method"] != "ERM"), "low": rows["low"], "high": rows["high"],
        "better at": [f"{row.gains} of {row.units}" for row in rows.itertuples()],
        "lowest": rows["worst"], "lowest at": rows["worst_unit"], "time": rows["seconds"] / erm, "rise": rows["rise"],
        "Holm": rows["holm"],
    })  # fmt: skip
    frame.loc[frame["method"] == "ERM", ["low", "high"]] = np.nan
    signed = dict.fromkeys(("minus ERM", "low", "high", "rise"), "{:+.3f}".format)
    caption = (
        f"AUROC on {board.problem}, {board.seeds} seed{'s' * (board.seeds > 1)} at each of {len(board.scores)} units"
    )
    return sortable(frame, caption, filters=["family"], show=signed | {"time": "{:.1f}".format})


def gains(board: Board, limit: float = 0.1) -> Figure | None:
    """The difference of every method from the baseline at each unit, a row a method, a point a unit, a bar the mean.

    Members of a family stand together, best mean first; a hospital that all units share is not named. What lies beyond
    ``limit`` is drawn at the edge as an arrow.
    Few units are shown as they are, so there is no interval. None for a board without methods.
    """
    if board.table.empty:
        return None
    scores, families = board.scores, board.table.set_index("method")["family"]
    d = scores.iloc[:, 1:].sub(scores.iloc[:, 0], axis=0)
    mean, family = d.mean(), families.reindex(d.columns)
    best = mean.groupby(family).transform("max")
    frame = pd.DataFrame({"mean": mean, "family": family, "best": best})
    order = frame.sort_values(["best", "family", "mean"], ascending=[False, True, False]).index
    figure, axis = plt.subplots(figsize=(5.8, 1.6 + 0.3 * len(order)), layout="constrained")
    for i, name in enumerate(order):
        for k, unit in enumerate(d.index):
            value = d.loc[unit, name]
            inside = abs(value) <= limit
            marker = plotting.MARKERS[k % 7] if inside else ("<" if value < 0 else ">")
            style = {"color": plotting.PALETTE[k % 7], "alpha": 0.85, "markersize": 6}
            axis.plot(np.clip(value, -limit, limit), i, marker, label=unit if i == 0 else None, **style)
        axis.plot([np.clip(mean[name], -limit, limit)] * 2, [i - 0.28, i + 0.28], color=plotting.INK, linewidth=2)
    _shade(axis, family[order])
    plotting.name_rows(axis, list(order), "difference in AUROC", 0.0, scores.columns[0])
    axis.set_xlim(-1.08 * limit, 1.08 * limit)
    hospitals = {unit.rpartition(": ")[0] for unit in d.index}
    names = [unit.rpartition(": ")[2] if len(hospitals) == 1 else unit for unit in d.index]
    handles = [
        plt.Line2D([], [], linestyle="", marker=plotting.MARKERS[k % 7], color=plotting.PALETTE[k % 7], label=unit)
        for k, unit in enumerate(names)
    ]
    figure.legend(handles=handles, loc="outside upper left", ncols=2, fontsize=9.5)  # as wide as the names need
    plt.close(figure)
    return figure


def _shade(axis, family: pd.Series) -> None:
    """Every second family gets a band."""
    starts = np.flatnonzero(family.to_numpy() != family.shift().to_numpy())
    ends = [*starts[1:], len(family)]
    for start, end in list(zip(starts, ends, strict=True))[1::2]:
        axis.axhspan(start - 0.5, end - 0.5, color=SHADE, zorder=0)


def target_against_in_domain(board: Board, baseline: str = "ERM") -> Figure:
    """Each method of a problem as a point: its score inside, on held-back patients of the sources, and at the target.

    Who lies to the right fits better; who lies above the dashed
    line, on which a gain inside is kept outside in full, generalizes better than the baseline does.
    """
    rows = board.table.set_index("method")
    figure, axis = plt.subplots(figsize=(5.8, 4.6), layout="constrained")
    at = rows.loc[baseline]
    low, high = rows["in_domain"].min(), rows["in_domain"].max()
    x = np.array([low - 0.004, high + 0.004])
    axis.plot(x, at["value"] + x - at["in_domain"], "--", color=plotting.QUIET, linewidth=1.3)
    names = list(rows["family"].drop_duplicates())
    for k, name in enumerate(names):
        part = rows[rows["family"] == name]
        colour = plotting.PALETTE[k % 7]
        style = {"marker": plotting.MARKERS[k % 7], "edgecolors": colour, "facecolors": colour if k < 7 else "none"}
        axis.scatter(part["in_domain"], part["value"], s=46, label=name, zorder=3, **style)
    axis.annotate(baseline, (at["in_domain"], at["value"]), (6, -12), textcoords="offset points", fontsize=10)
    for name in [rows["value"].idxmax(), rows["value"].idxmin()]:
        if name != baseline:
            here = rows.loc[name]
            side = "right" if here["in_domain"] > (low + high) / 2 else "left"
            offset = (-6, 7) if side == "right" else (6, 7)
            axis.annotate(
                name, (here["in_domain"], here["value"]), offset, textcoords="offset points", ha=side, fontsize=10
            )
    axis.set(xlabel="AUROC inside, on held-back patients of the sources", ylabel="AUROC at the unseen target")
    axis.legend(loc="lower left", bbox_to_anchor=(-0.02, 1.01), ncols=2, fontsize=9.5, handletextpad=0.2)
    plt.close(figure)
    return figure


def critical_difference(result: Ranks) -> Figure:
    """Mean ranks as a column of dots, best on top; a bar joins methods of which no two are told apart (Demšar 2006)."""
    names, groups = list(result.mean.index), result.groups()
    figure, axis = plt.subplots(figsize=(5.8, 1.2 + 0.3 * len(names)), layout="constrained")
    axis.plot(result.mean, range(len(names)), "o", color=plotting.PALETTE[0], markersize=7)
    for k, group in enumerate(groups):
        first, last = names.index(group[0]), names.index(group[-1])
        at = len(names) + 0.6 + 0.5 * k
        axis.plot([at, at], [first, last], color=plotting.INK, linewidth=3, solid_capstyle="butt")
    plotting.name_rows(axis, names, "mean rank (1 is best)", None)
    right = len(names) + 0.9 + 0.5 * max(len(groups) - 1, 0)
    axis.set_xlim(0.5, max(right, 1 + result.critical_difference))
    axis.plot([1, 1 + result.critical_difference], [-1.2, -1.2], color=plotting.PALETTE[1], linewidth=3, clip_on=False)
    axis.text(1, -1.45, f"critical difference {result.critical_difference:.1f}", fontsize=10, color=plotting.PALETTE[1])
    axis.set_ylim(len(names) - 0.45, -2.1)
    plt.close(figure)
    return figure


def best_of_nothings(board: Board, contenders: int, limit: float = 0.08) -> Figure:
    """How far the best of so many contenders lies ahead of ERM when all of them are ERM, and the best of the board.

    A histogram of drawn boards with the board's units and seeds and its luck of seeds.
    """
    leads = best_of_nothing(board.luck, len(board.scores), board.seeds, contenders)
    best = board.remedies.iloc[0]
    figure, axis = plt.subplots(figsize=(5.8, 2.6), layout="constrained")
    axis.hist(leads, bins=np.linspace(-limit, limit, 49), color=plotting.PALETTE[0])
    axis.axvline(0, color=plotting.QUIET, linestyle=":", linewidth=1.4)
    axis.axvline(best["difference"], color=plotting.PALETTE[1])
    text = f"{best['method']},\nbest of {len(board.remedies)}"
    right = best["difference"] < limit / 2
    axis.annotate(text, (best["difference"], 0.97), (5 if right else -5, 0), xycoords=("data", "axes fraction"),
                  textcoords="offset points", va="top", ha="left" if right else "right",
                  color=plotting.PALETTE[1])  # fmt: skip
    axis.set(
        yticks=[], ylabel="boards of nothing", xlabel="best mean difference from ERM (AUROC)", xlim=(-limit, limit)
    )
    plt.close(figure)
    return figure


def lead_of_nothing(board: Board, contenders: int) -> float:
    """By how much the best of so many contenders leads ERM on average when all of them are ERM."""
    return float(best_of_nothing(board.luck, len(board.scores), board.seeds, contenders).mean())


def beat(board: Board, contenders: int) -> float:
    """The share of boards of so many nothings whose best is at least as good as the best remedy of ``board``."""
    leads = best_of_nothing(board.luck, len(board.scores), board.seeds, contenders)
    return float((leads >= board.remedies["difference"].max()).mean())


def corrected(board: Board) -> pd.DataFrame:
    """The comparisons of the primary family: difference, p value of the t test, after Holm, of the sign-flip test."""
    primary = board.table[board.table["primary"]].set_index("method")
    names = {"difference": "minus ERM", "p_value": "t test", "holm": "after Holm", "sign_flip": "sign-flip test"}
    return primary[list(names)].rename(columns=names).sort_values("t test")


def families(table: pd.DataFrame) -> Figure | None:
    """Shift by family in hundredths of AUROC; a frame where Holm's correction over all cells leaves the difference.

    table: of `board.families`. None for an empty one.
    """
    if table.empty:
        return None
    table = table.assign(shift=table["problem"].str.removeprefix("clinic: "))
    cells, left = (
        table.assign(left=table["holm"] < 0.05).pivot(index="family", columns="shift", values=column)
        for column in ("difference", "left")
    )
    order, shifts = table["family"].unique(), table["shift"].unique()
    cells, left = cells.loc[order, shifts], left.loc[order, shifts].eq(True)
    size = (2.4 + 0.85 * len(shifts), 0.8 + 0.42 * len(order))
    axis = plotting.difference_grid(cells, size, left, reach=float(np.nanmax(np.abs(cells))))
    plt.close(axis.figure)
    return axis.figure


def predictions(table: pd.DataFrame) -> Figure | None:
    """Each prediction of a mechanism: the marker says what was predicted, the colour what the interval says.

    table: of `mechanisms.held`. None for an empty one. The line beside zero is the gain that counts as none.
    """
    if table.empty:
        return None
    table = table.reset_index(drop=True)
    figure, axis = plt.subplots(figsize=(5.8, 1.5 + 0.32 * len(table)), layout="constrained")
    colours = dict(zip(("borne out", "refuted", "open"), (*plotting.PALETTE[:2], plotting.QUIET), strict=True))
    shapes = {GAIN: "^", NONE: "o", LOSS: "v"}
    for row in table.itertuples():
        style = {"color": colours[row.verdict], "marker": shapes[row.predicted], "markersize": 7}
        axis.errorbar(
            row.value, row.Index, xerr=[[row.value - row.low], [row.high - row.value]], elinewidth=1.6, **style
        )
    plotting.name_rows(axis, list(table["shift"] + ": " + table["method"]), "difference in AUROC", 0.0, "ERM")
    axis.axvline(NO_GAIN, color=plotting.QUIET, linewidth=0.8)
    for first in np.flatnonzero(table["shift"] != table["shift"].shift())[1:]:
        axis.axhline(first - 0.5, color=plotting.QUIET, linewidth=0.8)
    for word, shape in shapes.items():
        axis.plot([], [], shape, color=plotting.PALETTE[-1], label=f"predicted: {word}")
    for word, colour in colours.items():
        axis.plot([], [], color=colour, linewidth=2.5, label=word)
    plotting.legend_above(axis, 2)
    plt.close(figure)
    return figure


def two_intervals(table: pd.DataFrame, baseline: str = "ERM") -> Figure | None:
    """Each method's mean gain with two bars: the interval over units, and that of the mixed model over sites.

    table: of `mixed.two_intervals`. None for an empty one.
    """
    if table.empty:
        return None
    names = list(table.index)
    figure, axis = plt.subplots(figsize=(5.8, 1.7 + 0.36 * len(names)), layout="constrained")
    units, sites = int(table["units"].max()), int(table["sites"].max())
    for k, (start, word) in enumerate((("", f"{units} units, each once"), ("nested_", f"{sites} sites, mixed model"))):
        at, color = np.arange(len(names)) + 0.18 * (2 * k - 1), plotting.PALETTE[k]
        axis.hlines(at, table[start + "low"], table[start + "high"], color=color, linewidth=2)
        axis.plot(table[start + "difference"], at, plotting.MARKERS[k], color=color, markersize=6, label=word)
    plotting.name_rows(axis, names, "difference in AUROC", 0.0, baseline)
    axis.locator_params(axis="x", nbins=6)
    axis.legend(loc="lower left", bbox_to_anchor=(-0.02, 1.03), ncols=2, fontsize=9.5)
    plt.close(figure)
    return figure


def by_rule(board: Board) -> pd.DataFrame:
    """Mean AUROC over units with the trial that training-domain validation picks, the oracle picks, or a lot picks.

    From the same runs: a row a method, a column a rule, ordered by what the oracle adds. "by lot" is the mean over all
    trials.
    """
    frame = standings.by_rule(board.rows, rules=(RULES[0], RULES[2])).loc[board.problem]
    frame["by lot"] = standings.any_setting(board.rows).loc[board.problem]
    return frame.loc[(frame[RULES[2]] - frame[RULES[0]]).sort_values(ascending=False).index]


def rules(board: Board) -> Figure:
    """What the rule of selection alone adds: three dots a method, from the same runs, and a line between the rules."""
    frame = by_rule(board)
    figure, axis = plt.subplots(figsize=(5.8, 1.5 + 0.3 * len(frame)), layout="constrained")
    axis.hlines(range(len(frame)), frame.iloc[:, 0], frame.iloc[:, 1], color=plotting.QUIET, linewidth=1.5)
    for k, (rule, word) in enumerate(zip(frame, ("", " (cheating)", " (mean of all)"), strict=True)):
        style = {"color": plotting.PALETTE[k], "markersize": 7, "label": rule + word}
        axis.plot(frame[rule], range(len(frame)), plotting.MARKERS[k], **style)
    plotting.name_rows(axis, list(frame.index), "mean AUROC at the unseen units", None)
    axis.legend(loc="lower left", bbox_to_anchor=(-0.02, 1.0), fontsize=9.5)
    plt.close(figure)
    return figure


def sizes(gains: pd.DataFrame) -> Figure:
    """The difference of every remedy from ERM on several boards of the same units (`board.side_by_side`)."""
    label = "difference in AUROC, mean over units"
    axis = plotting.dot_plot(gains, "method", "board", label=label, reference=0.0, reference_label="ERM")
    plt.close(axis.figure)
    return axis.figure


def published(both: pd.DataFrame) -> Figure | None:
    """Differences from ERM on another group's board against ours, a named point a method (`published.beside`).

    None for fewer than three methods: there is no order to compare.
    """
    if len(both) < 3:
        return None
    figure, axis = plt.subplots(figsize=(5.8, 3.8), layout="constrained")
    for line in (axis.axhline, axis.axvline):
        line(0, color=plotting.QUIET, linestyle=":", linewidth=1.4)
    axis.plot(both["theirs"], both["ours"], "o", color=plotting.PALETTE[0], markersize=7)
    for name, row in both.iterrows():
        up = -13 if abs(row["ours"]) < 0.2 else 4  # below the line at zero, not on it
        axis.annotate(name, (row["theirs"], row["ours"]), (6, up), textcoords="offset points", fontsize=10)
    axis.set(xlabel="DomainBed: points of accuracy, minus ERM", ylabel="here: hundredths of AUROC, minus ERM")
    axis.margins(0.16)
    plt.close(figure)
    return figure
