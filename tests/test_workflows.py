"""Workflows that run for pull requests from forks: what they may do, and what they are made of."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.workflow_steps import OURS, ROOT

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
ACTIONS = sorted((ROOT / "action").rglob("action.yml"))
PAGE = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
PAGE_OF_THE_ACTION = (ROOT / "docs" / "github-action.md").read_text(encoding="utf-8")


def blocks(page: str, beginning: str) -> list[str]:
    """Return the YAML of a page that begins so: what others copy."""
    found = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    return [block for block in found if block.startswith(beginning)]


(BY_HAND,) = blocks(PAGE, "name: alignment")
CHECKS, COMMENTS = blocks(PAGE_OF_THE_ACTION, "name: alignment")
(GITLAB,) = blocks(PAGE_OF_THE_ACTION, "alignment:")
FOR_FORKS = {path.name: path.read_text() for path in WORKFLOWS} | {
    "docs/ci.md": BY_HAND,
    "docs/github-action.md": CHECKS,
}
TEXTS = FOR_FORKS | {"the comment's": COMMENTS}


@pytest.mark.parametrize("name", FOR_FORKS)
def test_a_workflow_is_safe_for_pull_requests_from_forks(name: str) -> None:
    text = FOR_FORKS[name]
    workflow: dict[Any, Any] = yaml.safe_load(text)
    # a fork's token never writes, whatever stands here; one of the repository may write a comment
    comments = {"pull-requests": "write"} if name == "docs/github-action.md" else {}
    assert workflow["permissions"] == {"contents": "read", **comments}
    assert not any("permissions" in job for job in workflow["jobs"].values())
    assert "secrets." not in text and "secrets: inherit" not in text
    # YAML reads `on` as true
    started_by = workflow[True]
    assert not {"pull_request_target", "workflow_run"} & {*started_by}
    # what a pull request's author writes into a title or a branch's name is put into no command
    assert not re.search(r"\$\{\{[^}]*github\.(event|head_ref)", text)


def test_the_workflow_that_may_write_under_forks_runs_nothing_of_theirs() -> None:
    workflow: dict[Any, Any] = yaml.safe_load(COMMENTS)
    assert workflow["permissions"] == {"actions": "read", "pull-requests": "write"}
    assert {*workflow[True]} == {"workflow_run"}
    (job,) = workflow["jobs"].values()
    used = [step["uses"].partition("@")[0] for step in job["steps"]]
    assert used == ["actions/download-artifact", "OWNER/stagelift/action/comment"]
    download = job["steps"][0]["with"]
    # one small text, and not the page
    assert download["name"] == "stagelift-comment"


@pytest.mark.parametrize("name", TEXTS)
def test_the_actions_of_a_workflow_are_pinned_by_commit(name: str) -> None:
    steps = [step for job in yaml.safe_load(TEXTS[name])["jobs"].values() for step in job["steps"]]
    assert_pinned(steps)


@pytest.mark.parametrize("file", ACTIONS, ids=lambda file: file.parent.name)
def test_the_actions_of_our_action_are_pinned_and_no_text_of_others_is_a_command(
    file: Path,
) -> None:
    action = yaml.safe_load(file.read_text())
    steps = action["runs"]["steps"]
    if file.parent.name == "action":
        assert_pinned(steps)
    for step in steps:
        assert "${{" not in step.get("run", "")
        assert "github.event" not in str(step.get("env", {})) + str(step.get("with", {}))
    used = set(re.findall(r"inputs\.([\w-]+)", file.read_text()))
    assert used == set(action["inputs"])


def assert_pinned(steps: list[dict[str, Any]]) -> None:
    used = [step for step in steps if "uses" in step]
    assert used
    for step in used:
        # whose copy of ours, and which commit, is for the reader to say
        pinned = re.fullmatch(r"[\w.-]+(/[\w.-]+)+@[0-9a-f]{40}", step["uses"])
        assert pinned or OURS.fullmatch(step["uses"]), step["uses"]
        if step["uses"].startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


def test_one_action_has_one_commit_everywhere() -> None:
    everything = [*FOR_FORKS.values(), COMMENTS, *(file.read_text() for file in ACTIONS)]
    pinned: dict[str, set[str]] = {}
    for used in re.findall(r"uses: (actions/\S+@\S+ # v\S+)", "\n".join(everything)):
        name, _, commit = used.partition("@")
        pinned.setdefault(name, set()).add(commit)
    assert pinned and all(len(commits) == 1 for commits in pinned.values()), pinned


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        *(("github-workflows", text) for text in TEXTS.values()),
        *(("github-actions", file.read_text()) for file in ACTIONS),
        ("gitlab-ci", GITLAB),
    ],
)
def test_a_file_is_what_its_reader_takes(schema: str, text: str, tmp_path: Path) -> None:
    done = compared(schema, text, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("schema", "text", "wrong"),
    [
        ("github-workflows", CHECKS, CHECKS.replace("runs-on:", "run-on:")),
        ("github-workflows", COMMENTS, COMMENTS.replace("pull-requests: write", "pulls: write")),
        (
            "github-actions",
            ACTIONS[0].read_text(),
            ACTIONS[0].read_text().replace("shell: bash", ""),
        ),
        ("gitlab-ci", GITLAB, GITLAB.replace("when: always", "when: sometimes")),
    ],
)
def test_a_slip_is_seen_by_the_schema(schema: str, text: str, wrong: str, tmp_path: Path) -> None:
    assert wrong != text
    assert compared(schema, wrong, tmp_path).returncode == 1


def compared(schema: str, text: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Compare a file with the schema that editors use, kept in a package: nothing is downloaded."""
    file = folder / "file.yml"
    file.write_text(text)
    extra = ["--data-transform", "gitlab-ci"] if schema == "gitlab-ci" else []
    words = ["--builtin-schema", f"vendor.{schema}", *extra, str(file)]
    command = [sys.executable, "-m", "check_jsonschema", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)
