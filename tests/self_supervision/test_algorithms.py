"""Pre-training never sees labels, fits the loop and learns its task, whatever the number of domains."""

import pytest
import torch

from medgen_utils import self_supervision as ssl
from medgen_utils.self_supervision import BYOL, MAE, JiGen, RotNet, SimCLR
from medgen_utils.training import ERM, build, fit
from tests.networks import make, weights
from tests.self_supervision.examples import draw_batches, images

PRETRAINING = (SimCLR, BYOL, RotNet, MAE)


class TestAlgorithms:
    @pytest.mark.parametrize("algorithm", PRETRAINING)
    def test_pretraining_never_looks_at_labels(self, algorithm):
        first, second = make(algorithm), make(algorithm)
        batches = draw_batches([6, 5])
        for model, y in ((first, [b.y for b in batches]), (second, [1 - b.y for b in batches])):
            torch.manual_seed(1)
            model.update([b._replace(y=labels) for b, labels in zip(batches, y, strict=True)])
        assert torch.equal(weights(first), weights(second))
        assert torch.equal(first.classifier.weight, make(algorithm).classifier.weight)

    @pytest.mark.parametrize("algorithm", [*PRETRAINING, JiGen])
    def test_there_is_one_domain_where_nothing_is_said(self, algorithm):
        assert make(algorithm).n_domains == 1

    @pytest.mark.parametrize("algorithm", [*PRETRAINING, JiGen])
    @pytest.mark.parametrize("sizes", [[5], [4, 3], [2, 3, 4, 5]], ids=str)
    @pytest.mark.parametrize("channels", [1, 3])
    def test_every_algorithm_learns_its_task(self, algorithm, sizes, channels):
        model = make(algorithm, channels)
        before, batches, losses = weights(model), draw_batches(sizes, channels), []
        for _ in range(25):
            torch.manual_seed(0)  # the same task every time
            losses.append(model.update(batches)["loss"])
        assert losses[-1] < losses[0]
        assert not torch.equal(weights(model), before)

    def test_simclr_names_its_augmentation(self):
        calls = []

        def augment(x, generator):
            calls.append(len(x))
            return x + torch.rand(x.shape, generator=generator)

        make(SimCLR, augment=augment).update(draw_batches([4, 3]))
        assert calls == [7, 7]

    def test_jigen_without_a_puzzle_has_the_loss_of_erm(self):
        jigen, erm = make(JiGen, weight=0.0, shuffled=0.0).eval(), make(ERM).eval()
        batches = draw_batches([6, 5])
        torch.testing.assert_close(jigen.objective(batches)[0], erm.objective(batches)[0])

    def test_jigen_shuffles_the_share_asked_for_and_judges_the_class_of_the_others_alone(self):
        model, seen = make(JiGen, shuffled=0.4), []
        model.order_head.register_forward_hook(lambda _, inputs, __: seen.append(len(inputs[0])))
        model.classifier.register_forward_hook(lambda _, inputs, __: seen.append(len(inputs[0])))
        model.objective(draw_batches([6, 5]))
        assert seen == [7, 11]

    def test_jigen_with_no_whole_image_is_refused(self):
        with pytest.raises(ValueError, match="shuffled=1"):
            make(JiGen, shuffled=1.0)

    def test_mae_sees_what_the_network_sees_with_zero_in_the_middle(self):
        model, x = make(MAE).eval(), images()
        expected = model.decoder(model.featurizer.layers(2 * x - 1))
        torch.testing.assert_close(model.reconstruct(x), expected)

    def test_mae_paints_a_whole_image(self):
        assert make(MAE, channels=3).reconstruct(images(channels=3)).shape == (6, 3, 28, 28)

    @pytest.mark.parametrize("algorithm", [*PRETRAINING, JiGen])
    def test_training_fits_the_loop_and_repeats(self, algorithm, dataset):
        models = [build(algorithm, dataset, seed=0, width=4) for _ in range(2)]
        for model in models:
            fit(model, ssl.unlabelled(dataset), steps=2, batch_size=12, seed=5)
        assert torch.equal(*(weights(model) for model in models))


class TestSlowCopy:
    def test_the_loss_of_byol_has_no_gradient_in_the_slow_copy(self):
        model = make(BYOL)
        model.objective(draw_batches([6]))[0].backward()
        assert all(p.grad is None for p in model.target.parameters())
        assert all(p.grad is not None for p in (*model.featurizer.parameters(), *model.predictor.parameters()))

    def test_the_slow_copy_moves_by_momentum_alone(self):
        model = make(BYOL)
        before = weights(model.target)
        model.update(draw_batches([6]))
        online = torch.cat([weights(model.featurizer), weights(model.projector)])
        torch.testing.assert_close(weights(model.target), BYOL.momentum * before + (1 - BYOL.momentum) * online)

    def test_the_slow_copy_stands_still_at_the_end(self):
        model = make(BYOL)
        model.prepare(total_steps=1)
        model.update(draw_batches([6]))
        assert model.progress == 1
        before = weights(model.target)
        model.update(draw_batches([6]))
        assert torch.equal(weights(model.target), before)


class TestUnlabelled:
    def test_unlabelled_keeps_all_but_the_labels(self, dataset):
        bare = ssl.unlabelled(dataset)
        assert bare.y.unique().tolist() == [0]
        assert torch.equal(bare.x, dataset.x)
        assert len(dataset.y.unique()) == 2
