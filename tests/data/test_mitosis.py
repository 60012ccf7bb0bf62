"""Mitotic figures and their graders, from the publishers' archive and from prepared arrays."""

import numpy as np
import pandas as pd
import pytest
import torch

from medgen_utils import data
from medgen_utils.data import DataUnavailable, mitosis
from medgen_utils.data.prepared import load_npz
from tests.data.publisher import assert_rows_equal, expect, png, real_data, tar_of


def mitosis_archive() -> tuple[bytes, bytes]:
    """Archive and table: 4 patches of AMi-Br, 6 of AtNorM-Br (1 = 2; 3 = 4 with another label), 2 of AtNorM-MD."""
    random = np.random.default_rng(1)
    slides = [("MIDOG21", "002.tiff"), ("MIDOG21", "051.tiff"), ("MIDOG21", "150.tiff"), ("TUPAC16", "01.tif")]
    table = pd.DataFrame(slides, columns=["dataset", "slide"]).assign(uid=[7, 8, 9, 10])
    votes = pd.DataFrame([[1, 0, 1], [0, 0, 0], [1, 1, 1], [0, 1, 0]], columns=[1, 2, 3]).astype(bool)
    table = table.join(votes.add_prefix("expert").add_suffix("_atypical"))
    table["majority_atypical"] = votes.sum(axis=1) > 1
    patches = [png(random, 128, 128, 3) for _ in range(12)]
    names = [f"AMi-Br/{'Atypical' if m else 'Normal'}/{d}_{u}.png" for d, u, m in zip(
        table["dataset"], table["uid"], table["majority_atypical"], strict=True)]  # fmt: skip
    members = dict(zip(names, patches[:4], strict=True))
    same, conflict = patches[4], patches[5]
    members |= {
        f"AtNorM-Br/Normal/{k}.png": patch
        for k, patch in zip((1, 2, 3, 5), (same, same, conflict, patches[6]), strict=True)
    }
    members |= {f"AtNorM-Br/Atypical/{k}.png": patch for k, patch in zip((4, 6), (conflict, patches[7]), strict=True)}
    members |= {"AtNorM-MD/Normal/1.png": patches[8], "AtNorM-MD/Atypical/2.png": patches[9]}
    top = {f"AMi-Br_Benchmark-{mitosis.AMIBR_COMMIT}/{name}": content for name, content in members.items()}
    return tar_of(top), table.to_csv().encode()


@pytest.mark.parametrize("size", [28, 64, 128])
def test_mitosis_from_the_publishers_archive_without_duplicates(monkeypatch, tmp_path, publisher, size):
    archive, table = mitosis_archive()
    for file, content in (("a.tar.gz", archive), ("t.csv", table)):
        (tmp_path / file).write_bytes(content)
    expect(monkeypatch, mitosis.PREPARED, mitosis.prepare(tmp_path / "a.tar.gz", tmp_path / "t.csv"))
    monkeypatch.setattr(mitosis, "AMIBR", publisher.issue("a.tar.gz", archive, checksum=""))
    monkeypatch.setattr(mitosis, "AMIBR_TABLE", publisher.issue("AMI-BR.csv", table))
    dataset = data.load("mitosis", size)
    assert dataset.x.shape[1:] == (3, size, size)
    assert dataset.summary()["images"].tolist() == [1, 1, 1, 1, 3, 2]
    names = [file.removeprefix("amibr/") for file in dataset.file]
    assert names[:3] == [
        "AMi-Br/Atypical/MIDOG21_7.png",
        "AMi-Br/Normal/MIDOG21_8.png",
        "AMi-Br/Atypical/MIDOG21_9.png",
    ]
    assert names[4:] == [
        "AtNorM-Br/Atypical/6.png",
        "AtNorM-Br/Normal/1.png",
        "AtNorM-Br/Normal/5.png",
        "AtNorM-MD/Atypical/2.png",
        "AtNorM-MD/Normal/1.png",
    ]
    assert dataset.y.tolist() == [int("Atypical" in name) for name in names]
    graded, votes = data.load_graders("ami-br", size)
    assert votes.index.tolist() == graded.file.tolist()
    assert (votes.sum(axis=1) > 1).tolist() == graded.y.bool().tolist()
    with pytest.raises(DataUnavailable, match="AtNorM-MD_expert_votes"):
        data.load_graders("atnorm-md", size)


def test_without_data_and_network_load_says_what_to_do_and_gives_nothing_else(publisher, monkeypatch):
    monkeypatch.setattr(mitosis, "AMIBR", publisher.issue("AMi-Br.tar.gz", 503, checksum=""))
    with pytest.raises(
        DataUnavailable, match=r"AMi-Br\.tar\.gz is not on this machine[\s\S]*or put mitosis_28\.npz there"
    ):
        data.load("mitosis")


@pytest.mark.parametrize("file", ["mitosis_28.npz", "mitosis_64_native.npz"])
def test_real_patches_are_prepared_bit_for_bit(file):
    archives = ("archives/AMi-Br_Benchmark-sample.tar.gz", "archives/AMI-BR-sample.csv")
    folder = real_data(*archives, file)
    ours = mitosis.prepare(*(folder / archive for archive in archives))[file]
    assert_rows_equal(ours, load_npz(folder / file), 48)


@pytest.mark.parametrize("size", [28, 64])
def test_real_mitosis_without_the_duplicates_of_atnorm_br(real, size):
    real("mitosis_28.npz" if size == 28 else "mitosis_64_native.npz")
    dataset = data.load("mitosis", size)
    assert dataset.summary()["images"].tolist() == [451, 582, 688, 1999, 746 - 37, 2107]
    assert torch.bincount(dataset.y).tolist() == [5394 - 31, 1179 - 6]
    assert len(dataset.info.dropped) == 37
    assert (dataset.domains != "").all(axis=None)
    assert len(set(dataset.sites().values())) == 4  # the three MIDOG21 scanners stand in Utrecht
    assert dataset.x.shape == (6536, 3, size, size)
    conflicting = [f"amibr/AtNorM-Br/Normal/{k}.png" for k in (391, 398, 404, 410, 425)]
    assert not np.isin([*conflicting, "amibr/AtNorM-Br/Atypical/390.png"], dataset.file).any()


@pytest.mark.parametrize(("name", "shape"), [("ami-br", (3720, 3)), ("atnorm-md", (2107, 5))])
def test_the_majority_of_the_real_votes_is_the_label(real, name, shape):
    real("mitosis_28.npz", "AMI-BR.csv", "AtNorM-MD_expert_votes.csv")
    graded, votes = data.load_graders(name)
    assert votes.shape == shape
    assert votes.index.tolist() == graded.file.tolist()
    assert (votes.mean(axis=1) > 0.5).tolist() == graded.y.bool().tolist()


def test_the_first_two_raters_of_ami_br_agree_as_published(real):
    real("mitosis_28.npz", "AMI-BR.csv")
    votes = data.load_graders("ami-br")[1]
    assert (votes["expert_1"] == votes["expert_2"]).mean() == pytest.approx(0.855, abs=5e-4)


def test_unknown_graders_are_refused():
    with pytest.raises(ValueError, match="no graders 'ami'"):
        data.load_graders("ami")


def test_the_whole_patch_without_archive_says_what_is_missing(real, publisher, monkeypatch):
    real("mitosis_28.npz")
    monkeypatch.setattr(mitosis, "AMIBR", publisher.issue("AMi-Br.tar.gz", 404, checksum=""))
    with pytest.raises(DataUnavailable, match=r"AMi-Br\.tar\.gz is not on this machine"):
        data.load("mitosis", 128)
