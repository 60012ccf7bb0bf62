"""A probe names the hospital where images tell it, and is at chance where nothing does."""

import numpy as np
import torch

from medgen_utils.benchmark import site_probes
from medgen_utils.benchmark.site_probe import TRAINED, UNTRAINED
from medgen_utils.clinic import make_clinic
from medgen_utils.domains import DomainDataset
from tests.benchmark.small import HOSPITALS

OPTIONS = {"steps": 4, "width": 4, "n_jobs": 1}


def shuffled(dataset: DomainDataset) -> DomainDataset:
    """The same images with the hospitals dealt out at random."""
    order = torch.randperm(len(dataset), generator=torch.Generator().manual_seed(0))
    x = dataset.x[order]
    return DomainDataset(
        x, dataset.y[order], dataset.domain, dataset.group, dataset.class_names, dataset.domain_names, dataset.info
    )


def test_a_dark_scanner_is_named_and_no_hospital_where_images_are_dealt_out():
    pair = [HOSPITALS[0], HOSPITALS[-1]]  # of which the second is dark
    dataset = make_clinic(pair, 120, seed=0, size=16)
    told = site_probes(dataset, seeds=(0, 1), **OPTIONS)
    assert told.groupby("network").size().to_dict() == {TRAINED: 2, UNTRAINED: 2}
    assert (told["chance"] == 0.5).all() and (told["value"] > 0.9).all()
    nothing = site_probes(shuffled(dataset), seeds=(0, 1), **OPTIONS)
    assert np.abs(nothing["value"] - 0.5).max() < 0.15


def test_the_trained_network_is_not_the_untrained_one():
    told = site_probes(make_clinic(HOSPITALS, 40, seed=0, size=16), seeds=(0,), **OPTIONS | {"steps": 30})
    assert told.set_index("network")["value"].nunique() == 2
