"""Train the networks of the sealed hospital, and write what its page needs: `python -m explorer.detective`.

Twelve small networks: plain training, and three remedies that need a training of their own, under each of three
conditions of the training hospitals. They go into the package (medgen_utils/sealed/networks.json), where the game in
Python reads them, and as a script into explorer/pages/detective.
"""

from __future__ import annotations

import argparse
import io
import json
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from explorer.export import script
from explorer.numbers import with_numbers
from medgen_utils import clinic, data_augmentation, plotting, training
from medgen_utils.machine import threads
from medgen_utils.sealed import Case, cases, networks, open_case, play

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "explorer" / "pages" / "detective"
PAGE = ROOT / "chapters" / "detective.md"
PAPER_CASE = 6  # the case that can be played on paper
SHOWN = 4  # lesions of each hospital on paper
SEED, STEPS, IMAGES, BATCH, LEARNING_RATE = 4000, 400, 400, 36, 4e-3
VARIED = {"gain": 1.0, "gamma": 0.5, "contrast": 0.4, "brightness": 0.0, "blur": 0.7, "noise": 0.06}


def hide_corner(x: Tensor, generator: torch.Generator) -> Tensor:
    return networks.covered(x)


def train(kind: str, condition: str, begun: str | None = None) -> str:
    """One network, packed; "sizes" sees lesions of more sizes, "cover" a covered corner.

    ``begun`` is a packed network to go on from: what is varied widely is learned late from nothing.
    """
    hospitals = cases.training_hospitals(condition)
    if kind == "sizes":
        hospitals = tuple(replace(hospital, lesion_size=0.17, size_spread=0.4) for hospital in hospitals)
    dataset = clinic.make_clinic(hospitals, IMAGES, SEED)
    before = {
        "augmentation": (partial(data_augmentation.intensity_jitter, **VARIED),),
        "cover": (hide_corner,),
    }
    augment = data_augmentation.compose(*before.get(kind, ()), training.flips_and_turns)
    algorithm = training.build(training.ERM, dataset, seed=0, width=networks.WIDTH)
    if begun:
        featurizer, head = networks.unpack(begun)
        algorithm.featurizer.load_state_dict(featurizer.state_dict())
        algorithm.classifier.load_state_dict(head.state_dict())
    training.fit(
        algorithm, dataset, steps=STEPS, batch_size=BATCH, learning_rate=LEARNING_RATE, augment=augment, seed=0
    )
    return networks.pack(algorithm.featurizer, algorithm.classifier)


def signed(value: float) -> str:
    """One decimal and a sign; what rounds to zero is positive."""
    return f"{round(value, 1) + 0.0:+.1f}".replace("-", "−")


def facts(case: Case) -> dict[str, str]:
    """The numbers of the case on paper, by name: all evidence, and what was hidden."""
    case = open_case(case.hidden.seed)
    found = {"case": str(case.hidden.seed), "budget": str(play.BUDGET), "networks": str(len(networks.CONDITIONS) * 4)}
    found |= {f"price_{name}": str(price) for name, price in play.PRICES.items()}
    found |= {f"points_{name}": str(points) for name, points in play.SHARES.items()}
    test = case.test()
    found["distance"] = f"{test['distance']:.2f}"
    found["p_value"] = "p below 0.001" if test["p_value"] < 0.001 else f"p = {test['p_value']:.3f}"
    found["called_home"], found["called_there"] = (f"{test[f'called {at}']:.0%}" for at in ("at home", "there"))
    for name, (home, there, apart) in case.probe().items():
        word = name.replace(" ", "_")
        found |= {f"{word}_home": f"{home:.3f}", f"{word}_there": f"{there:.3f}", f"{word}_apart": signed(apart)}
    audit = case.audit()
    found["read_again"], found["too_high"], found["too_low"] = map(str, audit.values())
    case = open_case(case.hidden.seed)  # another purse
    labels = case.labels()
    found["ill"], found["wrong"] = str(labels["malignant"]), str(labels["wrong calls"])
    found["auroc_labels"] = "too few of one kind"
    if "auroc" in labels:
        found["auroc_labels"] = f"{labels['auroc']:.2f} ({labels['low']:.2f} to {labels['high']:.2f})"
    truth = case.truth()
    found["hidden"] = " and ".join(case.hidden.causes)
    found["auroc"] = f"{truth['auroc']:.2f}"
    found |= {f"brier_{name}": f"{value:.3f}" for name, value in truth["brier"].items()}
    return {name: value.replace("%", " %") for name, value in found.items()}


def figure(case: Case) -> Figure:
    """The case on paper: lesions of each training hospital with their labels, and those of the sealed one without."""
    plotting.use_house_style()
    drawing, axes = plt.subplots(4, 2 * SHOWN, figsize=(7.2, 4.3), layout="constrained")
    for row, name in enumerate((*"ABC", "Sealed")):
        for column in range(2 * SHOWN):
            axis, sealed = axes[row, column], row == cases.NEW
            images = case.sealed if sealed else case.home
            place = column if sealed else row * cases.HOME + column
            axis.imshow(images.x[place, 0], cmap="gray", vmin=0, vmax=1, interpolation="nearest")
            axis.axis("off")
            axis.set_title("?" if sealed else images.class_names[int(images.y[place])], fontsize=8, loc="center", pad=2)
        axes[row, 0].text(-0.12, 0.5, name, transform=axes[row, 0].transAxes, ha="right", va="center", fontsize=9)
    return drawing


def publish(file: Mapping) -> None:
    """Write what follows from the networks: their script, the figure, and the numbers of the page."""
    (FOLDER / "networks.js").write_text(script("networks", file), "utf-8")
    case = open_case(PAPER_CASE)
    canvas = io.BytesIO()
    figure(case).savefig(canvas, dpi=150)
    Image.open(canvas).convert("RGB").save(FOLDER / "figure.webp", quality=80, method=6)
    text = with_numbers(PAGE.read_text("utf-8"), facts(case), "explorer/detective.py")
    PAGE.write_text(text, "utf-8")


@threads(1)
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", action="store_true", help="keep the networks, write only what follows from them")
    if not parser.parse_args().keep:
        found = {}
        for condition in networks.CONDITIONS:
            for kind in networks.KINDS:
                begun = found[f"erm {condition}"] if kind == "augmentation" else None
                found[f"{kind} {condition}"] = train(kind, condition, begun)
                print(kind, condition, flush=True)
        about = f"SmallCNN of width {networks.WIDTH}, {STEPS} steps of {BATCH} images, explorer/detective.py"
        networks.FILE.write_text(json.dumps({"training": about, "networks": found}) + "\n", "utf-8")
    publish(json.loads(networks.FILE.read_text("utf-8")))


if __name__ == "__main__":
    main()
