"""What people have is read; what is wrong is named with column, row and remedy; what may be wrong is told."""

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from medgen_utils.tables import BadTable
from tests.audit.examples import changed, classes, read, table, told

CASES = Path(__file__).resolve().parents[2].parent / "shared" / "cases"


# --- errors: column, row, remedy --------------------------------------------------------------------------------------

BAD = {
    "missing column": (table().rename(columns={"p": "prop"}), {}, ["'p'", "missing", "prop"]),
    "misspelt domain": (table().rename(columns={"hospital": "Hospitals"}), {}, ["'hospital'", "mean 'Hospitals'"]),
    "probability above one": (changed("p", 7, 1.2), {}, ["'p'", "row 7", "1.2", "logits"]),
    "negative probability": (changed("p", 9, -0.1), {}, ["'p'", "row 9", "outside"]),
    "logits": (table().assign(p=lambda t: 9 * t["p"] - 4), {}, ["look like logits", "sigmoid"]),
    "percentages": (table().assign(p=lambda t: 100 * t["p"]), {}, ["look like percentages", "by 100"]),
    "percent signs": (table().assign(p="28 %"), {}, ["'28 %'", "by 100", "sign"]),
    "a list in a cell": (table().assign(p="[0.7, 0.3]"), {}, ["list", "--prob p"]),
    "a tensor in a cell": (table().assign(p="tensor(0.3)"), {}, ["list"]),
    "no number": (changed("p", 5, "high"), {}, ["'p'", "row 5", "'high'", "no number"]),
    "one decimal comma": (changed("p", 5, "0,5"), {}, ["row 5", "decimal comma", "--decimal ,"]),
    "commas against --decimal": (table().assign(p="0,5"), {"decimal": "."}, ["row 1", "--decimal ,"]),
    "points against --decimal": (table(), {"decimal": ","}, ["row 1", "--decimal ."]),
    "thousands": (table().assign(p="1.000,5"), {}, ["no number"]),
    "empty probability": (changed("p", 11, ""), {}, ["'p'", "row 11", "drop the row"]),
    "nan": (changed("p", 12, "NaN"), {}, ["'p'", "row 12"]),
    "infinite": (changed("p", 13, "inf"), {}, ["'p'", "row 13", "outside"]),
    "empty label": (changed("y", 3, ""), {}, ["'y'", "row 3", "label"]),
    "label in words": (changed("y", 4, "malignant"), {}, ["'y'", "row 4", "malignant"]),
    "labels in words": (table().replace({"y": {0: "good", 1: "bad"}}), {}, ["bad and good", "--positive good"]),
    "three labels in words": (
        table().assign(y=lambda t: t["y"].map({0: "a", 1: "b"}).where(t.index != 7, "c")),
        {},
        ["row 1", "'a' (120 rows)", "'c' (1 rows)", "for every class"],
    ),
    "labels 1 and 2": (table().assign(y=lambda t: t["y"] + 1), {}, ["1 and 2", "--positive 2"]),
    "labels -1 and 1": (table().assign(y=lambda t: 2 * t["y"] - 1), {}, ["-1 and 1", "--positive 1"]),
    "labels 1 to 3": (classes().assign(y=lambda t: t["y"] + 1), {"prob": ["prob"]}, ["from 1 to 3", "subtract 1"]),
    "label of a third class": (changed("y", 6, 2), {}, ["'y'", "row 6", "2 classes"]),
    "label of a fourth class": (
        classes().assign(y=lambda t: t["y"].where(t.index != 5, 3)),
        {"prob": ["prob"]},
        ["prob_0 to prob_2", "classes 0 to 2", "row 6", "'3'"],
    ),
    "half a label": (changed("y", 6, 0.5), {}, ["'y'", "row 6", "class number"]),
    "empty domain": (changed("hospital", 8, " "), {}, ["'hospital'", "row 8", "empty"]),
    "empty patient": (changed("patient", 8, ""), {"group": "patient"}, ["'patient'", "row 8", "--unknown"]),
    "unknown patients": (
        table().assign(patient=lambda t: t["patient"].astype(str).where(t.index > 9, "N/A")),
        {"group": "patient"},
        ["'N/A' is in 10 rows", "one patient?", "--unknown N/A"],
    ),
    "patient 0 of too many": (
        table().assign(patient=lambda t: t["patient"].where(t.index > 99, 0)),
        {"group": "patient"},
        ["'0' is in", "one patient?"],
    ),
    "repeated id": (changed("id", 10, "i2"), {"identity": "id"}, ["'id'", "row 10", "row 3", "i2", "repeats"]),
    "rows that do not sum to one": (
        classes().assign(prob_1=lambda t: t["prob_1"].where(t.index != 20, 0)),
        {"prob": ["prob"]},
        ["prob_0", "row 21", "sum to"],
    ),
    "answers to separate questions": (
        classes().assign(prob_0=0.8, prob_1=0.9, prob_2=0.7),
        {"prob": ["prob"]},
        ["sum to 2.4", "one by one"],
    ),
    "gap in the classes": (classes(4).drop(columns="prob_2"), {"prob": ["prob"]}, ["gap", "prob_3"]),
    "models of two sizes": (classes().assign(p=0.5, y=0), {"prob": ["p", "prob"]}, ["different numbers of classes"]),
    "a class without a column": (
        classes(names="p_{}x").assign(y=lambda t: t["y"].map("{}x".format)).drop(columns="p_2x"),
        {"prob": ["p"]},
        ["'p' is missing"],
    ),
    "the columns are called as the labels": (
        classes(names="c{}").assign(y=lambda t: t["y"].map("C{}".format)),
        {},
        ["--prob c0 --prob c1 --prob c2"],
    ),
    "model without id": (table().assign(m="a"), {"model": "m"}, ["--model needs --id"]),
    "run without id": (table().assign(m="a"), {"run": "m"}, ["--run needs --id"]),
    "one column for two things": (table(), {"group": "hospital"}, ["'hospital' is both domain and group"]),
    "an endless label": (changed("y", 2, "inf"), {}, ["row 2", "class number"]),
    "wrong positive": (table(), {"positive": "cancer"}, ["cancer", "--positive", "'0' (120 rows)"]),
    "wrong positive of two columns": (
        table().assign(
            y=lambda t: t["y"].map({0: "good", 1: "bad"}), s_good=lambda t: 1 - t["p"], s_bad=lambda t: t["p"]
        ),
        {"prob": ["s"], "positive": "cancer"},
        ["--positive cancer: the classes are ['good', 'bad']: choose one of them"],
    ),
    "positive of three columns": (
        classes(names="p_{}x").assign(y=lambda t: t["y"].map("{}x".format)),
        {"prob": ["p"], "positive": "1x"},
        ["--positive 1x: the classes are ['0x', '1x', '2x']: it is for two, leave it out"],
    ),
    "wrong number of names": (table(), {"class_names": ["a", "b", "c"]}, ["3 names", "2 classes"]),
    "nothing left": (table(domains=("home",)), {"exclude": ["home"]}, ["no rows", "--exclude"]),
    "misspelt exclusion": (table(), {"exclude": ["hme"]}, ["--exclude hme", "did you mean 'home'?"]),
    "validation rows": (
        table().assign(split=["test", "validation"] * 120),
        {},
        ["'split' holds", "'validation' (120 rows)", "--split test"],
    ),
    "no such split": (table().assign(split="test"), {"split": "tset"}, ["--split tset", "did you mean 'test'?"]),
    "no column of splits": (table(), {"split": "test"}, ["no column 'split'", "--split COLUMN=test"]),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_files_are_refused_with_column_row_and_remedy(csv, case):
    data, options, words = BAD[case]
    with pytest.raises(BadTable) as error:
        read(csv(data), **options)
    assert [word for word in words if word not in str(error.value)] == [], error.value


# --- what is read -----------------------------------------------------------------------------------------------------


def test_names_of_classes_can_be_given(csv):
    assert read(csv(table()), class_names=["benign", "malignant"]).attrs["class_names"] == ("benign", "malignant")


def test_a_split_is_chosen_by_value_or_by_column_and_value(csv):
    data = table().assign(split=["test", "validation"] * 120, fold=["0", "1", "2"] * 80)
    assert len(read(csv(data), split="test")) == 120
    assert len(read(csv(data.drop(columns="split")), split="fold=2")) == 80
    assert len(read(csv(data.assign(split="test")))) == 240
    assert set(read(csv(data), domain="split")["domain"]) == {"test", "validation"}


def test_unknown_patients_count_one_by_one_when_told(csv):
    data = table().assign(patient=lambda t: t["patient"].astype(str).where(t.index > 9, "unknown"))
    frame = read(csv(data), group="patient", unknown=["unknown"])
    assert frame["group"].iloc[:10].nunique() == 10
    data = data.replace({"patient": {"unknown": ""}})
    assert read(csv(data), group="patient", unknown=[""])["group"].iloc[:10].nunique() == 10


def test_runs_are_kept_apart_and_their_images_together(csv):
    data = pd.concat([table().assign(seed=s) for s in (3, 4)])
    frame = read(csv(data), run="seed", identity="id")
    assert frame["run"].unique().tolist() == ["p/3", "p/4"]
    assert frame["algorithm"].unique().tolist() == ["p"]
    assert frame["index"].nunique() == 240
    assert frame["seed"].unique().tolist() == [0, 1]


def test_a_subgroup_and_a_unit_are_kept(csv):
    data = table().assign(sex=["f", "m "] * 120, breast=["left", "right"] * 120)
    data.loc[3, "sex"] = ""
    frame = read(csv(data), group="patient", subgroup="sex", unit="breast")
    assert frame["subgroup"].tolist()[:5] == ["f", "m", "f", "not stated", "f"]
    assert frame["unit"].iloc[0] == "home/0/left"


def test_runs_of_different_hospitals_are_read(csv):
    data = table().assign(run=lambda t: "leave out " + t["hospital"], model="ERM")
    frame = read(csv(data), run="run", model="model", identity="id")
    assert frame["run"].nunique() == 3
    assert set(frame["algorithm"]) == {"ERM"}


# --- the cases of the review ------------------------------------------------------------------------------------------

MODELS = {"model": "m", "identity": "image"}
BENCHMARK = {"prob": ["prob"], "domain": "domain", "group": "group", "identity": "index"}
READ = {  # file: options, what is told
    "base.csv": ({}, "60 patient"),
    "c01_index_twice.csv": ({}, ""),
    "c03_above_one.csv": ({}, ""),
    "c04_decimal_comma.csv": ({"separator": ";"}, ""),
    "c09_utf16.csv": ({"separator": "tab"}, "UTF-16"),
    "c10_tab.tsv": ({"separator": "\\t"}, ""),
    "c13_one_each.csv": ({}, "every patient of column 'patient' has one image"),
    "c14_two_images.csv": ({}, ""),
    "c16_onehot_absent_class.csv": ({}, "0 and 1 only"),
    "c19_trailing_space.csv": ({}, "'north ' and 'north' differ only in blanks"),
    "c22_sep_line.csv": ({}, "is no header"),
    "c24_class_words.csv": ({"prob": ["mel", "nv", "bkl"]}, "0 and 1 only"),
    "c29_seven_two_decimals.csv": ({}, ""),
    "c35_patient_two_hospitals.csv": ({}, "'P0', in 'north' and 'south'"),
    "c36_everything_twice.csv": ({}, "180 of 360 rows are identical"),
    "c37_prob_of_class0.csv": ({}, "below chance"),
    "c40_label_space.csv": ({"positive": "malignant"}, "'malignant '"),
    "c42_class_never.csv": ({}, ""),
    "c50_injection.csv": (MODELS, ""),
    "c80_two_hospitals.csv": ({}, ""),
    "c81_three_one_class.csv": ({}, ""),
    "c83_balanced_training.csv": ({}, ""),
}
NAMED = [
    ("c05_labels_1_2.csv", {}, "labels are 1 and 2: --positive 2"),
    ("c07_percent.csv", {}, "divide the percentages by 100"),
    ("c08_list.csv", {}, "a column for each class"),
    ("c11_cut.csv.gz", {}, "damaged gzip archive"),
    ("c17_model_lacks_reference.csv", MODELS, "model 'b' has no rows in 'north'"),
    ("c20_unknown_patient.csv", {}, "'unknown' is in .* rows: is it one patient?"),
    ("c24_class_words.csv", {}, "--prob mel --prob nv --prob bkl"),
    ("c32_blank_lines.csv", {}, "row 20 "),
    ("c43_class_missing_col.csv", {}, "row 6 .*classes 0 to 2 have columns, this label says '3'"),
    ("c62_validation_rows.csv", BENCHMARK, "--split test or --split validation"),
    ("c63_three_seeds.csv", {}, "--run seed"),
    ("c63_three_seeds.csv", {"identity": "image"}, "--run seed"),
    ("c72_models_disagree_label.csv", MODELS, "label of image 'north-0004' differs"),
    ("base.csv", {"exclude": ["Eest"]}, "no such domain: did you mean 'east'?"),
]


def case(name: str, options: dict) -> pd.DataFrame:
    if not CASES.is_dir():
        pytest.skip(f"the cases of the review are not on this machine: {CASES}")
    return read(CASES / name, **({"group": "patient"} | options))


@pytest.mark.parametrize("name", READ)
def test_cases_that_are_read(name):
    options, words = READ[name]
    assert words in told(case(name, options))


@pytest.mark.parametrize(("name", "options", "words"), NAMED)
def test_cases_that_are_named(name, options, words):
    with pytest.raises(BadTable, match=words):
        case(name, options)


def test_cases_once_their_remedy_is_followed():
    assert len(case("c62_validation_rows.csv", BENCHMARK | {"split": "test"})) == 240
    assert case("c63_three_seeds.csv", {"identity": "image", "run": "seed"})["run"].nunique() == 3
    assert case("c20_unknown_patient.csv", {"unknown": ["unknown"]})["group"].nunique() > 200
    assert case("c05_labels_1_2.csv", {"positive": "2"})["y"].tolist() == case("base.csv", {})["y"].tolist()
    assert case("c24_class_words.csv", {"prob": ["mel", "nv", "bkl"]}).attrs["class_names"] == ("mel", "nv", "bkl")


@pytest.mark.parametrize("seed", range(8))
def test_spoilt_files_give_a_message_or_a_frame_and_nothing_else(csv, seed):
    """Bytes changed, dropped and doubled at random in a small file: no error but BadTable."""
    rng = np.random.default_rng(seed)
    text = io.StringIO()
    table(40).to_csv(text, index=False)
    path = csv("")
    for _ in range(25):
        data = bytearray(text.getvalue().encode())
        for at in rng.integers(0, len(data), 3):
            data[at : at + int(rng.integers(0, 4))] = (
                rng.integers(0, 256, int(rng.integers(0, 3))).astype(np.uint8).tobytes()
            )
        path.write_bytes(bytes(data))
        try:
            frame = read(path, group="patient", identity="id")
        except BadTable:
            continue
        assert len(frame)


def test_patients_of_two_hospitals_with_one_name_are_two(csv):
    data = table().assign(patient=lambda t: t.groupby("hospital").cumcount().astype(str))
    frame = read(csv(data), group="patient")
    assert frame["group"].nunique() == len(data)
    assert all(group.startswith(f"{domain}/") for domain, group in zip(frame["domain"], frame["group"], strict=True))
