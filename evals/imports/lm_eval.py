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
        one: {name: row for name, (_, row) in filters.items()} for one, filters in documents.items()
    }
    generations, scores = _read_responses(task, rows)
    identity = sorted(
        [one, first.doc_hash, first.target_hash] for one, first in _first(rows).items()
    )
    read = {
        score.id
        for score in scores
        if score.correct_strict is not None or score.correct_flexible is not None
    }
    task_scores = _task_scores(task, rows, read)
    stage = ImportedStage(
        "lm-eval", generations, scores, [], {task: task_scores} if task_scores else {}
    )
    return Imported([stage], "", {"task": task, "data": identity})


def _task(path: Path) -> str:
    match = re.fullmatch(r"samples_(.+)_\d{4}-\d\d-\d\dT[\d.:_-]+\.jsonl", path.name)
    return match[1] if match else path.name.split(".")[0].removeprefix("samples_")


def _problem(row: SampleRow) -> str | None:
    for metric in row.metrics:
        value = row.value(metric)
        if value is None or (isinstance(value, float) and not math.isfinite(value)):
            return f"metric {metric} is {value!r}"
    return None if row.resps and row.resps[0] else "no response"


def _refuse_contradiction(
    path: Path, line: int, row: SampleRow, known: dict[str, tuple[int, SampleRow]]
) -> None:
    for earlier, other in known.values():
        if other.filter == row.filter:
            raise ValueError(
                f"{path}, lines {earlier} and {line} are both document {row.doc_id} under filter "
                f"'{row.filter}', so nothing was imported."
            )
        if (other.doc_hash, other.target) != (row.doc_hash, row.target):
            raise ValueError(
                f"{path}, lines {earlier} and {line} give different targets or texts for document "
                f"{row.doc_id}, so nothing was imported."
            )


def _first(rows: dict[int, dict[str, SampleRow]]) -> dict[int, SampleRow]:
    """Any filter's row stands for the document: texts and hashes are the same in all."""
    return {one: next(iter(filters.values())) for one, filters in rows.items()}


def _read_responses(
    task: str, rows: dict[int, dict[str, SampleRow]]
) -> tuple[list[Generation], list[Score]]:
    generations, scores = [], []
    generating = {one: row for one, row in _first(rows).items() if row.is_generation()}
    for one, row in generating.items():
        for sample, response in enumerate(map(str, row.resps[0])):
            generations.append(_generation(task, row, sample, response))
            question = str(row.doc.get("question", generations[-1].prompt))
            # lm-eval reads several repeats as one
            filters = rows[one] if len(row.resps[0]) == 1 else {}
            scores.append(
                _as_lm_eval_read_it(score(generations[-1], question, row.target), filters)
            )
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
        row = filters.get(name)
        found = None if row is None else row.value("exact_match")
        update[correct] = None if found is None or scored.correct is None else bool(found)
        update[answer] = (
            None
            if row is None or row.filtered_resps[0] == _NOT_FOUND
            else str(row.filtered_resps[0])
        )
    return scored.model_copy(update=update)


def _task_scores(
    task: str, rows: dict[int, dict[str, SampleRow]], read: set[str]
) -> list[TaskScore]:
    """Metrics with one number per document; lists (IFEval's instructions) have no mean over
    documents.

    gsm8k's strict and flexible matches are left out of documents `read` that way: they are
    accuracies already.
    """
    return [
        TaskScore(
            id=f"{task}/{one}",
            metric=metric_name(task, metric, name),
            value=float(row.value(metric)),
        )
        for one, filters in rows.items()
        for name, row in filters.items()
        for metric in row.metrics
        if isinstance(row.value(metric), int | float)
        and not (f"{task}/{one}" in read and metric == "exact_match" and name in _FIELDS)
    ]
