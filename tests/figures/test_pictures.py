from dataclasses import replace

import numpy as np
import pytest

from medgen_utils import figures
from medgen_utils.figures.pictures import PATIENTS, picture
from tests.benchmark.small import small_clinic
from tools import patients


def named_like(dataset, *files):
    """The data set with the given files for its first images."""
    names = [*files, *(f"other {i}.png" for i in range(len(dataset) - len(files)))]
    return replace(dataset, file=np.array(names))


def test_every_picture_is_one_that_was_cut_from_the_publishers_archives():
    known = {item.name: item for item in patients.ULTRASOUND}
    for name, patient in PATIENTS.items():
        item = known[f"{name}.webp"]
        assert item.member.endswith(patient.file)
        assert item.credit.split(",")[0] == patient.credit.split(",")[0]
        assert item.domain.split(" ")[0].strip(":,") == patient.title.split(",")[0]
        assert picture(name).mode == "L"


def test_a_picture_stands_above_the_same_lesion_as_the_network_sees_it():
    dataset = named_like(small_clinic(0), "breast/case008.png", "busi/malignant/malignant (16).png")
    figure = figures.at_two_sizes(["cairo-malignant", "poland-malignant"], dataset)
    axes = np.reshape(figure.axes, (2, 2))
    assert [axis.images[0].get_array().shape for axis in axes[0]] == [(472, 511), (569, 794)]
    for axis, i in zip(axes[1], (1, 0), strict=True):
        assert np.allclose(axis.images[0].get_array(), dataset.x[i, 0])
    assert "Cairo: BUSI, CC BY 4.0; Poland: BrEaST" in figure.get_supxlabel()


def test_unknown_pictures_and_data_sets_without_them_are_refused():
    with pytest.raises(KeyError, match="choose from"):
        picture("lisbon")
    with pytest.raises(ValueError, match=r"case008.png is 0 times in clinic"):
        figures.at_two_sizes(["poland-malignant"], named_like(small_clinic(0)))


def test_a_row_a_domain_with_the_disease_first():
    dataset = small_clinic(0)
    figure = figures.by_domain(dataset, each=2)
    axes = np.reshape(figure.axes, (4, 4))
    assert [axis.get_ylabel() for axis in axes[:, 0]] == list(dataset.domain_names)
    assert axes[0, 0].get_title() == dataset.class_names[1] and axes[0, 2].get_title() == dataset.class_names[0]
    first = dataset.only("hospital B")
    assert np.allclose(axes[1, 0].images[0].get_array(), first.x[first.y == 1][0, 0])
