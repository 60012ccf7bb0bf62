"""Single changes to the modules that hold formulas, and a sample of them. The operators are those of cosmic-ray."""

from __future__ import annotations

import ast
import hashlib
import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.ast.ast_query import ASTQuery
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names

FORMULAS = (
    "feature_alignment/*.py",
    "meta_learning/*.py",
    "data_augmentation/*.py",
    "self_supervision/*.py",
    "concept_shift.py",
    "evaluation/*.py",
    "selection.py",
    "shifts/*.py",
    "training.py",
    "benchmark/*.py",
    "audit/**/*.py",
)
DRAWINGS = ("plot", "audit/page.py")
"""Functions and modules that only draw: figures are looked at, and no test counts their pixels."""

EFFORT = (
    "seed",
    "seeds",
    "n",
    "steps",
    "looks",
    "turns",
    "probe",
    "width",
    "n_resamples",
    "n_permutations",
    "n_repeats",
)
"""Arguments that say how much is computed, and with which draws: any default is right, and a test names its own."""
GUARDS = (
    ("zip", "strict"),
    ("field", "repr"),
    ("dataclass", "frozen"),
    ("lru_cache", "maxsize"),
    ("warn", "stacklevel"),
)
"""(function, argument) with which nothing is computed: what is refused, shown, remembered, or pointed at."""
WORDS = ("name", "string", "newline", "fstring_string", "fstring_start", "fstring_end", "endmarker", "trailer", "param")
"""Pieces of code that no operator changes: leaving them out halves the search."""


class Change(NamedTuple):
    """One change: the module (a path below medgen_utils), line, function, operator, the line before and after, code."""

    module: str
    line: int
    function: str
    operator: str
    before: str
    after: str
    code: str


def formula_modules(package: Path) -> list[Path]:
    """The modules that are changed, in order."""
    found = {path for pattern in FORMULAS for path in package.glob(pattern)}
    left_out = {package / name for name in DRAWINGS}
    return sorted(path for path in found - left_out if path.name not in ("__init__.py", "__main__.py"))


def settings(tree: ast.AST) -> Iterator[ast.expr]:
    """What no formula holds: defaults of `EFFORT`, and `GUARDS`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.arguments):
            plain = [*node.posonlyargs, *node.args]
            given = [
                *zip(plain[::-1], node.defaults[::-1], strict=False),
                *zip(node.kwonlyargs, node.kw_defaults, strict=True),
            ]
            yield from (default for argument, default in given if default and argument.arg in EFFORT)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
            yield from [node.value] * (node.target.id in EFFORT)
        elif isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            yield from (word.value for word in node.keywords if (called, word.arg) in GUARDS)


def places(source: str) -> dict[tuple[int, int], list[tuple[str, int, str]]]:
    """(line, column) -> what can be done there: operator, its occurrence in the module, name of the function."""
    ends = [
        (node.lineno, node.col_offset, node.end_lineno, node.end_col_offset) for node in settings(ast.parse(source))
    ]
    nodes = [node for node in ast_nodes(get_ast(source)) if node.type not in WORDS]
    found = defaultdict(list)
    for name in operator_names():
        if get_operator(name).arguments():
            continue  # it must be told what to replace
        operator = get_operator(name)()
        seen = ((node, start) for node in nodes for start, _ in operator.mutation_positions(node))
        for occurrence, (node, start) in enumerate(seen):
            if not any(end[:2] <= start < end[2:] for end in ends):
                found[start].append((name, occurrence, ASTQuery(node).get_definition_name() or ""))
    return dict(found)


def changes(path: Path, package: Path, source: str, place: tuple[int, int], options: Iterable) -> Iterator[Change]:
    """The changes at one place that mean something, in the order of the options."""
    for operator, occurrence, function in options:
        code = mutate_code(source, get_operator(operator)(), occurrence)
        if function in DRAWINGS or code is None or meaning(code) in ("", meaning(source)):
            continue
        lines = zip(source.splitlines(), code.splitlines(), strict=False)
        before, after = next((a, b) for a, b in lines if a != b)
        module = path.relative_to(package).as_posix()
        yield Change(module, place[0], function, operator.removeprefix("core/"), before.strip(), after.strip(), code)


def meaning(code: str) -> str:
    """The code without what nothing computes with. "" where it does not parse.

    That is annotations, comments, docstrings, and the marks of arguments that are given by name or by position.
    """
    try:
        tree = ast.parse(code)
    except SyntaxError:
        return ""
    for node in ast.walk(tree):
        for field in ("annotation", "returns"):
            if getattr(node, field, None) is not None:
                setattr(node, field, ast.Constant("any"))
        if isinstance(node, ast.arguments):
            defaults = [None] * (len(node.posonlyargs) + len(node.args) - len(node.defaults)) + node.defaults
            node.kwonlyargs = [*node.posonlyargs, *node.args, *node.kwonlyargs]
            node.kw_defaults, node.posonlyargs, node.args, node.defaults = [*defaults, *node.kw_defaults], [], [], []
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            node.value = ast.Constant("text")
    return ast.dump(tree)


def sample(package: Path, n: int, seed: int) -> list[Change]:
    """``n`` changes, at most one at a place, every place of the formula modules with the same chance.

    A place with many operators counts once: cosmic-ray knows eleven replacements of a "+", and one of a ">".
    A place is drawn by its line and not by its number, so what is edited elsewhere leaves the sample as it is.
    """
    sources = {path: path.read_text(encoding="utf-8") for path in formula_modules(package)}
    everywhere = []
    for path, source in sources.items():
        name, lines, seen = path.relative_to(package).as_posix(), source.splitlines(), Counter()
        for place, options in sorted(places(source).items()):
            text = lines[place[0] - 1].strip()
            seen[text] += 1
            lot = hashlib.sha256(f"{seed} {name} {text} {seen[text]}".encode()).hexdigest()
            everywhere.append((lot, path, place, options))
    chosen: list[Change] = []
    for lot, path, place, options in sorted(everywhere, key=itemgetter(0)):
        if len(chosen) == n:
            break
        random.Random(lot).shuffle(options)
        chosen += list(changes(path, package, sources[path], place, options))[:1]
    return chosen
