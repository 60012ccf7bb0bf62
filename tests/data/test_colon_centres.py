"""Nine tissues from two centres."""

import numpy as np

from medgen_utils import data
from medgen_utils.data import medmnist
from tests.data.publisher import medmnist_arrays


def test_colon_centres_are_the_publishers_training_and_test_hospitals(own, monkeypatch):
    archive = medmnist_arrays(9, 28, 28, 3)
    np.savez(own / "pathmnist.npz", **archive)
    monkeypatch.delitem(medmnist.MD5, "pathmnist")
    dataset = data.load("colon-centres")
    assert dataset.x.shape == (21, 3, 28, 28)
    assert [len(target) for _, _, target in data.leave_one_domain_out(dataset)] == [15, 6]
    test = (dataset.only("centre 2 (CRC-VAL-HE-7K)").x * 255).round().permute(0, 2, 3, 1).numpy()
    np.testing.assert_array_equal(test, archive["test_images"])
    assert (dataset.domains != "").all(axis=None)
