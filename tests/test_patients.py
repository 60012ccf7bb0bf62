"""The pictures of the data page come out of the publishers' archives at their own size."""

import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.data.publisher import png, zip_of
from tools import ROOT, patients

ARCHIVES = ROOT / (os.environ.get("MEDGEN_DATA") or "../shared/data") / "archives"


@pytest.mark.parametrize("picture", (*patients.ULTRASOUND, *patients.MITOSIS), ids=lambda picture: picture.name)
def test_a_committed_picture_is_the_publishers(picture):
    if not list(ARCHIVES.glob(f"{picture.archive}*")):
        pytest.skip(f"no archive {picture.archive}* in {ARCHIVES} (set MEDGEN_DATA)")
    again = np.asarray(Image.open(io.BytesIO(patients.cut(picture, ARCHIVES))), dtype=float)
    committed = np.asarray(Image.open(patients.FOLDER / picture.name), dtype=float)
    assert again.shape == committed.shape
    assert np.abs(again - committed).mean() < 1  # another version of the WebP library may round otherwise


def test_a_missing_picture_and_a_large_one_are_refused(tmp_path: Path):
    picture = patients.ULTRASOUND[0]
    with pytest.raises(FileNotFoundError, match=r"no archive Dataset_BUSI\*"):
        patients.cut(picture, tmp_path)
    noise = png(np.random.default_rng(0), 500, 500)
    (tmp_path / "Dataset_BUSI.zip").write_bytes(zip_of({f"top/{picture.member}": noise}))
    with pytest.raises(ValueError, match="choose a smaller picture"):
        patients.cut(picture, tmp_path)
