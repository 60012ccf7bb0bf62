"""The reader's own images become a data set, or the reader learns what is wrong with them."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medgen_utils import data
from medgen_utils.data import DomainDataset


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


def test_groups_are_optional(folder):
    edit(folder, "group", "note")
    assert set(read(folder).group) == {""}


@pytest.mark.parametrize(
    ("old", "new", "error", "message"),
    [
        ("label", "diagnosis", ValueError, r"lacks the columns \['label'\]; it has \['file', 'diagnosis'"),
        ("1.png,yes", "1.png,", ValueError, r"no label in line\(s\) \[3\]"),
        ("1.png,yes,hospital A", "1.png,yes,", ValueError, r"no domain in line\(s\) \[3\]"),
        ("b/7.png", "b/9.png", FileNotFoundError, r"1 images of .*labels.csv are not in .*\['b/9.png'\]"),
        ("1.png", "0.png", ValueError, "lists '0.png' twice"),
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
    with pytest.raises(ValueError, match="lists no image"):
        read(folder)
