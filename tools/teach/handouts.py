"""Pages to print: the handout of a chapter, its quiz sheet and the key. HTML that a browser prints on A4 or Letter."""

import re
from pathlib import Path

from tools.teach.outline import Outline, to_html

STYLE = Path(__file__).resolve().parent / "assets" / "print.css"
MATHJAX = """<script>
window.MathJax = { tex: { inlineMath: [["$", "$"], ["\\\\(", "\\\\)"]] }, options: { enableMenu: false } };
</script>
<script defer src="../slides/mathjax/tex-chtml.js"></script>"""
FRAME = re.compile(r'<figure [^>]*display:block">(<img .*?>)</figure>', re.DOTALL)


def page(title: str, body: str, credit: str) -> str:
    """A page to print; ``body`` and ``credit`` are HTML."""
    math = MATHJAX if "$" in body else ""
    style = STYLE.read_text(encoding="utf-8")
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{title}</title>\n'
        f"<style>\n{style}</style>\n{math}\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n{body}\n</main>\n"
        f"<footer>{credit}</footer>\n</body>\n</html>\n"
    )


def handout(outline: Outline, skipped: set[str]) -> str:
    """The body of a chapter's handout: goals, formulas, figures, results, checklist, recap; nothing in ``skipped``."""
    parts = [f'<div class="question-line">{to_html(outline.card.get("The question", ""))}</div>']
    parts.append(f"<h2>After this chapter you can</h2>{to_html(outline.card.get('After this chapter you can', ''))}")
    inside_exercises = False
    for section in outline.sections:
        inside_exercises = section.title == "Exercises" or (inside_exercises and section.level == 3)
        if inside_exercises or section.title in {*skipped, "Further reading"}:
            continue
        body = _last_page(section) if section.title in ("For your own study", "Recap") else _looked_at(section)
        if body or section.level == 2:
            parts.append(f"<h{section.level}>{section.title}</h{section.level}>{body}")
    return "\n".join(parts)


def _last_page(section) -> str:
    kind = "checklist" if section.title == "For your own study" else "recap"
    text = "\n\n".join(item.text for item in section.items if item.kind == "prose")
    return f'<div class="{kind}">{to_html(text)}</div>'


def _looked_at(section) -> str:
    """The formulas and tables of a section, each after the paragraph that leads to it, its figures, its results."""
    parts, figures, lead = [], [], ""
    for item in section.items:
        if item.kind == "figure":
            frame = FRAME.search(item.text)  # of a slider, the frame it starts with
            image = frame[1] if frame else item.text
            caption = item.caption or ("The first frame of a figure with a slider." if frame else "")
            figures.append(f"<figure>{image}<figcaption>{caption}</figcaption></figure>")
        elif item.kind == "prose":
            lead = item.text
        else:
            parts.append(_with_lead(item, lead))
            lead = ""
    return "".join(parts) + (f'<div class="figures">{"".join(figures)}</div>' if figures else "")


def _with_lead(item, lead: str) -> str:
    if item.kind == "result":
        return f'<div class="numbers">{to_html(item.text)}</div>'
    return to_html(f"{lead}\n\n{item.text}" if item.kind == "formula" else item.text)
