"""The figures that only the chapter on the generalization gap draws. Chapter: generalization_gap."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from torch import nn

from medgen_utils import plotting
from medgen_utils.clinic import Hospital, make_clinic
from medgen_utils.domains import DomainDataset
from medgen_utils.evaluation import auroc, bootstrap_interval, predict_probabilities


def resamples(draws: np.ndarray, interval: tuple[float, float], label: str) -> Figure:
    """The metric of many resamples (n,) as a histogram, and the interval that keeps the middle of them as a bar."""
    figure, axis = plt.subplots(figsize=(5.8, 2.4))
    axis.hist(draws, bins=40, color=plotting.PALETTE[0])
    height = axis.get_ylim()[1]
    axis.plot(interval, [-0.05 * height] * 2, color=plotting.PALETTE[1], linewidth=5, solid_capstyle="butt")
    axis.annotate("95 % of them", (np.mean(interval), -0.05 * height), (0, -7), textcoords="offset points",
                  ha="center", va="top", fontsize=9.5, color=plotting.PALETTE[1])  # fmt: skip
    axis.set(xlabel=label, ylabel="resamples", ylim=(-0.22 * height, height))
    axis.set_yticks([tick for tick in axis.get_yticks() if 0 <= tick <= height])
    plt.close(figure)  # returned, so shown once
    return figure


def same_patients(hospitals: tuple[Hospital, ...], each: int = 4, seed: int = 1) -> Figure:
    """The same benign and malignant lesions in every hospital, a row a hospital: what a clinic alone can show."""
    clinic = make_clinic(hospitals, 40, seed=seed, same_patients=True)
    first = clinic.only(clinic.domain_names[0])
    picked = torch.cat([(first.true_y == k).nonzero()[:each, 0] for k in (1, 0)])
    rows = [clinic.only(name).x[picked] for name in clinic.domain_names]
    columns = ["malignant"] * each + ["benign"] * each
    figure = plotting.show_images(rows, clinic.domain_names, columns, scale=0.62)
    plt.close(figure)  # returned, so shown once
    return figure


def probe_points(probes: pd.DataFrame, label: str) -> Figure:
    """What `benchmark.site_probes` returns as a point a network, with chance as a dotted line."""
    axis = plotting.dot_plot(probes, "network", label=label, reference=probes["chance"].iloc[0])
    axis.set_xlim(0, 1)
    plt.close(axis.figure)  # returned, so shown once
    return axis.figure


def at_gain(model: nn.Module, images: DomainDataset) -> Figure:
    """Eight lesions, the grey values of all, and the AUROC of ``model`` with its interval over patients."""
    score = predict_probabilities(model, images.x)[:, 1]
    found = bootstrap_interval(auroc, images.true_y.numpy(), score)
    figure, axes = plt.subplot_mosaic("12345678;hhhhaaaa;hhhhaaaa", figsize=(5.8, 3.2))
    for axis, image in zip([axes[k] for k in "12345678"], images.x, strict=False):
        axis.imshow(image[0].numpy(), vmin=0, vmax=1)
        axis.axis("off")
    axes["h"].hist(images.x.flatten().numpy(), bins=40, range=(0, 1), color=plotting.PALETTE[0])
    axes["h"].set(xlabel="grey value", yticks=[])
    axes["a"].errorbar([found.value], [0], xerr=[[found.value - found.low], [found.high - found.value]], fmt="o")
    axes["a"].axvline(0.5, color=plotting.QUIET, linestyle=":")
    axes["a"].set(xlabel="AUROC", xlim=(0.4, 1.02), yticks=[])
    axes["a"].set_title(f"{found.value:.2f}", loc="left")
    return figure
