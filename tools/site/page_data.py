"""What a page of the site says about itself, added while Sphinx writes it (see book_extension.py).

A description and the data that link previews read; at the end of the page when and with what its outputs were made,
and links to report a problem and to edit. Links need an address (`tools.address`): without one there are none, and
`configure` gives the theme no buttons for them. What is done to the written files is in finish.py.
"""

import html
import json
import os
import re
from pathlib import Path
from urllib.parse import urlencode

from tools.address import Address, wanted
from tools.site import finish

CARD = "_static/card.png"  # the picture of a link preview, 1200 by 630
PROBLEM_FORM = "problem.yml"  # of .github/ISSUE_TEMPLATE; its fields "chapter" and "version" are filled in
MAX_DESCRIPTION = 200
FILE_LINK = re.compile(r"\[([^\]]*)\]\(((?:\.\./)+[\w.-]+)\)")


def configure(app, config) -> None:
    """The address of pyproject.toml for Sphinx and its theme: base of the site, and the buttons that lead to GitHub."""
    address = wanted(Path(app.srcdir))
    config.html_baseurl = address.pages
    if address.slug:
        config.html_theme_options |= {
            "repository_url": address.repository,
            "repository_branch": "main",
            "path_to_docs": "",
            "launch_buttons": {"colab_url": "https://colab.research.google.com", "thebe": False},
            **dict.fromkeys(("use_repository_button", "use_issues_button", "use_edit_page_button"), True),
        }


def lead_to_repository(app, docname: str, source: list[str]) -> None:
    """Links of a page to files beside the chapters, as ``../LICENSE``, lead to the repository, or lose the link."""
    folder, root, repository = (
        Path(app.env.doc2path(docname)).parent,
        Path(app.srcdir),
        wanted(Path(app.srcdir)).repository,
    )

    def led(link: re.Match) -> str:
        path = Path(os.path.normpath(folder / link[2]))
        if path.parent != root:
            return link[0]
        return f"[{link[1]}]({repository}/blob/main/{path.name})" if repository else link[1]

    if app.env.doc2path(docname).endswith(".md"):
        source[0] = FILE_LINK.sub(led, source[0])


def description(body: str) -> str:
    """What the page is about: its lead, else the question of the chapter's card, else its first paragraph."""
    paragraphs = [plain(text) for text in re.findall(r"<p[^>]*>(.*?)</p>", body[:60_000], flags=re.DOTALL)]
    lead = re.search(r'<p class="mg-lead">(.*?)</p>', body, flags=re.DOTALL)
    questions = [text.removeprefix("The question.").strip() for text in paragraphs if text.startswith("The question.")]
    sentences = [text for text in paragraphs if len(text) > 30 and "Open in Colab" not in text]
    text = (([plain(lead[1])] if lead else []) + questions + sentences + [""])[0]
    return text if len(text) <= MAX_DESCRIPTION else text[:MAX_DESCRIPTION].rsplit(" ", 1)[0] + " …"


def plain(markup: str) -> str:
    """The words of a piece of HTML."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", "", markup)).split())


def head_data(app, pagename: str, context: dict) -> str:
    """Description and Open Graph data of a page."""
    title = plain(context.get("title", "")) or app.config.project
    base = app.config.html_baseurl
    values = {
        "og:title": title,
        "og:description": description(context["body"]) or app.config.project,
        "og:type": "article" if pagename != app.config.root_doc else "website",
        "og:site_name": app.config.project,
    }
    if base:  # what a preview fetches needs a whole address
        values |= {
            "og:url": f"{base}{pagename}.html",
            "og:image": f"{base}{CARD}",
            "og:image:alt": "Three hospitals train one model; it reads their images well, and those of a fourth badly.",
        }
    tags = [f'<meta name="description" content="{html.escape(values["og:description"])}">']
    tags += [f'<meta property="{name}" content="{html.escape(value)}">' for name, value in values.items()]
    tags.append('<meta name="twitter:card" content="summary_large_image">')
    return "\n    ".join(tags)


def run_stamp(executed: dict | None) -> str:
    """The sentence that says when and with what the outputs of a chapter were made."""
    if not executed:
        return ""
    seconds, device = executed["seconds"], executed.get("device", "")
    time = f"{round(seconds / 60)} minutes" if seconds >= 90 else f"{seconds} seconds"
    versions = ", ".join(f"{name} {executed[name]}" for name in ("python", "torch", "torchvision", "numpy", "medmnist"))
    return (
        f'Outputs made on <time datetime="{executed["date"]}">{executed["date"]}</time> in {executed["mode"]} mode: '
        f"{time}{f' on {html.escape(device)}' if device else ''}, with {html.escape(versions)}. "
    )


def page_end(address: Address, pagename: str, source: Path) -> str:
    """The last lines of a page: how it was made, and where to mend it."""
    chapter = pagename.rsplit("/", 1)[-1]
    notebook = json.loads(source.read_text(encoding="utf-8")) if source.suffix == ".ipynb" else {"metadata": {}}
    executed = notebook["metadata"].get("medgen", {}).get("executed")
    edit = f"{address.repository}/edit/main/{pagename}{source.suffix}"
    links = (
        f'<p><a href="{problem_link(address, chapter)}">Report a problem with this page</a> · '
        f'<a href="{edit}">Edit this page</a></p>'
    )
    return (
        '<footer class="mg-stamp" aria-label="About this page">'
        f"<p>{run_stamp(executed)}Book version {address.version}.</p>{links if address.slug else ''}</footer>"
    )


def problem_link(address: Address, chapter: str) -> str:
    """The form for a problem, with chapter and version filled in."""
    fields = {"template": PROBLEM_FORM, "chapter": chapter, "version": address.version}
    return html.escape(f"{address.repository}/issues/new?{urlencode(fields)}")


def complete_page(app, pagename: str, templatename: str, context: dict, doctree) -> None:
    """Add the head data and the end of a page; the theme's button for issues, on every page, opens the same form."""
    if app.builder.format != "html" or app.builder.name == "epub":
        return
    address = wanted(Path(app.srcdir))
    if doctree is not None:  # a page of ours, and not the search or the index
        context["metatags"] = context.get("metatags", "") + head_data(app, pagename, context)
        context["body"] += page_end(address, pagename, Path(app.env.doc2path(pagename)))
    groups = [entry for entry in context.get("header_buttons", []) if isinstance(entry, dict)]
    for group in groups:
        for entry in group.get("buttons", []):
            if "/issues/new" in (entry.get("url") or ""):
                entry["url"] = html.unescape(problem_link(address, pagename.rsplit("/", 1)[-1]))
                entry["text"] = entry["tooltip"] = "Report a problem"


def finish_site(app, exception: Exception | None) -> None:
    """Rewrite the written pages, where they are a site."""
    if exception is None and app.builder.name == "html":
        listed = [name for name in app.env.found_docs if name != app.config.root_doc]
        finish.finish(Path(app.outdir), wanted(Path(app.srcdir)), [app.config.root_doc, *sorted(listed)])
