"""What every comparison returns: its numbers, a table, a figure, a sentence. Chapters: all remedies, scoreboard.

A `Result` knows its data, seeds, steps, seconds and versions, so no cell measures time or writes a footer, and its
sentence is honest by construction: how many units, which interval, "within noise" where it is.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from IPython.display import Markdown
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from medgen_utils import plotting
from medgen_utils.domains import DatasetInfo
from medgen_utils.evaluation import (
    METRICS,
    Interval,
    metrics_by,
    paired_difference,
    probabilities,
    t_interval,
    with_repeats,
)
from medgen_utils.evaluation.delong import ESTIMATES, auroc_estimate
from medgen_utils.evaluation.metrics import LOWER_IS_BETTER

NAMES = {
    "auroc": "AUROC", "balanced_accuracy": "balanced accuracy", "accuracy": "accuracy", "brier": "Brier score",
    "calibration_error": "calibration error",
}  # fmt: skip
CHANCE = {"auroc": 0.5, "balanced_accuracy": 0.5}
FEW = 6  # up to so many units the points are shown: an interval over so few promises more than it keeps


@dataclass(frozen=True)
class About:
    """How a result was made: what a footer says; steps 0 where nothing was trained.

    ``credit``: the data sets whose licence asks to be named.
    """

    steps: int | tuple[int, ...]
    versions: str
    device: str
    seconds: float
    source: str = "trained here"
    credit: tuple[DatasetInfo, ...] = field(default=(), repr=False)

    def line(self, n_seeds: int) -> str:
        """One line of small print."""
        steps = " or ".join(f"{value:,}" for value in np.atleast_1d(self.steps))
        took = f"{self.seconds:.0f} s" if self.seconds < 5400 else f"{self.seconds / 3600:.1f} core-hours"
        seeds = f"{n_seeds} seed{'s' if n_seeds != 1 else ''}"
        if not np.any(self.steps):  # nothing was trained: probes of frozen features
            return " · ".join([self.source, seeds, self.versions, self.device])
        return " · ".join([self.source, seeds, f"{steps} steps", f"{took} of training", self.versions, self.device])


@dataclass(frozen=True)
class Result:
    """Methods on the same sealed domains with the same seeds, the first named one the baseline.

    frame: a row a test image (the tidy frame of `evaluation.predictions_frame`; ``algorithm`` is the method), or a row
    a tested domain (columns method, domain, seed and the metric), as the evidence store has them. ``unit`` is what a
    domain is, in words: "domain" unless the data say that each is a hospital of its own. ``inside``: a frame of the
    same kind on held-back images of the training domains, for the in-domain score beside the target's. ``sites``:
    domain -> site, where known; ValueError where ``unit`` says "hospital" and two domains are scanners of one.
    ``rises``: by method, how much the in-domain AUROC rose over the last quarter of the training, where it was watched.
    A difference is measured on the images that both methods were tested on: the reference that learns from a part of
    the target is compared on the rest. AUROC of several classes is the mean over those that occur in a domain.
    """

    frame: pd.DataFrame = field(repr=False)
    methods: tuple[str, ...]
    about: About
    metric: str = "auroc"
    unit: str = "domain"
    inside: pd.DataFrame | None = field(default=None, repr=False)
    sites: dict[str, str] = field(default_factory=dict, repr=False)
    rises: pd.Series = field(default_factory=lambda: pd.Series(dtype=float), repr=False)

    def __post_init__(self) -> None:
        have = set(self._scores(self.frame)["method"])
        if lacking := [name for name in self.methods if name not in have]:
            raise ValueError(f"no scores of {lacking}: the frame has {sorted(have)}")
        if self.unit == "hospital" and (shared := self._shared()):
            raise ValueError(f"{shared} are scanners of one hospital: call the unit 'scanner' or 'domain'")

    # ------------------------------------------------------------------------------------------ numbers

    def scores(self) -> pd.DataFrame:
        """The metric of each run: columns method, unit (a domain, or a seed where there is one domain), value.

        With several domains the seeds of a domain are averaged: they are repeats, not more hospitals.
        """
        return self._by_unit(self.frame)

    def differences(self, level: float = 0.95) -> pd.DataFrame:
        """Each other method minus the baseline: method, value, low, high, interval (what it covers), units, better.

        More than `FEW` units: Student's t over them. Fewer, with images at hand: over patients and seeds. Else NaN.
        """
        rows = []
        for name in self.methods[1:]:
            d = self._each(name).to_numpy()
            low, high, covers = np.nan, np.nan, ""
            if len(d) > FEW:
                _, low, high = t_interval(d, level)
                covers = f"over {len(d)} {self._units(len(d))}"
            elif self._has_images:
                low, high, covers = self._over_patients_and_seeds(self._pair(name), name, level)
            better = d < 0 if self.metric in LOWER_IS_BETTER else d > 0
            rows.append([name, d.mean(), low, high, covers, len(d), int(better.sum())])
        return pd.DataFrame(rows, columns=["method", "value", "low", "high", "interval", "units", "better"])

    def brief(self, name: str) -> str:
        """A method minus the baseline in a few words, for a table: "+0.010, better at 4 of 6" units."""
        row = self.differences().set_index("method").loc[name]
        return f"{row['value']:+.3f}, better at {row['better']} of {row['units']}"

    def beside(self, other: Result) -> Result:
        """The methods of both, this one's first with its baseline, so that nothing needs to be trained twice.

        ValueError where a method is in both, or where they were tested on other domains or with other seeds.
        """
        if both := sorted(set(self.methods) & set(other.methods)):
            raise ValueError(f"{both} are in both results: leave them out of one")
        units = [set(map(tuple, r.frame[["domain", "seed"]].drop_duplicates().to_numpy())) for r in (self, other)]
        if units[0] != units[1]:
            raise ValueError(f"tested on {len(units[0])} and {len(units[1])} pairs of domain and seed, not on the same")
        frame = pd.concat([self.frame, other.frame], ignore_index=True)
        insides = [result.inside for result in (self, other) if result.inside is not None]
        inside = pd.concat(insides, ignore_index=True) if len(insides) == 2 else None
        steps = tuple(sorted({*np.atleast_1d(self.about.steps), *np.atleast_1d(other.about.steps)}))
        about = replace(self.about, steps=steps, seconds=self.about.seconds + other.about.seconds)
        rises = pd.concat([result.rises for result in (self, other) if len(result.rises)] or [self.rises])
        methods = (*self.methods, *other.methods)
        return replace(self, frame=frame, methods=methods, about=about, inside=inside, rises=rises)

    def only(self, *methods: str) -> Result:
        """The same runs of these methods alone, the first the baseline; ValueError where one is not in the result."""
        column = "algorithm" if self._has_images else "method"
        parts = [None if part is None else part[part[column].isin(methods)] for part in (self.frame, self.inside)]
        rises = self.rises[self.rises.index.isin(methods)]
        return replace(self, frame=parts[0], inside=parts[1], methods=methods, rises=rises)

    def differences_by_domain(self, level: float = 0.95) -> pd.DataFrame:
        """Each other method minus the baseline at each domain: method, domain, value, low, high.

        The interval is over patients and seeds, NaN without images.
        """
        rows = []
        for name in self.methods[1:]:
            pair = self._pair(name)
            scores = self._scores(pair).groupby(["domain", "method"], sort=False)["value"].mean().unstack()
            for domain, value in (scores[name] - scores[self.methods[0]]).items():
                ends = np.nan, np.nan
                if self._has_images:
                    *ends, _ = self._over_patients_and_seeds(pair[pair["domain"] == domain], name, level)
                rows.append([name, domain, value, *ends])
        return pd.DataFrame(rows, columns=["method", "domain", "value", "low", "high"])

    def by_domain(self) -> pd.DataFrame:
        """Each method at each domain: method, domain, value, low, high (over patients, NaN without images), inside.

        ``inside``: the mean score of the same networks on held-back images of their training domains, NaN where that
        is unknown.
        """
        values = self._scores(self.frame).groupby(["method", "domain"], sort=False)["value"].mean()
        table = values.reset_index().assign(low=np.nan, high=np.nan, inside=np.nan)
        if self._has_images:
            by = ("algorithm", "domain")
            found = metrics_by(self.frame, by, [self.metric], method=self._method()).set_index(list(by))
            places = pd.MultiIndex.from_frame(table[["method", "domain"]])
            table[["low", "high"]] = found.loc[places, ["low", "high"]].to_numpy()
        if self.inside is not None and self._has_images:
            targets = self.frame[["run", "domain"]].drop_duplicates()
            inside = self._scores(self.inside).drop(columns="domain").merge(targets, on="run")
            means = inside.groupby(["method", "domain"])["value"].mean()
            table["inside"] = means.reindex(pd.MultiIndex.from_frame(table[["method", "domain"]])).to_numpy()
        return table

    @property
    def _has_images(self) -> bool:
        return "prob_0" in self.frame.columns

    def _method(self) -> str:
        """How intervals over patients are made: without resampling where a class may be missing in a domain."""
        several = "prob_2" in self.frame.columns
        return "delong" if several and self.metric in ESTIMATES else "bootstrap"

    def _by_unit(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Columns method, unit, value: seeds of a domain averaged where there are several domains."""
        runs = self._scores(frame)
        several = self.frame["domain"].nunique() > 1
        runs["unit"] = runs["domain"] if several else "seed " + runs["seed"].astype(str)
        return runs.groupby(["method", "unit"], sort=False)["value"].mean().reset_index()

    def _each(self, name: str) -> pd.Series:
        """The method's difference from the baseline at each unit."""
        table = self._by_unit(self._pair(name)).pivot(index="unit", columns="method", values="value")
        return table[name] - table[self.methods[0]]

    def _pair(self, name: str) -> pd.DataFrame:
        """The rows of a method and the baseline, without images that only one of two runs with a seed has tested."""
        if not self._has_images:
            return self.frame
        pair = self.frame[self.frame["algorithm"].isin([name, self.methods[0]])]
        runs = pair.groupby(["domain", "seed"])["algorithm"].transform("nunique")
        images = pair.groupby(["domain", "seed", "index"])["algorithm"].transform("nunique")
        return pair[images == runs]

    def _over_patients_and_seeds(self, pair: pd.DataFrame, name: str, level: float) -> tuple[float, float, str]:
        options = {"by": (), "level": level, "method": self._method()}
        over = paired_difference(pair, name, self.methods[0], self.metric, **options).iloc[0]
        runs = self._scores(pair).pivot_table(index="seed", columns="method", values="value")
        seeds = (runs[name] - runs[self.methods[0]]).dropna().to_numpy()
        _, low, high = with_repeats(Interval(over["value"], over["low"], over["high"]), seeds, level)
        return low, high, "over patients and seeds" if len(seeds) > 1 else "over patients, one seed"

    def _over_patients(self) -> dict[str, tuple[float, float]]:
        """Method -> interval of its mean over other patients, where images are at hand."""
        if not self._has_images:
            return {}
        table = metrics_by(self.frame, ("algorithm",), [self.metric], method=self._method())
        return {row.algorithm: (row.low, row.high) for row in table.itertuples()}

    def _scores(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Columns method, domain, seed, value: a row a run and domain; with images also the run."""
        if "prob_0" not in frame.columns:
            return frame.rename(columns={self.metric: "value"})[["method", "domain", "seed", "value"]].copy()
        keys = ["algorithm", "domain", "seed", "run"]
        rows = [
            [*key, score_of(self.metric, images["y"].to_numpy(), probabilities(images))]
            for key, images in frame.groupby(keys, sort=False, observed=True)
        ]
        return pd.DataFrame(rows, columns=["method", *keys[1:], "value"])

    def _shared(self) -> list[str]:
        """Tested domains that share their site with another."""
        of = {domain: self.sites.get(domain, domain) for domain in dict.fromkeys(self.frame["domain"])}
        return [domain for domain, site in of.items() if list(of.values()).count(site) > 1]

    def _units(self, n: int) -> str:
        several = self._scores(self.frame)["domain"].nunique() > 1
        name = self.unit if several else "seed"
        return name if n == 1 else f"{name}s"

    # ------------------------------------------------------------------------------------------ what a reader sees

    def table(self) -> pd.DataFrame:
        """A row a method: mean, in-domain score where known, each unit (up to `FEW`), difference with its interval.

        The baseline has no difference from itself: those cells are blank.
        """
        scores = self.scores()
        wide = scores.pivot(index="method", columns="unit", values="value").loc[list(self.methods)]
        units = list(dict.fromkeys(scores["unit"]))
        columns = {"mean": wide.mean(axis=1)}
        if self.inside is not None:
            columns["in domain"] = self._scores(self.inside).groupby("method")["value"].mean()
        columns |= {unit: wide[unit] for unit in units} if len(units) <= FEW else {"worst": wide.min(axis=1)}
        table = pd.DataFrame(columns, index=list(self.methods))
        beside = self.differences().set_index("method")
        table["difference"] = beside["value"].round(3) + 0.0  # not -0.0
        if beside["low"].notna().any():
            table["low"], table["high"] = beside["low"], beside["high"]
        table["units"] = len(units)
        table = table.round(3).rename_axis(f"{NAMES.get(self.metric, self.metric)} of")
        beside = [name for name in ("difference", "low", "high") if name in table]
        table[beside] = table[beside].astype(object).where(table[beside].notna(), "")
        return table

    def plot(self) -> Figure:
        """One figure: a point a unit, mean, interval (over more than `FEW` units, else over patients), chance."""
        scores, many = self.scores(), len(set(self.scores()["unit"])) > FEW
        units = list(dict.fromkeys(scores["unit"]))
        patients = {} if many else self._over_patients()
        figure, axis = plt.subplots(figsize=(5.8, 1.3 + 0.5 * len(self.methods)), layout="constrained")
        for i, method in enumerate(self.methods):
            mine = scores[scores["method"] == method].set_index("unit")["value"]
            for k, unit in enumerate(units):
                style = {"color": plotting.QUIET if many else plotting.PALETTE[k % 7], "alpha": 0.5 if many else 0.9}
                marker = "o" if many else plotting.MARKERS[k % 7]
                label = unit if i == 0 and not many else None
                axis.plot(mine[unit], i, marker, markersize=5 if many else 7, label=label, **style)
            axis.plot([mine.mean()] * 2, [i - 0.24, i + 0.24], color=plotting.INK, linewidth=2.2)
            if ends := t_interval(mine.to_numpy())[1:] if many else patients.get(method):
                axis.plot(ends, [i, i], color=plotting.INK, linewidth=1.8, zorder=1)
        plotting.name_rows(axis, self.methods, NAMES.get(self.metric, self.metric), CHANCE.get(self.metric))
        if not many:
            columns = 3 if max(map(len, units)) < 14 else 2
            plotting.legend_above(axis, columns)
        line = f"over {len(units)} {self._units(len(units))}" if many else "over patients"
        interval = f", line: 95 % interval {line}" if many or patients else ""
        what = f"a point a {self._units(1)}, bar: mean{interval}"
        text = f"{what} · {self.about.line(self._scores(self.frame)['seed'].nunique())}"
        plt.close(figure)  # returned, so shown once
        return plotting.footer(figure, text, self.about.credit)

    def say(self) -> Markdown:
        """A sentence a method in Markdown: the difference, its interval or the points, and whether it is noise."""
        name = NAMES.get(self.metric, self.metric)
        runs = self._scores(self.frame)
        targets = list(dict.fromkeys(runs["domain"]))
        named = len(targets) > 1  # a seed has no name
        where = f"at {targets[0]}" if len(targets) == 1 else f"over {len(targets)} {self._units(len(targets))}"
        if shared := self._shared():
            hospitals = len({self.sites[domain] for domain in shared})
            where += (
                f" ({len(shared)} of them scanners of {'one hospital' if hospitals == 1 else f'{hospitals} hospitals'})"
            )
        if len(self.methods) == 1:
            scores = self.scores()
            values = scores[scores["method"] == self.methods[0]].set_index("unit")["value"]
            if len(values) <= FEW:
                return Markdown(f"{self.methods[0]} reaches {_points(values, named, '')} {name} {where}.")
            mean, low, high = t_interval(values.to_numpy())
            covers = f"{low:.3f} to {high:.3f}, over {len(values)} {self._units(len(values))}"
            return Markdown(f"{self.methods[0]} reaches {mean:.3f} {name} {where} ({covers}).")
        sentences, units = [], dict.fromkeys(self.scores()["unit"])  # in the order of the table and of the figure
        for row in self.differences().itertuples():
            d = self._each(row.method).reindex(units)
            text = f"**{row.method}** moves the {name} {where} by {row.value:+z.3f}"
            if np.isnan(row.low):
                text += f" ({_points(d, named)}): {row.units} {self._units(row.units)}, too few for an interval"
            else:
                text += f" ({row.low:+z.3f} to {row.high:+z.3f}, {row.interval}"
                text += f"; {_points(d, named)})" if row.units in range(2, FEW + 1) else ")"
                text += ": within noise" if row.low <= 0 <= row.high else ""
                if row.low > 0 or row.high < 0:
                    text += f", better on {row.better} of {row.units} {self._units(row.units)}"
            sentences.append(text + ".")
        if len(sentences) > 1:
            sentences.append(f"These are {len(sentences)} comparisons with *{self.methods[0]}*, not corrected for it.")
        return Markdown(" ".join(sentences))

    def in_brief(self) -> Markdown:
        """Two sentences for many methods: how many are better at every unit, at none, at some; from least to most."""
        table = self.differences()
        every, none = int((table["better"] == table["units"]).sum()), int((table["better"] == 0).sum())
        unit, n = self._units(1), int(table["units"].max())
        names = table.sort_values("value")[["method", "value"]].to_numpy()
        ends = " to ".join(f"{value:+.3f} (**{name}**)" for name, value in (names[0], names[-1]))
        some, verb = len(table) - every - none, "is" if every == 1 else "are"
        return Markdown(
            f"Of {len(table)} methods beside {self.methods[0]}, {every} {verb} better at every {unit}, {none} at none, "
            f"and {some} at some and not at others. The mean difference over {n} {self._units(n)} goes from {ends}: "
            f"{len(table)} comparisons, not corrected for it."
        )


def score_of(metric: str, y: np.ndarray, prob: np.ndarray) -> float:
    """A metric of one run in one domain."""
    if metric == "auroc" and prob.shape[1] > 2:
        return auroc_estimate(y, [prob], np.arange(len(y))).value
    return METRICS[metric](y, prob)


def _points(values: pd.Series, named: bool, sign: str = "+z") -> str:
    """The values of a few units, each with its name if ``named``."""
    return ", ".join(f"{unit} " * named + f"{value:{sign}.3f}" for unit, value in values.items())
