"""lm-eval's `samples_<task>_<time>.jsonl`: one row per document and filter, as `--log_samples`
writes them.

Responses are read again by our numeric reading where the target is a number to state; gsm8k's
strict and flexible verdicts are taken from the file, and every other metric with a number per
document becomes a metric of the task. Of log-likelihood tasks there are metrics only. The file
knows no token counts and no finish reasons, so those stay unknown.
"""

import math
import re
from pathlib import Path
from typing import Any

from stagelift.evals.imports.lm_eval_row import BYPASS, SampleRow, unnamed_filter, with_filters
from stagelift.evals.imports.number_targets import NOT_STATED, TargetUse, are_numbers_to_state
from stagelift.evals.imports.results import (
    Document,
    Imported,
    ImportedStage,
    Undecided,
    read_valid,
)
from stagelift.evals.lm_eval.gsm8k import FLEXIBLE, STRICT
from stagelift.evals.lm_eval.names import metric_name
from stagelift.evals.metrics.answers.reading import read_target
from stagelift.evals.metrics.scoring import score
from stagelift.evals.records import Generation, Score, TaskScore

_FIELDS = {
    STRICT: ("correct_strict", "answer_strict"),
    FLEXIBLE: ("correct_flexible", "answer_flexible"),
}
# the task of a file whose name does not tell it
_NOT_TOLD = "task"
# lm-eval's word for a filter that found nothing
_NOT_FOUND = "[invalid]"
# they lie between 0 and 1 by document, whatever the task
_SHARES = {"acc", "acc_norm", "exact_match"}

# rows by document and filter
Documents = dict[int, dict[str, SampleRow]]


def read_samples(path: Path, task: str | None = None, *, alone: bool = True) -> Imported:
    """Read a file of samples, whose name says the `task` where nothing else does.

    One that is not `alone`, but one of a run's tasks, keeps its own strict and flexible matches
    beside the accuracies, which are over all tasks.

    Raises ValueError for malformed rows, a document twice under one filter, and targets that
    disagree.
    """
    task = task or _task(path)
    rows = _documents(path)
    # of a dummy or an index nothing can be right or wrong
    answers = are_numbers_to_state([_use(filters) for filters in rows.values()])
    stage = _stage(task, rows, answers=answers, alone=alone)
    contract = {"task": task, "data": _identity(rows)}
    notes = (*_of_its_age(path, task, rows), *_left_out(rows), *_of_targets(rows, answers=answers))
    return Imported([stage], "", contract, notes)


def _task(path: Path) -> str:
    match = re.fullmatch(r"samples_(.+)_\d{4}-\d\d-\d\dT[\d.:_-]+\.jsonl(\.gz)?", path.name)
    if match:
        return match[1]
    if not path.name.startswith("samples_"):
        # a file that was renamed, or written before 0.4.3: its name is of the model, too
        return _NOT_TOLD
    return re.sub(r"\.(jsonl?|gz)\b.*", "", path.name).removeprefix("samples_")


def _documents(path: Path) -> Documents:
    lines = with_filters(path, read_valid(path, SampleRow, _problem))
    documents: dict[int, dict[str, tuple[int, SampleRow]]] = {}
    for line, row in lines:
        _refuse_contradiction(path, line, row, documents.setdefault(row.doc_id, {}))
        documents[row.doc_id][row.filter] = (line, row)
    return {
        doc_id: {name: row for name, (_, row) in filters.items()}
        for doc_id, filters in documents.items()
    }


def _problem(row: SampleRow) -> str | None:
    for metric in row.measured():
        value = row.value(metric)
        if value is None or (isinstance(value, int | float) and not _is_finite(value)):
            return f"metric {metric} is {value!r}"
        if metric in _SHARES and isinstance(value, int | float) and not 0 <= value <= 1:
            return f"metric {metric} is {value!r}, and can be 0 to 1"
    if not row.resps or not row.resps[0]:
        return "no response"
    if row.is_generation() and not all(isinstance(text, str) for text in row.resps[0]):
        return f"a response is {type(row.resps[0][0]).__name__} and no text"
    return None


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def _refuse_contradiction(
    path: Path, line: int, row: SampleRow, known: dict[str, tuple[int, SampleRow]]
) -> None:
    for known_line, known_row in known.values():
        if known_row.filter == row.filter:
            raise ValueError(
                f"{path}, lines {known_line} and {line} are both document {row.doc_id} under "
                f"filter '{row.filter}', so nothing was imported."
            )
        if (known_row.doc_hash, known_row.target) != (row.doc_hash, row.target):
            raise ValueError(
                f"{path}, lines {known_line} and {line} give different targets or texts for "
                f"document {row.doc_id}, so nothing was imported."
            )
        if known_row.resps != row.resps:
            raise ValueError(
                f"{path}, lines {known_line} and {line} give different responses to document "
                f"{row.doc_id}, so nothing was imported. A file holds one run of one model."
            )


def _use(filters: dict[str, SampleRow]) -> TargetUse:
    """Join what the filters made of a document: it matches its target where one of them does."""
    row = next(iter(filters.values()))
    values = [
        (metric, filtered.number(metric))
        for filtered in filters.values()
        for metric in filtered.measured()
    ]
    metrics: dict[str, float] = {}
    for metric, value in values:
        if value is not None:
            metrics[metric] = max(value, metrics.get(metric, value))
    response = str(row.resps[0][0]) if row.is_generation() else ""
    return TargetUse(row.target, response, metrics)


def _of_its_age(path: Path, task: str, rows: Documents) -> list[str]:
    """Say what a file of before 0.4.7 leaves open: filters, and in the first ones the task."""
    notes = []
    if any(unnamed_filter(2) in filters for filters in rows.values()):
        notes.append(
            "lm-eval before 0.4.7 wrote the file and names no filters: metrics are numbered by "
            "filter (filter-1, filter-2, ...) in the order of the file"
        )
    if not path.name.startswith("samples_"):
        notes.append(
            f"the file's name does not tell its task, which is called '{task}' here; name it "
            "samples_TASK.jsonl to give it its name"
        )
    return notes


def _left_out(rows: Documents) -> list[str]:
    """Say which metrics have no number per document."""
    kinds: dict[str, str] = {}
    for row in _all_rows(rows):
        for metric in row.measured():
            if row.number(metric) is None:
                kinds.setdefault(metric, type(row.value(metric)).__name__)
    notes = [
        f"metric {metric} is left out: of a document it is a {kind} and no number, so it has no "
        "mean over documents"
        for metric, kind in kinds.items()
    ]
    if any(BYPASS in row.metrics for row in _all_rows(rows)):
        notes.append(f"metric {BYPASS} is left out: --predict_only measured nothing")
    return notes


def _of_targets(rows: Documents, *, answers: bool) -> list[str]:
    """Say why there is no accuracy although targets are numbers."""
    first = _first_rows(rows).values()
    generated = any(row.is_generation() and read_target(row.target) for row in first)
    if answers or not generated:
        return []
    return [NOT_STATED]


def _all_rows(rows: Documents) -> list[SampleRow]:
    return [row for filters in rows.values() for row in filters.values()]


def _stage(task: str, rows: Documents, *, answers: bool, alone: bool) -> ImportedStage:
    generations, scores = _read_responses(task, rows, answers=answers)
    are_accuracies = bool(scores) and all(
        score.correct_strict is not None or score.correct_flexible is not None for score in scores
    )
    task_scores = _task_scores(task, rows, are_accuracies=are_accuracies and alone)
    by_task = {task: task_scores} if task_scores else {}
    documents = _asked(task, rows, scores)
    stage = ImportedStage("lm-eval", generations, scores, [], by_task, documents)
    if answers:
        return stage._replace(stated=frozenset({task}))
    return stage._replace(undecided=_undecided(task, rows, alone=alone))


def _undecided(task: str, rows: Documents, *, alone: bool) -> dict[str, Undecided]:
    """Read responses as if numbers were answers: another stage's may tell that they are."""
    if not any(read_target(row.target) for row in _first_rows(rows).values()):
        return {}
    read = _stage(task, rows, answers=True, alone=alone)
    kept = {score.metric for score in read.task_scores.get(task, [])}
    known = {score.metric for score in _task_scores(task, rows, are_accuracies=False)}
    return {task: Undecided(read.scores, frozenset(known - kept))} if read.scores else {}


def _asked(task: str, rows: Documents, scores: list[Score]) -> dict[str, Document]:
    """Say what is behind each id: `doc_id` is a position, which --limit and shuffles change."""
    scored = {score.id: score for score in scores}
    asked = {}
    for doc_id, row in _first_rows(rows).items():
        name = f"{task}/{doc_id}"
        prompt, target = _request(row), row.target
        if name in scored:
            prompt, target = scored[name].question, scored[name].target or ""
        asked[name] = Document(prompt, target, f"{row.doc_hash} {row.target_hash}")
    return asked


def _request(row: SampleRow) -> str:
    """Return the text of a document's first request."""
    return str(row.arguments.get("gen_args_0", {}).get("arg_0", ""))


def _identity(rows: Documents) -> list[list[int | str]]:
    """What the contract says of the documents: they are known by their hashes."""
    return sorted(
        [doc_id, row.doc_hash, row.target_hash] for doc_id, row in _first_rows(rows).items()
    )


def _first_rows(rows: Documents) -> dict[int, SampleRow]:
    """Any filter's row stands for the document: texts and hashes are the same in all."""
    return {doc_id: next(iter(filters.values())) for doc_id, filters in rows.items()}


def _read_responses(
    task: str, rows: Documents, *, answers: bool
) -> tuple[list[Generation], list[Score]]:
    """Read what was generated; where numbers are no `answers`, a number is no target."""
    generations, scores = [], []
    for doc_id, row in _first_rows(rows).items():
        if not row.is_generation():
            continue
        responses = row.resps[0]
        # lm-eval reads several repeats as one
        filters = rows[doc_id] if len(responses) == 1 else {}
        has_target = answers or read_target(row.target) is None
        target = row.target if has_target else None
        for sample, response in enumerate(responses):
            generation = _generation(task, row, sample, response)
            question = str(row.doc.get("question", generation.prompt))
            read = score(generation, question, target)
            generations.append(generation)
            scores.append(_as_lm_eval_read_it(read, filters))
    return generations, scores


def _generation(task: str, row: SampleRow, sample: int, response: str) -> Generation:
    return Generation(
        id=f"{task}/{row.doc_id}",
        group="test",
        sample=sample,
        prompt=_request(row),
        response=response,
        n_tokens=None,
        finish_reason=None,
    )


def _as_lm_eval_read_it(scored: Score, filters: dict[str, SampleRow]) -> Score:
    """Replace strict and flexible by the file's own verdicts; where it has none they are not
    known.
    """
    update: dict[str, Any] = {}
    for name, (correct, answer) in _FIELDS.items():
        update[correct] = update[answer] = None
        row = filters.get(name)
        if row is None:
            continue
        match = row.value("exact_match")
        if match in (0, 1) and scored.correct is not None:
            update[correct] = bool(match)
        kept = row.filtered_resps[:1]
        if kept and kept[0] != _NOT_FOUND:
            update[answer] = str(kept[0])
    return scored.model_copy(update=update)


def _task_scores(task: str, rows: Documents, *, are_accuracies: bool) -> list[TaskScore]:
    """Metrics with one number per document; lists (IFEval's instructions) have no mean over
    documents.

    gsm8k's strict and flexible matches are left out where they `are_accuracies` already.
    """
    scores = []
    for row in _all_rows(rows):
        for metric in row.measured():
            value = row.number(metric)
            is_left_out = are_accuracies and metric == "exact_match" and row.filter in _FIELDS
            if value is not None and not is_left_out:
                name = metric_name(task, metric, row.filter)
                scores.append(TaskScore(id=f"{task}/{row.doc_id}", metric=name, value=value))
    return scores
