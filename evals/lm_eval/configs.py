"""Which tasks lm-eval knows, and their configs as lm-eval reads them, without their data.

lm-eval has tasks, groups (tasks and groups under one name) and tags (tasks with a mark in common).
A file of the user's is a task or a group.
"""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from stagelift.evals.data.source import one_sentence
from stagelift.evals.lm_eval.trusted import check_trusted

if TYPE_CHECKING:
    from lm_eval.tasks import TaskManager


class Listed(NamedTuple):
    """A task, group or tag: its name, what lm-eval is asked for, and the manager that knows it."""

    name: str
    spec: str
    manager: "TaskManager"


class TaskConfig(NamedTuple):
    """The config of a task or group, and its file if it has one of its own.

    Functions are paths in a config.
    """

    name: str
    content: dict[str, Any]
    file: Path | None

    @property
    def is_group(self) -> bool:
        return "group" in self.content


def find_task(task: str) -> Listed:
    """Look a task up as lm-eval's command line does.

    A YAML of a group is taken by name from its folder, as with --include_path: by path lm-eval
    0.4.13 cannot load one. Raises ValueError where there is no such task, or its code is not
    trusted.
    """
    if not task.endswith(".yaml"):
        return Listed(task, task, _known(task, _manager()))
    listed = _find_file(task)
    for config in configs(listed):
        if config.file is not None:
            check_trusted(config.file)
    return listed


def _find_file(task: str) -> Listed:
    config, path = _file_config(task), Path(task).absolute()
    if "group" not in config:
        return Listed(str(config["task"]), str(path), _manager(defaults=False))
    group, manager = str(config["group"]), _manager(str(path.parent), defaults=False)
    if not all(name in manager.task_index for name in _references(config)):
        # some are lm-eval's own
        manager = _manager(str(path.parent))
    return Listed(group, group, _known(group, manager))


def configs(listed: Listed) -> Iterator[TaskConfig]:
    """Yield the config of what is listed, and those of everything below it."""
    if listed.spec == listed.name:
        yield from _below(listed.name, None, listed.manager)
    else:
        yield TaskConfig(listed.name, _file_config(listed.spec), Path(listed.spec))


def import_functions(config: TaskConfig) -> None:
    """Import the code that a config names, as loading the task will."""
    if config.file is not None:
        _read_yaml(config.file, resolve=True)


@cache
def _manager(folder: str | None = None, *, defaults: bool = True) -> "TaskManager":
    """Index the tasks in a folder, and those that lm-eval comes with.

    Once in a process: lm-eval reads 14,000 files for its own.
    """
    from lm_eval.tasks import TaskManager

    return TaskManager(include_path=folder, include_defaults=defaults)


def _known(task: str, manager: "TaskManager") -> "TaskManager":
    if task in manager.task_index:
        return manager
    close = ", ".join(get_close_matches(task, manager.all_tasks, n=3))
    hint = f"Did you mean: {close}?" if close else "`lm_eval ls tasks` shows those there are."
    raise ValueError(
        f"lm-eval has no task, group or tag '{task}'. {hint} A task of your own is given as a "
        ".yaml file."
    )


def _file_config(task: str) -> dict[str, Any]:
    if not Path(task).is_file():
        raise ValueError(
            f"Task file '{task}' does not exist. Give a .yaml file, or the name of a task lm-eval "
            "knows."
        )
    check_trusted(Path(task))
    try:
        config = _read_yaml(task, resolve=False)
    # the YAML reader's errors are of many kinds, and all mean the same to the user
    except Exception as error:
        raise ValueError(f"Task file '{task}' cannot be read: {one_sentence(error)}") from error
    if "task" not in config:
        raise ValueError(f"Task file '{task}' has no `task:`, which names the task. Add one.")
    return config


def _read_yaml(file: str | Path, *, resolve: bool) -> dict[str, Any]:
    """Read as lm-eval does, with its `include:` and `!function`, which is imported to `resolve`."""
    from lm_eval.tasks._yaml_loader import load_yaml

    config: dict[str, Any] = load_yaml(file, resolve_func=resolve)
    return config


def _references(config: Mapping[str, Any]) -> Iterator[str]:
    """Yield the tasks and groups that a group takes from elsewhere.

    Those of the groups that it spells out are among them.
    """
    for member in _members(config):
        if isinstance(member, dict) and "group" in member and "task" in member:
            yield from _references(member)
        else:
            yield _member_name(member)


def _below(
    name: str, inline: dict[str, Any] | None, manager: "TaskManager"
) -> Iterator[TaskConfig]:
    """Yield a task's or group's config and those below it.

    `inline` is the config that a group spells out for a member, None where it only names it.
    """
    if inline is None:
        _known(name, manager)
    entry = manager.task_index.get(name)
    if entry is None:
        config = inline or {}
        yield TaskConfig(name, config, None)
    elif entry.cfg is None:
        # a tag
        for tagged in sorted(entry.tags):
            yield from _below(tagged, None, manager)
        return
    else:
        # what a group overrides in a known task is in the group's config
        config = entry.cfg
        yield TaskConfig(name, config, entry.yaml_path)
    for member in _members(config):
        child = _member_name(member)
        if isinstance(member, str) or child in manager.task_index:
            yield from _below(child, None, manager)
        else:
            yield from _below(f"{name}::{child}", member, manager)


def _members(config: Mapping[str, Any]) -> list[str | dict[str, Any]]:
    if "group" not in config:
        return []
    members = config["task"]
    return [members] if isinstance(members, str) else list(members or [])


def _member_name(member: str | dict[str, Any]) -> str:
    if isinstance(member, str):
        return member
    return str(member.get("group") or member["task"])
