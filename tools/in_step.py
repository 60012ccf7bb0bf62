"""For the tools that write files from other files: write what changed, or with ``--check`` say what would change."""

import sys
from collections.abc import Callable
from pathlib import Path


def write_changed(wanted: dict[Path, str], root: Path, write: bool) -> list[str]:
    """The names, below ``root``, of the files whose text is not the wanted one; ``write`` writes them."""
    changed = {path: text for path, text in wanted.items() if not path.exists() or path.read_text("utf-8") != text}
    for path, text in changed.items() if write else ():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return [str(path.relative_to(root)) for path in changed]


def main(update: Callable[..., list[str]], complaint: str) -> None:
    """Run ``update``; under ``--check`` with write=False, and end with an error and the complaint if a file differs."""
    check = "--check" in sys.argv[1:]
    names = update(write=not check)
    if names:
        print(f"{complaint}:" if check else "Written:", *names, sep="\n  ")
    sys.exit(1 if check and names else 0)
