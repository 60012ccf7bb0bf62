"""Chest X-rays of one hospital."""

import numpy as np

from medgen_utils import data
from medgen_utils.data import medmnist
from tests.data.publisher import medmnist_arrays


def test_real_pneumonia(real):
    real("pneumoniamnist.npz")
    dataset = data.load("pneumonia")
    assert dataset.summary()["images"].to_dict() == {"Guangzhou": 4708 + 524 + 624}
    assert dataset.class_names == ("normal", "pneumonia")
    assert dataset.y.bincount().tolist() == [1583, 4273]
    assert (dataset.domains != "").all(axis=None)
    assert sum(dataset.group != "") == 56 and len(set(dataset.group)) == 28  # 27 clusters, the others alone


def test_near_duplicates_do_not_part(own, monkeypatch):
    monkeypatch.delitem(medmnist.MD5, "pneumoniamnist")
    arrays = medmnist_arrays(2, 28, 28)
    arrays["test_images"][5] = arrays["train_images"][0]
    np.savez(own / "pneumoniamnist.npz", **arrays)
    assert [i for i, group in enumerate(data.load("pneumonia").group) if group] == [0, 20]
