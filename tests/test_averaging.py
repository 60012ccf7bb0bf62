"""Mean weights are the arithmetic mean of the checkpoints; an ensemble predicts the mean of probabilities."""

import pytest
import torch
from torch import nn

from medgen_utils.averaging import WeightAveraged
from medgen_utils.clinic import acquisition_hospitals, make_clinic
from medgen_utils.domains import Batch
from medgen_utils.training import ERM, build, fit


@pytest.fixture(scope="module")
def dataset():
    return make_clinic(acquisition_hospitals()[:3], n=20, seed=0)


def train(algorithm, dataset, steps=6, seed=0, **hyperparameters):
    model = build(algorithm, dataset, seed=seed, width=4, hyperparameters=hyperparameters)
    fitted = fit(model, dataset, steps=steps, seed=seed, validation=dataset, evaluate_every=1)
    return model, fitted


@pytest.mark.parametrize(("start", "first"), [(0.0, 1), (0.5, 4), (0.9, 6)])
def test_the_weights_are_the_mean_of_those_of_erm_after_the_start(dataset, start, first):
    model, _ = train(WeightAveraged, dataset, start=start)
    _, plain = train(ERM, dataset)
    for name, weights in model.named_parameters():
        expected = torch.stack([plain.checkpoints[step][name] for step in range(first, 7)]).mean(0)
        torch.testing.assert_close(weights, expected, atol=1e-6, rtol=0)


def test_before_the_last_step_it_is_erm(dataset):
    averaged, plain = (train(algorithm, dataset)[1] for algorithm in (WeightAveraged, ERM))
    for step in range(1, 6):
        for name, values in averaged.checkpoints[step].items():
            assert torch.equal(values, plain.checkpoints[step][name])
    assert not torch.equal(averaged.checkpoints[6]["classifier.weight"], plain.checkpoints[6]["classifier.weight"])


def test_batch_normalization_is_measured_again_with_the_mean_weights(dataset):
    seen = []

    def watch(x, generator):
        seen.append(x)
        return x

    model = build(WeightAveraged, dataset, seed=0, width=4)
    fit(model, dataset, steps=4, augment=watch)
    steps = [torch.cat(seen[3 * i : 3 * i + 3]) for i in range(4)]
    first = model.featurizer.layers[0]
    means = [first(2 * x - 1).mean((0, 2, 3)) for x in steps]
    torch.testing.assert_close(model.featurizer.layers[1].running_mean, torch.stack(means).mean(0).detach())


def test_a_second_training_is_averaged_by_itself(dataset):
    model, _ = train(WeightAveraged, dataset, steps=4)
    assert model.n_averaged == 2
    fit(model, dataset, steps=2, seed=1)
    assert model.n_averaged == 1


def test_without_a_length_there_is_nothing_to_average(dataset):
    models = [build(algorithm, dataset, seed=0, width=4) for algorithm in (WeightAveraged, ERM)]
    batch = Batch(dataset.x[:8], dataset.y[:8], dataset.domain[:8])
    for model in models:
        model.prepare()
        model.update([batch])
    assert torch.equal(models[0].classifier.weight, models[1].classifier.weight)


def test_a_network_without_batch_normalization_is_averaged_too(dataset):
    torch.manual_seed(0)
    model = WeightAveraged(nn.Flatten(), nn.Linear(28 * 28, 2))
    before = model.classifier.weight.detach().clone()
    fit(model, dataset, steps=3)
    assert not torch.equal(model.classifier.weight, before)


@pytest.mark.parametrize("start", [-0.1, 1.0])
def test_an_impossible_start_is_refused(start):
    with pytest.raises(ValueError, match=f"start={start}"):
        WeightAveraged(nn.Flatten(), nn.Linear(4, 2), start=start)
