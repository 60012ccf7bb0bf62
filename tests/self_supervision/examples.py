"""Images, features and small networks for the tests of self-supervision."""

import torch

from medgen_utils.data import Batch


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=generator(seed), dtype=torch.float64)


def images(n=6, channels=1, size=28, seed=0):
    return torch.rand(n, channels, size, size, generator=generator(seed))


def draw_batches(sizes, channels=1, seed=0):
    y = [torch.randint(2, (n,), generator=generator(seed + d)) for d, n in enumerate(sizes)]
    return [Batch(images(len(y[d]), channels, seed=seed + d), y[d], torch.full_like(y[d], d)) for d in range(len(y))]


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])
