"""Every method at every site as the one study that somebody might have published. Chapter: evaluation_protocols."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pandas as pd
from IPython.display import Markdown
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from medgen_utils import plotting
from medgen_utils.benchmark import evidence
from medgen_utils.benchmark.entries import PROTOCOL
from medgen_utils.benchmark.reference import shared
from medgen_utils.benchmark.result import About
from medgen_utils.benchmark.standings import BASELINE, REFERENCES
from medgen_utils.evaluation import paired_difference


@dataclass(frozen=True)
class SingleSites:
    """frame: a row a method and site, difference to ERM in AUROC: method, domain, value, low, high (over patients)."""

    frame: pd.DataFrame = field(repr=False)
    about: About
    seeds: int

    def announced(self) -> pd.DataFrame:
        """A row a method: sites at which its study would announce a gain, a harm, or nothing."""
        gain, harm = self.frame["low"] > 0, self.frame["high"] < 0
        rows = self.frame.assign(gain=gain, harm=harm, nothing=~gain & ~harm)
        return rows.groupby("method", sort=False)[["gain", "harm", "nothing"]].sum()

    def plot(self) -> Figure:
        """A line a method, a point a site with its interval over patients."""
        axis = plotting.interval_plot(
            self.frame, "method", "domain", label="AUROC, method - ERM", reference=0, reference_label="equal"
        )
        axis.locator_params(axis="x", nbins=5)  # more would touch each other
        plt.close(axis.figure)  # returned, so shown once
        line = f"95 % interval over the patients of a site · {self.about.line(self.seeds)}"
        return plotting.footer(axis.figure, line, self.about.credit)

    def say(self) -> Markdown:
        """How many of these studies announce what, and how many methods gain at one site and lose at another."""
        counts, sites = self.announced(), self.frame["domain"].nunique()
        values = self.frame.pivot(index="method", columns="domain", values="value")
        mixed = int(((values > 0).any(axis=1) & (values < 0).any(axis=1)).sum())
        gain, harm, nothing = counts.sum()
        return Markdown(
            f"Of {len(self.frame)} single-site studies, {gain} would announce an improvement, {harm} a harm, and "
            f"{nothing} nothing certain. The estimates run from {values.min().min():+.3f} to "
            f"{values.max().max():+.3f}; {mixed} of {len(counts)} methods gain at one of the {sites} sites and lose at "
            "another."
        )


def single_site_studies(problem: str, methods: Sequence[str] | None = None, protocol: int = PROTOCOL) -> SingleSites:
    """Each method against ERM at each site, from the stored predictions and the seeds that all have.

    methods: by default all whose predictions are stored at every site, no references. ValueError where there is none.
    """
    images = evidence.predictions(problem, protocol)
    whole = images["domain"].nunique()
    have = images.groupby("algorithm", sort=False)["domain"].nunique()
    able = [name for name in have.index[have == whole] if name not in (BASELINE, *REFERENCES)]
    names = [name for name in methods or able if name in able]
    if not names:
        raise ValueError(f"{problem}: no predictions of {methods or 'a method'} at all {whole} sites: found {able}")
    frames, seeds = [], set()
    for name in names:
        both = shared(images[images["algorithm"].isin([BASELINE, name])])
        seeds |= set(both["seed"])
        frames.append(paired_difference(both, name, BASELINE).assign(method=name))
    frame = pd.concat(frames, ignore_index=True)[["method", "domain", "value", "low", "high"]]
    return SingleSites(frame, evidence.result(problem, [BASELINE, *names], protocol=protocol).about, len(seeds))
