"""The workflows keep what is asked of them, and the check sees each thing that they must not do."""

import pytest
import yaml

from tools import ROOT
from tools.publish import workflows

WORKFLOWS = workflows.read()


def test_the_workflows_are_sound():
    assert set(WORKFLOWS) == {"colab", "machines", "pages", "release", "test"}
    assert workflows.problems() == []


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflow_may_read_and_no_more_unless_a_job_says_so(name):
    assert WORKFLOWS[name]["permissions"] == {"contents": "read"}


def test_the_site_is_deployed_as_it_was_tested():
    """The tests upload what they have built; nothing builds it again."""
    jobs = WORKFLOWS["pages"]["jobs"]
    assert jobs["test"]["uses"] == "./.github/workflows/test.yml" and jobs["deploy"]["needs"] == "test"
    assert workflows.commands(WORKFLOWS["pages"]) == []
    upload = next(step for step in workflows.steps(WORKFLOWS["test"]) if "upload-pages" in step.get("uses", ""))
    assert upload["if"] == f"github.workflow == '{WORKFLOWS['pages']['name']}'"
    assert "workflow_call" in WORKFLOWS["test"]["on"]


def test_the_tests_there_have_the_data_and_do_not_skip_chapters():
    (job,) = WORKFLOWS["test"]["jobs"].values()
    lines = workflows.commands(WORKFLOWS["test"])
    assert job["env"]["MEDGEN_REQUIRE_DATA"] == "1"
    assert lines.index("make data") < lines.index("bash .ci/run")
    kept = [step["with"]["path"] for step in job["steps"] if "cache" in step.get("uses", "")]
    assert "~/.cache/medgen" in kept


def test_a_weekly_failure_is_added_to_the_open_issue():
    lines = "\n".join(workflows.commands(WORKFLOWS["colab"]))
    assert lines.index("gh issue list --state open") < lines.index("gh issue comment") < lines.index("gh issue create")


def test_other_machines_are_tried_every_week():
    workflow = WORKFLOWS["machines"]
    assert "schedule" in workflow["on"]
    (job,) = workflow["jobs"].values()
    assert job["strategy"]["matrix"]["python"] == ["3.11", "3.12", "3.13"]


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / ".github" / "workflows"
    folder.mkdir(parents=True)
    (tmp_path / "Makefile").write_text("book:\n")
    for name in ("pages", "test"):
        (folder / f"{name}.yml").write_text((ROOT / ".github" / "workflows" / f"{name}.yml").read_text())
    (tmp_path / "Makefile").write_text((ROOT / "Makefile").read_text())
    return tmp_path


def changed(root, name: str, change) -> list[str]:
    path = root / ".github" / "workflows" / f"{name}.yml"
    content = yaml.safe_load(path.read_text())
    change(content["jobs"])
    path.write_text(yaml.safe_dump(content))
    return workflows.problems(root)


def test_a_deploy_without_tests_is_seen(root):
    assert changed(root, "pages", lambda jobs: jobs["deploy"].pop("needs")) == [
        "pages: deploy does not wait for the tests"
    ]


def test_old_actions_lost_limits_and_missing_commands_are_seen(root):
    def spoil(jobs: dict) -> None:
        jobs["test"]["steps"] = [{"uses": "actions/checkout@v4"}, {"uses": "a/b@main"}, {"run": "make nothing"}]
        del jobs["test"]["timeout-minutes"]

    found = changed(root, "test", spoil)
    assert [what.partition(": ")[2][:20] for what in found] == [
        "the job test has no ",
        "actions/checkout@v4 ",
        "a/b@main is not know",
        "`make nothing` is no",
    ]
