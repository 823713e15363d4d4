"""Every Eval Ever's instance level (`*_samples.jsonl`), one row per sample and result.

A row's score becomes `evaluation/metric`; what the metric is called and which direction is better
stands in the run level, the JSON file of the same name beside it. Without that file it is an
`accuracy` where every score is 1 or 0 as `is_correct` says, else a `score`. The run level alone
holds means over samples, of which nothing can be compared.

Source: evaleval/every_eval_ever, instance_level_eval.schema.json, versions 0.2 and 0.3.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, field_validator

from stagelift.evals.imports.measured import (
    Measured,
    Response,
    id_in,
    mean_by_metric,
    stage_of,
)
from stagelift.evals.imports.objects import entries_of, read_object
from stagelift.evals.imports.published import differences
from stagelift.evals.imports.reader import Reader
from stagelift.evals.imports.results import Imported, read_valid
from stagelift.evals.imports.seen import Seen
from stagelift.evals.metrics.measures import Direction, directed

_VERSION = re.compile(r"(instance_level_eval_)?0\.[23](\.\d+)?")
_TEXT = "text"
_SAMPLES = "_samples.jsonl"


class _Record(BaseModel):
    model_config = ConfigDict(extra="ignore")


class _Input(_Record):
    raw: str
    formatted: str | None = None
    reference: list[str]


class _Output(_Record):
    raw: list[str]


class _Message(_Record):
    role: str
    content: str | None = None


class _Evaluation(_Record):
    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)

    score: float
    is_correct: bool | None


class _Usage(_Record):
    output_tokens: int


class _Row(_Record):
    """A sample of one result."""

    schema_version: str
    evaluation_id: str
    model_id: str
    evaluation_name: str
    evaluation_result_id: str | None = None
    sample_id: str
    modality: str = _TEXT
    input: _Input
    output: _Output | None = None
    messages: list[_Message] | None = None
    evaluation: _Evaluation
    token_usage: _Usage | None = None
    error: str | None = None
    metadata: dict[str, Any] | None = None

    @field_validator("schema_version")
    @classmethod
    def _known(cls, version: str) -> str:
        if not _VERSION.fullmatch(version):
            raise ValueError(
                f"schema_version is {version!r:.40}, and versions 0.2 and 0.3 are known"
            )
        return version

    def number(self) -> int:
        """Which of a document's responses this is, as our own export says it; else the only one."""
        told = str((self.metadata or {}).get("sample", ""))
        return int(told) if re.fullmatch(r"[0-9]{1,9}", told) else 0

    def responses(self) -> list[str]:
        """What the model wrote; of a conversation its last turn, and nothing of pictures."""
        if self.modality != _TEXT:
            return []
        if self.output is not None:
            return self.output.raw
        said = [
            message.content
            for message in self.messages or []
            if message.role == "assistant" and message.content is not None
        ]
        return said[-1:]


class _MetricConfig(_Record):
    metric_id: str | None = None
    metric_name: str | None = None
    lower_is_better: bool


class _Details(_Record):
    score: float


class _Result(_Record):
    """A result of the run level."""

    evaluation_result_id: str | None = None
    evaluation_name: str
    metric_config: _MetricConfig
    score_details: _Details


class _Known(NamedTuple):
    """The run level, where it is there."""

    results: Sequence[_Result] = ()

    def of(self, row: _Row) -> _Result | None:
        """Return the result that a row is part of: by its id, else the only one of its name."""
        for result in self.results:
            if row.evaluation_result_id is not None and (
                result.evaluation_result_id == row.evaluation_result_id
            ):
                return result
        named = [result for result in self.results if result.evaluation_name == row.evaluation_name]
        return named[0] if len(named) == 1 else None


def read_every_eval_ever(path: Path) -> Imported:
    """Read a file of samples, its run level, or a folder of such files: every model is a stage.

    Raises ValueError, naming file and line, for malformed rows, versions that are not known, and a
    sample that is there twice.
    """
    read = [_read_file(file) for file in _sample_files(path)]
    models: dict[str, dict[str, list[Measured]]] = {}
    notes: list[str] = []
    printed: dict[str, dict[str, float]] = {}
    for part in read:
        notes += part.notes
        for (model, task), documents in part.documents.items():
            if task in models.setdefault(model, {}):
                raise ValueError(
                    f"{path} holds '{task}' of '{model}' in two files, so nothing was imported. "
                    "Give one of them."
                )
            models[model][task] = documents
            printed.setdefault(model, {}).update(part.printed)
    stages = [stage_of(model, tasks) for model, tasks in models.items()]
    for stage in stages:
        notes += differences("the run level", printed[stage.name], stage.task_scores)
    tasks = sorted({task for stage in stages for task in models[stage.name]})
    contract = {"task": ", ".join(tasks)}
    return Imported(stages, ", ".join(models), contract, tuple(dict.fromkeys(notes)))


class _File(NamedTuple):
    """A file of samples: its documents by model and evaluation, and what its run level says."""

    documents: dict[tuple[str, str], list[Measured]]
    printed: dict[str, float]
    notes: list[str]


def _sample_files(path: Path) -> list[Path]:
    if path.is_dir():
        return sorted(path.glob(f"*{_SAMPLES}"))
    if path.name.endswith(".json"):
        samples = path.with_name(path.name.removesuffix(".json") + _SAMPLES)
        if not samples.is_file():
            raise ValueError(
                f"{path} is the run level of Every Eval Ever: means over samples, of which nothing "
                f"can be compared. Wanted is the instance level, {samples.name}, beside it."
            )
        return [samples]
    return [path]


def _read_file(path: Path) -> _File:
    lines = read_valid(path, _Row)
    known = _run_level(path)
    accuracies = _accuracies([row for _, row in lines])
    by_task: dict[tuple[str, str], dict[str, list[tuple[int, _Row]]]] = {}
    for line, row in lines:
        samples = by_task.setdefault((row.model_id, row.evaluation_name), {})
        samples.setdefault(row.sample_id, []).append((line, row))
    documents = {
        place: [_document(path, of, known, accuracies) for of in samples.values()]
        for place, samples in by_task.items()
    }
    failed = sum(row.error is not None for _, row in lines)
    notes = (
        [f"{failed} of {len(lines)} rows report an error: they count as scored"] if failed else []
    )
    return _File(documents, _printed(known, accuracies), notes)


def _run_level(path: Path) -> _Known:
    if not path.name.endswith(_SAMPLES):
        return _Known()
    aggregate = path.with_name(path.name.removesuffix(_SAMPLES) + ".json")
    if not aggregate.is_file():
        return _Known()
    content = read_object(aggregate)
    return _Known(entries_of(aggregate, content.get("evaluation_results"), _Result, "result"))


def _accuracies(rows: Sequence[_Row]) -> frozenset[str]:
    """Name the evaluations of which every score is 1 or 0 as `is_correct` says."""
    other = {
        row.evaluation_name for row in rows if row.evaluation.score != row.evaluation.is_correct
    }
    return frozenset({row.evaluation_name for row in rows} - other)


def _document(
    path: Path,
    rows: Sequence[tuple[int, _Row]],
    known: _Known,
    accuracies: frozenset[str],
) -> Measured:
    samples: dict[int, list[tuple[int, _Row]]] = {}
    for line, row in rows:
        samples.setdefault(row.number(), []).append((line, row))
    in_order = [samples[number] for number in sorted(samples)]
    _refuse_other_inputs(path, rows)
    first = in_order[0][0][1]
    return Measured(
        id=first.sample_id,
        question=first.input.raw,
        target="\n".join(first.input.reference) or None,
        values=mean_by_metric(_values(path, of, known, accuracies) for of in in_order),
        responses=[response for of in in_order for response in _responses(of[0][1])],
        prompt=first.input.formatted,
    )


def _refuse_other_inputs(path: Path, rows: Sequence[tuple[int, _Row]]) -> None:
    """A document is the same in all of its samples."""
    line, first = rows[0]
    for number, row in rows:
        if row.input.raw != first.input.raw:
            raise ValueError(_differing(path, line, number, row))


def _differing(path: Path, line: int, number: int, row: _Row) -> str:
    return (
        f"{path}, lines {line} and {number} give different inputs or outputs of sample "
        f"'{row.sample_id}' of '{row.evaluation_name}', so nothing was imported."
    )


def _values(
    path: Path,
    rows: Sequence[tuple[int, _Row]],
    known: _Known,
    accuracies: frozenset[str],
) -> dict[str, float]:
    """Return the scores of one response by metric."""
    line, first = rows[0]
    by_metric: dict[str, tuple[int, float]] = {}
    for number, row in rows:
        name = _metric(known.of(row), row.evaluation_name, row.evaluation_result_id, accuracies)
        if name in by_metric:
            raise ValueError(
                f"{path}, lines {by_metric[name][0]} and {number} are both sample "
                f"'{row.sample_id}' of '{row.evaluation_name}', so nothing was imported."
            )
        if row.responses() != first.responses():
            raise ValueError(_differing(path, line, number, row))
        by_metric[name] = (number, row.evaluation.score)
    return {name: score for name, (_, score) in by_metric.items()}


def _responses(row: _Row) -> list[Response]:
    texts = row.responses()
    tokens = row.token_usage.output_tokens if row.token_usage and len(texts) == 1 else None
    return [Response(text, tokens if row.output is not None else None) for text in texts]


def _metric(
    result: _Result | None, evaluation: str, result_id: str | None, accuracies: frozenset[str]
) -> str:
    kind = "accuracy" if evaluation in accuracies else "score"
    if result is None:
        # several results of a sample are told apart by their ids
        return f"{kind},{_without_slash(result_id)}" if result_id else kind
    config = result.metric_config
    better: Direction = "less" if config.lower_is_better else "more"
    return directed(_without_slash(config.metric_name or config.metric_id or kind), better)


def _without_slash(name: str) -> str:
    """In a metric's name a slash ends the task, and a comma its own name."""
    return name.replace("/", ".").replace(",", " ")


def _printed(known: _Known, accuracies: frozenset[str]) -> dict[str, float]:
    """What the run level says, by our names."""
    return {
        id_in(
            result.evaluation_name,
            _metric(result, result.evaluation_name, None, accuracies),
        ): result.score_details.score
        for result in known.results
    }


def _is_theirs(seen: Seen) -> bool:
    if seen.kind == "a folder":
        return any(name.endswith(_SAMPLES) for name in seen.names)
    return {"schema_version", "evaluation_id"} <= seen.keys and (
        "sample_id" in seen.keys or "evaluation_results" in seen.keys
    )


EVERY_EVAL_EVER = Reader(
    name="every-eval-ever",
    title="Every Eval Ever's instance level",
    how_to_get="its *_samples.jsonl, with the JSON file of the run level beside it",
    recognises=_is_theirs,
    read=read_every_eval_ever,
)
