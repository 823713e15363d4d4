"""What other harnesses measured of a model, document by document: how readers make a stage of it.

A document's metrics become metrics of the task (`task/metric`). Its responses are stored, and are
read by our numeric reading where its target is a number to state. Nothing is scored here that the
file's own harness has scored.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from stagelift.evals.finish_reasons import FinishReason
from stagelift.evals.imports.number_targets import TargetUse, are_numbers_to_state
from stagelift.evals.imports.results import Document, ImportedStage, Undecided
from stagelift.evals.metrics.answers.reading import read_target
from stagelift.evals.metrics.measures import in_points
from stagelift.evals.metrics.scoring import score
from stagelift.evals.records import Generation, Score, TaskScore


class Response(NamedTuple):
    """What a model wrote; None is what the file does not say."""

    text: str
    n_tokens: int | None = None
    finish_reason: FinishReason | None = None


class Measured(NamedTuple):
    """One document of a task: its id in the task, what was asked, answered and measured.

    `question` is the document's own text, which is the same for every model; the `prompt` may hold
    examples and a chat template. `values` are by metric, each the mean over the responses.
    """

    id: str
    question: str
    target: str | None
    values: Mapping[str, float] = {}
    responses: Sequence[Response] = ()
    prompt: str | None = None


# documents by task
Tasks = Mapping[str, Sequence[Measured]]


def stage_of(name: str, tasks: Tasks) -> ImportedStage:
    """Make a stage of what a model answered."""
    generations: list[Generation] = []
    scores: list[Score] = []
    stated = {task for task, of in tasks.items() if are_numbers_to_state([*map(_use, of)])}
    for task, documents in tasks.items():
        answers = task in stated
        for document in documents:
            answered = _generations(task, document)
            generations += answered
            scores += _scores(document, answered, answers=answers)
    return ImportedStage(
        name=name,
        generations=generations,
        scores=scores,
        verdicts=[],
        task_scores={task: scored for task in tasks if (scored := _task_scores(task, tasks[task]))},
        documents={
            id_in(task, document.id): Document(document.question, document.target)
            for task, documents in tasks.items()
            for document in documents
        },
        stated=frozenset(stated),
        undecided={
            task: undecided
            for task, documents in tasks.items()
            if task not in stated and (undecided := _undecided(task, documents)) is not None
        },
    )


def _undecided(task: str, documents: Sequence[Measured]) -> Undecided | None:
    """Read responses as if numbers were answers: another stage's may tell that they are."""
    if not any(read_target(document.target or "") for document in documents):
        return None
    scores = [
        score
        for document in documents
        for score in _scores(document, _generations(task, document), answers=True)
    ]
    return Undecided(scores) if scores else None


def id_in(task: str, document: str) -> str:
    """Name a document of a task in our records."""
    return f"{task}/{document}"


def number_of(value: object) -> float | None:
    """Return a finite number or a truth value as a number; None for anything else."""
    if isinstance(value, bool):
        return float(value)
    if not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None


def mean_by_metric(samples: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """Average the metrics of a document's samples, each over those that have it."""
    values: dict[str, list[float]] = {}
    for sample in samples:
        for metric, value in sample.items():
            values.setdefault(metric, []).append(value)
    return {metric: math.fsum(numbers) / len(numbers) for metric, numbers in values.items()}


def _use(document: Measured) -> TargetUse:
    """What matched its target, by whichever of the task's metrics, is what it was asked for."""
    matched = {"exact_match": float(1.0 in document.values.values())} if document.values else {}
    response = document.responses[0].text if document.responses else ""
    return TargetUse(document.target or "", response, matched)


def _generations(task: str, document: Measured) -> list[Generation]:
    return [
        Generation(
            id=id_in(task, document.id),
            group="test",
            sample=sample,
            prompt=document.question if document.prompt is None else document.prompt,
            response=response.text,
            n_tokens=response.n_tokens,
            finish_reason=response.finish_reason,
        )
        for sample, response in enumerate(document.responses)
    ]


def _scores(document: Measured, answered: list[Generation], *, answers: bool) -> list[Score]:
    target = document.target
    # of a dummy or an index nothing can be right or wrong
    if target is not None and not answers and read_target(target) is not None:
        target = None
    return [score(generation, document.question, target) for generation in answered]


def _task_scores(task: str, documents: Sequence[Measured]) -> list[TaskScore]:
    """Name metrics as their values are: what is called an accuracy and is 85 is in points."""
    outside = {
        metric
        for document in documents
        for metric, value in document.values.items()
        if not 0 <= value <= 1
    }
    return [
        TaskScore(
            id=id_in(task, document.id),
            metric=id_in(task, in_points(metric) if metric in outside else metric),
            value=value,
        )
        for document in documents
        for metric, value in document.values.items()
    ]
