"""Adaptation is what the formulas say and leaves the original alone."""

import copy
import functools
import math

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from medgen_utils import adaptation, clinic, training
from medgen_utils.adaptation import Tent, adapt_batchnorm
from medgen_utils.training import ERM

CHANNELS = pytest.mark.parametrize("channels", [1, 3], ids=["grey", "colour"])


@functools.cache
def hospitals(channels: int = 1) -> clinic.Clinic:
    return clinic.make_clinic(clinic.acquisition_hospitals(2)[:-1], 30, seed=0, channels=channels)


def trained(channels: int = 1) -> ERM:
    """A narrow network after a few steps, so that its running statistics are no longer those of the start."""
    model = training.build(ERM, hospitals(channels), seed=0, width=4)
    training.fit(model, hospitals(channels), steps=6, batch_size=16)
    return model


def images(n: int, channels: int = 1, seed: int = 0) -> torch.Tensor:
    return torch.rand(n, channels, 28, 28, generator=torch.Generator().manual_seed(seed)) * 0.4


def state(module: nn.Module) -> dict[str, torch.Tensor]:
    return copy.deepcopy(module.state_dict())


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


def by_batch_statistics(model: ERM, x: torch.Tensor) -> torch.Tensor:
    """Logits of a copy in training mode: batch normalization then uses the statistics of the batch."""
    with torch.no_grad():
        return copy.deepcopy(model).train().predict(x)


# Batch normalization


@CHANNELS
@pytest.mark.parametrize("prior_strength", [0.0, 7.0, 16.0, 1000.0])
def test_first_layer_gets_the_mix_of_both_statistics(channels, prior_strength):
    model, x = trained(channels), images(5, channels)
    source = model.featurizer.layers[1]
    adapted = adapt_batchnorm(model, x, prior_strength).featurizer.layers[1]
    values = nn.functional.conv2d(2 * x - 1, model.featurizer.layers[0].weight, padding=1).detach().numpy()
    for now, before, batch in (
        (adapted.running_mean, source.running_mean, values.mean(axis=(0, 2, 3))),
        (adapted.running_var, source.running_var, values.var(axis=(0, 2, 3))),
    ):
        expected = (prior_strength * before.numpy() + 5 * batch) / (prior_strength + 5)
        np.testing.assert_allclose(now.numpy(), expected, rtol=1e-4, atol=1e-6)


def test_deeper_layers_see_the_adapted_layers_before_them():
    model, x = trained(), images(6)
    adapted = adapt_batchnorm(model, x, 10.0)
    layers = adapted.featurizer.layers
    values = layers[:5](2 * x - 1).detach().numpy()  # input of the second batch normalization
    before = model.featurizer.layers[5].running_mean.numpy()
    expected = (10 * before + 6 * values.mean(axis=(0, 2, 3))) / 16
    np.testing.assert_allclose(layers[5].running_mean.numpy(), expected, rtol=1e-4, atol=1e-6)


@CHANNELS
def test_without_a_prior_the_model_uses_the_batch_alone(channels):
    model, x = trained(channels), images(8, channels)
    logits = adapt_batchnorm(model, x, 0).predict(x)
    torch.testing.assert_close(logits, by_batch_statistics(model, x), rtol=1e-4, atol=1e-5)


def test_an_infinitely_strong_prior_keeps_the_source_model():
    model = trained()
    assert same(adapt_batchnorm(model, images(8), math.inf).state_dict(), model.state_dict())


def test_only_running_statistics_change():
    model = trained()
    adapted = adapt_batchnorm(model, images(8), 4.0).state_dict()
    changed = {key for key, value in model.state_dict().items() if not torch.equal(value, adapted[key])}
    assert changed == {key for key in adapted if key.endswith(("running_mean", "running_var"))}


def test_images_of_another_gain_come_out_alike():
    """Without a prior, a gain (and an offset) of all the images changes nothing but the zero padding at the border."""
    model, x = trained(), images(16)
    model.featurizer.normalize = nn.Identity()  # so that padding has the value of a dark pixel
    dark, bright = (adapt_batchnorm(model, gain * x, 0).predict(gain * x) for gain in (0.5, 1.0))
    torch.testing.assert_close(dark, bright, rtol=1e-2, atol=1e-2)


def test_one_image_is_enough_with_a_prior_only():
    model, x = trained(), images(1)
    assert adapt_batchnorm(model, x, 16).predict(x).isfinite().all()
    with pytest.raises(ValueError, match="use more images or a stronger prior"):
        adapt_batchnorm(model, x, 0)


@pytest.mark.parametrize("prior_strength", [-1.0, math.nan])
def test_impossible_priors_are_refused(prior_strength):
    with pytest.raises(ValueError, match="prior_strength"):
        adapt_batchnorm(trained(), images(4), prior_strength)


def test_no_images_are_refused():
    with pytest.raises(ValueError, match="0 images"):
        adapt_batchnorm(trained(), images(0), 16)


@pytest.mark.parametrize("adapt", [lambda m: adapt_batchnorm(m, images(4), 0), Tent], ids=["statistics", "tent"])
def test_a_model_without_batch_normalization_is_refused(adapt):
    model = ERM(nn.Flatten(), nn.Linear(28 * 28, 2))
    with pytest.raises(ValueError, match="no batch normalization"):
        adapt(model)


# Tent


@pytest.mark.parametrize("logits", [[[0.0, 0.0, 0.0]], [[2.0, -1.0, 0.3]], [[50.0, -50.0, 0.0]]])
def test_entropy_is_that_of_the_probabilities(logits):
    z = np.array(logits[0])
    p = np.exp(z - z.max()) / np.exp(z - z.max()).sum()
    value = adaptation.prediction_entropy(torch.tensor(logits)).item()
    assert value == pytest.approx(stats.entropy(p), abs=1e-6)


@CHANNELS
def test_tent_that_does_not_learn_uses_the_statistics_of_each_batch(channels):
    model, x = trained(channels), images(12, channels)
    tent = Tent(model, learning_rate=0.0)
    for batch in x.split(4):
        torch.testing.assert_close(tent.predict(batch), by_batch_statistics(model, batch), rtol=1e-4, atol=1e-5)


def test_tent_learns_scale_and_shift_of_batch_normalization_alone():
    tent = Tent(trained())
    before = state(tent.model)
    tent.predict(images(8))
    changed = {key for key, value in tent.model.state_dict().items() if not torch.equal(value, before[key])}
    numbers = [i for i, layer in enumerate(tent.model.featurizer.layers) if isinstance(layer, nn.BatchNorm2d)]
    assert changed == {f"featurizer.layers.{i}.{name}" for i in numbers for name in ("weight", "bias")}


def test_first_step_is_that_of_adam_on_the_mean_entropy():
    """Adam's first step moves each parameter by the learning rate against the sign of its gradient."""
    model, x = trained(), images(8)
    hand = copy.deepcopy(model).train()
    adaptation.prediction_entropy(hand.predict(x)).mean().backward()
    tent = Tent(model, learning_rate=1e-3)
    tent.predict(x)
    layer, start, gradient = tent.model.featurizer.layers[9], model.featurizer.layers[9], hand.featurizer.layers[9]
    moved, slope = layer.weight - start.weight, gradient.weight.grad
    clear = slope.abs() > 1e-5
    assert clear.any()
    torch.testing.assert_close(moved[clear], -1e-3 * slope[clear].sign(), rtol=0.05, atol=1e-6)


def test_tent_lowers_the_entropy_of_a_batch_it_sees_again():
    tent, x = Tent(trained(), learning_rate=1e-2), images(16)
    values = [adaptation.prediction_entropy(tent.predict(x)).mean().item() for _ in range(20)]
    assert values[-1] < values[0]


def test_logits_are_from_before_the_update():
    model, x = trained(), images(8)
    torch.testing.assert_close(Tent(model, learning_rate=0.1).predict(x), by_batch_statistics(model, x))


@pytest.mark.parametrize("learning_rate", [1e-3, 0.1])
def test_episodic_tent_of_one_step_is_batch_statistics_alone(learning_rate):
    model, x = trained(), images(12)
    tent = Tent(model, learning_rate=learning_rate, episodic=True)
    for batch in x.split(4):
        torch.testing.assert_close(tent.predict(batch), by_batch_statistics(model, batch), rtol=1e-4, atol=1e-5)


def test_episodic_tent_does_not_depend_on_the_order_and_tent_does():
    model, (a, b) = trained(), images(16).split(8)

    def of_b(order, **settings):
        tent = Tent(model, learning_rate=0.05, **settings)
        return [tent.predict(batch) for batch in order][[batch is b for batch in order].index(True)]

    assert torch.equal(of_b((a, b), episodic=True, steps=2), of_b((b, a), episodic=True, steps=2))
    assert not torch.allclose(of_b((a, b)), of_b((b, a)), atol=1e-4)


def test_reset_goes_back_to_the_start():
    tent, x = Tent(trained(), learning_rate=0.05), images(8)
    first = [tent.predict(x) for _ in range(3)]
    tent.reset()
    again = [tent.predict(x) for _ in range(3)]
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.allclose(first[0], first[2], atol=1e-4)


def test_tent_refuses_one_image_and_no_steps():
    with pytest.raises(ValueError, match="a batch of 1 images"):
        Tent(trained()).predict(images(1))
    with pytest.raises(ValueError, match="steps=0"):
        Tent(trained(), steps=0)


def test_tent_works_where_gradients_are_off_and_keeps_its_mode():
    tent = Tent(trained(), learning_rate=0.1)
    before = state(tent.model)
    with torch.no_grad():
        tent.train().predict(images(8))
    assert not same(before, tent.model.state_dict())


# Both


ADAPTERS = {
    "statistics": lambda model, x: adapt_batchnorm(model, x, 4.0).predict(x),
    "tent": lambda model, x: Tent(model, learning_rate=0.1, steps=3).predict(x),
}
adapters = pytest.mark.parametrize("adapt", ADAPTERS.values(), ids=ADAPTERS)


@adapters
def test_original_is_left_as_it_was(adapt):
    model, x = trained(), images(8)
    before, logits = state(model), model.predict(x)
    adapt(model, x)
    assert same(before, state(model))
    assert torch.equal(model.predict(x), logits)
    assert not model.training
    assert all(p.requires_grad for p in model.parameters())


@adapters
def test_original_trains_on_as_if_nothing_had_happened(adapt):
    models = [trained(), trained()]
    adapt(models[0], images(8))
    batches = next(training.draw_batches(hospitals(), 16, True, torch.Generator().manual_seed(0)))
    for model in models:
        model.train().update(batches)
    assert same(state(models[0]), state(models[1]))


@adapters
def test_adaptation_repeats(adapt):
    model, x = trained(), images(8)
    assert torch.equal(adapt(model, x), adapt(model, x))


@adapters
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_adaptation_on_a_gpu_gives_the_logits_of_the_cpu(adapt):
    model, x = trained(), images(8)
    on_cpu = adapt(model, x)
    torch.testing.assert_close(adapt(model.cuda(), x).cpu(), on_cpu, rtol=1e-2, atol=1e-2)


# One batch at a time, and several views of an image


def test_by_batch_adapts_to_every_batch_anew():
    model, x = trained(), images(6)
    together = adaptation.ByBatch(model, 3.0).predict(x)
    torch.testing.assert_close(together, adapt_batchnorm(model, x, 3.0).predict(x))
    alone = adaptation.ByBatch(model, 3.0)
    alone.predict(x + 0.2)
    torch.testing.assert_close(alone.predict(x), together)


def test_many_views_are_the_mean_probability_of_mirrored_images():
    model, x = trained(), images(3)
    expected = (model.predict(x).softmax(1) + model.predict(x.flip(3)).softmax(1)) / 2
    torch.testing.assert_close(adaptation.ManyViews(model).predict(x).exp(), expected)


def test_many_views_do_not_depend_on_how_a_turned_image_lies():
    model, x = trained(), images(3)
    views = adaptation.ManyViews(model, turns=True)
    expected = views.predict(x)
    for lying in (x.flip(3), torch.rot90(x, 1, (2, 3)), torch.rot90(x.flip(3), 3, (2, 3))):
        torch.testing.assert_close(views.predict(lying), expected)
    assert not torch.allclose(adaptation.ManyViews(model).predict(torch.rot90(x, 1, (2, 3))), expected)
