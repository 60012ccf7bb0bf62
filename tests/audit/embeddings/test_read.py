"""Embeddings from an npz or a table: the same study; and every fault is named with its remedy."""

import numpy as np
import pandas as pd
import pytest

from medgen_utils.audit.embeddings import read_embeddings
from medgen_utils.tables import BadTable

RNG = np.random.default_rng(0)
Z = RNG.standard_normal((12, 3)).astype(np.float32).round(3)
ROWS = {"y": np.array(["sick", "well"] * 6), "hospital": np.repeat(["a", "b", "c"], 4), "patient": np.arange(12) // 2}
NAMES = {"features": "z", "label": "y", "domain": "hospital", "group": "patient"}


def npz(folder, **change):
    path = folder / "embeddings.npz"
    np.savez(path, **({"z": Z} | ROWS | change))
    return path


def csv(folder, change=lambda table: table):
    path = folder / "embeddings.csv"
    table = pd.DataFrame(ROWS).assign(**{f"z_{i}": Z[:, i] for i in range(3)})
    change(table).to_csv(path, index=False)
    return path


def test_an_npz_and_a_table_are_the_same_study(tmp_path):
    a, b = read_embeddings(npz(tmp_path), **NAMES), read_embeddings(csv(tmp_path), **NAMES)
    assert np.allclose(a.data.z, b.data.z)
    assert all(np.array_equal(x, y) for x, y in zip(a.data[1:4], b.data[1:4], strict=True))
    assert a.class_names == b.class_names == ("sick", "well")
    assert a.data.domain_names == ("a", "b", "c")


def test_columns_are_taken_in_the_order_of_their_numbers(tmp_path):
    wide = np.arange(12 * 12, dtype=np.float32).reshape(12, 12)
    frame = pd.DataFrame(ROWS).assign(**{f"z_{i}": wide[:, i] for i in reversed(range(12))})
    frame.to_csv(tmp_path / "wide.csv", index=False)
    assert np.array_equal(read_embeddings(tmp_path / "wide.csv", **NAMES).data.z, wide)


def test_float16_and_numbered_classes_are_read(tmp_path):
    study = read_embeddings(npz(tmp_path, z=Z.astype(np.float16), y=np.array([2, 10] * 6)), **NAMES)
    assert study.data.z.dtype == np.float32
    assert study.class_names == ("2", "10")
    assert study.data.y.tolist() == [0, 1] * 6


def test_a_domain_may_be_left_out_and_a_typing_error_is_seen(tmp_path):
    assert read_embeddings(npz(tmp_path), **NAMES, exclude=["c"]).data.domain_names == ("a", "b")
    with pytest.raises(BadTable, match="no domain 'd' to exclude"):
        read_embeddings(npz(tmp_path), **NAMES, exclude=["d"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"z": Z[:5]}, "one row an image"),
        ({"z": np.full((12, 3), np.nan)}, "NaN"),
        ({"z": Z[:, 0]}, r"give \(n, d\)"),
        ({"hospital": np.repeat("a", 12)}, "at least two"),
        ({"y": np.repeat("sick", 12)}, "at least two"),
        ({"y": np.array([{}] * 12, dtype=object)}, "Python objects"),
    ],
)
def test_faults_of_an_npz_are_named(tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        read_embeddings(npz(tmp_path, **change), **NAMES)


def test_missing_arrays_columns_and_files_are_named(tmp_path):
    with pytest.raises(BadTable, match="no array 'zz': did you mean 'z'"):
        read_embeddings(npz(tmp_path), **(NAMES | {"features": "zz"}))
    with pytest.raises(BadTable, match="found 2"):
        read_embeddings(csv(tmp_path, lambda table: table.drop(columns="z_1")), **NAMES)
    with pytest.raises(BadTable, match="'hospital' is missing"):
        read_embeddings(csv(tmp_path, lambda table: table.drop(columns="hospital")), **NAMES)
    (tmp_path / "cut.npz").write_bytes(npz(tmp_path).read_bytes()[:60])
    for name in ("cut.npz", "absent.npz"):
        with pytest.raises(BadTable, match="cannot be read as npz"):
            read_embeddings(tmp_path / name, **NAMES)


def test_a_cell_that_is_no_number_is_named_with_its_row(tmp_path):
    path = csv(tmp_path, lambda table: table.astype({"z_1": object}).replace({"z_1": {table["z_1"][4]: "n/a"}}))
    with pytest.raises(BadTable, match="row 5: z_1 is 'n/a'"):
        read_embeddings(path, **NAMES)
