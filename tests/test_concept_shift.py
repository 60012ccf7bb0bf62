"""Agreement, consensus and noise-robust losses, against simulations with known answers and independent code."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score
from torch.nn import functional as F

from medgen_utils import concept_shift
from medgen_utils.data import Batch, DatasetInfo, DomainDataset
from medgen_utils.training import ERM, build, fit, predict_probabilities
from tests.networks import make

INFO = DatasetInfo("toy", "toy", "drawn here", "none", "none")
GRADERS = np.array([[[0.9, 0.1], [0.2, 0.8]], [[0.7, 0.3], [0.1, 0.9]], [[0.95, 0.05], [0.4, 0.6]]])


def simulate(confusion: np.ndarray, prevalence: list[float], n: int, seed: int, missing: float = 0.0):
    """True classes (n,) and votes (n, g) of graders with these confusion matrices (g, k, k)."""
    rng = np.random.default_rng(seed)
    y = rng.choice(len(prevalence), n, p=prevalence)
    votes = (confusion[:, y].cumsum(axis=2) < rng.random((len(confusion), n, 1))).sum(axis=2).T
    gone = rng.random(votes.shape) < missing
    gone[gone.all(axis=1), 0] = False  # at least one vote an image
    return y, np.where(gone, -1, votes)


# Agreement


@pytest.mark.parametrize("weights", ["none", "linear", "quadratic"])
@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=2, max_size=60))
def test_kappa_equals_that_of_scikit_learn(weights, pairs):
    a, b = np.array(pairs).T
    if len(set(a) | set(b)) < 2:
        return
    ours = concept_shift.cohen_kappa(a, b, weights, n_classes=4)
    theirs = cohen_kappa_score(a, b, weights=None if weights == "none" else weights, labels=range(4))
    assert ours == pytest.approx(theirs, abs=1e-12, nan_ok=True)


def test_kappa_by_hand():
    a, b = np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1])  # agree 3/4, by chance 1/2 * 1/4 + 1/2 * 3/4 = 1/2
    assert concept_shift.cohen_kappa(a, b) == pytest.approx(0.5)


def test_kappa_leaves_out_missing_votes():
    a, b = np.array([0, 1, -1, 1, 0]), np.array([0, 1, 1, -1, 0])
    assert concept_shift.cohen_kappa(a, b) == 1


@pytest.mark.parametrize("votes", [([0, 0], [0, 0]), ([-1, 0], [0, -1])])
def test_kappa_without_a_chance_to_disagree_is_undefined(votes):
    assert np.isnan(concept_shift.cohen_kappa(np.array(votes[0]), np.array(votes[1])))


def test_kappa_refuses_votes_of_different_lengths():
    with pytest.raises(ValueError, match="shapes"):
        concept_shift.cohen_kappa(np.zeros(3, int), np.zeros(4, int))


# Strictness or noise


def test_a_stricter_grader_only_moves_the_line():
    irregular = np.linspace(0, 1, 100)
    strict, generous = (irregular > 0.8).astype(int), (irregular > 0.5).astype(int)
    assert concept_shift.disagreement(strict, generous) == pytest.approx((0.3, 0.0))


def test_equally_strict_graders_who_err_only_cross():
    a, b = np.array([0, 1, 1, 0, 0]), np.array([1, 0, 1, 0, 0])
    assert concept_shift.disagreement(a, b) == pytest.approx((0.0, 0.4))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(-1, 1), st.integers(-1, 1)), min_size=1, max_size=60))
def test_both_parts_are_the_disagreement_whoever_comes_first(pairs):
    a, b = np.array(pairs).T
    both = (a >= 0) & (b >= 0)
    parts = concept_shift.disagreement(a, b)
    if not both.any():
        assert np.isnan(parts).all()
        return
    assert sum(parts) == pytest.approx((a[both] != b[both]).mean())
    assert parts == pytest.approx(concept_shift.disagreement(b, a))


def test_a_third_class_has_no_single_line_to_move():
    with pytest.raises(ValueError, match="third class"):
        concept_shift.disagreement(np.array([0, 2]), np.array([0, 1]))


def test_pairs_of_graders_agree_with_one_pair_at_a_time():
    _, votes = concept_shift.simulate_votes(GRADERS, 0.3, 600, seed=1)
    votes[:40, 0] = -1
    table = concept_shift.pairs_of_graders(votes, np.arange(600) // 5, n_resamples=200)
    assert list(dict.fromkeys(table["pair"])) == ["1 and 2", "1 and 3", "2 and 3"]
    wide = table.pivot(index="pair", columns="measure", values="value")
    for i, j in ((0, 1), (0, 2), (1, 2)):
        mine = wide.loc[f"{i + 1} and {j + 1}"]
        assert mine["kappa"] == pytest.approx(concept_shift.cohen_kappa(votes[:, i], votes[:, j]))
        assert (mine["moved"], mine["crossed"]) == pytest.approx(concept_shift.disagreement(votes[:, i], votes[:, j]))
    assert (table["low"] < table["value"]).all() and (table["value"] < table["high"]).all()


def test_cells_of_one_slide_are_resampled_together():
    _, votes = concept_shift.simulate_votes(GRADERS, 0.3, 60, seed=1)
    votes = np.repeat(votes, 10, axis=0)
    alone, together = (concept_shift.pairs_of_graders(votes, units) for units in (range(600), np.arange(600) // 10))
    width = [(table["high"] - table["low"]).mean() for table in (alone, together)]
    assert width[1] > 2 * width[0]


@pytest.mark.parametrize("odd", [0, 4])
def test_every_slide_is_drawn_with_the_same_chance(odd):
    """Of five slides one: more than three times in one resample of forty, so the upper end is three in five."""
    votes = np.zeros((5, 2), int)
    votes[odd, 0] = 1
    moved = concept_shift.pairs_of_graders(votes, range(5)).set_index("measure").loc["moved"]
    assert (moved["value"], moved["low"], moved["high"]) == pytest.approx((0.2, 0.0, 0.6))


def test_simulated_votes_follow_the_matrices():
    y, votes = concept_shift.simulate_votes(GRADERS, 0.3, 50_000, seed=0)
    assert y.mean() == pytest.approx(0.3, abs=0.01)
    for g, matrix in enumerate(GRADERS):
        assert votes[y == 1, g].mean() == pytest.approx(matrix[1, 1], abs=0.015)
        assert votes[y == 0, g].mean() == pytest.approx(matrix[0, 1], abs=0.015)
    np.testing.assert_array_equal(votes, concept_shift.simulate_votes(GRADERS, 0.3, 50_000, seed=0)[1])


def test_pairs_of_several_sets_keep_their_names():
    votes = np.array([[0, 1, 1], [1, 1, 1], [0, 0, 1]])
    table = concept_shift.pairs_in({"here": (votes, range(3)), "there": (votes[:, :2], range(3))})
    assert table["data"].value_counts().to_dict() == {"here": 9, "there": 3}
    assert "there: 1 and 2" in set(table["graders"])


# Consensus


def test_vote_shares_and_majority_ignore_missing_votes():
    votes = np.array([[0, 1, 1], [1, -1, 0], [2, -1, -1]])
    np.testing.assert_allclose(concept_shift.vote_shares(votes, 3)[[0, 2]], [[1 / 3, 2 / 3, 0], [0, 0, 1]])
    assert concept_shift.majority_vote(votes, 3).tolist() == [1, 0, 2]


def test_an_image_without_votes_is_refused():
    with pytest.raises(ValueError, match="1 images have no vote"):
        concept_shift.vote_shares(np.array([[0, 1], [-1, -1]]), 2)


@pytest.mark.parametrize("missing", [0.0, 0.15])
@pytest.mark.parametrize("seed", [0, 1])
def test_dawid_skene_recovers_the_graders_on_5000_items(missing, seed):
    _, votes = simulate(GRADERS[[0, 1, 2, 0, 1]], [0.6, 0.4], 5000, seed, missing)
    found = concept_shift.dawid_skene(votes, 2)
    assert found.converged
    np.testing.assert_allclose(found.confusion, GRADERS[[0, 1, 2, 0, 1]], atol=0.03)
    np.testing.assert_allclose(found.prevalence, [0.6, 0.4], atol=0.03)


def test_dawid_skene_recovers_three_classes():
    good, bad = np.eye(3) * 0.7 + 0.1, np.eye(3) * 0.4 + 0.2
    _, votes = simulate(np.stack([good, good, bad, good]), [0.5, 0.3, 0.2], 5000, seed=0)
    found = concept_shift.dawid_skene(votes, 3)  # 1,000 images of the rarest class: known truth errs by 0.03 too
    np.testing.assert_allclose(found.confusion, np.stack([good, good, bad, good]), atol=0.045)


def test_dawid_skene_beats_the_majority_where_one_grader_is_better():
    careless = np.array([[0.6, 0.4], [0.4, 0.6]])
    expert = np.array([[0.97, 0.03], [0.03, 0.97]])
    y, votes = simulate(np.stack([expert, careless, careless, careless, careless]), [0.5, 0.5], 5000, seed=0)
    consensus = concept_shift.dawid_skene(votes, 2).posterior.argmax(axis=1)
    assert (consensus == y).mean() > (concept_shift.majority_vote(votes, 2) == y).mean() + 0.1


def test_dawid_skene_never_lowers_the_likelihood_and_gives_probabilities():
    _, votes = simulate(GRADERS, [0.7, 0.3], 500, seed=0)
    found = concept_shift.dawid_skene(votes, 2)
    assert (np.diff(found.log_likelihood) > -1e-3).all()  # the added counts make it a posterior, so nearly
    np.testing.assert_allclose(found.posterior.sum(axis=1), 1)
    np.testing.assert_allclose(found.confusion.sum(axis=2), 1)


def test_dawid_skene_needs_three_graders():
    with pytest.raises(ValueError, match="three graders"):
        concept_shift.dawid_skene(np.zeros((5, 2), int), 2)


# Losses

LOGITS = torch.randn(12, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
Y = torch.tensor([0, 1, 2] * 4)
TRANSITION = torch.tensor([[0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0.0, 0.4, 0.6]], dtype=torch.float64)


def test_forward_correction_is_the_formula():
    recorded = LOGITS.softmax(dim=1).numpy() @ TRANSITION.numpy()
    expected = -np.log(recorded[np.arange(12), Y.numpy()]).mean()
    assert concept_shift.forward_correction(LOGITS, Y, TRANSITION).item() == pytest.approx(expected, rel=1e-10)


def test_forward_correction_with_perfect_graders_is_cross_entropy():
    torch.testing.assert_close(concept_shift.forward_correction(LOGITS, Y, torch.eye(3)), F.cross_entropy(LOGITS, Y))


def test_forward_correction_is_least_at_the_true_probabilities():
    true = torch.tensor([[0.9, 0.1]], dtype=torch.float64)
    transition = torch.tensor([[0.7, 0.3], [0.2, 0.8]], dtype=torch.float64)
    recorded = (true @ transition).squeeze()
    logits = torch.zeros(1, 2, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([logits], max_iter=200, tolerance_grad=1e-12, tolerance_change=1e-14)

    def closure():
        optimizer.zero_grad()
        losses = [concept_shift.forward_correction(logits, torch.tensor([j]), transition) for j in (0, 1)]
        loss = recorded[0] * losses[0] + recorded[1] * losses[1]
        loss.backward()
        return loss

    optimizer.step(closure)
    torch.testing.assert_close(logits.detach().softmax(dim=1), true, atol=1e-4, rtol=0)


@pytest.mark.parametrize("q", [0.3, 0.7, 1.0])
def test_generalized_cross_entropy_is_the_formula(q):
    p = LOGITS.softmax(dim=1).numpy()[np.arange(12), Y.numpy()]
    ours = concept_shift.generalized_cross_entropy(LOGITS, Y, q).item()
    assert ours == pytest.approx(((1 - p**q) / q).mean(), rel=1e-10)


def test_generalized_cross_entropy_becomes_cross_entropy():
    ours = concept_shift.generalized_cross_entropy(LOGITS, Y, 1e-7)
    torch.testing.assert_close(ours, F.cross_entropy(LOGITS, Y), rtol=1e-6, atol=0)


@pytest.mark.parametrize("q", [0, 1.1, -0.5])
def test_generalized_cross_entropy_refuses_another_q(q):
    with pytest.raises(ValueError, match="q="):
        concept_shift.generalized_cross_entropy(LOGITS, Y, q)


@pytest.mark.parametrize("loss", ["forward", "generalized", "soft"])
def test_gradients_of_the_losses(loss):
    functions = {
        "forward": lambda z: concept_shift.forward_correction(z, Y[:4], TRANSITION),
        "generalized": lambda z: concept_shift.generalized_cross_entropy(z, Y[:4], 0.7),
        "soft": lambda z: concept_shift.soft_cross_entropy(z, TRANSITION[[0, 1, 2, 0]]),
    }
    assert torch.autograd.gradcheck(functions[loss], LOGITS[:4].clone().requires_grad_())


def test_the_mean_loss_over_all_votes_is_the_loss_with_vote_shares():
    votes = np.array([[0, 1, 1], [2, 2, 0], [1, 1, 1], [0, 2, 1]])
    shares = torch.tensor(concept_shift.vote_shares(votes, 3))
    every = F.cross_entropy(LOGITS[:4].repeat_interleave(3, dim=0), torch.tensor(votes).flatten())
    torch.testing.assert_close(concept_shift.soft_cross_entropy(LOGITS[:4], shares), every)
    torch.testing.assert_close(F.cross_entropy(LOGITS[:4], shares), every)  # torch takes soft labels too


# Training


def separable(n: int, flips: float, seed: int) -> tuple[DomainDataset, torch.Tensor]:
    """Bright (1) and dark (0) images whose recorded labels are flipped at random, and the true labels."""
    generator = torch.Generator().manual_seed(seed)
    y = torch.randint(2, (n,), generator=generator)
    x = torch.rand(n, 1, 8, 8, generator=generator) * 0.5 + 0.3 * y[:, None, None, None]
    recorded = torch.where(torch.rand(n, generator=generator) < flips, 1 - y, y)
    names = np.array([f"patient {i}" for i in range(n)])
    domain = torch.arange(n) % 2
    return DomainDataset(x, recorded, domain, names, ("dark", "bright"), ("A", "B"), INFO), y


ALGORITHMS = {
    "forward correction": (concept_shift.ForwardCorrection, {"transition": [[0.7, 0.3], [0.3, 0.7]]}),
    "generalized cross-entropy": (concept_shift.GeneralizedCrossEntropy, {"q": 0.7}),
    "co-teaching": (concept_shift.CoTeaching, {"forget_rate": 0.3}),
}


@pytest.mark.parametrize(("algorithm", "hyperparameters"), ALGORITHMS.values(), ids=ALGORITHMS.keys())
def test_each_algorithm_learns_the_true_classes_from_noisy_labels(algorithm, hyperparameters):
    train, _ = separable(400, 0.3, seed=0)
    test, y = separable(200, 0.0, seed=1)
    model = build(algorithm, train, seed=0, width=4, hyperparameters=hyperparameters)
    fit(model, train, steps=60, balanced=False)
    assert (predict_probabilities(model, test.x).argmax(1) == y.numpy()).mean() > 0.95


@pytest.mark.parametrize(("kind", "own"), [*ALGORITHMS.values(), (concept_shift.SoftLabels, {"table": np.eye(3)})])
def test_there_is_one_domain_where_nothing_is_said(kind, own):
    assert make(kind, **own).n_domains == 1


@pytest.mark.parametrize(
    ("algorithm", "hyperparameters"),
    [
        (concept_shift.ForwardCorrection, {"transition": [[1.0, 0.0], [0.0, 1.0]]}),
        (concept_shift.GeneralizedCrossEntropy, {"q": 1e-6}),
    ],
)
def test_at_the_limit_without_noise_an_algorithm_is_erm(algorithm, hyperparameters):
    train, _ = separable(40, 0.0, seed=0)
    batches = [Batch(train.x, train.y, train.domain)]
    losses = [
        build(kind, train, seed=0, width=4, hyperparameters=values).objective(batches)[0].item()
        for kind, values in [(ERM, None), (algorithm, hyperparameters)]
    ]
    assert losses[1] == pytest.approx(losses[0], rel=1e-3)


@pytest.mark.parametrize(("n", "forget"), [(2, 0.25), (5, 0.25), (48, 0.25), (2, 0.9)])
def test_co_teaching_keeps_the_share_it_should_and_at_least_one_image(n, forget):
    train, _ = separable(n, 0.0, seed=0)
    options = {"forget_rate": forget, "warm_up": 0}
    model = build(concept_shift.CoTeaching, train, seed=0, width=4, hyperparameters=options)
    loss, log = model.objective([Batch(train.x, train.y, train.domain)])
    assert log["kept"] == max(1, round((1 - forget) * n)) / n and loss.isfinite()


def test_co_teaching_starts_with_two_different_networks_and_trains_both():
    train, _ = separable(64, 0.2, seed=0)
    model = build(concept_shift.CoTeaching, train, seed=0, width=4)
    after = [model.classifier.weight, model.peer[1].weight]
    before = [weight.clone() for weight in after]
    fit(model, train, steps=3)  # changes them in place
    assert not torch.equal(*before) and not any(map(torch.equal, before, after))


def test_co_teaching_predicts_the_mean_probability():
    train, _ = separable(8, 0.0, seed=0)
    model = build(concept_shift.CoTeaching, train, seed=0, width=4).eval()
    own, peer = model.classifier(model.featurizer(train.x)).softmax(1), model.peer(train.x).softmax(1)
    torch.testing.assert_close(model.predict(train.x).softmax(1), (own + peer) / 2)


def test_every_vote_becomes_a_copy_that_stays_with_its_patient():
    dataset, _ = separable(3, 0.0, seed=0)
    copies = concept_shift.with_every_vote(dataset, np.array([[0, 1], [-1, 1], [0, 0]]))
    assert copies.y.tolist() == [0, 1, 1, 0, 0]
    assert copies.group.tolist() == ["patient 0", "patient 0", "patient 1", "patient 2", "patient 2"]
    torch.testing.assert_close(copies.x[2], dataset.x[1])


@pytest.mark.parametrize("transition", [[[0.5, 0.4], [0.1, 0.9]], [1.0, 0.0]])
def test_a_transition_whose_rows_do_not_sum_to_one_is_refused(transition):
    dataset, _ = separable(4, 0.0, seed=0)
    with pytest.raises(ValueError, match="rows sum to 1"):
        build(concept_shift.ForwardCorrection, dataset, seed=0, hyperparameters={"transition": transition})


def test_soft_labels_that_are_certain_train_as_hard_ones():
    dataset, y = separable(200, 0.0, seed=0)
    soft, table = concept_shift.with_soft_labels(dataset, np.eye(2)[y.numpy()])
    model = build(concept_shift.SoftLabels, soft, seed=0, width=4, hyperparameters={"table": table})
    loss, _ = model.objective([Batch(soft.x, soft.y, soft.domain)])
    torch.testing.assert_close(loss, F.cross_entropy(model.predict(dataset.x), y))


def test_a_network_learns_the_share_of_votes():
    dataset, y = separable(400, 0.0, seed=0)
    shares = np.where(y.numpy()[:, None] == 1, [0.2, 0.8], [0.9, 0.1])
    soft, table = concept_shift.with_soft_labels(dataset, shares)
    model = build(concept_shift.SoftLabels, soft, seed=0, width=4, hyperparameters={"table": table})
    fit(model, soft, steps=120, balanced=False)
    prob = predict_probabilities(model, dataset.x)
    assert prob.shape == (400, 2)
    assert abs(prob[y == 1, 1].mean() - 0.8) < 0.07 and abs(prob[y == 0, 1].mean() - 0.1) < 0.07


def test_soft_labels_that_do_not_fit_are_refused():
    dataset, _ = separable(4, 0.0, seed=0)
    with pytest.raises(ValueError, match="rows that sum to 1"):
        concept_shift.with_soft_labels(dataset, np.ones((4, 2)))


def test_one_image_is_added_to_the_counts_of_each_grader():
    """So that a grader who was always right so far is not taken for one who never errs."""
    votes = np.repeat([[0] * 3, [1] * 3], [6, 3], axis=0)
    confusion = concept_shift.dawid_skene(votes, 2).confusion
    for true, n in ((0, 6.5), (1, 3.5)):
        assert confusion[:, true, 1 - true] == pytest.approx(np.full(3, 0.25 / n), rel=0.02)


def test_each_network_of_co_teaching_learns_what_the_other_finds_easiest():
    train, _ = separable(24, 0.3, seed=0)
    options = {"forget_rate": 0.5, "warm_up": 0}
    model = build(concept_shift.CoTeaching, train, seed=0, width=4, hyperparameters=options).eval()
    own = F.cross_entropy(model.classifier(model.featurizer(train.x)), train.y, reduction="none")
    others = F.cross_entropy(model.peer(train.x), train.y, reduction="none")
    by_other, by_own = own.detach()[others.argsort()[:12]].mean(), others.detach()[own.argsort()[:12]].mean()
    loss = model.objective([Batch(train.x, train.y, train.domain)])[0].detach()
    torch.testing.assert_close(loss, by_other + by_own)
    assert loss > own.sort()[0][:12].mean() + others.sort()[0][:12].mean()
