"""From the runs of a sweep to the scoreboard: is it complete, who stands where, what rules change. Chapter: scoreboard.

A problem with several held-out domains has domains as its units, seeds averaged first; a problem with one target, drawn
anew for each seed (the clinics), has seeds as its units. Intervals and tests are over units, never over images.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from urllib.request import urlretrieve

import numpy as np
import pandas as pd
from scipy.special import stdtr

from medgen_utils.benchmark import KEY, read_results
from medgen_utils.contenders import CONTENDERS, PROBLEMS, Contender, Problem
from medgen_utils.download import cache_folder
from medgen_utils.intervals import sign_flip_test

FILE = "chapters/results/sweep_scoreboard.csv"
UPPER_BOUND = "in-domain upper bound"
RULES = ("training-domain validation", "held-out-domain validation", "oracle")
INNER = {
    (problem.name, target): inner
    for problem in PROBLEMS
    for target, inner in zip(problem.targets, problem.inner, strict=True)
}


def committed_results() -> pd.DataFrame:
    """The runs of the book's own sweep: from the repository where we are in it, else from its address on the web."""
    path = Path(__file__).parents[1] / FILE
    if not path.exists():
        path = cache_folder() / Path(FILE).name
        repository = dict(line.split(", ") for line in metadata.metadata("medgen-utils").get_all("Project-URL"))
        path.parent.mkdir(parents=True, exist_ok=True)
        urlretrieve(f"{repository['Repository']}/raw/main/{FILE}", path)
    return read_results(path)


def coverage(
    results: pd.DataFrame,
    contenders: Sequence[Contender] = CONTENDERS,
    problems: Sequence[Problem] = PROBLEMS,
    trials: int = 3,
) -> pd.DataFrame:
    """How many runs of each contender on each problem there are: columns problem, contender, runs, planned."""
    runs = results.drop_duplicates(KEY).groupby(["problem", "contender"]).size()
    rows = []
    for problem in problems:
        for contender in contenders:
            if contender.needs_colour and not problem.colour:
                continue
            targets = len(problem.targets)
            searched = targets if contender.sees_target else len(problem.left_out())
            planned = trials * searched + targets * (problem.seeds - 1)
            rows.append([problem.name, contender.name, int(runs.get((problem.name, contender.name), 0)), planned])
    return pd.DataFrame(rows, columns=["problem", "contender", "runs", "planned"])


def picks(results: pd.DataFrame, rule: str, inner: dict[tuple[str, str], str] = INNER) -> pd.DataFrame:
    """The tested rows, at seed 0, of the trial that one of `RULES` picks for each problem, contender and target.

    What `benchmark.chosen` does one target at a time, for all at once (the first of equal trials, as there).
    ``inner`` names for each problem and target the domain that held-out-domain validation looks at; a contender without
    runs for it is left out under that rule.
    """
    columns = ["problem", "contender", "target"]
    searched = results[results["seed"] == 0].sort_values("trial", kind="stable")
    alone = searched[~searched["left_out"].str.contains(" + ", regex=False)].assign(
        target=lambda rows: rows["left_out"]
    )
    if rule == "training-domain validation":
        judged = alone[alone["split"] == "validation"]
    elif rule == "oracle":
        judged = alone[alone["split"] == "test"]
    elif rule == "held-out-domain validation":
        pairs = [(p, target, held, " + ".join(sorted([target, held]))) for (p, target), held in inner.items()]
        pairs = pd.DataFrame(pairs, columns=["problem", "target", "domain", "left_out"])
        judged = searched.merge(pairs, on=["problem", "domain", "left_out"]).sort_values("trial", kind="stable")
    else:
        raise ValueError(f"rule={rule!r}: use one of {', '.join(RULES)}")
    judged = judged.reset_index(drop=True)
    best = judged.loc[judged.groupby(columns)["auroc"].idxmax(), [*columns, "trial"]]
    picked = alone[alone["split"] == "test"].merge(best, on=[*columns, "trial"])
    return picked.sort_values(columns, ignore_index=True).drop(columns="target")


def final_scores(results: pd.DataFrame) -> pd.DataFrame:
    """The tested rows of the trials that training-domain validation picks, all seeds, with the column ``unit``.

    unit: the held-out domain, or "seed 0", "seed 1", ... on a problem with a single target.
    """
    trial = picks(results, RULES[0])[["problem", "contender", "left_out", "trial"]]
    final = results[results["split"] == "test"].merge(trial)
    targets = final.groupby("problem")["domain"].transform("nunique")
    return final.assign(unit=final["domain"].where(targets > 1, "seed " + final["seed"].astype(str)))


def standings(results: pd.DataFrame, baseline: str = "ERM", level: float = 0.95) -> pd.DataFrame:
    """A row for each contender on each problem, best first within a problem.

    Columns: problem, contender, family, units (their number), value (mean AUROC over units), worst (the lowest unit)
    and worst_unit; difference from the baseline on the same units with low and high (Student's t over units), p_value
    of that t test, sign_flip (p value of `sign_flip_test`) and smallest (the least it could have been), gains (units
    above the baseline); rank within the problem, 1 is best (NaN for the upper bound, which is no remedy); seconds of
    training, mean of the runs. ValueError where a contender lacks runs that the baseline has.
    """
    final = final_scores(results)
    scores = final.pivot_table(index=["problem", "contender", "family"], columns="unit", values="auroc")
    runs = final.groupby(["problem", "contender", "family"]).agg(n=("auroc", "size"), seconds=("seconds", "mean"))
    rows = []
    for (problem, contender, family), values in scores.iterrows():
        reference = scores.loc[(problem, baseline)].iloc[0].dropna()
        n, n_reference = runs.loc[(problem, contender, family), "n"], runs.loc[(problem, baseline), "n"].iloc[0]
        if n != n_reference:
            raise ValueError(f"{problem}: {contender} has {n} runs, {baseline} {n_reference}: finish the sweep")
        values = values[reference.index]
        row = [problem, contender, family, len(values), values.mean(), values.min(), values.idxmin()]
        rows.append(row + compare((values - reference).to_numpy(), level))
    columns = ["problem", "contender", "family", "units", "value", "worst", "worst_unit", "difference", "low", "high"]
    table = pd.DataFrame(rows, columns=[*columns, "p_value", "sign_flip", "smallest", "gains"])
    honest = table["value"].where(table["contender"] != UPPER_BOUND)
    table["rank"] = honest.groupby(table["problem"]).rank(ascending=False)
    table = table.merge(runs["seconds"].reset_index())
    return table.sort_values(["problem", "value"], ascending=[True, False], ignore_index=True)


def compare(differences: np.ndarray, level: float = 0.95) -> list[float]:
    """Mean of differences (D,), its t interval, t test, sign-flip p value with the smallest possible, share above 0."""
    test = sign_flip_test(differences, level)
    error = differences.std(ddof=1) / np.sqrt(len(differences))
    p_value = 2 * stdtr(len(differences) - 1, -abs(test.value) / error) if error > 0 else np.nan
    return [test.value, test.low, test.high, p_value, test.p_value, test.smallest_p_value, int((differences > 0).sum())]


def by_family(table: pd.DataFrame) -> pd.DataFrame:
    """Standings of families: a row for each problem and family, all members counted and none picked.

    Columns: problem, family, members, difference (mean of the members' differences), above and below (members whose
    interval lies above or below zero).
    """
    rows = table.assign(above=table["low"] > 0, below=table["high"] < 0)
    columns = {"members": ("contender", "size"), "difference": ("difference", "mean")}
    return rows.groupby(["problem", "family"], sort=False).agg(
        **columns, above=("above", "sum"), below=("below", "sum")
    )


def by_rule(results: pd.DataFrame, inner: dict[tuple[str, str], str] = INNER) -> pd.DataFrame:
    """Mean AUROC over targets of the trial each rule of `selection` picks, all from the same runs with seed 0.

    Index problem, contender; a column for each of `RULES`. The oracle picks on the test domain: cheating. The upper
    bound, which has no run for held-out-domain validation, is left out.
    """
    means = {rule: picks(results, rule, inner).groupby(["problem", "contender"])["auroc"].mean() for rule in RULES}
    return pd.DataFrame(means)[list(RULES)].drop(UPPER_BOUND, level="contender", errors="ignore")
