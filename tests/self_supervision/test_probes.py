"""Fine-tuning starts from what was learned; probes read it."""

import copy

import torch

from medgen_utils import self_supervision as ssl
from medgen_utils.self_supervision import SimCLR
from medgen_utils.training import ERM, build, extract_features
from tests.networks import weights
from tests.self_supervision.examples import generator, normal


class TestAfterTraining:
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

    def test_the_new_head_is_drawn_from_the_seed(self, dataset):
        pretrained = build(SimCLR, dataset, seed=0, width=4)
        heads = [
            ssl.fine_tune(pretrained, dataset, steps=1, learning_rate=1e-9, seed=seed).classifier.weight
            for seed in (0, 0, 1)
        ]
        torch.testing.assert_close(heads[0], heads[1])
        assert (heads[0] - heads[2]).abs().max() > 1e-3
