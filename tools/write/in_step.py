"""For what writes files from other files: write what changed, or say what would change."""

from pathlib import Path


def write_changed(wanted: dict[Path, str], root: Path, write: bool) -> list[str]:
    """The names, below ``root``, of the files whose text is not the wanted one; ``write`` writes them."""
    changed = {path: text for path, text in wanted.items() if not path.exists() or path.read_text("utf-8") != text}
    for path, text in changed.items() if write else ():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return [str(path.relative_to(root)) for path in changed]
