"""The page *Train it yourself* in torch: the same draws, the same first weights, the same four methods of the package.

`python -m explorer.train` trains them for every cause and writes what the page needs on paper: check.json, the figure
that stands for the page in print, and the numbers in the text of chapters/train.md. The tests compare what the page
computes with what is computed here: images, batches, gradients, and the first steps of every method.
"""

from __future__ import annotations

import copy
import io
import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor, nn

from explorer.numbers import with_numbers
from medgen_utils import __version__, clinic, draws, plotting, training
from medgen_utils.domains import Batch
from medgen_utils.evaluation import auroc, predict_probabilities
from medgen_utils.feature_alignment import CORAL, GroupDRO
from medgen_utils.hospital import Hospital
from medgen_utils.machine import threads

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "explorer" / "pages" / "train"
PAGE = ROOT / "chapters" / "train.md"

WIDTH, BATCH, LEARNING_RATE, WEIGHT_DECAY, STEP_SIZE, KEEP = 8, 24, 4e-3, 1e-3, 0.1, 0.9
JITTER = {"gamma": 0.5, "contrast": 0.5, "gain": 0.7, "noise": 0.06}
IMAGES = {"train": 200, "home": 40, "away": 120}
STEPS, EVERY, SEEDS = 300, 20, (1, 2, 3)
WEIGHTS, DRAWN_BATCH, DRAWN_JITTER = 9, 7, 8  # kinds of streams, beside the four of a hospital
NEW = 3  # place of the new hospital


def _marker(agreement: float, label_flips: float) -> dict[str, float]:
    return {"marker_if_benign": 1 - agreement, "marker_if_malignant": agreement, "label_flips": label_flips}


CAUSES: dict[str, tuple[dict[str, float], ...]] = {
    "scanner": ({}, {}, {}, {"gamma": 0.4}),
    "shortcut": (_marker(0.98, 0.15), _marker(0.9, 0.15), _marker(0.5, 0.15), _marker(0.1, 0)),
    "population": ({}, {}, {}, {"lesion_size": 0.12}),
    "prevalence": ({}, {}, {}, {"prevalence": 0.2}),
    "graders": (*({"large_called_malignant": 0.9},) * NEW, {}),
}
"""For each cause what changes at the three training hospitals and at the new one."""
TITLES = {"none": "No cause", **{name: name.capitalize() for name in CAUSES}}
METHODS = {
    "erm": ("ERM", training.ERM, {}),
    "augmentation": ("Augmentation", training.ERM, {}),
    "coral": ("CORAL", CORAL, {}),
    "dro": ("Group DRO", GroupDRO, {"step_size": STEP_SIZE}),
}


def hospitals(causes: Sequence[str] = ()) -> tuple[Hospital, ...]:
    """Three hospitals to train at and a new one, with these causes."""
    plain = [replace(hospital, irregularity=0.3) for hospital in clinic.acquisition_hospitals(NEW, unseen_gain=1.0)]
    for name in causes:
        plain = [replace(hospital, **change) for hospital, change in zip(plain, CAUSES[name], strict=True)]
    return tuple(plain)


def draw(causes: Sequence[str], seed: int) -> dict[str, clinic.Clinic]:
    """The images that the page trains on and measures with: "train", "home" and "away"."""
    everywhere = hospitals(causes)
    train = clinic.make_clinic(everywhere[:NEW], IMAGES["train"], 2 * seed, streams=draws.streams)
    test = clinic.make_clinic(everywhere, IMAGES["away"], 2 * seed + 1, streams=draws.streams)
    place = torch.arange(len(test)) % IMAGES["away"]
    return {
        "train": train,
        "home": test.subset((test.domain < NEW) & (place < IMAGES["home"])),
        "away": test.subset(test.domain == NEW),
    }


def jittered(x: np.ndarray, stream: draws.Stream) -> np.ndarray:
    """One image as another scanner would render it: `data_augmentation.intensity_jitter` with a page's draws."""
    by = np.array([JITTER["gamma"], JITTER["contrast"], JITTER["gain"]])
    bend, stretch, scale = np.exp(by * (2 * stream.random(3) - 1))
    grain = JITTER["noise"] * stream.random()
    noise = stream.standard_normal(x.shape)
    x = np.maximum(x, 1e-7) ** bend
    return np.clip(scale * (stretch * x + (1 - stretch) * x.mean()) + grain * noise, 0, 1)


def batches(train: clinic.Clinic, seed: int, step: int, jitter: bool) -> list[Batch]:
    """The batches of a step, one for each hospital; the draws depend on seed and step alone."""
    stream = draws.Stream(draws.seed_of(seed, DRAWN_BATCH, step))
    other = draws.Stream(draws.seed_of(seed, DRAWN_JITTER, step))
    found = []
    for domain in range(NEW):
        pools = [torch.nonzero((train.domain == domain) & (train.y == label))[:, 0].numpy() for label in (0, 1)]
        images, labels = [], []
        for _ in range(BATCH // NEW):
            label, picked, way = stream.random(3)
            pool = pools[int(label >= 0.5)]
            x = train.x[pool[int(picked * len(pool))], 0].numpy()
            way = int(8 * way)
            x = x[::-1] if way & 2 else x
            x = x[:, ::-1] if way & 4 else x
            x = x.T if way & 1 else x
            images.append(jittered(x, other) if jitter else x)
            labels.append(int(label >= 0.5))
        x = torch.from_numpy(np.stack(images).astype(np.float32))[:, None]
        found.append(Batch(x, torch.tensor(labels), torch.full((len(labels),), domain)))
    return found


def convolutions(algorithm: training.ERM) -> list[tuple[nn.Conv2d, nn.BatchNorm2d]]:
    layers = list(algorithm.featurizer.layers)
    return [(layer, layers[i + 1]) for i, layer in enumerate(layers) if isinstance(layer, nn.Conv2d)]


def flat(algorithm: training.ERM, gradient: bool = False) -> Tensor:
    """All weights, or their gradients, in the order of the page: see `layout` in live/network.js."""
    parts = []
    for layer, norm in convolutions(algorithm):
        blocks = (layer.weight.grad if gradient else layer.weight).unflatten(0, (-1, 8)).permute(0, 3, 4, 2, 1)
        parts += [blocks, *((p.grad if gradient else p) for p in (norm.weight, norm.bias))]
    parts += [(p.grad if gradient else p) for p in (algorithm.classifier.weight, algorithm.classifier.bias)]
    return torch.cat([part.detach().flatten() for part in parts])


def first(method: str, train: clinic.Clinic, seed: int) -> training.ERM:
    """A method before its first step, with the page's first weights, ready for steps."""
    _, kind, settings = METHODS[method]
    algorithm = training.build(kind, train, seed=0, width=WIDTH, hyperparameters=settings)
    stream = draws.Stream(draws.seed_of(seed, WEIGHTS))

    def drawn(shape: Sequence[int], inputs: int) -> Tensor:
        return torch.from_numpy((2 * stream.random(shape) - 1) / np.sqrt(inputs)).float()

    for layer, _ in convolutions(algorithm):
        n_out, n_in, *_ = layer.weight.shape
        blocks = drawn((n_out // 8, 3, 3, n_in, 8), 9 * n_in)
        layer.weight.data = blocks.permute(0, 4, 3, 1, 2).flatten(0, 1).contiguous()
    head = algorithm.classifier
    head.weight.data = drawn(head.weight.shape, head.in_features)
    head.bias.data = drawn(head.bias.shape, head.in_features)
    algorithm.prepare(learning_rate=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    return algorithm.train()


def tensors(module: nn.Module) -> list[Tensor]:
    """Weights and running statistics."""
    return [value for value in module.state_dict().values() if value.is_floating_point()]


@torch.no_grad()
def towards(mean: nn.Module, module: nn.Module, step: int) -> None:
    """Move the mean of past weights a little; at first it forgets faster."""
    share = 1 - min(KEEP, step / (10 + step))
    for old, new in zip(tensors(mean), tensors(module), strict=True):
        old.lerp_(new, share)


def score(mean: training.ERM, images: clinic.Clinic) -> dict[str, float]:
    """AUROC against the truth, and the share called malignant."""
    p = predict_probabilities(mean, images.x)[:, 1]
    return {"auroc": auroc(images.true_y.numpy(), p), "called": float((p > 0.5).mean())}


def train(method: str, images: Mapping[str, clinic.Clinic], seed: int, steps: int = STEPS, every: int = EVERY) -> dict:
    """{steps: [...], name of a test set: [{auroc, called}, ...]} of one training; tests are all but "train"."""
    algorithm = first(method, images["train"], seed)
    mean = copy.deepcopy(algorithm).eval()
    found: dict = {"steps": []} | {name: [] for name in images if name != "train"}
    for step in range(steps + 1):
        if step:
            algorithm.update(batches(images["train"], seed, step, method == "augmentation"))
            towards(mean, algorithm, step)
        if step % every == 0:
            found["steps"].append(step)
            for name in [*found][1:]:
                found[name].append(score(mean, images[name]))
    return found


def check() -> dict:
    """For each cause, method and seed the curve at home and at the new hospital.

    Causes that concern the new hospital alone share their training.
    """
    curves: dict = {name: {method: [] for method in METHODS} for name in TITLES}
    for seed in SEEDS:
        shared: dict[str, list[str]] = {}
        for name in TITLES:
            causes = () if name == "none" else (name,)
            shared.setdefault(repr(hospitals(causes)[:NEW]), []).append(name)
        for names in shared.values():
            drawn = {name: draw(() if name == "none" else (name,), seed) for name in names}
            images = {"train": drawn[names[0]]["train"], "home": drawn[names[0]]["home"]}
            images |= {name: drawn[name]["away"] for name in names}
            for method in METHODS:
                found = train(method, images, seed)
                for name in names:
                    curve = {"steps": found["steps"], "home": found["home"], "away": found[name]}
                    curves[name][method].append(curve)
                print(seed, names, method, {name: round(found[name][-1]["auroc"], 3) for name in ["home", *names]})
    return {
        "provenance": {
            "made by": "explorer/train.py",
            "medgen_utils": __version__,
            "torch": torch.__version__.split("+")[0],
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
        "seeds": SEEDS,
        "curves": curves,
    }


def last(results: Mapping, cause: str, method: str, place: str, what: str = "auroc") -> list[float]:
    """The last value of every seed."""
    return [curve[place][-1][what] for curve in results["curves"][cause][method]]


def facts(results: Mapping) -> dict[str, str]:
    """The numbers in the text of the page, by name: the mean over the seeds, with the lowest and highest."""
    found = {"seeds": str(len(results["seeds"])), "steps": str(STEPS)}
    for cause in TITLES:
        for method in METHODS:
            for place in ("home", "away"):
                values = last(results, cause, method, place)
                found[f"{cause}_{method}_{place}"] = f"{np.mean(values):.2f}"
                found[f"{cause}_{method}_{place}_range"] = f"{min(values):.2f} to {max(values):.2f}"
            called = np.mean(last(results, cause, method, "away", "called"))
            found[f"{cause}_{method}_called"] = f"{called:.0%}".replace("%", " %")
    return found


def with_facts(page: str, results: Mapping) -> str:
    """The text of the page with the numbers it uses in its front matter."""
    return with_numbers(page, facts(results), "explorer/train.py from explorer/pages/train/check.json")


def figure(results: Mapping) -> Figure:
    """The page on paper: a panel a cause with the AUROC at the new hospital, and one with that at home."""
    plotting.use_house_style()
    colours = dict(
        zip(METHODS, (plotting.PALETTE[1], plotting.PALETTE[0], plotting.PALETTE[2], plotting.PALETTE[3]), strict=True)
    )
    drawing, axes = plt.subplots(4, 2, figsize=(7.2, 9.6), layout="constrained", sharex=True, sharey=True)
    panels = [("none", "home"), *((cause, "away") for cause in TITLES)]
    for axis, (cause, place) in zip(axes.flat, panels, strict=False):
        axis.axhline(0.5, color=plotting.QUIET, linewidth=1, linestyle=":")
        for (method, curves), mark in zip(results["curves"][cause].items(), "os^D", strict=True):
            steps = curves[0]["steps"]
            values = np.array([[point["auroc"] for point in curve[place]] for curve in curves])
            axis.fill_between(steps, values.min(0), values.max(0), color=colours[method], alpha=0.12, linewidth=0)
            axis.plot(steps, values.mean(0), color=colours[method], marker=mark, markevery=5, markersize=5)
        axis.set(ylim=(0, 1.03), xlim=(0, STEPS), ylabel="AUROC")
        axis.set_title("At home, no cause" if place == "home" else f"New hospital: {TITLES[cause].lower()}")
        axis.tick_params(labelbottom=True)
    for axis in axes[-1, :1]:
        axis.set_xlabel("steps")
    legend = axes.flat[-1]
    legend.axis("off")
    for k, ((title, *_), colour, mark) in enumerate(zip(METHODS.values(), colours.values(), "●■▲◆", strict=True)):
        legend.text(0.05, 0.85 - 0.14 * k, f"{mark} {title}", color=colour, transform=legend.transAxes, fontsize=11)
    words = f"Lines: mean of {len(results['seeds'])} seeds;\nbands: lowest to highest.\nDotted: chance."
    legend.text(0.05, 0.25, words, color=plotting.INK, transform=legend.transAxes, fontsize=10, va="top")
    return drawing


def publish(results: Mapping) -> None:
    """The figure and the numbers of the page."""
    canvas = io.BytesIO()
    figure(results).savefig(canvas, dpi=150)
    Image.open(canvas).convert("RGB").save(FOLDER / "figure.webp", quality=80, method=6)
    PAGE.write_text(with_facts(PAGE.read_text("utf-8"), results), "utf-8")


@threads(1)
def main() -> None:
    results = check()
    (FOLDER / "check.json").write_text(json.dumps(results) + "\n", "utf-8")
    publish(results)


if __name__ == "__main__":
    main()
