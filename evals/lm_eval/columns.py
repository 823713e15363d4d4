"""What lm-eval measured, column by column: a value per document, and an interval of ours.

A group's interval takes its tasks as given, not as a sample of tasks.
"""

import logging
import math
import numbers
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from stagelift.evals.data.source import one_sentence
from stagelift.evals.lm_eval.names import metric_name
from stagelift.evals.records import Metric

if TYPE_CHECKING:
    from lm_eval.api.group import Group

RESAMPLES = 1000
_log = logging.getLogger(__name__)


class Column(NamedTuple):
    """A metric of a task: a value per document id, how lm-eval aggregates them, and its result."""

    task: str
    metric: str
    filter: str
    values: dict[str, Any]
    aggregate: Callable[[list[Any]], Any]
    reported: Any

    @property
    def key(self) -> str:
        """The name in lm-eval's results."""
        return f"{self.metric},{self.filter}"

    @property
    def name(self) -> str:
        """The name in our records."""
        return metric_name(self.task, self.metric, self.filter)

    @property
    def is_mean(self) -> bool:
        """Whether this is lm-eval's mean over documents that have a number each.

        Several responses to a document are one number by then.
        """
        from lm_eval.api.metrics import mean as their_mean

        return self.aggregate is their_mean and all(map(_is_number, self.values.values()))


class NoValueError(Exception):
    """A metric has no value to report."""


def columns_of(
    result: Mapping[str, Any], tasks: Mapping[str, Any], group: "Group | None"
) -> list[Column]:
    """Read the columns of lm-eval's result.

    A metric that the listed group weights by size is one column over all its tasks; the others stay
    task by task.
    """
    by_key: dict[str, list[Column]] = {}
    for column in _by_task(result, tasks):
        by_key.setdefault(column.key, []).append(column)
    pooled: list[Column] = []
    for parts in by_key.values():
        joined = None if group is None else _joined(parts, group, result)
        pooled += parts if joined is None else [joined]
    return pooled


def measure_column(column: Column) -> Metric:
    """Return a column's value with an interval. Raises NoValueError where there is none."""
    if not column.is_mean:
        return _bootstrap(column)
    # scipy takes a second to import, and whoever reads settings only does without
    from stagelift.evals.stats.estimates import share_or_mean

    metric = share_or_mean([float(value) for value in column.values.values()])
    _check_reported(column, metric.value)
    return metric


def _by_task(result: Mapping[str, Any], tasks: Mapping[str, Any]) -> Iterable[Column]:
    from lm_eval.api.metrics import mean as their_mean

    columns: dict[tuple[str, str, str], Column] = {}
    for task, samples in result["samples"].items():
        for sample in samples:
            for metric in sample["metrics"]:
                filter_name = sample["filter"]
                place = (task, metric, filter_name)
                if place not in columns:
                    aggregate = tasks[task].aggregation().get(metric, their_mean)
                    reported = result["results"][task][f"{metric},{filter_name}"]
                    columns[place] = Column(*place, {}, aggregate, reported)
                columns[place].values[f"{task}/{sample['doc_id']}"] = sample[metric]
    return [column for column in columns.values() if column.metric != "bypass"]


def _joined(parts: list[Column], group: "Group", result: Mapping[str, Any]) -> Column | None:
    """Return one column for a group's metric.

    None where lm-eval's own value is not the mean over all documents.
    """
    first = parts[0]
    if not _weights_by_size(group, first) or not all(part.is_mean for part in parts):
        return None
    values = {key: value for part in parts for key, value in part.values.items()}
    reported = result["groups"][group.name][first.key]
    if not _same(float(np.mean(list(values.values()))), reported):
        _log.warning(
            "%s/%s: some documents have no value, so it is reported task by task.",
            group.name,
            first.key,
        )
        return None
    return first._replace(task=group.name, values=values, reported=reported)


def _weights_by_size(group: "Group", column: Column) -> bool:
    return any(
        aggregate.metric == column.metric
        and aggregate.weight_by_size
        and (aggregate.filter_list is None or column.filter in aggregate.filter_list)
        for aggregate in group.aggregate_metric_list or []
    )


def _bootstrap(column: Column) -> Metric:
    """Percentile interval over documents of what is no plain mean.

    IFEval's instructions, perplexity, F1 and BLEU are not.
    """
    values = list(column.values.values())
    value = _aggregated(column, values)
    _check_reported(column, value)
    rng, n = np.random.default_rng(0), len(values)
    resampled = [
        _aggregated(column, [values[pick] for pick in rng.integers(n, size=n)])
        for _ in range(RESAMPLES)
    ]
    low, high = np.quantile(resampled, [0.025, 0.975])
    return Metric(value=value, low=float(low), high=float(high), n=n)


def _aggregated(column: Column, values: Sequence[Any]) -> float:
    try:
        value = column.aggregate(list(values))
    # the task's own code, on a sample of documents that it may not have been written for
    except Exception as error:
        raise NoValueError(
            f"its aggregation fails on a sample of documents: {one_sentence(error)}"
        ) from error
    if not _is_number(value):
        raise NoValueError(
            f"its aggregation gives {value!r} on a sample of documents, which is no finite number."
        )
    return float(value)


def _check_reported(column: Column, value: float) -> None:
    if not _same(value, column.reported):
        raise RuntimeError(
            f"{column.name} is {value} by document, but lm-eval has {column.reported}."
        )


def _same(ours: float, theirs: float) -> bool:
    return math.isclose(ours, theirs, rel_tol=1e-9, abs_tol=1e-9)


def _is_number(value: object) -> bool:
    return isinstance(value, (numbers.Real, np.bool_)) and math.isfinite(float(value))
