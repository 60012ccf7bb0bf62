import copy
import math
from itertools import combinations

import pytest
import torch
from pytorch_metric_learning.losses import NTXentLoss, SupConLoss
from torch import nn

from medgen_utils import self_supervision as ssl
from medgen_utils.clinic import acquisition_hospitals, make_clinic
from medgen_utils.data import Batch
from medgen_utils.self_supervision import BYOL, MAE, JiGen, RotNet, SimCLR
from medgen_utils.training import ERM, SmallCNN, build, extract_features, fit

PRETRAINING = (SimCLR, BYOL, RotNet, MAE)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=generator(seed), dtype=torch.float64)


def images(n=6, channels=1, size=28, seed=0):
    return torch.rand(n, channels, size, size, generator=generator(seed))


def make(algorithm, channels=1, **hyperparameters):
    torch.manual_seed(0)
    featurizer = SmallCNN(channels, width=4)
    model = algorithm(featurizer, nn.Linear(featurizer.n_features, 2), **hyperparameters).train()
    model.prepare()
    return model


def draw_batches(sizes, channels=1, seed=0):
    y = [torch.randint(2, (n,), generator=generator(seed + d)) for d, n in enumerate(sizes)]
    return [Batch(images(len(y[d]), channels, seed=seed + d), y[d], torch.full_like(y[d], d)) for d in range(len(y))]


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


@pytest.fixture(scope="module")
def dataset():
    return make_clinic(acquisition_hospitals()[:3], n=20, seed=0)


class TestContrastive:
    @pytest.mark.parametrize("n", [2, 3, 16])
    @pytest.mark.parametrize("temperature", [0.1, 0.5, 2.0])
    def test_nt_xent_equals_an_independent_implementation(self, n, temperature):
        z_a, z_b = normal(n, 8), normal(n, 8, seed=1)
        pairs = torch.arange(n).repeat(2)
        expected = NTXentLoss(temperature)(torch.cat([z_a, z_b]), pairs)
        assert ssl.nt_xent(z_a, z_b, temperature).item() == pytest.approx(expected.item(), abs=1e-6)

    @pytest.mark.parametrize("y", [[0, 1, 0, 1, 1, 0], [0, 0, 0, 1, 1, 2], [3, 3, 3, 3, 3, 1]])
    @pytest.mark.parametrize("temperature", [0.1, 0.5, 2.0])
    def test_supervised_contrastive_equals_an_independent_implementation(self, y, temperature):
        z, y = normal(6, 8), torch.tensor(y)
        expected = SupConLoss(temperature)(z, y)
        assert ssl.supervised_contrastive(z, y, temperature).item() == pytest.approx(expected.item(), abs=1e-6)

    @pytest.mark.parametrize("n", [2, 5, 48])
    def test_equal_embeddings_give_log_of_the_number_of_others(self, n):
        z = normal(1, 4).repeat(n, 1)
        assert ssl.nt_xent(z, z).item() == pytest.approx(math.log(2 * n - 1))
        assert ssl.supervised_contrastive(z, torch.zeros(n)).item() == pytest.approx(math.log(n - 1))

    def test_equal_views_far_from_all_others_cost_nothing(self):
        z = torch.eye(6, dtype=torch.float64)
        assert ssl.nt_xent(z, z, temperature=0.02).item() == pytest.approx(0, abs=1e-12)

    def test_swapped_partners_cost_the_most(self):
        z = torch.eye(6, dtype=torch.float64)
        assert ssl.nt_xent(z, z.roll(1, 0)) > ssl.nt_xent(z, z)

    def test_supervised_contrastive_of_pairs_is_nt_xent(self):
        z_a, z_b = normal(5, 8), normal(5, 8, seed=1)
        supervised = ssl.supervised_contrastive(torch.cat([z_a, z_b]), torch.arange(5).repeat(2), 0.3)
        torch.testing.assert_close(supervised, ssl.nt_xent(z_a, z_b, 0.3))

    def test_length_of_embeddings_does_not_matter(self):
        z_a, z_b = normal(5, 8), normal(5, 8, seed=1)
        torch.testing.assert_close(ssl.nt_xent(10 * z_a, 0.1 * z_b), ssl.nt_xent(z_a, z_b))

    def test_gradients_are_finite_and_right(self):
        z = normal(4, 3).requires_grad_()
        assert torch.autograd.gradcheck(lambda z: ssl.nt_xent(z[:2], z[2:]), z)
        assert torch.autograd.gradcheck(lambda z: ssl.supervised_contrastive(z, torch.tensor([0, 0, 1, 1])), z)
        assert torch.autograd.gradcheck(lambda z: ssl.supervised_contrastive(z, torch.tensor([0, 0, 1, 2])), z)

    @pytest.mark.parametrize(
        ("call", "message"),
        [
            (lambda: ssl.nt_xent(normal(3, 2), normal(4, 2)), "shapes"),
            (lambda: ssl.nt_xent(normal(1, 2), normal(1, 2)), "n >= 2"),
            (lambda: ssl.nt_xent(normal(3, 2), normal(3, 2), temperature=0), "temperature=0"),
            (lambda: ssl.supervised_contrastive(normal(3, 2), torch.arange(3)), "no two images"),
        ],
    )
    def test_wrong_input_is_refused(self, call, message):
        with pytest.raises(ValueError, match=message):
            call()


class TestMomentumAndStopGradient:
    @pytest.mark.parametrize(("sign", "value"), [(1, 0), (-1, 4)])
    def test_byol_loss_of_parallel_and_opposite_vectors(self, sign, value):
        z = normal(5, 8)
        assert ssl.byol_loss(z, sign * 3 * z).item() == pytest.approx(value, abs=1e-9)

    def test_byol_loss_is_the_squared_distance_of_normalised_rows(self):
        p, t = normal(5, 8), normal(5, 8, seed=1)
        distance = (nn.functional.normalize(p) - nn.functional.normalize(t)).square().sum(1).mean()
        torch.testing.assert_close(ssl.byol_loss(p, t), distance)

    def test_no_gradient_reaches_the_target_of_byol_loss(self):
        p, t = normal(5, 8).requires_grad_(), normal(5, 8, seed=1).requires_grad_()
        ssl.byol_loss(p, t).backward()
        assert t.grad is None
        assert p.grad.abs().sum() > 0

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

    @pytest.mark.parametrize("momentum", [0.0, 0.25, 1.0])
    def test_momentum_mixes_the_weights(self, momentum):
        torch.manual_seed(0)
        target, online = nn.Linear(3, 2), nn.Linear(3, 2)
        expected = momentum * weights(target) + (1 - momentum) * weights(online)
        ssl.update_momentum(target, online, momentum)
        torch.testing.assert_close(weights(target), expected)


class TestAugmentationPairs:
    def test_the_two_views_of_every_image_differ(self):
        view_a, view_b = make(SimCLR).views(draw_batches([5, 4]))
        assert (view_a != view_b).flatten(1).any(1).all()

    def test_the_crop_of_one_image_differs_from_image_to_image(self):
        crops = ssl.random_crop(images(1).repeat(5, 1, 1, 1), generator())
        assert all((a != b).any() for a, b in combinations(crops, 2))

    def test_the_same_generator_gives_the_same_crop(self):
        assert torch.equal(ssl.random_crop(images(), generator(3)), ssl.random_crop(images(), generator(3)))

    @pytest.mark.parametrize("channels", [1, 3])
    def test_a_crop_keeps_shape_and_range(self, channels):
        crops = ssl.random_crop(images(channels=channels), generator(), smallest=0.2)
        assert crops.shape == (6, channels, 28, 28)
        assert crops.min() >= 0
        assert crops.max() <= 1

    def test_a_crop_of_the_whole_image_is_the_image(self):
        torch.testing.assert_close(ssl.random_crop(images(), generator(), smallest=1), images(), atol=1e-5, rtol=0)

    def test_a_crop_is_a_part_of_the_image(self):
        ramp = torch.linspace(0, 1, 28).expand(1, 1, 28, 28).repeat(20, 1, 1, 1)
        slopes = ssl.random_crop(ramp, generator(), smallest=0.4).diff(dim=3)[:, 0, 0, 13] * 27
        assert ((slopes > 0.39) & (slopes < 1.01)).all()

    def test_an_impossible_crop_is_refused(self):
        with pytest.raises(ValueError, match="smallest=0"):
            ssl.random_crop(images(), generator(), smallest=0)


class TestPretextTasks:
    def test_turning_back_gives_the_image(self):
        x = images()
        turned, turns = ssl.rotate_batch(x)
        assert turns.bincount().tolist() == [6] * 4
        back = torch.stack([torch.rot90(image, -int(k), (1, 2)) for image, k in zip(turned, turns, strict=True)])
        assert torch.equal(back, x.repeat(4, 1, 1, 1))

    @pytest.mark.parametrize("size", [1, 2, 4, 7, 14, 28])
    @pytest.mark.parametrize("channels", [1, 3])
    def test_patches_put_together_are_the_image(self, size, channels):
        x = images(channels=channels)
        patches = ssl.to_patches(x, size)
        assert patches.shape == (6, (28 // size) ** 2, channels, size, size)
        assert torch.equal(patches[:, 0], x[:, :, :size, :size])
        assert torch.equal(ssl.from_patches(patches), x)

    @pytest.mark.parametrize(("tiles", "number"), [(2, 24), (4, 30)])
    def test_putting_the_tiles_back_gives_the_image(self, tiles, number):
        x, orders = images(n=40), ssl.jigsaw_permutations(tiles, number)
        shuffled, drawn = ssl.jigsaw_batch(x, orders, generator())
        patches = ssl.to_patches(shuffled, 28 // tiles)
        back = torch.stack([p[orders[k].argsort()] for p, k in zip(patches, drawn, strict=True)])
        assert torch.equal(ssl.from_patches(back), x)
        whole = (shuffled == x).flatten(1).all(1)
        assert torch.equal(whole, drawn == 0)
        assert len(drawn.unique()) > number / 3

    @pytest.mark.parametrize(("tiles", "number", "least"), [(2, 24, 2), (2, 4, 4), (4, 30, 13)])
    def test_orders_are_permutations_that_start_whole_and_lie_far_apart(self, tiles, number, least):
        orders = ssl.jigsaw_permutations(tiles, number)
        assert torch.equal(orders.sort(1).values, torch.arange(tiles**2).expand(number, -1))
        assert torch.equal(orders[0], torch.arange(tiles**2))
        assert min((a != b).sum().item() for a, b in combinations(orders, 2)) >= least

    @pytest.mark.parametrize("number", [1, 25])
    def test_too_many_or_too_few_orders_are_refused(self, number):
        with pytest.raises(ValueError, match="choose 2 to 24"):
            ssl.jigsaw_permutations(2, number)

    def test_three_tiles_do_not_fit_28_pixels(self):
        with pytest.raises(ValueError, match="use 2, 4 or 7"):
            ssl.jigsaw_batch(images(), ssl.jigsaw_permutations(3, 10), generator())
        with pytest.raises(ValueError, match="patches of 3 px"):
            ssl.to_patches(images(), 3)


class TestMasking:
    @pytest.mark.parametrize("share", [0.0, 0.1, 0.25, 0.5, 0.6, 0.75, 0.9, 1.0])
    @pytest.mark.parametrize(("patch", "length"), [(2, 196), (4, 49), (7, 16)])
    def test_exactly_the_share_asked_for_is_hidden(self, share, patch, length):
        _, mask = ssl.random_masking(images(n=20), share, generator(), patch)
        assert mask.shape == (20, length)
        assert mask.sum(1).unique().tolist() == [round(share * length)]

    def test_hidden_patches_are_filled_and_the_others_left(self):
        x = images(channels=3)
        hidden, mask = ssl.random_masking(x, 0.6, generator(), fill=0.5)
        patches = ssl.to_patches(hidden, 4)
        assert (patches[mask] == 0.5).all()
        assert torch.equal(patches[~mask], ssl.to_patches(x, 4)[~mask])

    def test_masks_differ_between_images_and_draws(self):
        same = generator()
        masks = [ssl.random_masking(images(), 0.5, same)[1] for _ in range(2)]
        assert all((a != b).any() for a, b in combinations(torch.cat(masks), 2))

    def test_only_hidden_patches_count(self):
        x, guess = images(), images(seed=1).requires_grad_()
        _, mask = ssl.random_masking(x, 0.6, generator())
        loss = ssl.masked_reconstruction_loss(guess, x, mask)
        pixels = ssl.from_patches(mask[:, :, None, None, None].expand(-1, -1, 1, 4, 4))
        assert loss.item() == pytest.approx((guess - x)[pixels].square().mean().item())
        loss.backward()
        assert (guess.grad[~pixels] == 0).all()
        assert (guess.grad[pixels] != 0).all()

    def test_standardized_targets_do_not_depend_on_brightness_and_contrast(self):
        x, guess = images(), images(seed=1)
        _, mask = ssl.random_masking(x, 0.6, generator())
        losses = [ssl.masked_reconstruction_loss(guess, y, mask, standardize=True) for y in (x, 0.5 * x + 0.2)]
        torch.testing.assert_close(*losses, rtol=1e-3, atol=0)

    def test_nothing_hidden_and_impossible_shares_are_refused(self):
        with pytest.raises(ValueError, match="hides no patch"):
            ssl.masked_reconstruction_loss(images(), images(), torch.zeros(6, 49, dtype=torch.bool))
        with pytest.raises(ValueError, match=r"share=1\.5"):
            ssl.random_masking(images(), 1.5, generator())


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

    def test_mae_paints_a_whole_image(self):
        assert make(MAE, channels=3).reconstruct(images(channels=3)).shape == (6, 3, 28, 28)

    @pytest.mark.parametrize("algorithm", [*PRETRAINING, JiGen])
    def test_training_fits_the_loop_and_repeats(self, algorithm, dataset):
        models = [build(algorithm, dataset, seed=0, width=4) for _ in range(2)]
        for model in models:
            fit(model, ssl.unlabelled(dataset), steps=2, batch_size=12, seed=5)
        assert torch.equal(*(weights(model) for model in models))


class TestAfterTraining:
    def test_unlabelled_keeps_all_but_the_labels(self, dataset):
        bare = ssl.unlabelled(dataset)
        assert bare.y.unique().tolist() == [0]
        assert torch.equal(bare.x, dataset.x)
        assert len(dataset.y.unique()) == 2

    def test_fine_tuning_starts_from_the_pretrained_weights_and_leaves_them(self, dataset):
        pretrained = build(SimCLR, dataset, seed=0, width=4)
        before = copy.deepcopy(pretrained.state_dict())
        tuned = ssl.fine_tune(pretrained, dataset, steps=2, learning_rate=1e-9)
        torch.testing.assert_close(weights(tuned.featurizer), weights(pretrained.featurizer), atol=1e-6, rtol=0)
        assert all(torch.equal(value, before[name]) for name, value in pretrained.state_dict().items())
        assert type(tuned) is ERM

    def test_fine_tuning_changes_the_features(self, dataset):
        pretrained = build(SimCLR, dataset, seed=0, width=4)
        tuned = ssl.fine_tune(pretrained, dataset, steps=2)
        assert not torch.allclose(extract_features(tuned, dataset.x), extract_features(pretrained, dataset.x))

    def test_a_probe_reads_what_is_linear_and_nothing_from_noise(self):
        z = normal(400, 5)
        y = (z[:, 0] + z[:, 1] > 0).long()
        assert ssl.linear_probe(z[:200], y[:200]).score(z[200:], y[200:]) > 0.95
        noise = torch.randint(2, (400,), generator=generator(1))
        assert abs(ssl.linear_probe(z[:200], noise[:200]).score(z[200:], noise[200:]) - 0.5) < 0.12

    def test_every_row_is_nearest_to_itself(self):
        z = normal(20, 5)
        found = ssl.nearest(3 * z, z, 3)
        assert found.shape == (20, 3)
        assert torch.equal(found[:, 0], torch.arange(20))

    def test_principal_components_are_centred_uncorrelated_and_in_order(self):
        z = normal(50, 4) * torch.tensor([1.0, 5.0, 0.2, 2.0]) + 3
        view = ssl.principal_components(z, 4)
        covariance = view.T.cov()
        torch.testing.assert_close(covariance, covariance.diagonal().sort(descending=True).values.diag())
        torch.testing.assert_close(view @ view.T, (z - z.mean(0)) @ (z - z.mean(0)).T)
        assert ssl.principal_components(z).shape == (50, 2)
