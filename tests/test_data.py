"""What a data set must be, how it is divided, and how the book's and the reader's own images are loaded."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from medgen_utils import data
from medgen_utils.data import DATASETS, DataCorrupt, DatasetInfo, DomainDataset, publishers

ROOT = Path(__file__).parents[1]
INFO = DatasetInfo("toy", "Toy", "made here", "none", "none")


def toy(y, domain=None, group=None, classes=2, domains=3) -> DomainDataset:
    y = torch.tensor(y, dtype=torch.int64)
    n = len(y)
    return DomainDataset(
        torch.arange(n, dtype=torch.float32).reshape(n, 1, 1, 1).expand(n, 1, 4, 4) / max(n, 1),
        y,
        torch.zeros(n, dtype=torch.int64) if domain is None else torch.tensor(domain, dtype=torch.int64),
        np.full(n, "", dtype=str) if group is None else np.array(group, dtype=str),
        tuple(f"class {k}" for k in range(classes)),
        tuple(f"hospital {k}" for k in range(domains)),
        INFO,
        file=np.array([f"{i}.png" for i in range(n)], dtype=str),
    )


@pytest.fixture
def real(monkeypatch, tmp_path):
    """MEDGEN_DATA at the real files (skipped, with the reason, where there are none) and an empty cache."""
    folder = ROOT / (os.environ.get("MEDGEN_DATA") or "../shared/data")
    files = [f"{name}_{size}.npz" for name in ("busbra", "mitosis") for size in (28, 64)]
    missing = [file for file in [*files, "breastmnist.npz", "pneumoniamnist.npz"] if not (folder / file).is_file()]
    if missing:
        pytest.skip(f"no real data: {', '.join(missing)} not in {folder} (set MEDGEN_DATA)")
    monkeypatch.setenv("MEDGEN_DATA", str(folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


@pytest.fixture
def own(monkeypatch, tmp_path) -> Path:
    """An empty folder as MEDGEN_DATA, an empty cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("MEDGEN_DATA", str(tmp_path))
    return tmp_path


# --- what a data set must be ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("x", torch.zeros(4, 1, 4, 4, dtype=torch.float64), "x of toy is torch.float64"),
        ("x", torch.zeros(4, 4, 4), "shape \\(N, C, H, W\\)"),
        ("x", torch.full((4, 1, 4, 4), 1.1), "scale intensities to"),
        ("x", torch.full((4, 1, 4, 4), -0.1), "scale intensities to"),
        ("x", torch.full((4, 1, 4, 4), float("nan")), "scale intensities to"),
        ("x", torch.zeros(5, 1, 4, 4), "y of toy is torch.int64 \\(4,\\): give int64 of shape \\(5,\\)"),
        ("y", torch.zeros(4, dtype=torch.int32), "y of toy is torch.int32"),
        ("y", torch.zeros(4, 1, dtype=torch.int64), "y of toy is torch.int64 \\(4, 1\\)"),
        ("y", torch.tensor([0, 1, 2, 0]), "y of toy ranges from 0 to 2, with 2 names"),
        ("y", torch.tensor([0, -1, 1, 0]), "y of toy ranges from -1 to 1"),
        ("domain", torch.tensor([0, 1, 3, 0]), "domain of toy ranges from 0 to 3, with 3 names"),
        ("group", np.array(["a"] * 3), "group of toy: give a numpy array of 4 str"),
        ("group", np.arange(4), "group of toy: give a numpy array of 4 str"),
        ("file", np.array(["a"] * 5), "file of toy: give a numpy array of 4 str"),
    ],
)
def test_a_field_that_does_not_fit_is_refused(field, value, message):
    with pytest.raises(ValueError, match=message):
        replace(toy([0, 1, 0, 1]), **{field: value})


@pytest.mark.parametrize("index", [torch.tensor([3, 1]), np.array([3, 1]), [3, 1]])
def test_a_subset_keeps_every_field_in_step(index):
    picked = toy([0, 1, 0, 1], [0, 1, 2, 2], ["a", "b", "c", "d"]).subset(index)
    assert picked.y.tolist() == [1, 1]
    assert picked.domain.tolist() == [2, 1]
    assert picked.group.tolist() == ["d", "b"]
    assert picked.file.tolist() == ["3.png", "1.png"]
    assert (picked.x[:, 0, 0, 0] * 4).tolist() == [3, 1]


@pytest.mark.parametrize("mask", [torch.tensor([False, True, False, True]), np.array([False, True, False, True])])
def test_a_subset_by_mask(mask):
    assert toy([0, 1, 0, 1]).subset(mask).file.tolist() == ["1.png", "3.png"]


def test_a_mask_of_another_length_is_refused():
    with pytest.raises(ValueError, match="give one value an image"):
        toy([0, 1, 0, 1]).subset(np.array([True, False]))


def test_only_and_without_part_the_domains():
    dataset = toy([0, 1, 0, 1], [0, 1, 2, 2])
    assert dataset.only("hospital 2", "hospital 0").file.tolist() == ["0.png", "2.png", "3.png"]
    assert dataset.without("hospital 2").file.tolist() == ["0.png", "1.png"]
    with pytest.raises(ValueError, match="no domain 'hospital 9' in toy: choose from"):
        dataset.only("hospital 9")


def test_the_summary_counts_images_groups_and_classes():
    table = toy([0, 1, 1, 1], [0, 0, 0, 2], ["a", "a", "b", ""]).summary()
    assert table.index.tolist() == ["hospital 0", "hospital 2"]
    assert table["images"].tolist() == [3, 1]
    assert table["groups"].tolist() == [2, 0]
    assert table["class 1"].tolist() == pytest.approx([2 / 3, 1])


def test_leave_one_domain_out_takes_each_domain_that_has_images():
    dataset = toy([0, 1, 0, 1], [0, 0, 2, 2])
    turns = [(name, sources.file.tolist(), target.file.tolist()) for name, sources, target in
             data.leave_one_domain_out(dataset)]  # fmt: skip
    first, last = ["0.png", "1.png"], ["2.png", "3.png"]
    assert turns == [("hospital 0", last, first), ("hospital 2", first, last)]


def test_leaving_the_only_domain_out_is_refused():
    with pytest.raises(ValueError, match="one domain"):
        next(data.leave_one_domain_out(toy([0, 1])))


# --- how it is divided ------------------------------------------------------------------------------------------------

images = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 2), st.sampled_from(["", "a", "b", "c", "d"])), min_size=1, max_size=60
)


@settings(max_examples=60, deadline=None)
@given(images, st.integers(0, 5))
def test_the_parts_of_a_split_hold_every_image_once_and_no_group_twice(rows, seed):
    y, domain, group = (list(column) for column in zip(*rows, strict=True))
    parts = data.split(toy(y, domain, group, classes=3), seed)
    assert sorted(file for part in parts for file in part.file) == sorted(f"{i}.png" for i in range(len(rows)))
    seen = [{(d, g) for d, g in zip(part.domain.tolist(), part.group.tolist(), strict=True) if g} for part in parts]
    assert not (seen[0] & seen[1] or seen[0] & seen[2] or seen[1] & seen[2])


@settings(max_examples=60, deadline=None)
@given(images, st.integers(0, 5))
def test_the_split_of_a_domain_does_not_depend_on_the_others(rows, seed):
    y, domain, group = (list(column) for column in zip(*rows, strict=True))
    dataset = toy(y, domain, group, classes=3)
    name = dataset.domain_names[domain[0]]
    for together, alone in zip(data.split(dataset, seed), data.split(dataset.only(name), seed), strict=True):
        assert together.only(name).file.tolist() == alone.file.tolist()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 2), min_size=1, max_size=150), st.integers(0, 5))
def test_without_groups_each_class_has_its_share_to_within_one_image(y, seed):
    for part, fraction in zip(data.split(toy(y, classes=3), seed), (0.6, 0.1, 0.3), strict=True):
        for k in range(3):
            assert abs(int((part.y == k).sum()) - fraction * y.count(k)) <= 1


def test_with_groups_of_mixed_labels_the_shares_are_near():
    random = np.random.default_rng(0)
    group = random.integers(0, 80, 1000)
    y = (random.random(1000) < 0.1 + 0.4 * (group % 2)).astype(int).tolist()
    for part, fraction in zip(data.split(toy(y, group=group.astype(str)), 0), (0.6, 0.1, 0.3), strict=True):
        assert len(part) / 1000 == pytest.approx(fraction, abs=0.02)
        assert float(part.y.float().mean()) == pytest.approx(np.mean(y), abs=0.04)


def test_the_same_seed_gives_the_same_split_and_another_seed_another():
    dataset = toy([0, 1] * 50)
    files = [[part.file.tolist() for part in data.split(dataset, seed)] for seed in (0, 0, 1)]
    assert files[0] == files[1] != files[2]


def test_large_groups_are_not_always_training_groups():
    group = ["large"] * 20 + [f"small {i}" for i in range(80)]
    homes = {next(k for k, part in enumerate(data.split(toy([0, 1] * 50, group=group), seed)) if "large" in part.group)
             for seed in range(20)}  # fmt: skip
    assert {0, 2} <= homes


def test_a_share_of_zero_gives_an_empty_part():
    train, validation, test = data.split(toy([0, 1] * 10), 0, fractions=(0.9, 0.1, 0.0))
    assert (len(train), len(validation), len(test)) == (18, 2, 0)


def test_a_tiny_domain_is_divided_without_error():
    assert [len(part) for part in data.split(toy([1]), 0)] == [1, 0, 0]
    assert sum(len(part) for part in data.split(toy([0, 1, 1], group=["a", "a", "b"]), 0)) == 3


@pytest.mark.parametrize("fractions", [(0.5, 0.5), (0.6, 0.3, 0.3), (1.2, -0.1, -0.1)])
def test_shares_that_do_not_add_up_are_refused(fractions):
    with pytest.raises(ValueError, match="fractions="):
        data.split(toy([0, 1]), 0, fractions=fractions)


# --- the book's data sets ---------------------------------------------------------------------------------------------


def test_an_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"no data set 'breast': choose from clinic, breast-ultrasound, mitosis"):
        data.load("breast")


@pytest.mark.parametrize(("name", "size"), [("breast-ultrasound", 32), ("mitosis", 128), ("pneumonia", 32)])
def test_a_size_that_is_not_published_is_refused(name, size, own):
    with pytest.raises(ValueError, match=f"size={size}"):
        data.load(name, size)


def test_every_data_set_states_source_licence_citation_and_traps():
    assert list(DATASETS) == ["clinic", "breast-ultrasound", "mitosis", "pneumonia", "organ-views", "colon-centres"]
    for name, info in DATASETS.items():
        assert info.name == name
        assert all((info.title, info.source, info.licence, info.citation, info.warnings))


def test_the_clinic_needs_no_file(own):
    dataset = data.load("clinic")
    assert data.find("clinic")
    assert len(dataset.domain_names) >= 2


def generated(random: np.random.Generator, n_classes: int, *shape: int) -> dict[str, np.ndarray]:
    counts = {"train": 12, "val": 3, "test": 6}
    pixels = {f"{part}_images": random.integers(0, 256, (n, *shape), dtype=np.uint8) for part, n in counts.items()}
    return pixels | {f"{part}_labels": np.arange(n, dtype=np.uint8)[:, None] % n_classes for part, n in counts.items()}


@pytest.mark.parametrize("size", [28, 64])
def test_organ_views_are_three_domains(own, monkeypatch, size):
    archives = {}
    for k, flag in enumerate(("organamnist", "organcmnist", "organsmnist")):
        archives[flag] = generated(np.random.default_rng(k), 11, size, size)
        np.savez(own / publishers.medmnist_file(flag, size), **archives[flag])
        monkeypatch.delitem(publishers.MEDMNIST_MD5, flag)
    dataset = data.load("organ-views", size)
    assert dataset.domain_names == ("axial", "coronal", "sagittal")
    assert dataset.summary()["images"].tolist() == [21] * 3
    assert dataset.x.shape == (63, 1, size, size)
    assert len(dataset.class_names) == 11
    coronal = dataset.only("coronal")
    np.testing.assert_array_equal((coronal.x[:12, 0] * 255).round().numpy(), archives["organcmnist"]["train_images"])
    assert coronal.y[15:].tolist() == archives["organcmnist"]["test_labels"].ravel().tolist()


def test_colon_centres_are_the_publishers_training_and_test_hospitals(own, monkeypatch):
    archive = generated(np.random.default_rng(0), 9, 28, 28, 3)
    np.savez(own / "pathmnist.npz", **archive)
    monkeypatch.delitem(publishers.MEDMNIST_MD5, "pathmnist")
    dataset = data.load("colon-centres")
    assert dataset.x.shape == (21, 3, 28, 28)
    assert [len(target) for _, _, target in data.leave_one_domain_out(dataset)] == [15, 6]
    test = (dataset.only("centre 2 (CRC-VAL-HE-7K)").x * 255).round().permute(0, 2, 3, 1).numpy()
    np.testing.assert_array_equal(test, archive["test_images"])


def test_a_mapping_is_a_domain_rule_and_anything_else_is_refused(own, monkeypatch):
    pytest.importorskip("medmnist")
    np.savez(own / "pathmnist_64.npz", **generated(np.random.default_rng(0), 9, 64, 64, 3))
    dataset = data.from_medmnist("pathmnist", 64, {"train": "here", "val": "there", "test": "here"})
    assert dataset.summary()["images"].to_dict() == {"here": 18, "there": 3}
    for rule in ("three", {"train": "here"}):
        with pytest.raises(ValueError, match="domains="):
            data.from_medmnist("pathmnist", 64, rule)
    for flag in ("pathmist", "organmnist3d"):
        with pytest.raises(ValueError, match="no two-dimensional MedMNIST set"):
            data.from_medmnist(flag)


def test_several_labels_an_image_are_refused(own):
    pytest.importorskip("medmnist")
    archive = generated(np.random.default_rng(0), 2, 64, 64)
    archive |= {f"{part}_labels": archive[f"{part}_labels"].repeat(14, 1) for part in ("train", "val", "test")}
    np.savez(own / "chestmnist_64.npz", **archive)
    with pytest.raises(ValueError, match="14 labels an image"):
        data.from_medmnist("chestmnist", 64)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"val_images": None}, "lacks val_images"),
        ({"test_images": np.zeros((6, 64, 64), np.uint8)}, "not uint8 of 28 x 28"),
        ({"test_images": np.zeros((6, 28, 28), np.float32)}, "not uint8 of 28 x 28"),
        ({"test_labels": np.zeros((5, 1), np.uint8)}, "5 labels for 6 images"),
    ],
)
def test_a_medmnist_file_of_another_make_is_refused(own, monkeypatch, change, message):
    archive = generated(np.random.default_rng(0), 2, 28, 28) | change
    np.savez(own / "pneumoniamnist.npz", **{key: value for key, value in archive.items() if value is not None})
    monkeypatch.delitem(publishers.MEDMNIST_MD5, "pneumoniamnist")
    with pytest.raises(DataCorrupt, match=message):
        data.load("pneumonia")


def test_labels_out_of_range_are_refused(own, monkeypatch):
    np.savez(own / "pneumoniamnist.npz", **generated(np.random.default_rng(0), 3, 28, 28))
    monkeypatch.delitem(publishers.MEDMNIST_MD5, "pneumoniamnist")
    with pytest.raises(ValueError, match="y of pneumonia ranges from 0 to 2, with 2 names"):
        data.load("pneumonia")


# --- the real files (their hashes are checked by load) ----------------------------------------------------------------


def test_real_breast_ultrasound(real):
    dataset = data.load("breast-ultrasound")
    images = {"GE Logiq E9": 780, "GE Logiq 7": 902, "GE Logiq 5": 809, "Toshiba Aplio 300": 139}
    assert dataset.summary()["images"].to_dict() == images
    assert torch.bincount(dataset.y).tolist() == [210 + 285 + 243 + 68, 570 + 617 + 566 + 71]
    assert dataset.summary()["groups"].to_dict() == dict(zip(images, (0, 488, 490, 72), strict=True))
    assert dataset.x.shape == (2630, 1, 28, 28)


@pytest.mark.parametrize("size", [28, 64])
def test_real_mitosis_without_the_duplicates_of_atnorm_br(real, size):
    dataset = data.load("mitosis", size)
    assert dataset.summary()["images"].tolist() == [451, 582, 688, 1999, 746 - 37, 2107]
    assert torch.bincount(dataset.y).tolist() == [5394 - 31, 1179 - 6]
    assert dataset.x.shape == (6536, 3, size, size)
    conflicting = [f"amibr/AtNorM-Br/Normal/{k}.png" for k in (391, 398, 404, 410, 425)]
    assert not np.isin([*conflicting, "amibr/AtNorM-Br/Atypical/390.png"], dataset.file).any()


def test_real_pneumonia(real):
    dataset = data.load("pneumonia")
    assert dataset.summary()["images"].to_dict() == {"Guangzhou": 5856}


def test_real_busbra_at_64_px_is_verified(real):
    assert publishers.prepared("busbra", 64)["images"].shape == (1875, 64, 64)


@pytest.mark.parametrize(("name", "shape"), [("ami-br", (3720, 3)), ("atnorm-md", (2107, 5))])
def test_the_majority_of_the_real_votes_is_the_label(real, name, shape):
    graded, votes = data.load_graders(name)
    assert votes.shape == shape
    assert votes.index.tolist() == graded.file.tolist()
    assert (votes.mean(axis=1) > 0.5).tolist() == graded.y.bool().tolist()


def test_the_first_two_raters_of_ami_br_agree_as_published(real):
    votes = data.load_graders("ami-br")[1]
    assert (votes["expert_1"] == votes["expert_2"]).mean() == pytest.approx(0.855, abs=5e-4)


def test_unknown_graders_are_refused():
    with pytest.raises(ValueError, match="no graders 'ami'"):
        data.load_graders("ami")


# --- the reader's own images ------------------------------------------------------------------------------------------


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


# --- the import -------------------------------------------------------------------------------------------------------


def test_the_import_is_quick_and_reads_no_data_and_no_network():
    code = """
import sys, time, torch
def watch(event, arguments):
    if event.startswith("socket.") or (event == "open" and str(arguments[0]).endswith((".npz", ".csv", "A.zip"))):
        raise SystemExit(f"{event} {arguments}")
sys.addaudithook(watch)
before = time.process_time()
import medgen_utils.data
print(time.process_time() - before, "medmnist" in sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    seconds, medmnist = done.stdout.split()
    assert float(seconds) < 0.5
    assert medmnist == "False"
