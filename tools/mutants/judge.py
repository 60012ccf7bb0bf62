"""Does a test fail? Each change is written into a copy of the checkout and meets the tests of its module there.

cosmic-ray itself starts Python anew for each change, five seconds for torch and pandas alone. Here one process has
loaded what the tests need from elsewhere, and a copy of it, a fork, imports the package and runs pytest.
"""

from __future__ import annotations

import importlib
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import pytest

from tools.mutants.changes import Change

LIBRARIES = (
    "torch", "torchvision", "pandas", "scipy.stats", "sklearn.metrics", "sklearn.linear_model", "statsmodels.api",
    "matplotlib.pyplot", "joblib", "tqdm.auto", "hypothesis", "IPython.display", "ipywidgets", "yaml", "jinja2",
    "torchmetrics.classification", "torchmetrics.functional", "kornia.augmentation", "bs4", "jsonschema",
)  # fmt: skip
SECONDS = 90
"""Of a processor, for the tests of one module; a change that takes longer where the code as it is does not is found."""
WAIT = 1200.0
"""Seconds on the clock, for what waits and computes nothing."""
OWN = ("medgen_utils", "tests", "tools", "conftest", "explorer")
COPIED = (
    "medgen_utils",
    "tests",
    "tools",
    "explorer",
    "chapters",
    "conftest.py",
    "*.toml",
    "*.md",
    "*.txt",
    "Makefile",
)


class Verdict(NamedTuple):
    """``outcome``: passed, failed or timeout; the first test that failed, "" where none ran; seconds on the clock."""

    outcome: str
    test: str
    seconds: float


class Recorder:
    """A plugin of pytest that notes the first test that failed."""

    failed = ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.failed = self.failed or report.nodeid


def load_libraries() -> None:
    """Import once what every test process needs; what is not installed is left to the tests that ask for it."""
    os.environ["MPLBACKEND"] = "agg"
    for name in LIBRARIES:
        with suppress(ImportError):
            importlib.import_module(name)
    importlib.import_module("torch").set_num_threads(1)


def copy_of_checkout(root: Path, to: Path) -> Path:
    """The tracked files that tests read, in a new folder."""
    listed = subprocess.run(["git", "ls-files", "-z", *COPIED], cwd=root, capture_output=True, check=True, text=True)
    for name in filter(None, listed.stdout.split("\0")):
        if (root / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(root / name, to / name)
    return to


def run_tests(copy: Path, *arguments: str) -> Verdict:
    """Run pytest with these arguments in a fork of this process, up to the first failure."""
    answer, start = copy / "verdict.json", time.perf_counter()
    answer.unlink(missing_ok=True)
    child = os.fork()
    if child == 0:
        _be_pytest(copy, arguments, answer)
    done, status = 0, 0
    while not done and time.perf_counter() - start < WAIT:
        time.sleep(0.05)
        done, status = os.waitpid(child, os.WNOHANG)
    with suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)  # it leads a group, so whatever it started ends with it
    seconds = time.perf_counter() - start
    if not done:
        os.waitpid(child, 0)
    if not done or (os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGXCPU):
        return Verdict("timeout", "", seconds)
    if not answer.is_file():
        return Verdict("failed", "", seconds)  # the process itself broke down
    code, failed = json.loads(answer.read_text())
    return Verdict("passed" if code in (0, 5) else "failed", failed, seconds)  # 5: no test was left to run


def _be_pytest(copy: Path, arguments: Sequence[str], answer: Path) -> None:
    """What the fork does; it never returns."""
    try:
        os.setsid()
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS + 5))
        os.chdir(copy)
        silence = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silence, 1), os.dup2(silence, 2)
        root = str(Path(__file__).resolve().parents[2])
        sys.path[:] = [str(copy), *(entry for entry in sys.path if entry not in ("", root))]
        os.environ["PYTHONPATH"] = str(copy)
        for name in [name for name in sys.modules if name.partition(".")[0] in OWN]:
            del sys.modules[name]
        importlib.invalidate_caches()
        recorder = Recorder()
        code = pytest.main(["-x", "-q", "-p", "no:cacheprovider", *arguments], plugins=[recorder])
        answer.write_text(json.dumps([int(code), recorder.failed]))
    finally:
        os._exit(0)


def tests_of(copy: Path, module: str) -> list[list[str]]:
    """The test file of a module's name; then, for what that does not notice, those of its folder that may use it.

    Those name the module, or are the test files of modules that name it.
    """
    path = Path(module)
    folder, own, name = Path("tests", path.parent), _test_of(path), re.compile(rf"\b{path.stem}\b")
    if len(path.parts) < 2:
        return [[str(own)]]
    users = {
        _test_of(p.relative_to(copy / "medgen_utils")): p for p in (copy / "medgen_utils" / path.parent).glob("*.py")
    }
    found = []
    for test in sorted(t.relative_to(copy) for t in (copy / folder).glob("test_*.py")):
        files = [copy / test, *filter(None, [users.get(test)])]
        if test != own and any(name.search(file.read_text(encoding="utf-8")) for file in files):
            found.append(str(test))
    return [[str(own)], found]


def _test_of(module: Path) -> Path:
    """evaluation/cells.py -> tests/evaluation/test_cells.py."""
    return Path("tests", module.parent, f"test_{module.stem.strip('_')}.py")


class Bench:
    """A copy of the checkout in which changes are judged."""

    def __init__(self, root: Path, folder: Path):
        self.copy, self.known = copy_of_checkout(root, folder), {}

    def unchanged(self, *arguments: str) -> str:
        """The outcome on the code as it is, asked for once."""
        if arguments not in self.known:
            self.known[arguments] = run_tests(self.copy, *arguments).outcome
        return self.known[arguments]

    def judge(self, change: Change) -> Verdict:
        """Whether a test of the module notices the change: fails, or does not end, as it does on the code as it is."""
        start = time.perf_counter()
        verdict = Verdict("passed", "", 0.0)
        for tests in filter(None, tests_of(self.copy, change.module)):
            verdict = self.judge_by(change, tests)
            if verdict.outcome != "passed":
                break
        return verdict._replace(seconds=time.perf_counter() - start)

    def judge_by(self, change: Change, tests: Sequence[str]) -> Verdict:
        """The verdict of some test files."""
        left_out: list[str] = []
        while True:
            verdict = self.run_changed(change, *tests, *left_out)
            if verdict.outcome == "passed":
                return verdict
            again = (verdict.test,) if verdict.test else (*tests, *left_out)
            if self.unchanged(*again) != verdict.outcome:
                return verdict
            if not verdict.test:  # too slow, or broken, without any change too
                return Verdict("passed", "", verdict.seconds)
            left_out += ["--deselect", verdict.test]  # fails by itself, for example for want of a built site

    def run_changed(self, change: Change, *arguments: str) -> Verdict:
        """`run_tests` with the change written into its module; the code is put back."""
        path = self.copy / "medgen_utils" / change.module
        before = path.read_bytes()
        path.write_text(change.code, encoding="utf-8")
        _forget_compiled(path)
        try:
            return run_tests(self.copy, *arguments)
        finally:
            path.write_bytes(before)
            _forget_compiled(path)


def _forget_compiled(path: Path) -> None:
    """Of the same size and second, the compiled form of one version of a module passes for that of the other."""
    for cached in (path.parent / "__pycache__").glob(f"{path.stem}.*"):
        cached.unlink()
