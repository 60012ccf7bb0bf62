"""Files of MedMNIST, from disk and through the package's own download."""

import hashlib
import io

import numpy as np
import pytest

from medgen_utils import data
from medgen_utils.data import DataCorrupt, DataUnavailable, medmnist
from tests.data.publisher import files_in, medmnist_arrays


@pytest.fixture
def medmnist_set(monkeypatch, publisher):
    """A generated BreastMNIST of 28 px that medmnist downloads from our server."""
    package = pytest.importorskip("medmnist")
    stream = io.BytesIO()
    np.savez(stream, **medmnist_arrays(2, 28, 28, seed=3))
    content = stream.getvalue()
    source = publisher.issue("breastmnist.npz", content)
    monkeypatch.setitem(package.INFO["breastmnist"], "url", source.address)
    monkeypatch.setitem(package.INFO["breastmnist"], "MD5", hashlib.md5(content).hexdigest())
    monkeypatch.setitem(medmnist.MD5, "breastmnist", hashlib.md5(content).hexdigest())
    return content


def test_medmnist_downloads_into_our_cache(medmnist_set, publisher, cache):
    publisher.answers["/breastmnist.npz"] = (503, ("truncated", medmnist_set), medmnist_set)
    dataset = data.from_medmnist("breastmnist", domains="split")
    assert dataset.summary()["images"].to_dict() == {"train": 12, "val": 3, "test": 6}
    assert dataset.class_names == ("normal, benign", "malignant")  # class 1 is the disease: turned round
    assert dataset.y[:4].tolist() == [1, 0, 1, 0]
    assert dataset.domains["hospital"].tolist() == ["not stated"] * 3
    assert files_in(cache) == ["breastmnist.npz"]
    data.from_medmnist("breastmnist")
    assert len(publisher.asked) == 3


def test_medmnist_without_network_is_data_unavailable(medmnist_set, publisher, cache):
    publisher.answers["/breastmnist.npz"] = (404,)
    with pytest.raises(DataUnavailable, match=r"breastmnist\.npz is not on this machine"):
        data.from_medmnist("breastmnist")
    assert files_in(cache) == []


def test_a_medmnist_file_with_another_checksum_is_refused(medmnist_set, cache):
    cache.mkdir(parents=True)
    (cache / "breastmnist.npz").write_bytes(medmnist_set + b"more")
    with pytest.raises(DataCorrupt, match="has the MD5"):
        data.from_medmnist("breastmnist")


def test_a_mapping_is_a_domain_rule_and_anything_else_is_refused(own, monkeypatch):
    pytest.importorskip("medmnist")
    np.savez(own / "pathmnist_64.npz", **medmnist_arrays(9, 64, 64, 3))
    dataset = data.from_medmnist("pathmnist", 64, {"train": "here", "val": "there", "test": "here"})
    assert dataset.summary()["images"].to_dict() == {"here": 18, "there": 3}
    for rule in ("three", {"train": "here"}):
        with pytest.raises(ValueError, match="domains="):
            data.from_medmnist("pathmnist", 64, rule)
    for flag in ("pathmist", "organmnist3d"):
        with pytest.raises(ValueError, match="no two-dimensional MedMNIST set"):
            data.from_medmnist(flag)


def test_several_labels_an_image_are_refused(own):
    pytest.importorskip("medmnist")
    archive = medmnist_arrays(2, 64, 64)
    archive |= {f"{part}_labels": archive[f"{part}_labels"].repeat(14, 1) for part in ("train", "val", "test")}
    np.savez(own / "chestmnist_64.npz", **archive)
    with pytest.raises(ValueError, match="14 labels an image"):
        data.from_medmnist("chestmnist", 64)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"val_images": None}, "lacks val_images"),
        ({"test_images": np.zeros((6, 64, 64), np.uint8)}, "not uint8 of 28 x 28"),
        ({"test_images": np.zeros((6, 28, 28), np.float32)}, "not uint8 of 28 x 28"),
        ({"test_labels": np.zeros((5, 1), np.uint8)}, "5 labels for 6 images"),
    ],
)
def test_a_medmnist_file_of_another_make_is_refused(own, monkeypatch, change, message):
    archive = medmnist_arrays(2, 28, 28) | change
    np.savez(own / "pneumoniamnist.npz", **{key: value for key, value in archive.items() if value is not None})
    monkeypatch.delitem(medmnist.MD5, "pneumoniamnist")
    with pytest.raises(DataCorrupt, match=message):
        data.load("pneumonia")


def test_labels_out_of_range_are_refused(own, monkeypatch):
    np.savez(own / "pneumoniamnist.npz", **medmnist_arrays(3, 28, 28))
    monkeypatch.delitem(medmnist.MD5, "pneumoniamnist")
    with pytest.raises(ValueError, match="y of pneumonia ranges from 0 to 2, with 2 names"):
        data.load("pneumonia")
