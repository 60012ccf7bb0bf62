"""Workbooks, parquet and archives give their table; damage and missing packages are named."""

import sys

import pandas as pd
import pytest

from medgen_utils.tables import BadTable, read_table
from tests.tables.examples import PACKERS, TEXT, zipped


def test_xlsx_gives_numbers_words_and_rows_of_the_sheet(tmp_path):
    openpyxl = pytest.importorskip("openpyxl", reason="openpyxl is not installed")
    book = openpyxl.Workbook()
    for row in (["image", "y", "p"], ["k1", True, 0.2816], [None, None, None], ["NA", 1, 1]):
        book.active.append(row)
    book.create_sheet("other")
    book.save(tmp_path / "predictions.xlsx")
    table = read_table(tmp_path / "predictions.xlsx")
    assert table.to_numpy().tolist() == [["k1", "True", "0.2816"], ["NA", "1", "1"]]
    assert table.index.tolist() == [1, 3]
    assert "one of 2" in table.attrs["notices"][0]
    (tmp_path / "cut.xlsx").write_bytes((tmp_path / "predictions.xlsx").read_bytes()[:-200])
    with pytest.raises(BadTable, match="damaged"):
        read_table(tmp_path / "cut.xlsx")


def test_parquet_gives_numbers_words_and_a_named_index(tmp_path):
    pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    data = pd.DataFrame(
        {"p": [0.25, None], "y": pd.array([1, None], "Int64")}, index=pd.Index(["k1", "k2"], name="image")
    )
    data["p32"] = data["p"].astype("float32")
    data.to_parquet(tmp_path / "predictions.parquet")
    table = read_table(tmp_path / "predictions.parquet")
    assert table["image"].tolist() == ["k1", "k2"]
    assert table["p"].tolist() == table["p32"].tolist() == ["0.25", ""]
    assert table["y"].tolist() == ["1", ""]
    (tmp_path / "cut.parquet").write_bytes((tmp_path / "predictions.parquet").read_bytes()[:-20])
    with pytest.raises(BadTable, match="damaged"):
        read_table(tmp_path / "cut.parquet")


@pytest.mark.parametrize(
    ("content", "package"), [(zipped(b"", "[Content_Types].xml"), "openpyxl"), (b"PAR1....PAR1", "pyarrow")]
)
def test_a_missing_package_is_named(file, monkeypatch, content, package):
    for name in ("openpyxl", "pyarrow", "fastparquet"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(BadTable, match=f"pip install {package}"):
        read_table(file(content))


DAMAGED = {
    f"{name}, {how}": spoil(pack((TEXT * 50).encode()))
    for name, pack in PACKERS.items()
    for how, spoil in {
        "cut": lambda data: data[: len(data) // 2],
        "flipped": lambda data: data[:-30] + bytes(255 - b for b in data[-30:-12]) + data[-12:],
        "head only": lambda data: data[:7],
    }.items()
}


@pytest.mark.parametrize("case", DAMAGED)
def test_a_damaged_archive_is_called_so(file, case):
    with pytest.raises(BadTable, match=r"damaged|holds 0 files"):
        read_table(file(DAMAGED[case]))
