"""Sphinx extension: lets a Markdown link reach any anchor of another page, such as ``glossary.md#term-domain``.

MyST only knows the anchors of headings. Glossary terms and references have anchors too; here they are registered, so
that ``-n`` still reports a link to an anchor that does not exist.
"""

from docutils import nodes


def register_anchors(app, doctree: nodes.document) -> None:
    """Add every id of the page to the anchors MyST may link to."""
    anchors = app.env.metadata[app.env.docname].setdefault("myst_slugs", {})
    found = list(doctree.findall(nodes.Element))
    for key, bibliography in app.env.get_domain("cite").bibliographies.items():
        if key.docname == app.env.docname:  # its entries enter the page later
            found += bibliography.citation_nodes.values()
    for node in found:
        for name in node.get("ids", []):
            anchors.setdefault(name, (node.line, name, ""))


def setup(app) -> dict[str, bool]:
    app.connect("doctree-read", register_anchors)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
