"""``make mutants``: what counts as a change, and what counts as noticed, on a package of one formula."""

import subprocess

import pytest

pytest.importorskip("cosmic_ray", reason="cosmic-ray is not installed: make mutants installs it")

from tools import mutants as folder
from tools.mutants import __main__ as command
from tools.mutants import changes, judge

FORMULA = '''"""Odds of a share."""


def odds(share: float | None, safe: bool = True) -> float:
    """share / (1 - share)."""
    return share / (1 - share)
'''
TEST = "from medgen_utils.training import odds\n\n\ndef test_odds():\n    assert odds(0.5) == 1\n"


@pytest.fixture
def checkout(tmp_path):
    """A checkout whose one formula has a test."""
    files = {"medgen_utils/__init__.py": "", "medgen_utils/training.py": FORMULA, "tests/test_training.py": TEST}
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    for words in (["init", "-q"], ["add", "."]):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    return tmp_path


def test_a_sample_repeats_with_its_seed_and_a_larger_one_holds_it(checkout):
    few, many, others = (changes.sample(checkout / "medgen_utils", *asked) for asked in ((3, 0), (9, 0), (3, 1)))
    assert many[:3] == few == changes.sample(checkout / "medgen_utils", 3, 0) and others != few
    assert {change.module for change in many} == {"training.py"}


def test_annotations_and_docstrings_are_no_changes(checkout):
    found = changes.sample(checkout / "medgen_utils", 100, 0)
    assert {change.line for change in found} == {4, 6} and all("-> float:" in c.after for c in found if c.line == 4)
    assert {change.after for change in found if change.line == 4} == {
        FORMULA.splitlines()[3].replace("True", "False")
    }, "the default value, and not the type beside it"
    assert len(found) == 4, "the default, two operators and the number"


SETTINGS = """from dataclasses import dataclass, field
@dataclass(frozen=True)
class Study:
    steps: int = 400
    frame: object = field(repr=False)
def paired(a, b, *, seeds=(0, 1), n=50, level=0.95):
    return sum(x - y for x, y in zip(a, b, strict=True)) / level
"""


def test_settings_guards_and_marks_are_no_changes_and_all_else_is():
    """How much is computed has any right default; what a formula holds has one."""
    found = changes.places(SETTINGS)
    assert {line for line, _ in found} == {2, 6, 7} and [place for place in found if place[0] == 2] == [(2, 0)]
    default = SETTINGS.splitlines()[5].index("0.95")
    assert {column for line, column in found if line == 6 and column > 20} == {default}
    marked, plain = "def f(a, *, b=1): pass", "def f(a, /, b=1): pass"
    assert changes.meaning(marked) == changes.meaning(plain) != changes.meaning("def f(a, /, b=2): pass")


def test_a_place_is_drawn_by_its_line_whatever_is_edited_elsewhere(checkout):
    before = changes.sample(checkout / "medgen_utils", 100, 0)
    path = checkout / "medgen_utils/training.py"
    path.write_text(FORMULA.replace("def odds", "LIMIT = 3\n\n\ndef odds"))
    after = [c for c in changes.sample(checkout / "medgen_utils", 100, 0) if not c.before.startswith("LIMIT")]
    assert [c[2:6] for c in after] == [c[2:6] for c in before]


def test_a_change_that_a_test_notices_is_found_and_one_that_none_notices_is_not(checkout, tmp_path_factory):
    by_line = {change.after: change for change in changes.sample(checkout / "medgen_utils", 100, 0)}
    default = by_line[FORMULA.splitlines()[3].replace("True", "False")]
    wrong = default._replace(line=6, code=FORMULA.replace("1 - share", "2 - share"))
    endless = default._replace(code=FORMULA.replace("    return", "    while True: pass\n    return"))
    bench = judge.Bench(checkout, tmp_path_factory.mktemp("bench"))
    before, judge.SECONDS = judge.SECONDS, 8
    try:
        verdicts = [bench.judge(change) for change in (default, wrong, endless)]
    finally:
        judge.SECONDS = before
    assert [verdict.outcome for verdict in verdicts] == ["passed", "failed", "timeout"]
    assert verdicts[1].test == "tests/test_training.py::test_odds"
    assert (bench.copy / "medgen_utils/training.py").read_text() == FORMULA


def test_a_test_that_fails_without_any_change_is_left_out(checkout, tmp_path_factory):
    test = checkout / "tests/test_training.py"
    test.write_text("def test_site_is_built():\n    assert False\n\n\n" + TEST)
    bench = judge.Bench(checkout, tmp_path_factory.mktemp("bench"))
    (change, *_) = changes.sample(checkout / "medgen_utils", 1, 0)
    harmless = change._replace(code=FORMULA + "\n")
    assert bench.judge(harmless).outcome == "passed"
    assert bench.judge(change._replace(code=FORMULA.replace("/", "*"))).test == "tests/test_training.py::test_odds"


def test_every_survivor_that_is_known_has_a_reason_and_a_line_in_its_module():
    for (module, before, _), reason in command.reasons().items():
        source = (command.ROOT / "medgen_utils" / module).read_text(encoding="utf-8")
        assert before in [line.strip() for line in source.splitlines()], f"{module} has no such line: {before}"
        assert len(reason) > 20, before


def test_the_modules_that_are_changed_exist():
    package = command.ROOT / "medgen_utils"
    assert all(list(package.glob(pattern)) for pattern in changes.FORMULAS)
    tests = [judge.tests_of(command.ROOT, str(path.relative_to(package))) for path in changes.formula_modules(package)]
    assert all((command.ROOT / own).is_file() for ((own,), *_) in tests)
    assert judge.tests_of(command.ROOT, "training.py") == [["tests/test_training.py"]] and folder.__doc__
    own, users = judge.tests_of(command.ROOT, "evaluation/cells.py")
    assert own == ["tests/evaluation/test_cells.py"] and "tests/evaluation/test_by_domain.py" in users
