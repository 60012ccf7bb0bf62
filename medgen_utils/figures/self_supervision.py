"""The figures that only the chapter on self-supervision draws. Chapter: self_supervision."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import torch
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from torch import Tensor

from medgen_utils import plotting
from medgen_utils import self_supervision as ssl
from medgen_utils.domains import DatasetInfo, DomainDataset
from medgen_utils.self_supervision.kept import CLASS_NEW, HOSPITAL, MORE, PROJECTED
from medgen_utils.self_supervision.turns import EVERYWHERE
from medgen_utils.training import Augmentation


def tasks(image: Tensor, views: Augmentation, credit: DatasetInfo, seed: int = 3) -> Figure:
    """What each family makes of one image (1, C, H, W): four turns, four orders of tiles, four views, four masks."""
    generator = torch.Generator().manual_seed(seed)
    four = image.expand(4, -1, -1, -1)
    masks = [ssl.random_masking(image, share, generator)[0] for share in (0.2, 0.4, 0.6, 0.8)]
    rows = {
        "rotation:\nwhich turn?": ssl.rotate_batch(image)[0],
        "jigsaw:\nwhich order?": ssl.jigsaw_batch(four, ssl.jigsaw_permutations(2, 24), generator)[0],
        "contrastive:\nsame image?": views(four, generator),
        "masked:\nwhat is hidden?": torch.cat(masks),
    }
    figure = plotting.show_images(list(rows.values()), list(rows), scale=0.9)
    plt.close(figure)  # returned, so shown once
    return plotting.footer(figure, "", [credit])


def turns(frame: pd.DataFrame, names: Sequence[str], text: str, credit: Sequence[DatasetInfo]) -> Figure:
    """The share of quarter turns named, a line for each of the ``names`` in column images of `ssl.turns_named`.

    A blue dot a network, over all its domains; small grey ones for each domain.
    """
    figure, axis = plt.subplots(figsize=(5.8, 1.3 + 0.45 * len(names)), layout="constrained")
    for i, name in enumerate(names):
        mine = frame[frame["images"] == name]
        everywhere = mine["domain"] == EVERYWHERE
        each = mine[~everywhere].groupby("domain")["value"].mean()
        axis.plot(each, [i] * len(each), "|", color=plotting.QUIET, markersize=13, markeredgewidth=1.6)
        found = mine.loc[everywhere, "value"]
        axis.plot(found, [i] * len(found), "o", color=plotting.PALETTE[0], markersize=8, alpha=0.85)
    plotting.name_rows(axis, names, "share of quarter turns named correctly", 0.25)
    axis.set_xlim(0, 1.02)
    plt.close(figure)  # returned, so shown once
    return plotting.footer(figure, f"dot: all new patients; strokes: each source or hospital · {text}", credit)


def channels(dataset: DomainDataset, domains: Sequence[str], pixels: float = 3.0, each: int = 1) -> Figure:
    """Patches as they are, and with the displacement of their colour channels multiplied, so that it can be seen.

    At the domain where a channel lies farthest off, it is moved by ``pixels`` more.
    """
    shifts = ssl.channel_shifts(dataset)
    factor = pixels / shifts.abs().to_numpy().max()
    rows, labels = [], []
    for name in domains:
        own = dataset.only(name).x[3 :: max(1, len(dataset.only(name).x) // each)][:each]
        moved = own.clone()
        for channel, colour in ((0, "red"), (2, "blue")):
            by = (factor * shifts.loc[name, [f"{colour} down", f"{colour} right"]]).tolist()
            moved[:, channel] = ssl.shifted(own[:, channel], *by)
        rows.append(torch.cat([own, moved.clamp(0, 1)]))
        labels.append(name)
    figure = plotting.show_images(rows, labels, ["as it is"] * each + [f"{factor:.0f} times"] * each, scale=1.1)
    plt.close(figure)
    return plotting.footer(figure, "", [dataset.info])


def kept(frame: pd.DataFrame, text: str, credit: Sequence[DatasetInfo]) -> Figure:
    """What probes read (column read), a panel each; a line a kind of features, a dot a seed."""
    panels, names = list(dict.fromkeys(frame["read"])), list(dict.fromkeys(frame["features"]))
    rows = -(-len(panels) // 2)
    size = (5.8, 0.7 + rows * (0.8 + 0.27 * len(names)))
    figure, axes = plt.subplots(rows, min(2, len(panels)), figsize=size, sharey=True, squeeze=False)
    for axis, panel in zip(axes.flat, panels, strict=False):
        of_panel = frame[frame["read"] == panel]
        for i, name in enumerate(names):
            values = of_panel.loc[of_panel["features"] == name, "value"]
            axis.plot(values, [i] * len(values), "o", color=plotting.PALETTE[0], alpha=0.75, markersize=6)
            axis.plot([values.mean()] * 2, [i - 0.3, i + 0.3], color=plotting.INK, linewidth=2)
        plotting.name_rows(axis, names, "", None)
        axis.set_title(panel, fontsize=10.5, loc="left")
    plt.close(figure)
    return plotting.footer(figure, f"a dot a seed, bar: mean · {text}", credit)


def surprises(
    probes: pd.DataFrame, one_grain: pd.DataFrame, names: Sequence[str], text: str, credit: Sequence[DatasetInfo]
) -> Figure:
    """Two tests, a panel each, a dot a seed: the hospital named with and without a grain, the class by three probes.

    Frames of `ssl.what_is_kept`; ``probes`` with varied copies, ``one_grain`` of the hospitals without a grain.
    """
    fitted = {"the sources": CLASS_NEW, "and varied copies": MORE[0], "its own patients": MORE[1]}
    panels = {
        "hospital named": {
            "grain differs": (probes, HOSPITAL),
            "one grain": (one_grain, HOSPITAL),
            "its projection": (one_grain, PROJECTED),
        },
        "class in the dark, AUROC": {name: (probes, read) for name, read in fitted.items()},
    }
    figure, axes = plt.subplots(1, 2, figsize=(5.8, 1.5 + 0.55 * len(names)), sharey=True)
    for axis, (title, groups) in zip(axes, panels.items(), strict=True):
        for k, (label, (frame, read)) in enumerate(groups.items()):
            mine = frame[frame["read"] == read]
            points = [(i, value) for i, name in enumerate(names) for value in mine.query("features == @name")["value"]]
            at, values = [i + 0.24 * (k - (len(groups) - 1) / 2) for i, _ in points], [value for _, value in points]
            style = {"color": plotting.PALETTE[k], "markersize": 6, "alpha": 0.85}
            axis.plot(values, at, plotting.MARKERS[k], label=label, **style)
        plotting.name_rows(axis, names, title, 1 / 3 if title.startswith("hospital") else 0.5, "")
        axis.legend(loc="lower left", bbox_to_anchor=(-0.05, 1.0), fontsize=9.5, handletextpad=0.1, labelspacing=0.2)
    plt.close(figure)
    return plotting.footer(figure, f"a dot a seed, dotted: chance · {text}", credit)


def hidden_and_painted(network: ssl.MAE, x: Tensor) -> Callable[[float], Figure]:
    """A function of the hidden share that draws images (n, 1, H, W) whole, hidden, and as the network paints them."""

    def draw(share: float) -> Figure:
        hidden, mask = ssl.random_masking(x, share, torch.Generator().manual_seed(0))
        with torch.no_grad():
            painted = network.reconstruct(hidden)
        error = ssl.masked_reconstruction_loss(painted, x, mask).sqrt()
        size = x.shape[-1] // round(np.sqrt(mask.shape[1]))
        where = ssl.from_patches(mask[:, :, None, None, None].expand(-1, -1, x.shape[1], size, size))
        rows = [x, hidden, torch.where(where, painted, x)]
        figure = plotting.show_images(rows, ["whole", "hidden", "painted"], scale=0.72)
        figure.suptitle(f"typical error of a hidden pixel: {error:.3f} (grey values 0 to 1)", fontsize=10)
        return figure

    return draw
