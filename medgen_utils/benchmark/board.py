"""The scoreboard of a problem as the evidence store has it, and how much of the sweep is done. Chapter: scoreboard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from IPython.display import Markdown
from scipy.stats import spearmanr

from medgen_utils.benchmark.entries import CONTENDERS, PROBLEMS, PROTOCOL
from medgen_utils.benchmark.evidence import RUNS, comparable, load_rows, path_of
from medgen_utils.benchmark.nulls import seed_spread
from medgen_utils.benchmark.packing import ENSEMBLE
from medgen_utils.benchmark.standings import (
    ALL_SEEDS,
    BASELINE,
    REFERENCES,
    common,
    compare,
    coverage,
    final_scores,
    finished,
    leaves_two,
    standings,
)
from medgen_utils.evaluation import holm, t_interval

PRIMARY = [c.name for c in CONTENDERS if c.primary and c.family != "reference"] + [ENSEMBLE]
CONFIRMING = ("breast hospitals", "mitosis", "breast scanners")  # of the primary family, as the protocol says
LONGER = "ERM, equal seconds"
ASIDE = (BASELINE, LONGER, ENSEMBLE, *REFERENCES)  # who is no remedy


class Board(NamedTuple):
    """rows: the runs that can be compared; table: `standings` with the columns primary and holm (the p value corrected
    over the primary family on this problem, NaN elsewhere); lacking: contenders that are not finished there; luck: the
    standard deviation of a score between seeds. Empty table and NaN where the store has nothing to compare."""

    problem: str
    rows: pd.DataFrame
    table: pd.DataFrame
    lacking: tuple[str, ...]
    luck: float

    @property
    def final(self) -> pd.DataFrame:
        """The tested rows of the chosen trials, with the column unit (`standings.final_scores`)."""
        return final_scores(self.rows) if len(self.rows) else self.rows.assign(unit=[])

    @property
    def scores(self) -> pd.DataFrame:
        """AUROC, mean over seeds: a row a unit, a column a method, the baseline first, then best first."""
        scores = self.final.pivot_table(index="unit", columns="method", values="auroc")
        return scores[[BASELINE, *scores.mean().drop(BASELINE).sort_values(ascending=False).index]]

    @property
    def remedies(self) -> pd.DataFrame:
        """The rows of the table without ERM (its longer training and its ensemble too) and without the references."""
        if self.table.empty:
            return pd.DataFrame(columns=["method", "difference"])
        own = ~self.table["method"].isin(ASIDE)
        return self.table[own].reset_index(drop=True)

    @property
    def seeds(self) -> int:
        """Seeds that every method has at every unit, at some there may be more; one where a seed draws the clinic."""
        seeds = self.final.query(f"seed != {ALL_SEEDS}").groupby("unit")["seed"].nunique()
        return int(seeds.min()) if len(seeds) else 0

    @property
    def _lacking(self) -> str:
        return self.lacking[0] if len(self.lacking) == 1 else f"{len(self.lacking)} contenders"

    def say(self) -> Markdown:
        """Who leads, on how many units and seeds, and what a test over so few units could show at all."""
        if self.table.empty:
            return Markdown(f"The evidence store has no methods on {self.problem} to compare yet.")
        rest, units = self.remedies, len(self.scores)
        best, worst = rest.iloc[0], rest.iloc[-1]
        above, clear = (rest["difference"] > 0).sum(), (rest["low"] > 0).sum()
        seeds = f"{self.seeds} seed{'s' * (self.seeds > 1)} at each of {units} units"
        most, least = (f"{row['difference']:+.3f} ({row['method']})" for row in (best, worst))
        smallest = f"{best['smallest']:.3f}" if best["smallest"] >= 0.001 else "below .001"
        later = f" Not finished there yet: {self._lacking}." if self.lacking else ""
        if len(rest) == 1:
            gain = f"{best['difference']:+.3f}, better at {best['gains']}"
            led = f"{best['method']} stands beside ERM, with {seeds}: {gain}. "
        else:
            led = (
                f"{len(rest)} remedies stand beside ERM, with {seeds}. "
                f"Their means go from {most} down to {least} around ERM's, {above} of them above it; "
                f"{clear} of the intervals over units {'lies' if clear == 1 else 'lie'} above zero. "
            )
        return Markdown(
            f"On {self.problem} {led}"
            f"The smallest p value that {units} units can give in a sign-flip test is {smallest}.{later}"
        )


def read_board(problem: str, methods: Sequence[str] = (), protocol: int = PROTOCOL) -> Board:
    """The board of a problem from the evidence store: what is finished on the same targets and seeds as ERM.

    methods: all contenders that take part there and the ensemble by default. Targets and seeds are those that allow the
    most comparisons (`evidence.comparable`), so a sweep that is still running gives fair comparisons, on fewer units.
    The ensemble takes part once its rivals have all the seeds that it is made of.
    """
    asked = list(methods) or _taking_part(problem)
    stored = load_rows(path_of(RUNS))
    stored = finished(stored[(stored["problem"] == problem) & (stored["protocol"] == protocol)])
    able = comparable(stored, [name for name in asked if name != ENSEMBLE])
    if not able:
        return Board(problem, stored[:0], pd.DataFrame(), tuple(asked), float("nan"))
    rows = common(stored[stored["method"].isin([*able, ENSEMBLE])], able)
    if _seeds(rows[rows["method"] == BASELINE]).min() < stored["seed"].drop_duplicates().ge(0).sum():
        rows = rows[rows["method"] != ENSEMBLE]  # of more seeds than its rivals have here, at one target at least
    table = standings(rows)
    primary = table["method"].isin(PRIMARY if problem in CONFIRMING else ()) & table["p_value"].notna()
    corrected = pd.Series(np.nan, table.index)
    corrected[primary] = holm(table.loc[primary, "p_value"].to_numpy())
    lacking = tuple(name for name in asked if name not in set(rows["method"]))
    return Board(problem, rows, table.assign(primary=primary, holm=corrected), lacking, _luck(final_scores(stored)))


def side_by_side(boards: Mapping[str, Board]) -> pd.DataFrame:
    """Do two boards agree? The mean difference from ERM of each remedy that all have, best on the first board first.

    Columns: method, board (the name it was given), value (AUROC). Empty where no remedy is on all of them.
    """
    gains = {name: found.remedies.set_index("method")["difference"] for name, found in boards.items()}
    table = pd.DataFrame(gains).dropna().sort_values(next(iter(gains)), ascending=False)
    return table.rename_axis("method").reset_index().melt("method", var_name="board")


def agreement(gains: pd.DataFrame) -> tuple[float, float]:
    """Spearman's rank correlation of the first two boards of `side_by_side`, and its p value, with remedies as units.

    ValueError for fewer than three remedies, which have no order to compare.
    """
    table = gains.pivot(index="method", columns="board", values="value")[list(dict.fromkeys(gains["board"]))]
    if len(table) < 3:
        raise ValueError(f"{len(table)} remedies are on both boards: an order takes at least three")
    found = spearmanr(table.iloc[:, 0], table.iloc[:, 1])
    return float(found.statistic), float(found.pvalue)


def primary_family(boards: Sequence[Board]) -> pd.DataFrame:
    """The primary comparisons of all boards together, smallest p value first, as the protocol corrects them.

    Columns problem, method, units, difference, p_value (t test over units), sign_flip, smallest (what it could have
    been at least) and holm, here corrected over the comparisons of all boards and not of one.
    """
    columns = ["problem", "method", "units", "difference", "p_value", "sign_flip", "smallest"]
    rows = pd.concat([found.table.loc[found.table["primary"], columns] for found in boards if len(found.table)])
    rows = rows.assign(holm=holm(rows["p_value"].to_numpy()))
    return rows.sort_values("p_value", ignore_index=True)


def winners(scores: Mapping[str, pd.DataFrame], level: float = 0.95) -> pd.DataFrame:
    """Does the best of one problem win at another? A row a problem and each other's best; none where it is the same.

    scores: by problem, a row a unit and a column a method (`Board.scores`); ERM and the references take no part.
    Columns at, best (the highest mean there), visitor (the best of ``of``), of, units, value (best minus visitor, mean
    over the units of ``at``), low, high. Who is best was read off these very units, so Student's interval is
    Bonferroni's over all pairs of methods at all problems: together they hold with this ``level`` (of a null board, on
    which every method is ERM, less than 1 - level has an interval above zero).
    """
    tables = {name: table.drop(columns=list(ASIDE), errors="ignore") for name, table in scores.items()}
    best = {name: table.mean().idxmax() for name, table in tables.items()}
    tried = sum(table.shape[1] * (table.shape[1] - 1) / 2 for table in tables.values())
    rows = []
    for at, table in tables.items():
        for of, visitor in best.items():
            if visitor != best[at] and visitor in table:
                gain = (table[best[at]] - table[visitor]).to_numpy()
                rows.append([at, best[at], visitor, of, len(gain), *t_interval(gain, 1 - (1 - level) / tried)[:3]])
    return pd.DataFrame(rows, columns=["at", "best", "visitor", "of", "units", "value", "low", "high"])


def families(boards: Sequence[Board]) -> pd.DataFrame:
    """What each family does on each problem, all its members counted and none picked: a row a problem and family.

    Columns problem, family, members, units, difference (mean over members, then over units), low and high (Student's t
    over units), p_value, and holm, corrected over all cells of the table. Empty where no board has methods.
    """
    cells = []
    for found in boards:
        names = found.remedies.groupby("family", sort=False)["method"] if len(found.table) else []
        for family, members in names:
            gain = found.scores[list(members)].mean(axis=1) - found.scores[BASELINE]
            difference, low, high, p_value, *_ = compare(gain.to_numpy())
            cells.append([found.problem, family, len(members), len(gain), difference, low, high, p_value])
    columns = ["problem", "family", "members", "units", "difference", "low", "high", "p_value"]
    table = pd.DataFrame(cells, columns=columns)
    return table.assign(holm=holm(table["p_value"].to_numpy()) if len(table) else [])


def _seeds(rows: pd.DataFrame) -> pd.Series:
    """How many seeds each target has, which was left out alone."""
    alone = rows[~leaves_two(rows)]
    return alone.groupby("left_out")["seed"].nunique()


def _taking_part(problem: str) -> list[str]:
    """Names of the contenders that a problem has, and the ensemble of its seeds; of all where it is none of today's."""
    of_problem = next((p for p in PROBLEMS if p.name == problem), None)
    names = [c.name for c in CONTENDERS if of_problem is None or of_problem.takes(c)]
    return names if of_problem and of_problem.seeds == 1 else [*names, ENSEMBLE]


def _luck(final: pd.DataFrame) -> float:
    """`nulls.seed_spread` of all that is finished; NaN where no method has two seeds at a target."""
    try:
        return float(seed_spread(final).iloc[0])
    except ValueError:
        return float("nan")


def progress(protocol: int = PROTOCOL) -> pd.DataFrame:
    """How much of the sweep the store has: a row a problem, its units and runs done and planned.

    Columns: problem, steps, targets (left out in turn), seeds, then runs of the primary family and its references, and
    of all others, done and planned. Runs for held-out-domain validation are not counted.
    """
    stored = load_rows(path_of(RUNS))
    alone = stored[(stored["protocol"] == protocol) & ~leaves_two(stored)]
    table = coverage(alone, CONTENDERS, PROBLEMS, which="targets")
    table["primary"] = table["method"].isin([contender.name for contender in CONTENDERS if contender.primary])
    rows = []
    for problem in PROBLEMS:
        row = {"problem": problem.name, "steps": problem.steps, "targets": len(problem.targets), "seeds": problem.seeds}
        mine = table[table["problem"] == problem.name].groupby("primary")[["runs", "planned"]].sum()
        for word, primary in (("primary", True), ("other", False)):
            runs, planned = mine.reindex([primary], fill_value=0).to_numpy()[0].tolist()
            row |= {f"{word} runs": runs, f"{word} planned": planned}
        rows.append(row)
    return pd.DataFrame(rows)
