"""Any lm-eval task on a loaded model: lm-eval's own model class, prompts, filters and scoring;
intervals are ours.

A value per document is kept, so that models can be compared document by document; the responses are
not. It does not measure spread over prompts or few-shot draws, and a group's interval takes its
tasks as given, not as a sample of tasks.
"""

import hashlib
import json
import logging
import math
import numbers
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from pydantic import Field, RootModel

from stagelift.evals.data.source import UnreachableError, one_sentence
from stagelift.evals.files import read_record, read_records, write_json, write_records
from stagelift.evals.folders import TaskFiles
from stagelift.evals.lm_eval.names import metric_name
from stagelift.evals.records import Metric, Record, TaskScore
from stagelift.evals.stats.estimates import share_or_mean

if TYPE_CHECKING:
    from lm_eval.api.group import Group
    from lm_eval.tasks import TaskManager
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

RESAMPLES = 1000
_DATA_FILES = (".json", ".jsonl", ".csv", ".parquet")
_log = logging.getLogger(__name__)

Load = Callable[[], "tuple[PreTrainedModel, PreTrainedTokenizerBase]"]


class TaskSettings(Record):
    """What lm-eval's command line takes; with a chat template, few-shot examples are turns of the
    conversation.
    """

    task: str
    num_fewshot: int | None = Field(default=None, ge=0)
    limit: int | None = Field(default=None, ge=1)
    batch_size: int = Field(default=8, ge=1)
    apply_chat_template: bool = True


class TaskResult(NamedTuple):
    """What one listed task measured.

    `scores` has the metrics that are means over documents, `metrics` all of them.
    """

    scores: list[TaskScore]
    metrics: dict[str, Metric]


class _Metrics(RootModel[dict[str, Metric]]):
    """The file that is written last."""


def run_task(
    settings: TaskSettings, load: Load, folder: Path, on_progress: Callable[[int, int], None]
) -> TaskResult:
    """Run a task and store it in `folder`, or read it back without a model where it was finished
    before.

    Files are named after the task. lm-eval seeds the generators of Python, numpy and torch: call it
    in a process of its own.
    """
    path = settings.task
    name = re.sub(r"[^\w.-]+", "_", Path(path).stem if path.endswith(".yaml") else path)
    files = TaskFiles(folder, name)
    if not files.metrics.exists():
        measured = _measure(settings, load, on_progress)
        write_records(files.scores, measured.scores)
        metrics = {key: metric.model_dump() for key, metric in measured.metrics.items()}
        write_json(files.metrics, metrics)
    return TaskResult(
        read_records(files.scores, TaskScore), read_record(files.metrics, _Metrics).root
    )


def task_fingerprint(settings: TaskSettings) -> dict[str, Any]:
    """Identify what will be asked, without loading data: the task, lm-eval's version of each leaf,
    a hash of all configs.

    Functions and local data files count by name and content, so folders do not matter; code that
    functions import, and which commit a Hub dataset stands at, are not covered. Raises ValueError
    where lm-eval has no such task.
    """
    listed = _find(settings.task)
    configs = {name: config for name, config, _ in _configs(listed)}
    leaves = {name: config for name, config in configs.items() if "group" not in config}
    for name, config in leaves.items():
        if config.get("unsafe_code"):
            raise ValueError(
                f"Task '{name}' executes code that the model wrote, which is not supported. Leave "
                "it out."
            )
    text = json.dumps(_portable(configs), sort_keys=True, default=str)
    return {
        "task": listed.name,
        "versions": {name: _version(config) for name, config in leaves.items()},
        "configs": hashlib.sha256(text.encode()).hexdigest()[:16],
    }


def check_extras(settings: TaskSettings) -> None:
    """Import the code a task's YAML names, as loading the task will.

    Raises ValueError where a package is missing.
    """
    from lm_eval.tasks._yaml_loader import load_yaml

    for _, _, path in _configs(_find(settings.task)):
        if path is not None:
            with _packages_explained(settings.task):
                load_yaml(path, resolve_func=True)


class _Listed(NamedTuple):
    """A task, group or tag: its name, what lm-eval is asked for, and the manager that knows it."""

    name: str
    spec: str
    manager: "TaskManager"


def _find(task: str) -> _Listed:
    """Look a task up as lm-eval's command line does.

    A YAML of a group is taken by name from its folder, as with --include_path: by path lm-eval
    0.4.13 cannot load one.
    """
    if not task.endswith(".yaml"):
        return _Listed(task, task, _known(task, _manager()))
    config, path = _config(task), Path(task).absolute()
    if "group" not in config:
        return _Listed(str(config["task"]), str(path), _manager(defaults=False))
    group, manager = str(config["group"]), _manager(str(path.parent), defaults=False)
    if not all(name in manager.task_index for name in _references(config)):
        # some are lm-eval's own
        manager = _manager(str(path.parent))
    return _Listed(group, group, _known(group, manager))


@cache
def _manager(folder: str | None = None, *, defaults: bool = True) -> "TaskManager":
    """Index the tasks lm-eval comes with (once in a process: it reads 14,000 files) and those in a
    folder.
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


def _config(task: str) -> dict[str, Any]:
    from lm_eval.tasks._yaml_loader import load_yaml

    if not Path(task).is_file():
        raise ValueError(
            f"Task file '{task}' does not exist. Give a .yaml file, or the name of a task lm-eval "
            "knows."
        )
    try:
        config: dict[str, Any] = load_yaml(task, resolve_func=False)
    # the YAML reader's errors are of many kinds, and all mean the same to the user
    except Exception as error:
        raise ValueError(f"Task file '{task}' cannot be read: {one_sentence(error)}") from error
    if "task" not in config:
        raise ValueError(f"Task file '{task}' has no `task:`, which names the task. Add one.")
    return config


def _members(config: Mapping[str, Any]) -> list[str | dict[str, Any]]:
    members = config["task"] if "group" in config else []
    return [members] if isinstance(members, str) else list(members or [])


def _member_name(member: str | dict[str, Any]) -> str:
    return member if isinstance(member, str) else str(member.get("group") or member["task"])


def _references(config: Mapping[str, Any]) -> Iterator[str]:
    """Yield the tasks and groups that a group takes from elsewhere, in the groups it spells out as
    well.
    """
    for member in _members(config):
        if isinstance(member, dict) and "group" in member and "task" in member:
            yield from _references(member)
        else:
            yield _member_name(member)


def _configs(listed: _Listed) -> Iterator[tuple[str, dict[str, Any], Path | None]]:
    """Yield name, config and file of what is listed and of everything below it; functions are paths
    in a config.
    """
    if listed.spec == listed.name:
        yield from _below(listed.name, None, listed.manager)
    else:
        yield listed.name, _config(listed.spec), Path(listed.spec)


def _below(
    name: str, inline: dict[str, Any] | None, manager: "TaskManager"
) -> Iterator[tuple[str, dict[str, Any], Path | None]]:
    """`inline` is the config that a group spells out for a member, None where it only names it."""
    if inline is None:
        _known(name, manager)
    entry = manager.task_index.get(name)
    # a tag
    if entry is not None and entry.cfg is None:
        for tagged in sorted(entry.tags):
            yield from _below(tagged, None, manager)
        return
    # what a group overrides in a known task is in the group's
    config = inline or {} if entry is None else entry.cfg
    yield name, config, None if entry is None else entry.yaml_path
    for member in _members(config):
        child = _member_name(member)
        if isinstance(member, str) or child in manager.task_index:
            yield from _below(child, None, manager)
        else:
            yield from _below(f"{name}::{child}", member, manager)


def _version(config: Mapping[str, Any]) -> str | None:
    metadata = config.get("metadata")
    return (
        str(metadata["version"]) if isinstance(metadata, dict) and "version" in metadata else None
    )


def _portable(value: Any) -> Any:
    """Copy a config with every function and data file replaced by its name and a hash of its
    content.
    """
    if isinstance(value, dict):
        return {str(key): _portable(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_portable(one) for one in value]
    if not isinstance(value, str) or not (Path(value).is_absolute() or value.endswith(_DATA_FILES)):
        return value
    # lm-eval writes a function as /folder/of/the/yaml/module.function
    path = Path(value)
    try:
        files = [file for file in (path, path.with_suffix(".py")) if file.is_file()]
        named = path.name if path.parent.is_dir() else value
    except (OSError, ValueError):
        # a text that only looks like a path
        return value
    return [named, *(hashlib.sha256(file.read_bytes()).hexdigest() for file in files[:1])]


@contextmanager
def _packages_explained(task: str) -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        package = error.name or getattr(error.__cause__, "name", None)
        extra = _extra((package or "").split(".")[0], task)
        remedy = (
            f'Run: pip install "lm_eval[{extra}]"' if extra else "Install the package that has it."
        )
        raise ValueError(
            f"Task '{task}' needs what is not installed: {one_sentence(error)} {remedy}"
        ) from error


def _extra(package: str, task: str) -> str | None:
    """Name the extra of lm-eval that brings a package, rather the one that is called like the
    task.
    """
    from importlib.metadata import metadata

    from packaging.requirements import Requirement

    about = metadata("lm_eval")
    extras = about.get_all("Provides-Extra") or []
    having = [
        extra
        for extra in extras
        for needed in map(Requirement, about.get_all("Requires-Dist") or [])
        if _plain(needed.name) == _plain(package)
        and needed.marker
        and needed.marker.evaluate({"extra": extra})
    ]
    # lm-eval re-raises some errors without the package's name
    candidates = having if package else extras
    called = [extra for extra in candidates if _plain(extra) in _plain(task)]
    return next(iter(called or having), None)


def _plain(name: str) -> str:
    return name.replace("_", "-").lower()


def _measure(
    settings: TaskSettings, load: Load, on_progress: Callable[[int, int], None]
) -> TaskResult:
    from lm_eval.evaluator import simple_evaluate
    from lm_eval.models.huggingface import HFLM

    loading = _Loading(_find(settings.task))
    model, tokenizer = load()
    if settings.apply_chat_template and not tokenizer.chat_template:
        raise ValueError(
            "The model's tokenizer has no chat template. Set `apply_chat_template: false` for this "
            "task."
        )
    lm = HFLM(pretrained=model, tokenizer=tokenizer, batch_size=settings.batch_size)
    lm.set_cache_hook(_Progress(loading, settings.batch_size, on_progress))
    with _packages_explained(settings.task):
        result: Any = simple_evaluate(
            model=lm,
            tasks=[loading.listed.spec],
            num_fewshot=settings.num_fewshot,
            limit=settings.limit,
            bootstrap_iters=0,
            apply_chat_template=settings.apply_chat_template,
            fewshot_as_multiturn=settings.apply_chat_template,
            task_manager=loading,
        )
    group = loading.groups.get(loading.listed.name)
    return _summarise(_pooled(_columns(result, loading.tasks), group, result))


class _Loading:
    """A task manager that keeps the tasks lm-eval loads through it: their aggregations are needed
    after the run.

    They are not loaded beforehand, because some draw random numbers as they load, after lm-eval has
    set the seeds.
    """

    def __init__(self, listed: _Listed) -> None:
        self.listed = listed
        self.task_index = listed.manager.task_index
        self.tasks: dict[str, Any] = {}
        self.groups: dict[str, Group] = {}

    def load(self, specs: list[str]) -> Any:
        try:
            loaded = self.listed.manager.load(specs)
        except ImportError:
            raise
        except OSError as error:
            raise UnreachableError(
                f"The data of task '{self.listed.name}' cannot be loaded: {one_sentence(error)} A "
                "Hub dataset is downloaded once with network access (without HF_HUB_OFFLINE), "
                "then read from the cache."
            ) from error
        except Exception as error:
            # a YAML can be wrong in many ways
            raise ValueError(
                f"lm-eval cannot load task '{self.listed.name}': {one_sentence(error)}"
            ) from error
        self.tasks, self.groups = loaded["tasks"], loaded["groups"]
        return loaded


class _Progress:
    """Reports after every batch; lm-eval offers each answer to a hook, for its cache (rolling ones
    only at the end).
    """

    def __init__(
        self, loading: _Loading, batch_size: int, on_progress: Callable[[int, int], None]
    ) -> None:
        self.loading = loading
        self.batch_size = batch_size
        self.on_progress = on_progress
        self.done = 0
        self.total = 0

    def add_partial(self, _method: str, _request: object, _answer: object) -> None:
        # every request was built before the first is answered
        if self.done == 0:
            self.total = sum(
                one.repeats for task in self.loading.tasks.values() for one in task.instances
            )
        self.done += 1
        if self.done % self.batch_size == 0 or self.done == self.total:
            self.on_progress(self.done, self.total)


class _Column(NamedTuple):
    """One metric of a task: a value per document id, how lm-eval makes one of them, and what it
    made.
    """

    task: str
    metric: str
    filter: str
    values: dict[str, Any]
    aggregate: Callable[[list[Any]], Any]
    reported: Any

    @property
    def key(self) -> str:
        return f"{self.metric},{self.filter}"

    @property
    def name(self) -> str:
        return metric_name(self.task, self.metric, self.filter)

    @property
    def is_mean(self) -> bool:
        """Whether this is lm-eval's mean over documents that have a number each (several responses
        are one by then).
        """
        from lm_eval.api.metrics import mean as their_mean

        return self.aggregate is their_mean and all(map(_is_number, self.values.values()))


def _is_number(value: object) -> bool:
    return isinstance(value, (numbers.Real, np.bool_)) and math.isfinite(float(value))


def _columns(result: Mapping[str, Any], tasks: Mapping[str, Any]) -> list[_Column]:
    from lm_eval.api.metrics import mean as their_mean

    columns: dict[tuple[str, str, str], _Column] = {}
    for task, samples in result["samples"].items():
        for sample in samples:
            for metric in sample["metrics"]:
                place = task, metric, sample["filter"]
                if place not in columns:
                    aggregate = tasks[task].aggregation().get(metric, their_mean)
                    columns[place] = _Column(
                        *place, {}, aggregate, result["results"][task][f"{metric},{place[2]}"]
                    )
                columns[place].values[f"{task}/{sample['doc_id']}"] = sample[metric]
    return [column for column in columns.values() if column.metric != "bypass"]


def _pooled(
    columns: list[_Column], group: "Group | None", result: Mapping[str, Any]
) -> list[_Column]:
    """Join the columns of a metric where the listed group weights its tasks by size; the others
    stay by task.
    """
    by_key: dict[str, list[_Column]] = {}
    for column in columns:
        by_key.setdefault(column.key, []).append(column)
    return [one for parts in by_key.values() for one in (_joined(parts, group, result) or parts)]


def _joined(
    parts: list[_Column], group: "Group | None", result: Mapping[str, Any]
) -> list[_Column]:
    """Return one column for a group's metric, or none where lm-eval's own value is not the mean
    over all documents.
    """
    first = parts[0]
    if (
        group is None
        or not _weights_by_size(group, first)
        or not all(part.is_mean for part in parts)
    ):
        return []
    values = {key: value for part in parts for key, value in part.values.items()}
    reported = result["groups"][group.name][first.key]
    if not _same(float(np.mean(list(values.values()))), reported):
        _log.warning(
            "%s/%s: some documents have no value, so it is reported task by task.",
            group.name,
            first.key,
        )
        return []
    return [first._replace(task=group.name, values=values, reported=reported)]


def _weights_by_size(group: "Group", column: _Column) -> bool:
    return any(
        one.metric == column.metric
        and one.weight_by_size
        and (one.filter_list is None or column.filter in one.filter_list)
        for one in group.aggregate_metric_list or []
    )


def _same(ours: float, theirs: float) -> bool:
    return math.isclose(ours, theirs, rel_tol=1e-9, abs_tol=1e-9)


def _summarise(columns: list[_Column]) -> TaskResult:
    """Give every column its interval; one that has no finite value is left out, and the log says
    why.
    """
    scores: list[TaskScore] = []
    metrics: dict[str, Metric] = {}
    for column in columns:
        try:
            metrics[column.name] = _mean_metric(column) if column.is_mean else _bootstrap(column)
        except _NoValueError as error:
            _log.warning("Metric %s is left out: %s", column.name, error)
            continue
        if column.is_mean:
            scores += [
                TaskScore(id=key, metric=column.name, value=float(one))
                for key, one in column.values.items()
            ]
    return TaskResult(scores, metrics)


class _NoValueError(Exception):
    """A metric has no value to report."""


def _mean_metric(column: _Column) -> Metric:
    values = [float(value) for value in column.values.values()]
    metric = share_or_mean(values)
    if not _same(metric.value, column.reported):
        raise RuntimeError(
            f"{column.name} is {metric.value} by document, but lm-eval has {column.reported}."
        )
    return metric


def _bootstrap(column: _Column) -> Metric:
    """Percentile interval over documents of what is no plain mean (IFEval's instructions,
    perplexity, F1, BLEU).
    """
    values = list(column.values.values())
    value = _aggregated(column, values)
    if not _same(value, column.reported):
        raise RuntimeError(
            f"{column.name} is {value} by document, but lm-eval has {column.reported}."
        )
    rng, n = np.random.default_rng(0), len(values)
    resampled = [
        _aggregated(column, [values[pick] for pick in rng.integers(n, size=n)])
        for _ in range(RESAMPLES)
    ]
    low, high = np.quantile(resampled, [0.025, 0.975])
    return Metric(value=value, low=float(low), high=float(high), n=n)


def _aggregated(column: _Column, values: Sequence[Any]) -> float:
    try:
        value = column.aggregate(list(values))
    except Exception as error:
        # the task's own code, on a sample of documents that it may not have been written for
        raise _NoValueError(
            f"its aggregation fails on a sample of documents: {one_sentence(error)}"
        ) from error
    if not _is_number(value):
        raise _NoValueError(
            f"its aggregation gives {value!r} on a sample of documents, which is no finite number."
        )
    return float(value)
