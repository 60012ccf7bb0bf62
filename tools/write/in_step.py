"""For what writes files from other files: write what changed, or say what would change."""

from pathlib import Path


def between(text: str, begin: str, end: str, part: str, page: str) -> str:
    """``text`` with ``part`` between the lines ``begin`` and ``end``, and an empty line on both sides of it.

    ValueError, which names ``page`` and the two lines, where they are not there in this order.
    """
    before, begun, rest = text.partition(f"{begin}\n")
    _, ended, after = rest.partition(f"\n{end}")
    if not (begun and ended):
        raise ValueError(f"{page} has no place for what belongs between {begin!r} and {end!r}: restore both lines")
    return f"{before}{begin}\n\n{part}\n\n{end}{after}"


def write_changed(wanted: dict[Path, str], root: Path, write: bool) -> list[str]:
    """The names, below ``root``, of the files whose text is not the wanted one; ``write`` writes them."""
    changed = {path: text for path, text in wanted.items() if not path.exists() or path.read_text("utf-8") != text}
    for path, text in changed.items() if write else ():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return [str(path.relative_to(root)) for path in changed]
