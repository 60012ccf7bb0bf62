"""Trainings of ERM that are watched: what the three rules of selection read of them. Chapter: evaluation_protocols."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pandas as pd
from IPython.display import Markdown
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from medgen_utils import plotting
from medgen_utils.benchmark.result import About
from medgen_utils.benchmark.runs import provenance
from medgen_utils.benchmark.standings import BASELINE
from medgen_utils.benchmark.three_rules import candidates, chosen_by_rules
from medgen_utils.domains import DomainDataset
from medgen_utils.machine import training_device
from medgen_utils.selection import RULES

LAST = "last step"
SHORT = {LAST: LAST} | {rule: rule.removesuffix(" validation") for rule in RULES}


@dataclass(frozen=True)
class Watched:
    """The histories that `three_rules.candidates` returns for ERM without one target."""

    target: str
    histories: pd.DataFrame = field(repr=False)
    about: About

    def history(self, seed: int) -> pd.DataFrame:
        """The training on all sources: rows of `training.fit`'s history, split "test" at the target."""
        whole = self.histories[(self.histories["held_out"] == "") & (self.histories["seed"] == seed)]
        return whole[["step", "split", "domain", "metric", "value"]].reset_index(drop=True)

    def choices(self) -> pd.DataFrame:
        """What the last step and each rule choose: columns rule, seed, step, value (AUROC at the target)."""
        picked = chosen_by_rules(self.histories, {BASELINE: [BASELINE]}).rename(columns={"auroc": "value"})
        tested = self.histories[self.histories["split"].eq("test") & self.histories["held_out"].eq("")]
        last = tested[tested["step"] == tested["step"].max()].assign(rule=LAST)
        columns = ["rule", "seed", "step", "value"]
        return pd.concat([last[columns], picked[columns]], ignore_index=True)

    def read(self) -> dict[str, pd.DataFrame]:
        """Rule -> the rows of the histories that it reads."""
        rows, inner = self.histories, self.histories["held_out"] != ""
        return {
            RULES[0]: rows[~inner & (rows["split"] == "validation")],
            RULES[1]: rows[inner & (rows["domain"] == rows["held_out"])],
            RULES[2]: rows[~inner & (rows["split"] == "test")],
        }

    def plot(self) -> Figure:
        """The scores that the rules read during the training, mean of seeds; below, what each choice gives."""
        figure, (above, below) = plt.subplots(2, 1, figsize=(5.8, 4.8), height_ratios=[1.25, 1])
        for k, (rule, rows) in enumerate(self.read().items()):
            line, style = rows.groupby("step")["value"].mean(), {"color": plotting.PALETTE[k], "markersize": 4}
            above.plot(line.index, line, plotting.MARKERS[k] + "-", label=SHORT[rule], **style)
        above.set(xlabel="training step", ylabel="AUROC that it reads")
        above.legend(fontsize=9.5, loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=3, columnspacing=1)
        choices, colours = self.choices(), dict(zip(SHORT, (plotting.QUIET, *plotting.PALETTE), strict=False))
        for k, (rule, colour) in enumerate(colours.items()):
            mine = choices[choices["rule"] == rule]["value"]
            below.plot(mine, [k] * len(mine), "o", color=colour, alpha=0.8)
            below.plot([mine.mean()] * 2, [k - 0.3, k + 0.3], color=plotting.INK)
        plotting.name_rows(below, list(SHORT.values()), f"AUROC at {self.target}, at the step it chooses", None)
        plt.close(figure)  # returned, so shown once
        line = f"below a point a seed, bar: mean · {self.about.line(choices['seed'].nunique())}"
        return plotting.footer(figure, line, self.about.credit)

    def say(self) -> Markdown:
        """The mean of each rule at the target, and how far single seeds of a rule lie apart."""
        values = self.choices().groupby("rule", sort=False)["value"]
        means, reach = values.mean(), (values.max() - values.min()).max()
        seeds = self.histories["seed"].nunique()
        told = ", ".join(f"{SHORT[rule]} {value:.3f}" for rule, value in means.items())
        return Markdown(
            f"At {self.target}, mean of {seeds} seed{'s' if seeds > 1 else ''}: {told}. "
            f"Within a rule the seeds lie up to {reach:.3f} apart."
        )


def watch(
    dataset: DomainDataset, target: str, *, seeds: Sequence[int] = (0, 1, 2), steps: int = 400, looks: int = 10,
    width: int = 16, n_jobs: int | None = None,
) -> Watched:  # fmt: skip
    """Train ERM without the target, and without each source in turn as well; score it ``looks`` times.

    ValueError for an unknown target.
    """
    histories = candidates(
        [BASELINE], dataset, target, seeds=seeds, steps=steps, looks=looks, width=width, n_jobs=n_jobs
    )  # fmt: skip
    made = provenance(training_device())
    seconds = histories.drop_duplicates(["held_out", "seed"])["seconds"].sum()
    about = About(steps, made["versions"], made["device"], seconds, credit=(dataset.info,))
    return Watched(target, histories, about)
