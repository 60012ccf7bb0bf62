"""Leave one domain out beside training that includes it, from the store. Chapter: generalization_gap.

Where both read a test set badly, it is hard; where only the first does, the hospital was what it lacked.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from IPython.display import Markdown
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from medgen_utils import plotting
from medgen_utils.benchmark import evidence
from medgen_utils.benchmark.entries import PROTOCOL
from medgen_utils.benchmark.repair import REFERENCE
from medgen_utils.benchmark.result import About, Result
from medgen_utils.evaluation import metrics_by, with_interval

ERM = "ERM"


@dataclass(frozen=True)
class LeftOut:
    """ERM and the reference on the images that both were tested on, a seed at a time.

    frame: the tidy frame, ``algorithm`` "ERM" or "reference: target included". sites: domain -> hospital.
    """

    frame: pd.DataFrame = field(repr=False)
    about: About
    sites: dict[str, str] = field(default_factory=dict, repr=False)

    def differences(self) -> pd.DataFrame:
        """Reference minus ERM: a row a domain, value, low, high (over patients and seeds), site."""
        rows = []
        for domain, images in self.frame.groupby("domain", sort=False):
            row = Result(images, (ERM, REFERENCE), self.about).differences().iloc[0]
            rows.append([domain, row["value"], row["low"], row["high"], self.sites.get(domain, domain)])
        return pd.DataFrame(rows, columns=["domain", "value", "low", "high", "site"])

    def plot(self) -> Figure:
        """A line a domain: both networks with their intervals over patients."""
        names = {ERM: "left out", REFERENCE: "reference: target included"}
        shown = self.frame.assign(trained=self.frame["algorithm"].map(names))
        axis = plotting.interval_plot(metrics_by(shown, ("domain", "trained")), "domain", "trained")
        plt.close(axis.figure)  # returned, so shown once
        line = f"95 % interval over patients · {self.about.line(self.frame['seed'].nunique())}"
        return plotting.footer(axis.figure, line, self.about.credit)

    def say(self) -> Markdown:
        """Where the reference is ahead beyond noise, where behind, where within; and how many hospitals that is."""
        table = self.differences()
        words = {row.domain: with_interval(row, "+.3f") for row in table.itertuples()}
        ahead, behind = table["low"] > 0, table["high"] < 0
        parts = []
        for rows, text in (
            (ahead, "ahead"), (behind, "behind"), (~ahead & ~behind, "within the noise"),
        ):  # fmt: skip
            if rows.any():
                parts.append(f"{text} at " + ", ".join(f"{name} {words[name]}" for name in table["domain"][rows]))
        return Markdown(f"Beside leaving the target out, the reference is {'; '.join(parts)}. Mean: {self.brief()}.")

    def brief(self) -> str:
        """The mean difference with the number of domains, hospitals and seeds behind it."""
        table, seeds = self.differences(), self.frame["seed"].nunique()
        sites = table["site"].nunique()
        units = f"{len(table)} domains" + (f" in {sites} hospitals or groups of centres" if sites < len(table) else "")
        return f"{table['value'].mean():+.3f} over {units}, {seeds} seed{'s' if seeds != 1 else ''}"


@dataclass(frozen=True)
class NotYet:
    """What stands in for a figure and a sentence while the store lacks the rows."""

    reason: str

    def plot(self) -> Markdown:
        return Markdown(f"*Not in the evidence store yet: {self.reason}.*")

    def say(self) -> None:
        """Nothing: the place of the figure says it, and an empty text would be shown as the name of its class."""

    def brief(self) -> str:
        return "not in the evidence store yet"


def left_out(problem: str, protocol: int = PROTOCOL) -> LeftOut | NotYet:
    """The stored runs of ERM and of the reference on a problem: every domain left out once, and included.

    Each seed counts the images that both were tested on: the reference needs a part of the target to train.
    `NotYet` where the store has no such rows or no predictions of this protocol.
    """
    try:
        result = evidence.result(problem, [ERM, REFERENCE], protocol=protocol)
        frame = evidence.predictions(problem, protocol)
    except (ValueError, KeyError, OSError) as error:
        return NotYet(f"{ERM} and {REFERENCE} on {problem}, protocol {protocol} ({str(error).split(':')[0]})")
    found = shared(frame[frame["algorithm"].isin([ERM, REFERENCE])])
    if found["algorithm"].nunique() < 2:
        return NotYet(f"predictions of both {ERM} and {REFERENCE} on {problem}, protocol {protocol}")
    return LeftOut(found, result.about, result.sites)


def shared(frame: pd.DataFrame) -> pd.DataFrame:
    """The images that every algorithm of a tidy frame was tested on with the same seed, in the order of the frame."""
    n = frame["algorithm"].nunique()
    seen = frame.groupby(["domain", "seed", "index"])["algorithm"].transform("nunique")
    return frame[np.asarray(seen == n)].reset_index(drop=True)
