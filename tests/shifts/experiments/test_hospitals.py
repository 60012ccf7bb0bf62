"""Patients, scanners and hospitals are told apart, on small invented data sets whose answer is known."""

import numpy as np
import pandas as pd
import pytest
import torch

from medgen_utils.data import DatasetInfo, DomainDataset
from medgen_utils.provenance import provenance
from medgen_utils.shifts.experiments import (
    Targets,
    alarms_between_halves,
    apart_against_loss,
    pairs_told_apart,
    read_targets,
)
from medgen_utils.shifts.experiments.hospitals import ALL, AWAY_HOSPITAL, AWAY_SCANNER, HALVES, HOSPITAL, ONE, SCANNER

INFO = DatasetInfo("toy", "toy", "drawn here", "none", "none")
NAMES = ("scanner 1", "scanner 2", "elsewhere")
SITES = {"scanner 1": {"hospital": "A"}, "scanner 2": {"hospital": "A"}, "elsewhere": {"hospital": "B"}}


def hospitals(n: int = 60, images_each: int = 1, noise: float = 0.1) -> DomainDataset:
    """n patients a domain; patients differ; the second scanner is brighter, the other hospital much brighter."""
    random = np.random.default_rng(0)
    patient = np.repeat(np.arange(3 * n), images_each)
    domain = patient // n
    y = random.integers(0, 2, 3 * n)[patient]
    own = random.normal(0, 0.12, (3 * n, 1, 8, 8))[patient]
    x = 0.4 + 0.1 * domain[:, None, None, None] + own + random.normal(0, noise / 10, own.shape)
    x[:, :, :4, :4] += 0.5 * y[:, None, None, None]
    group = np.array([f"patient {i}" for i in patient])
    tensors = torch.tensor(x.clip(0, 1), dtype=torch.float32), torch.tensor(y), torch.tensor(domain)
    return DomainDataset(*tensors, group, ("benign", "malignant"), NAMES, INFO, domains=provenance(SITES))


def test_all_images_alarm_too_often_and_one_a_patient_does_not():
    part = hospitals(24, images_each=6).only("scanner 1")
    frame = alarms_between_halves({"mine": part}, draws=20)
    rate = frame.groupby("given")["alarm"].mean()
    assert set(frame["scanner"]) == {"mine"} and len(frame) == 40
    assert rate[ALL] > 0.5 and rate[ONE] < 0.25


def test_halves_need_patients():
    part = hospitals(8).only("scanner 1")
    nobody = DomainDataset(part.x, part.y, part.domain, np.full(8, ""), part.class_names, NAMES, INFO)
    with pytest.raises(ValueError, match="8 images of mine name no patient"):
        alarms_between_halves({"mine": nobody}, draws=1)


def test_pairs_are_named_by_what_differs_between_them():
    pairs = pairs_told_apart(hospitals(40), n=20, draws=4).set_index("pair")
    kinds = pairs["kind"].to_dict()
    assert kinds["scanner 1 and scanner 1"] == HALVES and kinds["scanner 1 and scanner 2"] == SCANNER
    assert kinds["scanner 2 and elsewhere"] == HOSPITAL
    assert pairs.groupby("kind")["value"].mean()[HALVES] < 0.7 < pairs["value"]["scanner 1 and elsewhere"]


def test_domains_with_too_few_patients_are_left_out():
    images = hospitals(40)
    few = images.subset((images.domain < 2) | (torch.arange(len(images)) % 4 == 0))
    assert not pairs_told_apart(few, n=20, draws=2)["pair"].str.contains("elsewhere").any()


@pytest.fixture(scope="module")
def read() -> pd.DataFrame:
    images = hospitals(60)
    targets = {"elsewhere": ("elsewhere",), "scanner 2": ("scanner 2",), "hospital A": ("scanner 1", "scanner 2")}
    return read_targets([Targets(images, targets)], steps=80, n_repeats=1).set_index("target")


def test_targets_say_whether_their_hospital_was_known(read):
    assert read["kind"].to_dict() == {
        "elsewhere": AWAY_HOSPITAL, "scanner 2": AWAY_SCANNER, "hospital A": AWAY_HOSPITAL,
    }  # fmt: skip


def test_scores_lie_in_their_intervals_and_shares_are_counted(read):
    assert ((read["low"] <= read["inside"]) & (read["inside"] <= read["high"])).all()
    assert ((read["outside_low"] <= read["outside"]) & (read["outside"] <= read["outside_high"])).all()
    images = hospitals(60)
    assert read.loc["elsewhere", "counted"] == pytest.approx(images.only("elsewhere").y.float().mean().item())
    assert read.loc["elsewhere", "patients"] == 60 and read.loc["elsewhere", "apart"] > 0.8


def test_hospitals_come_before_scanners(read):
    assert list(read["kind"]) == [AWAY_HOSPITAL, AWAY_HOSPITAL, AWAY_SCANNER]


def test_a_loss_that_grows_with_the_distance_correlates_fully():
    frame = pd.DataFrame({"apart": [0.6, 0.7, 0.9], "inside": [0.8] * 3, "outside": [0.8, 0.75, 0.7]})
    assert apart_against_loss(frame)[0] == pytest.approx(1)
