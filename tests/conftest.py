"""What tests share: no open figures, matplotlib's own defaults; for site tests the site on a port, and a browser."""

import functools
import shutil
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import matplotlib as mpl
import pytest
from matplotlib import pyplot as plt

from tools import SITE
from tools.site.lighthouse import BROWSERS

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *arguments) -> None:
        pass


@pytest.fixture(autouse=True)
def figures_are_closed() -> Iterator[None]:
    """No test finds the figures of another, nor the house style that another has set."""
    with mpl.rc_context(rc=mpl.rcParamsDefault | {"backend": "agg"}):
        yield
        plt.close("all")


@pytest.fixture(autouse=True)
def outputs_are_for_a_person(monkeypatch) -> None:
    """No test inherits MEDGEN_STATIC from the shell that runs it: a test of the site's outputs sets it itself."""
    monkeypatch.delenv("MEDGEN_STATIC", raising=False)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The site on a loopback port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(QuietHandler, directory=str(SITE)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()


@pytest.fixture(scope="module")
def browser():
    playwright_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright_api.sync_playwright() as playwright:
        found = [path for name in BROWSERS if (path := shutil.which(name))] + [playwright.chromium.executable_path]
        if not Path(found[0]).is_file():
            pytest.skip(f"no browser found ({', '.join(BROWSERS)}): install one to test the pages in it")
        instance = playwright.chromium.launch(executable_path=found[0], args=FLAGS)
        yield instance
        instance.close()


@pytest.fixture(scope="module")
def axe() -> str:
    """The script that finds what keeps readers out."""
    package = pytest.importorskip("axe_playwright_python", reason="axe-playwright-python is not installed")
    return next(Path(package.__file__).parent.rglob("axe.min.js")).read_text(encoding="utf-8")
