"""Losses and tasks against independent versions, limits and inverses."""

import math
from itertools import combinations

import pytest
import torch
from pytorch_metric_learning.losses import NTXentLoss, SupConLoss
from torch import nn

from medgen_utils import self_supervision as ssl
from medgen_utils.self_supervision import SimCLR
from tests.networks import make, weights
from tests.self_supervision.examples import draw_batches, generator, images, normal


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

    @pytest.mark.parametrize("smallest", [-0.5, 0, 1.01])
    def test_an_impossible_crop_is_refused(self, smallest):
        with pytest.raises(ValueError, match=f"smallest={smallest}"):
            ssl.random_crop(images(), generator(), smallest=smallest)


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

    def test_standardized_targets_have_the_unbiased_variance_one(self):
        x, guess = images(n=2), images(n=2, seed=1)
        _, mask = ssl.random_masking(x, 0.6, generator())
        target, painted = (ssl.to_patches(y, 4).flatten(2).numpy() for y in (x, guess))
        target = (target - target.mean(2, keepdims=True)) / target.std(2, ddof=1, keepdims=True)
        expected = ((painted - target) ** 2).mean(2)[mask.numpy()].mean()
        found = ssl.masked_reconstruction_loss(guess, x, mask, standardize=True).item()
        assert found == pytest.approx(expected, rel=1e-4)

    def test_nothing_hidden_and_impossible_shares_are_refused(self):
        with pytest.raises(ValueError, match="hides no patch"):
            ssl.masked_reconstruction_loss(images(), images(), torch.zeros(6, 49, dtype=torch.bool))
        with pytest.raises(ValueError, match=r"share=1\.5"):
            ssl.random_masking(images(), 1.5, generator())
