"""Every chapter keeps the rules of notebook_rules.py; and the rules catch what they are there to catch."""

import copy
import re

import pytest

from medgen_utils.data import DATASETS
from medgen_utils.figures import schematic
from tests.notebooks import notebook_rules
from tests.notebooks.notebook_rules import read
from tools import ROOT
from tools.address import wanted
from tools.write import stamp

NOTEBOOKS = sorted((ROOT / "chapters").glob("*.ipynb"))
chapters = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


@chapters
@pytest.mark.parametrize("rule", notebook_rules.ALL, ids=lambda rule: rule.__name__)
def test_chapter_keeps_the_rules(path, rule):
    assert rule(read(path)) == []


@chapters
def test_chapter_is_small(path):
    assert path.stat().st_size < 2 * 2**20


@chapters
def test_chapter_starts_with_the_stamped_links_and_set_up(path):
    before = read(path)
    after = copy.deepcopy(before)
    stamp.stamp_notebook(after, path.stem, wanted())
    assert after == before, "run `make write`"


@chapters
def test_chapter_names_known_data(path):
    assert set(read(path)["metadata"]["medgen"]["data"]) <= set(DATASETS)


@chapters
def test_files_that_a_chapter_names_exist(path):
    named = re.findall(r"`((?:chapters|medgen_utils|tests|tools|explorer|speed)/[\w./-]*)`", path.read_text("utf-8"))
    assert [name for name in named if not (ROOT / name).exists()] == []


@chapters
def test_chapter_slug_is_fit_for_a_module_name(path):
    assert path.stem.isidentifier()


def good() -> dict:
    """A notebook that keeps every rule."""
    figure = {"output_type": "display_data", "data": {"image/png": "iVBORw0KGgo="}, "metadata": {}}
    cells = [
        {"cell_type": "markdown", "metadata": {}, "source": "# Title\n\n[Open in Colab](https://example.org)\n"},
        {"cell_type": "code", "metadata": {}, "source": "a < b", "execution_count": 1, "outputs": []},
        {
            "cell_type": "markdown",
            "metadata": {},
            "source": "## Part\n\nFor $a<b$ and `<b>`.\n\n$$\nx\n$$\n\n<details>\n<summary>Hint</summary>\n\n"
            "Text\n\n</details>\n\n"
            '<div class="admonition note">\n<p class="admonition-title">Note</p>\n\nText\n\n</div>',
        },
        {
            "cell_type": "code",
            "metadata": {"mystnb": {"image": {"alt": "Two bars, the second one shorter."}}},
            "source": "plot()",
            "execution_count": 2,
            "outputs": [figure],
        },
    ]
    return {"cells": cells, "metadata": {"medgen": {"data": [], "executed": {"mode": "full"}}}}


def with_source(text: str, cell: int = 2) -> dict:
    notebook = good()
    notebook["cells"][cell]["source"] = text
    return notebook


def with_output(**output) -> dict:
    notebook = good()
    notebook["cells"][1]["outputs"] = [output]
    return notebook


def changed(change) -> dict:
    notebook = good()
    change(notebook)
    return notebook


BAD = {
    "role": with_source("See {doc}`glossary`."),
    "directive": with_source("```{note}\ntext\n```"),
    "colon fence": with_source(":::{note}\ntext\n:::"),
    "target": with_source("(my-target)=\n## Part"),
    "remote image": with_source("![a picture](https://example.org/a.png)"),
    "local image": with_source("![a picture](a.png)"),
    "html image": with_source('<img src="a.png" alt="a picture">'),
    "script": with_source("<script>1</script>"),
    "styled div": with_source('<div style="color:red">\n\ntext\n\n</div>'),
    "admonition without blank lines": with_source(
        '<div class="admonition tip">\n<p class="admonition-title">T</p>\nx\n</div>'
    ),
    "inline display math": with_source("where $$x$$ is"),
    "second h1": with_source("# Another title"),
    "skipped heading": with_source("## Part\n\n#### Detail"),
    "mark for nbval": with_source("# NBVAL_CHECK_OUTPUT\na < b", cell=1),
    "long cell": with_source("a = 1\n" * 40, cell=1),
    "not run in order": changed(lambda notebook: notebook["cells"][3].update(execution_count=7)),
    "not run": changed(lambda notebook: notebook["cells"][1].update(execution_count=None)),
    "error": with_output(output_type="error", ename="ValueError", evalue="", traceback=[]),
    "fast outputs": changed(lambda notebook: notebook["metadata"]["medgen"]["executed"].update(mode="fast")),
    "figure without alt": changed(lambda notebook: notebook["cells"][3].update(metadata={})),
    "drawing without alt": with_output(
        output_type="display_data",
        data={"image/svg+xml": "<svg/>"},
        metadata={"text/plain": {"alt": "Enough words for it."}},
    ),
    "widget view": with_output(output_type="display_data", data={"application/vnd.jupyter.widget-view+json": {}}),
    "widget state": changed(lambda notebook: notebook["metadata"].update(widgets={})),
    "stderr": with_output(output_type="stream", name="stderr", text="a warning"),
    "img without alt in an output": with_output(output_type="display_data", data={"text/html": '<img src="data:,">'}),
    "script of another host": with_output(
        output_type="display_data", data={"text/html": '<script src="https://cdn.example.org/x.js"></script>'}
    ),
}


def problems(notebook: dict) -> list[str]:
    return [problem for rule in notebook_rules.ALL for problem in rule(notebook)]


def test_a_good_notebook_has_no_problems():
    assert problems(good()) == []


@pytest.mark.parametrize("notebook", BAD.values(), ids=BAD.keys())
def test_a_bad_notebook_is_caught(notebook):
    assert len(problems(notebook)) >= 1


def test_a_drawing_that_brings_its_words_needs_none_in_the_cell():
    data, metadata = schematic("four-ways-to-test")._repr_mimebundle_()
    notebook = with_output(output_type="display_data", data=data, metadata=metadata)
    assert problems(notebook) == []


def test_an_expected_exception_is_no_problem():
    notebook = with_output(output_type="error", ename="ValueError", evalue="", traceback=[])
    notebook["cells"][1]["metadata"]["tags"] = ["raises-exception"]
    assert problems(notebook) == []
