"""The page of embeddings: the numbers of the package, every name escaped, nothing half-written."""

import json

import numpy as np
import pandas as pd
import pytest

from medgen_utils.__main__ import main
from medgen_utils.audit.embeddings import audit_embeddings
from medgen_utils.audit.embeddings.read import Study
from medgen_utils.pretraining import hospital_probe, robustness_index
from tests.pretraining.test_embeddings import study

EVIL = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def found():
    data = study(n=180, hospitals=3, class_strength=2)._replace(domain_names=("a", "b", EVIL))
    return data, audit_embeddings(Study(data, ("well", "sick"), True, ("a notice",)))


def test_the_report_holds_what_the_package_computes(found):
    data, audit = found
    assert audit.report["hospital_probe"]["value"] == hospital_probe(data).value
    assert audit.report["robustness"][0]["value"] == robustness_index(data).value
    assert [row["what"] for row in audit.report["robustness"]] == ["embeddings", "permuted labels", "random numbers"]
    home = [row["auroc"] for row in audit.report["class_probe"] if row["learned"] == row["tested"]]
    assert audit.report["home"] == pytest.approx(np.mean(home))
    assert all(row["low"] < row["auroc"] <= row["high"] for row in audit.report["class_probe"])


def test_the_page_shows_every_hospital_and_runs_no_name(found, tmp_path):
    page = found[1].write(tmp_path / "report").read_text()
    assert EVIL not in page and "&lt;script&gt;" in page
    assert "a notice" in page and "http" not in page.replace("http-equiv", "")
    assert json.loads((tmp_path / "report" / "report.json").read_text())["schema"] == "medgen-embeddings-1"
    metrics = pd.read_csv(tmp_path / "report" / "metrics.csv")
    assert set(metrics["measure"]) == {"hospital probe", "robustness index", "class probe", "confounded training"}


def test_a_hospital_with_one_class_is_listed_and_takes_nothing_down():
    data = study(n=180, hospitals=3)
    data = data._replace(y=np.where(data.domain == 2, 0, data.y))
    report = audit_embeddings(Study(data, ("well", "sick"), False, ())).report
    assert report["left_out"] == ["2"]
    assert len(report["hospitals"]) == 3


def test_the_command_writes_the_page_or_one_line(tmp_path, capsys):
    data = study(n=120, hospitals=2)
    path = tmp_path / "e.npz"
    np.savez(path, z=data.z, y=data.y, domain=data.domain.astype(str))
    options = [str(path), "--features", "z", "--out", str(tmp_path / "report")]
    assert main(["audit", *options]) == 0
    assert (tmp_path / "report" / "index.html").is_file()
    assert main(["audit", *options, "--prob", "p"]) == 2
    assert "--prob needs predictions" in capsys.readouterr().err
    assert main(["audit", *options, "--subgroup", "sex", "--min-patients", "3"]) == 2
    assert "--subgroup, --min-patients need predictions" in capsys.readouterr().err


def test_an_npz_without_features_says_which_option_reads_it(tmp_path, capsys):
    path = tmp_path / "e.npz"
    np.savez(path, z=np.zeros((2, 2)), y=[0, 1])
    assert main(["audit", str(path), "--out", str(tmp_path / "report")]) == 2
    assert "--features names the one with embeddings" in capsys.readouterr().err


def test_a_table_of_embeddings_is_read_in_its_encoding(tmp_path):
    data = study(n=120, hospitals=2)
    names = np.array(["K\u00f6ln", "Bern"])[data.domain]
    table = pd.DataFrame({"y": data.y, "domain": names}).join(pd.DataFrame(data.z).add_prefix("z_"))
    table.to_csv(tmp_path / "e.csv", index=False, encoding="latin-1", sep=";")
    options = ["--features", "z", "--encoding", "latin-1", "--out", str(tmp_path / "report")]
    assert main(["audit", str(tmp_path / "e.csv"), *options]) == 0
    assert "K\u00f6ln" in (tmp_path / "report" / "index.html").read_text(encoding="utf-8")
