"""Chest X-rays of one hospital."""

from medgen_utils import data


def test_real_pneumonia(real):
    real("pneumoniamnist.npz")
    dataset = data.load("pneumonia")
    assert dataset.summary()["images"].to_dict() == {"Guangzhou": 4708 + 524 + 624}
    assert dataset.class_names == ("normal", "pneumonia")
    assert dataset.y.bincount().tolist() == [1583, 4273]
    assert (dataset.domains != "").all(axis=None)
