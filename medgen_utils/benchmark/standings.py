"""From the runs of a sweep to the scoreboard: is it complete, who stands where, what rules change. Chapter: scoreboard.

A problem with several held-out domains has domains as its units, seeds averaged first; a problem with one target, drawn
anew for each seed (the clinics), has seeds as its units. Intervals and tests are over units, never over images.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import stdtr

from medgen_utils.benchmark import KEY, RULES, chosen, read_results
from medgen_utils.benchmark.entries import CONTENDERS, PROBLEMS, Contender, Problem
from medgen_utils.data.prepared import Source, obtain
from medgen_utils.evaluation.intervals import sign_flip_test

FILE = "chapters/results/sweep_scoreboard.csv"
CHECKSUM = "sha256:c311ba0d77ca05fbb9bafb247df1bed25a95fa31a26f5d37c01c7b463027fa11"
UPPER_BOUND = "in-domain upper bound"
INNER = {
    (problem.name, target): inner
    for problem in PROBLEMS
    for target, inner in zip(problem.targets, problem.inner, strict=True)
}


def committed_results() -> pd.DataFrame:
    """The runs of the book's own sweep: from the repository where we are in it, else downloaded from its release.

    The download is checked; `DataUnavailable` and `DataCorrupt` as in `medgen_utils.data.prepared`.
    """
    path = Path(__file__).parents[1] / FILE
    if not path.exists():
        package = metadata.metadata("medgen-utils")
        repository = dict(line.split(", ") for line in package.get_all("Project-URL"))["Repository"]
        address = f"{repository}/raw/v{package['Version']}/{FILE}"
        path = obtain(Source(Path(FILE).name, address, CHECKSUM))
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


def final_scores(results: pd.DataFrame) -> pd.DataFrame:
    """The tested rows of the trials that training-domain validation picks, all seeds, with the column ``unit``.

    unit: the held-out domain, or "seed 0", "seed 1", ... on a problem with a single target.
    """
    trial = chosen(results, RULES[0])[["problem", "contender", "left_out", "trial"]]
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
    means = {rule: chosen(results, rule, inner).groupby(["problem", "contender"])["auroc"].mean() for rule in RULES}
    return pd.DataFrame(means)[list(RULES)].drop(UPPER_BOUND, level="contender", errors="ignore")
