"""Any lm-eval task on a loaded model: lm-eval's own model class, prompts, filters and scoring.

Intervals are ours. A value per document is kept, so that models can be compared document by
document; the responses are not. Spread over prompts or few-shot draws is not measured.
"""

import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import Field, RootModel

from stagelift.evals.data.source import UnreachableError, one_sentence
from stagelift.evals.files import read_record, read_records, write_json, write_records
from stagelift.evals.folders import TaskFiles
from stagelift.evals.lm_eval.columns import Column, NoValueError, columns_of, measure_column
from stagelift.evals.lm_eval.configs import Listed, find_task
from stagelift.evals.lm_eval.extras import packages_explained
from stagelift.evals.records import Metric, TaskScore, Written

if TYPE_CHECKING:
    from lm_eval.api.group import Group
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

_log = logging.getLogger(__name__)

Load = Callable[[], "tuple[PreTrainedModel, PreTrainedTokenizerBase]"]
# done, total
OnProgress = Callable[[int, int], None]


class TaskSettings(Written):
    """What lm-eval's command line takes.

    With a chat template, few-shot examples are turns of the conversation.
    """

    task: str
    """A task of lm-eval by name, or a YAML file of one."""
    num_fewshot: int | None = Field(default=None, ge=0)
    """How many examples; the task's own number if not given."""
    limit: int | None = Field(default=None, ge=1)
    """How many documents; all if not given."""
    batch_size: int = Field(default=8, ge=1)
    """How many requests are answered at a time."""
    apply_chat_template: bool = True
    """Whether prompts are turns of the chat template."""


class TaskResult(NamedTuple):
    """What one listed task measured.

    `scores` has the metrics that are means over documents, `metrics` all of them.
    """

    scores: list[TaskScore]
    metrics: dict[str, Metric]


class _Metrics(RootModel[dict[str, Metric]]):
    """The file that is written last."""


def run_task(
    settings: TaskSettings, load: Load, folder: Path, on_progress: OnProgress
) -> TaskResult:
    """Run a task and store it in `folder`; one that was finished is read back without a model.

    Files are named after the task. lm-eval seeds the generators of Python, numpy and torch: call it
    in a process of its own.
    """
    files = TaskFiles(folder, _file_name(settings.task))
    if not files.metrics.exists():
        measured = _measure(settings, load, on_progress)
        write_records(files.scores, measured.scores)
        metrics = {name: metric.model_dump() for name, metric in measured.metrics.items()}
        write_json(files.metrics, metrics)
    scores = read_records(files.scores, TaskScore)
    return TaskResult(scores, read_record(files.metrics, _Metrics).root)


def _file_name(task: str) -> str:
    if task.endswith(".yaml"):
        task = Path(task).stem
    return re.sub(r"[^\w.-]+", "_", task)


def _measure(settings: TaskSettings, load: Load, on_progress: OnProgress) -> TaskResult:
    from lm_eval.evaluator import simple_evaluate
    from lm_eval.models.huggingface import HFLM

    loading = _Loading(find_task(settings.task))
    model, tokenizer = load()
    if settings.apply_chat_template and not tokenizer.chat_template:
        raise ValueError(
            "The model's tokenizer has no chat template. Set `apply_chat_template: false` for this "
            "task."
        )
    lm = HFLM(pretrained=model, tokenizer=tokenizer, batch_size=settings.batch_size)
    lm.set_cache_hook(_Progress(loading, settings.batch_size, on_progress))
    with packages_explained(settings.task):
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
    return _summarise(columns_of(result, loading.tasks, group))


class _Loading:
    """A task manager that keeps the tasks which lm-eval loads through it.

    Their aggregations are needed after the run. They are not loaded beforehand: some draw random
    numbers as they load, after lm-eval has set the seeds.
    """

    def __init__(self, listed: Listed) -> None:
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
        # a YAML can be wrong in many ways
        except Exception as error:
            raise ValueError(
                f"lm-eval cannot load task '{self.listed.name}': {one_sentence(error)}"
            ) from error
        self.tasks, self.groups = loaded["tasks"], loaded["groups"]
        return loaded


class _Progress:
    """Reports after every batch.

    lm-eval offers each answer to a hook, for its cache (rolling ones only at the end).
    """

    def __init__(self, loading: _Loading, batch_size: int, on_progress: OnProgress) -> None:
        self.loading = loading
        self.batch_size = batch_size
        self.on_progress = on_progress
        self.done = 0
        self.total = 0

    def add_partial(self, _method: str, _request: object, _answer: object) -> None:
        if self.done == 0:
            # every request was built before the first is answered
            instances = [
                instance for task in self.loading.tasks.values() for instance in task.instances
            ]
            self.total = sum(instance.repeats for instance in instances)
            self.on_progress(0, self.total)
        self.done += 1
        if self.done % self.batch_size == 0 or self.done == self.total:
            self.on_progress(self.done, self.total)


def _summarise(columns: list[Column]) -> TaskResult:
    """Give every column its interval.

    One that has no finite value is left out, and the log says why.
    """
    scores: list[TaskScore] = []
    metrics: dict[str, Metric] = {}
    for column in columns:
        try:
            metrics[column.name] = measure_column(column)
        except NoValueError as error:
            _log.warning("Metric %s is left out: %s", column.name, error)
            continue
        if column.is_mean:
            scores += [
                TaskScore(id=key, metric=column.name, value=float(value))
                for key, value in column.values.items()
            ]
    return TaskResult(scores, metrics)
