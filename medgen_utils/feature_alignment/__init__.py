"""Three things that hospitals may be asked to agree on: features, risks, gradients. Chapter: feature_alignment."""

from medgen_utils.feature_alignment.algorithms import (
    CDANN,
    CORAL,
    DANN,
    IRM,
    MMD,
    AlignedERM,
    ConditionalCORAL,
    Fishr,
    GroupDRO,
    VREx,
)
from medgen_utils.feature_alignment.penalties import (
    class_conditional,
    coral,
    fishr_penalty,
    ganin_schedule,
    gradient_reversal,
    group_dro_weights,
    irm_penalty,
    mmd,
    vrex_penalty,
)

__all__ = [
    "CDANN", "CORAL", "DANN", "IRM", "MMD", "AlignedERM", "ConditionalCORAL", "Fishr", "GroupDRO", "VREx",
    "class_conditional", "coral", "fishr_penalty", "ganin_schedule", "gradient_reversal", "group_dro_weights",
    "irm_penalty", "mmd", "vrex_penalty",
]  # fmt: skip
