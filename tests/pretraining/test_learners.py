"""Linear probe, slow backbone, probe first: what moves, how fast, and when."""

import copy

import pytest
import torch

from medgen_utils.averaging import WeightAveraged
from medgen_utils.clinic import acquisition_hospitals, make_clinic
from medgen_utils.pretraining import FineTuning, LinearProbe, ProbeThenFineTune
from medgen_utils.pretraining.learners import fine_tuned
from medgen_utils.training import ERM, build, fit

CLINIC = make_clinic(acquisition_hospitals()[:2], 60, seed=0)


def trained(algorithm, steps=4, **hyperparameters):
    model = build(algorithm, CLINIC, seed=0, width=4, hyperparameters=hyperparameters)
    start = copy.deepcopy(model.state_dict())
    fit(model, CLINIC, steps=steps, batch_size=16, seed=0)
    return start, model.state_dict()


def moved(start, end, part):
    return {name: (end[name] - value).abs().max().item() for name, value in start.items() if name.startswith(part)}


def test_a_linear_probe_moves_its_head_alone_not_even_the_statistics():
    start, end = trained(LinearProbe)
    assert set(moved(start, end, "featurizer").values()) == {0}
    assert min(moved(start, end, "classifier").values()) > 0


def test_fine_tuning_at_rate_one_is_erm():
    (_, ours), (_, erm) = trained(FineTuning, backbone_rate=1.0), trained(ERM)
    assert all(torch.equal(ours[name], value) for name, value in erm.items())


def test_the_backbone_moves_at_its_share_of_the_rate():
    """The first step of AdamW is the learning rate times the sign of the gradient: so steps are in proportion."""
    start, slow = trained(FineTuning, steps=1, backbone_rate=0.1)
    _, fast = trained(FineTuning, steps=1, backbone_rate=1.0)
    name = "featurizer.layers.0.weight"
    ratio = (slow[name] - start[name]) / (fast[name] - start[name])
    assert ratio.median().item() == pytest.approx(0.1, rel=1e-3)
    assert torch.equal(slow["classifier.weight"], fast["classifier.weight"])


def test_any_algorithm_can_be_fine_tuned_and_erm_is_then_fine_tuning():
    (_, ours), (_, theirs) = trained(fine_tuned(ERM)), trained(FineTuning)
    assert all(torch.equal(ours[name], value) for name, value in theirs.items())
    start, slow = trained(fine_tuned(WeightAveraged), start=0.0)
    _, fast = trained(WeightAveraged, start=0.0)
    name = "featurizer.layers.0.weight"
    assert (slow[name] - start[name]).abs().mean() < 0.3 * (fast[name] - start[name]).abs().mean()


@pytest.mark.parametrize(("share", "still"), [(1.0, True), (0.5, False), (0.0, False)])
def test_probe_then_fine_tune_leaves_the_backbone_alone_until_its_time(share, still):
    start, end = trained(ProbeThenFineTune, probe_share=share)
    learned = {name: change for name, change in moved(start, end, "featurizer").items() if "weight" in name}
    assert (max(learned.values()) == 0) is still


@pytest.mark.parametrize(("algorithm", "setting"), [(FineTuning, "backbone_rate"), (ProbeThenFineTune, "probe_share")])
def test_rates_below_zero_are_refused(algorithm, setting):
    with pytest.raises(ValueError, match=f"{setting}=-1"):
        build(algorithm, CLINIC, seed=0, width=4, hyperparameters={setting: -1})
