"""Features drawn for the tests of alignment."""

import torch


def draw(*shape, generator, offset=0.0):
    return (torch.randn(*shape, generator=generator, dtype=torch.float64) + offset).requires_grad_()
