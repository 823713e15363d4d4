"""The GitHub action, its comment and the page's workflows, done without a runner."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.comment_server import TOKEN, Comments, served
from tests.conftest import environment, run_to_end
from tests.shared import copied
from tests.test_installed import copy_of_checkout
from tests.test_installed import environment as python_without_stagelift
from tests.test_workflows import GITLAB, PAGE_OF_THE_ACTION, blocks
from tests.workflow_steps import ROOT, Job, do_workflow

CHECKS, COMMENTS = blocks(PAGE_OF_THE_ACTION, "name: alignment")
HEAD = {"sha": "c0ffee", "repo": {"full_name": "team/project"}}
PULL_REQUEST = {"pull_request": {"number": 7, "head": HEAD}}
FORK = {"sha": "c0ffee", "repo": {"full_name": "someone/project"}}
FROM_A_FORK = {"pull_request": {"number": 9, "head": FORK}}
AFTER_THE_FORK = {
    "workflow_run": {
        "id": 5,
        "event": "pull_request",
        "head_sha": "c0ffee",
        "head_branch": "better",
        "head_repository": {"owner": {"login": "someone"}},
    }
}
RECIPE = """
name: tiny
model: {path: model, dtype: float32}
lora: {r: 4, target_modules: [q_proj, v_proj]}
data: {path: bundled/schoolmath, limit: 32}
stages:
  - sft: {args: {max_steps: 2, per_device_train_batch_size: 2}}
evals:
  accuracy: {limit: 12, held_out: 0, max_tokens: 8}
  preference: {prompts: null}
"""
# outputs of the step that installs, where it is not done
INSTALLED = {"install": {"wheels": "wheels", "model": "0"}}


@pytest.fixture
def api() -> Iterator[Comments]:
    with served() as comments:
        yield comments


@pytest.fixture(scope="module")
def made_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    for name, right in (("good", 100), ("candidate", 150)):
        rows = [
            {"id": str(n), "prompt": f"{n}?", "target": "4", "response": "4" if n < right else "5"}
            for n in range(200)
        ]
        (folder / f"{name}.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
        stagelift(folder, "import", f"{name}.jsonl", "--as", "responses", "--name", name)
    for name, run in (("main", "good"), ("best", "candidate")):
        stagelift(folder, "baseline", "set", run, "--name", name, "--margin", "accuracy=2")
    return folder


@pytest.fixture
def project(made_project: Path, tmp_path: Path) -> Path:
    """A repository with two runs that were imported, the candidate the better, and baselines."""
    return Path(shutil.copytree(made_project, tmp_path / "project"))


def stagelift(folder: Path, *words: str) -> None:
    run_to_end([sys.executable, "-m", "stagelift", *words], folder, environment())


def job(
    project: Path,
    api: Comments,
    event: dict[str, Any],
    *,
    number: int = 1,
    known: dict[str, dict[str, str]] | None = None,
    actions: Path = ROOT,
    **variables: str,
) -> Job:
    """Describe a job for an event; its commands are those of this environment."""
    temp = project.with_name(f"job-{number}")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return Job(
        workspace=project,
        temp=temp,
        event_name=next(iter(event)),
        event=event,
        environment={
            **environment(),
            "PATH": path,
            "GITHUB_API_URL": api.address,
            "GITHUB_REPOSITORY": "team/project",
            "GITHUB_RUN_ID": "42",
            "GITHUB_TOKEN": TOKEN,
            **variables,
        },
        actions=actions,
        artefacts=project.with_name("artefacts"),
        known=INSTALLED if known is None else known,
    )


def changed(text: str, folder: Path, **inputs: str) -> Path:
    """Write the page's workflow with other inputs of the action."""
    workflow = yaml.safe_load(text)
    workflow["jobs"]["check"]["steps"][-1]["with"] = inputs
    # YAML reads `on` as true
    workflow["on"] = workflow.pop(True)
    file = folder / "workflow.yml"
    file.write_text(yaml.safe_dump(workflow))
    return file


def test_a_run_is_checked_reported_uploaded_and_has_one_comment_of_two_jobs(
    project: Path, api: Comments, tmp_path: Path
) -> None:
    file = changed(CHECKS, tmp_path, baseline="main")
    done = do_workflow(file, job(project, api, PULL_REQUEST))
    assert done.code == 0, done.done
    (body,) = api.bodies
    assert "# Regression check: improved" in body and "accuracy" in body
    assert done.page.count("# Regression check: improved") == 1
    annotated = done.step("check")
    assert annotated is not None and "::notice title=stagelift check" in annotated.said
    uploaded = sorted(file.name for file in (done.artefacts / "stagelift").iterdir())
    assert uploaded == ["check.xml", "comment.md", "report.html"]
    assert [file.name for file in (done.artefacts / "stagelift-comment").iterdir()] == [
        "comment.md"
    ]
    assert not any(TOKEN in step.said for step in done.done)
    again = do_workflow(file, job(project, api, PULL_REQUEST, number=2))
    comment = again.step("comment")
    assert comment is not None and comment.said == "The comment was renewed.\n"
    assert len(api.kept) == 1


def test_a_regression_fails_the_job_after_all_is_said(
    project: Path, api: Comments, tmp_path: Path
) -> None:
    file = changed(CHECKS, tmp_path, run="good", baseline="best")
    done = do_workflow(file, job(project, api, PULL_REQUEST))
    assert done.code == 1 and done.done[-1].name == "answer"
    assert "regressed" in api.bodies[0]
    assert (done.artefacts / "stagelift" / "report.html").is_file()


def test_a_baseline_that_is_missing_fails_the_job_with_its_sentence(
    project: Path, api: Comments, tmp_path: Path
) -> None:
    file = changed(CHECKS, tmp_path, baseline="nobody")
    done = do_workflow(file, job(project, api, PULL_REQUEST))
    check = done.step("check")
    assert done.code == 2 and check is not None and "nobody" in check.said


def test_without_a_baseline_the_run_is_reported(
    project: Path, api: Comments, tmp_path: Path
) -> None:
    file = changed(CHECKS, tmp_path, baseline="")
    done = do_workflow(file, job(project, api, PULL_REQUEST))
    assert done.code == 0 and "Regression check" not in done.page and done.page
    assert len(api.kept) == 1


def test_a_forks_job_asks_the_api_nothing_and_a_second_workflow_comments(
    project: Path, api: Comments, tmp_path: Path
) -> None:
    file = changed(CHECKS, tmp_path, baseline="main")
    first = do_workflow(file, job(project, api, FROM_A_FORK))
    assert first.code == 0 and first.page and not api.requests
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    api.pulls = [{"number": 9, "head": {"label": "someone:better", "sha": "c0ffee"}}]
    (tmp_path / "comment.yml").write_text(COMMENTS)
    second = job(elsewhere, api, AFTER_THE_FORK, number=2)
    assert do_workflow(tmp_path / "comment.yml", second).code == 0
    (body,) = api.bodies
    assert "```text\n# Regression check: improved" in body
    assert ("POST", "/repos/team/project/issues/9/comments") in [one[:2] for one in api.requests]


def test_the_second_workflow_ignores_what_no_pull_request_started(
    project: Path, api: Comments, tmp_path: Path
) -> None:
    event = {"workflow_run": {**AFTER_THE_FORK["workflow_run"], "event": "push"}}
    (tmp_path / "comment.yml").write_text(COMMENTS)
    done = do_workflow(tmp_path / "comment.yml", job(project, api, event))
    assert not done.done and not api.requests


def test_words_are_given_to_the_command_one_by_one(
    project: Path, api: Comments, tmp_path: Path
) -> None:
    inputs = {
        "recipe": "quickstart",
        "args": "--set\nseeds=[0, 1]\n--set\nx=$(touch hacked)\n--dry-run\n",
    }
    file = changed(CHECKS, tmp_path, **inputs)
    done = do_workflow(file, job(project, api, PULL_REQUEST))
    run = done.step("run")
    assert run is not None and run.code == 2 and "x=$(touch hacked)" in run.said
    assert not (project / "hacked").exists()
    # what was trained is saved whatever became of the job, and nothing else is done after a failure
    assert [step.name.partition("@")[0] for step in done.done[-2:]] == ["run", "actions/cache/save"]


@pytest.mark.real
def test_a_tiny_model_is_installed_for_trained_checked_and_commented_on_twice(
    tiny_model: Path, api: Comments, tmp_path: Path
) -> None:
    """The steps that install are done, too, in an environment without stagelift."""
    actions = copy_of_checkout(tmp_path / "stagelift", links=True)
    for name in ("constraints.txt", "model-requirements.txt"):
        shutil.copy(ROOT / name, actions)
    shutil.copytree(ROOT / "action", actions / "action")
    python = python_without_stagelift(tmp_path / "venv")
    project = tmp_path / "project"
    # in the folder, as nothing outside it is trusted
    copied(tiny_model, project / "model")
    (project / "recipe.yaml").write_text(RECIPE)
    variables = {
        "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": "",
        # torch is here already, and nothing is downloaded
        "PIP_NO_INDEX": "1",
        "PIP_NO_BUILD_ISOLATION": "0",
    }
    file = changed(CHECKS, tmp_path, recipe="recipe.yaml", run="good", baseline="")
    first = do_workflow(
        file, job(project, api, PULL_REQUEST, known={}, actions=actions, **variables)
    )
    assert first.code == 0, first.done
    command = [str(python.with_name("stagelift")), "baseline", "set", "good"]
    subprocess.run(command, cwd=project, check=True)
    only_what_is_cached(project, first)
    file = changed(CHECKS, tmp_path, recipe="recipe.yaml")
    todo = job(project, api, PULL_REQUEST, number=2, known={}, actions=actions, **variables)
    second = do_workflow(file, todo)
    assert second.code == 3, second.done
    good, candidate = api.bodies
    assert "Regression check" not in good and "# Regression check: inconclusive" in candidate
    nodes = project / "runs" / "nodes"
    before = {folder.name for folder in nodes.iterdir()}
    assert {name.partition("-")[0] for name in before} == {"base", "sft"} and len(before) == 2
    # the recipe has changed, the name has not: its stage is trained, and the old one kept no longer
    only_what_is_cached(project, second)
    (project / "recipe.yaml").write_text(RECIPE.replace("max_steps: 2", "max_steps: 3"))
    file = changed(CHECKS, tmp_path, recipe="recipe.yaml", inconclusive="pass")
    todo = job(project, api, PULL_REQUEST, number=3, known={}, actions=actions, **variables)
    third = do_workflow(file, todo)
    assert third.code in (0, 1), third.done
    assert len(before & {folder.name for folder in nodes.iterdir()}) == 1 and len(api.kept) == 2


def only_what_is_cached(project: Path, done: Job) -> None:
    """Leave of the runs what the next job finds in the cache."""
    save = next(step for step in done.done if step.name.startswith("actions/cache/save@"))
    kept = [(project / path).resolve() for path in save.given["path"].split()]
    for path in (project / "runs").iterdir():
        if path.resolve() not in kept and path.is_dir():
            shutil.rmtree(path)


@pytest.mark.real
def test_the_jobs_of_gitlab_leave_one_note(project: Path, api: Comments) -> None:
    jobs = yaml.safe_load(GITLAB)
    (project / "ci").mkdir()
    shutil.copy(ROOT / "action" / "comment.py", project / "ci")
    checks = [
        line
        for line in jobs["alignment"]["script"]
        if not re.match("pip install|stagelift (run|prune)", line)
    ]
    variables = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "GITLAB_CI": "true",
        "STAGELIFT_NOTE_TOKEN": TOKEN,
        "CI_API_V4_URL": api.address,
        "CI_MERGE_REQUEST_PROJECT_ID": "3",
        "CI_MERGE_REQUEST_IID": "7",
        "CI_JOB_URL": "https://gitlab.example/-/jobs/42",
    }
    for _ in range(2):
        script = "\n".join([*checks, *jobs["note"]["script"]])
        run_to_end(["bash", "-euc", script], project, environment() | variables)
    (body,) = api.bodies
    assert "# Regression check: improved" in body
    for name in jobs["alignment"]["artifacts"]["paths"]:
        assert (project / name).is_file()
