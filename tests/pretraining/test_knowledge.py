"""The chapter's two networks differ in their weights alone, and its tables hold the measures beside their controls."""

import numpy as np
import pytest
import torch
from torch import nn

from medgen_utils.backbones import EfficientNetLite0, WeightsUnavailable, lite0_weights
from medgen_utils.clinic import acquisition_hospitals, make_clinic
from medgen_utils.pretraining import (
    hospital_probe,
    hospital_probes,
    indices_with_controls,
    knowledge,
    lite0_features,
    network_to_tune,
    of_dataset,
    photograph_filters,
    robustness_index,
)
from medgen_utils.pretraining.knowledge import NUMBERS, PHOTOGRAPHS, RANDOM, random_lite0

CLINIC = make_clinic(acquisition_hospitals()[:3], 40, seed=0)


def embedded(class_signal: float, hospital_signal: float) -> torch.Tensor:
    z = np.random.default_rng(0).standard_normal((len(CLINIC), 8))
    z[:, 0] += class_signal * (2 * CLINIC.y.numpy() - 1)
    z[np.arange(len(z)), 1 + CLINIC.domain.numpy()] += hospital_signal
    return torch.tensor(z, dtype=torch.float32)


def test_the_networks_are_the_published_and_drawn_ones(tmp_path, monkeypatch):
    try:
        lite0_weights()
    except WeightsUnavailable as error:
        pytest.skip(str(error))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    few = CLINIC.subset(torch.arange(6))
    state = torch.get_rng_state()
    found = lite0_features(few, random_seeds=(3, 4))
    assert torch.equal(torch.get_rng_state(), state)
    assert {name: len(several) for name, several in found.items()} == {PHOTOGRAPHS: 1, RANDOM: 2}
    for network, z in ((EfficientNetLite0(), found[PHOTOGRAPHS][0]), (random_lite0(4), found[RANDOM][1])):
        with torch.no_grad():
            assert torch.allclose(z, network.eval()(few.x), atol=1e-2)


def test_the_random_network_tells_images_apart_and_its_seed_is_all_that_counts():
    one, same, other = random_lite0(0), random_lite0(0), random_lite0(1)
    with torch.no_grad():
        z, again, differs = (network(CLINIC.x[:8]) for network in (one, same, other))
    assert torch.equal(z, again) and not torch.allclose(z, differs, atol=0.1)
    assert z.std(0).mean() > 0.01  # of untouched statistics nothing is left but zeros
    momenta = {module.momentum for module in one.modules() if isinstance(module, nn.BatchNorm2d)}
    assert not one.training and momenta == {0.01}


def test_embeddings_of_a_data_set_are_its_rows():
    data = of_dataset(embedded(1, 1), CLINIC)
    assert np.array_equal(data.y, CLINIC.y) and np.array_equal(data.domain, CLINIC.domain)
    assert len(np.unique(data.group)) == len(CLINIC)


def test_the_tables_hold_the_measures_of_each_network():
    features = {"knows the class": [embedded(3, 0)], "knows the hospital": [embedded(0, 3)]}
    probes = hospital_probes(features, CLINIC).set_index("network")["value"]
    assert probes["knows the hospital"] == hospital_probe(of_dataset(embedded(0, 3), CLINIC)).value > 0.9
    assert probes["knows the class"] < 0.5
    index = indices_with_controls(features, CLINIC).set_index(["network", "labels"])["value"]
    assert index["knows the class", "recorded"] == robustness_index(of_dataset(embedded(3, 0), CLINIC)).value > 0.9
    assert index["knows the hospital", "recorded"] < 0.2
    assert index["knows the class", "permuted"] < 0.8
    assert {labels for name, labels in index.index if name == NUMBERS} == {"recorded", "permuted"}


def test_without_its_weights_training_starts_from_a_random_network_and_says_so(monkeypatch):
    monkeypatch.setattr(knowledge, "find_spec", lambda name: None)
    with pytest.warns(UserWarning, match="not installed.*say nothing of pretraining"):
        make = network_to_tune()
    assert isinstance(make(), EfficientNetLite0)


def test_with_its_weights_training_starts_from_them_and_their_filters_are_shown():
    try:
        published = lite0_weights()["_conv_stem.weight"]
    except WeightsUnavailable as error:
        pytest.skip(str(error))
    state = torch.get_rng_state()
    assert torch.equal(photograph_filters(), published)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(network_to_tune()().state_dict()["_conv_stem.weight"], published)


def test_a_damaged_package_of_weights_is_an_error_and_no_reason_to_go_on_without(monkeypatch):
    monkeypatch.setattr(knowledge, "find_spec", lambda name: object())

    def damaged(*arguments, **options):
        raise WeightsUnavailable("the checksum is wrong")

    monkeypatch.setattr(knowledge, "EfficientNetLite0", damaged)
    with pytest.raises(WeightsUnavailable, match="checksum"):
        network_to_tune()()
    with pytest.raises(WeightsUnavailable, match="checksum"):
        photograph_filters()
