"""`fit` beside a bare loop of torch, and in bfloat16 beside float32 with the scores of both."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from medgen_utils.backbones import SmallCNN
from medgen_utils.clinic import acquisition_hospitals, make_clinic
from medgen_utils.domains import DomainDataset
from medgen_utils.evaluation import auroc, predict_probabilities
from medgen_utils.training import ERM, build, fit
from speed.pairs import Row, compare

STEPS, BATCH, SEEDS = 30, 48, 3


def bare_loop(dataset: DomainDataset, width: int) -> None:
    """What one would write by hand: one batch of as many images of each domain, channels last, one cycle."""
    torch.manual_seed(0)
    featurizer = SmallCNN(dataset.x.shape[1], width)
    network = nn.Sequential(featurizer, nn.Linear(featurizer.n_features, 2)).to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(network.parameters(), lr=2e-3, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=STEPS + 1)
    inside = [(dataset.domain == k).nonzero().squeeze(1) for k in dataset.domain.unique()]
    for _ in range(STEPS):
        rows = torch.cat([where[torch.randint(len(where), (BATCH // len(inside),))] for where in inside])
        x = dataset.x[rows].contiguous(memory_format=torch.channels_last)
        loss = F.cross_entropy(network(x), dataset.y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        loss.item()


def scores(dataset: DomainDataset, test: DomainDataset, precision: str) -> list[float]:
    """AUROC at a new hospital, a seed each."""
    found = []
    for seed in range(SEEDS):
        model = build(ERM, dataset, seed=seed, width=16)
        fit(model, dataset, steps=200, seed=seed, precision=precision)
        found.append(auroc(test.y.numpy(), predict_probabilities(model, test.x)))
    return found


def rows(pairs: int) -> Iterator[Row]:
    for size in (28, 64):
        clinic = make_clinic(acquisition_hospitals(), n=200, seed=0, size=size)
        sources, new = (clinic.subset((clinic.domain < 3) == known) for known in (True, False))

        def ours(precision: str = "fp32", sources: DomainDataset = sources) -> None:
            fit(build(ERM, sources, seed=0, width=16), sources, steps=STEPS, precision=precision)

        work = f"fit, {STEPS} steps of {BATCH} images, {size} px"
        if size == 28:
            yield compare(work, "a bare loop with channels last", ours, lambda s=sources: bare_loop(s, 16), pairs)
            both = [scores(sources, new, precision) for precision in ("bf16", "fp32")]
            texts = [f"{np.mean(found):.3f} ({min(found):.3f} to {max(found):.3f})" for found in both]
            print(f"AUROC at a new hospital, {SEEDS} seeds: bf16 {texts[0]}, fp32 {texts[1]}", flush=True)
        yield compare(f"{work}, bf16", "fit in fp32", lambda o=ours: o("bf16"), ours, pairs)
