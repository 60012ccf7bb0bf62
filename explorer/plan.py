"""The page *Plan a study* in Python: the spreads it starts from, and what it needs on paper.

`python -m explorer.plan` estimates from the evidence store what differences between hospitals, seeds and patients there
are, and writes spreads.js, check.json (chances that the tests compare with the page's own), the figure for print, and
the numbers in the text of chapters/plan.md.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from PIL import Image

from explorer.numbers import with_numbers
from medgen_utils import plotting
from medgen_utils.benchmark import spread
from medgen_utils.benchmark.standings import BASELINE
from medgen_utils.evaluation.power import QUESTIONS, Spread, hospitals_needed, power
from medgen_utils.figures.evaluation_protocols import chances

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "explorer" / "pages" / "plan"
PAGE = ROOT / "chapters" / "plan.md"
SOURCE = "explorer/plan.py from the evidence store"
PROBLEM, PROTOCOL, PREVALENCE = "breast hospitals", 2, 0.33
STUDY = {"effect": 0.05, "patients": 200, "seeds": 3}
COUNTS = (2, 3, 5, 10, 20)


@dataclass(frozen=True)
class Found:
    """The spread of a question, what it rests on, and in words where it comes from."""

    estimate: spread.Estimate
    source: str

    def entry(self) -> dict:
        rounded = {name: round(value, 4) for name, value in self.estimate.spread._asdict().items()}
        limits = {"low": round(self.estimate.low, 4), "high": round(self.estimate.high, 4)}
        return rounded | limits | {"sites": self.estimate.sites, "seeds": self.estimate.seeds, "source": self.source}


def of_gap() -> Found:
    """Between the score inside and at a site left out, for ERM."""
    return Found(spread.stored_gap(PROBLEM, PREVALENCE, PROTOCOL), f"{PROBLEM}, {BASELINE}, protocol {PROTOCOL}")


def of_methods() -> Found:
    """Between a method and ERM."""
    whole, names = spread.stored_gain(PROBLEM, PROTOCOL)
    return Found(whole, f"{PROBLEM}, {len(names)} methods against {BASELINE}, protocol {PROTOCOL}")


def check(spreads: Mapping[str, dict]) -> list[dict]:
    """Chances of many studies, for the tests to hold the page against."""
    studies = []
    for question in QUESTIONS:
        mine = Spread(*(spreads[question][name] for name in Spread._fields))
        for hospitals in (2, 3, 5, 12, 60):
            for effect, patients, seeds in ((0.01, 20, 1), (0.05, 200, 3), (0.1, 2000, 10)):
                chance = power(question, effect, hospitals, patients, seeds, mine, prevalence=0.3)
                study = {"question": question, "effect": effect, "patients": patients, "seeds": seeds}
                studies.append(study | {"auroc": 0.8, "prevalence": 0.3, "hospitals": hospitals, "power": chance})
    return studies


def facts(spreads: Mapping[str, dict]) -> dict[str, str]:
    """The numbers in the text of the page."""
    found = {}
    for question in QUESTIONS:
        mine, entry = Spread(*(spreads[question][name] for name in Spread._fields)), spreads[question]
        needed = hospitals_needed(question, spread=mine, **STUDY)
        found |= {
            f"{question}_needed": "more than 200" if needed is None else str(needed),
            f"{question}_five": f"{power(question, hospitals=5, spread=mine, **STUDY):.0%}".replace("%", " %"),
            f"{question}_site": f"{entry['site']:.3f}",
            f"{question}_seed": f"{entry['seed']:.3f}",
            f"{question}_low": f"{entry['low']:.3f}",
            f"{question}_high": f"{entry['high']:.3f}",
            f"{question}_sites": str(entry["sites"]),
            f"{question}_source": entry["source"],
        }
    limit = power("gap", 0.05, 5, 10**6, 10**6, Spread(*(spreads["gap"][name] for name in Spread._fields)))
    return found | {
        "gap_limit": f"{limit:.0%}".replace("%", " %"),
        "correlation": f"{spreads['method']['correlation']:.2f}",
    }


def figure(spreads: Mapping[str, dict]) -> Figure:
    """The page on paper: the chance over the number of hospitals, for three numbers of patients, both questions."""
    plotting.use_house_style()
    drawing, axes = plt.subplots(1, 2, figsize=(7.2, 3.6), sharey=True, layout="constrained")
    titles = {"gap": "to see a gap", "method": "to see a gain of a method"}
    for axis, question in zip(axes, QUESTIONS, strict=True):
        mine = Spread(*(spreads[question][name] for name in Spread._fields))
        chances(axis, question, mine, STUDY["effect"], (50, 200, 1000), STUDY["seeds"])
        axis.set_title(f"{titles[question]} of {STUDY['effect']}")
    axes[0].set_ylabel("chance")
    axes[1].legend(loc="lower right")
    return drawing


def main() -> None:
    spreads = {"gap": of_gap().entry(), "method": of_methods().entry()}
    (FOLDER / "spreads.js").write_text(f"window.medgenPlan = {{ spreads: {json.dumps(spreads)} }};\n", "utf-8")
    (FOLDER / "check.json").write_text(json.dumps({"spreads": spreads, "studies": check(spreads)}) + "\n", "utf-8")
    canvas = figure(spreads)
    canvas.savefig(FOLDER / "figure.png", dpi=150)
    with Image.open(FOLDER / "figure.png") as picture:
        picture.convert("RGB").save(FOLDER / "figure.webp", quality=82, method=6)
    (FOLDER / "figure.png").unlink()
    PAGE.write_text(with_numbers(PAGE.read_text("utf-8"), facts(spreads), SOURCE), "utf-8")
    for question, entry in spreads.items():
        print(question, entry)


if __name__ == "__main__":
    main()
