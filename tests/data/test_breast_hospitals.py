"""Four sites: counts, licences, options, and the way from the publishers' archives."""

import hashlib
import warnings

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from medgen_utils import data
from medgen_utils.data import DataUnavailable, breast_hospitals
from medgen_utils.data.breast_hospitals import SITES, lesion_area_auroc
from medgen_utils.domains import units
from tests.data.publisher import files_in, png, real_data, zip_of

NAMES = ("Cairo", "Rio de Janeiro", "Ciudad Real", "Poland")
KEPT = {"Cairo": (320, 186), "Rio de Janeiro": (1268, 607), "Ciudad Real": (161, 78), "Poland": (154, 98)}
ALL = {"Cairo": (437, 210), "Rio de Janeiro": (1268, 607), "Ciudad Real": (174, 90), "Poland": (154, 98)}
SCANNERS = {"GE Logiq 7": 902, "GE Logiq 5": 809, "Toshiba Aplio 300": 139, "U-Systems": 25}
LESION, FRAME = "breast_hospitals_64_roi.npz", "breast_hospitals_64.npz"


def counts(dataset: data.DomainDataset) -> dict[str, tuple[int, ...]]:
    return {name: tuple(dataset.only(name).y.bincount().tolist()) for name in dataset.domain_names}


@pytest.mark.parametrize(("view", "file"), [("lesion", LESION), ("frame", FRAME)])
@pytest.mark.parametrize("size", [28, 64])
def test_real_counts_by_class_and_site(real, view, file, size):
    real(file)
    dataset = data.load("breast-hospitals", size, view=view)
    assert dataset.x.shape == (2872, 1, size, size)
    assert dataset.class_names == ("benign", "malignant")
    assert counts(dataset) == KEPT
    assert dataset.summary()["groups"].tolist() == [0, 1064, 36, 252]
    assert len(dataset.info.dropped) == 166
    assert (dataset.domains != "").all(axis=None)
    assert units(dataset) == NAMES


def test_real_128_px_and_all_images(real):
    real("breast_hospitals_128_roi.npz")
    dataset = data.load("breast-hospitals", 128, duplicates=True)
    assert dataset.x.shape == (3038, 1, 128, 128)
    assert counts(dataset) == ALL
    assert dataset.info.dropped == ()
    groups = dataset.only("Cairo").group
    assert sum(groups != "") == 647 - (512 - 110) and len(set(groups)) == 111  # 110 clusters, the others alone


def test_rios_scanners_stay_known(real):
    real(LESION)
    whole = data.load("breast-hospitals", 64)
    assert whole.only("Rio de Janeiro").covariates["scanner"].value_counts().to_dict() == SCANNERS
    parted = data.load("breast-hospitals", 64, domains="scanner")
    rio = {f"Rio de Janeiro: {name}": n for name, n in SCANNERS.items()}
    assert parted.domain_names == (NAMES[0], *rio, *NAMES[2:])
    assert parted.summary()["images"][list(rio)].to_dict() == rio
    assert len(set(parted.sites().values())) == 4
    assert [name for name, *_ in data.leave_one_domain_out(parted)][1] == whole.sites()["Rio de Janeiro"]


def test_28_px_are_the_64_px_resized(real):
    folder = real(LESION)
    reference = np.load(folder / LESION)["images"]
    dataset = data.load("breast-hospitals", 28, duplicates=True)
    expected = np.asarray(Image.fromarray(reference[7]).resize((28, 28), Image.LANCZOS))
    np.testing.assert_array_equal((dataset.x[7, 0] * 255).round().numpy(), expected)


def test_the_area_of_the_lesion_alone_tells_the_classes_apart(real):
    real(LESION)
    scores = lesion_area_auroc(data.load("breast-hospitals", 64))
    assert scores.round(2).to_dict() == {"Cairo": 0.78, "Rio de Janeiro": 0.72, "Ciudad Real": 0.64, "Poland": 0.69}


def test_ciudad_real_can_be_left_out(real):
    real(LESION)
    dataset = data.load("breast-hospitals", accept_noncommercial=False)
    assert counts(dataset) == {name: KEPT[name] for name in NAMES if name != "Ciudad Real"}


def test_each_site_has_its_hash_in_the_file_of_all(real):
    for (view, size), (file, _) in breast_hospitals.TOGETHER.items():
        arrays = np.load(real(file) / file)
        for k, site in enumerate(SITES.values()):
            images = arrays["images"][arrays["domains"] == k]
            assert hashlib.sha256(images.tobytes()).hexdigest() == site.sha256[view, size]


@pytest.mark.parametrize(
    ("options", "message"),
    [({"view": "window"}, "view='window': choose from lesion, frame"), ({"domains": "rooms"}, "domains='rooms'")],
)
def test_an_unknown_option_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        data.load("breast-hospitals", accept_noncommercial=False, **options)


# --- from archives in the publishers' layouts -------------------------------------------------------------------------


def archives() -> dict[str, bytes]:
    """Small generated archives: 4 pictures of Cairo, 4 of Rio, 2 of Ciudad Real (one normal), 2 of Poland."""
    random = np.random.default_rng(0)
    pictures = iter([png(random, 60, 50) for _ in range(40)])
    cairo = {}
    for label in ("benign", "malignant", "normal"):
        for k in (1, 2):
            for end in ("", "_mask"):
                cairo[f"Dataset_BUSI_with_GT/{label}/{label} ({k}){end}.png"] = next(pictures)
    rows = pd.DataFrame(
        {
            "ID": [f"bus_000{k}-l" for k in range(4)],
            "Case": [1, 1, 2, 3],
            "Pathology": ["benign", "benign", "malignant", "malignant"],
            "Device": ["GE Logiq 7 @10-14MHz", "GE Logiq 7 @10-14MHz", "U-Systems @10-14MHz", "GE Logiq 5 @10-12MHz"],
        }
    )
    rio = {"BUSBRA/bus_data.csv": rows.to_csv(index=False).encode()}
    for name in rows["ID"]:
        rio |= {f"BUSBRA/Images/{name}.png": next(pictures)}
        rio |= {f"BUSBRA/Masks/{name.replace('bus', 'mask')}.png": next(pictures)}
    info = (
        "\ufeffImage;Resolution;Label;Doppler;Marks;Combined\n"
        "AAAA_000.png;50x60;Benign;No;Yes;No\nAAAA_001.png;50x60;Normal;No;No;No\nBBBB_000.png;50x60;Malignant;Yes;Yes;No\n"
    )
    real = {"BUS-UCLM/INFO.csv": info.encode()}
    for name in ("AAAA_000", "AAAA_001", "BBBB_000"):
        real |= {f"BUS-UCLM/{kind}/{name}.png": next(pictures) for kind in ("images", "masks")}
    poland = {f"top/case00{k}{end}.png": next(pictures) for k in (1, 2) for end in ("", "_tumor")}
    return {key: zip_of(members) for key, members in zip(NAMES, (cairo, rio, real, poland), strict=True)}


@pytest.fixture
def published(monkeypatch, publisher, tmp_path):
    """The generated archives on the server, their prepared images as the expected ones."""
    monkeypatch.delenv("MEDGEN_NONCOMMERCIAL", raising=False)  # whoever runs the tests may have accepted
    pytest.importorskip("openpyxl")
    sheet = pd.DataFrame(
        {
            "CaseID": [1, 2],
            "Image_filename": ["case001.png", "case002.png"],
            "Mask_tumor_filename": ["case001_tumor.png", "case002_tumor.png"],
            "Verification": ["confirmed by biopsy", "confirmed by follow-up care"],
            "Classification": ["malignant", "benign"],
        }
    )
    sheet.to_excel(tmp_path / "sheet.xlsx")
    content = (tmp_path / "sheet.xlsx").read_bytes()
    monkeypatch.setattr(breast_hospitals, "BREAST_SHEET", publisher.issue("sheet.xlsx", content))
    for name, archive in archives().items():
        source = publisher.issue(f"{SITES[name].key}.zip", archive)
        monkeypatch.setitem(
            SITES, name, SITES[name]._replace(source=source, sha256={}, n=2 if name in NAMES[2:] else 4)
        )
    return publisher


def test_from_the_publishers_without_ciudad_real_unless_accepted(published, cache):
    with pytest.warns(UserWarning, match=r"Ciudad Real \(CC BY-NC 4\.0\) is left out.*accept_noncommercial=True"):
        dataset = data.load("breast-hospitals")
    assert dataset.domain_names == ("Cairo", "Rio de Janeiro", "Poland")
    assert "/uclm.zip" not in published.asked
    assert counts(dataset) == {"Cairo": (2, 2), "Rio de Janeiro": (2, 2), "Poland": (1, 1)}
    assert dataset.only("Poland").covariates["flags"].tolist() == ["biopsy", "follow-up"]
    asked = len(published.asked)
    data.load("breast-hospitals", 128, view="frame", accept_noncommercial=False)  # came with the first
    assert len(published.asked) == asked
    assert [file for file in files_in(cache) if file.endswith(".zip")] == []


def test_one_word_accepts_ciudad_real_for_this_machine(published, monkeypatch):
    data.load("breast-hospitals", accept_noncommercial=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        dataset = data.load("breast-hospitals", 64)
    assert dataset.domain_names == NAMES
    assert dataset.only("Ciudad Real").covariates["flags"].tolist() == ["marks", "doppler;marks"]
    assert dataset.only("Ciudad Real").group.tolist() == ["uclm-AAAA", "uclm-BBBB"]


def test_the_environment_may_accept_for_all(published, monkeypatch):
    monkeypatch.setenv("MEDGEN_NONCOMMERCIAL", "accept")
    assert not data.find("breast-hospitals")
    assert data.load("breast-hospitals", 64, view="frame").domain_names == NAMES
    assert data.find("breast-hospitals")


def test_without_data_and_network_the_address_is_named(publisher, monkeypatch):
    source = publisher.issue("Dataset_BUSI.zip", 404)
    monkeypatch.setitem(SITES, "Cairo", SITES["Cairo"]._replace(source=source))
    with pytest.raises(DataUnavailable, match=r"Dataset_BUSI\.zip is not on this machine[\s\S]*busi_64_roi\.npz there"):
        data.load("breast-hospitals", accept_noncommercial=False)


def test_the_sample_archives_through_the_server(published, publisher, monkeypatch):
    """Real pictures of Cairo and Ciudad Real; Rio's sample has no outlines."""
    folder = real_data("archives/Dataset_BUSI-sample.zip", "archives/BUS-UCLM-sample.zip", LESION) / "archives"
    for name, file, n in (("Cairo", "Dataset_BUSI-sample.zip", 8), ("Ciudad Real", "BUS-UCLM-sample.zip", 6)):
        source = publisher.issue(file, 503, (folder / file).read_bytes())
        monkeypatch.setitem(SITES, name, SITES[name]._replace(source=source, n=n))
    dataset = data.load("breast-hospitals", 64, accept_noncommercial=True)
    reference = np.load(folder.parent / LESION)
    position = {name: i for i, name in enumerate(reference["files"].tolist())}
    real = dataset.only("Cairo", "Ciudad Real")
    rows = [position[file] for file in real.file.tolist()]
    assert len(rows) == 14
    np.testing.assert_array_equal((real.x[:, 0] * 255).round().numpy(), reference["images"][rows])
    assert real.y.tolist() == reference["labels"][rows].tolist()
