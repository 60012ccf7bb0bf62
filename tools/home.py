"""The experiment on the home page, drawn from the numbers that the first chapter prints: part of ``make write``.

One network, trained in Rio, at home and at three other sites: what its score changes by, with its interval. Nothing is
typed: the numbers are those of ``chapters/results/generalization_gap.csv``, so figure, alt text and sentence follow it.
"""

from pathlib import Path

from tools import ROOT
from tools.claims.ledger import Value, look_up
from tools.write import in_step

BEGIN, END = "% experiment: written by `make write`, do not edit", "% experiment: end"
PICTURE = "_static/experiment.svg"
CHAPTER, CELL = "generalization_gap", "af936704"
ROW = "at home; elsewhere"
SITES = ("Cairo", "Ciudad Real", "Poland")
INK, QUIET, PAPER, BLUE, ORANGE, RULE = "#22262B", "#5C6470", "#FDFDFB", "#0072B2", "#BF4E00", "#E3E5E8"
UNDER = 44, 18  # width and height of the paper under a number, so that no line runs through it
LOWEST, HIGHEST, LEFT, RIGHT = -0.3, 0.2, 118.0, 384.0  # of the axis: AUROC, and where it ends in the drawing


def numbers(root: Path = ROOT) -> tuple[Value, dict[str, Value]]:
    """The AUROC at home, and for each other site what it changes by."""
    home, *changes = (look_up(root, CHAPTER, CELL, {"row": ROW, "column": k}) for k in range(1, len(SITES) + 2))
    return home, dict(zip(SITES, changes, strict=True))


def words(home: Value, changes: dict[str, Value]) -> str:
    """The figure in words: its alt text, and the description inside it."""
    each = "; ".join(f"{site} {change.text}" for site, change in changes.items())
    return (
        f"A network trained in Rio de Janeiro reaches an AUROC of {home.text} on new patients there. Elsewhere: {each}."
    )


def sentence(changes: dict[str, Value]) -> str:
    """What the figure shows, from its intervals."""
    lost = [site for site, change in changes.items() if change.high < 0]
    level = [site for site, change in changes.items() if change.low <= 0 <= change.high]
    gained = [site for site, change in changes.items() if change.low > 0]
    parts = [f"loses {_at(lost)}: {_by(lost, changes)}"] if lost else []
    parts += [f"gains {_at(gained)}: {_by(gained, changes)}"] if gained else []
    parts += [f"cannot be told from home {_at(level)}"] if level else []
    return f"The same network {'; it '.join(parts)}."


def _by(sites: list[str], changes: dict[str, Value]) -> str:
    return ", ".join(changes[site].text for site in sites)


def _at(sites: list[str]) -> str:
    names = ", ".join(sites[:-1]) + " and " + sites[-1] if len(sites) > 1 else sites[0]
    return f"in {names}"


def _x(value: float) -> float:
    """Where a change of the AUROC lies; what is further out stands at the edge."""
    share = (min(max(value, LOWEST), HIGHEST) - LOWEST) / (HIGHEST - LOWEST)
    return round(LEFT + share * (RIGHT - LEFT), 1)


def drawing(home: Value, changes: dict[str, Value]) -> str:
    """The SVG file: a line a site, a point with its interval, and home as the upright line."""
    parts = [
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 396 246" width="594" height="369" role="img" '
        f'font-family="Helvetica, Arial, sans-serif" font-size="15" fill="{INK}">',
        "<title>Train in one hospital, test in others</title>",
        f"<desc>{words(home, changes)}</desc>",
        f'<rect width="396" height="246" fill="{PAPER}"/>',
        '<text x="8" y="24" font-weight="bold">Trained in Rio de Janeiro, tested in …</text>',
    ]
    for tick in (-0.2, -0.1, 0.0, 0.1):
        shade = f'stroke="{INK}" stroke-width="1.6"' if tick == 0 else f'stroke="{RULE}"'
        label = f"{home.text} at home" if tick == 0 else f"{tick:+.1f}"
        parts.append(f'<line x1="{_x(tick)}" y1="52" x2="{_x(tick)}" y2="204" {shade}/>')
        y, style = (45, f'fill="{INK}"') if tick == 0 else (222, f'fill="{QUIET}"')
        parts.append(f'<text x="{_x(tick)}" y="{y}" text-anchor="middle" {style}>{label}</text>')
    for i, (site, change) in enumerate(changes.items()):
        y, colour = 80 + 50 * i, ORANGE if change.high < 0 else BLUE
        low, x, high = (_x(value) for value in (change.low, change.value, change.high))
        label = change.text.split(" ")[0]
        parts += [
            f'<text x="8" y="{y + 5}">{site}</text>',
            f'<line x1="{low}" y1="{y}" x2="{high}" y2="{y}" stroke="{colour}" stroke-width="3"/>',
            f'<circle cx="{x}" cy="{y}" r="7" fill="{colour}"/>',
            f'<rect x="{x - UNDER[0] / 2:.1f}" y="{y + 11}" width="{UNDER[0]}" height="{UNDER[1]}" fill="{PAPER}"/>',
            f'<text x="{x}" y="{y + 25}" text-anchor="middle" fill="{colour}">{label}</text>',
        ]
    parts.append(f'<text x="8" y="222" fill="{QUIET}">change</text>')
    parts.append(f'<text x="8" y="240" fill="{QUIET}">of the AUROC</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def block(home: Value, changes: dict[str, Value]) -> str:
    """The Markdown between the marks: the figure and its sentence."""
    return f"![{words(home, changes)}]({PICTURE})\n\n{sentence(changes)}"


def update(root: Path = ROOT, write: bool = True) -> list[str]:
    """Bring drawing and page in step with the chapter; the names of those that were not. ``write=False``: no change."""
    found = numbers(root)
    page = root / "chapters" / "index.md"
    before = page.read_text(encoding="utf-8")
    new = in_step.between(before, BEGIN, END, block(*found), page.name)
    wanted = {page: new, root / "chapters" / PICTURE: drawing(*found)}
    return in_step.write_changed(wanted, root, write)
