"""Small networks for the tests of algorithms, ready for a step by hand."""

import torch
from torch import nn

from medgen_utils.backbones import SmallCNN


def make(algorithm, channels=1, **hyperparameters):
    """The algorithm on a narrow network, always with the same weights, in training mode and with an optimiser."""
    torch.manual_seed(0)
    featurizer = SmallCNN(channels, width=4)
    model = algorithm(featurizer, nn.Linear(featurizer.n_features, 2), **hyperparameters).train()
    model.prepare()
    return model


def weights(model):
    """All weights in one row."""
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


def equal_states(a, b):
    return all(torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values(), strict=True))
