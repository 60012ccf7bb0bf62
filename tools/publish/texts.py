"""What README, citation and issue forms say of the address and the version; `tools.write.stamp` puts it into them."""

import json
from collections.abc import Callable

import yaml

from tools.address import Address

TITLE = "Generalization in Medical Image Classification: an executable companion book"


def readme(address: Address) -> str:
    """Where the book can be read and run at once; without an address how it gets one."""
    if not address.slug:
        return (
            "**To publish it**: this copy has no address yet, so nothing here links to a site. "
            "`make publish-check ADDRESS=https://github.com/OWNER/NAME`\n"
            "stamps one, checks the workflows and lists what remains; all steps: "
            "[Publish your own copy](chapters/publish.md).\n"
        )
    return (
        f"**Without installing anything**: every chapter opens in [Colab](https://colab.research.google.com/github/"
        f"{address.slug}) with one click, from the line of links under its title.\n"
        f"**To read only**: <{address.pages}>\n"
        f"**To play first**: [Become the scanner]({address.pages}chapters/explore.html), "
        "seven sliders and two networks in the page\n"
    )


def citation(address: Address) -> str:
    """The lines of CITATION.cff that change."""
    links = f'repository-code: "{address.repository}"\nurl: "{address.pages}"\n' if address.slug else ""
    return f'version: "{address.version}"\n{links}'


def how_to_cite(address: Address) -> str:
    """The book as a reference, in words and for BibTeX."""
    link, url = (f" <{address.repository}>", f",\n  url     = {{{address.repository}}}") if address.slug else ("", "")
    return f"""
> The medgen authors. *{TITLE}*, version {address.version}, 2026.{link}

```bibtex
@software{{medgen,
  author  = {{{{The medgen authors}}}},
  title   = {{{TITLE}}},
  version = {{{address.version}}},
  year    = {{2026}}{url}
}}
```

"""


def course(address: Address) -> str:
    """How a course names the book."""
    return (
        f"\n> Based on *{TITLE}*, version {address.version} (The medgen authors, 2026), CC BY 4.0. "
        "Adapted: own data in the chapters on …\n\n"
    )


def contacts(address: Address) -> str:
    """What GitHub offers beside the issue forms."""
    if not address.slug:
        return ""
    return f"""\
contact_links:
  - name: Read the book
    url: {address.pages}
    about: Perhaps the answer is there; the search box finds it.
  - name: How to contribute
    url: {address.repository}/blob/main/CONTRIBUTING.md
    about: A chapter as a tree, and a method in one class, one test and one row.
"""


TEMPLATES: dict[str, Callable[[Address], str]] = {
    "address": readme, "citation": citation, "book": how_to_cite, "course": course, "contacts": contacts,
}  # fmt: skip


def zenodo(citation_text: str) -> str:
    """What Zenodo reads when it archives a release, from CITATION.cff, so that both always agree."""
    cited = yaml.safe_load(citation_text)
    review = cited["references"][0]
    related = [{"identifier": review["doi"], "scheme": "doi", "relation": "isSupplementTo"}]
    related += [{"identifier": cited["url"], "relation": "isDocumentedBy"}] if "url" in cited else []
    record = {
        "title": cited["title"],
        "description": " ".join(cited["abstract"].split()),
        "creators": [creator(author) for author in cited["authors"]],
        "upload_type": "software",
        "access_right": "open",
        "license": cited["license"],
        "version": cited["version"],
        "keywords": cited["keywords"],
        "related_identifiers": related,
    }
    return json.dumps(record, indent=2, ensure_ascii=False) + "\n"


def creator(author: dict) -> dict[str, str]:
    """An author of CITATION.cff, a person or a group, as Zenodo writes one."""
    person = ", ".join(author[part] for part in ("family-names", "given-names") if part in author)
    orcid = {"orcid": author["orcid"].rpartition("/")[2]} if "orcid" in author else {}
    return {"name": person or author["name"], **{k: author[k] for k in ("affiliation",) if k in author}, **orcid}
