import numpy as np
import pytest
import torch
from scipy import stats

from medgen_utils.meta_learning import two_weights as weights

A, B = weights.draw_hospital(0.95, 0), weights.draw_hospital(0.55, 1)
W = torch.tensor([0.3, -0.2], dtype=torch.float64)


@pytest.mark.parametrize("agreement", [0.1, 0.55, 0.95])
def test_the_marker_agrees_as_often_as_it_should(agreement):
    x, y = weights.draw_hospital(agreement, seed=3, n=20_000)
    assert np.isclose((x[:, 1] == 2 * y - 1).double().mean(), agreement, atol=0.02)


@pytest.mark.parametrize("agreement", [0.1, 0.95])
def test_the_contour_means_the_same_everywhere(agreement):
    x, y = weights.draw_hospital(agreement, seed=5, n=20_000)
    for label in (0, 1):
        assert stats.kstest(x[y == label, 0], stats.norm(2 * label - 1, 1.2).cdf).pvalue > 0.01


def test_an_agreement_is_a_share():
    with pytest.raises(ValueError, match="agreement=95"):
        weights.draw_hospital(95, 0)


def test_risk_and_gradient_are_those_of_torch():
    w = W.clone().requires_grad_()
    loss = torch.nn.functional.binary_cross_entropy_with_logits(A[0] @ w, A[1])
    torch.testing.assert_close(weights.risk(w, A), loss)
    torch.testing.assert_close(weights.gradient(w, A), torch.autograd.grad(loss, w)[0])


def test_risk_and_gradient_take_a_grid_of_weights():
    grid = torch.stack([W, 2 * W, -W]).reshape(3, 1, 2)
    assert weights.risk(grid, A).shape == (3, 1) and weights.gradient(grid, A).shape == (3, 1, 2)
    torch.testing.assert_close(weights.gradient(grid, A)[1, 0], weights.gradient(2 * W, A))


def test_without_a_step_rehearsal_is_the_sum_of_two_risks():
    value, gradient = weights.rehearsed(W, A, B, 0.0, beta=0.5)
    torch.testing.assert_close(value, weights.risk(W, A) + 0.5 * weights.risk(W, B))
    torch.testing.assert_close(gradient, weights.gradient(W, A) + 0.5 * weights.gradient(W, B))


def test_the_rehearsed_risk_is_the_mean_of_both_splits():
    sides = weights.rehearsed(W, A, B, 2.0)[0] + weights.rehearsed(W, B, A, 2.0)[0]
    torch.testing.assert_close(weights.rehearsed_risk(W, A, B, 2.0), sides / 4)
    plain = (weights.risk(W, A) + weights.risk(W, B)) / 2
    torch.testing.assert_close(weights.rehearsed_risk(W, A, B, 0.0), plain)


@pytest.mark.parametrize("step", [0.0, 1.0, 4.0])
def test_the_resting_point_is_lowest_of_its_neighbours(step):
    point = weights.resting_point(A, B, step)
    here = weights.rehearsed_risk(point, A, B, step)
    for move in ([0.05, 0], [-0.05, 0], [0, 0.05], [0, -0.05]):
        assert weights.rehearsed_risk(point + torch.tensor(move), A, B, step) > here


def test_first_order_with_twice_the_step_rests_near_exact_and_with_the_same_step_between_it_and_plain_training():
    contour = [weights.resting_point(A, B, *version)[0] for version in ((0.0,), (0.5, True), (0.5,), (1.0, True))]
    assert contour[0] < contour[1] < contour[2]
    assert abs(contour[3] - contour[2]) < abs(contour[1] - contour[2])


def test_a_hospital_that_a_line_can_part_has_no_resting_point():
    x = torch.tensor([[1.0, 1.0], [-1.0, -1.0]], dtype=torch.float64)
    parted = x, torch.tensor([1.0, 0.0], dtype=torch.float64)
    with pytest.raises(ValueError, match="no resting point"):
        weights.resting_point(parted, parted, 40.0)


def test_the_marker_alone_scores_by_its_agreement():
    x, y = weights.draw_hospital(0.9, 0, n=20_000)
    marker = torch.tensor([0.0, 1.0], dtype=torch.float64)
    assert weights.auroc_at(marker, (x, y)) == pytest.approx(0.9, abs=0.01)
    assert weights.auroc_at(-marker, (x, y)) == pytest.approx(0.1, abs=0.01)
