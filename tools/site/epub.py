"""The EPUB (`make epub`): formulas as MathML, no script, no web page around the text, and every page well-formed.

Two halves. While Sphinx builds, `configure`, `prepare` and `visit_math` (book_extension.py connects them) do what
the theme and MathJax would do on the site. Then `python -m tools.site.epub` mends the pages it wrote, because
notebooks hold HTML and an EPUB holds XHTML, adds the figures of the live pages, and packs the file again.
"""

import re
import shutil
import zipfile
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

from bs4 import BeautifulSoup
from docutils import nodes

from tools import ROOT
from tools.address import wanted

FOLDER = ROOT / "_build" / "epub"
THEMES = ("sphinx_book_theme", "pydata_sphinx_theme", "sphinx_thebe")
SVG_NAMES = {"viewbox": "viewBox", "patternunits": "patternUnits"}  # which an HTML parser writes in small letters
UNUSED = (
    "script, link:not([href*=epub]):not([href*=pygments]), style[scoped], details.hide, .headerlink, .mg-verdicts, "
    ".medgen-explore input, .medgen-explore output"
)
FIGURES = ("explore/figure.webp", "train/figure.webp", "detective/figure.webp", "plan/figure.webp", "atlas/graphs.svg")
LIVE = tuple(name.partition("/")[0] for name in FIGURES)  # the live pages, left out but for the figure of each
KINDS = {"webp": "image/webp", "svg": "image/svg+xml"}


def configure(app, config) -> None:
    """What the builder checks before it starts."""
    config.version = wanted().version
    config.epub_uid, config.epub_identifier = "medgen", identifier()


def identifier() -> str:
    """What tells this book from all others: the address of its site, or a name of its own where it has none."""
    return wanted().pages or uuid5(NAMESPACE_URL, "medgen").urn


def prepare(app) -> None:
    """Where the builder is the EPUB's: no handler of the theme, no explorer, MathML."""
    if app.builder.name != "epub":
        return
    app.config.html_extra_path, app.config.html_math_renderer = [], "mathml"
    app.config.epub_tocscope = "includehidden"  # the table of contents is in hidden lists
    for listener in [*app.events.listeners["html-page-context"]]:
        if listener.handler.__module__.partition(".")[0] in THEMES:
            app.disconnect(listener.id)


def visit_math(translator, node: nodes.Element) -> None:
    """A formula in MathML, inline or displayed."""
    from latex2mathml.converter import convert  # a tool of authors: the site is built without it

    displayed = isinstance(node, nodes.math_block)
    formula = convert(node.astext(), display="block" if displayed else "inline")
    translator.body.append(f'<div class="math">{formula}</div>' if displayed else formula)
    raise nodes.SkipNode


def mend(text: str, site: str) -> str:
    """One page as XHTML: no scripts, no folded code, every frame of a slider, links out of it to the site, if any."""
    page = BeautifulSoup(text, "html.parser")
    for tag in page.select(UNUSED):
        tag.decompose()
    for figure in page.select(".medgen-explore figure"):
        del figure["style"]
        value = figure.attrs.pop("data-value", "")
        figure.insert(0, BeautifulSoup(f"<p><strong>{value}</strong></p>", "html.parser"))
    for table in page.select(".medgen-sortable"):  # nothing sorts or filters without scripts
        for tag in table.select("label, output, thead span"):
            tag.decompose()
        for button in table.select("button"):
            button.unwrap()
        for tag in (table, *table.select("[onclick], [oninput]")):
            tag.attrs = {name: value for name, value in tag.attrs.items() if not name.startswith("on")}
    for link in page.select(", ".join(f"a[href*='../{name}/']" for name in ("audit", *LIVE))):
        if site:
            link["href"] = site + link["href"].lstrip("./")
        else:
            link.unwrap()
    for tag in page.select("[valign], [halign]"):
        del tag["valign"], tag["halign"]
    for svg in page.find_all("svg"):
        svg["xmlns"] = "http://www.w3.org/2000/svg"
        for tag in (svg, *svg.find_all(True)):
            tag.attrs = {SVG_NAMES.get(name, name): value for name, value in tag.attrs.items()}
    return page.decode(formatter="minimal")


def finish(folder: Path, target: Path) -> Path:
    """Mend the pages of a built EPUB folder and pack it as ``target``."""
    site = wanted().pages
    for name in FIGURES:
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / "explorer" / "pages" / name, folder / name)
    index = (folder / "toc.ncx").read_text(encoding="utf-8")  # Sphinx names the book there by its short name
    (folder / "toc.ncx").write_text(index.replace('content="medgen"', f'content="{identifier()}"'), "utf-8")
    contents = (folder / "content.opf").read_text(encoding="utf-8")
    items = (
        f'<item id="added-{k}" href="{name}" media-type="{KINDS[name.rpartition(".")[2]]}" />'
        for k, name in enumerate(FIGURES)
    )
    contents = contents.replace("</manifest>", f"{''.join(items)}</manifest>")
    for path in folder.rglob("*.xhtml"):
        text = mend(path.read_text(encoding="utf-8"), site)
        path.write_text(text, encoding="utf-8")
        kinds = " ".join(name for name, tag in (("mathml", "<math"), ("svg", "<svg")) if tag in text)
        if kinds:
            name = re.escape(path.relative_to(folder).as_posix())
            contents = re.sub(rf'(href="{name}")', rf'\1 properties="{kinds}"', contents, count=1)
    (folder / "content.opf").write_text(contents, encoding="utf-8")
    names = ["mimetype", "META-INF/container.xml", "content.opf", *re.findall(r'<item [^>]*href="([^"]+)"', contents)]
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in dict.fromkeys(names):
            archive.write(folder / name, name, zipfile.ZIP_STORED if name == "mimetype" else None)
    return target


if __name__ == "__main__":
    written = finish(FOLDER, ROOT / "_build" / f"medgen-book-{wanted().version}.epub")
    print(f"{written} ({written.stat().st_size / 1e6:.1f} MB)")
