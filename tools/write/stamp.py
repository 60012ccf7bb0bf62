"""Write the repository's address and the version, kept in pyproject.toml, into every file that shows them.

A fork changes the one line ``Repository`` there and runs ``make write``.

Text files: the address and version of the last stamp (read from CITATION.cff) are replaced. Chapter notebooks: the line
of links under the title and the set-up cell are written anew from the templates below.
"""

import json
import re
from pathlib import Path

from tools import ROOT
from tools.address import Address, wanted
from tools.write import in_step

TEXT_FILES = (
    ".github/ISSUE_TEMPLATE/config.yml",
    "CHANGELOG.md",
    "CITATION.cff",
    "CONTRIBUTING.md",
    "README.md",
    "_config.yml",
    "_extra/404.html",
    "chapters/how_to_cite.md",
    "chapters/index.md",
    "chapters/teaching/index.md",
    "chapters/teaching/jose.md",
    "chapters/teaching/plans_proof.md",
    "chapters/teaching/syllabi.md",
)
LINKS = (
    "[Open in Colab](https://colab.research.google.com/github/{slug}/blob/main/chapters/{chapter}.ipynb) · "
    "[Download this notebook](https://github.com/{slug}/raw/main/chapters/{chapter}.ipynb)"
)
LINE_LENGTH = 84  # that of chapters/ruff.toml
SETUP = """\
# @title Set-up: run this cell first
import importlib.util

# On Colab and Kaggle: install the package alone, and keep the torch and numpy found there.
if importlib.util.find_spec("medgen_utils") is None:
    %pip install -q --no-deps https://github.com/{slug}/archive/refs/tags/v{version}.zip
    %pip install -q --no-deps medmnist
{packages}
from medgen_utils.setup import setup

{call}"""


def stamped(root: Path = ROOT) -> Address:
    """What the last stamp wrote, read from CITATION.cff."""
    text = (root / "CITATION.cff").read_text(encoding="utf-8")
    slug = re.search(r'^repository-code: "https://github\.com/(.+)"$', text, re.MULTILINE)
    version = re.search(r'^version: "(.+)"$', text, re.MULTILINE)
    if slug is None or version is None:
        raise ValueError("CITATION.cff has no repository-code or version line: restore it")
    return Address(slug[1], version[1])


def stamp_text(text: str, old: Address, new: Address) -> str:
    """The text with the old address, site and version replaced by the new ones."""
    for host in ("github.com/", "colab.research.google.com/github/"):
        text = text.replace(host + old.slug, host + new.slug)
    text = text.replace(old.pages, new.pages)
    text = text.replace(f'"/{old.slug.split("/")[1]}/"', f'"/{new.slug.split("/")[1]}/"')  # the site's path in 404.html
    return text.replace(f'version: "{old.version}"', f'version: "{new.version}"').replace(
        f"version {old.version}", f"version {new.version}"
    )


def setup_source(chapter: str, data: list[str], address: Address, packages: list[str] = ()) -> str:
    """The set-up cell of a chapter that needs the named data sets, and packages (as pip names them) beyond ours."""
    names = ", ".join(f'"{name}"' for name in data) + ("," if len(data) == 1 else "")
    arguments = f'"{chapter}"' + (f", data=({names})" if data else "")
    call = f"ctx = setup({arguments})"
    if len(call) > LINE_LENGTH:
        call = f"ctx = setup(\n    {arguments}\n)"
    more = "".join(f"    %pip install -q --no-deps {package}\n" for package in packages)
    return SETUP.format(**address._asdict(), packages=more, call=call)


def links_line(chapter: str, address: Address) -> str:
    """The line of links under the title of a chapter."""
    return LINKS.format(slug=address.slug, chapter=chapter)


def stamp_notebook(notebook: dict, chapter: str, address: Address) -> None:
    """Write the links and the set-up cell into a notebook (nbformat 4, as a dict). ValueError where it has no place."""
    first = next((cell for cell in notebook["cells"] if cell["cell_type"] == "markdown"), None)
    setup = next((cell for cell in notebook["cells"] if cell["cell_type"] == "code"), None)
    if first is None or setup is None:
        raise ValueError(f"{chapter}: a chapter starts with a title cell and a set-up cell")
    title, *rest = "".join(first["source"]).split("\n")
    rest = [line for line in rest if not line.startswith("[Open in Colab]")]
    while rest and not rest[0].strip():
        rest.pop(0)
    source = "\n".join([title, "", links_line(chapter, address), *(["", *rest] if rest else [])])
    first["source"] = source.splitlines(keepends=True)
    needs = notebook["metadata"].get("medgen", {})
    code = setup_source(chapter, needs.get("data", []), address, needs.get("packages", []))
    setup["source"] = code.splitlines(keepends=True)
    setup["metadata"]["tags"] = sorted({*setup["metadata"].get("tags", []), "hide-input"})


def update(root: Path = ROOT, write: bool = True) -> list[str]:
    """Bring every file in step; the names of those that were not. With ``write=False`` nothing is changed."""
    old, new = stamped(root), wanted(root)
    wanted_texts = {}
    for path in [root / name for name in TEXT_FILES] + sorted(root.glob("chapters/*.ipynb")):
        before = path.read_text(encoding="utf-8")
        if path.suffix == ".ipynb":
            notebook = json.loads(before)
            stamp_notebook(notebook, path.stem, new)
            same = notebook == json.loads(before)
            wanted_texts[path] = before if same else json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"
        else:
            wanted_texts[path] = stamp_text(before, old, new)
            if new.slug not in wanted_texts[path]:
                raise ValueError(f"{path.name} does not show the address {new.slug}: restore it")
    return in_step.write_changed(wanted_texts, root, write)
