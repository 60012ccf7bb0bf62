"""Sphinx extension of this book: links to any anchor of another page, and no scripts that nobody uses.

MyST only knows the anchors of headings. Glossary terms and references have anchors too; here they are registered, so
that ``glossary.md#term-domain`` works and ``-n`` reports a link to an anchor that does not exist. A term's anchor may
also be written in lower case: ``#term-auroc`` is ``#term-AUROC``. A code cell of a notebook has the anchor
``#cell-ID``, with its id in the file, so that a claim can point to the cell that examines it.
A picture whose cell names no alt text gets the one its output brings along: schematics know what they show.
What a page says about itself is in page_data.py, what is done to the written files in finish.py.
Thebe (live cells through Binder) is off, yet its scripts would be on every page, and one of them twice, as an error.
"""

import json
from pathlib import Path

from docutils import nodes

from tools.site import epub, page_data


def name_cells(app, doctree: nodes.document) -> None:
    """Give every code cell of a notebook its anchor, and its pictures the words of their output."""
    path = Path(app.env.doc2path(app.env.docname))
    if path.suffix != ".ipynb":
        return
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    for node in doctree.findall(nodes.container):
        if node.get("nb_element") == "cell_code":
            cell = cells[node["cell_index"]]
            node["ids"].append(f"cell-{cell['id']}")
            words = [part["alt"] for output in cell["outputs"] for part in output.get("metadata", {}).values()
                     if "alt" in part]  # fmt: skip
            for image, alt in zip((i for i in node.findall(nodes.image) if "alt" not in i), words, strict=False):
                image["alt"] = alt


def register_anchors(app, doctree: nodes.document) -> None:
    """Add every id of the page to the anchors MyST may link to."""
    anchors = app.env.metadata[app.env.docname].setdefault("myst_slugs", {})
    for term in doctree.findall(nodes.term):
        term["ids"] += [name.lower() for name in term["ids"] if name.lower() not in term["ids"]]
    found = list(doctree.findall(nodes.Element))
    for key, bibliography in app.env.get_domain("cite").bibliographies.items():
        if key.docname == app.env.docname:  # its entries enter the page later
            found += bibliography.citation_nodes.values()
    for node in found:
        for name in node.get("ids", []):
            anchors.setdefault(name, (node.line, name, ""))


def drop_thebe(app, pagename: str, templatename: str, context: dict, doctree) -> None:
    """Take Thebe's scripts and style off the page."""
    for files in ("script_files", "css_files"):
        context[files] = [
            entry
            for entry in context.get(files, [])
            if "thebe" not in f"{getattr(entry, 'filename', entry)}{getattr(entry, 'attributes', '')}"
        ]


def order_results(app, config) -> None:
    """Sphinx reads the order of search results from a script."""
    config.html_search_scorer = str(Path(__file__).with_name("scorer.js"))


def setup(app) -> dict[str, bool]:
    app.add_html_math_renderer("mathml", (epub.visit_math, None), (epub.visit_math, None))
    app.connect("config-inited", page_data.configure)
    app.connect("config-inited", epub.configure)
    app.connect("config-inited", order_results)
    app.connect("builder-inited", epub.prepare)
    app.connect("source-read", page_data.lead_to_repository)
    app.connect("doctree-read", name_cells, priority=400)
    app.connect("doctree-read", register_anchors)
    app.connect("html-page-context", drop_thebe, priority=900)
    app.connect("html-page-context", page_data.complete_page, priority=901)
    app.connect("build-finished", page_data.finish_site, priority=900)  # after the theme has written its colours
    return {"parallel_read_safe": True, "parallel_write_safe": True}
