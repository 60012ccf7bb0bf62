"""An address is written, stamped, checked and taken out again; what remains before the book is public is listed."""

import json
import re
import subprocess

import pytest

from tests.write.test_stamp import set_up_of
from tools.address import wanted
from tools.publish import __main__ as command
from tools.publish import package, steps

FORK = "https://github.com/someone/their-book"


def test_an_address_is_one_line_of_pyproject_and_comes_out_without_a_trace(checkout):
    before = {path: path.read_bytes() for path in checkout.rglob("*") if path.is_file()}
    had = wanted(checkout).slug
    changed = steps.write(FORK, checkout)
    assert wanted(checkout).slug == "someone/their-book"
    assert {"pyproject.toml", "README.md", "CITATION.cff", ".zenodo.json", "chapters/scoreboard.ipynb"} <= set(changed)
    assert steps.problems(checkout) == []
    steps.write("", checkout)
    assert not (checkout / package.RELEASE).exists()
    after = {path: path.read_bytes() for path in checkout.rglob("*") if path.is_file()}
    assert had or {path for path in after if before.get(path) != after[path]} == {
        checkout / "_build" / "package" / package.ARCHIVE
    }


def test_every_notebook_asks_for_the_archive_of_this_checkout(checkout):
    steps.write(FORK, checkout)
    checksum = package.sha256(package.archive(checkout / "again.zip", checkout))
    for path in (checkout / "chapters").glob("*.ipynb"):
        source = set_up_of(json.loads(path.read_text(encoding="utf-8")))
        assert re.findall(r"https://\S+", source) == [
            f"{FORK}/releases/download/v{wanted(checkout).version}/medgen_utils.zip#sha256={checksum}"
        ]


@pytest.mark.parametrize("url", ["https://example.org/book", "someone/their-book", "https://github.com/someone"])
def test_what_is_no_repository_is_refused_and_changes_nothing(checkout, url):
    before = (checkout / "pyproject.toml").read_text()
    with pytest.raises(ValueError, match="OWNER/NAME"):
        steps.write(url, checkout)
    assert (checkout / "pyproject.toml").read_text() == before


def test_the_same_address_twice_is_one_line(checkout):
    text = (checkout / "pyproject.toml").read_text()
    once = steps.set_address(text, FORK)
    assert steps.set_address(once, FORK) == once and once.count("Repository = ") == text.count("Repository = ") + (
        0 if wanted(checkout).slug else 1
    )


def test_versions_that_differ_and_files_out_of_step_are_wrong(checkout):
    steps.write("", checkout)
    assert steps.problems(checkout) == []
    citation = checkout / "CITATION.cff"
    citation.write_text(citation.read_text().replace('version: "', 'version: "9.'))
    found = steps.problems(checkout)
    assert any(what.startswith("CITATION.cff says version 9.") for what in found)
    assert "CITATION.cff is out of step: run `make write`" in found


def test_a_new_version_needs_a_new_archive(checkout):
    steps.write(FORK, checkout)
    project = checkout / "pyproject.toml"
    project.write_text(re.sub(r'^version = ".*"', 'version = "7.8.9"', project.read_text(), flags=re.MULTILINE))
    assert any("not 7.8.9: run `make publish-check`" in what for what in steps.problems(checkout))
    steps.write(FORK, checkout)
    assert steps.problems(checkout) == []
    assert "v7.8.9/medgen_utils.zip" in (checkout / "chapters" / "scoreboard.ipynb").read_text()


def git(root, *arguments: str) -> None:
    names = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main"]
    subprocess.run(["git", "-C", str(root), *names, *arguments], check=True, capture_output=True)


def test_what_remains_shrinks_with_every_step_that_is_done(checkout):
    steps.write("", checkout)
    assert [what.partition(":")[0] for what in steps.remaining(checkout)] == ["an address"]
    steps.write(FORK, checkout)
    assert any(what.startswith("a git repository here") for what in steps.remaining(checkout))
    for name, old, new in (
        ("CITATION.cff", '- name: "The medgen authors"', "- {given-names: Ada, family-names: Doe}"),
        ("CHANGELOG.md", "\n## Unreleased", f"\n## {wanted(checkout).version}\n"),
    ):
        text = (checkout / name).read_text()
        assert old in text
        (checkout / name).write_text(text.replace(old, new, 1))
    steps.write(FORK, checkout)
    git(checkout, "init")
    kinds = ("CITATION", "CHANGELOG", "the package has changed", "changes that are not", "the remote", "the tag")

    def open_steps() -> list[str]:
        return [kind for kind in kinds if any(what.startswith(kind) for what in steps.remaining(checkout))]

    assert open_steps() == ["changes that are not", "the remote", "the tag"]
    git(checkout, "add", "-A")
    git(checkout, "commit", "-m", "all")
    git(checkout, "remote", "add", "origin", "git@github.com:someone/their-book.git")
    assert open_steps() == ["the tag"]
    git(checkout, "tag", f"v{wanted(checkout).version}")
    assert steps.remaining(checkout) == list(steps.BY_HAND)
    (checkout / "medgen_utils" / "clinic.py").write_text("# new\n")
    assert open_steps() == ["the package has changed", "changes that are not"]


@pytest.mark.parametrize(
    ("url", "slug"),
    [
        ("https://github.com/a/b.c", "a/b.c"),
        ("https://github.com/a/b.git", "a/b"),
        ("git@github.com:a/b.git", "a/b"),
        ("ssh://git@github.com/a/b", "a/b"),
        ("https://example.org/a/b", ""),
        (None, ""),
    ],
)
def test_a_remote_is_read_in_any_of_gits_notations(url, slug):
    assert steps.slug_of_remote(url) == slug


def test_the_command_says_what_is_wrong_and_what_remains(monkeypatch, capsys):
    monkeypatch.setattr(steps, "problems", lambda: ["a version differs"])
    monkeypatch.setattr(steps, "remaining", lambda: ["the tag"])
    assert command.main([""]) == 1
    printed = capsys.readouterr().out
    assert "WRONG  a version differs\nTO DO  the tag" in printed
    monkeypatch.setattr(steps, "problems", list)
    assert command.main([]) == 0
    assert command.main(["example.org"]) == 2
    assert "OWNER/NAME" in capsys.readouterr().err
