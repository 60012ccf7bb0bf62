"""Tables of every kind come out as the same text, and what is none is named with its place and a remedy."""

import gzip

import pytest

from medgen_utils.tables import BadTable, as_argument, read_table
from tests.tables.examples import PACKERS, ROWS, TEXT, zipped

SAME = {
    "commas": TEXT.encode(),
    "semicolons": TEXT.replace(",", ";").encode(),
    "tabs": TEXT.replace(",", "\t").encode(),
    "bars": TEXT.replace(",", "|").encode(),
    "UTF-8 with its mark": TEXT.encode("utf-8-sig"),
    "UTF-16, little end first": b"\xff\xfe" + TEXT.encode("utf-16-le"),
    "UTF-16, big end first": b"\xfe\xff" + TEXT.replace(",", "\t").encode("utf-16-be"),
    "UTF-32": TEXT.encode("utf-32"),
    "Windows line ends": TEXT.replace("\n", "\r\n").encode(),
    "old Macintosh line ends": TEXT.replace("\n", "\r").encode(),
    "no line end": TEXT.rstrip().encode(),
    "blank lines": TEXT.replace("\n", "\n\n").encode(),
    "blank lines before the header": b"\n\n" + TEXT.encode(),
    "Excel's word": b"sep=,\r\n" + TEXT.encode(),
    "Excel's word for another": b'"sep=;"\n' + TEXT.replace(",", ";").encode(),
    "quotation marks": b'"image","hospital","p"\n"k1","K\xc3\xb6ln","0.25"\n"k2","NA","1e-3"\n',
    "blanks after the separator": TEXT.replace(",", ", ").encode(),
    "empty columns at the end": TEXT.replace("\n", ",,\n").encode(),
    **{f"{name} archive": pack(TEXT.encode()) for name, pack in PACKERS.items()},
    "an archive in an archive": zipped(gzip.compress(TEXT.encode())),
    "zip of a Macintosh": zipped(TEXT.encode(), "a.csv", "__MACOSX/._a.csv"),
}


@pytest.mark.parametrize("case", SAME)
def test_every_kind_comes_out_as_the_same_text(file, case):
    table = read_table(file(SAME[case]))
    assert table.columns.tolist() == ["image", "hospital", "p"]
    assert table.to_numpy().tolist() == ROWS


def test_rows_are_numbered_as_in_the_file(file):
    assert read_table(file(b"\na,b\n1,2\n\n,\n3,4\n")).index.tolist() == [1, 4]


def test_empty_cells_at_the_end_of_a_row_may_be_left_out(file):
    """As Excel does it."""
    assert read_table(file(b"a,b,c\n1,2\n3,4,5")).to_numpy().tolist() == [["1", "2", ""], ["3", "4", "5"]]


def test_long_tables_keep_their_order(file):
    lines = [f"{i},x{i}" for i in range(25_003)]
    table = read_table(file("\n".join(["n,name", *lines]).encode()))
    assert table["n"].tolist() == [str(i) for i in range(25_003)]
    assert table["name"].iloc[-1] == "x25002"


def test_other_characters_for_a_line_end_are_letters_of_a_name(file):
    table = read_table(file("a,b\nx\u2028y\x0bz,1\n".encode()))
    assert table["a"].tolist() == ["x\u2028y\x0bz"]


def test_what_was_read_otherwise_is_told(file):
    assert "UTF-16" in read_table(file(TEXT.encode("utf-16"))).attrs["notices"][0]
    assert "no header" in read_table(file(b"sep=,\n" + TEXT.encode())).attrs["notices"][0]
    assert "UTF-8 too" in read_table(file(TEXT.encode()), encoding="latin-1").attrs["notices"][0]
    assert read_table(file(TEXT.encode())).attrs["notices"] == []


def test_settings_are_obeyed(file):
    assert read_table(file(TEXT.encode("latin-1")), encoding="latin-1").to_numpy().tolist() == ROWS
    assert read_table(file(TEXT.encode("utf-16-le")), encoding="utf-16-le").to_numpy().tolist() == ROWS
    for word in ("tab", "\\t", "\t"):
        assert read_table(file(b"a,b\tc\n1,2\t3\n"), separator=word).columns.tolist() == ["a,b", "c"]


def test_an_index_saved_twice_has_two_names(file):
    table = read_table(file(b",Unnamed: 0,y\n0,0,1\n"))
    assert table.columns.tolist() == ["Unnamed: 0", "Unnamed: 0.1", "y"]


REFUSED = {
    "nothing": (b"", "empty"),
    "blank": (b"\n \n", "empty"),
    "no rows": (b"a,b\n", "no rows"),
    "a column twice": (b"a,b,a\n1,2,3\n", "'a' occurs twice"),
    "more fields": (b"a,b\n1,2\n\n1,2,3\n", "row 3 .* 3 fields"),
    "decimal commas among commas": (b"a,p\n1,0,5\n", "decimal commas need another separator"),
    "cut in a row": (b"a,b,c\n1,2,3\n1,2", "row, 2, .* cut off"),
    "an open quotation mark": (b'a,b\n"1,2\n3,4\n', "quotation mark"),
    "Latin-1": ("a,b\n1,x\n1,K\u00f6ln\n".encode("latin-1"), "row 2 .*'b': byte 0xf6.*--encoding latin-1"),
    "Latin-1 in the header": ("a,\u00e4\n1,x\n".encode("latin-1"), "the header: byte 0xe4"),
    "UTF-16 without its mark": (TEXT.encode("utf-16-le"), "--encoding utf-16-le"),
    "UTF-16 without its mark, turned": (TEXT.encode("utf-16-be"), "--encoding utf-16-be"),
    "half a UTF-16": (TEXT.encode("utf-16")[:-1], "is not UTF-16"),
    "two files": (zipped(b"a", "a.csv", "b.csv"), "2 files .a.csv, b.csv"),
    "an old workbook": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 99, "as xlsx"),
    "OpenDocument": (zipped(b"application/vnd.oasis.opendocument.spreadsheet", "mimetype"), "OpenDocument"),
    "a pickle": (b"\x80\x04\x95", "pickle"),
    "a web page": (b"<!DOCTYPE html><html>", "HTML"),
    "JSON": (b'{"a": [1, 2]}', "JSON"),
    "noise": (bytes(range(256)) * 4, "NUL|not UTF-8"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_table_is_named_with_a_remedy(file, case):
    content, words = REFUSED[case]
    with pytest.raises(BadTable, match=words):
        read_table(file(content))


def test_wrong_settings_are_named(file, tmp_path):
    for settings, words in (
        ({"encoding": "klingon"}, "unknown encoding"),
        ({"encoding": "rot13"}, "unknown encoding"),
        ({"encoding": "utf-16"}, "leave the encoding out"),
        ({"separator": "::"}, "one character"),
    ):
        with pytest.raises(BadTable, match=words):
            read_table(file(TEXT.encode()), **settings)
    with pytest.raises(BadTable, match="encoding utf-16"):
        read_table(file(TEXT.encode("utf-16")), encoding="utf-8")
    with pytest.raises(BadTable, match="encoding='latin-1'"):
        read_table(file(TEXT.encode("latin-1")), ask=as_argument)
    with pytest.raises(BadTable, match="no such file"):
        read_table(tmp_path / "nowhere.csv")
    with pytest.raises(BadTable, match="is a folder"):
        read_table(tmp_path)
