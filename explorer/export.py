"""Train the two networks of the explorer and write all that its page needs: `make explorer`, two minutes of one core.

Both networks see the same clinic, the same steps and the same first weights; one of them with augmentation.
Into explorer/pages/explore: a file of weights for each network (batch normalization folded into the convolutions,
rounded to 16 bits), the tissue of the test images (8 bits, before any scanner), what torch answers for them under
several settings (check.json), and the figure that stands for the explorer in print. The numbers in the text of
chapters/explore.md come from check.json too: they are written into the front matter of that page.
"""

from __future__ import annotations

import argparse
import base64
import io
import json
import math
import platform
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor, nn

from explorer.numbers import with_numbers
from medgen_utils import __version__, clinic, data_augmentation, plotting, training
from medgen_utils.draws import Stream
from medgen_utils.evaluation import auroc
from medgen_utils.machine import threads

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "explorer" / "pages" / "explore"
PAGE = ROOT / "chapters" / "explore.md"

SEED, STEPS, WIDTH, IMAGES_PER_HOSPITAL = 0, 1600, 8, 1000
TEST_SEED, TEST_IMAGES = 7, 120  # another seed than the training: these patients were seen by no network
AGREEMENT = 0.8  # how often the marker agrees with the disease, on average over the training hospitals
OTHER_STAIN = (0.75, 1.1, 0.35)  # as in clinic.scanner_gallery
MARKER_COLOUR = (0.15, 0.35, 0.95)  # of clinic.make_clinic, where images have colours
MARKER_SQUARE = 9  # of the 8 x 8 squares of `blur_maps`
IRREGULARITY = 0.25  # of malignant contours
VARIED = {"gain": 1.0, "contrast": 0.5, "gamma": 0.5, "brightness": 0.05, "blur": 0.7, "noise": 0.06}
"""What the augmented network's training varied, as arguments of `data_augmentation.intensity_jitter`."""

HOME = {"gain": 1.0, "contrast": 1.0, "gamma": 1.0, "blur": 0.0, "noise": 0.012, "stain": 0.0, "marker": AGREEMENT}
"""The settings of the page's sliders at which the images look as at the training hospitals."""
RANGES = {"gain": (0.1, 1.6), "contrast": (0.1, 1.8), "gamma": (0.3, 3.0), "blur": (0.0, 2.0), "noise": (0.0, 0.24),
          "stain": (0.0, 1.0), "marker": (0.0, 1.0)}  # fmt: skip
AWAY = {
    "dark": {"gain": 0.3},
    "flat": {"contrast": 0.3},
    "curve": {"gamma": 2.5},
    "blurred": {"blur": 1.0},
    "noisy": {"noise": 0.12},
    "stained": {"stain": 1.0},
    "coin": {"marker": 0.5},
    "against": {"marker": 0.0},
    "little": {"gain": 0.85, "contrast": 0.85, "gamma": 1.2, "blur": 0.4, "noise": 0.036, "stain": 0.2},
}
"""The ready-made scanners of the page: what differs from home."""
NAMES = {"erm": "ERM", "augmented": "augmented"}


class TestSet(NamedTuple):
    """Lesions before any scanner: tissue (n, 28, 28) uint8, malignant (n,) bool, rank (n,) in (0, 1): see `marked`."""

    tissue: np.ndarray
    malignant: np.ndarray
    rank: np.ndarray


def training_hospitals() -> tuple[clinic.Hospital, ...]:
    """Three hospitals with mildly different scanners, whose marker agrees with the disease more often than not."""
    agreements = (AGREEMENT + 0.1, AGREEMENT, AGREEMENT - 0.1)
    return tuple(
        replace(hospital, irregularity=IRREGULARITY, marker_if_malignant=share, marker_if_benign=1 - share)
        for hospital, share in zip(clinic.acquisition_hospitals()[:3], agreements, strict=True)
    )


def train(name: str) -> training.ERM:
    """The network "erm" or "augmented": same hospitals, images, steps and first weights."""
    dataset = clinic.make_clinic(training_hospitals(), n=IMAGES_PER_HOSPITAL, seed=2024, channels=3)
    augment = training.flips_and_turns
    if name == "augmented":
        intensity = partial(data_augmentation.intensity_jitter, **VARIED)
        colour = partial(data_augmentation.colour_jitter, hue=0.4, saturation=0.4)
        augment = data_augmentation.compose(augment, colour, intensity)
    algorithm = training.build(training.ERM, dataset, seed=SEED, width=WIDTH)
    training.fit(algorithm, dataset, steps=STEPS, augment=augment, seed=SEED)
    return algorithm


def fold(algorithm: training.ERM) -> nn.Sequential:
    """The same function without batch normalization, its weights rounded to 16 bits; evaluation mode only."""
    layers: list[nn.Module] = []
    modules = list(algorithm.featurizer.layers)
    for convolution, norm in pairwise(modules):
        if isinstance(convolution, nn.Conv2d):
            scale = norm.weight / (norm.running_var + norm.eps).sqrt()
            folded = nn.Conv2d(convolution.in_channels, convolution.out_channels, 3, padding=1)
            folded.weight.data = convolution.weight.data * scale.data[:, None, None, None]
            folded.bias.data = norm.bias.data - norm.running_mean * scale.data
            layers += [folded, nn.ReLU(), nn.MaxPool2d(2)]
    head = nn.Linear(algorithm.classifier.in_features, algorithm.classifier.out_features)
    head.load_state_dict(algorithm.classifier.state_dict())
    network = nn.Sequential(*layers[:-1], nn.AdaptiveAvgPool2d(1), nn.Flatten(), head)
    return network.half().float().eval()


def pack(network: nn.Sequential) -> dict:
    """A folded network as the page reads it: {channels, weights}, convolutions as (row, column, input, output)."""
    parts = []
    for layer in network:
        if isinstance(layer, nn.Conv2d):
            parts += [layer.weight.permute(2, 3, 1, 0), layer.bias]
        elif isinstance(layer, nn.Linear):
            parts += [layer.weight, layer.bias]
    numbers = torch.cat([part.detach().flatten() for part in parts]).numpy().astype("<f2")
    widths = [layer.out_channels for layer in network if isinstance(layer, nn.Conv2d)]
    return {"channels": [3, *widths], "weights": base64.b64encode(numbers.tobytes()).decode()}


def unpack(file: Mapping) -> nn.Sequential:
    """The inverse of `pack`."""
    numbers = torch.from_numpy(np.frombuffer(base64.b64decode(file["weights"]), "<f2").astype(np.float32))
    layers: list[nn.Module] = []
    for n_in, n_out in pairwise(file["channels"]):
        layer = nn.Conv2d(n_in, n_out, 3, padding=1)
        weight, bias, numbers = numbers.tensor_split([9 * n_in * n_out, (9 * n_in + 1) * n_out])
        layer.weight.data, layer.bias.data = weight.view(3, 3, n_in, n_out).permute(3, 2, 0, 1).contiguous(), bias
        layers += [layer, nn.ReLU(), nn.MaxPool2d(2)]
    head = nn.Linear(file["channels"][-1], 2)
    head.weight.data, head.bias.data = numbers[:-2].view(2, -1), numbers[-2:]
    return nn.Sequential(*layers[:-1], nn.AdaptiveAvgPool2d(1), nn.Flatten(), head).eval()


def test_set() -> TestSet:
    """As many benign as malignant lesions, seen by no network, before any scanner."""
    plain = replace(training_hospitals()[0], name="test", gain=1, gamma=1, texture_length=1.5, noise=0)
    plain = replace(plain, marker_if_benign=0, marker_if_malignant=0)
    dataset = clinic.make_clinic([plain], n=2 * TEST_IMAGES, seed=TEST_SEED)
    malignant = dataset.true_y.numpy() == 1
    half = TEST_IMAGES // 2
    picked = np.sort(np.concatenate([np.flatnonzero(malignant)[:half], np.flatnonzero(~malignant)[:half]]))
    tissue = (dataset.x[picked, 0] * 255).round().to(torch.uint8).numpy()
    malignant = malignant[picked]
    rank = np.where(malignant, malignant.cumsum(), (~malignant).cumsum()) * (math.sqrt(5) - 1) / 2 % 1
    return TestSet(tissue, malignant, rank.round(4))


def marked(test: TestSet, agreement: float) -> np.ndarray:
    """Which images carry the marker (n,) bool: the share ``agreement`` of the malignant, the rest of the benign.

    The ranks of a class are spread evenly over (0, 1), so the shares are met almost exactly.
    """
    return test.rank < np.where(test.malignant, agreement, 1 - agreement)


class PageNoise:
    """Stands for NumPy's generator in `clinic.acquire`: image i gets the `Stream` of seed i, colours innermost."""

    def standard_normal(self, shape: Sequence[int], dtype: type) -> np.ndarray:
        n, channels, height, width = shape
        drawn = np.stack([Stream(i).standard_normal(channels * height * width) for i in range(n)])
        return drawn.reshape(n, height, width, channels).transpose(0, 3, 1, 2).astype(dtype)


def scan(test: TestSet, settings: Mapping[str, float], marker: bool | None = None) -> Tensor:
    """The test images (n, 3, 28, 28) as the page's scanner makes them: `clinic.acquire`, then the marker.

    ``marker`` True or False puts it on all images or on none, whatever the settings say.
    """
    home = np.array(clinic.Hospital("home").stain)
    stain = tuple(home + settings["stain"] * (np.array(OTHER_STAIN) - home))
    scanner = {name: settings[name] for name in ("gain", "contrast", "gamma", "blur", "noise")}
    hospital = clinic.Hospital("page", stain=stain, **scanner)
    x = clinic.acquire(test.tissue.astype(np.float32) / 255, hospital, PageNoise(), channels=3)
    rows, columns = clinic.marker_box()
    chosen = marked(test, settings["marker"]) if marker is None else np.full(len(x), marker)
    x[chosen, :, rows, columns] = np.array(MARKER_COLOUR, np.float32)[:, None, None]
    return torch.from_numpy(np.ascontiguousarray(x))


@torch.no_grad()
def logits(network: nn.Module, x: Tensor) -> Tensor:
    """Images (n, 3, 28, 28) in [0, 1] -> logits (n, 2) of a folded network."""
    return network(2 * x - 1)


def measure(networks: Mapping[str, nn.Module], test: TestSet, settings: Mapping[str, float]) -> dict[str, dict]:
    """For each network the logits, the AUROC and the share of the images that it calls malignant."""
    x, found = scan(test, settings), {}
    for name, network in networks.items():
        answers = logits(network, x).double().numpy()
        score = answers[:, 1] - answers[:, 0]
        found[name] = {
            "auroc": auroc(test.malignant.astype(int), score),
            "called": float((score > 0).mean()),
            "logits": answers.round(6).tolist(),
        }
    return found


def check(networks: Mapping[str, nn.Module], test: TestSet, provenance: Mapping) -> dict:
    """What torch answers: logits under every ready-made scanner, and a curve of the AUROC along each slider."""
    curves = {}
    for slider, (low, high) in RANGES.items():
        values = sorted({*np.linspace(low, high, 9).round(4).tolist(), HOME[slider]})
        found = [measure(networks, test, HOME | {slider: value}) for value in values]
        curves[slider] = {"values": values}
        curves[slider] |= {name: [round(point[name]["auroc"], 4) for point in found] for name in networks}
    with_marker, without = scan(test, HOME, True), scan(test, HOME, False)
    turned = {
        name: int((logits(network, with_marker).argmax(1) != logits(network, without).argmax(1)).sum())
        for name, network in networks.items()
    }
    shown = scan(test, HOME)[marked(test, AGREEMENT)]
    watched = {
        name: float((blur_maps(network, shown).abs().argmax(1) == MARKER_SQUARE).float().mean())
        for name, network in networks.items()
    }
    scanners = {"home": HOME} | {name: HOME | change for name, change in AWAY.items()}
    return {
        "provenance": provenance,
        "home": HOME,
        "ranges": RANGES,
        "scanners": {name: {"settings": s} | measure(networks, test, s) for name, s in scanners.items()},
        "curves": curves,
        "turned by the marker": turned,
        "marker matters most": watched,
    }


def blur_maps(network: nn.Module, x: Tensor) -> Tensor:
    """Images (n, 3, 28, 28) -> (n, 64): how far the score of malignant falls when a square of 4 x 4 is blurred away.

    The squares begin two pixels outside the image, so that one of them covers the marker: `MARKER_SQUARE`.
    """
    scanner = clinic.Hospital("blur", blur=2.0, noise=0)
    blurred = torch.from_numpy(clinic.acquire(x.flatten(0, 1).numpy(), scanner, PageNoise())).view_as(x)
    score = torch.diff(logits(network, x))[:, 0]
    maps = torch.empty(len(x), 64)
    for square in range(64):
        top, left = (4 * place - 2 for place in divmod(square, 8))
        box = (slice(None), slice(None), slice(max(0, top), top + 4), slice(max(0, left), left + 4))
        changed = x.clone()
        changed[box] = blurred[box]
        maps[:, square] = score - torch.diff(logits(network, changed))[:, 0]
    return maps


def facts(results: Mapping) -> dict[str, str]:
    """The numbers in the text of the page, by name, as they are written there."""
    found = {"images": str(len(results["scanners"]["home"]["erm"]["logits"])), "agreement": f"{AGREEMENT:.0%}"}
    found |= {"steps": str(STEPS), "per_hospital": str(IMAGES_PER_HOSPITAL)}
    for name in ("gain", "contrast", "gamma"):
        found[f"varied_{name}"] = f"{math.exp(-VARIED[name]):.1f} to {math.exp(VARIED[name]):.1f}"
    found |= {f"varied_{name}": str(VARIED[name]) for name in ("blur", "noise")}
    found |= {f"turned_{name}": str(number) for name, number in results["turned by the marker"].items()}
    found |= {f"watched_{name}": f"{share:.0%}" for name, share in results["marker matters most"].items()}
    for scanner, result in results["scanners"].items():
        for name in NAMES:
            found[f"{scanner}_{name}"] = f"{result[name]['auroc']:.2f}"
            found[f"{scanner}_{name}_called"] = f"{result[name]['called']:.0%}"
    return {name: value.replace("%", " %") for name, value in found.items()}


def with_facts(page: str, results: Mapping) -> str:
    """The text of the page with the numbers it uses in its front matter."""
    return with_numbers(page, facts(results), "explorer/export.py from explorer/pages/explore/check.json")


def figure(results: Mapping, test: TestSet) -> Figure:
    """The explorer on paper: for each slider one lesion at three settings and the AUROC of both networks."""
    plotting.use_house_style()
    titles = {"gain": "Gain", "contrast": "Contrast", "gamma": "Gamma", "blur": "Blur, pixels", "noise": "Noise",
              "stain": "Stain", "marker": "Marker agrees with the disease"}  # fmt: skip
    drawing = plt.figure(figsize=(7.2, 10.4), layout="constrained")
    panels = list(drawing.subfigures(4, 2, wspace=0.04, hspace=0.02).flat)
    example = int(np.flatnonzero(test.malignant)[1])
    for panel, (slider, title) in zip(panels, titles.items(), strict=False):
        axes = panel.subplot_mosaic("abc;ddd", height_ratios=(1, 1.5))
        low, high = RANGES[slider]
        for axis, value in zip("abc", (low, HOME[slider], high), strict=True):
            axes[axis].imshow(scan(test, HOME | {slider: value})[example].permute(1, 2, 0))
            axes[axis].axis("off")
            axes[axis].set_title(f"{value:g}", fontsize=9, loc="center")
        curve = results["curves"][slider]
        axes["d"].axhline(0.5, color=plotting.QUIET, linewidth=1, linestyle=":")
        axes["d"].axvline(HOME[slider], color=plotting.QUIET, linewidth=1)
        for name, colour, mark in zip(NAMES, (plotting.PALETTE[1], plotting.PALETTE[0]), "os", strict=True):
            axes["d"].plot(curve["values"], curve[name], color=colour, marker=mark, markersize=4)
        axes["d"].set(ylim=(0, 1.03), xlim=(low, high), ylabel="AUROC", xlabel=title)
    legend = panels[-1].subplots()
    legend.axis("off")
    lines = (
        (0.92, "How to read this figure", plotting.INK),
        (0.74, "● ERM, plain training", plotting.PALETTE[1]),
        (0.62, "■ the augmented network", plotting.PALETTE[0]),
        (0.50, "· · ·  chance", plotting.QUIET),
        (0.38, "|  as at the training hospitals", plotting.QUIET),
        (0.22, f"AUROC over the same {len(test.tissue)} lesions;\none setting is changed at a time.", plotting.INK),
    )
    for height, text, colour in lines:
        legend.text(0.05, height, text, color=colour, va="top", fontsize=11)
    return drawing


def script(name: str, content: Mapping) -> str:
    """A file that hands its content to the page, also where it is opened from the disk and fetch() is not allowed."""
    return f"window.medgenData = window.medgenData || {{}};\nwindow.medgenData.{name} = {json.dumps(content)};\n"


def read_script(path: Path) -> dict:
    """The inverse of `script`."""
    return json.loads(path.read_text("utf-8").splitlines()[1].split(" = ", 1)[1].rstrip(";"))


def test_set_file(test: TestSet) -> dict:
    return {
        "malignant": "".join("1" if value else "0" for value in test.malignant),
        "rank": test.rank.tolist(),
        "tissue": base64.b64encode(test.tissue.tobytes()).decode(),
    }


def publish(networks: Mapping[str, nn.Module], test: TestSet, provenance: Mapping) -> None:
    """Write what follows from the networks: lesions.js, check.json, the figure, and the numbers of the page."""
    results = check(networks, test, provenance)
    (FOLDER / "lesions.js").write_text(script("lesions", test_set_file(test)), "utf-8")
    (FOLDER / "check.json").write_text(json.dumps(results) + "\n", "utf-8")
    canvas = io.BytesIO()
    figure(results, test).savefig(canvas, dpi=150)
    Image.open(canvas).convert("RGB").save(FOLDER / "figure.webp", quality=80, method=6)
    PAGE.write_text(with_facts(PAGE.read_text("utf-8"), results), "utf-8")
    for scanner, result in results["scanners"].items():
        print(scanner, {name: {k: round(result[name][k], 3) for k in ("auroc", "called")} for name in NAMES})
    for path in sorted(FOLDER.iterdir()):
        print(f"{path.stat().st_size:8d} {path.relative_to(ROOT)}")


@threads(1)
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", action="store_true", help="keep the networks, write only what follows from them")
    if not parser.parse_args().keep:
        provenance = {
            "made by": "explorer/export.py",
            "medgen_utils": __version__,
            "torch": torch.__version__.split("+")[0],
            "numpy": np.__version__,
            "python": platform.python_version(),
            "training": f"SmallCNN of width {WIDTH}, {STEPS} steps of 48 images, seed {SEED}",
        }
        for name in NAMES:
            (FOLDER / f"{name}.js").write_text(
                script(name, pack(fold(train(name))) | {"provenance": provenance}), "utf-8"
            )
    files = {name: read_script(FOLDER / f"{name}.js") for name in NAMES}
    publish({name: unpack(file) for name, file in files.items()}, test_set(), files["erm"]["provenance"])


if __name__ == "__main__":
    main()
