"""BreastMNIST and BUS-BRA, from the publishers' archives and from prepared arrays."""

import numpy as np
import pandas as pd
import pytest
import torch

from medgen_utils import data
from medgen_utils.data import DataCorrupt, breast_ultrasound, medmnist
from medgen_utils.data.prepared import load_npz, prepared_arrays
from tests.data.publisher import assert_rows_equal, expect, files_in, medmnist_arrays, png, real_data, zip_of


def busbra_archive(n: int = 12) -> bytes:
    random = np.random.default_rng(0)
    devices = [f"{name} @10-14MHz" for name in breast_ultrasound.SCANNERS]
    rows = [
        {"ID": f"bus_{i:04}-l", "Case": i // 2, "Pathology": ["benign", "malignant"][i % 2], "Device": devices[i % 4]}
        for i in range(n)
    ]
    images = {f"BUSBRA/Images/{row['ID']}.png": png(random, 60, 50) for row in rows}
    masks = {f"BUSBRA/Masks/{row['ID'].replace('bus', 'mask')}.png": png(random, 60, 50) for row in rows}
    return zip_of({"BUSBRA/bus_data.csv": pd.DataFrame(rows).to_csv(index=False).encode()} | images | masks)


@pytest.fixture
def generated_breast(monkeypatch, tmp_path, publisher, cache):
    """BUS-BRA on the server, BreastMNIST in the cache, both generated."""
    content = busbra_archive()
    (tmp_path / "BUSBRA.zip").write_bytes(content)
    expect(monkeypatch, breast_ultrasound.PREPARED, breast_ultrasound.prepare(tmp_path / "BUSBRA.zip"))
    monkeypatch.setattr(breast_ultrasound, "BUSBRA", publisher.issue("BUSBRA.zip", content))
    monkeypatch.delitem(medmnist.MD5, "breastmnist")
    cache.mkdir(parents=True)
    np.savez(cache / "breastmnist.npz", **medmnist_arrays(2, 28, 28, seed=2))


def test_breast_ultrasound_from_the_publishers_archive(generated_breast, publisher, cache):
    assert not data.find("breast-ultrasound")
    dataset = data.load("breast-ultrasound")
    assert dataset.domain_names == ("GE Logiq E9", "GE Logiq 7", "GE Logiq 5", "Toshiba Aplio 300")
    assert dataset.summary()["images"].tolist() == [21, 3, 3, 3]  # U-Systems is left out
    assert dataset.class_names[1] == "malignant"
    assert dataset.y[:4].tolist() == [1, 0, 1, 0]  # BreastMNIST's 0 is malignant
    assert dataset.y[21:].tolist() == [0, 1, 0, 0, 1, 0, 0, 1, 0]  # benign, malignant; every fourth left out
    assert dataset.group[21:].tolist() == ["0", "0", "1", "2", "2", "3", "4", "4", "5"]
    assert files_in(cache) == ["breastmnist.npz", "busbra_28.npz", "busbra_64.npz"]  # the archive is not kept
    assert data.find("breast-ultrasound")
    assert data.load("breast-ultrasound").x.equal(dataset.x)
    assert publisher.asked == ["/BUSBRA.zip"]


def test_prepared_images_with_another_hash_are_refused(generated_breast, monkeypatch):
    other = breast_ultrasound.PREPARED["busbra_28.npz"]._replace(sha256="0" * 64)
    monkeypatch.setitem(breast_ultrasound.PREPARED, "busbra_28.npz", other)
    with pytest.raises(DataCorrupt, match="the images have the SHA-256"):
        data.load("breast-ultrasound")


def test_an_archive_without_its_table_or_with_an_unknown_scanner_is_refused(tmp_path):
    (tmp_path / "a.zip").write_bytes(zip_of({"BUSBRA/Images/a.png": b""}))
    with pytest.raises(DataCorrupt, match=r"has no BUSBRA/bus_data\.csv"):
        breast_ultrasound.prepare(tmp_path / "a.zip")
    table = b"ID,Case,Pathology,Device\na,1,benign,Mindray @5MHz\n"
    (tmp_path / "b.zip").write_bytes(zip_of({"BUSBRA/bus_data.csv": table}))
    with pytest.raises(DataCorrupt, match="Mindray"):
        breast_ultrasound.prepare(tmp_path / "b.zip")


def test_a_prepared_file_of_the_wrong_shape_is_refused(tmp_path, monkeypatch):
    images = np.zeros((5, 28, 28), np.uint8)
    rest = dict.fromkeys(("labels", "domains", "groups", "files", "class_names", "domain_names"), np.zeros(5, np.uint8))
    np.savez(tmp_path / "busbra_28.npz", images=images, **rest)
    monkeypatch.setenv("MEDGEN_DATA", str(tmp_path))
    with pytest.raises(DataCorrupt, match=r"\(5, 28, 28\) instead of \(1875, 28, 28\)"):
        data.load("breast-ultrasound")
    np.savez(tmp_path / "busbra_28.npz", images=images)
    with pytest.raises(DataCorrupt, match="lacks"):
        data.load("breast-ultrasound")


@pytest.mark.parametrize("size", [28, 64])
def test_real_frames_are_prepared_bit_for_bit(size):
    folder = real_data("archives/BUSBRA-sample.zip", f"busbra_{size}.npz")
    ours = breast_ultrasound.prepare(folder / "archives" / "BUSBRA-sample.zip")[f"busbra_{size}.npz"]
    assert_rows_equal(ours, load_npz(folder / f"busbra_{size}.npz"), 32)


def test_the_sample_archive_through_the_server(monkeypatch, publisher, cache):
    folder = real_data("archives/BUSBRA-sample.zip", "busbra_28.npz", "breastmnist.npz")
    content = (folder / "archives" / "BUSBRA-sample.zip").read_bytes()
    expect(
        monkeypatch, breast_ultrasound.PREPARED, breast_ultrasound.prepare(folder / "archives" / "BUSBRA-sample.zip")
    )
    monkeypatch.setattr(breast_ultrasound, "BUSBRA", publisher.issue("BUSBRA.zip", 503, content))
    cache.mkdir(parents=True)
    (cache / "breastmnist.npz").symlink_to(folder / "breastmnist.npz")
    assert data.load("breast-ultrasound").summary()["images"].tolist() == [778, 8, 8, 8]


def test_real_breast_ultrasound(real):
    real("busbra_28.npz", "breastmnist.npz")
    dataset = data.load("breast-ultrasound")
    images = {"GE Logiq E9": 778, "GE Logiq 7": 902, "GE Logiq 5": 809, "Toshiba Aplio 300": 139}
    assert dataset.summary()["images"].to_dict() == images
    assert torch.bincount(dataset.y).tolist() == [569 + 617 + 566 + 71, 209 + 285 + 243 + 68]
    assert dataset.summary()["groups"].to_dict() == dict(zip(images, (146, 488, 490, 72), strict=True))
    assert dataset.info.dropped[0] == "breastmnist/115: identical to one of the other class"
    assert len(dataset.info.dropped) == 2
    assert len(set(dataset.sites().values())) == 2  # three of the four scanners stand in one hospital
    assert (dataset.domains != "").all(axis=None)
    assert dataset.x.shape == (2628, 1, 28, 28)


def test_real_busbra_at_64_px_is_verified(real):
    real("busbra_64.npz")
    arrays = prepared_arrays("busbra_64.npz", breast_ultrasound.PREPARED, breast_ultrasound.BUSBRA, dict)
    assert arrays["images"].shape == (1875, 64, 64)
