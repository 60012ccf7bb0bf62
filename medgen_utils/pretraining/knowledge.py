"""The two networks of the chapter, and what their features know, in tables. Chapter: pretraining."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.util import find_spec

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from medgen_utils.backbones import LITE0_PACKAGE, EfficientNetLite0
from medgen_utils.clinic import acquisition_hospitals, make_clinic
from medgen_utils.domains import DomainDataset
from medgen_utils.pretraining.embeddings import (
    Embeddings,
    embeddings,
    hospital_probe,
    permuted_labels,
    random_embeddings,
    robustness_index,
)
from medgen_utils.pretraining.features import dataset_features
from medgen_utils.pretraining.shipped import shipped_features, shipped_stem

PHOTOGRAPHS, RANDOM, NUMBERS = "ImageNet, frozen", "random, frozen", "random numbers"


def lite0_features(dataset: DomainDataset, random_seeds: Sequence[int] = (0, 1, 2)) -> dict[str, list[Tensor]]:
    """EfficientNet-Lite0 frozen, learned on photographs and random: {name: [z (N, 1280) of each network]}."""
    random = [dataset_features(random_lite0(seed), dataset) for seed in random_seeds]
    return {PHOTOGRAPHS: [photograph_features(dataset)], RANDOM: random}


def learned_lite0() -> EfficientNetLite0 | None:
    """EfficientNet-Lite0 with the weights of photographs (Apache-2.0); None where their package is not installed."""
    if find_spec(LITE0_PACKAGE) is None:
        return None
    with torch.random.fork_rng():  # a network draws weights before it loads others
        return EfficientNetLite0()


def photograph_features(dataset: DomainDataset) -> Tensor:
    """Features (N, 1280) of photographs' network, frozen: the network's own, or those of the book's release.

    The release's (`shipped_features`) are taken where the weights are not installed; WeightsUnavailable where those are
    not to be had either.
    """
    network = learned_lite0()
    return shipped_features(dataset) if network is None else dataset_features(network, dataset)


def photograph_filters() -> Tensor:
    """The 32 filters (32, 3, 3, 3) of the first layer of photographs' network; as `photograph_features`."""
    network = learned_lite0()
    return shipped_stem() if network is None else network.state_dict()["_conv_stem.weight"]


def network_to_tune() -> Callable[[], EfficientNetLite0]:
    """What makes the network of photographs to go on training; without its weights a random one, with a warning."""
    if find_spec(LITE0_PACKAGE) is not None:
        return EfficientNetLite0
    warnings.warn(
        "the weights of photographs are not installed, so this training starts from a random network: it shows that it "
        "runs, and its scores say nothing of pretraining", stacklevel=2,
    )  # fmt: skip
    return partial(EfficientNetLite0, pretrained=False)


def random_lite0(seed: int, images: int = 128) -> EfficientNetLite0:
    """An EfficientNet-Lite0 that has learned nothing: weights drawn from ``seed``, in evaluation mode.

    Its batch normalization has the statistics of ``images`` pictures of the synthetic clinic. With those it is made
    with, mean 0 and variance 1, the signal shrinks from layer to layer until all features are 0, and a control that
    says nothing of any image is none.
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = EfficientNetLite0(pretrained=False)
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    usual = norms[0].momentum
    for norm in norms:
        norm.momentum = 1.0  # the statistics of this one batch
    with torch.no_grad():
        network.train()(make_clinic(acquisition_hospitals()[:2], images // 2, seed=0, size=64).x)
    for norm in norms:
        norm.momentum = usual
    return network.eval()


def of_dataset(z: Tensor, dataset: DomainDataset) -> Embeddings:
    """Features (N, d) of a data set as checked `Embeddings`: its labels, domains and patients beside them."""
    names = np.array(dataset.domain_names)[dataset.domain.numpy()]
    return embeddings(z.numpy(), dataset.y.numpy(), names, dataset.group)


def hospital_probes(
    features: Mapping[str, Sequence[Tensor]], dataset: DomainDataset, most: int = 1_000
) -> pd.DataFrame:
    """How well a linear probe names the hospital: columns network, seed, value (balanced accuracy), chance."""
    rows = []
    for name, several in features.items():
        for seed, z in enumerate(several):
            probe = hospital_probe(of_dataset(z, dataset), most=most)
            rows.append([name, seed, probe.value, probe.chance])
    return pd.DataFrame(rows, columns=["network", "seed", "value", "chance"])


def indices_with_controls(
    features: Mapping[str, Sequence[Tensor]], dataset: DomainDataset, seed: int = 0
) -> pd.DataFrame:
    """The robustness index of each network beside its two controls: columns network, labels, seed, value, k.

    labels: "recorded", or "permuted" over the patients of a hospital, a task that no embedding knows. The last rows are
    random numbers in the place of embeddings, which know neither the class nor the hospital.
    """
    known = {name: [of_dataset(z, dataset) for z in several] for name, several in features.items()}
    first = next(iter(known.values()))[0]
    known[NUMBERS] = [random_embeddings(first, seed)]
    rows = []
    for name, several in known.items():
        for number, data in enumerate(several):
            for labels, asked in (("recorded", data), ("permuted", permuted_labels(data, seed))):
                found = robustness_index(asked)
                rows.append([name, labels, number, found.value, found.k, found.balanced_accuracy])
    return pd.DataFrame(rows, columns=["network", "labels", "seed", "value", "k", "balanced_accuracy"])
