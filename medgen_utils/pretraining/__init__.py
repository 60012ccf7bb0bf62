"""Networks that have learned elsewhere, and what their embeddings know. Chapter: pretraining."""

from medgen_utils.pretraining.embeddings import (
    class_probe,
    confounded_training,
    embeddings,
    hospital_probe,
    permuted_labels,
    random_embeddings,
    robustness_index,
)
from medgen_utils.pretraining.features import dataset_features
from medgen_utils.pretraining.knowledge import (
    NUMBERS,
    PHOTOGRAPHS,
    RANDOM,
    hospital_probes,
    indices_with_controls,
    lite0_features,
    network_to_tune,
    of_dataset,
    photograph_features,
    photograph_filters,
)
from medgen_utils.pretraining.learners import FineTuning, LinearProbe, ProbeThenFineTune
from medgen_utils.pretraining.transfer import labels_at_the_target, probe_by_domain
from medgen_utils.probes import linear_probe

__all__ = [
    "NUMBERS", "PHOTOGRAPHS", "RANDOM", "FineTuning", "LinearProbe", "ProbeThenFineTune", "class_probe",
    "confounded_training", "dataset_features",
    "embeddings", "hospital_probe", "hospital_probes", "indices_with_controls", "labels_at_the_target",
    "linear_probe", "lite0_features", "network_to_tune", "of_dataset", "permuted_labels", "photograph_features",
    "photograph_filters", "probe_by_domain", "random_embeddings", "robustness_index",
]  # fmt: skip
