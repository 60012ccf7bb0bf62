"""From the runs of a sweep to the scoreboard: is it complete, who stands where, what rules change. Chapter: scoreboard.

A problem with several held-out domains has domains as its units, seeds averaged first; a problem with one target, drawn
anew for each seed (the clinics), has seeds as its units. Intervals and tests are over units, never over images.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd
from scipy.special import stdtr

from medgen_utils import selection
from medgen_utils.benchmark.entries import CONTENDERS, PAST, PROBLEMS, Contender, Problem
from medgen_utils.benchmark.protocol import KEY
from medgen_utils.benchmark.runs import RISE, plan, rise
from medgen_utils.evaluation.intervals import sign_flip_test
from medgen_utils.selection import RULES

REFERENCES = ("in-domain upper bound", "reference: target included")
INNER = {
    (problem.name, target): inner
    for problem in (*PROBLEMS, *PAST)
    if problem.inner  # without: no held-out-domain validation
    for target, inner in zip(problem.targets, problem.inner, strict=True)
}
BASELINE, ALL_SEEDS = "ERM", -1  # a seed of rows that stand for all of them: the ensemble
UNIT = ["problem", "method", "target", "seed"]


def leaves_two(results: pd.DataFrame) -> pd.Series:
    """Whether a row's run was without target and inner domain, for held-out-domain validation: (rows,) bool."""
    return results["left_out"].str.contains(" + ", regex=False)


def chosen(results: pd.DataFrame, rule: str = RULES[0], inner: dict[tuple[str, str], str] = INNER) -> pd.DataFrame:
    """The tested rows of the trial that one of `selection.RULES` picks for each problem, method, target and seed.

    By AUROC; of equal trials the first. ``inner`` names for each (problem, target) the domain that was left out with
    it, at which held-out-domain validation looks; units without such runs (the reference that sees the target, seeds
    above 0) are left out under that rule. The oracle picks on the test domain: cheating, an upper bound.
    """
    together = leaves_two(results)
    alone = results[~together].assign(target=results["left_out"])
    judged = alone
    if rule == RULES[1]:
        pairs = [(p, target, held, " + ".join(sorted([target, held]))) for (p, target), held in inner.items()]
        pairs = pd.DataFrame(pairs, columns=["problem", "target", "domain", "left_out"])
        judged = results[together].merge(pairs, on=["problem", "domain", "left_out"])
        judged = judged.assign(split="validation", held_out=judged["domain"])
    history = judged.assign(step=0, metric="auroc", value=judged["auroc"])
    best = selection.choose(history, rule, UNIT)[[*UNIT, "trial"]]
    picked = alone[alone["split"] == "test"].merge(best, on=[*UNIT, "trial"])
    return picked.sort_values(UNIT, ignore_index=True)


def finished(
    results: pd.DataFrame,
    contenders: Sequence[Contender] = CONTENDERS,
    problems: Sequence[Problem] = PROBLEMS,
) -> pd.DataFrame:
    """The runs of those searches that have all their trials: a search cut short would have chosen among fewer.

    A search is one method on one problem without one target (or pair), with one seed. Rows of methods or problems that
    are no entries (the ensemble, earlier protocols) stay.
    """
    search = ["problem", "method", "left_out", "seed"]
    trials = {(p.name, c.name): p.trials(c) for p in problems for c in contenders}
    planned = pd.Series(list(zip(results["problem"], results["method"], strict=True)), results.index).map(trials)
    have = results.groupby(search)["trial"].transform("nunique")
    return results[planned.isna() | (results["seed"] == ALL_SEEDS) | (have >= planned)].reset_index(drop=True)


def common(results: pd.DataFrame, methods: Sequence[str] | None = None) -> pd.DataFrame:
    """Only the units that can be compared: of each problem the targets and seeds that all ``methods`` have.

    methods: by default all that the problem has; rows of others stay where they have every such unit. So a sweep that
    is still running gives fair comparisons on fewer units instead of unfair ones on all. Rows that stand for all seeds
    (the ensemble) stay where every seed is there for their target.
    """
    kept = []
    for _, rows in results.groupby("problem", sort=False):
        single = rows["seed"] == ALL_SEEDS
        runs = rows[~single & ~leaves_two(rows)]
        judges = set(runs["method"] if methods is None else methods)
        have = runs.groupby("method")[["left_out", "seed"]].apply(lambda part: set(map(tuple, part.to_numpy())))
        units = set.intersection(*(have.get(name, set()) for name in judges)) if judges else set()
        complete = {name for name, mine in have.items() if mine >= units}
        inside = pd.Series(list(zip(rows["left_out"], rows["seed"], strict=True)), rows.index).isin(units)
        pairs = leaves_two(rows)
        targets = {target for target, _ in units}
        seeds = {target: sum(unit[0] == target for unit in units) for target in targets}
        whole = rows["left_out"].map(seeds).fillna(0) == max(seeds.values(), default=-1)
        kept.append(rows[rows["method"].isin(complete) & (inside | pairs) & ~single | single & whole])
    return pd.concat(kept, ignore_index=True) if kept else results


def coverage(
    results: pd.DataFrame,
    contenders: Sequence[Contender] = CONTENDERS,
    problems: Sequence[Problem] = PROBLEMS,
    trials: int | None = None,
    which: Literal["all", "targets", "pairs"] = "all",
) -> pd.DataFrame:
    """How many runs of each method on each problem there are: columns problem, method, runs, planned.

    ``which``: the part of the `plan` that ``results`` are of.
    """
    runs = results.drop_duplicates(KEY).groupby(["problem", "method"]).size().rename("runs")
    keys = pd.DataFrame([task.key for task in plan(contenders, problems, trials, which)], columns=KEY)
    planned = keys.groupby(["problem", "method"], sort=False).size().rename("planned")
    table = pd.concat([planned, runs.reindex(planned.index, fill_value=0)], axis=1)
    return table[["runs", "planned"]].reset_index()


def final_scores(results: pd.DataFrame) -> pd.DataFrame:
    """The tested rows of the trials that training-domain validation picks, all seeds, with the column ``unit``.

    unit: the held-out domain, or "seed 0", "seed 1", ... on a problem with a single target.
    """
    final = chosen(results)
    targets = final.groupby("problem")["domain"].transform("nunique")
    return final.assign(unit=final["domain"].where(targets > 1, "seed " + final["seed"].astype(str)))


def standings(results: pd.DataFrame, baseline: str = BASELINE, level: float = 0.95) -> pd.DataFrame:
    """A row for each method on each problem, best first within a problem.

    Columns: problem, method, family, units (their number), value (mean AUROC over units), worst (the lowest unit)
    and worst_unit; difference from the baseline on the same units with low and high (Student's t over units), p_value
    of that t test, sign_flip (p value of `sign_flip_test`) and smallest (the least it could have been), gains (units
    above the baseline); rank within the problem, 1 is best (NaN for the upper bound, which is no remedy); seconds of
    training, mean of the runs on the device that trained most of the baseline's (NaN where none did); in_domain
    (source-validation AUROC of the chosen trials), rise (over the last quarter of their learning curves) and converged
    (rise <= `runs.RISE`; None where unknown). ValueError where a method lacks
    runs that the baseline has.
    """
    final = final_scores(results)
    scores = final.pivot_table(index=["problem", "method", "family"], columns="unit", values="auroc")
    runs = final.groupby(["problem", "method", "family"]).agg(n=("auroc", "size"))
    runs["seconds"] = _on_one_device(final).groupby(["problem", "method", "family"])["seconds"].mean()
    single = final.groupby(["problem", "method"])["seed"].max() == ALL_SEEDS
    rows = []
    for (problem, method, family), values in scores.iterrows():
        reference = scores.loc[(problem, baseline)].iloc[0].dropna()
        n, n_reference = runs.loc[(problem, method, family), "n"], runs.loc[(problem, baseline), "n"].iloc[0]
        if n != n_reference and not single[(problem, method)]:
            raise ValueError(f"{problem}: {method} has {n} runs, {baseline} {n_reference}: finish the sweep")
        values = values[reference.index]
        row = [problem, method, family, len(values), values.mean(), values.min(), values.idxmin()]
        rows.append(row + compare((values - reference).to_numpy(), level))
    columns = ["problem", "method", "family", "units", "value", "worst", "worst_unit", "difference", "low", "high"]
    table = pd.DataFrame(rows, columns=[*columns, "p_value", "sign_flip", "smallest", "gains"])
    honest = table["value"].where(~table["method"].isin(REFERENCES))
    table["rank"] = honest.groupby(table["problem"]).rank(ascending=False)
    table = table.merge(runs["seconds"].reset_index())
    table = table.merge(_in_domain(results, final), on=["problem", "method"])
    return table.sort_values(["problem", "value"], ascending=[True, False], ignore_index=True)


def _on_one_device(final: pd.DataFrame) -> pd.DataFrame:
    """The rows of the device that trained most of the baseline's in each problem: seconds of two devices do not mix."""
    if "device" not in final:
        return final
    usual = final[final["method"] == BASELINE].groupby("problem")["device"].agg(lambda names: names.mode().iloc[0])
    return final[final["device"] == final["problem"].map(usual)]


def _in_domain(results: pd.DataFrame, final: pd.DataFrame) -> pd.DataFrame:
    """For each method on each problem: in_domain, rise, converged, from the validation rows of the chosen trials."""
    inside = results[results["split"] == "validation"].merge(final[KEY].drop_duplicates(), on=KEY)
    curves = inside["curve"].fillna("") if "curve" in inside else pd.Series("", index=inside.index)
    inside["rise"] = [rise(curve) if curve else np.nan for curve in curves]
    table = inside.groupby(["problem", "method"]).agg(in_domain=("auroc", "mean"), rise=("rise", "mean")).reset_index()
    return table.assign(converged=(table["rise"] <= RISE).where(table["rise"].notna(), None))


def compare(differences: np.ndarray, level: float = 0.95) -> list[float]:
    """Mean of differences (D,), its t interval, t test, sign-flip p value with its smallest, number above 0."""
    test = sign_flip_test(differences, level)
    error = differences.std(ddof=1) / np.sqrt(len(differences))
    p_value = 2 * stdtr(len(differences) - 1, -abs(test.value) / error) if error > 0 else np.nan
    return [test.value, test.low, test.high, p_value, test.p_value, test.smallest_p_value, int((differences > 0).sum())]


def by_rule(
    results: pd.DataFrame, inner: dict[tuple[str, str], str] = INNER, rules: Sequence[str] = RULES
) -> pd.DataFrame:
    """Mean AUROC over targets of the trial each rule of `selection` picks, all from the same runs.

    Index problem, method; a column for each of ``rules``. Only units that every one of them can judge count: for
    held-out-domain validation those with runs without an inner domain. The oracle picks on the test domain: cheating.
    """
    picked = {rule: chosen(results, rule, inner).set_index(UNIT)["auroc"] for rule in rules}
    return pd.DataFrame(picked)[list(rules)].dropna().groupby(["problem", "method"]).mean()


def any_setting(results: pd.DataFrame) -> pd.Series:
    """Mean AUROC of a setting picked by lot, index problem, method: the mean over all trials of each target and seed.

    What `by_rule` gives has to be held against this: a rule that does not beat it has chosen nothing.
    """
    alone = ~leaves_two(results) & (results["split"] == "test")
    by_unit = results[alone].groupby(["problem", "method", "left_out", "seed"])["auroc"].mean()
    return by_unit.groupby(["problem", "method"]).mean()
