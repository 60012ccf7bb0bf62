import numpy as np
import pytest
import torch

from medgen_utils.meta_learning import MLDG, Fish, directions
from medgen_utils.training import ERM
from tests.meta_learning.test_algorithms import draw_batches
from tests.networks import make, weights


@pytest.fixture
def model():
    model = make(ERM)
    for seed in range(5):
        model.update(draw_batches((8, 8, 8), seed))
    return model


def test_the_gradient_is_the_one_the_algorithm_takes_and_the_model_stays(model):
    batches, before = draw_batches((8, 8, 8)), weights(model)
    found = directions.gradient_of(model, ERM, batches)
    loss, _ = model.train().objective(batches)
    expected = torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(model.parameters()))])
    torch.testing.assert_close(found, expected)
    assert torch.equal(weights(model), before)


def test_fish_points_where_first_order_mldg_does_with_two_hospitals(model):
    batches = draw_batches((8, 8))
    fish, mldg = (directions.gradient_of(model, algorithm, batches) for algorithm in (Fish, MLDG))
    torch.testing.assert_close(2 * fish, mldg, rtol=1e-3, atol=1e-5)


def test_a_step_of_nothing_turns_nothing_and_larger_ones_turn_more(model):
    draws = [draw_batches((8, 8, 8), seed) for seed in (1, 2)]
    frame = directions.turning(model, draws, (0.0, 1e-3, 1.0))
    cosine = frame.groupby(["pair", "inner_step"])["cosine"].mean()
    assert cosine[directions.LOOKED, 0.0] == pytest.approx(1, abs=1e-5)
    assert cosine[directions.CHEAP, 0.0] == pytest.approx(1, abs=1e-5)
    assert cosine[directions.LOOKED, 1.0] < cosine[directions.LOOKED, 1e-3] < 1 + 1e-5


def test_the_yardsticks_compare_with_erm_on_the_same_and_on_other_images(model):
    draws = [draw_batches((8, 8, 8), seed) for seed in (1, 2, 3)]
    frame = directions.turning(model, draws, (0.1,))
    assert len(frame) == 3 * 4 and frame["cosine"].between(-1.00001, 1.00001).all()
    plain = [directions.gradient_of(model, ERM, batches) for batches in draws]
    other = frame[frame["pair"] == directions.OTHER].set_index("draw")["cosine"]
    assert other[2] == pytest.approx(torch.nn.functional.cosine_similarity(plain[2], plain[0], dim=0).item(), rel=1e-5)
    assert np.isnan(frame.loc[frame["pair"] == directions.APART, "inner_step"]).all()


def test_one_draw_has_no_yardstick(model):
    with pytest.raises(ValueError, match="1 draw"):
        directions.turning(model, [draw_batches((8, 8))], (0.1,))
