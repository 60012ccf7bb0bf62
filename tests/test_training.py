"""The training loop, ERM and the networks do what their docstrings say."""

import copy
import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from torch import nn
from torch.nn import functional as F

from medgen_utils import training
from medgen_utils.data import Batch, DatasetInfo, DomainDataset
from medgen_utils.training import ERM, RecentImages, build, draw_batches, fit
from tests.networks import weights

INFO = DatasetInfo("toy", "Toy", "drawn in the test", "none", "none")


def toy(n: int = 60, n_domains: int = 2, channels: int = 1, size: int = 12, seed: int = 0) -> DomainDataset:
    """Bright images are class 1; three of four images are class 0."""
    generator = torch.Generator().manual_seed(seed)
    y = (torch.arange(n) % 4 == 0).long()
    x = 0.3 * torch.rand(n, channels, size, size, generator=generator) + 0.4 * y[:, None, None, None]
    domain = torch.arange(n) * n_domains // n
    names = tuple(f"hospital {i}" for i in range(n_domains))
    return DomainDataset(x, y, domain, np.array([f"p{i}" for i in range(n)]), ("dark", "bright"), names, INFO)


def batches_of(dataset: DomainDataset, size: int) -> list[Batch]:
    return next(draw_batches(dataset, size, True, torch.Generator().manual_seed(0)))


def test_erm_objective_is_the_cross_entropy_of_all_images():
    dataset = toy()
    model = build(ERM, dataset, seed=0, width=4).eval()
    batches = batches_of(dataset, 10)
    x, y = torch.cat([b.x for b in batches]), torch.cat([b.y for b in batches])
    expected = -model.predict(x).log_softmax(1)[torch.arange(len(y)), y].mean()
    assert model.objective(batches)[0].item() == pytest.approx(expected.item(), abs=1e-6)


def test_one_update_is_one_adamw_step_by_hand():
    dataset = toy()
    model = build(ERM, dataset, seed=0, width=4)
    other = copy.deepcopy(model)
    batches = batches_of(dataset, 10)
    model.prepare()
    model.update(batches)
    optimizer = torch.optim.AdamW(other.parameters(), lr=2e-3, weight_decay=1e-3)
    F.cross_entropy(other.predict(torch.cat([b.x for b in batches])), torch.cat([b.y for b in batches])).backward()
    optimizer.step()
    assert torch.equal(weights(model), weights(other))


@pytest.mark.parametrize("n_domains", [1, 2, 3, 5])
@pytest.mark.parametrize("batch_size", [15, 32])
def test_fit_changes_the_weights_whatever_the_number_of_domains(n_domains, batch_size):
    dataset = toy(n_domains=n_domains)
    model = build(ERM, dataset, seed=0, width=4)
    before = weights(model)
    fit(model, dataset, steps=2, batch_size=batch_size)
    assert not torch.equal(before, weights(model))


def test_fit_learns_what_can_be_learned():
    dataset = toy(n=200)
    model = build(ERM, dataset, seed=0, width=4)
    fitted = fit(model, dataset, steps=60)
    losses = fitted.history.query("metric == 'loss'")["value"]
    assert losses.iloc[-10:].mean() < 0.5 * losses.iloc[:10].mean()
    assert (training.predict_probabilities(model, dataset.x).argmax(1) == dataset.y.numpy()).mean() > 0.95


def test_same_seed_same_weights_and_another_seed_others():
    dataset = toy()
    models = [build(ERM, dataset, seed=seed, width=4) for seed in (0, 0, 1)]
    for model, seed in zip(models, (0, 0, 1), strict=True):
        fit(model, dataset, steps=3, seed=seed, augment=training.flips)
    assert torch.equal(weights(models[0]), weights(models[1]))
    assert not torch.equal(weights(models[0]), weights(models[2]))


def test_fit_and_build_leave_the_global_generator_alone():
    dataset = toy()
    torch.manual_seed(7)
    before = torch.random.get_rng_state()
    fit(build(ERM, dataset, seed=0, width=4), dataset, steps=2)
    assert torch.equal(before, torch.random.get_rng_state())


def test_history_scores_only_validation_domains_and_checkpoints_restore_a_step():
    dataset = toy(n=80)
    model = build(ERM, dataset, seed=0, width=4)
    fitted = fit(model, dataset, steps=5, validation=dataset.only("hospital 1"), evaluate_every=2)
    scored = fitted.history.query("split == 'validation'")
    assert set(scored["domain"]) == {"hospital 1"} and set(scored["metric"]) == {"auroc", "loss"}
    assert sorted(scored["step"].unique()) == sorted(fitted.checkpoints) == [2, 4, 5]
    final = weights(model)
    model.load_state_dict(fitted.checkpoints[2])
    assert not torch.equal(final, weights(model))
    model.load_state_dict(fitted.checkpoints[5])
    assert torch.equal(final, weights(model))


def test_balanced_batches_hold_each_class_equally_often_and_natural_ones_as_in_the_data():
    dataset = toy(n=400)
    shares = {}
    for balanced in (True, False):
        stream = draw_batches(dataset, 40, balanced, torch.Generator().manual_seed(0))
        shares[balanced] = np.mean([float(b.y.float().mean()) for _ in range(100) for b in next(stream)])
    assert shares[True] == pytest.approx(0.5, abs=0.03)
    assert shares[False] == pytest.approx(0.25, abs=0.03)


def test_each_batch_comes_from_one_domain_and_each_domain_gives_the_same_share():
    batches = batches_of(toy(n_domains=3), 32)
    assert [b.domain.unique().tolist() for b in batches] == [[0], [1], [2]]
    assert [len(b.y) for b in batches] == [10, 10, 10]


def test_two_images_of_each_domain_are_a_batch_and_one_is_none():
    assert [len(b.y) for b in batches_of(toy(n_domains=3), 8)] == [2, 2, 2]
    with pytest.raises(ValueError, match="batch_size=5 leaves 1 images"):
        batches_of(toy(n_domains=3), 5)


def test_a_domain_with_one_class_can_be_drawn_from():
    dataset = toy()
    dataset = dataset.subset((dataset.domain == 0) | (dataset.y == 0))
    assert all(len(b.y) == 8 for b in batches_of(dataset, 16))


@pytest.mark.parametrize("augment", [training.flips, training.flips_and_turns])
def test_flips_keep_pixels_differ_between_images_and_repeat(augment):
    x = torch.rand(1, 3, 8, 8).repeat(64, 1, 1, 1)
    out = augment(x, torch.Generator().manual_seed(0))
    assert out.shape == x.shape
    assert torch.equal(out.flatten(1).sort(1)[0], x.flatten(1).sort(1)[0])
    assert len({image.numpy().tobytes() for image in out}) == (2 if augment is training.flips else 8)
    assert torch.equal(out, augment(x, torch.Generator().manual_seed(0)))


def test_features_and_logits_belong_together():
    dataset = toy()
    model = build(ERM, dataset, seed=0, width=4)
    z = training.extract_features(model, dataset.x, batch_size=7)
    expected = model.classifier(z).double().softmax(1).detach().numpy()
    np.testing.assert_allclose(training.predict_probabilities(model, dataset.x), expected, atol=1e-6)
    assert model.training  # the mode is put back


def test_features_of_a_trained_model_separate_the_classes():
    dataset = toy(n=200)
    model = build(ERM, dataset, seed=0, width=4)
    fit(model, dataset, steps=40)
    z = training.extract_features(model, dataset.x).numpy()
    assert LogisticRegression(max_iter=500).fit(z, dataset.y).score(z, dataset.y) > 0.95


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"steps": 0}, "steps=0"),
        ({"steps": 2, "batch_size": 3}, "batch_size=3"),
        ({"steps": 2, "evaluate_every": 1}, "validation"),
        ({"steps": 2, "precision": "fp16"}, "fp16"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    dataset = toy()
    with pytest.raises(ValueError, match=message):
        fit(build(ERM, dataset, seed=0, width=4), dataset, **arguments)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device on this machine")
def test_fit_runs_on_cuda():
    dataset = toy()
    model = build(ERM, dataset, seed=0, width=4)
    fit(model, dataset, steps=2, augment=training.flips_and_turns, device="cuda")
    assert training.predict_probabilities(model, dataset.x).shape == (60, 2)


class Frequencies:
    """No network at all: it counts the classes it meets and predicts their shares, whatever the image."""

    def __init__(self):
        self.counts = torch.ones(2)

    def update(self, batches):
        self.counts += torch.bincount(torch.cat([b.y for b in batches]), minlength=2)
        return {"seen": float(self.counts.sum())}

    def predict(self, x):
        return (self.counts / self.counts.sum()).log().expand(len(x), 2)


def test_fit_trains_whatever_has_update_and_predict():
    dataset = toy()
    fitted = fit(
        algorithm := Frequencies(), dataset, steps=50, balanced=False, validation=dataset, evaluate_every=25, seed=1
    )
    assert training.predict_probabilities(algorithm, dataset.x)[:, 1] == pytest.approx(0.25, abs=0.05)
    assert set(fitted.history["metric"]) == {"seen", "auroc", "loss"}
    assert fitted.checkpoints == {}


def test_fit_prepares_once_with_its_rates_and_its_length():
    calls = []

    class Prepared(Frequencies):
        def prepare(self, **settings):
            calls.append(settings)

    fit(Prepared(), toy(), steps=3, learning_rate=0.1, weight_decay=0.2)
    assert calls == [{"learning_rate": 0.1, "weight_decay": 0.2, "total_steps": 3}]


def test_a_step_without_an_optimiser_says_what_to_do():
    model = build(ERM, toy(), seed=0, width=4)
    with pytest.raises(RuntimeError, match=r"prepare\(\)"):
        model.update(batches_of(toy(), 10))


def test_training_goes_on_with_the_moments_of_before_and_a_new_schedule():
    dataset, models = toy(), [build(ERM, toy(), seed=0, width=4) for _ in range(2)]
    for model in models:
        fit(model, dataset, steps=3, seed=1)
    models[1].optimizer = None  # forget
    for model in models:
        fit(model, dataset, steps=3, seed=2)
        assert model.progress == 1
    assert not torch.equal(weights(models[0]), weights(models[1]))


def test_a_copy_of_a_trained_algorithm_trains_on_by_itself():
    dataset, model = toy(), build(ERM, toy(), seed=0, width=4)
    fit(model, dataset, steps=3)
    other = pickle.loads(pickle.dumps(copy.deepcopy(model)))
    before = weights(model)
    fit(other, dataset, steps=3)
    assert torch.equal(weights(model), before)
    fit(model, dataset, steps=3)
    assert torch.equal(weights(model), weights(other))


def test_bf16_changes_the_arithmetic_and_hardly_the_scores():
    dataset = toy(n=200)
    scores = {}
    for precision in ("fp32", "bf16"):
        model = build(ERM, dataset, seed=0, width=4)
        fitted = fit(model, dataset, steps=30, validation=dataset, evaluate_every=30, precision=precision)
        assert all(p.dtype == torch.float32 for p in model.parameters())
        scores[precision] = fitted.history.query("split == 'validation' and metric == 'auroc'")["value"].to_numpy()
        scores[precision, "weights"] = weights(model)
    np.testing.assert_allclose(scores["bf16"], scores["fp32"], atol=0.02)
    assert not torch.equal(scores["bf16", "weights"], scores["fp32", "weights"])


def test_build_draws_the_weights_from_its_seed():
    first, same, other = (weights(build(ERM, toy(), seed=seed, width=4)) for seed in (0, 0, 1))
    assert torch.equal(first, same) and not torch.equal(first, other)


def test_classes_are_balanced_within_each_domain_not_over_all():
    dataset = toy(n=200)
    second = dataset.domain == 1
    y = torch.where(second, (torch.arange(200) % 10 > 0).long(), dataset.y)  # .25 in one hospital, .9 in the other
    batches = next(draw_batches(replace(dataset, y=y), 4000, True, torch.Generator().manual_seed(0)))
    assert [float(batch.y.float().mean()) for batch in batches] == pytest.approx([0.5, 0.5], abs=0.04)


def test_a_trained_model_is_left_in_evaluation_mode():
    model = build(ERM, toy(), seed=0, width=4)
    fit(model, toy(), steps=1)
    assert not any(module.training for module in model.modules())


def test_progress_of_a_second_training_counts_the_first():
    model = build(ERM, toy(), seed=0, width=4)
    fit(model, toy(), steps=4)
    model.prepare(total_steps=12)
    assert (model.total_steps, model.progress) == (16, 0.25)


class Sure(ERM):
    """Says how bright an image is, or after it has diverged nothing."""

    lost = False

    def predict(self, x):
        sure = torch.stack([torch.zeros(len(x)), x.mean((1, 2, 3))], 1)
        return super().predict(x) * (torch.nan if self.lost else 0) + sure


@pytest.mark.parametrize("lost", [False, True])
def test_the_history_holds_auroc_and_loss_of_each_domain_and_one_that_diverged_guesses(lost):
    data = toy()
    model = build(Sure, data, seed=0, width=4)
    model.lost = lost
    history = fit(model, data, steps=1, validation=data, evaluate_every=1).history
    history = history[history["split"] == "validation"].set_index(["domain", "metric"])["value"]
    for number, name in enumerate(data.domain_names):
        y, x = data.y[data.domain == number], data.x[data.domain == number]
        p = torch.full((len(y),), 0.5) if lost else x.mean((1, 2, 3)).sigmoid()
        assert history[name, "loss"] == pytest.approx(F.binary_cross_entropy(p, y.float()).item(), rel=1e-5)
        assert history[name, "auroc"] == pytest.approx(roc_auc_score(y, p))


class Remembers(ERM):
    """ERM that keeps recent images."""

    def prepare(self, *args, **settings):
        super().prepare(*args, **settings)
        self.recent_images = RecentImages()

    def update(self, batches):
        log = super().update(batches)
        self.recent_images.add(self, batches)
        return log


def remembering(steps: int, total_steps: int = 0, layers: tuple = ()) -> tuple[Remembers, list[int]]:
    """A model after these steps, and a list to which each later pass through its network adds its number of images."""
    model, passes = build(Remembers, toy(), seed=0, width=4), []
    model.classifier = nn.Sequential(*layers, model.classifier)
    model.prepare(total_steps=total_steps)
    for _ in range(steps):
        model.update(batches_of(toy(), 10))
    model.classifier.register_forward_hook(lambda layer, inputs, logits: passes.append(len(logits)))
    return model, passes


@pytest.mark.parametrize(("steps", "expected"), [(0, 0), (3, 3), (25, 20)])
def test_recent_images_are_measured_once_a_step(steps, expected):
    model, passes = remembering(steps)
    for _ in range(2):
        model.recent_images.measure(model)
    assert passes == [10] * expected
    model.update(batches_of(toy(), 12))
    passes.clear()
    model.recent_images.measure(model)
    assert passes == [10] * min(steps, 19) + [12]


def test_recent_images_go_with_the_training():
    model, _ = remembering(3, total_steps=4)
    model.recent_images.measure(model)
    assert len(model.recent_images.images) == 3
    model.update(batches_of(toy(), 10))
    model.recent_images.measure(model)
    assert not model.recent_images.images


def test_where_no_batch_normalization_trains_nothing_is_kept_or_measured():
    model = Remembers(nn.Flatten(), nn.Linear(144, 2))
    model.prepare()
    model.update(batches_of(toy(), 10))
    frozen, passes = remembering(0)
    frozen.featurizer.eval()
    before = [buffer.clone() for buffer in frozen.featurizer.buffers()]
    frozen.update(batches_of(toy(), 10))
    passes.clear()
    frozen.recent_images.measure(frozen)
    assert not model.recent_images.images and not frozen.recent_images.images and not passes
    assert all(torch.equal(a, b) for a, b in zip(frozen.featurizer.buffers(), before, strict=True))


def test_weights_that_were_loaded_keep_their_own_statistics():
    model, _ = remembering(2)
    other = remembering(5)[0].state_dict()
    model.load_state_dict(other)
    model.recent_images.measure(model)
    assert all(torch.equal(value, other[name]) for name, value in model.state_dict().items())


def test_measuring_draws_nothing_from_the_global_generator():
    model, passes = remembering(2, layers=(nn.Dropout(),))
    state = torch.get_rng_state()
    model.recent_images.measure(model)
    assert passes and torch.equal(torch.get_rng_state(), state)
