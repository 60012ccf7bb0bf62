"""Follow every link of a built site and of the files beside it, as far as that goes without a network.

``python -m tools.publish.links`` does so for the site of `make book`. A link inside the site leads to a file and an
anchor; one to the book's own repository, site or release to what is here; without an address
(`tools.address`) there is none of these. What a page loads comes from the site itself.
Links to others are not followed.
"""

import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from bs4 import BeautifulSoup

from tools import ROOT, SITE
from tools.address import Address, wanted
from tools.publish import package

OWN = ("colab.research.google.com", ".github.io")  # hosts that only the book's own links lead to
MARKDOWN_LINK = re.compile(r"\]\(([^)\s]+)\)|<(https?://[^>\s]+)>")
LOADED = (
    "script[src], img[src], link[rel=stylesheet], link[rel*=icon], source[src], video[src], iframe[src], object[data]"
)


@cache
def soup(path: Path) -> BeautifulSoup:
    """A page, parsed once."""
    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")


def pages(site: Path) -> list[Path]:
    """Every page of the site but those that Sphinx leaves for its own use."""
    return sorted(path for path in site.rglob("*.html") if "_static" not in path.parts and "_sources" not in path.parts)


def problems(site: Path, root: Path = ROOT) -> list[str]:
    """Every link that leads nowhere, and everything that a page would load from elsewhere, with the page."""
    address = wanted(root)
    found = []
    for path in pages(site):
        name = path.relative_to(site)
        wrong = [link for link in sorted(links(path)) if not leads(link, path, site, root, address)]
        found += [f"{name}: {link} leads nowhere" for link in wrong]
        found += [f"{name}: {place} is loaded from elsewhere" for place in sorted(foreign(soup(path)))]
    styles = (path for path in site.rglob("*.css"))
    found += [
        f"{path.relative_to(site)}: {place} is loaded from elsewhere"
        for path in styles
        for place in re.findall(r"(?:url\(|@import )[\"']?((?:https?:)?//[^)\"']+)", path.read_text(encoding="utf-8"))
    ]
    return found + [
        f"{name}: {link} leads nowhere" for name, link in beside(root) if not own_leads(link, site, root, address)
    ]


def links(path: Path) -> set[str]:
    """What the page links to, and the addresses it says of itself."""
    page = soup(path)
    found = {tag["href"] for tag in page.select("a[href], link[rel=canonical]")}
    return found | {tag["content"] for tag in page.select("meta[property='og:url'], meta[property='og:image']")}


def foreign(page: BeautifulSoup) -> set[str]:
    """What the page would load from another host: scripts, styles, pictures, frames."""
    places = [tag.get("src") or tag.get("href") or tag.get("data") for tag in page.select(LOADED)]
    return {place for place in places if urlsplit(place).netloc}


def leads(link: str, page: Path, site: Path, root: Path, address: Address) -> bool:
    """Whether a link of a page leads somewhere; one to another host than the book's own is taken to do so."""
    url = urlsplit(link)
    if url.scheme or url.netloc:
        return own_leads(link, site, root, address)
    if url.path.startswith("/"):  # of the page 404, from where the site starts
        target = site / unquote(url.path).removeprefix(address.path)
    else:
        target = (page.parent / unquote(url.path)).resolve() if url.path else page
    target = target / "index.html" if target.is_dir() else target
    anchor = unquote(url.fragment) if target.suffix == ".html" else ""
    return target.is_file() and (not anchor or soup(target).find(id=anchor) is not None)


def own_leads(link: str, site: Path, root: Path, address: Address) -> bool:
    """Whether a whole address, if it is one of the book's own, stands for something in this checkout."""
    url = urlsplit(link)
    if address.slug and link.startswith(address.pages):
        return leads(link.removeprefix(address.pages) or "index.html", site / "index.html", site, root, address)
    if address.slug and url.netloc == "github.com" and f"{url.path}/".startswith(f"/{address.slug}/"):
        return _in_repository(url.path.strip("/").removeprefix(address.slug).strip("/"), link, root, address)
    if url.netloc.endswith(OWN):
        inside = url.path.removeprefix(f"/github/{address.slug}").strip("/")
        return bool(address.slug) and inside != url.path.strip("/") and _in_repository(inside, link, root, address)
    return not (url.netloc == "github.com" and "/issues/new" in url.path)


def _in_repository(path: str, link: str, root: Path, address: Address) -> bool:
    """Whether a path below the repository's address is a file here, a form, a list of GitHub's, or the archive."""
    if match := re.fullmatch(r"(?:blob|raw|edit)/main/(.+)", path):
        return (root / unquote(match[1])).is_file()
    if path == "issues/new":
        form = parse_qs(urlsplit(link).query).get("template", [""])[0]
        return bool(form) and (root / ".github" / "ISSUE_TEMPLATE" / form).is_file()
    if path.startswith("releases/download"):
        return link == f"{package.place(address)}#sha256={package.released(root, address.version)}"
    return path in ("", "issues")


def beside(root: Path) -> Iterator[tuple[str, str]]:
    """Name and target of every whole address in the Markdown files at the root, the issue forms and the notebooks."""
    patterns = ("*.md", "*.cff", ".zenodo.json", ".github/ISSUE_TEMPLATE/*.yml", "chapters/*.ipynb")
    for path in sorted(path for pattern in patterns for path in root.glob(pattern)):
        text = path.read_text(encoding="utf-8")
        for match in re.findall(r"https?://[^\s\"'<>)\\\]`]+", text):
            yield path.relative_to(root).as_posix(), match.rstrip(".,;")


def broken_files(root: Path = ROOT) -> list[str]:
    """Links between the Markdown files at the root that name no file."""
    found = []
    for path in sorted(root.glob("*.md")):
        targets = [match[0] for match in MARKDOWN_LINK.findall(path.read_text(encoding="utf-8")) if match[0]]
        inner = [target.partition("#")[0] for target in targets if not urlsplit(target).scheme]
        found += [f"{path.name}: {target}" for target in inner if target and not (root / target).exists()]
    return found


if __name__ == "__main__":
    wrong = [*problems(SITE), *broken_files()]
    print(
        *wrong or [f"{len(pages(SITE))} pages: every link leads somewhere, nothing is loaded from elsewhere"], sep="\n"
    )
    sys.exit(bool(wrong))
