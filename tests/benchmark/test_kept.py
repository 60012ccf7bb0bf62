"""A kept run comes back as it was, and only as what it was."""

import numpy as np
import pandas as pd
import pytest

from medgen_utils import clinic
from medgen_utils.benchmark import run
from medgen_utils.benchmark.kept import fingerprint, hashed, load_run, save_run
from medgen_utils.training import ERM, flips, flips_and_turns
from tests.benchmark.small import small_clinic

LABEL = {"name": "ERM", "seed": 0, "protocol": "leave out hospital A"}


@pytest.fixture(scope="module")
def dataset():
    return small_clinic(0)


def test_a_run_comes_back_to_the_last_digit_with_its_curve(dataset, tmp_path):
    part = dataset.without(clinic.NEW_HOSPITAL)  # numbered as the whole, and not from 0
    part = part.subset(np.arange(len(part))[::-1].copy())
    frame = run(ERM, part, "hospital A", seed=0, steps=4, width=2, evaluations=2)
    save_run(frame, tmp_path / "deep" / "run.npz")
    found = load_run(tmp_path / "deep" / "run.npz", part, **LABEL)
    pd.testing.assert_frame_equal(found, frame)
    assert found.attrs["curve"] == frame.attrs["curve"] and len(found.attrs["curve"]) == 2
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["run.npz"]


def test_no_patient_is_written(dataset, tmp_path):
    save_run(run(ERM, dataset, "hospital A", seed=0, steps=1, width=2), tmp_path / "run.npz")
    with np.load(tmp_path / "run.npz") as file:
        assert sorted(file.files) == ["curve", "index", "prob", "seconds", "test"]


@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04 cut off"])
def test_a_file_that_is_missing_or_damaged_is_no_run(dataset, tmp_path, content):
    if content is not None:
        (tmp_path / "run.npz").write_bytes(content)
    assert load_run(tmp_path / "run.npz", dataset, **LABEL) is None


def test_other_images_labels_or_patients_have_another_fingerprint(dataset):
    prints = {fingerprint(part) for part in (dataset, small_clinic(1), dataset.only("hospital A"))}
    assert len(prints) == 3 and fingerprint(small_clinic(0)) in prints


def test_functions_and_classes_count_by_their_name():
    assert hashed({"augment": flips, "steps": 3}) == hashed({"steps": 3, "augment": flips})
    assert len({hashed({"augment": f, "steps": n}) for f in (flips, flips_and_turns, ERM) for n in (3, 4)}) == 6
