"""Every algorithm trains, is ERM at weight zero, and does not depend on the order of the domains."""

from itertools import permutations

import numpy as np
import pytest
import torch
from torch import nn

from medgen_utils.backbones import SmallCNN
from medgen_utils.data import Batch
from medgen_utils.feature_alignment import (
    CDANN,
    CORAL,
    DANN,
    IRM,
    MMD,
    AlignedERM,
    ConditionalCORAL,
    Fishr,
    GroupDRO,
    VREx,
    coral,
    ganin_schedule,
    irm_penalty,
    mmd,
)
from medgen_utils.training import ERM

WITH_A_WEIGHT = [CORAL, ConditionalCORAL, MMD, DANN, CDANN, IRM, VREx, Fishr]


ALGORITHMS = [*WITH_A_WEIGHT, GroupDRO]


def make(algorithm, n_domains, dtype=torch.float32, **hyperparameters):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        featurizer = SmallCNN(1, 4)
        model = algorithm(featurizer, nn.Linear(featurizer.n_features, 2), n_domains, **hyperparameters).to(dtype)
        model.prepare()
        return model


def make_batches(n_domains, size, one_class=False, dtype=torch.float32):
    generator = torch.Generator().manual_seed(7)
    batches = []
    for domain in range(n_domains):
        x = torch.rand(size, 1, 12, 12, generator=generator, dtype=dtype) * (1 - 0.1 * domain)
        y = torch.zeros(size, dtype=torch.int64) if one_class else torch.arange(size) % 2
        batches.append(Batch(x, y, torch.full((size,), 10 + domain)))  # numbers need not start at 0
    return batches


def predictor(algorithm):
    """Copies of the weights of featurizer and classifier."""
    parts = (algorithm.featurizer, algorithm.classifier)
    return [p.detach().clone() for part in parts for p in part.parameters()]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("n_domains", [1, 2, 3, 5])
@pytest.mark.parametrize(("size", "one_class"), [(4, False), (5, False), (4, True)])
def test_every_algorithm_changes_its_weights(algorithm, n_domains, size, one_class):
    model = make(algorithm, n_domains)
    before = predictor(model)
    for _ in range(2):
        log = model.update(make_batches(n_domains, size, one_class))
    assert all(np.isfinite(value) for value in log.values())
    assert all(not torch.equal(old, new) for old, new in zip(before, predictor(model), strict=True))
    assert all(torch.isfinite(weight).all() for weight in predictor(model))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_algorithm_lowers_the_cross_entropy(algorithm):
    small = {"weight": 0.01} if algorithm in WITH_A_WEIGHT else {}
    model, batches = make(algorithm, 2, **small), make_batches(2, 8)
    losses = [model.update(batches)["loss"] for _ in range(40)]
    assert losses[-1] < 0.9 * losses[0]


@pytest.mark.parametrize("algorithm", WITH_A_WEIGHT)
@pytest.mark.parametrize("n_domains", [1, 3])
def test_weight_zero_takes_exactly_the_step_of_erm(algorithm, n_domains):
    model, erm = make(algorithm, n_domains, weight=0.0), make(ERM, n_domains)
    for _ in range(3):
        model.update(make_batches(n_domains, 5))
        erm.update(make_batches(n_domains, 5))
    assert all(torch.equal(a, b) for a, b in zip(predictor(model), predictor(erm), strict=True))


@pytest.mark.parametrize("n_domains", [1, 2, 4])
def test_group_dro_with_step_size_zero_takes_exactly_the_step_of_erm(n_domains):
    """Numbers of domains and images that are powers of two: else the two means round differently."""
    model, erm = make(GroupDRO, n_domains, step_size=0.0), make(ERM, n_domains)
    for _ in range(3):
        model.update(make_batches(n_domains, 4))
        erm.update(make_batches(n_domains, 4))
    assert all(torch.equal(a, b) for a, b in zip(predictor(model), predictor(erm), strict=True))


@pytest.mark.parametrize("algorithm", WITH_A_WEIGHT)
def test_what_is_added_sends_gradient_to_the_featurizer(algorithm):
    model, batches = make(algorithm, 3), make_batches(3, 6)
    z = [model.features(batch.x) for batch in batches]
    added = model.alignment(z, [model.classifier(part) for part in z], [batch.y for batch in batches])
    gradients = torch.autograd.grad(added, list(model.featurizer.parameters()))
    assert all(gradient.abs().sum() > 0 for gradient in gradients)


@pytest.mark.parametrize("algorithm", [a for a in WITH_A_WEIGHT if a not in (DANN, CDANN)])
def test_what_is_added_does_not_depend_on_the_order_of_domains(algorithm):
    model, batches = make(algorithm, 3, torch.float64).eval(), make_batches(3, 6, dtype=torch.float64)
    values = []
    for order in permutations(batches):
        z = [model.features(batch.x) for batch in order]
        values.append(model.alignment(z, [model.classifier(part) for part in z], [batch.y for batch in order]).item())
    np.testing.assert_allclose(values, values[0], rtol=1e-9)
    assert values[0] != 0


def test_group_dro_does_not_depend_on_the_order_of_domains():
    batches = make_batches(3, 6, dtype=torch.float64)
    losses = [make(GroupDRO, 3, torch.float64).objective(list(order))[0].item() for order in permutations(batches)]
    np.testing.assert_allclose(losses, losses[0], rtol=1e-9)


def test_the_adversary_and_the_featurizer_pull_in_opposite_directions():
    """A step down the adversary's gradient makes domains easier to tell, one down the featurizer's makes it harder."""
    model, batches = make(DANN, 2, torch.float64), make_batches(2, 8, dtype=torch.float64)

    def domain_loss():
        z = [model.features(batch.x) for batch in batches]
        return model.alignment(z, [], [])

    before = domain_loss()
    for part, sign in ((model.discriminator, -1), (model.featurizer, 1)):
        weights = list(part.parameters())
        gradients = torch.autograd.grad(domain_loss(), weights)
        with torch.no_grad():
            for weight, gradient in zip(weights, gradients, strict=True):
                weight -= 1e-4 * gradient
            assert sign * (domain_loss() - before) > 0
            for weight, gradient in zip(weights, gradients, strict=True):
                weight += 1e-4 * gradient


def test_strength_rises_over_the_warm_up_only():
    model = make(IRM, 2, weight=8.0, warm_up=0.5)
    assert model.strength == 8.0  # outside fit
    model.prepare(total_steps=100)
    strengths = []
    for step in (0, 25, 50, 100):
        model.step_count.fill_(step)
        strengths.append(model.strength)
    assert strengths == [0.0, 4.0, 8.0, 8.0]


def test_the_adversary_follows_ganins_schedule():
    model = make(DANN, 2, weight=0.5)
    model.prepare(total_steps=10)
    model.step_count.fill_(5)
    assert model.strength == 0.5 * ganin_schedule(0.5)


def test_the_weights_of_group_dro_travel_with_its_state():
    model = make(GroupDRO, 2, step_size=1.0)
    model.update(make_batches(2, 4))
    copy = make(GroupDRO, 2)
    copy.load_state_dict(model.state_dict())
    assert torch.equal(copy.weights, model.weights)
    assert not torch.equal(copy.weights, torch.full((2,), 0.5))


def test_a_subclass_must_say_what_it_adds():
    with pytest.raises(NotImplementedError, match="AlignedERM"):
        make(AlignedERM, 2).update(make_batches(2, 4))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: make(CORAL, 2, weight=-1.0), "weight"),
        (lambda: make(GroupDRO, 2).update(make_batches(3, 4)), "n_domains=2"),
    ],
)
def test_wrong_use_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


SIZES = (2, 3, 6)
LABELS = [torch.tensor([0, 1]), torch.tensor([0, 0, 0]), torch.tensor([1, 1, 1, 1, 0, 1])]


def unequal(model):
    """Features and logits of three domains of different size and prevalence."""
    generator = torch.Generator().manual_seed(1)
    d = model.classifier.in_features
    z = [torch.randn(n, d, generator=generator, dtype=torch.float64) + 0.3 * n for n in SIZES]
    return z, [model.classifier(part) for part in z]


def adversary_by_hand(model, z, with_class):
    """Cross-entropy of the discriminator for each image, with its class."""
    losses = []
    for domain, (features, labels) in enumerate(zip(z, LABELS, strict=True)):
        for row, label in zip(features, labels, strict=True):
            seen = torch.cat([row, torch.eye(2, dtype=torch.float64)[label]]) if with_class else row
            losses.append((int(label), -model.discriminator(seen).log_softmax(0)[domain]))
    return losses


def test_the_adversary_counts_images_alike_and_the_conditional_one_classes():
    for algorithm in (DANN, CDANN):
        model = make(algorithm, 3, torch.float64)
        z, logits = unequal(model)
        losses = adversary_by_hand(model, z, algorithm is CDANN)
        images = torch.stack([loss for _, loss in losses]).mean()
        classes = torch.stack([torch.stack([loss for k, loss in losses if k == c]).mean() for c in (0, 1)]).mean()
        expected = classes if algorithm is CDANN else images
        torch.testing.assert_close(model.alignment(z, logits, LABELS), expected)
        assert not torch.isclose(images, classes)


@pytest.mark.parametrize(("algorithm", "penalty"), [(CORAL, coral), (MMD, mmd)])
def test_distances_are_averaged_over_the_pairs_of_domains(algorithm, penalty):
    model = make(algorithm, 3, torch.float64, weight=3.0)
    z, logits = unequal(model)
    pairs = [penalty(z[0], z[1]), penalty(z[0], z[2]), penalty(z[1], z[2])]
    torch.testing.assert_close(model.alignment(z, logits, LABELS), 3 * sum(pairs) / 3)


def test_irm_and_vrex_count_domains_alike_whatever_their_size():
    irm, vrex = make(IRM, 3, torch.float64, weight=3.0), make(VREx, 3, torch.float64, weight=3.0)
    z, logits = unequal(irm)
    penalties = [irm_penalty(scores, y) for scores, y in zip(logits, LABELS, strict=True)]
    torch.testing.assert_close(irm.alignment(z, logits, LABELS), sum(penalties))
    risks = torch.stack([nn.functional.cross_entropy(s, y) for s, y in zip(logits, LABELS, strict=True)])
    torch.testing.assert_close(vrex.alignment(z, logits, LABELS), 3 * risks.var(correction=0))


def test_group_dro_uses_the_weights_that_this_step_has_changed():
    model = make(GroupDRO, 3, torch.float64, step_size=2.0).eval()
    batches = [batch for n in SIZES for batch in make_batches(3, n, dtype=torch.float64)[-1:]]
    risks = torch.stack([nn.functional.cross_entropy(model.predict(x), y) for x, y, _ in batches])
    gained = torch.exp(2.0 * risks) / torch.exp(2.0 * risks).sum()
    torch.testing.assert_close(model.objective(batches)[0], (gained * risks).sum())
    again = gained * torch.exp(2.0 * risks)
    torch.testing.assert_close(model.objective(batches)[0], (again / again.sum() * risks).sum())


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_there_is_one_domain_where_nothing_is_said(algorithm):
    featurizer = SmallCNN(1, 4)
    assert algorithm(featurizer, nn.Linear(featurizer.n_features, 2)).n_domains == 1
