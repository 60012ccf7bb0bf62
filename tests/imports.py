"""Who imports whom in a package, read from the source: modules, arrows, floors. Nothing is imported for it."""

import ast
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple


class Arrow(NamedTuple):
    """One module imports another of the same package; ``hidden`` where that happens inside a function or a class."""

    source: str
    target: str
    line: int
    names: tuple[str, ...]
    hidden: bool


def modules(package: Path) -> dict[str, Path]:
    """Dotted name -> file of every module below a package's folder; a folder's ``__init__`` has the folder's name."""
    found = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def arrows(package: Path) -> list[Arrow]:
    """Every import of one module by another, ``from package import module`` as an arrow to the module."""
    files = modules(package)
    found = []
    for source, path in files.items():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            hidden = node not in tree.body
            for target, name in _imported(node, source if path.name == "__init__.py" else source.rpartition(".")[0]):
                if f"{target}.{name}" in files:
                    target, names = f"{target}.{name}", ()
                else:
                    names = (name,) if name else ()
                if target in files and target != source:
                    found.append(Arrow(source, target, node.lineno, names, hidden))
    return found


def _imported(node: ast.AST, folder: str) -> Iterable[tuple[str, str]]:
    """(module, name) for each name an import brings; the name is "" for ``import module``."""
    if isinstance(node, ast.Import):
        return [(alias.name, "") for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        above = ".".join(folder.split(".")[: len(folder.split(".")) - node.level + 1]) if node.level else ""
        module = ".".join(part for part in (above, node.module) if part)
        return [(module, alias.name) for alias in node.names]
    return []


def floors(pairs: Iterable[tuple[str, str]]) -> dict[str, int]:
    """Module -> the length of its longest way down; modules that import each other in a circle share a floor."""
    below: dict[str, set[str]] = {}
    for source, target in pairs:
        below.setdefault(source, set()).add(target)
        below.setdefault(target, set())
    reach = {name: _reached(name, below) for name in below}
    circle = {name: frozenset({name} | {other for other in reach[name] if name in reach[other]}) for name in below}
    found: dict[frozenset[str], int] = {}

    def floor(ring: frozenset[str]) -> int:
        if ring not in found:
            targets = {circle[target] for name in ring for target in below[name]} - {ring}
            found[ring] = 1 + max(map(floor, targets), default=-1)
        return found[ring]

    return {name: floor(circle[name]) for name in below}


def _reached(start: str, below: dict[str, set[str]]) -> set[str]:
    found, waiting = set(), [start]
    while waiting:
        for name in below[waiting.pop()] - found:
            found.add(name)
            waiting.append(name)
    return found


def in_circles(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """The arrows that belong to a circle: from one of its modules to another."""
    pairs = sorted(set(pairs))
    floor = floors(pairs)
    return [(source, target) for source, target in pairs if floor[source] <= floor[target]]
