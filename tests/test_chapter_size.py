"""The size of chapters: what is counted, and that every chapter keeps the limits."""

import nbformat
import pytest

from tools import ROOT, chapter_size
from tools.chapter_size import HIGHEST, LOWEST, Size

NOTEBOOKS = sorted((ROOT / "chapters").glob("*.ipynb"))
FINE = Size(cells=20, median=6, p90=12, most=20, longest=78, importing=1, import_lines=8, words=2000)


def code(text: str, *tags: str) -> dict:
    return {"cell_type": "code", "metadata": {"tags": list(tags)}, "source": text}


def prose(text: str) -> dict:
    return {"cell_type": "markdown", "metadata": {}, "source": text}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_chapter_keeps_the_limits(path):
    assert chapter_size.problems(chapter_size.of(nbformat.read(path, as_version=4))) == []


def test_what_is_seen_is_counted():
    notebook = {
        "cells": [
            code("import set_up\n", "hide-input"),
            code("import a\nfrom b import c\nd = 1"),
            code("x\n" * 30, "remove-input"),
            code("y = 1\n" + "z" * 50),
            prose(
                "# One two\n\n<details>\n<summary>three</summary>\n\n```python\nno words\n```\n\n$x$ five\n</details>"
            ),
        ]
    }
    expected = Size(cells=2, median=2.5, p90=2.9, most=3, longest=50, importing=1, import_lines=3, words=12)
    assert chapter_size.of(notebook) == expected


def test_a_list_of_lines_counts_as_its_text():
    lines = {"cells": [code("x = 1\ny = 2")]}
    lines["cells"][0]["source"] = ["x = 1\n", "y = 2"]
    assert chapter_size.of(lines) == chapter_size.of({"cells": [code("x = 1\ny = 2")]})


def test_imports_are_found_in_hidden_and_indented_code_but_not_in_words():
    cells = [code("set_up"), code("import a", "remove-input"), code("if x:\n    from a.b import c"), code("# import a")]
    assert chapter_size.of({"cells": cells}).importing == 2


def test_a_notebook_without_code_has_no_size():
    assert chapter_size.of({"cells": []}) == Size(0, 0, 0, 0, 0, 0, 0, 0)


def test_the_edge_of_every_limit_is_fine():
    assert chapter_size.problems(FINE) == []
    assert chapter_size.problems(FINE._replace(**HIGHEST)) == []


@pytest.mark.parametrize(("name", "value"), [*((name, limit + 1) for name, limit in HIGHEST.items())])
def test_too_much_is_noticed(name, value):
    (problem,) = chapter_size.problems(FINE._replace(**{name: value}))
    assert problem.startswith(f"{name}: {value}")


@pytest.mark.parametrize(("name", "value"), [*((name, limit - 1) for name, limit in LOWEST.items())])
def test_too_little_is_noticed(name, value):
    (problem,) = chapter_size.problems(FINE._replace(**{name: value}))
    assert problem.startswith(f"{name}: {value}")


def test_the_command_prints_the_numbers_and_fails_where_a_limit_is_missed(tmp_path, capsys):
    path = tmp_path / "small.ipynb"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("x = 1")])
    nbformat.write(notebook, path)
    assert chapter_size.main([str(path)]) == 1
    printed = capsys.readouterr().out
    assert "small" in printed and "cells: 1, at least 20" in printed
