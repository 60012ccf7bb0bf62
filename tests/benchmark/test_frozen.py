"""Frozen features stand beside trained networks on the same domains, and the targets have no part in the training."""

import numpy as np
import pandas as pd
import pytest
import torch

from medgen_utils.benchmark import About, Result, compare, compare_frozen, few_patients
from medgen_utils.benchmark.frozen import SCRATCH
from medgen_utils.pretraining import probe_by_domain
from tests.benchmark.small import small_clinic

CLINIC = small_clinic(0)
NAMES = CLINIC.domain_names


def features(seed: int, signal: float = 2.0) -> torch.Tensor:
    z = np.random.default_rng(seed).standard_normal((len(CLINIC), 5))
    z[:, 0] += signal * (2 * CLINIC.y.numpy() - 1)
    return torch.tensor(z, dtype=torch.float32)


def test_frozen_features_are_probed_once_a_network_on_every_domain():
    result = compare_frozen({"good": [features(0)], "none": [features(1, 0.0), features(2, 0.0)]}, CLINIC)
    assert result.frame.groupby("algorithm")["seed"].nunique().to_dict() == {"good": 1, "none": 2}
    assert set(result.frame["domain"]) == set(NAMES)
    alone = probe_by_domain(features(0), CLINIC, name="good").query("split == 'test'")
    assert np.array_equal(result.frame.query("algorithm == 'good'")["prob_1"], alone["prob_1"])
    assert "steps" not in result.about.line(2), "nothing was trained"
    table = result.table()
    assert table.loc["good", "mean"] > 0.9 > 0.65 > table.loc["none", "mean"]


def test_beside_trained_networks_the_targets_are_theirs_and_they_come_first():
    trained = compare(["ERM"], CLINIC, target=NAMES[0], seeds=(0,), steps=2, width=2, n_jobs=1)
    result = compare_frozen({"good": [features(0)]}, CLINIC, beside=trained)
    assert result.methods == ("ERM", "good")
    assert set(result.frame["domain"]) == {NAMES[0]}
    assert set(result.inside["algorithm"]) == {"ERM", "good"} and NAMES[0] not in set(result.inside["domain"])


def test_beside_stored_scores_only_scores_are_compared():
    stored = pd.DataFrame({"method": "ERM", "domain": NAMES[:2], "seed": 0, "auroc": [0.8, 0.7]})
    trained = Result(stored, ("ERM",), About(5, "", "", 1.0, "the store"), inside=stored)
    result = compare_frozen({"good": [features(0)]}, CLINIC, beside=trained)
    alone = compare_frozen({"good": [features(0)]}, CLINIC, targets=NAMES[:2])
    assert result.table().loc["good", "mean"] == pytest.approx(alone.table().loc["good", "mean"], abs=1e-3)
    assert result.table().loc["ERM", "mean"] == 0.75 and "prob_0" not in result.frame


def test_few_patients_learn_from_the_sources_alone():
    options = {"patients": (10, 40), "seeds": (0, 1), "steps": 2, "width": 2}
    frame = few_patients({"good": [features(0)]}, CLINIC, NAMES[2:], **options)
    assert len(frame) == 2 * 2 * 2 * 2 and set(frame["training"]) == {SCRATCH, "good"}
    assert set(frame["target"]) == set(NAMES[2:])
    assert frame.query("training == 'good'")["auroc"].min() > 0.85
    turned = features(0)
    turned[torch.isin(CLINIC.domain, torch.tensor([2, 3]))] *= -1
    wrong = few_patients({"good": [turned]}, CLINIC, NAMES[2:], **options).query("training == 'good'")
    assert wrong["auroc"].max() < 0.15


def test_more_patients_than_a_hospital_has_are_refused():
    with pytest.raises(ValueError, match=r"patients=\(61,\): the smallest training hospital has 60"):
        few_patients({"good": [features(0)]}, CLINIC, NAMES[2:], patients=(61,), steps=1)
