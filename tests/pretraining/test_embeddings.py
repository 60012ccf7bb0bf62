"""Measures of embeddings: the reference package's numbers, limits, both controls, and bad input."""

import numpy as np
import pandas as pd
import pytest

from medgen_utils.pretraining import (
    class_probe,
    confounded_training,
    embeddings,
    hospital_probe,
    permuted_labels,
    random_embeddings,
    robustness_index,
)


def study(n=240, hospitals=3, classes=2, class_strength=1.0, hospital_strength=1.0, patients=60, seed=0, d=16):
    """Embeddings in which class and hospital have directions of their own, with the stated strengths."""
    rng = np.random.default_rng(seed)
    domain, y = rng.integers(hospitals, size=n), rng.integers(classes, size=n)
    directions = rng.standard_normal((classes + hospitals, d))
    z = rng.standard_normal((n, d)) + class_strength * directions[y] + hospital_strength * directions[classes + domain]
    return embeddings(z, y, domain, [f"p{i % patients}" for i in range(n)])


CANDIDATES = (1, 3, 5, 7, 11, 21)


@pytest.mark.parametrize(
    ("n", "hospitals", "classes", "patients", "seed"), [(200, 2, 2, 40, 0), (180, 4, 3, 180, 1), (150, 3, 2, 30, 2)]
)
@pytest.mark.filterwarnings("ignore:.*support is")
def test_robustness_index_equals_the_reference_package(n, hospitals, classes, patients, seed):
    croma = pytest.importorskip("croma.metrics.ri", reason="croma is not installed")
    data = study(n, hospitals, classes, patients=patients, seed=seed)
    manifest = pd.DataFrame({"sample_id": range(n), "image_path": "x", "label": data.y, "group_id": data.group})
    manifest = manifest.assign(hospital=data.domain).astype(str)
    theirs = croma.RobustnessIndex.compute(
        data.z, manifest, confounder_column="hospital", k_candidates=list(CANDIDATES)
    )
    ours = robustness_index(data, CANDIDATES)
    assert (ours.k, ours.value, ours.support) == (theirs.k, pytest.approx(theirs.value, abs=1e-6), theirs.support)


def test_robustness_index_is_one_where_only_the_class_counts_and_zero_where_only_the_hospital_does():
    only_class = study(class_strength=8, hospital_strength=0)
    only_hospital = study(class_strength=0, hospital_strength=8)
    assert robustness_index(only_class, CANDIDATES).value == 1
    assert robustness_index(only_hospital, CANDIDATES).value < 0.05


def test_robustness_index_never_takes_a_neighbour_of_the_same_patient():
    """Every patient has two identical images; without the rule each image's nearest would be its twin."""
    data = study(60, patients=60, class_strength=0, hospital_strength=0)
    twice = embeddings(
        np.repeat(data.z, 2, 0), np.repeat(data.y, 2), np.repeat(data.domain, 2), np.repeat(data.group, 2).astype(str)
    )
    once = robustness_index(data, (1,))
    doubled = robustness_index(twice, (1,))
    assert doubled.value == pytest.approx(once.value)
    assert doubled.balanced_accuracy == pytest.approx(once.balanced_accuracy)


def test_random_embeddings_are_rewarded_above_a_network_that_sees_the_hospital():
    """The measure's blind spot: nothing known, neither class nor hospital, gives about what chance gives."""
    data = study(class_strength=0.3, hospital_strength=1.5)
    chance = robustness_index(random_embeddings(data, 0), CANDIDATES)
    assert chance.value > robustness_index(data, CANDIDATES).value + 0.1
    assert chance.balanced_accuracy < 0.6


def test_permuted_labels_keep_patients_together_and_hospitals_as_they_are():
    data = study(hospitals=2, patients=30)
    shuffled = permuted_labels(data, 0)
    patients = pd.DataFrame({"y": shuffled.y, "patient": shuffled.group, "domain": data.domain})
    assert (patients.groupby(["domain", "patient"])["y"].nunique() == 1).all()
    assert (shuffled.y != data.y).any()
    assert (permuted_labels(data, 0).y == shuffled.y).all()


def test_hospital_probe_reads_what_is_there_and_nothing_else():
    assert hospital_probe(study(hospital_strength=4)).value > 0.95
    nothing = hospital_probe(study(hospital_strength=0, n=400, patients=400))
    assert nothing.chance == pytest.approx(1 / 3)
    assert abs(nothing.value - 1 / 3) < 0.1


def test_hospital_probe_holds_out_patients():
    """Each patient has a direction of its own; a probe that saw a patient's other images would know the hospital."""
    rng = np.random.default_rng(0)
    patient = np.repeat(np.arange(40), 6)
    z = 6 * rng.standard_normal((40, 60))[patient] + rng.standard_normal((240, 60))
    data = embeddings(z, rng.integers(2, size=240), patient % 2, patient.astype(str))
    assert hospital_probe(data).value < 0.75


def test_class_probe_has_a_cell_for_each_pair_and_names_a_hospital_with_one_class():
    data = study(hospitals=3, class_strength=3)
    y = np.where(data.domain == 2, 0, data.y)
    frame = class_probe(data._replace(y=y))
    assert frame.attrs["left_out"] == ["2"]
    assert set(zip(frame["learned"], frame["tested"], strict=True)) == {(a, b) for a in "01" for b in "01"}
    assert (frame["auroc"] > 0.9).all()


@pytest.mark.filterwarnings("error")
def test_class_probe_leaves_out_a_hospital_with_one_patient():
    data = study(hospitals=3, class_strength=3)
    few = np.flatnonzero(data.domain == 2)[:4]
    part = data.part(np.r_[np.flatnonzero(data.domain < 2), few])
    part = part._replace(group=np.where(part.domain == 2, data.group.max() + 1, part.group))
    frame = class_probe(part._replace(y=np.where(part.domain == 2, np.arange(len(part.y)) % 2, part.y)))
    assert frame.attrs["left_out"] == ["2"]
    assert set(frame["learned"]) == set(frame["tested"]) == {"0", "1"}


def test_a_training_set_that_ties_class_to_hospital_costs_where_embeddings_know_the_hospital():
    knows = confounded_training(study(600, 2, class_strength=0.5, hospital_strength=3), repeats=4)
    blind = confounded_training(study(600, 2, class_strength=0.5, hospital_strength=0), repeats=4)
    assert knows["size"].nunique() == 1
    drop = {name: frame["auroc"].iloc[0] - frame["auroc"].iloc[-1] for name, frame in (("k", knows), ("b", blind))}
    assert drop["k"] > 0.15
    assert abs(drop["b"]) < 0.05


GOOD = {"z": np.random.default_rng(0).standard_normal((6, 3)), "y": np.arange(6) % 2, "domain": list("aabbab")}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"z": np.full((6, 3), np.nan)}, r"6 embeddings hold NaN .* row 0"),
        ({"z": GOOD["z"][:5]}, r"embeddings \(5, 3\), labels \(6,\)"),
        ({"z": GOOD["z"].astype(int)}, "floating-point"),
        ({"z": GOOD["z"][:, 0]}, r"give \(n, d\)"),
        ({"y": ["a"] * 6}, "class numbers"),
        ({"y": np.zeros(6, int)}, "at least two"),
        ({"domain": ["a"] * 6}, "at least two"),
    ],
)
def test_bad_input_is_named(change, message):
    with pytest.raises(ValueError, match=message):
        embeddings(**(GOOD | change))


def test_numbers_of_neighbours_start_at_one():
    with pytest.raises(ValueError, match="1 or more"):
        robustness_index(embeddings(**GOOD), (0, 1))
