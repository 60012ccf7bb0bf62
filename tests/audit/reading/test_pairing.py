"""Rows of several models and runs speak of the same images, or the difference is named."""

import pandas as pd
import pytest

from medgen_utils.tables import BadTable
from tests.audit.examples import models, read, table, told


@pytest.mark.parametrize(("column", "option"), [("seed", "--run seed"), ("Model", "--model Model")])
def test_runs_or_models_in_one_heap_are_refused_and_the_option_named(csv, column, option):
    data = pd.concat([table().assign(**{column: s}) for s in "ab"])
    with pytest.raises(BadTable, match=f"same 240 images: pass {option}"):
        read(csv(data))
    with pytest.raises(BadTable, match=f"row 1 already: .*{option}"):
        read(csv(data), identity="id")


def test_seeds_that_tested_different_images_are_told(csv):
    frame = read(csv(table().assign(seed=lambda t: t.index // 80)))
    assert "column 'seed' holds 3 values" in told(frame)


def test_a_column_of_one_value_does_not_hide_the_next_one(csv):
    data = pd.concat([table().assign(run="only", seed=s) for s in "ab"])
    with pytest.raises(BadTable, match="same 240 images: pass --run seed"):
        read(csv(data))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d.drop(index=range(240, 320)), "model 'b' has no rows in 'home' .* model 'a' has 80"),
        (lambda d: d.drop(index=[241, 244]), "model 'b' lacks 2 of the 240 images of model 'a', the first: 'i1'"),
        (lambda d: d.drop(index=[3]), "model 'a' lacks 1 of the 240 images of model 'b', the first: 'i3'"),
        (lambda d: d.assign(y=d["y"].where(d.index != 250, 1 - d["y"])), "label of image 'i10' differs: .* row 251"),
        (lambda d: d.assign(hospital=d["hospital"].where(d.index != 250, "x")), "domain of image 'i10' differs"),
        (lambda d: d.assign(patient=d["patient"].where(d.index != 250, 999)), "patient of image 'i10' differs"),
    ],
)
def test_models_that_saw_different_things_are_named(csv, change, words):
    with pytest.raises(BadTable, match=words):
        read(csv(change(models())), model="m", identity="id", group="patient")
