"""The fair experiment keeps its promises: the target is unseen, everything repeats, the columns are tidy."""

from dataclasses import replace

import pytest

from medgen_utils import clinic
from medgen_utils.benchmark import run
from medgen_utils.training import ERM, flips

HOSPITALS = clinic.acquisition_hospitals()


@pytest.fixture(scope="module")
def dataset():
    return clinic.make_clinic(HOSPITALS, 40, seed=0, size=16)


def short_run(dataset, seed=0, **options):
    return run(ERM, dataset, clinic.NEW_HOSPITAL, seed=seed, steps=3, width=4, augment=flips, **options)


def test_every_target_image_is_tested_once_and_no_source_image_is(dataset):
    tested = short_run(dataset).query("split == 'test'")
    assert set(tested["domain"]) == {clinic.NEW_HOSPITAL}
    assert sorted(tested["index"]) == dataset.only(clinic.NEW_HOSPITAL).index.tolist()


def test_validation_is_a_tenth_of_each_source_and_holds_no_target(dataset):
    validation = short_run(dataset).query("split == 'validation'")
    assert clinic.NEW_HOSPITAL not in set(validation["domain"])
    assert validation.groupby("domain").size().between(3, 5).all()


def test_the_target_images_cannot_influence_the_weights(dataset):
    dark = dataset.x.clone()
    dark[dataset.domain == dataset.domain_names.index(clinic.NEW_HOSPITAL)] = 0
    a, b = short_run(dataset), short_run(replace(dataset, x=dark))
    columns = ["index", "prob_0", "prob_1"]
    assert a.query("split == 'validation'")[columns].equals(b.query("split == 'validation'")[columns])


def test_same_seed_same_frame_and_another_seed_another(dataset):
    a, b, c = (short_run(dataset, seed).drop(columns="seconds") for seed in (0, 0, 1))
    assert a.equals(b)
    assert not a["prob_1"].equals(c["prob_1"])


def test_the_name_and_the_protocol_are_written_on_every_row(dataset):
    frame = short_run(dataset, name="baseline")
    assert set(frame["algorithm"]) == {"baseline"} and set(frame["protocol"]) == {"leave out new hospital"}
    assert (frame["seconds"] > 0).all()


def test_hyperparameters_reach_the_algorithm(dataset):
    a = short_run(dataset)
    b = short_run(dataset, hyperparameters={"learning_rate": 1e-4})
    assert not a["prob_1"].equals(b["prob_1"])


def test_an_unknown_target_is_named(dataset):
    with pytest.raises(ValueError, match="nowhere"):
        run(ERM, dataset, "nowhere", seed=0, steps=1)
