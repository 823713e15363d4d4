"""Workflows that run for pull requests from forks: what they may do, and what they are made of."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
# the one that others copy
PAGE = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
COPIED = re.search(r"```yaml\n(name: alignment.*?)```", PAGE, re.DOTALL)
TEXTS = {path.name: path.read_text() for path in WORKFLOWS} | {
    "docs/ci.md": "" if COPIED is None else COPIED[1]
}


@pytest.mark.parametrize("name", TEXTS)
def test_a_workflow_is_safe_for_pull_requests_from_forks(name: str) -> None:
    text = TEXTS[name]
    workflow: dict[Any, Any] = yaml.safe_load(text)
    assert workflow["permissions"] == {"contents": "read"}
    assert not any("permissions" in job for job in workflow["jobs"].values())
    assert "secrets." not in text and "secrets: inherit" not in text
    # YAML reads `on` as true
    started_by = workflow[True]
    assert not {"pull_request_target", "workflow_run"} & {*started_by}
    # what a pull request's author writes into a title or a branch's name is put into no command
    assert not re.search(r"\$\{\{[^}]*github\.(event|head_ref)", text)


@pytest.mark.parametrize("name", TEXTS)
def test_the_actions_of_a_workflow_are_pinned_by_commit(name: str) -> None:
    steps = [step for job in yaml.safe_load(TEXTS[name])["jobs"].values() for step in job["steps"]]
    used = [step for step in steps if "uses" in step]
    assert used
    for step in used:
        assert re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40}", step["uses"]), step["uses"]
        if step["uses"].startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False
