"""The recipe for a chapter: what the script begins keeps the rules of chapters, is stamped, listed, and runs."""

import shutil

import nbformat
import pytest
import yaml

from tests.notebooks import notebook_rules
from tools import ROOT, execute, new_chapter
from tools.write import cells, stamp

RULES = [
    rule for rule in notebook_rules.ALL if rule is not notebook_rules.code_problems
]  # that one asks for a full run


@pytest.fixture
def book(tmp_path):
    """What the script reads of a checkout."""
    (tmp_path / "chapters").mkdir()
    for name in (
        "pyproject.toml",
        "_toc.yml",
        "chapters/index.md",
        *stamp.TEXT_FILES,
        stamp.ZENODO,
        stamp.MODULE,
        "tools/release.json",
    ):
        if (ROOT / name).is_file():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def test_a_new_chapter_is_in_step_keeps_the_rules_and_stands_in_its_part(book):
    path = new_chapter.begin("fairness", "Fairness", "The causes", ["mitosis"], book)
    found = notebook_rules.read(path)
    assert [problem for rule in RULES for problem in rule(found)] == []
    assert stamp.update(book, write=False) == []
    before, after = (yaml.safe_load((root / "_toc.yml").read_text()) for root in (ROOT, book))
    (causes,) = (part for part in after["parts"] if part["caption"] == "The causes")
    assert causes["chapters"].pop() == {"file": "chapters/fairness"} and after == before


def test_a_new_chapter_has_a_quiz_in_step_and_a_row_on_the_home_page(book):
    new_chapter.begin("fairness", "Fairness", "The causes", [], book)
    assert cells.update(book, write=False) == []
    home = (book / "chapters" / "index.md").read_text().splitlines()
    row = next(i for i, line in enumerate(home) if "[Fairness](fairness.ipynb)" in line)
    assert (
        "concept_shift.ipynb" in home[row - 1]
        and len(home) == len((ROOT / "chapters/index.md").read_text().splitlines()) + 1
    )


def test_a_new_chapter_may_stand_behind_another(book):
    new_chapter.begin("fairness", "Fairness", "The remedies", [], book, after="evaluation_protocols")
    toc = (book / "_toc.yml").read_text().splitlines()
    row = toc.index("      - file: chapters/fairness")
    assert toc[row - 1].endswith("chapters/evaluation_protocols")
    home = (book / "chapters" / "index.md").read_text()
    assert (
        home.index("(evaluation_protocols.ipynb)") < home.index("(fairness.ipynb)") < home.index("(scoreboard.ipynb)")
    )
    with pytest.raises(ValueError, match=r"no chapter 'nothing' in _toc\.yml"):
        new_chapter.begin("fair", "Fair", "The remedies", [], book, after="nothing")


def test_a_new_chapter_runs_as_it_is(book, monkeypatch):
    monkeypatch.setenv("MEDGEN_MODE", "fast")
    path = new_chapter.begin("fairness", "Fairness", "Back matter", [], book)
    execute.execute(path)
    assert all(cell.execution_count for cell in nbformat.read(path, 4).cells if cell.cell_type == "code")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("Fair-ness", "Fairness", "The causes", []), "names no module"),
        (
            ("fairness", "Fairness", "The remainder", []),
            "no part 'The remainder' in _toc.yml: choose from The question",
        ),
        (("fairness", "Fairness", "The causes", ["mnist"]), r"no data sets \['mnist'\]"),
    ],
)
def test_what_cannot_be_a_chapter_is_refused_and_leaves_nothing(book, arguments, complaint):
    before = (book / "_toc.yml").read_text()
    with pytest.raises(ValueError, match=complaint):
        new_chapter.begin(*arguments, book)
    assert (book / "_toc.yml").read_text() == before and not list(book.glob("chapters/*.ipynb"))


def test_a_chapter_is_not_begun_twice(book):
    new_chapter.begin("fairness", "Fairness", "The causes", [], book)
    with pytest.raises(ValueError, match="exists"):
        new_chapter.begin("fairness", "Fairness", "The causes", [], book)


def test_the_command_prints_where_the_chapter_is_or_what_is_wrong(capsys, monkeypatch):
    monkeypatch.setattr(new_chapter, "begin", lambda *arguments, after: f"{arguments} {after}")
    assert new_chapter.main(["fairness", "Fairness", "--data", "mitosis", "--after", "outlook"]) == 0
    assert capsys.readouterr().out == "('fairness', 'Fairness', 'The remedies', ['mitosis']) outlook\n"
    monkeypatch.undo()
    assert new_chapter.main(["meta_learning", "Again"]) == 2
    assert "exists" in capsys.readouterr().err
