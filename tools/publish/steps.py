"""Write the address, find what is wrong, list what remains of the steps of chapters/publish.md."""

import re
import subprocess
from pathlib import Path

import yaml

from tools import ROOT
from tools.address import slug_of, wanted
from tools.publish import package, workflows
from tools.write import in_step, stamp

LINE = re.compile(r"^Repository = .*\n", re.MULTILINE)
TABLE = "[project.urls]\n"
BY_HAND = (
    "settings of the repository, Pages: the source is GitHub Actions (not to be seen from here)",
    "Actions, pages, Run workflow: the first deploy (not to be seen from here)",
)


def set_address(text: str, url: str) -> str:
    """The text of pyproject.toml with this address; "" takes it out. ValueError where it is no repository's."""
    line = f'Repository = "https://github.com/{slug_of(url)}"\n' if url else ""
    return LINE.sub("", text).replace(TABLE, TABLE + line)


def write(url: str, root: Path = ROOT) -> list[str]:
    """Set the address and stamp; the names of the files that changed. Notebooks last: they carry the checksum."""
    project = root / "pyproject.toml"
    changed = in_step.write_changed({project: set_address(project.read_text("utf-8"), url)}, root, write=True)
    changed += in_step.write_changed(stamp.texts(root), root, write=True)
    address = wanted(root)
    if address.slug:
        package.release(root, address.version)
    else:
        (root / package.RELEASE).unlink(missing_ok=True)
    return changed + in_step.write_changed(stamp.notebooks(root), root, write=True)


def problems(root: Path = ROOT) -> list[str]:
    """What must not be published as it is."""
    address, found = wanted(root), workflows.problems(root)
    cited = yaml.safe_load((root / "CITATION.cff").read_text(encoding="utf-8"))
    module = stamp.VERSION.search((root / stamp.MODULE).read_text(encoding="utf-8"))[0]
    stated = {"CITATION.cff": cited["version"], stamp.MODULE: module.split('"')[1]}
    found += [
        f"{name} says version {v}, pyproject.toml {address.version}"
        for name, v in stated.items()
        if v != address.version
    ]
    try:
        found += [f"{name} is out of step: run `make write`" for name in stamp.update(root, write=False)]
    except ValueError as error:
        found.append(str(error))
    return found


def archive_differs(root: Path = ROOT) -> bool:
    """Whether the archive made now is another one than the notebooks ask for."""
    made = package.archive(root / "_build" / "package" / package.ARCHIVE, root)
    return package.sha256(made) != package.released(root, wanted(root).version)


def git(*arguments: str, root: Path = ROOT) -> str | None:
    """What git prints, without white space around it; None where git is missing or fails."""
    try:
        command = ["git", "-C", str(root), *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def remaining(root: Path = ROOT) -> list[str]:
    """The steps still to do, in their order."""
    address = wanted(root)
    if not address.slug:
        return ["an address: make publish-check ADDRESS=https://github.com/OWNER/NAME"]
    found = []
    if "The medgen authors" in (root / "CITATION.cff").read_text(encoding="utf-8"):
        found.append("CITATION.cff names no person: write the authors there, and run `make write`")
    if f"\n## {address.version}" not in (root / "CHANGELOG.md").read_text(encoding="utf-8"):
        found.append(f"CHANGELOG.md has no section {address.version}: give it what stands under Unreleased")
    tag = f"v{address.version}"
    if archive_differs(root):
        found.append(
            f"the package has changed since its archive was made: before you tag {tag}, run this with the ADDRESS again"
        )
    if git("rev-parse", "--git-dir", root=root) is None:
        return [*found, f"a git repository here, pushed to {address.repository}", *BY_HAND]
    if git("status", "--porcelain", root=root):
        found.append("changes that are not committed: git status")
    if slug_of_remote(git("remote", "get-url", "origin", root=root)) != address.slug:
        found.append(f"the remote: git remote add origin {address.repository}")
    if git("rev-parse", f"{tag}^{{commit}}", root=root) is None:
        found.append(f"the tag: git tag {tag} && git push origin {tag}, after the push of main")
    return [*found, *BY_HAND]


def slug_of_remote(url: str | None) -> str:
    """``owner/name`` of a remote in one of git's notations; "" where there is none on GitHub."""
    match = re.search(r"github\.com[:/]([\w-]+/[\w.-]+?)(\.git)?/?$", url or "")
    return match[1] if match else ""
