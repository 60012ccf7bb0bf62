"""Sphinx extension of this book: links to any anchor of another page, and no scripts that nobody uses.

MyST only knows the anchors of headings. Glossary terms and references have anchors too; here they are registered, so
that ``glossary.md#term-domain`` works and ``-n`` reports a link to an anchor that does not exist. A term's anchor may
also be written in lower case: ``#term-auroc`` is ``#term-AUROC``.
Thebe (live cells through Binder) is off, yet its scripts would be on every page, and one of them twice, as an error.
"""

from docutils import nodes


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


def setup(app) -> dict[str, bool]:
    app.connect("doctree-read", register_anchors)
    app.connect("html-page-context", drop_thebe, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
