"""The teacher's pages: their code runs as it stands, their plans cover every chapter, their links point somewhere."""

import json
import re
import shlex
from pathlib import Path

import matplotlib
import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from medgen_utils import data
from medgen_utils.__main__ import main
from medgen_utils.data import medmnist
from tools import ROOT

PAGES = sorted((ROOT / "chapters" / "teaching").glob("*.md"))
PLANS = [page for page in PAGES if page.stem.startswith("plans_")]
PARTS = ("**Objectives.**", "| minutes | what |", "**Misconceptions**", "**Board plan**", "**Discussion**")
pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)


def code(page: str) -> str:
    """All Python of a page, in order."""
    return "\n".join(re.findall(r"^```python\n(.*?)^```", page_text(page), re.MULTILINE | re.DOTALL))


def page_text(page: str) -> str:
    return (ROOT / "chapters" / "teaching" / page).read_text(encoding="utf-8")


def write_medmnist(folder: Path, flag: str, n_classes: int, monkeypatch) -> None:
    random = np.random.default_rng(0)
    arrays = {}
    for part, n in {"train": 12, "val": 3, "test": 6}.items():
        arrays[f"{part}_images"] = random.integers(0, 256, (n, 28, 28, 3), dtype=np.uint8)
        arrays[f"{part}_labels"] = np.arange(n, dtype=np.uint8)[:, None] % n_classes
    np.savez(folder / f"{flag}.npz", **arrays)
    monkeypatch.delitem(medmnist.MD5, flag, raising=False)


LESIONS = ("nv", "mel", "bkl", "bcc", "akiec", "vasc", "df")


def write_folder(folder: Path) -> None:
    """84 pictures of seven classes at three hospitals, two a patient, of varying sizes, JPEG and at one of them BMP."""
    (folder / "my_images").mkdir()
    random = np.random.default_rng(0)
    rows = ["image_id,dx,site,lesion_id"]
    for i in range(84):
        site = i % 3
        shape = (int(random.integers(20, 60)), int(random.integers(20, 60)), 3)
        picture = Image.fromarray(random.integers(0, 256, shape, dtype=np.uint8))
        picture.save(folder / "my_images" / f"ISIC_{i}.{'bmp' if site == 2 else 'jpg'}")
        rows.append(f"ISIC_{i},{LESIONS[i // 6 % 7]},{('north', 'south', 'east')[site]},HAM_{site}_{i // 6}")
    (folder / "my_table.csv").write_text("\n".join(rows) + "\n")


def test_the_code_on_your_own_data_runs_as_it_stands(tmp_path, monkeypatch):
    pytest.importorskip("medmnist")
    matplotlib.use("Agg")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MEDGEN_DATA", str(tmp_path))
    write_folder(tmp_path)
    write_medmnist(tmp_path, "dermamnist", 7, monkeypatch)
    write_medmnist(tmp_path, "pathmnist", 9, monkeypatch)
    loaded = data.load
    monkeypatch.setattr(data, "load", lambda name: loaded("clinic") if name == "breast-hospitals" else loaded(name))
    source = code("adapt.md")
    assert source.count("steps=100") == 2
    with torch.random.fork_rng():
        names = {}
        exec(compile(source.replace("steps=100", "steps=2"), "adapt.md", "exec"), names)
    assert names["lesions"].class_names == LESIONS and names["lesions"].x.shape == (84, 3, 28, 28)
    assert set(names["lesions"].summary()["groups"]) == {14}
    assert names["skin"].domain_names == ("train", "val", "test")
    assert names["colon"].summary()["images"].to_dict() == {"centre 1": 15, "centre 2": 6}
    tested = names["tested"]
    assert tested["index"].is_unique and len(tested) == 84 and tested["run"].nunique() == 3
    in_python = report(tmp_path)
    assert in_python["class_names"] == list(LESIONS) and in_python["prior"] == "balanced"
    command, embedded = re.findall(r"^python -m medgen_utils (audit .*)$", page_text("adapt.md"), re.MULTILINE)
    assert main(shlex.split(command)) == 0
    from_file = report(tmp_path)
    assert from_file["class_names"] == list(LESIONS) and from_file["prior"] == "balanced"
    assert [row["patients"] for row in from_file["domains"]] == [14, 14, 14]
    for here, there in zip(in_python["metrics"], from_file["metrics"], strict=True):
        assert here["value"] == pytest.approx(there["value"], nan_ok=True)
    (compared,) = re.findall(r"^python -m medgen_utils (compare .*)$", page_text("adapt.md"), re.MULTILINE)
    quick = ["--fast", "--steps", "2", "--width", "2", "--min-patients", "1", "--jobs", "1"]
    assert main([*shlex.split(compared), *quick]) == 0
    made = json.loads((tmp_path / "my_comparison" / "report.json").read_text())
    assert made["classes"] == list(LESIONS) and made["tested"] == ["north", "south", "east"]
    random, rows = np.random.default_rng(0), {"hospital": list("ab") * 20, "patient": range(40)}
    np.savez("embeddings.npz", z=random.standard_normal((40, 4)), y=random.integers(2, size=40), **rows)
    assert main(shlex.split(embedded)) == 0
    assert json.loads((tmp_path / "report" / "report.json").read_text())["images"] == 40


def report(folder: Path) -> dict:
    """The report that the page wrote last."""
    return json.loads((folder / "my_report" / "report.json").read_text(encoding="utf-8"))


def planned() -> set[str]:
    """The chapters that have a plan, by the headings: "The generalization gap" is generalization_gap."""
    text = "\n".join(page.read_text(encoding="utf-8") for page in PLANS)
    headings = re.findall(r"^## (?:The )?(.+)$", text, re.MULTILINE)
    return {re.sub(r"\W", "_", heading.lower()) for heading in headings}


def test_every_chapter_of_the_menu_has_a_plan():
    menu = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    files = [chapter["file"] for part in menu["parts"] for chapter in part["chapters"]]
    chapters = {Path(file).name for file in files if (ROOT / f"{file}.ipynb").is_file()}
    assert chapters and chapters - planned() == set()


@pytest.mark.parametrize("page", PLANS, ids=lambda page: page.stem)
def test_every_plan_has_every_part(page):
    for plan in re.split(r"^## ", page.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        name = plan.splitlines()[0]
        if name != "The explorer":
            assert [part for part in (*PARTS, "**Assessment.**") if part not in plan] == [], name


@pages
def test_relative_links_lead_to_a_file(page):
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    targets = [target.split("#")[0] for target in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in target]
    assert [target for target in targets if target and not (page.parent / target).is_file()] == []


@pages
def test_links_into_the_repository_lead_to_a_file(page):
    found = re.findall(r"https://github\.com/[\w.-]+/[\w.-]+/blob/main/([\w./-]+)", page.read_text(encoding="utf-8"))
    assert [name for name in found if not (ROOT / name).exists()] == []


def test_the_paper_keeps_the_journals_form():
    _, header, body = (ROOT / "paper" / "paper.md").read_text(encoding="utf-8").split("---\n", 2)
    about = yaml.safe_load(header)
    assert {"title", "tags", "authors", "affiliations", "date", "bibliography"} <= set(about)
    assert len(body.split()) <= 1000
    titles = re.findall(r"^# (.+)$", body, re.MULTILINE)
    assert titles[:2] == ["Summary", "Statement of need"] and titles[-1] == "References"
    assert {"Use in class", "Story of the project"} <= set(titles)
    references = (ROOT / "paper" / about["bibliography"]).read_text(encoding="utf-8")
    cited = set(re.findall(r"@(\w+)", body))
    assert cited and not [key for key in cited if f"{{{key}," not in references]
