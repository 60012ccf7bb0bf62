"""Learning from images without labels: contrastive, pretext and masked tasks. Chapter: self_supervision."""

from medgen_utils.probes import linear_probe
from medgen_utils.self_supervision.algorithms import (
    BYOL,
    MAE,
    JiGen,
    RotNet,
    SimCLR,
    unlabelled,
)
from medgen_utils.self_supervision.pretext import (
    byol_loss,
    from_patches,
    jigsaw_batch,
    jigsaw_permutations,
    masked_reconstruction_loss,
    nt_xent,
    random_crop,
    random_masking,
    rotate_batch,
    supervised_contrastive,
    to_patches,
    update_momentum,
)
from medgen_utils.self_supervision.probes import fine_tune, nearest, principal_components

__all__ = [
    "BYOL", "MAE", "JiGen", "RotNet", "SimCLR", "byol_loss", "fine_tune", "from_patches", "jigsaw_batch",
    "jigsaw_permutations", "linear_probe", "masked_reconstruction_loss", "nearest", "nt_xent",
    "principal_components", "random_crop", "random_masking", "rotate_batch", "supervised_contrastive",
    "to_patches", "unlabelled", "update_momentum",
]  # fmt: skip
