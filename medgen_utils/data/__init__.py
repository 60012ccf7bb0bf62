"""The data sets of the book, and the reader's own, as `DomainDataset`. Chapter: generalization_gap.

One file a data set: its address, checksum, licence, citation, traps and preparation together.
"""

from medgen_utils.data.breast_hospitals import lesion_area_auroc
from medgen_utils.data.loading import DATASETS, find, load, load_graders
from medgen_utils.data.medmnist import from_medmnist
from medgen_utils.data.own_images import from_folder
from medgen_utils.data.prepared import DataCorrupt, DataUnavailable
from medgen_utils.domains import Batch, DatasetInfo, DomainDataset, leave_one_domain_out, split

__all__ = [
    "DATASETS", "Batch", "DataCorrupt", "DataUnavailable", "DatasetInfo", "DomainDataset", "find",
    "from_folder", "from_medmnist", "leave_one_domain_out", "lesion_area_auroc", "load", "load_graders", "split",
]  # fmt: skip
