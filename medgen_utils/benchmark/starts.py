"""Plain training from three starts at one size: nothing, photographs frozen or fine-tuned. Chapter: pretraining.

Rows of three problems of the evidence store, each a network of its own, at the targets, seeds and trials that all have;
and the runs behind their budgets, which say what longer training does.
"""

from __future__ import annotations

import pandas as pd

from medgen_utils.benchmark.elsewhere import FROZEN
from medgen_utils.benchmark.entries import PROBLEMS, PROTOCOL, problem_of
from medgen_utils.benchmark.evidence import RUNS, SoFar, about_rows, budget_runs, load_rows, path_of
from medgen_utils.benchmark.protocol import KEY
from medgen_utils.benchmark.result import Result
from medgen_utils.benchmark.runs import rise
from medgen_utils.benchmark.standings import BASELINE, chosen

STARTS = {
    "from scratch": "breast hospitals at 64 px",
    "ImageNet, frozen": "breast hospitals, frozen features",
    "ImageNet, fine-tuned": "breast hospitals, fine-tuned",
}
PLACES = {"validation": "held-back patients", "test": "unseen site"}


def same_size(starts: dict[str, str] = STARTS, protocol: int = PROTOCOL) -> SoFar:
    """ERM from each start, by name and problem, the first the baseline: a point a site, all at the same sites.

    Every start chooses among as many trials as the least of them has, at the seeds that all have, so that a larger
    search is no advantage. A start none of whose sites is finished is lacking; None where fewer than two are there.
    """
    rows = load_rows(path_of(RUNS))
    rows = rows[(rows["protocol"] == protocol) & (rows["method"] == BASELINE)]
    fewest = min(problem.most_trials for problem in PROBLEMS if problem.name in starts.values())
    rows = rows[rows["problem"].isin(list(starts.values())) & (rows["trial"] < fewest)]
    whole = rows.groupby(["problem", "left_out", "seed"])["trial"].transform("nunique") == fewest
    rows = rows[whole]
    name_of = {problem: name for name, problem in starts.items()}
    have = {
        name_of[problem]: set(map(tuple, part[["left_out", "seed"]].to_numpy()))
        for problem, part in rows.groupby("problem")
    }
    able = [name for name in starts if name in have]
    units = set.intersection(*(have[name] for name in able)) if able else set()
    lacking = tuple(name for name in starts if name not in able)
    if len(able) < 2 or not units:
        return SoFar(None, tuple(starts), "breast hospitals from several starts")
    at = pd.Series(list(zip(rows["left_out"], rows["seed"], strict=True)), rows.index).isin(units)
    picked = chosen(rows[at])
    inside = rows[at & (rows["split"] == "validation")].merge(picked[KEY], on=KEY)
    named = [frame.assign(method=frame["problem"].map(name_of)) for frame in (picked, inside)]
    sites = picked.dropna(subset="site").set_index("domain")["site"].to_dict()
    rises = named[1].set_index("method")["curve"].map(rise).groupby(level=0).mean()
    result = Result(named[0], tuple(able), about_rows(picked, rows[at]), "auroc", "site", named[1], sites, rises)
    return SoFar(result, lacking, "breast hospitals")


def by_steps(starts: dict[str, str] = STARTS) -> pd.DataFrame:
    """ERM with its default settings from each start at growing numbers of steps, at every target.

    Columns: start, steps, site (the target), place ("held-back patients" of the sources, or "unseen site"), auroc (mean
    over seeds). What learns on frozen features is another, smaller learner, which is soon at its end: only its
    budget is there.
    """
    frames = []
    for start, name in starts.items():
        problem = problem_of(name)
        runs = budget_runs(name)
        if problem.elsewhere is FROZEN:
            runs = runs[runs["steps"] == problem.steps]
        means = runs.groupby(["steps", "left_out"])[list(PLACES)].mean().rename(columns=PLACES)
        long = means.reset_index().melt(["steps", "left_out"], var_name="place", value_name="auroc")
        frames.append(long.rename(columns={"left_out": "site"}).assign(start=start))
    return pd.concat(frames, ignore_index=True)
