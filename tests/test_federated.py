"""The average of weights is what the formula says, and a federation of one step is training on all images."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from medgen_utils import clinic, federated
from medgen_utils.domains import joined
from medgen_utils.training import ERM, build, draw_batches

HOSPITALS = clinic.acquisition_hospitals(3)[:-1]


def linear(seed: int = 0) -> ERM:
    torch.manual_seed(seed)
    return ERM(nn.Flatten(), nn.Linear(28 * 28, 2), 3)


def sgd(parameters) -> torch.optim.Optimizer:
    return torch.optim.SGD(parameters, lr=0.1)


def parameters(model: nn.Module) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def test_the_mean_is_weighted_by_images():
    states = [
        {"w": torch.tensor([1.0, 3.0]), "n": torch.tensor(4)},
        {"w": torch.tensor([5.0, 7.0]), "n": torch.tensor(9)},
    ]
    mean = federated.weighted_mean(states, [3, 1])
    torch.testing.assert_close(mean["w"], torch.tensor([2.0, 4.0]))
    assert mean["n"] == 4


def test_one_local_step_with_equal_data_is_a_step_of_central_sgd():
    """Drawn again here, with the same generators, and stepped by the gradient of all images at once."""
    train = clinic.make_clinic(HOSPITALS, 20, seed=1)
    found = federated.federate(linear(), train, rounds=1, local_steps=1, batch_size=8, optimizer=sgd)
    batches = []
    for place, hospital in enumerate(HOSPITALS):
        generator = torch.Generator().manual_seed(place)
        batches += next(draw_batches(train.only(hospital.name), 8, True, generator))
    x, y, _ = joined(batches)
    weight, bias = (p.detach().double().numpy() for p in linear().parameters())
    x, y = x.flatten(1).double().numpy(), np.eye(2)[y.numpy()]
    scores = x @ weight.T + bias
    p = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    weight, bias = weight - 0.1 * (p - y).T @ x / len(x), bias - 0.1 * (p - y).mean(0)
    guest_weight, guest_bias = (p.detach().numpy() for p in found.guest.parameters())
    np.testing.assert_allclose(guest_weight, weight, atol=1e-6)
    np.testing.assert_allclose(guest_bias, bias, atol=1e-6)


def test_hospitals_count_by_their_images():
    """With twice the images, hospital A pulls twice as strongly: the mean of its own model and B's."""
    train = clinic.make_clinic(HOSPITALS[:2], 40, seed=1)
    train = train.subset(np.r_[0:40, 40:60])
    how = {"rounds": 1, "local_steps": 3, "optimizer": sgd}
    both = federated.federate(linear(), train, **how)
    each = []
    for place, name in enumerate(train.domain_names):
        member = copy.deepcopy(linear())
        member.optimizer = sgd(member.parameters())
        drawn = draw_batches(train.only(name), 16, True, torch.Generator().manual_seed(place))
        for _ in range(3):
            member.update(next(drawn))
        each.append(parameters(member))
    torch.testing.assert_close(parameters(both.guest), (2 * each[0] + each[1]) / 3)


def test_without_local_normalization_all_models_are_one():
    train = clinic.make_clinic(HOSPITALS, 16, seed=0)
    found = federated.federate(build(ERM, train, seed=0, width=4), train, rounds=2, local_steps=2)
    for member in found.members.values():
        for name, value in member.state_dict().items():
            assert torch.equal(value, found.guest.state_dict()[name]), name


def test_local_normalization_stays_at_home_and_the_rest_is_shared():
    train = clinic.make_clinic(HOSPITALS, 16, seed=0)
    model = build(ERM, train, seed=0, width=4)
    before = copy.deepcopy(model.state_dict())
    found = federated.federate(model, train, rounds=2, local_steps=2, local_normalization=True)
    at_home = federated.normalization_names(model)
    assert {name.rpartition(".")[2] for name in at_home} == {
        "weight", "bias", "running_mean", "running_var", "num_batches_tracked",
    }  # fmt: skip
    states = [member.state_dict() for member in found.members.values()]
    for name, value in found.guest.state_dict().items():
        each = torch.stack([state[name] for state in states])
        if name not in at_home:
            assert (each == value).all(), name
        elif value.is_floating_point():
            torch.testing.assert_close(each.mean(0), value)
            assert not torch.equal(each[0], each[1]), name
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_seeds_change_what_is_drawn():
    train = clinic.make_clinic(HOSPITALS, 16, seed=0)
    how = {"rounds": 1, "local_steps": 2}
    a, again, b = (parameters(federated.federate(linear(), train, seed=s, **how).guest) for s in (0, 0, 1))
    assert torch.equal(a, again) and not torch.allclose(a, b)


@pytest.mark.parametrize("bad", [{"rounds": 0}, {"local_steps": 0}, {"train": HOSPITALS[:1]}])
def test_a_federation_needs_two_hospitals_and_a_step(bad):
    train = clinic.make_clinic(bad.pop("train", HOSPITALS), 8, seed=0)
    with pytest.raises(ValueError, match="two hospitals"):
        federated.federate(linear(), train, **{"rounds": 1, "local_steps": 1} | bad)
