"""The reader's own images become a data set, or the reader learns what is wrong with them."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from medgen_utils import data
from medgen_utils.data import DomainDataset
from medgen_utils.tables import as_argument, as_option


@pytest.fixture
def folder(tmp_path) -> Path:
    """Eight grey images of 20 x 30 px in two hospitals, with labels.csv beside them."""
    random = np.random.default_rng(0)
    (tmp_path / "images" / "b").mkdir(parents=True)
    lines = ["file,label,domain,group"]
    for i in range(8):
        file = f"b/{i}.png" if i > 3 else f"{i}.png"
        Image.fromarray(random.integers(0, 256, (30, 20), dtype=np.uint8)).save(tmp_path / "images" / file)
        lines.append(f"{file},{('no', 'yes')[i % 2]},hospital {'B' if i > 3 else 'A'},p{i // 2}")
    (tmp_path / "labels.csv").write_text("\n".join(lines))
    return tmp_path


def edit(folder: Path, old: str, new: str) -> None:
    text = (folder / "labels.csv").read_text()
    assert old in text
    (folder / "labels.csv").write_text(text.replace(old, new))


def read(folder: Path, **options) -> DomainDataset:
    return data.from_folder(folder / "images", folder / "labels.csv", **options)


def test_own_images_become_a_data_set(folder):
    dataset = read(folder)
    assert dataset.x.shape == (8, 1, 30, 20)
    assert dataset.class_names == ("no", "yes") and dataset.y.tolist() == [0, 1] * 4
    assert dataset.domain_names == ("hospital A", "hospital B") and dataset.domain.tolist() == [0] * 4 + [1] * 4
    assert dataset.group.tolist() == ["p0", "p0", "p1", "p1", "p2", "p2", "p3", "p3"]
    pixels = np.asarray(Image.open(folder / "images" / "b" / "5.png"))
    np.testing.assert_array_equal((dataset.x[5, 0] * 255).round().numpy(), pixels)


def test_own_images_resized_in_colour_with_a_class_order(folder):
    Image.new("RGB", (50, 40), (255, 0, 0)).save(folder / "images" / "0.png")
    dataset = read(folder, size=28, class_names=("yes", "no"))
    assert dataset.x.shape == (8, 3, 28, 28)
    assert dataset.x[0].amax((1, 2)).tolist() == [1, 0, 0]
    assert dataset.y.tolist() == [1, 0] * 4


def test_labels_that_are_numbers_are_ordered_as_numbers(folder):
    edit(folder, "yes", "10")
    edit(folder, "no", "9")
    assert read(folder).class_names == ("9", "10")


def test_columns_may_be_called_otherwise(folder):
    plain = read(folder)
    edit(folder, "file,label,domain,group", "domain,dx,site,patient")
    names = {"file": "domain", "label": "dx", "domain": "site", "group": "patient"}
    found = read(folder, columns=names)
    assert (found.x == plain.x).all() and (found.y == plain.y).all() and found.domain_names == plain.domain_names
    assert found.group.tolist() == plain.group.tolist()
    with pytest.raises(ValueError, match=r"column 'dxx' is missing.*did you mean 'dx'"):
        read(folder, columns=names | {"label": "dxx"})
    with pytest.raises(ValueError, match="no column is called 'classs'"):
        read(folder, columns={"classs": "dx"})


def test_a_message_names_a_setting_as_one_asks(folder):
    (folder / "labels.csv").write_bytes("file,label,domain\n0.png,no,K\u00f6ln\n".encode("latin-1"))
    for ask, words in ((as_argument, "encoding='latin-1'"), (as_option, "--encoding latin-1")):
        with pytest.raises(ValueError, match=words):
            read(folder, ask=ask)


def test_groups_are_optional(folder):
    edit(folder, "group", "note")
    assert set(read(folder).group) == {""}


@pytest.mark.parametrize(
    ("old", "new", "error", "message"),
    [
        ("label", "diagnosis", ValueError, r"column 'label' is missing; the file has \['file', 'diagnosis'"),
        ("1.png,yes", "1.png,", ValueError, r"no label in row.s. 2 "),
        ("1.png,yes,hospital A", "1.png,yes,", ValueError, r"no domain in row.s. 2 "),
        ("b/7.png", "b/9.png", FileNotFoundError, r"labels.csv: 1 image not in .* in row 8: 'b/9.png': did you mean"),
        ("1.png", "0.png", ValueError, "lists '0.png' twice, in rows 1 and 2"),
        ("yes,hospital B", "no,hospital B", ValueError, "domain 'hospital B' has the one class 'no'"),
    ],
)
def test_a_table_that_does_not_fit_is_refused(folder, old, new, error, message):
    edit(folder, old, new)
    with pytest.raises(error, match=message):
        read(folder)


def test_a_label_that_is_no_class_is_refused(folder):
    edit(folder, "0.png,no", "0.png,maybe")
    with pytest.raises(ValueError, match=r"the labels \['maybe'\] are none of class_names"):
        read(folder, class_names=("no", "yes"))


def test_images_of_different_sizes_are_refused_with_the_way_out(folder):
    Image.new("L", (20, 31)).save(folder / "images" / "3.png")
    with pytest.raises(ValueError, match=r"3\.png has \(20, 31\) px.*give size=28"):
        read(folder)
    assert read(folder, size=28).x.shape == (8, 1, 28, 28)


@pytest.mark.parametrize("content", [b"not an image", b"\x89PNG\r\n\x1a\n" + b"broken", b""])
def test_a_file_that_is_no_image_is_refused(folder, content):
    (folder / "images" / "3.png").write_bytes(content)
    with pytest.raises(ValueError, match=r"3\.png cannot be read as an image"):
        read(folder)


def test_an_image_cut_short_is_refused(folder):
    path = folder / "images" / "3.png"
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(ValueError, match=r"3\.png cannot be read as an image"):
        read(folder)


def test_an_image_of_16_bits_is_refused(folder):
    Image.fromarray(np.full((30, 20), 40000, np.uint16)).save(folder / "images" / "3.png")
    with pytest.raises(ValueError, match="more than 8 bits"):
        read(folder)


def test_a_missing_folder_table_or_row_is_named(folder):
    with pytest.raises(FileNotFoundError, match="is not a folder"):
        data.from_folder(folder / "nothing", folder / "labels.csv")
    with pytest.raises(FileNotFoundError, match="is not a file"):
        data.from_folder(folder / "images", folder / "nothing.csv")
    (folder / "labels.csv").write_text("file,label,domain\n")
    with pytest.raises(ValueError, match="a header and no rows"):
        read(folder)


def message(folder: Path, **options) -> str:
    with pytest.raises((ValueError, FileNotFoundError)) as error:
        read(folder, **options)
    return str(error.value)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("1.PNG", "'1.PNG': did you mean '1.png'?"),
        ("1", "'1': did you mean '1.png'?"),
        ("1.jpg", "did you mean '1.png'?"),
        ("7.png", "did you mean 'b/7.png'?"),
        ("c/1.png", "did you mean '1.png'?"),
        ("x", "the folder holds ["),
    ],
)
def test_the_file_that_may_be_meant_is_named(folder, name, words):
    edit(folder, "\n1.png", f"\n{name}")
    found = message(folder)
    assert words in found and "in row 2" in found


def test_a_column_without_extensions_has_a_remedy_that_works(folder):
    edit(folder, ".png", "")
    assert "table['file'] += '.png'" in message(folder)
    table = pd.read_csv(folder / "labels.csv")
    table["file"] += ".png"
    assert len(data.from_folder(folder / "images", table)) == 8


@pytest.mark.parametrize("name", ["/etc/1.png", "../1.png", "C:\\images\\1.png", "b/../../1.png"])
def test_paths_that_leave_the_folder_are_refused(folder, name):
    edit(folder, "\n1.png", f"\n{name}")
    assert "write the path below that folder, such as '1.png'" in message(folder)


def test_backslashes_of_windows_divide_folders(folder):
    edit(folder, "b/", "b\\")
    assert len(read(folder)) == 8
    edit(folder, "b\\5.png", "b/4.png")
    assert "twice, in rows 5 and 6" in message(folder)


def test_a_folder_in_the_place_of_a_file_is_named(folder):
    edit(folder, "\n1.png", "\nb")
    assert "is a folder: name the image in it" in message(folder)


@pytest.mark.parametrize("column", ["yes", "hospital A", "p0"])
def test_blanks_and_codings_are_one_name_and_told(folder, column):
    edit(
        folder,
        "1.png,yes,hospital A,p0".replace(column, column),
        "1.png,yes,hospital A,p0".replace(column, f"{column} "),
    )
    with pytest.warns(UserWarning, match=f"'{column}' and '{column} '|'{column} ' and '{column}'"):
        dataset = read(folder)
    assert dataset.class_names == ("no", "yes") and len(dataset.domain_names) == 2
    assert dataset.group[0] == dataset.group[1]


def test_a_patient_in_two_domains_is_told(folder):
    edit(folder, "p3", "p0")
    with pytest.warns(UserWarning, match=r"'p0', in 'hospital A' and 'hospital B'\), so leaving a domain out leaves"):
        read(folder)


def test_an_unknown_patient_is_asked_about(folder):
    edit(folder, "p1", "unknown")
    with pytest.warns(UserWarning, match="'unknown' is the patient of 2 images: is it one?"):
        read(folder)


def test_a_sound_folder_has_nothing_to_tell(folder, recwarn):
    read(folder)
    assert list(recwarn) == []


@pytest.mark.parametrize(("separator", "encoding"), [(";", "utf-8"), ("\t", "utf-16"), (",", "utf-8-sig")])
def test_tables_are_read_as_the_audit_reads_them(folder, separator, encoding):
    text = (folder / "labels.csv").read_text().replace("hospital A", "K\u00f6ln").replace(",", separator)
    (folder / "labels.csv").write_bytes(text.encode(encoding))
    assert read(folder).domain_names == ("K\u00f6ln", "hospital B")


def test_what_the_table_says_of_a_hospital_is_kept(folder):
    table = pd.read_csv(folder / "labels.csv")
    table["country"], table["scanner"] = "DE", list("aaaabbcc")
    domains = data.from_folder(folder / "images", table).domains
    assert domains["country"].tolist() == ["DE", "DE"]
    assert domains["scanner"].tolist() == ["a", ""]


def test_an_encoding_that_is_not_said_is_asked_for(folder):
    text = (folder / "labels.csv").read_text().replace("hospital A", "K\u00f6ln")
    (folder / "labels.csv").write_bytes(text.encode("latin-1"))
    found = message(folder)
    assert "row 1 " in found and "column 'domain'" in found and "encoding='latin-1'" in found
    assert read(folder, encoding="latin-1").domain_names == ("K\u00f6ln", "hospital B")


# --- the cases of the review ------------------------------------------------------------------------------------------

CASES = Path(__file__).resolve().parents[2].parent / "shared" / "cases" / "images"


def case(name: str, **options) -> DomainDataset:
    if not CASES.is_dir():
        pytest.skip(f"the cases of the review are not on this machine: {CASES}")
    return data.from_folder(CASES / name / "img", CASES / name / "labels.csv", **({"size": 28} | options))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("rgb16", r"0\.png has more than 8 bits"),
        ("multitiff", r"0\.tif holds 5 frames"),
        ("la", "background='black' or 'white'"),
        ("latin1", "row 1 .*column 'domain': byte 0xf6.*encoding='latin-1'"),
        ("case", r"did you mean '0\.png'\?"),
    ],
)
def test_cases_that_are_named(name, words):
    with pytest.raises((ValueError, FileNotFoundError), match=words):
        case(name)


def test_cases_that_are_told():
    with pytest.warns(UserWarning, match="'malignant ' and 'malignant' differ only in blanks"):
        assert case("trail_label").class_names == ("benign", "malignant")
    with pytest.warns(UserWarning, match="2 patient.s. have images in several domains"):
        assert len(case("leak")) == 8


def test_cases_once_their_remedy_is_followed():
    assert case("latin1", encoding="latin-1").domain_names == ("K\u00f6ln", "B")
    white, black = (case("la", background=name).x[0].mean() for name in ("white", "black"))
    assert white > black
