"""Every method of the scoreboard, and of its pre-training, takes steps with any number of domains and odd batches."""

import numpy as np
import pytest
import torch

from medgen_utils.averaging import WeightAveraged
from medgen_utils.benchmark.entries import CONTENDERS
from medgen_utils.data import Batch
from tests.networks import make, weights

ALGORITHMS = {c.algorithm for c in CONTENDERS} | {c.pretrain for c in CONTENDERS if c.pretrain} | {WeightAveraged}
ALGORITHMS = sorted(ALGORITHMS, key=lambda algorithm: algorithm.__name__)
REHEARSE = {"MLDG", "MASF"}  # they hold a domain out, so one is not enough


@pytest.mark.parametrize("sizes", [(7,), (5, 3), (3, 5, 7), (3, 5, 2, 7, 3)], ids=lambda sizes: f"{len(sizes)} domains")
@pytest.mark.parametrize("algorithm", ALGORITHMS, ids=lambda algorithm: algorithm.__name__)
def test_every_method_changes_its_weights(algorithm, sizes):
    generator = torch.Generator().manual_seed(0)
    batches = []
    for domain, size in enumerate(sizes):
        y = torch.arange(size) % 2
        x = torch.rand(size, 3, 28, 28, generator=generator) * 0.5 + 0.4 * y[:, None, None, None]
        batches.append(Batch(x, y, torch.full((size,), domain)))
    model = make(algorithm, channels=3, n_domains=len(sizes))
    before = weights(model)
    if algorithm.__name__ in REHEARSE and len(sizes) == 1:
        with pytest.raises(ValueError, match="two or more"):
            model.update(batches)
        return
    logs = [model.update(batches) for _ in range(2)]
    assert all(np.isfinite(list(log.values())).all() for log in logs)
    assert not torch.equal(weights(model), before)
    assert model.eval().predict(batches[0].x).isfinite().all()
