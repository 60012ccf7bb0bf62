"""What a data set must be and how it is divided."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from medgen_utils import data
from medgen_utils.data import DatasetInfo, DomainDataset
from medgen_utils.domains import shared_groups, units
from medgen_utils.provenance import provenance

INFO = DatasetInfo("toy", "Toy", "made here", "none", "none")


def toy(y, domain=None, group=None, classes=2, domains=3) -> DomainDataset:
    y = torch.tensor(y, dtype=torch.int64)
    n = len(y)
    return DomainDataset(
        torch.arange(n, dtype=torch.float32).reshape(n, 1, 1, 1).expand(n, 1, 4, 4) / max(n, 1),
        y,
        torch.zeros(n, dtype=torch.int64) if domain is None else torch.tensor(domain, dtype=torch.int64),
        np.full(n, "", dtype=str) if group is None else np.array(group, dtype=str),
        tuple(f"class {k}" for k in range(classes)),
        tuple(f"hospital {k}" for k in range(domains)),
        INFO,
        file=np.array([f"{i}.png" for i in range(n)], dtype=str),
    )


# --- what a data set must be ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("x", torch.zeros(4, 1, 4, 4, dtype=torch.float64), "x of toy is torch.float64"),
        ("x", torch.zeros(4, 4, 4), "shape \\(N, C, H, W\\)"),
        ("x", torch.full((4, 1, 4, 4), 1.1), "scale intensities to"),
        ("x", torch.full((4, 1, 4, 4), -0.1), "scale intensities to"),
        ("x", torch.full((4, 1, 4, 4), float("nan")), "scale intensities to"),
        ("x", torch.zeros(5, 1, 4, 4), "y of toy is torch.int64 \\(4,\\): give int64 of shape \\(5,\\)"),
        ("y", torch.zeros(4, dtype=torch.int32), "y of toy is torch.int32"),
        ("y", torch.zeros(4, 1, dtype=torch.int64), "y of toy is torch.int64 \\(4, 1\\)"),
        ("y", torch.tensor([0, 1, 2, 0]), "y of toy ranges from 0 to 2, with 2 names"),
        ("y", torch.tensor([0, -1, 1, 0]), "y of toy ranges from -1 to 1"),
        ("domain", torch.tensor([0, 1, 3, 0]), "domain of toy ranges from 0 to 3, with 3 names"),
        ("group", np.array(["a"] * 3), "group of toy: give a numpy array of 4 str"),
        ("group", np.arange(4), "group of toy: give a numpy array of 4 str"),
        ("file", np.array(["a"] * 5), "file of toy: give a numpy array of 4 str"),
        ("covariates", pd.DataFrame({"area": [1]}), "covariates of toy has 1 rows for 4 images"),
    ],
)
def test_a_field_that_does_not_fit_is_refused(field, value, message):
    with pytest.raises(ValueError, match=message):
        replace(toy([0, 1, 0, 1]), **{field: value})


@pytest.mark.parametrize("index", [torch.tensor([3, 1]), np.array([3, 1]), [3, 1]])
def test_a_subset_keeps_every_field_in_step(index):
    picked = toy([0, 1, 0, 1], [0, 1, 2, 2], ["a", "b", "c", "d"]).subset(index)
    assert picked.y.tolist() == [1, 1]
    assert picked.domain.tolist() == [2, 1]
    assert picked.group.tolist() == ["d", "b"]
    assert picked.file.tolist() == ["3.png", "1.png"]
    assert (picked.x[:, 0, 0, 0] * 4).tolist() == [3, 1]


@pytest.mark.parametrize("mask", [torch.tensor([False, True, False, True]), np.array([False, True, False, True])])
def test_a_subset_by_mask(mask):
    assert toy([0, 1, 0, 1]).subset(mask).file.tolist() == ["1.png", "3.png"]


def test_a_mask_of_another_length_is_refused():
    with pytest.raises(ValueError, match="give one value an image"):
        toy([0, 1, 0, 1]).subset(np.array([True, False]))


def test_only_and_without_part_the_domains():
    dataset = toy([0, 1, 0, 1], [0, 1, 2, 2])
    assert dataset.only("hospital 2", "hospital 0").file.tolist() == ["0.png", "2.png", "3.png"]
    assert dataset.without("hospital 2").file.tolist() == ["0.png", "1.png"]
    with pytest.raises(ValueError, match="no domain 'hospital 9' in toy: choose from"):
        dataset.only("hospital 9")


def test_the_summary_counts_images_groups_and_classes():
    table = toy([0, 1, 1, 1], [0, 0, 0, 2], ["a", "a", "b", ""]).summary()
    assert table.index.tolist() == ["hospital 0", "hospital 2"]
    assert table["images"].tolist() == [3, 1]
    assert table["groups"].tolist() == [2, 0]
    assert table["class 1"].tolist() == pytest.approx([2 / 3, 1])


def in_hospitals(dataset: DomainDataset, *hospitals: str) -> DomainDataset:
    rows = {name: {"hospital": hospital} for name, hospital in zip(dataset.domain_names, hospitals, strict=True)}
    return replace(dataset, domains=provenance(rows, scanner="a scanner"))


def test_provenance_stays_in_step_and_is_shown():
    dataset = toy([0, 1, 0, 1], [0, 1, 2, 2])
    assert dataset.domains.index.tolist() == list(dataset.domain_names)  # known names, nothing else
    assert dataset.summary().columns.tolist() == ["images", "groups", "class 0", "class 1"]
    dataset = in_hospitals(dataset, "north", "south", "south")
    assert dataset.without("hospital 0").domains.equals(dataset.domains)
    assert dataset.without("hospital 0").summary()["hospital"].tolist() == ["south", "south"]
    assert "country" not in dataset.summary()


def test_a_domain_of_another_name_has_no_provenance_yet():
    dataset = in_hospitals(toy([0, 1, 0, 1], [0, 1, 2, 2]), "north", "south", "south")
    renamed = replace(dataset, domain_names=("hospital 1", "new", "hospital 0"))
    assert renamed.domains["hospital"].to_dict() == {"hospital 1": "south", "new": "", "hospital 0": "north"}


def test_covariates_stay_in_step():
    dataset = replace(toy([0, 1, 0, 1]), covariates=pd.DataFrame({"area": [10, 11, 12, 13]}))
    picked = dataset.subset([3, 1])
    assert picked.covariates["area"].tolist() == [13, 11]
    assert picked.covariates.index.tolist() == [0, 1]
    assert dataset.subset(dataset.y == 0).covariates["area"].tolist() == [10, 12]


def test_units_of_a_data_set_are_its_domains_with_images():
    dataset = in_hospitals(toy([0, 1, 0], [0, 1, 1]), "north", "south", "south")
    assert units(dataset) == ("hospital 0", "hospital 1")
    assert units(dataset.domains, by="scanner") == dataset.domain_names
    with pytest.raises(ValueError, match="'hospital 1' and 'hospital 2' stand in one place"):
        units(dataset.domains)
    with pytest.raises(ValueError, match="stand in one place"):
        units(dataset, ["hospital 1", "hospital 2"])
    assert dataset.sites() == {"hospital 0": "north", "hospital 1": "south", "hospital 2": "south"}


def test_leave_one_domain_out_leaves_a_hospital_out_with_all_its_scanners():
    dataset = in_hospitals(toy([0, 1, 0, 1], [0, 1, 2, 2]), "north", "south", "south")
    turns = [(name, len(sources), len(target)) for name, sources, target in data.leave_one_domain_out(dataset)]
    assert turns == [("hospital 0", 3, 1), ("south", 1, 3)]
    assert [name for name, *_ in data.leave_one_domain_out(dataset, by="scanner")] == list(dataset.domain_names)
    with pytest.raises(ValueError, match=r"one domain or hospital only, \['south'\].*by=\"scanner\""):
        next(data.leave_one_domain_out(dataset.without("hospital 0")))
    with pytest.raises(ValueError, match="by='ward'"):
        next(data.leave_one_domain_out(dataset, by="ward"))


def test_a_patient_in_two_hospitals_is_refused_unless_accepted():
    dataset = toy([0, 1, 0, 1], [0, 0, 1, 1], ["a", "b", "b", ""])
    assert shared_groups(dataset) == {"b": ("hospital 0", "hospital 1")}
    with pytest.raises(ValueError, match="group 'b' of toy has images in hospital 0, hospital 1"):
        next(data.leave_one_domain_out(dataset))
    assert len(list(data.leave_one_domain_out(dataset, accept_shared_groups=True))) == 2
    one = in_hospitals(dataset, "north", "north", "south")
    with pytest.raises(ValueError, match="group 'b'"):
        next(data.leave_one_domain_out(one, by="scanner"))


def test_a_split_warns_of_a_patient_in_two_hospitals():
    with pytest.warns(UserWarning, match="1 group.* the first: 'b' in hospital 0, hospital 1"):
        data.split(toy([0, 1, 0, 1], [0, 0, 1, 1], ["a", "b", "b", ""]), 0)


def test_leave_one_domain_out_takes_each_domain_that_has_images():
    dataset = toy([0, 1, 0, 1], [0, 0, 2, 2])
    turns = [(name, sources.file.tolist(), target.file.tolist()) for name, sources, target in
             data.leave_one_domain_out(dataset)]  # fmt: skip
    first, last = ["0.png", "1.png"], ["2.png", "3.png"]
    assert turns == [("hospital 0", last, first), ("hospital 2", first, last)]


def test_leaving_the_only_domain_out_is_refused():
    with pytest.raises(ValueError, match="one domain"):
        next(data.leave_one_domain_out(toy([0, 1])))


# --- how it is divided ------------------------------------------------------------------------------------------------

images = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 2), st.sampled_from(["", "a", "b", "c", "d"])), min_size=1, max_size=60
)


@pytest.mark.filterwarnings("ignore:.*several domains")
@settings(max_examples=60, deadline=None)
@given(images, st.integers(0, 5))
def test_the_parts_of_a_split_hold_every_image_once_and_no_group_twice(rows, seed):
    y, domain, group = (list(column) for column in zip(*rows, strict=True))
    parts = data.split(toy(y, domain, group, classes=3), seed)
    assert sorted(file for part in parts for file in part.file) == sorted(f"{i}.png" for i in range(len(rows)))
    seen = [{(d, g) for d, g in zip(part.domain.tolist(), part.group.tolist(), strict=True) if g} for part in parts]
    assert not (seen[0] & seen[1] or seen[0] & seen[2] or seen[1] & seen[2])


@pytest.mark.filterwarnings("ignore:.*several domains")
@settings(max_examples=60, deadline=None)
@given(images, st.integers(0, 5))
def test_the_split_of_a_domain_does_not_depend_on_the_others(rows, seed):
    y, domain, group = (list(column) for column in zip(*rows, strict=True))
    dataset = toy(y, domain, group, classes=3)
    name = dataset.domain_names[domain[0]]
    for together, alone in zip(data.split(dataset, seed), data.split(dataset.only(name), seed), strict=True):
        assert together.only(name).file.tolist() == alone.file.tolist()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 2), min_size=1, max_size=150), st.integers(0, 5))
def test_without_groups_each_class_has_its_share_to_within_one_image(y, seed):
    for part, fraction in zip(data.split(toy(y, classes=3), seed), (0.6, 0.1, 0.3), strict=True):
        for k in range(3):
            assert abs(int((part.y == k).sum()) - fraction * y.count(k)) <= 1


def test_with_groups_of_mixed_labels_the_shares_are_near():
    random = np.random.default_rng(0)
    group = random.integers(0, 80, 1000)
    y = (random.random(1000) < 0.1 + 0.4 * (group % 2)).astype(int).tolist()
    for part, fraction in zip(data.split(toy(y, group=group.astype(str)), 0), (0.6, 0.1, 0.3), strict=True):
        assert len(part) / 1000 == pytest.approx(fraction, abs=0.02)
        assert float(part.y.float().mean()) == pytest.approx(np.mean(y), abs=0.04)


def test_the_same_seed_gives_the_same_split_and_another_seed_another():
    dataset = toy([0, 1] * 50)
    files = [[part.file.tolist() for part in data.split(dataset, seed)] for seed in (0, 0, 1)]
    assert files[0] == files[1] != files[2]


def test_large_groups_are_not_always_training_groups():
    group = ["large"] * 20 + [f"small {i}" for i in range(80)]
    homes = {next(k for k, part in enumerate(data.split(toy([0, 1] * 50, group=group), seed)) if "large" in part.group)
             for seed in range(20)}  # fmt: skip
    assert {0, 2} <= homes


def test_a_share_of_zero_gives_an_empty_part():
    train, validation, test = data.split(toy([0, 1] * 10), 0, fractions=(0.9, 0.1, 0.0))
    assert (len(train), len(validation), len(test)) == (18, 2, 0)


def test_a_tiny_domain_is_divided_without_error():
    assert [len(part) for part in data.split(toy([1]), 0)] == [1, 0, 0]
    assert sum(len(part) for part in data.split(toy([0, 1, 1], group=["a", "a", "b"]), 0)) == 3


@pytest.mark.parametrize("fractions", [(0.5, 0.5), (0.6, 0.3, 0.3), (1.2, -0.1, -0.1)])
def test_shares_that_do_not_add_up_are_refused(fractions):
    with pytest.raises(ValueError, match="fractions="):
        data.split(toy([0, 1]), 0, fractions=fractions)
