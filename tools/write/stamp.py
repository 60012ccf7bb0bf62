"""Write what follows from pyproject.toml, the address and the version, into every file that shows them.

A fork changes the one line ``Repository`` there (`tools.publish` does it) and runs ``make write``. Without that line no
file shows a link to a repository or site of the book.

Text files: blocks between the lines ``stamp: NAME`` and ``stamp: end`` are written anew from `publish.texts`.
Chapter notebooks: the line of links under the title and the set-up cell. ``.zenodo.json`` repeats CITATION.cff.
"""

import json
import re
from pathlib import Path

from tools import ROOT
from tools.address import Address, wanted
from tools.publish import package
from tools.publish.texts import TEMPLATES, zenodo
from tools.write import in_step

BLOCK = re.compile(r"^((?:<!--|#) stamp: (?!end)(\w+)\b.*\n)(?:.*\n)*?(?=(?:<!--|#) stamp: end)", re.MULTILINE)
VERSION = re.compile(r'^__version__ = ".*"$', re.MULTILINE)
TEXT_FILES = (".github/ISSUE_TEMPLATE/config.yml", "CITATION.cff", "README.md", "chapters/how_to_cite.md")
MODULE, ZENODO = "medgen_utils/__init__.py", ".zenodo.json"
LINKS = (
    "[Open in Colab](https://colab.research.google.com/github/{slug}/blob/main/chapters/{chapter}.ipynb) · "
    "[Download this notebook](https://github.com/{slug}/raw/main/chapters/{chapter}.ipynb)"
)
LINE_LENGTH = 84  # that of chapters/ruff.toml
SETUP = """\
# @title Set-up: run this cell first
import importlib.util

{comment}
if importlib.util.find_spec("medgen_utils") is None:
    %pip install -q --no-deps {source}
    %pip install -q --no-deps medmnist
{packages}
from medgen_utils.setup import setup

{call}"""
RELEASED = "# On Colab and Kaggle: install the package alone, and keep the torch and numpy found there."
UPLOADED = f"""\
# Without the package (Colab, Kaggle): upload {package.ARCHIVE}, which `make package` writes.
# In the folder of the book put .. in its place. The torch and numpy found here stay."""


def stamp_text(text: str, address: Address) -> str:
    """The text with its blocks written anew. ValueError where it has none, or an unknown one."""
    names = [match[2] for match in BLOCK.finditer(text)]
    if not names or not set(names) <= set(TEMPLATES):
        raise ValueError(f"stamped blocks {names}: there are {sorted(TEMPLATES)}; restore the lines `stamp: NAME`")
    return BLOCK.sub(lambda match: match[1] + TEMPLATES[match[2]](address), text)


def setup_source(chapter: str, data: list[str], address: Address, packages: list[str] = (), checksum: str = "") -> str:
    """The set-up cell of a chapter that needs the named data sets, and packages (as pip names them) beyond ours.

    With an address the package comes from the release of this version, and pip refuses an archive without the SHA-256
    ``checksum``; without one it comes from a file that the reader uploads.
    """
    names = ", ".join(f'"{name}"' for name in data) + ("," if len(data) == 1 else "")
    arguments = f'"{chapter}"' + (f", data=({names})" if data else "")
    call = f"ctx = setup({arguments})"
    if len(call) > LINE_LENGTH:
        call = f"ctx = setup(\n    {arguments}\n)"
    more = "".join(f"    %pip install -q --no-deps {package}\n" for package in packages)
    source, comment = f"./{package.ARCHIVE}", UPLOADED
    if address.slug:
        source, comment = f"{package.place(address)}#sha256={checksum}", RELEASED
    return SETUP.format(source=source, comment=comment, packages=more, call=call)


def links_line(chapter: str, address: Address) -> str:
    """The line of links under the title of a chapter; "" without an address."""
    return address.slug and LINKS.format(slug=address.slug, chapter=chapter)


def stamp_notebook(notebook: dict, chapter: str, address: Address, checksum: str = "") -> None:
    """Write the links and the set-up cell into a notebook (nbformat 4, as a dict). ValueError where it has no place."""
    first = next((cell for cell in notebook["cells"] if cell["cell_type"] == "markdown"), None)
    setup = next((cell for cell in notebook["cells"] if cell["cell_type"] == "code"), None)
    if first is None or setup is None:
        raise ValueError(f"{chapter}: a chapter starts with a title cell and a set-up cell")
    title, *rest = "".join(first["source"]).split("\n")
    rest = [line for line in rest if not line.startswith("[Open in Colab]")]
    while rest and not rest[0].strip():
        rest.pop(0)
    links = links_line(chapter, address)
    source = "\n".join([title, *(["", links] if links else []), *(["", *rest] if rest else [])])
    first["source"] = source.splitlines(keepends=True)
    needs = notebook["metadata"].get("medgen", {})
    code = setup_source(chapter, needs.get("data", []), address, needs.get("packages", []), checksum)
    setup["source"] = code.splitlines(keepends=True)
    setup["metadata"]["tags"] = sorted({*setup["metadata"].get("tags", []), "hide-input"})


def texts(root: Path) -> dict[Path, str]:
    """Every stamped file but the notebooks, as it should be."""
    address = wanted(root)
    found = {root / name: stamp_text((root / name).read_text(encoding="utf-8"), address) for name in TEXT_FILES}
    found[root / ZENODO] = zenodo(found[root / "CITATION.cff"])
    module = (root / MODULE).read_text(encoding="utf-8")
    found[root / MODULE] = VERSION.sub(f'__version__ = "{address.version}"', module)
    return found


def notebooks(root: Path) -> dict[Path, str]:
    """Every chapter, as it should be. ValueError where an address is set and no archive was made for this version."""
    address = wanted(root)
    checksum = package.released(root, address.version) if address.slug else ""
    found = {}
    for path in sorted(root.glob("chapters/*.ipynb")):
        before = path.read_text(encoding="utf-8")
        notebook = json.loads(before)
        stamp_notebook(notebook, path.stem, address, checksum)
        same = notebook == json.loads(before)
        found[path] = before if same else json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"
    return found


def update(root: Path = ROOT, write: bool = True) -> list[str]:
    """Bring every file in step; the names of those that were not. With ``write=False`` nothing is changed."""
    return in_step.write_changed({**texts(root), **notebooks(root)}, root, write)
