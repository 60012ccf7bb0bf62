"""What the workflows of GitHub must hold, as far as their files tell: `make publish-check` and the tests ask."""

import re
from pathlib import Path

import yaml

from tools import ROOT

NODE_24 = {  # the first major version of each action that runs on Node 24 (or starts nothing older)
    "actions/cache": 5,
    "actions/checkout": 5,
    "actions/deploy-pages": 5,
    "actions/setup-python": 6,
    "actions/upload-artifact": 6,
    "actions/upload-pages-artifact": 5,
}


def read(root: Path = ROOT) -> dict[str, dict]:
    """The workflows by name; "on", which YAML takes for a truth value, is a word again."""
    found = {}
    for path in sorted((root / ".github" / "workflows").glob("*.yml")):
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        found[path.stem] = {("on" if key is True else key): value for key, value in content.items()}
    return found


def steps(workflow: dict) -> list[dict]:
    """Every step of every job."""
    return [step for job in workflow["jobs"].values() for step in job.get("steps", [])]


def commands(workflow: dict) -> list[str]:
    """The shell lines of a workflow."""
    return [line for step in steps(workflow) for line in step.get("run", "").splitlines()]


def problems(root: Path = ROOT) -> list[str]:
    """What is wrong: old or unknown actions, jobs without a limit, missing commands, a site deployed untested."""
    found, makefile = [], (root / "Makefile").read_text(encoding="utf-8")
    for name, workflow in read(root).items():
        for job, content in workflow["jobs"].items():
            if "uses" not in content and "timeout-minutes" not in content:
                found.append(f"{name}: the job {job} has no limit (timeout-minutes)")
        for used in (step["uses"] for step in steps(workflow) if "uses" in step):
            action, _, version = used.partition("@v")
            if action not in NODE_24 or not version.isdigit() or int(version) < NODE_24[action]:
                found.append(f"{name}: {used} is not known to run on Node 24: {action}@v{NODE_24.get(action, '?')}")
        for target in re.findall(r"\bmake ([a-z.][\w./-]*)", "\n".join(commands(workflow))):
            if f"\n{target}:" not in makefile:
                found.append(f"{name}: `make {target}` is not in the Makefile")
    return found + deploys_untested(read(root).get("pages", {"jobs": {}}))


def deploys_untested(pages: dict) -> list[str]:
    """What lets a site out that the tests have not passed."""
    jobs = pages["jobs"]
    deploys = {
        name: job
        for name, job in jobs.items()
        for step in job.get("steps", [])
        if "deploy-pages" in step.get("uses", "")
    }
    tested = {name for name, job in jobs.items() if job.get("uses") == "./.github/workflows/test.yml"}
    if not deploys:
        return ["pages: nothing deploys the site"]
    return [
        f"pages: {name} does not wait for the tests" for name, job in deploys.items() if not {job.get("needs")} & tested
    ]
