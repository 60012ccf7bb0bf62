import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.func import functional_call, grad, replace_all_batch_norm_modules_
from torch.nn import functional as F

from medgen_utils.data import Batch
from medgen_utils.meta_learning import MASF, MLDG, Fish, global_class_alignment
from medgen_utils.training import ERM
from tests.networks import equal_states, make, weights

METHODS = [(MLDG, {"first_order": True}), (MLDG, {"first_order": False}), (MASF, {}), (Fish, {})]
method = pytest.mark.parametrize(("algorithm", "hyperparameters"), METHODS)


def draw_batches(sizes, seed=0, classes=(0, 1)):
    """One batch a domain; images of class 1 are brighter, so there is something to learn."""
    generator = torch.Generator().manual_seed(seed)
    batches = []
    for domain, size in enumerate(sizes):
        y = torch.tensor(classes)[torch.randint(len(classes), (size,), generator=generator)]
        x = torch.rand(size, 1, 12, 12, generator=generator) * 0.5 + 0.4 * y[:, None, None, None]
        batches.append(Batch(x, y, torch.full((size,), domain)))
    return batches


class TestAlgorithms:
    @method
    def test_a_rehearsal_holds_one_of_two_domains_out_where_nothing_is_said(self, algorithm, hyperparameters):
        assert make(algorithm).n_domains == (1 if algorithm is Fish else 2)

    @method
    @pytest.mark.parametrize("sizes", [(8, 8), (8, 8, 8), (4,) * 5, (7, 5, 3), (1, 2), (1, 1, 1)])
    def test_the_network_changes_and_stays_finite(self, algorithm, hyperparameters, sizes):
        model = make(algorithm, **hyperparameters)
        before = weights(model)
        log = model.update(draw_batches(sizes))
        assert not torch.equal(weights(model), before)
        assert weights(model).isfinite().all()
        assert np.isfinite(log["loss"])

    def test_two_domains_and_two_virtual_test_domains_still_train(self):
        """DomainBed's MLDG holds out 2 domains by default: with 2 training domains it never changes the network."""
        model = make(MLDG, n_virtual_test=2)
        before = weights(model)
        model.update(draw_batches((6, 6)))
        assert not torch.equal(weights(model), before)

    @method
    def test_the_training_loss_falls(self, algorithm, hyperparameters):
        model, batches = make(algorithm, **hyperparameters), draw_batches((12, 12, 12))
        losses = []
        for _ in range(15):
            losses.append(ERM.objective(copy.deepcopy(model), batches)[1]["loss"])
            model.update(batches)
        assert losses[-1] < 0.8 * losses[0]

    @method
    @pytest.mark.parametrize("classes", [(0,), (1,)])
    def test_batches_of_one_class_work(self, algorithm, hyperparameters, classes):
        model = make(algorithm, **hyperparameters)
        model.update(draw_batches((4, 4, 4), classes=classes))
        assert weights(model).isfinite().all()

    @method
    def test_an_update_is_reproducible_and_leaves_the_global_generator_alone(self, algorithm, hyperparameters):
        one, other = make(algorithm, **hyperparameters), make(algorithm, **hyperparameters)
        for model in (one, other):
            torch.manual_seed(len(weights(model)))
            state = torch.get_rng_state()
            for seed in range(3):
                model.update(draw_batches((4, 4, 4), seed))
            assert torch.equal(torch.get_rng_state(), state)
        assert equal_states(one, other)

    @method
    def test_a_step_leaves_the_statistics_alone(self, algorithm, hyperparameters):
        model = make(algorithm, **hyperparameters, inner_learning_rate=5.0)
        before = [buffer.clone() for buffer in model.featurizer.buffers()]
        model.update(draw_batches((6, 6)))
        for buffer, start in zip(model.featurizer.buffers(), before, strict=True):
            assert torch.equal(buffer, start)

    @method
    @pytest.mark.parametrize("look", ["evaluation mode", "stored", "a copy"])
    def test_statistics_are_those_of_the_last_20_steps_under_the_kept_weights(self, algorithm, hyperparameters, look):
        model, images = make(algorithm, **hyperparameters, inner_learning_rate=1.0), []
        for seed in range(23):
            batches = draw_batches((6, 5, 7), seed)
            images.append(torch.cat([batch.x for batch in batches]))
            model.update(batches)
        if look == "evaluation mode":
            found = dict(model.eval().named_buffers())
        else:
            found = model.state_dict() if look == "stored" else dict(copy.deepcopy(model).eval().named_buffers())
        assert model.training == (look != "evaluation mode")
        by_hand = [statistics_of(model.featurizer.layers, x) for x in images[-20:]]
        for i, (mean, variance) in {i: torch.stack([step[i] for step in by_hand]).mean(0) for i in by_hand[0]}.items():
            torch.testing.assert_close(found[f"featurizer.layers.{i}.running_mean"], mean, rtol=1e-4, atol=1e-5)
            torch.testing.assert_close(found[f"featurizer.layers.{i}.running_var"], variance, rtol=1e-4, atol=1e-5)

    @method
    def test_a_look_on_the_way_changes_nothing(self, algorithm, hyperparameters):
        looked, unseen = make(algorithm, **hyperparameters), make(algorithm, **hyperparameters)
        for seed in range(4):
            for model in (looked, unseen):
                model.update(draw_batches((4, 4), seed))
            looked.eval().train()
        assert equal_states(looked, unseen)

    @method
    def test_a_network_without_batch_norm_works(self, algorithm, hyperparameters):
        torch.manual_seed(0)
        model = algorithm(nn.Flatten(), nn.Linear(144, 2), **hyperparameters)
        model.prepare()
        before = weights(model)
        model.update(draw_batches((4, 4)))
        assert not torch.equal(weights(model), before)

    @method
    def test_a_negative_inner_step_is_an_error(self, algorithm, hyperparameters):
        with pytest.raises(ValueError, match="inner_learning_rate=-1"):
            make(algorithm, **hyperparameters, inner_learning_rate=-1)


class TestMLDG:
    @pytest.mark.parametrize("first_order", [False, True])
    def test_beta_zero_is_the_step_of_erm_on_the_virtual_training_domains(self, first_order):
        model, erm = make(MLDG, beta=0.0, first_order=first_order), make(ERM)
        for seed in range(3):
            batches = draw_batches((6, 6, 6), seed)
            train, _ = model.virtual_domains(3)
            model.update(batches)
            erm.update([batches[i] for i in train])
            assert torch.equal(weights(model), weights(erm))

    def test_without_a_look_ahead_it_is_erm_with_the_virtual_test_domain_weighted_by_beta(self):
        torch.manual_seed(0)
        model, batches = MLDG(nn.Flatten(), nn.Linear(144, 2), inner_learning_rate=0.0, beta=0.5), draw_batches((6, 6))
        model.prepare()
        (train,), (test,) = model.virtual_domains(2)
        losses = [F.cross_entropy(model.predict(batch.x), batch.y) for batch in batches]
        expected = torch.autograd.grad(losses[train] + 0.5 * losses[test], list(model.parameters()))
        model.update(batches)
        for parameter, gradient in zip(model.parameters(), expected, strict=True):
            torch.testing.assert_close(parameter.grad, gradient)

    @pytest.mark.parametrize("n_domains", [2, 3, 5])
    @pytest.mark.parametrize("n_virtual_test", [1, 2, 9])
    def test_every_domain_is_on_one_side_and_no_side_is_empty(self, n_domains, n_virtual_test):
        model = make(MLDG, n_virtual_test=n_virtual_test)
        for step in range(20):
            model.step_count.fill_(step)
            train, test = model.virtual_domains(n_domains)
            assert sorted(train + test) == list(range(n_domains))
            assert len(test) == min(n_virtual_test, n_domains - 1)

    def test_one_of_four_is_held_out_where_nothing_is_said(self):
        assert [len(side) for side in make(MLDG).virtual_domains(4)] == [3, 1]

    def test_every_domain_has_its_turn_and_seeds_differ(self):
        draws = []
        for seed in (0, 1):
            model = make(MLDG, seed=seed)
            for step in range(60):
                model.step_count.fill_(step)
                draws.append(model.virtual_domains(3)[1][0])
        assert min(np.bincount(draws[:60])) >= 10
        assert draws[:60] != draws[60:]

    def test_one_domain_is_an_error(self):
        with pytest.raises(ValueError, match="1 training domain"):
            make(MLDG).update(draw_batches((6,)))

    @pytest.mark.parametrize("wrong", [{"beta": -1.0}, {"n_virtual_test": 0}])
    def test_wrong_settings_are_errors(self, wrong):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            make(MLDG, **wrong)


class TestMASF:
    def test_beta_zero_is_mldg_with_beta_zero(self):
        one, other, batches = make(MASF, beta=0.0), make(MLDG, beta=0.0), draw_batches((6, 6, 6))
        one.update(batches)
        other.update(batches)
        assert equal_states(one, other)

    def test_the_judgement_is_the_mean_alignment_of_the_pairs(self):
        model, (a, b, c) = make(MASF), draw_batches((6, 5, 4))
        table = {len(batch.y): torch.randn(len(batch.y), 2) for batch in (a, b, c)}
        value = model.test_loss(lambda x: torch.cat([table[6], table[5], table[4]]), [a, b], [c])
        pairs = [global_class_alignment(table[len(s.y)], s.y, table[4], c.y, 2.0) for s in (a, b)]
        torch.testing.assert_close(value, torch.stack(pairs).mean())

    def test_it_draws_the_confusions_of_the_domains_together(self):
        batches = draw_batches((16, 16))
        batches[1] = batches[1]._replace(x=batches[1].x * 0.3)

        def distance(beta):
            model = make(MASF, beta=beta)
            for _ in range(25):
                model.update(batches)
            with torch.no_grad():
                return MASF.test_loss(model, model.predict, batches[:1], batches[1:]).item()

        assert distance(20.0) < distance(0.0)


class TestFish:
    def test_one_domain_and_a_whole_step_is_a_step_of_sgd(self):
        model, erm, batches = make(Fish, inner_learning_rate=0.1), make(ERM), draw_batches((8,))
        model.optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        erm.optimizer = torch.optim.SGD(erm.parameters(), lr=0.1)
        model.update(batches)
        erm.update(batches)
        assert torch.equal(weights(model), weights(erm))

    def test_one_domain_is_erm_under_the_default_optimizer(self):
        model, erm = make(Fish), make(ERM)
        for seed in range(3):
            model.update(draw_batches((8,), seed))
            erm.update(draw_batches((8,), seed))
        assert torch.equal(weights(model), weights(erm))

    @pytest.mark.parametrize("sizes", [(8,), (7, 5), (4, 6, 3), (2, 3, 4, 5, 6)])
    def test_the_gradient_is_the_mean_of_those_along_a_walk_of_pure_functions(self, sizes):
        model, batches = make(Fish, inner_learning_rate=0.3), draw_batches(sizes)
        network = replace_all_batch_norm_modules_(copy.deepcopy(nn.Sequential(model.featurizer, model.classifier)))
        params = {name: p.detach() for name, p in network.named_parameters()}
        mean = {name: torch.zeros_like(p) for name, p in params.items()}
        for i in model.order_of_domains(len(sizes)):
            x, y, _ = batches[i]
            gradient = grad(lambda params, x, y: F.cross_entropy(functional_call(network, params, (x,)), y))(
                params, x, y
            )
            params = {name: p - 0.3 * gradient[name] for name, p in params.items()}
            mean = {name: m + gradient[name] / len(sizes) for name, m in mean.items()}
        model.update(batches)
        for parameter, expected in zip(model.parameters(), mean.values(), strict=True):
            torch.testing.assert_close(parameter.grad, expected, rtol=1e-4, atol=1e-6)

    @pytest.mark.parametrize("step", [0.5, 1.0])
    def test_under_sgd_it_moves_by_the_step_towards_the_end_of_the_walk(self, step):
        torch.manual_seed(0)
        model = Fish(nn.Flatten(), nn.Linear(144, 2), inner_learning_rate=0.2)
        walker, start, batches = copy.deepcopy(model), weights(model), draw_batches((4, 5, 6))
        optimizer = torch.optim.SGD(walker.parameters(), lr=0.2)
        for i in model.order_of_domains(3):
            optimizer.zero_grad()
            F.cross_entropy(walker.predict(batches[i].x), batches[i].y).backward()
            optimizer.step()
        model.optimizer = torch.optim.SGD(model.parameters(), lr=step * 0.2 * 3)
        model.update(batches)
        torch.testing.assert_close(weights(model), start + step * (weights(walker) - start))

    def test_two_domains_give_half_of_the_gradient_of_first_order_mldg(self):
        fish, mldg, batches = make(Fish), make(MLDG, beta=1.0, first_order=True), draw_batches((6, 6))
        fish.update(batches)
        mldg.update(batches)
        for a, b in zip(fish.parameters(), mldg.parameters(), strict=True):
            torch.testing.assert_close(2 * a.grad, b.grad)

    def test_without_inner_steps_it_is_the_step_of_erm(self):
        torch.manual_seed(0)
        batches = draw_batches((6, 6, 6))
        model = Fish(nn.Flatten(), nn.Linear(144, 2), inner_learning_rate=0.0)
        model.prepare()
        erm = ERM(model.featurizer, copy.deepcopy(model.classifier))
        erm.objective(batches)[0].backward()
        model.update(batches)
        for parameter, expected in zip(model.parameters(), erm.parameters(), strict=True):
            torch.testing.assert_close(parameter.grad, expected.grad)

    def test_an_interrupted_walk_is_taken_back(self):
        model, batches = make(Fish, inner_learning_rate=5.0), draw_batches((6, 6))
        before = copy.deepcopy(model).state_dict()
        last = model.order_of_domains(2)[1]
        batches[last] = batches[last]._replace(y=batches[last].y[:3])
        with pytest.raises(ValueError, match="batch_size"):
            model.update(batches)
        assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())

    @pytest.mark.parametrize("part", ["featurizer", "classifier"])
    def test_a_frozen_part_stays_and_the_other_learns(self, part):
        model = make(Fish)
        frozen = getattr(model, part).requires_grad_(False)
        before, all_before = weights(frozen), weights(model)
        model.update(draw_batches((6, 6, 6)))
        assert torch.equal(weights(frozen), before) and not torch.equal(weights(model), all_before)


def statistics_of(layers, x):
    """For each batch normalization among ``layers``, by its place, mean and variance of what it meets of images x."""
    x, found = 2 * x - 1, {}
    with torch.no_grad():
        for place, layer in enumerate(layers):
            if isinstance(layer, nn.BatchNorm2d):
                mean, variance = x.mean((0, 2, 3)), x.var((0, 2, 3))
                found[place] = torch.stack([mean, variance])
                biased = x.var((0, 2, 3), correction=0)[:, None, None]
                x = (x - mean[:, None, None]) / (biased + layer.eps).sqrt()
                x = x * layer.weight[:, None, None] + layer.bias[:, None, None]
            else:
                x = layer(x)
    return found
