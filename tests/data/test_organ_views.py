"""Three views of eleven organs."""

import numpy as np
import pytest

from medgen_utils import data
from medgen_utils.data import medmnist
from tests.data.publisher import medmnist_arrays


@pytest.mark.parametrize("size", [28, 64])
def test_organ_views_are_three_domains(own, monkeypatch, size):
    archives = {}
    for k, flag in enumerate(("organamnist", "organcmnist", "organsmnist")):
        archives[flag] = medmnist_arrays(11, size, size, seed=k)
        np.savez(own / medmnist.file_name(flag, size), **archives[flag])
        monkeypatch.delitem(medmnist.MD5, flag)
    dataset = data.load("organ-views", size)
    assert dataset.domain_names == ("axial", "coronal", "sagittal")
    assert dataset.summary()["images"].tolist() == [21] * 3
    assert dataset.x.shape == (63, 1, size, size)
    assert len(dataset.class_names) == 11
    coronal = dataset.only("coronal")
    np.testing.assert_array_equal((coronal.x[:12, 0] * 255).round().numpy(), archives["organcmnist"]["train_images"])
    assert coronal.y[15:].tolist() == archives["organcmnist"]["test_labels"].ravel().tolist()
    assert (dataset.domains != "").all(axis=None)
