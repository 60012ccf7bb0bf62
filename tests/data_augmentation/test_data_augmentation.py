"""Every augmentation and its algorithm: identity at zero strength, own draws for every image, repeatable training."""

import inspect
from functools import partial

import numpy as np
import pytest
import torch

from medgen_utils import data_augmentation as A
from medgen_utils.benchmark.entries import CONTENDERS
from medgen_utils.clinic import acquisition_hospitals, make_clinic
from medgen_utils.data import Batch
from medgen_utils.data_augmentation import colour, intensity, mixing, policy, stain, texture
from medgen_utils.training import ERM, build, fit
from tests.data_augmentation.examples import generator, images
from tests.networks import make

ANY = {
    "intensity": lambda x, g, s=1.0: A.intensity_jitter(x, g, s, blur=1.0, noise=0.05),
    "random_convolution": lambda x, g, s=1.0: A.random_convolution(x, g, s),
    "random_convolution image": lambda x, g, s=1.0: A.random_convolution(x, g, 2 * s, mix=False),
    "amplitude": lambda x, g, s=1.0: A.amplitude_jitter(x, g, s),
    "augmix": lambda x, g, s=1.0: A.augmix(x, g, 3 * s),
    "rand_augment": lambda x, g, s=1.0: A.rand_augment(x, g, s),
}
COLOUR = {
    "stain": lambda x, g, s=1.0: A.stain_jitter(x, g, 0.1 * s),
    "colour": lambda x, g, s=1.0: A.colour_jitter(x, g, 0.05 * s, 0.2 * s),
}
STATED = {
    intensity.intensity_jitter: {
        "strength": 1.0, "gamma": 0.4, "contrast": 0.4, "gain": 0.2, "brightness": 0.1, "blur": 0.0, "noise": 0.0,
    },
    colour.colour_jitter: {"hue": 0.05, "saturation": 0.2},
    stain.stain_jitter: {"strength": 0.1},
    mixing.amplitude_jitter: {"strength": 1.0, "window": 1.0},
    policy.rand_augment: {"strength": 1.0, "operations": 2, "cutout": 0.25},
    texture.random_convolution: {"strength": 1.0, "mix": True, "kernel_sizes": (1, 3, 5, 7)},
    texture.augmix: {"severity": 3.0, "width": 3, "depth": 3},
}  # fmt: skip
"""What the page and the stored runs mean by an augmentation that nobody configures."""
PER_BATCH = ("random_convolution", "random_convolution image")
CASES = [(name, channels) for name in ANY for channels in (1, 3)] + [(name, 3) for name in COLOUR]


@pytest.mark.parametrize("size", [28, 64])
@pytest.mark.parametrize(("name", "channels"), CASES)
class TestEveryAugmentation:
    def test_zero_strength_is_the_identity(self, name, channels, size):
        x = images(channels, size)
        torch.testing.assert_close((ANY | COLOUR)[name](x, generator(), 0.0), x, atol=1e-5, rtol=0)

    def test_shape_type_and_range_are_kept(self, name, channels, size):
        x = images(channels, size)
        y = (ANY | COLOUR)[name](x, generator())
        assert y.shape == x.shape and y.dtype == x.dtype and y.isfinite().all()
        if name not in PER_BATCH:
            assert y.min() >= 0 and y.max() <= 1

    def test_draws_repeat_under_one_generator_and_differ_under_another(self, name, channels, size):
        x, function = images(channels, size), (ANY | COLOUR)[name]
        assert torch.equal(function(x, generator(1)), function(x, generator(1)))
        assert not torch.allclose(function(x, generator(1)), function(x, generator(2)), atol=1e-3)

    def test_each_image_has_draws_of_its_own(self, name, channels, size):
        equal = images(channels, size, n=1).expand(3, -1, -1, -1)
        y = (ANY | COLOUR)[name](torch.cat([equal, images(channels, size, n=3, seed=1)]), generator(3))
        differ = (y[0] - y[1]).abs().max() > 1e-3
        assert differ or name in PER_BATCH  # these draw one filter for the batch, as their paper says

    def test_the_input_is_left_alone(self, name, channels, size):
        x = images(channels, size)
        before = x.clone()
        (ANY | COLOUR)[name](x, generator())
        assert torch.equal(x, before)


@pytest.mark.parametrize("function", STATED, ids=lambda function: function.__name__)
def test_without_settings_an_augmentation_is_the_one_that_was_tested(function):
    x = images(3)
    torch.testing.assert_close(function(x, generator()), function(x, generator(), **STATED[function]), rtol=0, atol=0)
    accepted = [p.name for p in inspect.signature(function).parameters.values() if p.default is not p.empty]
    assert accepted == list(STATED[function])


@pytest.mark.parametrize("name", [name for name in ANY if name != "augmix"] + list(COLOUR))
def test_gradients_flow_to_the_image(name):
    x = images().requires_grad_()
    (ANY | COLOUR)[name](x, generator()).sum().backward()
    assert x.grad.isfinite().all() and x.grad.abs().sum() > 0


ALGORITHMS = (A.Mixup, A.StyleMixing, A.AmplitudeMix, A.AugMix, A.RandConv)


@pytest.mark.parametrize("algorithm", ALGORITHMS, ids=lambda algorithm: algorithm.__name__)
def test_without_settings_an_algorithm_is_the_one_of_the_scoreboard(algorithm):
    """AugMix of `texture` with a weight of 12, as its paper has it, and so on."""
    contender = next(c for c in CONTENDERS if c.algorithm is algorithm)
    model = build(algorithm, make_clinic(acquisition_hospitals(), 4, seed=0, size=16), seed=0, width=4)
    for name in contender.space:
        if name != "alpha" or algorithm is A.Mixup:  # MixStyle's is that of its layer
            assert getattr(model, name) == contender.settings(0)[name]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_there_is_one_domain_where_nothing_is_said(algorithm):
    assert make(algorithm).n_domains == 1


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("sizes", [(8,), (5, 4), (3, 3, 3), (2, 3, 2, 3, 2)])
def test_every_algorithm_learns_from_any_number_of_domains(algorithm, sizes):
    dataset = make_clinic(acquisition_hospitals(), 4, seed=0, size=16)
    model = build(algorithm, dataset, seed=0, width=4)
    model.prepare()
    source = generator()
    batches = []
    for number, size in enumerate(sizes):
        y = torch.arange(size) % 2
        edge = (torch.arange(16) > 7).float().expand(16, 16)  # upright or lying: no augmentation removes that
        x = 0.3 * torch.rand(size, 1, 16, 16, generator=source) + 0.6 * torch.stack([edge, edge.T])[y, None]
        batches.append(Batch(x, y, torch.full((size,), number)))
    before = [weights.clone() for weights in model.parameters()]
    torch.manual_seed(0)
    losses = [model.update(batches)["loss"] for _ in range(25)]
    assert all(not torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))
    assert np.isfinite(losses).all() and np.mean(losses[-5:]) < np.mean(losses[:5])


@pytest.mark.parametrize(
    ("algorithm", "hyperparameters"),
    [(A.StyleMixing, {"probability": 0.0}), (A.AmplitudeMix, {"strength": 0.0}), (A.AugMix, {"weight": 0.0})],
)
def test_without_its_ingredient_an_algorithm_is_erm(algorithm, hyperparameters):
    dataset = make_clinic(acquisition_hospitals(), 20, seed=0, size=16)
    models = [
        build(ERM, dataset, seed=0, width=4),
        build(algorithm, dataset, seed=0, width=4, hyperparameters=hyperparameters),
    ]
    for model in models:
        model.eval()  # batch normalization would see the extra views of AugMix
    batch = Batch(dataset.x, dataset.y, dataset.domain)
    losses = [model.objective([batch])[1]["loss"] for model in models]
    assert losses[0] == pytest.approx(losses[1], abs=1e-5)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_training_repeats_under_one_seed(algorithm):
    dataset = make_clinic(acquisition_hospitals(), 20, seed=0, size=16)
    states = []
    for _ in range(2):
        model = build(algorithm, dataset, seed=3, width=4)
        fit(model, dataset, steps=3, seed=3, augment=partial(A.intensity_jitter, strength=0.5))
        states.append(torch.cat([weights.flatten() for weights in model.parameters()]))
    assert torch.equal(*states)
