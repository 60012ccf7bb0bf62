"""A few labels: pre-training and fine-tuning against plain training of as many steps. Chapter: self_supervision."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import pandas as pd
from IPython.display import Markdown
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from medgen_utils import plotting
from medgen_utils.benchmark.result import About
from medgen_utils.benchmark.runs import provenance
from medgen_utils.clinic import INFO, NEW_HOSPITAL, Hospital
from medgen_utils.domains import DomainDataset, split
from medgen_utils.evaluation import auroc, paired_difference, predictions_frame
from medgen_utils.machine import map_runs, training_device
from medgen_utils.self_supervision.kept import RATES, Probed, Task, clinic_parts, pretrained
from medgen_utils.self_supervision.probes import fine_tune
from medgen_utils.training import ERM, build, fit, flips_and_turns

TUNED, FROZEN = "fine-tuned", "frozen, probe"
HALF, ALL = "plain, half of the steps", "plain, all steps"
WAYS = (ALL, HALF, TUNED, FROZEN)
HOME, AWAY = "source hospitals", "new hospital"


@dataclass(frozen=True)
class FewLabels:
    """The four `WAYS` at each share of the labels; frame: tidy predictions, with the columns share and place."""

    frame: pd.DataFrame = field(repr=False)
    about: About

    def scores(self) -> pd.DataFrame:
        """AUROC of each network: way, place, share (in per cent), seed, auroc."""
        rows = [
            [*key, auroc(images["y"].to_numpy(), images["prob_1"].to_numpy())]
            for key, images in self.frame.groupby(["algorithm", "place", "share", "seed"], sort=False)
        ]
        scores = pd.DataFrame(rows, columns=["way", "place", "share", "seed", "auroc"])
        return scores.assign(share=100 * scores["share"])

    def plot(self) -> Figure:
        """A point a network and a line through the means, over the share of the labels; one panel a place."""
        axes = plotting.curve_plot(
            self.scores(), "share", "way", "place", x_label="labels used, %", reference=None
        )  # fmt: skip
        figure = axes[0].figure
        plt.close(figure)  # returned, so shown once
        text = f"a point a seed, line: mean · {self.about.line(self.frame['seed'].nunique())}"
        return plotting.footer(figure, text, self.about.credit)

    def gain(self, way: str, over: str, place: str, share: float) -> pd.Series:
        """One way minus another on the same patients: value, low, high (over patients)."""
        at = (self.frame["place"] == place) & (self.frame["share"] == share)
        return paired_difference(self.frame[at], way, over, by=()).squeeze()[["value", "low", "high"]]

    def say(self) -> Markdown:
        """Fine-tuning minus plain training of all and of half of the steps, in Markdown: a line a place and control."""
        shares = sorted(self.frame["share"].unique())
        lines = []
        for place in (HOME, AWAY):
            for over in (ALL, HALF):
                gains = [f"{_told(self.gain(TUNED, over, place, s))} with {100 * s:g} % of the labels" for s in shares]
                lines.append(f"- *{TUNED}* minus *{over}*, {place}: {', '.join(gains)}.")
        return Markdown("\n".join(lines))


def _told(row: pd.Series) -> str:
    word = "a gain" if row["low"] > 0 else "a loss" if row["high"] < 0 else "within the noise"
    return f"{row['value']:+.3f} ({row['low']:+.3f} to {row['high']:+.3f}, {word})"


def keep_labels(dataset: DomainDataset, share: float, seed: int = 0) -> DomainDataset:
    """The images whose labels one can afford: a share of the patients of every domain, drawn with ``seed``.

    ValueError unless 0 < share <= 1.
    """
    if not 0 < share <= 1:
        raise ValueError(f"share={share}: choose a share of the labels above 0 and up to 1")
    return split(dataset, seed, (share, 0.0, 1 - share))[0] if share < 1 else dataset


def few_labels(
    hospitals: Sequence[Hospital],
    task: Task,
    *,
    shares: Sequence[float] = (0.01, 0.1, 1.0),
    seeds: Sequence[int] = (0, 1),
    steps: int = 500,
    n: int = 600,
    width: int = 16,
) -> FewLabels:
    """Four ways to use a share of the sources' labels on the clinic, tested on new patients of all hospitals.

    Pre-training takes ``steps`` and sees all images of the sources; then the network is fine-tuned for as many, or
    kept frozen under a linear probe. Plain training takes both together (`ALL`), or those of the fine-tuning alone
    (`HALF`): what that one lacks is time, not pre-training.
    """

    def one(seed: int) -> tuple[pd.DataFrame, float]:
        began = time.perf_counter()
        train, test = clinic_parts(hospitals, seed, n)
        start = pretrained(task, train, seed=seed, steps=steps, width=width)
        frames, settings = [], {"augment": flips_and_turns, "seed": seed, **RATES}
        for share in shares:
            few = keep_labels(train, share, seed)
            plain = {name: build(ERM, few, seed=seed, width=width) for name in (ALL, HALF)}
            for name, number in ((ALL, 2 * steps), (HALF, steps)):
                fit(plain[name], few, steps=number, **settings)
            ways = {TUNED: fine_tune(start, few, steps=steps, **settings), FROZEN: Probed(start, few)}
            frames += [
                predictions_frame(model, test, name=name, seed=seed, protocol=f"{share:.0%}").assign(share=share)
                for name, model in {**plain, **ways}.items()
            ]
        return pd.concat(frames), time.perf_counter() - began

    frames, seconds = zip(*map_runs(one, [(seed,) for seed in seeds]), strict=True)
    frame = pd.concat(frames, ignore_index=True)
    frame["place"] = frame["domain"].map(lambda name: AWAY if name == NEW_HOSPITAL else HOME)
    made = provenance(training_device())
    about = About((steps, 2 * steps), made["versions"], made["device"], sum(seconds), credit=(INFO,))
    return FewLabels(frame, about)
