"""The command that makes the features of a release: what goes into which file, and a word it asks for first."""

import numpy as np
import pytest
import torch

from medgen_utils.clinic import acquisition_hospitals, make_clinic
from medgen_utils.pretraining.shipped import NON_COMMERCIAL, OPEN, read
from tools import features

CLINIC = make_clinic(acquisition_hospitals()[:2], 6, seed=0, size=32)


@pytest.fixture
def small(monkeypatch, tmp_path):
    """Both files from a tiny clinic; the hospital that is bound to a licence is its second."""
    bound = CLINIC.domain_names[1]
    parts = {OPEN: [CLINIC.without(bound)], NON_COMMERCIAL: [CLINIC.only(bound)]}
    monkeypatch.setattr(features, "datasets", lambda: parts)
    monkeypatch.setattr(features, "dataset_features", lambda network, images: images.x.flatten(1)[:, :1280])
    monkeypatch.setattr(features, "EfficientNetLite0", lambda: type("N", (), {
        "state_dict": lambda self: {"_conv_stem.weight": torch.ones(32, 3, 3, 3)}})())  # fmt: skip
    monkeypatch.setattr(features, "FOLDER", tmp_path)
    return parts


def test_what_is_bound_to_non_commercial_use_is_in_a_file_of_its_own(small, tmp_path):
    free, bound = features.make(tmp_path)
    assert (free.name, bound.name) == (OPEN, NON_COMMERCIAL)
    hospital = CLINIC.domain.numpy() == 1
    assert np.array_equal(read(free, CLINIC.x)[0], ~hospital) and np.array_equal(read(bound, CLINIC.x)[0], hospital)
    assert "CC BY-NC" in features.LICENCES[NON_COMMERCIAL] and "NC" not in features.LICENCES[OPEN]
    assert all("Apache-2.0" in text for text in features.LICENCES.values())


def test_nothing_is_written_without_the_word(small, tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("MEDGEN_NONCOMMERCIAL", raising=False)
    assert features.main() == 1 and not list(tmp_path.iterdir())
    assert "MEDGEN_NONCOMMERCIAL=accept" in capsys.readouterr().out


def test_a_file_that_is_not_the_one_that_the_package_names_is_said(small, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("MEDGEN_NONCOMMERCIAL", "accept")
    assert features.main() == 1
    assert capsys.readouterr().out.count("the package says sha256:") == 2
    monkeypatch.setattr(features, "CHECKSUMS", {path.name: checksum(path) for path in tmp_path.iterdir()})
    assert features.main() == 0


def checksum(path):
    return "sha256:" + features.hashlib.sha256(path.read_bytes()).hexdigest()
