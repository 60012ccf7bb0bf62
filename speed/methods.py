"""A training step of each method beside the published one (`published`), and `mmd` beside pytorch-adapt's.

The step of the book and of the scoreboard: three domains of 16 images at 28 pixels, `SmallCNN` of width 16, AdamW, one
thread. "same memory format": both have channels last; "as shipped": the published step keeps torch's default, as
DomainBed does.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator

import torch
from torch import nn

from medgen_utils import feature_alignment, meta_learning
from medgen_utils.backbones import SmallCNN
from medgen_utils.domains import Batch
from medgen_utils.feature_alignment import mmd
from medgen_utils.training import ERM
from speed import published
from speed.pairs import Row, compare

DOMAINS, IMAGES, PIXELS, WIDTH, STEPS = 3, 16, 28, 16, 4
OURS = {
    "ERM": ERM,
    **{name: getattr(feature_alignment, name) for name in ("CORAL", "MMD", "IRM", "VREx", "GroupDRO", "DANN", "CDANN")},
    "MLDG": meta_learning.MLDG,
    "Fish": meta_learning.Fish,
}


def steps(name: str, last: bool) -> tuple[Callable[[], None], Callable[[], None]]:
    """`STEPS` steps of ours and of the published method; ``last``: channels last for both."""
    torch.manual_seed(0)
    featurizer = SmallCNN(1, WIDTH)
    classifier = nn.Linear(featurizer.n_features, 2)
    theirs = getattr(published, "Published" if name == "ERM" else name)(
        *copy.deepcopy((featurizer, classifier)), DOMAINS
    )
    model = OURS[name](featurizer, classifier, DOMAINS).to(memory_format=torch.channels_last).train()
    model.prepare()
    x = torch.rand(DOMAINS, IMAGES, 1, PIXELS, PIXELS)
    y = torch.arange(IMAGES) % 2
    formats = [torch.channels_last, torch.channels_last if last else torch.contiguous_format]
    theirs.network.to(memory_format=formats[1])
    mine, others = (
        [Batch(part.contiguous(memory_format=form), y, torch.full_like(y, i)) for i, part in enumerate(x)]
        for form in formats
    )

    def run(algorithm: object, batches: list[Batch]) -> Callable[[], None]:
        def some() -> None:
            for _ in range(STEPS):
                algorithm.update(batches)

        return some

    return run(model, mine), run(theirs, others)


def distance(n: int, features: int, peer: nn.Module) -> tuple[Callable[[], None], Callable[[], None]]:
    """`mmd` of n and n rows with its gradient, one kernel, and pytorch-adapt's."""
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.rand(n, features, generator=generator).requires_grad_() for _ in "ab")
    return lambda: torch.autograd.grad(mmd(a, b), (a, b)), lambda: torch.autograd.grad(peer(a, b), (a, b))


def rows(pairs: int) -> Iterator[Row]:
    from pytorch_adapt.layers import MMDLoss

    for last, words in ((True, "same memory format"), (False, "as shipped")):
        for name in OURS:
            yield compare(f"{name} step, {words}", "DomainBed's step, our transcription", *steps(name, last), pairs)
    for features in (64, 128):
        peer = MMDLoss(kernel_scales=1.0, mmd_type="quadratic")
        work = f"MMD of 256 and 256 images, {features} features, with gradient"
        yield compare(work, "pytorch-adapt, quadratic", *distance(256, features, peer), pairs)
