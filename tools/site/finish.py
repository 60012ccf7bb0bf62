"""What happens to the site after Sphinx has written it: pages get lighter, accessible and findable.

The theme brings every icon of a font, twice, and scripts that block the page; figures are PNG. Here the pages are
rewritten as text, once: icons that are used stay, scripts wait for the page, figures become WebP with their
size written down, tables and lists keep the rules of accessibility. Nothing here changes a pixel or a word.
"""

import base64
import hashlib
import html
import io
import json
import logging
import re
import shutil
from pathlib import Path

from bs4 import BeautifulSoup
from fontTools import subset
from PIL import Image, ImageChops

from tools.address import Address
from tools.site import tables

BUNDLE = "book.css"
HEAVY_IMAGE = 44_000  # bytes
UNSEEN = 5  # of 255 levels of a channel
EAGER_IMAGES = 2  # the first figures of a page are loaded at once, the others when the reader comes near them
SEARCH_SCRIPTS = ("searchtools.js", "language_data.js", "searchindex.js")
ICON_RULE = re.compile(r'((?:\.fa-[a-z0-9-]+:{1,2}before,?)+)\{content:"([^"]*)"\}')
SUB_MENU = "Pages below the one before"
THEME_LATER = 'document.documentElement.dataset.theme = localStorage.getItem("theme") || "auto";'
THEME_NOW = (
    "document.documentElement.dataset.theme = /light|dark/.exec(document.documentElement.dataset.mode)?.[0] || "
    '(matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");'
)
FONTS = {"Font Awesome\\ 6 Free": "fa-solid-900", "Font Awesome\\ 6 Brands": "fa-brands-400"}


def finish(site: Path, address: Address, pages: list[str]) -> None:
    """Rewrite the built site in place. ``pages``: the documents a search engine should find, the home page first."""
    texts = {
        path: path.read_text(encoding="utf-8") for path in [*site.glob("*.html"), *site.glob("chapters/**/*.html")]
    }
    del texts[site / "404.html"], texts[site / "index.html"]
    trim_icons(site, "".join(texts.values()))
    bundle_styles(site, texts)
    for path, text in texts.items():
        path.write_text(lighten_figures(mend(lighten_head(text, path.stem)), path), encoding="utf-8")
    for picture in site.glob("_images/*.png"):
        if not any(f'href="../_images/{picture.name}"' in text for text in texts.values()):
            picture.unlink()
    for pattern in ("_static/**/*.map", "_static/scripts/fontawesome.js*"):
        for path in site.glob(pattern):
            path.unlink()
    shutil.rmtree(site / "_static" / "vendor", ignore_errors=True)
    (site / "_static" / "definitions.js").write_text(definitions(site), encoding="utf-8")
    for name, text in around(address, pages).items():
        (site / name).write_text(text, encoding="utf-8")
    lost = site / "404.html"
    lost.write_text(not_found(lost.read_text(encoding="utf-8"), address), encoding="utf-8")


def around(address: Address, pages: list[str]) -> dict[str, str]:
    """The files around the pages, by name: the start, and what search engines read, which need a whole address."""
    base = html.escape(address.pages)
    canonical = f'<link rel="canonical" href="{base}{pages[0]}.html">\n' if base else ""
    files = {
        "index.html": '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Start of the book</title>\n'
        f'{canonical}<meta http-equiv="refresh" content="0; url={pages[0]}.html"></head>\n'
        f'<body><p><a href="{pages[0]}.html">To the book</a></p></body></html>\n',
        "robots.txt": "User-agent: *\nAllow: /\n" + (f"Sitemap: {base}sitemap.xml\n" if base else ""),
    }
    if base:
        places = "\n".join(f"<url><loc>{base}{page}.html</loc></url>" for page in pages)
        files["sitemap.xml"] = (
            '<?xml version="1.0" encoding="UTF-8"?>\n<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n'
            f"{places}\n</urlset>\n"
        )
    return files


def not_found(text: str, address: Address) -> str:
    """The page 404, which a server shows at any depth: where the site starts, and where to tell that a link is dead."""
    report = f' · <a href="{address.repository}/issues">Report the broken link</a>' if address.slug else ""
    return text.replace(
        '<a href="/">To the start of the book</a>', f'<a href="{address.path}">To the start of the book</a>{report}'
    )


def lighten_head(text: str, name: str) -> str:
    """The page without scripts it does not use; the others wait until the page is read."""
    text = re.sub(r"\s*<!-- So that users can add custom icons -->", "", text)
    text = re.sub(r'\s*<script[^>]*src="[^"]*fontawesome\.js[^"]*"></script>', "", text)
    text = re.sub(r'(?:\s*<meta name="viewport"[^>]*>)+', "", text).replace(
        "<head>", '<head>\n    <meta name="viewport" content="width=device-width, initial-scale=1">', 1
    )
    if 'class="math' not in text:
        text = re.sub(r'\s*<script defer="defer" src="[^"]*mathjax/[^"]*"></script>', "", text)
    if name != "search":
        for script in SEARCH_SCRIPTS:
            text = re.sub(rf'\s*<script src="[^"]*{re.escape(script)}[^"]*"></script>', "", text)
    return re.sub(
        r'<script (?!defer)((?:[\w-]+="[^"]*" )?src="(?!.*documentation_options)[^"]*")>', r"<script defer \1>", text
    )


def mend(text: str) -> str:
    """The page with what assistive technology misses: a named side bar, ticks with a text, no empty table headers.

    The theme shows two logos until a script has chosen between light and dark, and so moves the menu: here one is left,
    and the choice is made before anything is drawn.
    """
    text = re.sub(r'\s*<img[^>]*class="logo__image only-dark[^>]*>', "", text)
    text = text.replace('class="logo__image only-light"', 'class="logo__image" width="48" height="48"')
    text = text.replace(THEME_LATER, THEME_NOW)
    text = re.sub(
        r'(<div id="pst-primary-sidebar"[^>]*)>', r'\1 role="complementary" aria-label="Contents of the book">', text
    )
    text = text.replace(
        '<summary><span class="toctree-toggle"', f'<summary aria-label="{SUB_MENU}"><span class="toctree-toggle"'
    )
    text = tables.one_header(text)
    text = re.sub(r"<th([^>]*)>\s*(?:<p>\s*</p>\s*)?</th>", r"<td\1></td>", text)

    def tick(match: re.Match) -> str:
        words = html.escape(" ".join(re.sub(r"<[^>]+>", "", html.unescape(match[1])).split()), quote=True)
        return f'<input class="task-list-item-checkbox" type="checkbox" aria-label="{words}">{match[1]}</p>'

    return re.sub(r'<input class="task-list-item-checkbox"[^>]*>(.*?)</p>', tick, text, flags=re.DOTALL)


def fewer_colours(image: Image.Image) -> Image.Image:
    """The picture with 256 colours, where no pixel moves by more than `UNSEEN` in any channel; else as it is."""
    if image.mode == "RGBA" and image.getextrema()[3] == (255, 255):  # nothing to see through, as in every figure
        image = image.convert("RGB")
    if image.mode != "RGB":
        return image
    fewer = image.quantize(256, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).convert("RGB")
    furthest = max(high for _, high in ImageChops.difference(image, fewer).getextrema())
    return fewer if furthest <= UNSEEN else image


def lighten_figures(text: str, page: Path) -> str:
    """The page with WebP in place of PNG (`fewer_colours`), the size of each figure, late loading below the first."""
    seen = 0

    def lighten(match: re.Match) -> str:
        nonlocal seen
        source = page.parent / match[2]
        lighter = source.with_suffix(".webp")
        with Image.open(source) as image:
            width, height = image.size
            if not lighter.is_file():
                image.save(lighter, lossless=True, quality=30, method=1)
                if lighter.stat().st_size > HEAVY_IMAGE:  # a third smaller, in two seconds instead of none
                    fewer_colours(image).save(lighter, lossless=True, quality=100, method=6)
        seen += 1
        late = ' loading="lazy"' if seen > EAGER_IMAGES else ""
        address = match[2].rpartition(".")[0] + ".webp"
        return f'<img{match[1]}src="{address}"{match[3]} width="{width}" height="{height}" decoding="async"{late}>'

    return re.sub(r'<img([^>]*?\s)src="(\.\./_images/[^"]+\.(?:png|webp))"([^>]*?)\s*/?>', lighten, text)


def bundle_styles(site: Path, texts: dict[Path, str]) -> None:
    """One style sheet in place of ten, in the same order, and linked by every page; ``texts`` is changed."""
    link = re.compile(r'\s*<link(?=[^>]*rel="stylesheet")[^>]*href="([^"?]*_static/)([^"?]*)[^"]*"[^>]*>')
    names = [match[2] for match in link.finditer(max(texts.values(), key=lambda text: len(link.findall(text))))]
    if names == [BUNDLE]:
        return
    parts = []
    for name in names:
        style = (site / "_static" / name).read_text(encoding="utf-8").replace('@charset "UTF-8";', "")
        if name == "styles/theme.css":  # imports one file and sets a colour or two
            style = (site / "_static" / "basic.css").read_text(encoding="utf-8") + style.split(";", 1)[1]
        folder = Path(name).parent
        parts.append(
            re.sub(r'url\((["\']?)(?!data:|#)([^)"\']+)\1\)', lambda m, at=folder: f'url("{at / m[2]}")', style)
        )
    bundle = "\n".join(parts)
    (site / "_static" / BUNDLE).write_text(bundle, encoding="utf-8")
    digest = hashlib.sha256(bundle.encode()).hexdigest()[:8]
    for path, text in texts.items():
        folder = link.search(text)[1]
        text = link.sub("", text)
        texts[path] = text.replace(
            "</title>", f'</title>\n    <link rel="stylesheet" href="{folder}{BUNDLE}?v={digest}">', 1
        )


def trim_icons(site: Path, pages: str) -> None:
    """Keep the icons that pages or the theme's style use, as a font inside the style sheet."""
    sheet = site / "_static" / "styles" / "pydata-sphinx-theme.css"
    style = sheet.read_text(encoding="utf-8")
    scripts = "".join(path.read_text(encoding="utf-8") for path in site.glob("_static/scripts/*theme.js"))
    used = set(re.findall(r"\bfa-[a-z0-9-]+", pages + scripts))
    kept = "".join(re.findall(r'--pst-icon-[a-z-]+:"([^"]*)"', style))

    def keep(match: re.Match) -> str:
        nonlocal kept
        if used.isdisjoint(re.findall(r"fa-[a-z0-9-]+", match[1])):
            return ""
        kept += match[2]
        return match[0]

    style = ICON_RULE.sub(keep, style)
    points = {int(code, 16) for code in re.findall(r"\\([0-9a-f]{2,6})", kept)} | {ord(c) for c in kept if ord(c) > 127}
    for family, name in FONTS.items():
        face = re.compile(
            r"@font-face\{font-display:block;font-family:"
            + re.escape(family)
            + r"[^}]*?src:(url\([^)]*"
            + name
            + r"[^}]*)\}"
        )
        found = face.search(style)
        if found is None:  # built before: the font is in the style sheet
            continue
        data = base64.b64encode(
            small_font(site / "_static" / "vendor" / "fontawesome" / "webfonts" / f"{name}.ttf", points)
        )
        style = style.replace(found[1], f'url("data:font/woff;base64,{data.decode()}") format("woff")')
    style = re.sub(r"@font-face\{[^}]*fa-regular-400[^}]*\}", "", style)
    sheet.write_text(style, encoding="utf-8")


def small_font(path: Path, points: set[int]) -> bytes:
    """The glyphs of the given code points as a WOFF font; the font's licence note stays in it."""
    logging.getLogger("fontTools").setLevel(logging.WARNING)  # it tells of every table it keeps
    options = subset.Options(flavor="woff", layout_features=[], name_IDs=["*"], notdef_outline=True)
    font = subset.load_font(str(path), options)
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=points)
    subsetter.subset(font)
    out = io.BytesIO()
    font.flavor = "woff"
    font.save(out)
    return out.getvalue()


def definitions(site: Path) -> str:
    """A script with the text of every glossary term and reference, for the previews; a page loads it when asked."""
    found = {}
    for term in page_soup(site, "glossary").select("dl.glossary dt"):
        meaning = term.find_next_sibling("dd").decode_contents().strip()
        for link in term.select("a.headerlink"):
            link.decompose()
        found[f"glossary.html#{term['id'].lower()}"] = f"<p><strong>{term.get_text().strip()}</strong></p>{meaning}"
    for item in page_soup(site, "references").select("li[id^=ref-]"):
        found[f"references.html#{item['id'].lower()}"] = item.decode_contents().strip()
    return f"window.bookDefinitions = {json.dumps(found, ensure_ascii=False)};\n"


def page_soup(site: Path, name: str) -> BeautifulSoup:
    return BeautifulSoup((site / "chapters" / f"{name}.html").read_text(encoding="utf-8"), "html.parser")
