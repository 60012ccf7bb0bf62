"""Does a test fail? Each change is written into a copy of the checkout and meets the tests of its module there.

cosmic-ray itself starts Python anew for each change, five seconds for torch and pandas alone. Here one process has
loaded what the tests need from elsewhere, and a copy of it, a fork, imports the package and runs pytest.
"""

from __future__ import annotations

import importlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
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
SLOW = 4.0
"""Seconds of a processor above which a test is left out."""
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
    """``outcome``: passed, failed or timeout; the tests that failed; seconds; processor's seconds of each test."""

    outcome: str
    failed: tuple[str, ...]
    seconds: float
    durations: dict[str, float]


class Recorder:
    """A plugin of pytest that notes what failed and how long each test took, set-up included.

    The processor's seconds, and not those on the clock, so that other work on the machine makes no test slow.
    """

    def __init__(self):
        self.failed, self.durations = [], {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None):
        start = time.process_time()
        result = yield
        self.durations[item.nodeid] = time.process_time() - start
        return result

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.failed.append(report.nodeid)


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


def run_tests(copy: Path, tests: Sequence[str], options: Sequence[str] = (), limit: float = 900.0) -> Verdict:
    """Run pytest on ``tests`` in a fork of this process, with these options; stopped after ``limit`` seconds."""
    answer, start = copy / "verdict.json", time.perf_counter()
    answer.unlink(missing_ok=True)
    child = os.fork()
    if child == 0:
        _be_pytest(copy, [*options, *tests], answer)
    done = 0
    while not done and time.perf_counter() - start < limit:
        time.sleep(0.05)
        done, _ = os.waitpid(child, os.WNOHANG)
    with suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)  # it leads a group, so whatever it started ends with it
    seconds = time.perf_counter() - start
    if not done:
        os.waitpid(child, 0)
        return Verdict("timeout", (), seconds, {})
    if not answer.is_file():
        return Verdict("failed", ("the test process ended",), seconds, {})
    code, failed, durations = json.loads(answer.read_text())
    if code in (0, 5):  # 5: no test was left to run
        return Verdict("passed", (), seconds, durations)
    return Verdict("failed", tuple(failed) or ("collection",), seconds, durations)


def _be_pytest(copy: Path, arguments: Sequence[str], answer: Path) -> None:
    """What the fork does; it never returns."""
    try:
        os.setsid()
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
        code = pytest.main(["-q", "-p", "no:cacheprovider", *arguments], plugins=[recorder])
        answer.write_text(json.dumps([int(code), recorder.failed, recorder.durations]))
    finally:
        os._exit(0)


def tests_of(copy: Path, module: str) -> Iterator[list[str]]:
    """The tests of a module, the test file of its name; then the others of its folder, or of every method."""
    path = Path("tests", module)
    own = path.with_name(f"test_{path.stem.strip('_')}.py")
    yield [str(own)]
    if len(path.parts) > 2:
        beside = sorted(str(other.relative_to(copy)) for other in (copy / path.parent).glob("test_*.py"))
        yield [other for other in beside if other != str(own)]
    else:
        yield ["tests/test_every_method.py"]


class Bench:
    """A copy of the checkout in which changes are judged, and how long its tests take unchanged."""

    def __init__(self, root: Path, folder: Path):
        self.copy, self.known = copy_of_checkout(root, folder), {}

    def unchanged(self, tests: Sequence[str]) -> tuple[list[str], float]:
        """Options that leave out what is slow or fails on the code as it is (for want of a built site), and a limit.

        RuntimeError where no test runs at all: then no change can be judged.
        """
        if tuple(tests) not in self.known:
            verdict = run_tests(self.copy, tests)
            if not verdict.durations:
                raise RuntimeError(f"{', '.join(tests)}: no test runs on the code as it is ({verdict.outcome})")
            slow = {test for test, seconds in verdict.durations.items() if seconds > SLOW}
            left_out = [option for test in sorted(slow | set(verdict.failed)) for option in ("--deselect", test)]
            self.known[tuple(tests)] = ["-x", *left_out], 60 + 4 * verdict.seconds
        return self.known[tuple(tests)]

    def judge(self, change: Change) -> Verdict:
        """Whether a fast test of the module notices the change; the code is put back."""
        path = self.copy / "medgen_utils" / change.module
        before, start = path.read_bytes(), time.perf_counter()
        verdict = Verdict("passed", (), 0.0, {})
        for tests in filter(None, tests_of(self.copy, change.module)):
            options, limit = self.unchanged(tests)
            for cached in (path.parent / "__pycache__").glob(f"{path.stem}.*"):
                cached.unlink()  # of the same size and second it would pass for the changed code
            path.write_text(change.code, encoding="utf-8")
            sys.dont_write_bytecode, os.environ["PYTHONDONTWRITEBYTECODE"] = True, "1"
            try:
                verdict = run_tests(self.copy, tests, options, limit)
            finally:
                path.write_bytes(before)
                sys.dont_write_bytecode = False
                del os.environ["PYTHONDONTWRITEBYTECODE"]
            if verdict.outcome != "passed":
                break
        return verdict._replace(seconds=time.perf_counter() - start)
