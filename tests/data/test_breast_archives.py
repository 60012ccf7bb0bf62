"""Frames, outlines and lesion windows from four publishers' layouts."""

import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from medgen_utils.data import DataCorrupt, breast_archives
from medgen_utils.data.prepared import load_npz
from tests.data.publisher import png, real_data, zip_of


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ((40, 50, 30, 40), (27, 37, 43, 53)),  # 10 px wide: 16 px around its middle
        ((0, 10, 90, 100), (84, 0, 100, 16)),  # moved inside the frame
        ((10, 70, 10, 20), (0, 0, 96, 80)),  # 96 px, cut where the frame is narrower
    ],
)
def test_the_window_is_a_square_around_the_outline(box, expected):
    outline = np.zeros((80, 100), bool)
    top, bottom, left, right = box
    outline[top:bottom, left:right] = True
    assert breast_archives.window(outline) == expected


def test_without_an_outline_there_is_no_window():
    assert breast_archives.window(np.zeros((8, 8), bool)) is None


def test_an_outline_of_other_proportions_is_left_out_and_the_frame_shown():
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 80), dtype=np.uint8))
    outlines = [Image.fromarray(np.full((60, 60), 255, np.uint8))]
    frames = [breast_archives.Frame("a", image, outlines, "benign"), breast_archives.Frame("b", image, [], "malignant")]
    by_key = breast_archives.arrays(iter(frames), sizes=(64,))
    for key in (("frame", 64), ("lesion", 64)):
        np.testing.assert_array_equal(by_key[key]["images"][0], np.asarray(image.resize((64, 64), Image.LANCZOS)))
    arrays = by_key["lesion", 64]
    assert arrays["roi_ok"].tolist() == [False, False] and arrays["lesion_fraction"].tolist() == [0, 0]
    assert arrays["labels"].tolist() == [0, 1]
    assert arrays["near_dup"].tolist() == [0, 0] and arrays["keep"].tolist() == [
        False,
        False,
    ]  # one picture, two labels


def test_several_outlines_of_one_picture_are_joined(tmp_path):
    random = np.random.default_rng(0)
    outlines = [np.zeros((60, 80), np.uint8) for _ in range(2)]
    outlines[0][10:20, 10:20] = outlines[1][30:40, 40:50] = 255
    members = {f"top/{label}/{label} ({k}).png": png(random, 60, 80) for label in ("benign", "normal") for k in (10, 2)}
    for name, outline in zip(("benign (2)_mask.png", "benign (2)_mask_1.png"), outlines, strict=True):
        stream = io.BytesIO()
        Image.fromarray(outline).save(stream, "PNG")
        members[f"top/benign/{name}"] = stream.getvalue()
    (tmp_path / "Dataset_BUSI.zip").write_bytes(zip_of(members))
    frames = list(breast_archives.busi(tmp_path / "Dataset_BUSI.zip"))
    assert [frame.file for frame in frames] == ["busi/benign/benign (2).png", "busi/benign/benign (10).png"]
    arrays = breast_archives.arrays(iter(frames), sizes=(64,))["lesion", 64]
    assert arrays["lesion_fraction"].tolist() == pytest.approx([200 / 4800, 0])
    assert arrays["roi_ok"].tolist() == [True, False]


def test_an_archive_without_its_table_is_refused(tmp_path):
    (tmp_path / "a.zip").write_bytes(zip_of({"top/images/a.png": b""}))
    with pytest.raises(DataCorrupt, match=r"has no INFO\.csv"):
        list(breast_archives.uclm(tmp_path / "a.zip"))
    with pytest.raises(DataCorrupt, match=r"has no BUSBRA/bus_data\.csv"):
        list(breast_archives.busbra(tmp_path / "a.zip"))


# --- the publishers' real files ---------------------------------------------------------------------------------------


def busi(folder):
    return breast_archives.busi(folder / "Dataset_BUSI-sample.zip")


def uclm(folder):
    return breast_archives.uclm(folder / "BUS-UCLM-sample.zip")


def breast(folder):
    pytest.importorskip("openpyxl")
    table = pd.read_excel(folder / "BrEaST-clinical-data.xlsx")
    sample = (1, 4, 8, 11, 14, 20, 27, 31)
    sheet = io.BytesIO()
    table[table["CaseID"].isin(sample)].to_excel(sheet)
    return breast_archives.breast(folder / "BrEaST-sample.zip", sheet)


@pytest.mark.parametrize(("frames", "n"), [(busi, 8), (uclm, 6), (breast, 8)])
def test_real_pictures_are_prepared_bit_for_bit(frames, n):
    files = {
        ("frame", 64): "breast_hospitals_64.npz",
        ("lesion", 64): "breast_hospitals_64_roi.npz",
        ("lesion", 128): "breast_hospitals_128_roi.npz",
    }
    folder = real_data(*files.values(), "archives/Dataset_BUSI-sample.zip", "archives/BrEaST-sample.zip")
    ours = breast_archives.arrays(frames(folder / "archives"))
    assert ours["frame", 128]["images"].shape == (n, 128, 128)
    for key, file in files.items():
        reference = load_npz(folder / file)
        position = {name: i for i, name in enumerate(reference["files"].tolist())}
        rows = [position[name] for name in ours[key]["files"].tolist()]
        assert len(rows) == n and rows == sorted(rows)
        for name in ("images", "labels", "groups", "scanner", "flags", "roi_ok", "lesion_fraction"):
            np.testing.assert_array_equal(ours[key][name], reference[name][rows], err_msg=f"{file} {name}")
