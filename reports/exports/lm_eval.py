"""A run as lm-eval (0.4.7 and later) writes its own: of each stage a folder with
`results_<time>.json`, and `samples_<task>_<time>.jsonl` for each task.

Accuracy is the `exact_match` of filters (numeric is our reading, strict-match and flexible-extract
are lm-eval's); everything else that has a value by prompt stands under the filter `none`. Of tasks
of lm-eval that a run asked, the documents are not stored: they have results and no samples.
"""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from scipy import stats

from stagelift.evals.metrics.measures import Measure
from stagelift.evals.printed import json_escaped
from stagelift.reports.exports.values import (
    Answered,
    Measured,
    answered,
    measured,
    plain_name,
    plain_names,
)
from stagelift.reports.records import RunRecord, StageRecord

# of a metric's field: the filter, and the field of what it read
_FILTERS = {
    "correct": ("numeric", "answer"),
    "correct_strict": ("strict-match", "answer_strict"),
    "correct_flexible": ("flexible-extract", "answer_flexible"),
}
_NO_FILTER = "none"
# lm-eval's words for a filter that found nothing, and for an error that is not known
_NOT_FOUND, _NOT_KNOWN = "[invalid]", "N/A"


@dataclass(frozen=True)
class _Column:
    """A metric under the names that lm-eval gives it."""

    metric: str
    filter: str
    measured: Measured


@dataclass(frozen=True)
class _Placed:
    """A stage, and which one of its run it is."""

    stage: StageRecord
    place: int


def lm_eval_files(run: RunRecord, when: datetime) -> dict[PurePosixPath, str]:
    """Return the texts of all stages by path; `when` stands in the files' names."""
    files: dict[PurePosixPath, str] = {}
    names = plain_names(stage.name for stage in run.measured())
    for place, stage in enumerate(run.measured()):
        folder = f"{plain_name(run.name)}__{names[stage.name]}"
        files |= _stage_files(_Placed(stage, place), run, when, folder)
    return files


def _stage_files(
    placed: _Placed, run: RunRecord, when: datetime, folder: str
) -> dict[PurePosixPath, str]:
    stage = placed.stage
    tasks: dict[str, list[_Column]] = {}
    for found in measured(stage, run):
        tasks.setdefault(found.task, []).append(_column(found))
    samples = {task: _samples(task, columns, stage) for task, columns in tasks.items()}
    names, place = plain_names(tasks), PurePosixPath(folder)
    time = when.strftime("%Y-%m-%dT%H-%M-%S.%f")
    results = _results(stage, run, tasks, samples, when)
    results |= {"model_name": f"{run.name}/{stage.name}", "model_name_sanitized": folder}
    # by this an import knows the order of stages, whatever they are called
    results["config"]["model_args"]["place"] = placed.place
    files = {place / f"results_{time}.json": _json(results, indent=2) + "\n"}
    for task, rows in samples.items():
        if rows:
            text = "".join(f"{_json(row)}\n" for row in rows)
            files[place / f"samples_{names[task]}_{time}.jsonl"] = text
    return files


def _column(found: Measured) -> _Column:
    known = found.known
    if known.family == "lm-eval task":
        metric, _, filter_name = known.bare.partition(",")
        return _Column(metric, filter_name or _NO_FILTER, found)
    if known.family in ("accuracy", "sampled accuracy"):
        return _Column("exact_match", _FILTERS[known.field or "correct"][0], found)
    return _Column(known.bare, _NO_FILTER, found)


def _results(
    stage: StageRecord,
    run: RunRecord,
    tasks: dict[str, list[_Column]],
    samples: dict[str, list[dict[str, Any]]],
    when: datetime,
) -> dict[str, Any]:
    contract = stage.evaluation.contract
    shots = {task: contract["num_fewshot"] for task in tasks if "num_fewshot" in contract}
    return {
        "results": {task: _values(task, columns) for task, columns in tasks.items()},
        "group_subtasks": {task: [] for task in tasks},
        "configs": {task: _config(task, columns, stage) for task, columns in tasks.items()},
        "versions": dict.fromkeys(tasks, 1.0),
        "n-shot": shots,
        "higher_is_better": {
            task: {column.metric: _higher_is_better(column) for column in columns}
            for task, columns in tasks.items()
        },
        "n-samples": {task: _counts(columns) for task, columns in tasks.items()},
        "config": {
            "model": "stagelift",
            "model_args": {"pretrained": run.model, "stage": stage.name},
            "batch_size": None,
            "device": run.device or None,
            "limit": None,
            "gen_kwargs": None,
        },
        "git_hash": None,
        "date": when.timestamp(),
        "transformers_version": run.versions.get("transformers"),
        "lm_eval_version": run.versions.get("lm_eval"),
        "task_hashes": {task: _hash_of_rows(rows) for task, rows in samples.items() if rows},
        "model_source": "stagelift",
        "total_evaluation_time_seconds": _text(stage.evaluation.seconds),
    }


def _values(task: str, columns: Sequence[_Column]) -> dict[str, Any]:
    values: dict[str, Any] = {"alias": task}
    for column in columns:
        values[f"{column.metric},{column.filter}"] = column.measured.metric.value
        values[f"{column.metric}_stderr,{column.filter}"] = _standard_error(column.measured)
    return values


def _standard_error(found: Measured) -> float | str:
    """lm-eval's own, of the mean over documents; in clusters these are not independent."""
    values = list(found.values.values())
    if len(values) < 2 or found.metric.clusters is not None:
        return _NOT_KNOWN
    return float(stats.sem(np.asarray(values)))


def _config(task: str, columns: Sequence[_Column], stage: StageRecord) -> dict[str, Any]:
    contract = stage.evaluation.contract
    return {
        "task": task,
        "output_type": "generate_until",
        "metric_list": [
            {"metric": metric, "aggregation": "mean", "higher_is_better": better}
            for metric, better in {one.metric: _higher_is_better(one) for one in columns}.items()
        ],
        "num_fewshot": contract.get("num_fewshot"),
        "generation_kwargs": _generation_settings(stage),
        "repeats": contract.get("samples", 1),
        "metadata": {
            "version": 1.0,
            "contract_id": stage.evaluation.contract_id,
            "contract": contract,
        },
    }


def _generation_settings(stage: StageRecord) -> dict[str, Any]:
    contract = stage.evaluation.contract
    settings: dict[str, Any] = {"until": [], "max_gen_toks": contract.get("max_tokens")}
    if "decoding" in contract:
        settings["do_sample"] = contract["decoding"] != "greedy"
    return settings


def _higher_is_better(column: _Column) -> bool | None:
    known: Measure = column.measured.known
    # neither longer nor shorter is better
    if known.better is None or known.family == "length":
        return None
    return known.better == "more"


def _counts(columns: Sequence[_Column]) -> dict[str, int]:
    most = max(len(column.measured.values) for column in columns)
    return {"original": most, "effective": most}


def _samples(task: str, columns: Sequence[_Column], stage: StageRecord) -> list[dict[str, Any]]:
    """Return a row for each document and filter; none where the responses are not stored."""
    ids = {prompt for column in columns for prompt in column.measured.values}
    # documents of an imported task are the test problems
    group = columns[0].measured.known.group or "test"
    documents: dict[str, list[Answered]] = {}
    for one in answered(stage, group):
        if one.score.id in ids:
            documents.setdefault(one.score.id, []).append(one)
    filters: dict[str, list[_Column]] = {}
    for column in columns:
        filters.setdefault(column.filter, []).append(column)
    settings = _generation_settings(stage)
    return [
        _row(_number(task, prompt, place), found, name, under, settings)
        for place, (prompt, found) in enumerate(documents.items())
        for name, under in filters.items()
    ]


def _number(task: str, prompt: str, place: int) -> int:
    """Return a document's number: what it had where it was imported, else its place."""
    imported = re.fullmatch(rf"{re.escape(task)}/(\d{{1,9}})", prompt)
    return int(imported[1]) if imported else place


def _row(
    number: int,
    found: Sequence[Answered],
    filter_name: str,
    columns: Sequence[_Column],
    settings: dict[str, Any],
) -> dict[str, Any]:
    first = found[0]
    document = {"id": first.score.id, "question": first.score.question}
    prompt, target = first.generation.prompt, first.score.target or ""
    under = [column for column in columns if first.score.id in column.measured.values]
    return {
        "doc_id": number,
        "doc": document,
        "target": target,
        "arguments": {"gen_args_0": {"arg_0": prompt, "arg_1": settings}},
        "resps": [[one.generation.response for one in found]],
        "filtered_resps": [_filtered(one, filter_name) for one in found],
        "filter": filter_name,
        "metrics": [column.metric for column in under],
        "doc_hash": _hash(json.dumps(document, indent=2, ensure_ascii=False)),
        "prompt_hash": _hash(prompt),
        "target_hash": _hash(target),
        **{column.metric: column.measured.values[first.score.id] for column in under},
    }


def _filtered(one: Answered, filter_name: str) -> str:
    fields = dict(_FILTERS.values())
    if filter_name not in fields:
        return one.generation.response
    answer = getattr(one.score, fields[filter_name])
    return _NOT_FOUND if answer is None else str(answer)


def _hash_of_rows(rows: Sequence[dict[str, Any]]) -> str:
    return _hash("".join(row["doc_hash"] + row["prompt_hash"] + row["target_hash"] for row in rows))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def _json(value: object, indent: int | None = None) -> str:
    return json_escaped(json.dumps(value, indent=indent, ensure_ascii=False, allow_nan=False))


def _text(seconds: float | None) -> str | None:
    return None if seconds is None else str(seconds)
