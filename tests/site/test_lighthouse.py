"""The audit of the site with Lighthouse: what it counts, when it measures again, and how it serves a page."""

import functools
import gzip
import json
import threading
from http.server import ThreadingHTTPServer
from urllib.request import urlopen

import pytest

from tools.site import lighthouse
from tools.site.lighthouse import CATEGORIES, Report


def report(**scores: float) -> Report:
    return Report({name: scores.get(name, 1.0) for name in CATEGORIES}, [])


def test_every_chapter_is_measured():
    pages = lighthouse.chapters()
    assert pages[0] == "chapters/index"
    assert {"chapters/generalization_gap", "chapters/explore", "chapters/outlook"} <= set(pages)
    assert "chapters/glossary" not in pages


@pytest.mark.parametrize(
    ("runs", "counts", "n_runs"),
    [
        ([0.97], 0.97, 1),
        ([0.80, 0.96], 0.96, 2),
        ([0.90, 0.80, 0.70], 0.90, 3),
        ([0.80, 0.90, 0.95], 0.95, 3),
    ],
)
def test_only_slow_pages_are_measured_again_and_the_best_run_counts(runs, counts, n_runs):
    found, n = lighthouse.best(iter([report(performance=score) for score in runs]).__next__)
    assert (found.scores["performance"], n) == (counts, n_runs)


def test_other_faults_get_no_second_run():
    found, n = lighthouse.best(iter([report(performance=0.5, seo=0.9)]).__next__)
    assert (found.missed(), n) == (["performance", "seo"], 1)


def test_reads_scores_and_what_lowered_them():
    refs = [{"id": "slow", "weight": 10}, {"id": "informative", "weight": 0}, {"id": "not-applicable", "weight": 1}]
    audits = {
        "slow": {"score": 0.4, "title": "Blocking time", "displayValue": "300 ms"},
        "informative": {"score": 0, "title": "Unused"},
        "not-applicable": {"score": None, "title": "No video"},
    }
    categories = {name: {"score": 1, "auditRefs": []} for name in CATEGORIES}
    categories["performance"] = {"score": 0.88, "auditRefs": refs}
    found = lighthouse.read_report(json.dumps({"categories": categories, "audits": audits}))
    assert found == Report(
        {"performance": 0.88, "accessibility": 1, "best-practices": 1, "seo": 1},
        ["performance: Blocking time 300 ms"],
    )
    with pytest.raises(RuntimeError, match="page did not paint"):
        lighthouse.read_report(json.dumps({"runtimeError": {"message": "the page did not paint"}}))


def test_text_is_served_packed(tmp_path):
    (tmp_path / "page.html").write_text("<p>A page</p>")
    (tmp_path / "figure.webp").write_bytes(b"picture")
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(lighthouse.Packing, directory=str(tmp_path)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    base = f"http://127.0.0.1:{server.server_port}/"
    with urlopen(f"{base}page.html") as answer:
        assert answer.headers["Content-Encoding"] == "gzip"
        assert gzip.decompress(answer.read()) == b"<p>A page</p>"
    with urlopen(f"{base}figure.webp") as answer:
        assert answer.headers["Content-Encoding"] is None and answer.read() == b"picture"
    server.shutdown()
    server.server_close()


def test_without_a_browser_the_audit_is_skipped_with_a_reason(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(lighthouse, "SITE", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert lighthouse.main([]) == 0
    assert "SKIPPED, there is no browser" in capsys.readouterr().out


def test_nothing_that_npm_installs_is_whatever_is_latest():
    """A dependency on "latest" makes `npm ci` fail on the day a new version appears, unless an override pins it."""
    lock = json.loads((lighthouse.HERE / "package-lock.json").read_text(encoding="utf-8"))
    pinned = json.loads((lighthouse.HERE / "package.json").read_text(encoding="utf-8"))["overrides"]
    floating = {
        name
        for package in lock["packages"].values()
        for name, version in package.get("dependencies", {}).items()
        if version == "latest"
    }
    assert floating <= set(pinned)
