"""Kept features: the same numbers again, and another file for another network or data set."""

import pytest
import torch

from medgen_utils.backbones import SmallCNN
from medgen_utils.clinic import acquisition_hospitals, make_clinic
from medgen_utils.pretraining import dataset_features

CLINIC = make_clinic(acquisition_hospitals()[:2], 20, seed=0)


@pytest.fixture
def network() -> SmallCNN:
    torch.manual_seed(0)
    return SmallCNN(1, 4)


def test_features_are_those_of_the_network_and_come_from_the_file_the_second_time(network, tmp_path, monkeypatch):
    first = dataset_features(network, CLINIC, folder=tmp_path)
    with torch.no_grad():
        assert torch.allclose(first, network.eval()(CLINIC.x), atol=1e-2)
    monkeypatch.setattr(SmallCNN, "forward", None)
    assert torch.equal(dataset_features(network, CLINIC, folder=tmp_path), first)
    assert [path.suffix for path in tmp_path.iterdir()] == [".npz"]


def test_another_network_or_data_set_is_another_file(network, tmp_path):
    first = dataset_features(network, CLINIC, folder=tmp_path)
    other = dataset_features(network, CLINIC.subset(torch.arange(30)), folder=tmp_path)
    assert torch.equal(other, first[:30])
    with torch.no_grad():
        network.layers[0].weight.mul_(2)
    dataset_features(network, CLINIC, folder=tmp_path)
    assert len(list(tmp_path.iterdir())) == 3


def test_a_file_that_was_cut_off_is_made_anew(network, tmp_path):
    first = dataset_features(network, CLINIC, folder=tmp_path)
    path = next(tmp_path.iterdir())
    path.write_bytes(path.read_bytes()[:50])
    assert torch.equal(dataset_features(network, CLINIC, folder=tmp_path), first)
