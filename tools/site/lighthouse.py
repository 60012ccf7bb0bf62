"""Lighthouse (desktop) on the built chapter pages: every category must reach 0.95. `make audit-site` runs it.

    python -m tools.site.lighthouse [PAGE ...]     # chapters/index chapters/explore ...; without a name: every chapter

The pages are served with gzip on a loopback port and measured one after the other. Performance is a measurement of this
machine as well: a page that misses nothing else is measured again, at most twice, and its best run counts. The other
categories are facts about the page and get no second run. Run nothing heavy beside it.
Without a browser or npm the audit is skipped, and says so.
"""

import functools
import gzip
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import yaml

from tools import ROOT, SITE

HERE = Path(__file__).resolve().parent  # of package.json
CATEGORIES = ("performance", "accessibility", "best-practices", "seo")
WANTED = 0.95
RETRIES = 2
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PACKED = {".html", ".js", ".css", ".svg", ".json", ".xml", ".txt"}
NOT_CHAPTERS = {"Teaching", "Back matter"}
LIMIT = 180  # seconds a page may take


class Report(NamedTuple):
    """What Lighthouse says of one page: a score for each category and what lowered it."""

    scores: dict[str, float]
    reasons: list[str]

    def missed(self) -> list[str]:
        return [name for name, score in self.scores.items() if score < WANTED]


class Packing(SimpleHTTPRequestHandler):
    """Serves a folder as a host of static pages does: text packed with gzip."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = Path(self.translate_path(self.path))
        if not path.is_file():
            return self.send_error(404)
        data = path.read_bytes()
        self.send_response(200)
        self.send_header("Content-Type", self.guess_type(path))
        if path.suffix in PACKED:
            data = packed(path, path.stat().st_mtime_ns)
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Cache-Control", "max-age=600")
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *arguments) -> None:
        pass


@functools.cache
def packed(path: Path, changed: int) -> bytes:
    return gzip.compress(path.read_bytes())


def chapters() -> list[str]:
    """The home page and every chapter, in the order of the table of contents."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    parts = [part for part in toc["parts"] if part["caption"] not in NOT_CHAPTERS]
    return [toc["root"], *(chapter["file"] for part in parts for chapter in part["chapters"])]


def read_report(text: str) -> Report:
    report = json.loads(text)
    if error := report.get("runtimeError"):
        raise RuntimeError(f"Lighthouse: {error['message']}")
    reasons = []
    for name in CATEGORIES:
        for part in report["categories"][name]["auditRefs"]:
            audit = report["audits"][part["id"]]
            if part["weight"] and (audit["score"] if audit["score"] is not None else 1) < 0.9:
                reasons.append(f"{name}: {audit['title']} {audit.get('displayValue', '')}".rstrip())
    return Report({name: report["categories"][name]["score"] or 0.0 for name in CATEGORIES}, reasons)


def measure(url: str, browser: str) -> Report:
    """One run of Lighthouse; once more when the browser itself fails."""
    command = [str(HERE / "node_modules/.bin/lighthouse"), url, "--preset=desktop", "--output=json", "--quiet"]
    command += [f"--only-categories={','.join(CATEGORIES)}", "--no-enable-error-reporting"]
    command += ["--chrome-flags=--headless=new --no-sandbox --disable-dev-shm-usage --disable-gpu"]
    environment = {**os.environ, "CHROME_PATH": browser}
    for _ in range(2):
        try:
            result = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=LIMIT)
            if result.returncode == 0:
                return read_report(result.stdout)
            problem = result.stderr[-2000:]
        except (subprocess.TimeoutExpired, RuntimeError) as error:
            problem = str(error)
    raise RuntimeError(f"Lighthouse failed twice on {url}:\n{problem}")


def best(measure_once: Callable[[], Report], retries: int = RETRIES) -> tuple[Report, int]:
    """The report that counts and the number of runs it took: only performance is worth another run."""
    report, runs = measure_once(), 1
    while report.missed() == ["performance"] and runs <= retries:
        again = measure_once()
        runs += 1
        if (not again.missed(), again.scores["performance"]) > (not report.missed(), report.scores["performance"]):
            report = again
    return report, runs


def unable() -> str:
    """Why the audit cannot run here, or nothing; installs Lighthouse when it is not there."""
    if not any(map(shutil.which, BROWSERS)):
        return f"there is no browser ({', '.join(BROWSERS)})"
    if not shutil.which("npm"):
        return "there is no npm, with which Lighthouse is installed"
    marker = HERE / "node_modules" / ".package-lock.json"
    if not marker.is_file() or marker.stat().st_mtime < (HERE / "package-lock.json").stat().st_mtime:
        command = ["npm", "ci", "--prefix", str(HERE), "--no-audit", "--no-fund", "--loglevel=error"]
        if subprocess.run(command).returncode != 0:
            return "npm could not install Lighthouse (its reason is above)"
    return ""


def main(names: list[str]) -> int:
    if not SITE.is_dir():
        sys.exit("The site is not built: run `make site` first.")
    if reason := unable():
        print(f"Lighthouse: SKIPPED, {reason}.")
        return 0
    browser = next(filter(None, map(shutil.which, BROWSERS)))
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Packing, directory=str(SITE)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    base = f"http://127.0.0.1:{server.server_port}/"
    pages, failed = names or chapters(), []
    width = max(map(len, pages))
    measure(f"{base}{pages[0]}.html", browser)  # the first run fills caches and is not counted
    print(f"{'':{width}}  {'  '.join(CATEGORIES)}  runs", flush=True)
    for page in pages:
        report, runs = best(lambda url=f"{base}{page}.html": measure(url, browser))
        cells = [f"{score:>{len(name)}.2f}" for name, score in report.scores.items()]
        print(f"{page:{width}}  {'  '.join(cells)}  {runs:>4}", flush=True)
        if report.missed():
            failed.append(page)
            print("".join(f"    {reason}\n" for reason in report.reasons), end="", flush=True)
    server.shutdown()
    print(
        f"Below {WANTED}: {', '.join(failed)}" if failed else f"Every score of {len(pages)} pages is {WANTED} or more."
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
