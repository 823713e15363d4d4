"""The steps of a workflow or an action, done one after another without a runner.

`run:` steps are run by bash as GitHub runs them, with files for outputs, variables and the job's
page. Of the `uses:` steps our own actions are opened, artefacts are copied to and from a folder,
and all others are written down and not done.
"""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

_EXPRESSION = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
_TOKEN = re.compile(r"\s*('[^']*'|==|!=|&&|\|\||!|\(|\)|[\w.-]+)")
ROOT = Path(__file__).resolve().parent.parent
OURS = re.compile(r"OWNER/stagelift/(?P<folder>action(/\w+)?)@COMMIT")


@dataclass(frozen=True)
class Done:
    """A step that was reached: `code` is None where it was written down and not done."""

    name: str
    given: dict[str, str]
    code: int | None
    said: str


@dataclass
class Job:
    """A job in a folder, for an event. `known` are outputs of steps that are not to be done."""

    workspace: Path
    temp: Path
    event_name: str
    event: dict[str, Any]
    environment: Mapping[str, str]
    actions: Path
    artefacts: Path
    known: Mapping[str, dict[str, str]] = field(default_factory=dict)
    done: list[Done] = field(default_factory=list)

    @property
    def page(self) -> str:
        """What was written to the job's page."""
        return (self.temp / "page.md").read_text()

    @property
    def code(self) -> int:
        """What the job ends with: the code of the first step that failed."""
        return next((step.code for step in self.done if step.code), 0)

    def step(self, name: str) -> Done | None:
        return next((step for step in self.done if step.name == name), None)


def do_workflow(file: Path, job: Job) -> Job:
    """Do the one job of a workflow, where its condition holds."""
    job.temp.mkdir(parents=True, exist_ok=True)
    job.artefacts.mkdir(exist_ok=True)
    (job.temp / "page.md").touch()
    (job.temp / "event.json").write_text(json.dumps(job.event))
    (described,) = yaml.safe_load(file.read_text())["jobs"].values()
    if _holds(described, _context(job, {}), failed=False):
        _do(described["steps"], job, _context(job, {}), None)
    return job


def _context(job: Job, inputs: dict[str, str]) -> dict[str, Any]:
    github = {
        "event_name": job.event_name,
        "event": job.event,
        "repository": job.environment["GITHUB_REPOSITORY"],
        "token": job.environment["GITHUB_TOKEN"],
        "sha": "c0ffee",
        "run_attempt": "1",
    }
    return {"inputs": inputs, "steps": {}, "github": github, "runner": {"os": "Linux"}}


def _do(
    steps: list[dict[str, Any]], job: Job, context: dict[str, Any], action: Path | None
) -> None:
    for step in steps:
        if not _holds(step, context, failed=job.code != 0):
            continue
        if step.get("id") in job.known:
            context["steps"][step["id"]] = {"outputs": job.known[step["id"]]}
        elif "run" in step:
            _run(step, job, context, action)
        else:
            _use(step, job, context)


def _run(step: dict[str, Any], job: Job, context: dict[str, Any], action: Path | None) -> None:
    assert "${{" not in step["run"], "what was written elsewhere would be a part of the program"
    script, outputs = job.temp / "script.sh", job.temp / "outputs"
    script.write_text(step["run"])
    outputs.write_text("")
    given = {name: _filled(value, context) for name, value in step.get("env", {}).items()}
    # a runner hands out no token by itself
    inherited = {key: value for key, value in job.environment.items() if key != "GITHUB_TOKEN"}
    own = {
        "GITHUB_ACTION_PATH": str(action),
        "GITHUB_EVENT_PATH": str(job.temp / "event.json"),
        "GITHUB_OUTPUT": str(outputs),
        "GITHUB_STEP_SUMMARY": str(job.temp / "page.md"),
        "RUNNER_TEMP": str(job.temp),
    }
    ended = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)],
        cwd=job.workspace / _filled(step.get("working-directory", "."), context),
        env={**inherited, **own, **given},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    job.done.append(Done(step.get("name", step["run"]), given, ended.returncode, ended.stdout))
    lines = [line.partition("=") for line in outputs.read_text().splitlines()]
    context["steps"][step.get("id")] = {"outputs": {name: value for name, _, value in lines}}


def _use(step: dict[str, Any], job: Job, context: dict[str, Any]) -> None:
    used = step["uses"]
    given = {name: _filled(value, context) for name, value in step.get("with", {}).items()}
    if ours := OURS.fullmatch(used):
        folder = job.actions / ours["folder"]
        action = yaml.safe_load((folder / "action.yml").read_text())
        unknown = set(given) - set(action["inputs"])
        assert not unknown, f"{used} takes no {unknown}"
        defaults = {name: one.get("default", "") for name, one in action["inputs"].items()}
        inputs = {name: _filled(value, context) for name, value in (defaults | given).items()}
        _do(action["runs"]["steps"], job, _context(job, inputs), folder)
        return
    job.done.append(Done(used, given, None, ""))
    if used.startswith("actions/upload-artifact@"):
        _upload(Path(given["path"]), job.artefacts / given["name"])
    if used.startswith("actions/download-artifact@"):
        shutil.copytree(job.artefacts / given["name"], job.workspace / given["path"])


def _upload(path: Path, target: Path) -> None:
    if path.is_dir():
        shutil.copytree(path, target, dirs_exist_ok=True)
    else:
        target.mkdir(exist_ok=True)
        shutil.copy(path, target)


def _holds(step: dict[str, Any], context: dict[str, Any], *, failed: bool) -> bool:
    """Whether a step is done: without `always()` not after one that failed."""
    condition = str(step.get("if", "success()"))
    is_wanted = bool(evaluated(condition, context))
    return is_wanted and ("always()" in condition or not failed)


def _filled(value: Any, context: dict[str, Any]) -> str:
    return _EXPRESSION.sub(lambda found: str(evaluated(found[1], context)), str(value))


def evaluated(expression: str, context: dict[str, Any]) -> Any:
    """Work out an expression of GitHub's: names, texts, comparisons, `&&`, `||`, `!`."""
    tokens = iter([*_TOKEN.findall(expression), ""])
    value, rest = _either(next(tokens), tokens, context)
    assert rest == "", f"{expression}: {rest} is not understood"
    return value


def _either(token: str, tokens: Iterator[str], context: dict[str, Any]) -> tuple[Any, str]:
    value, token = _both(token, tokens, context)
    while token == "||":
        other, token = _both(next(tokens), tokens, context)
        value = value or other
    return value, token


def _both(token: str, tokens: Iterator[str], context: dict[str, Any]) -> tuple[Any, str]:
    value, token = _compared(token, tokens, context)
    while token == "&&":
        other, token = _compared(next(tokens), tokens, context)
        value = value and other
    return value, token


def _compared(token: str, tokens: Iterator[str], context: dict[str, Any]) -> tuple[Any, str]:
    value, token = _one(token, tokens, context)
    if token in ("==", "!="):
        sign = token
        other, token = _one(next(tokens), tokens, context)
        value = (value == other) is (sign == "==")
    return value, token


def _one(token: str, tokens: Iterator[str], context: dict[str, Any]) -> tuple[Any, str]:
    if token == "!":
        value, token = _one(next(tokens), tokens, context)
        return not value, token
    if token == "(":
        value, token = _either(next(tokens), tokens, context)
        assert token == ")"
        return value, next(tokens)
    if token.startswith("'"):
        return token[1:-1], next(tokens)
    following = next(tokens)
    if following == "(":
        assert (token, next(tokens)) in [("always", ")"), ("success", ")")]
        return True, next(tokens)
    value = context
    for part in token.split("."):
        value = value.get(part, "") if isinstance(value, dict) else ""
    return value, following
