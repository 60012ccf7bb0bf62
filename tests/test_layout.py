"""The house: imports run downwards and in the open, files and folders stay small, a module has a test of its name."""

import re
from collections import Counter
from pathlib import Path

import pytest

from tests.imports import Arrow, arrows, floors, in_circles, modules
from tools import ROOT

FILE_LINES, FOLDER_LINES = 400, 800
LARGE: set[str] = {
    "medgen_utils/data",  # a file a data set: the folder grows with their number
    "medgen_utils/benchmark",  # protocol, sweep, store, board: one subject from a run to a sentence about it
    "medgen_utils/evaluation",  # metrics, their uncertainty and claims: one set of words from number to sentence
    "medgen_utils/audit",  # a report has many parts, each a small file
    "medgen_utils/pretraining",  # features, probes and measures of a network from elsewhere, and the file they ship in
    "tools/site",  # what Sphinx leaves undone for readers, machines and e-readers: a small file each
    "medgen_utils/figures",  # a file a chapter, of which none knows another
    "medgen_utils/exercises",  # a file a chapter, three exercises with their hints in each
}
"""Files and folders that may be larger; each with its reason behind it."""

GUIDE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
FLOORS = [re.findall(r"`(\w+)`", row) for row in reversed(re.findall(r"^\| \d+ \| (.*) \|$", GUIDE, re.MULTILINE))]
"""The rooms of the package, module or folder, from the cellar up: the table of CONTRIBUTING.md."""
PACKAGE = ROOT / "medgen_utils"
ARROWS = arrows(PACKAGE)
MODULES = {name: path for name, path in modules(PACKAGE).items() if path.name != "__init__.py"}
CODE = [
    path for folder in ("medgen_utils", "tools", "explorer", "speed", "tests") for path in (ROOT / folder).rglob("*.py")
]
CODE += [path for pattern in ("*.js", "*.css") for path in (ROOT / "explorer").rglob(pattern)]


def room(module: str) -> str:
    """Where a module of the package lives: its folder, or itself."""
    return module.split(".")[1] if "." in module else module


def floor_of(module: str) -> int:
    found = [level for level, names in enumerate(FLOORS) if room(module) in names]
    assert len(found) == 1, f"{room(module)} stands {len(found)} times in the floors of CONTRIBUTING.md, not once"
    return found[0]


def lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def test_the_guide_has_a_table_of_floors():
    assert len(FLOORS) >= 8 and "machine" in FLOORS[0] and FLOORS[-1] == ["__main__"]


def test_rooms_use_only_what_lies_below_them():
    """The version is of the package itself, which imports nothing: everybody may ask for it."""
    up = [
        f"{arrow.source} line {arrow.line}: {arrow.target}"
        for arrow in ARROWS
        if room(arrow.source) != room(arrow.target)
        and arrow.target != "medgen_utils"
        and floor_of(arrow.source) <= floor_of(arrow.target)
    ]
    assert up == []


@pytest.mark.parametrize("package", ["medgen_utils", "tools", "explorer"])
def test_no_modules_import_each_other_in_a_circle(package):
    assert in_circles((arrow.source, arrow.target) for arrow in arrows(ROOT / package)) == []


@pytest.mark.parametrize("package", ["medgen_utils", "tools", "explorer"])
def test_own_modules_are_imported_at_the_top(package):
    assert [f"{arrow.source} line {arrow.line}" for arrow in arrows(ROOT / package) if arrow.hidden] == []


@pytest.mark.parametrize("package", ["medgen_utils", "tools", "explorer"])
def test_no_module_takes_the_private_name_of_another(package):
    private = [
        f"{arrow.source} line {arrow.line}: {name}"
        for arrow in arrows(ROOT / package)
        for name in arrow.names
        if name.startswith("_") and not name.startswith("__")
    ]
    assert private == []


def test_every_module_has_a_test_of_its_name():
    """But for what a folder's ``__init__`` passes on. ``__main__`` is tested in test_main.py."""
    paths = [path.relative_to(PACKAGE) for path in MODULES.values()]
    tests = [Path("tests") / path.parent / f"test_{path.stem.strip('_')}.py" for path in paths]
    assert [str(test) for test in tests if not (ROOT / test).is_file()] == []


def test_files_and_folders_are_small():
    """The package's own folder is the house, not a room."""
    files = {str(path.relative_to(ROOT)): lines(path) for path in CODE}
    folders = Counter()
    for name, size in files.items():
        if name.startswith(("medgen_utils/", "tools/")) and name.count("/") > 1:
            folders[name.rpartition("/")[0]] += size
    large = {name: size for name, size in files.items() if size > FILE_LINES}
    large |= {name: size for name, size in folders.items() if size > FOLDER_LINES}
    assert {name: size for name, size in large.items() if name not in LARGE} == {}
    assert LARGE - set(large) == set(), "small by now: no exception is needed"


# The measure itself


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A package whose cellar looks up once, inside a function."""
    files = {
        "__init__.py": "",
        "cellar.py": "def f():\n    from house.attic import g\n",
        "attic.py": "from house import cellar\nfrom house.rooms.bath import _tap\nimport json\n",
        "rooms/__init__.py": "from .bath import water\n",
        "rooms/bath.py": "from ..cellar import f\n",
    }
    for name, text in files.items():
        (tmp_path / "house" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "house" / name).write_text(text)
    return tmp_path / "house"


def test_arrows_are_what_the_source_imports(house):
    assert sorted(arrows(house)) == [
        Arrow("house.attic", "house.cellar", 1, (), False),
        Arrow("house.attic", "house.rooms.bath", 2, ("_tap",), False),
        Arrow("house.cellar", "house.attic", 2, ("g",), True),
        Arrow("house.rooms", "house.rooms.bath", 1, ("water",), False),
        Arrow("house.rooms.bath", "house.cellar", 1, ("f",), False),
    ]


def test_floors_and_circles(house):
    pairs = [(arrow.source, arrow.target) for arrow in arrows(house)]
    assert in_circles(pairs) == sorted(pair for pair in pairs if pair[0] != "house.rooms")
    assert floors(pairs)["house.rooms"] == 1
    assert floors([("a", "b"), ("b", "c"), ("a", "c"), ("d", "c")]) == {"a": 2, "b": 1, "c": 0, "d": 1}
