"""lm-eval's `samples_<task>_<time>.jsonl`: one row per document and filter, as `--log_samples`
writes them.

Responses are read again by our numeric reading where the target is a number; gsm8k's strict and
flexible verdicts are taken from the file, and every other metric with a number per document becomes
a metric of the task. Of log-likelihood tasks there are metrics only. The file knows no token counts
and no finish reasons, so those stay unknown.
"""

import math
import re
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from stagelift.evals.imports.results import Imported, ImportedStage, read_valid
from stagelift.evals.lm_eval.gsm8k import FLEXIBLE, STRICT
from stagelift.evals.lm_eval.names import metric_name
from stagelift.evals.metrics.scoring import score
from stagelift.evals.records import Generation, Score, TaskScore

_FIELDS = {
    STRICT: ("correct_strict", "answer_strict"),
    FLEXIBLE: ("correct_flexible", "answer_flexible"),
}
# lm-eval's word for a filter that found nothing
_NOT_FOUND = "[invalid]"


class SampleRow(BaseModel):
    """One row; the metrics it names are keys of their own."""

    model_config = ConfigDict(extra="allow")

    doc_id: int
    doc: dict[str, Any]
    target: str
    arguments: dict[str, dict[str, Any]]
    resps: list[list[Any]]
    filtered_resps: list[Any]
    filter: str
    metrics: list[str]
    doc_hash: str
    target_hash: str

    def is_generation(self) -> bool:
        """Say whether responses are texts: their requests carry generation settings,
        log-likelihoods a continuation.
        """
        return isinstance(self.arguments.get("gen_args_0", {}).get("arg_1"), dict)

    def value(self, metric: str) -> Any:
        """Return a metric's value."""
        return (self.model_extra or {}).get(metric)


# rows by document and filter
Documents = dict[int, dict[str, SampleRow]]


def read_lm_eval(path: Path) -> Imported:
    """Read a file.

    Raises ValueError for malformed rows, a document twice under one filter, and targets that
    disagree.
    """
    task = _task(path)
    documents: dict[int, dict[str, tuple[int, SampleRow]]] = {}
    for line, row in read_valid(path, SampleRow, _problem):
        _refuse_contradiction(path, line, row, documents.setdefault(row.doc_id, {}))
        documents[row.doc_id][row.filter] = (line, row)
    rows = {
        doc_id: {name: row for name, (_, row) in filters.items()}
        for doc_id, filters in documents.items()
    }
    return Imported([_stage(task, rows)], "", {"task": task, "data": _identity(rows)})


def _task(path: Path) -> str:
    match = re.fullmatch(r"samples_(.+)_\d{4}-\d\d-\d\dT[\d.:_-]+\.jsonl", path.name)
    if match:
        return match[1]
    # a file that was renamed
    return path.name.split(".")[0].removeprefix("samples_")


def _problem(row: SampleRow) -> str | None:
    for metric in row.metrics:
        value = row.value(metric)
        if value is None or (isinstance(value, float) and not math.isfinite(value)):
            return f"metric {metric} is {value!r}"
    if not row.resps or not row.resps[0]:
        return "no response"
    return None


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


def _stage(task: str, rows: Documents) -> ImportedStage:
    generations, scores = _read_responses(task, rows)
    read = {
        score.id
        for score in scores
        if score.correct_strict is not None or score.correct_flexible is not None
    }
    task_scores = _task_scores(task, rows, read)
    by_task = {task: task_scores} if task_scores else {}
    return ImportedStage("lm-eval", generations, scores, [], by_task)


def _identity(rows: Documents) -> list[list[int | str]]:
    """What the contract says of the documents: they are known by their hashes."""
    return sorted(
        [doc_id, row.doc_hash, row.target_hash] for doc_id, row in _first_rows(rows).items()
    )


def _first_rows(rows: Documents) -> dict[int, SampleRow]:
    """Any filter's row stands for the document: texts and hashes are the same in all."""
    return {doc_id: next(iter(filters.values())) for doc_id, filters in rows.items()}


def _read_responses(task: str, rows: Documents) -> tuple[list[Generation], list[Score]]:
    generations, scores = [], []
    for doc_id, row in _first_rows(rows).items():
        if not row.is_generation():
            continue
        responses = row.resps[0]
        # lm-eval reads several repeats as one
        filters = rows[doc_id] if len(responses) == 1 else {}
        for sample, response in enumerate(responses):
            generation = _generation(task, row, sample, str(response))
            question = str(row.doc.get("question", generation.prompt))
            read = score(generation, question, row.target)
            generations.append(generation)
            scores.append(_as_lm_eval_read_it(read, filters))
    return generations, scores


def _generation(task: str, row: SampleRow, sample: int, response: str) -> Generation:
    return Generation(
        id=f"{task}/{row.doc_id}",
        group="test",
        sample=sample,
        prompt=str(row.arguments["gen_args_0"]["arg_0"]),
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
        if match is not None and scored.correct is not None:
            update[correct] = bool(match)
        if row.filtered_resps[0] != _NOT_FOUND:
            update[answer] = str(row.filtered_resps[0])
    return scored.model_copy(update=update)


def _task_scores(task: str, rows: Documents, read: set[str]) -> list[TaskScore]:
    """Metrics with one number per document; lists (IFEval's instructions) have no mean over
    documents.

    gsm8k's strict and flexible matches are left out of documents `read` that way: they are
    accuracies already.
    """
    scores = []
    for row in (row for filters in rows.values() for row in filters.values()):
        document = f"{task}/{row.doc_id}"
        for metric in row.metrics:
            value = row.value(metric)
            is_accuracy = metric == "exact_match" and row.filter in _FIELDS and document in read
            if isinstance(value, int | float) and not is_accuracy:
                name = metric_name(task, metric, row.filter)
                scores.append(TaskScore(id=document, metric=name, value=float(value)))
    return scores
