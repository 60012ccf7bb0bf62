"""Probes by left-out hospital: the target has no part in anything, and labels there are used as stated."""

import numpy as np
import pytest
import torch

from medgen_utils.clinic import acquisition_hospitals, make_clinic
from medgen_utils.evaluation import auroc, metrics_by
from medgen_utils.pretraining import labels_at_the_target, probe_by_domain
from medgen_utils.pretraining.transfer import at

CLINIC = make_clinic(acquisition_hospitals(), 80, seed=0)
NAMES = CLINIC.domain_names
TARGET = NAMES[-1]


def features(seed=0, hospital=0.0):
    """Features that know the class at every hospital, and with ``hospital`` turn it around at the target."""
    rng = np.random.default_rng(seed)
    sign = np.where(CLINIC.domain == NAMES.index(TARGET), 1 - 2 * hospital, 1.0)
    z = rng.standard_normal((len(CLINIC), 6))
    z[:, 0] += 2 * sign * (2 * CLINIC.y.numpy() - 1)
    return torch.tensor(z, dtype=torch.float32)


def test_every_domain_is_tested_once_whole_and_validated_inside():
    frame = probe_by_domain(features(), CLINIC, name="features")
    test = frame[frame["split"] == "test"]
    assert sorted(test["index"]) == list(range(len(CLINIC)))
    inside = frame[frame["split"] == "validation"]
    assert (inside["domain"] != inside["protocol"].str.removeprefix("leave out ")).all()
    assert metrics_by(test, n_resamples=20)["value"].min() > 0.9


def test_the_target_has_no_part_in_the_probe_nor_in_its_strength():
    z, turned = features(), features(hospital=1.0)
    first, second = (probe_by_domain(f, CLINIC, name="f", targets=[TARGET]) for f in (z, turned))
    inside = first["split"] == "validation"
    assert np.array_equal(first.loc[inside, "prob_1"], second.loc[inside, "prob_1"])
    score = second[~inside]
    assert auroc(score["y"].to_numpy(), score["prob_1"].to_numpy()) < 0.1


def test_labels_of_the_target_mend_what_the_other_hospitals_teach_wrong():
    frame = labels_at_the_target(features(hospital=1.0), CLINIC, TARGET, patients=(20, 1000), seeds=(0, 1))
    means = frame.groupby("training")["auroc"].mean()
    assert means["other hospitals"] < 0.1 < 0.8 < means["target alone"]
    assert means["other hospitals"] < means["both"]
    assert set(frame["patients"]) == {0, 20}
    assert (frame["tested"] == 40).all()


def test_rows_are_found_by_the_index_of_the_images():
    part = CLINIC.subset(torch.tensor([7, 3, 200]))
    assert at(part, CLINIC).tolist() == [7, 3, 200]
    assert at(part.subset(torch.tensor([1])), CLINIC.without(NAMES[1])).tolist() == [3]


def test_features_of_another_data_set_are_refused():
    with pytest.raises(ValueError, match="one row an image"):
        probe_by_domain(features()[:10], CLINIC, name="features")
