"""Errors of the stress test are those of the networks; BE and rBE follow their formulas."""

import numpy as np
import pandas as pd
import pytest
import torch

from medgen_utils.clinic import acquisition_hospitals, make_clinic
from medgen_utils.evaluation import balanced_accuracy, predict_probabilities
from medgen_utils.shifts import Stress, Version, corrupt, kinds, stress
from medgen_utils.training import ERM, build, fit, flips

VERSIONS = {"plain": Version(None), "mirrored": Version(flips), "noise": Version(None, trained_on="noise")}


def made(errors: dict[str, dict[str, float]], clean: dict[str, float]) -> Stress:
    """Version -> family -> error, the same at severities 1 and 2 but for 0.1."""
    rows = [[name, 0, "none", "", 0, clean[name]] for name in errors]
    rows += [
        [name, 0, f"a {family}", family, severity, error + 0.1 * severity]
        for name, families in errors.items()
        for family, error in families.items()
        for severity in (1, 2)
    ]
    return Stress(
        pd.DataFrame(rows, columns=["version", "seed", "corruption", "family", "severity", "error"]), VERSIONS, 1.0
    )


@pytest.fixture
def drawn():
    errors = {"plain": {"noise": 0.25, "blur": 0.15}, "mirrored": {"noise": 0.25, "blur": 0.15}}
    errors["noise"] = {"noise": 0.05, "blur": 0.35}
    return made(errors, {"plain": 0.1, "mirrored": 0.1, "noise": 0.2})


def test_be_and_rbe_by_hand(drawn):
    table = drawn.table()
    assert table.loc[("BE", "noise"), "noise"] == pytest.approx(0.2 / 0.4)
    assert table.loc[("rBE", "noise"), "blur"] == pytest.approx((0.5 - 0.2) / (0.3 - 0.1))
    assert np.allclose(table.loc["BE"].loc["mirrored"], 1) and np.allclose(table.loc["rBE"].loc["mirrored"], 1)


def test_only_versions_that_trained_on_a_family_have_one_of_their_own(drawn):
    table = drawn.own_and_other()
    assert table.index.tolist() == ["noise"]
    assert table.loc["noise"].tolist() == pytest.approx([0.5, 0.5 / 0.3])
    assert "BE is 0.50 (noise)" in drawn.say().data and "1.67 (noise)" in drawn.say().data


def test_the_error_is_that_of_the_network_on_the_damaged_images():
    train = make_clinic(acquisition_hospitals()[:1], 40, seed=0)
    test = make_clinic(acquisition_hospitals()[:1], 30, seed=1)
    found = stress({"mirrored": Version(flips)}, train, test, "x-ray", severities=(2,), steps=3, width=4, n_jobs=1)
    assert set(found.frame["corruption"]) == {"none", *kinds("x-ray")} and set(found.frame["severity"]) == {0, 2}
    model = build(ERM, train, seed=0, width=4)
    fit(model, train, steps=3, augment=flips, learning_rate=1e-2, seed=0)
    x = corrupt(test.x, "blur", 2, torch.Generator().manual_seed(2))
    by_hand = 1 - balanced_accuracy(test.y.numpy(), predict_probabilities(model, x))
    assert found.frame.set_index("corruption").loc["blur", "error"] == pytest.approx(by_hand)


def test_speckle_is_no_damage_of_an_x_ray():
    assert "speckle" in kinds("ultrasound") and "speckle" not in kinds("x-ray")
    with pytest.raises(ValueError, match="modality='photograph'"):
        stress(VERSIONS, None, None, "photograph")
