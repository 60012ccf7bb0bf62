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
from medgen_utils.self_supervision.kept import (
    Probed,
    clinic_parts,
    pretrained,
    probe_features,
    what_is_kept,
    with_the_marker,
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
from medgen_utils.self_supervision.probes import fine_tune
from medgen_utils.self_supervision.turns import (
    centre,
    channel_shifts,
    displaced,
    one_channel,
    registered,
    shifted,
    shrunk,
    turns_named,
    without_border,
    without_slope,
)

__all__ = [
    "BYOL", "MAE", "JiGen", "Probed", "RotNet", "SimCLR", "byol_loss", "centre", "channel_shifts", "clinic_parts",
    "displaced", "fine_tune", "from_patches", "jigsaw_batch", "jigsaw_permutations", "linear_probe",
    "masked_reconstruction_loss", "nt_xent", "one_channel", "pretrained", "probe_features", "random_crop",
    "random_masking", "registered", "rotate_batch", "shifted", "shrunk", "supervised_contrastive", "to_patches",
    "turns_named", "unlabelled", "update_momentum", "what_is_kept", "with_the_marker", "without_border",
    "without_slope",
]  # fmt: skip
