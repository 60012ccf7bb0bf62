"""Bring tools/colab_versions.txt up to date with what Colab has installed.

    python -m tools.colab_versions pip-freeze.txt
    python -m tools.colab_versions https://raw.githubusercontent.com/googlecolab/backend-info/main/pip-freeze.txt

The argument is the file, or its address, in which Google publishes the packages of a Colab runtime. The names in the
list stay, their versions are replaced, and the version of Python is read from the name of torch's wheel. ``-`` reads
from the standard input (``pip list --format=freeze`` in a Colab cell). Needs nothing beyond Python.
"""

import re
import sys
import urllib.request
from pathlib import Path

VERSIONS = Path(__file__).resolve().parent / "colab_versions.txt"
PINNED = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;+]+)")
WHEEL = re.compile(r"^([A-Za-z0-9._-]+) @ \S*/[A-Za-z0-9._]+?-(\d[^-+%]*)(?:(?:\+|%2B)[^-]*)?-(cp3(\d+))?\S*\.whl")


def published(text: str) -> dict[str, str]:
    """Versions by name (lower case, hyphens) in a list made by pip freeze; "python" too, where a wheel tells it."""
    found = {}
    for line in text.splitlines():
        if match := PINNED.match(line):
            found[match[1].lower().replace("_", "-")] = match[2]
        elif match := WHEEL.match(line):
            found[match[1].lower().replace("_", "-")] = match[2]
            if match[3]:
                found["python"] = f"3.{match[4]}"
    return found


def refreshed(versions: str, found: dict[str, str]) -> str:
    """The list with the versions of ``found``. ValueError where a package of ours is not on Colab any more."""
    lines, missing = [], []
    for line in versions.splitlines():
        mark, name = re.match(r"(# (?=python==))?([A-Za-z0-9._-]*)", line).groups()
        if name in found:
            line = f"{mark or ''}{name}=={found[name]}"
        elif name and name != "python":
            missing.append(name)
        lines.append(line)
    if missing:
        raise ValueError(f"Colab has no {', '.join(missing)}: drop it from the list, or install it in the set-up cell")
    return "\n".join(lines) + "\n"


def read(source: str) -> str:
    """The text of a file, an address or, for ``-``, the standard input."""
    if source == "-":
        return sys.stdin.read()
    if source.startswith("https://"):
        with urllib.request.urlopen(source, timeout=60) as answer:
            return answer.read().decode()
    return Path(source).read_text(encoding="utf-8")


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        print(__doc__)
        return 2
    before = VERSIONS.read_text(encoding="utf-8")
    after = refreshed(before, published(read(arguments[0])))
    VERSIONS.write_text(after, encoding="utf-8")
    changed = [line for line in after.splitlines() if line not in before.splitlines()]
    print(*(changed or ["nothing has changed"]), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
