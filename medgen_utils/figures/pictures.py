"""Images of a data set as a reader should first see them: in rows by domain, and at the size of the publisher's file.

Serves all chapters. Pictures at full size are those of ``chapters/_static/patients`` alone: their licences let us show
them, and the line under the figure says whose they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from PIL import Image

from medgen_utils import plotting
from medgen_utils.data.released import released
from medgen_utils.domains import DomainDataset

FOLDER = "chapters/_static/patients"


class Patient(NamedTuple):
    """A committed picture: the end of its name in the data set, how to call it, and whose it is."""

    file: str
    title: str
    credit: str


PATIENTS = {
    "cairo-benign": Patient("benign/benign (11).png", "Cairo, benign", "BUSI, CC BY 4.0"),
    "cairo-malignant": Patient("malignant/malignant (16).png", "Cairo, malignant", "BUSI, CC BY 4.0"),
    "rio-logiq-7": Patient("bus_0218-l.png", "Rio, GE Logiq 7, malignant", "BUS-BRA, free when cited"),
    "rio-logiq-5": Patient("bus_0602-l.png", "Rio, GE Logiq 5, malignant", "BUS-BRA, free when cited"),
    "rio-toshiba": Patient("bus_1002-r.png", "Rio, Toshiba, malignant", "BUS-BRA, free when cited"),
    "poland-benign": Patient("case020.png", "Poland, benign", "BrEaST, CC BY 4.0"),
    "poland-malignant": Patient("case008.png", "Poland, malignant", "BrEaST, CC BY 4.0"),
}


def picture(name: str) -> Image.Image:
    """The published picture of one of `PATIENTS`, grey; KeyError with the names there are for another."""
    if name not in PATIENTS:
        raise KeyError(f"no picture {name!r}: choose from {list(PATIENTS)}")
    return Image.open(released(f"{FOLDER}/{name}.webp")).convert("L")


def at_two_sizes(names: Sequence[str], dataset: DomainDataset) -> Figure:
    """Each picture as it was published, and below it the same lesion as ``dataset`` gives it to the network.

    ValueError for a picture that is not in the data set.
    """
    figure, axes = plt.subplots(2, len(names), figsize=(5.8, 4.0), squeeze=False, layout="constrained",
                                gridspec_kw={"height_ratios": [1.25, 1]})  # fmt: skip
    figure.get_layout_engine().set(w_pad=0.03, h_pad=0.02)
    for column, name in enumerate(names):
        full, patient = picture(name), PATIENTS[name]
        found = [i for i, file in enumerate(dataset.file) if file.endswith(patient.file)]
        if len(found) != 1:
            raise ValueError(f"{patient.file} is {len(found)} times in {dataset.info.name}: pass the data set it is of")
        small = dataset.x[found[0], 0].numpy()
        axes[0, column].imshow(np.asarray(full), vmin=0, vmax=255)
        axes[0, column].set_title(patient.title.replace(", ", "\n", 1), fontsize=9.5, loc="center")
        axes[0, column].set_xlabel(f"{full.width} x {full.height} pixels", fontsize=10)
        axes[1, column].imshow(small, vmin=0, vmax=1)
        axes[1, column].set_xlabel(f"the lesion, {small.shape[1]} x {small.shape[0]}", fontsize=10)
    for axis in axes.flat:
        axis.set(xticks=[], yticks=[])
        axis.spines[:].set_visible(False)
    plt.close(figure)  # returned, so shown once
    credits = dict.fromkeys(f"{PATIENTS[name].title.split(',')[0]}: {PATIENTS[name].credit}" for name in names)
    return plotting.footer(figure, "; ".join(credits))


def by_domain(dataset: DomainDataset, each: int = 4, scale: float = 0.62) -> Figure:
    """A row a domain: the first ``each`` images of every class, the last class first where the disease is class 1."""
    rows = []
    order = list(range(len(dataset.class_names)))[::-1]
    present = [dataset.domain_names[number] for number in dataset.domain.unique().tolist()]
    for name in present:
        one = dataset.only(name)
        rows.append(one.x[torch.cat([(one.y == k).nonzero()[:each, 0] for k in order])])
    columns = [dataset.class_names[k] for k in order for _ in range(each)]
    figure = plotting.show_images(rows, present, columns, scale=scale)
    plt.close(figure)  # returned, so shown once
    return plotting.footer(figure, "", [dataset.info])
