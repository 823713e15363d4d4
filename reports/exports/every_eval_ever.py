"""A run in the schema of Every Eval Ever (0.3.0): of each stage one document with all metrics, and
a line for each response and each metric that says whether it is right.

What the schema asks for and a run does not know is called unknown. Metrics without a verdict by
response (win rates, lengths) have no lines.
"""

import hashlib
import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any
from uuid import UUID

from stagelift.evals.metrics.measures import Measure, measure, ordered
from stagelift.evals.printed import json_escaped
from stagelift.reports.exports.values import (
    Answered,
    Measured,
    answered,
    measured,
    plain_name,
    plain_names,
    task_of,
)
from stagelift.reports.records import RunRecord, StageRecord
from stagelift.reports.words.formatting import full_title

SCHEMA = "0.3.0"
_UNKNOWN = "unknown"
# of a reading: the field of the answer that it read
_ANSWERS = {
    "correct": "answer",
    "correct_strict": "answer_strict",
    "correct_flexible": "answer_flexible",
}


def every_eval_ever_files(
    run: RunRecord, when: datetime, organization: str = _UNKNOWN
) -> dict[PurePosixPath, str]:
    """Return the texts of all stages by path, below `data/` as the schema has it; `organization`
    publishes them.
    """
    files: dict[PurePosixPath, str] = {}
    folders = plain_names(stage.name for stage in run.measured())
    for stage in run.measured():
        document = _document(stage, run, when, organization)
        folder = PurePosixPath("data", "stagelift", plain_name(run.name), folders[stage.name])
        name = UUID(bytes=hashlib.sha256(_json(document).encode()).digest()[:16], version=4)
        rows = "".join(f"{_json(row)}\n" for row in _rows(stage, run, document))
        if rows:
            samples = folder / f"{name}_samples.jsonl"
            files[samples] = rows
            document["detailed_evaluation_results"] = {
                "format": "jsonl",
                "file_path": str(samples),
                "hash_algorithm": "sha256",
                "checksum": hashlib.sha256(rows.encode()).hexdigest(),
                "total_rows": rows.count("\n"),
            }
        text = _json(document, indent=2)
        files[folder / f"{name}.json"] = f"{text}\n"
    return files


def _document(
    stage: StageRecord, run: RunRecord, when: datetime, organization: str
) -> dict[str, Any]:
    time = str(when.timestamp())
    identity = f"{run.name}/{stage.name}/{time}"
    return {
        "schema_version": SCHEMA,
        "evaluation_id": identity,
        "evaluation_timestamp": time,
        "retrieved_timestamp": time,
        "source_metadata": {
            "source_name": f"stagelift run {run.name}",
            "source_type": "evaluation_run",
            "source_organization_name": organization,
            "evaluator_relationship": "other",
        },
        "eval_library": {
            "name": "stagelift",
            "version": stage.evaluation.versions.get("stagelift", _UNKNOWN),
            "additional_details": dict(stage.evaluation.versions),
        },
        "model_info": _model(stage, run),
        "evaluation_results": [
            _result(name, stage, run, identity) for name in ordered(stage.evaluation.metrics)
        ],
    }


def _model(stage: StageRecord, run: RunRecord) -> dict[str, Any]:
    """Describe a stage's model; a base is known by its own name."""
    name = f"{run.name}/{stage.name}"
    if stage.parent is None and run.base_model is not None:
        name = run.base_model
    path = " -> ".join(run.path(stage))
    details = {
        "deployment_type": "unknown" if stage.kind == "imported" else "self_deployed",
        "model_availability": "unknown",
        "run": run.name,
        "stage": stage.name,
        "base_model": run.base_model or run.model or _UNKNOWN,
        "trained_with": path or "nothing",
    }
    engine = run.contract.get("engine")
    known = {} if engine is None else {"inference_engine": {"name": str(engine)}}
    return {"name": name, "id": name, **known, "additional_details": details}


def _result(name: str, stage: StageRecord, run: RunRecord, identity: str) -> dict[str, Any]:
    known, metric = measure(name), stage.evaluation.metrics[name]
    counted = {} if metric.clusters is None else {"clusters": str(metric.clusters)}
    interval = {"lower": metric.low, "upper": metric.high, "confidence_level": 0.95}
    return {
        "evaluation_result_id": _result_id(identity, name),
        "evaluation_name": task_of(known, run),
        "source_data": {
            "dataset_name": run.data or _UNKNOWN,
            "source_type": "other",
            "additional_details": {"contract_id": stage.evaluation.contract_id},
        },
        "metric_config": _metric_config(known),
        "score_details": {
            "score": metric.value,
            "details": {"prompts": str(metric.n), **counted},
            "uncertainty": {"confidence_interval": interval, "num_samples": metric.n},
        },
        "generation_config": _generation(stage),
    }


def _result_id(identity: str, name: str) -> str:
    return f"{identity}#{name}"


def _metric_config(known: Measure) -> dict[str, Any]:
    low: float | None
    high: float | str | None
    low, high = known.bounds or (None, None)
    if known.family in ("length", "time"):
        low, high = 0.0, "Infinity"
    return {
        "evaluation_description": full_title(known.name),
        "metric_id": f"stagelift.{known.name}",
        "metric_name": full_title(known.name),
        "metric_kind": known.family,
        "metric_unit": "proportion" if known.unit == "share" else known.unit,
        "metric_parameters": {} if known.k is None else {"k": known.k},
        "lower_is_better": known.better == "less",
        "score_type": "continuous",
        "min_score": low,
        "max_score": high,
    }


def _generation(stage: StageRecord) -> dict[str, Any]:
    contract = stage.evaluation.contract
    arguments: dict[str, Any] = {}
    if contract.get("max_tokens"):
        arguments["max_tokens"] = contract["max_tokens"]
    if contract.get("decoding") == "greedy":
        arguments["temperature"] = 0.0
    details = {key: _as_text(value) for key, value in contract.items()}
    return {"generation_args": arguments, "additional_details": details}


def _rows(stage: StageRecord, run: RunRecord, document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for found in measured(stage, run):
        for one in answered(stage, found.known.group or "test"):
            correct = _is_correct(found, one)
            if correct is not None:
                yield _row(found, one, document, correct=correct)


def _is_correct(found: Measured, one: Answered) -> bool | None:
    """Say whether a response is right by a metric; None where the metric says no such thing."""
    if found.known.field in _ANSWERS:
        correct: bool | None = getattr(one.score, found.known.field)
        return correct
    value = found.values.get(one.score.id)
    is_verdict = found.known.family == "lm-eval task" and value in (0, 1)
    return value == 1 if is_verdict and one.score.sample == 0 else None


def _row(
    found: Measured, one: Answered, document: dict[str, Any], *, correct: bool
) -> dict[str, Any]:
    score, generation = one.score, one.generation
    reference = [] if score.target is None else [score.target]
    about = {
        "sample": str(score.sample),
        "group": score.group,
        "outcome": score.outcome,
        "cluster": score.cluster,
    }
    return {
        "schema_version": SCHEMA,
        "evaluation_id": document["evaluation_id"],
        "model_id": document["model_info"]["id"],
        "evaluation_name": found.task,
        "evaluation_result_id": _result_id(document["evaluation_id"], found.known.name),
        "sample_id": score.id,
        "sample_hash": hashlib.sha256(
            (score.question + "".join(reference)).encode(errors="surrogatepass")
        ).hexdigest(),
        "interaction_type": "single_turn",
        "input": {
            "raw": score.question,
            "formatted": generation.prompt,
            "reference": reference,
        },
        "output": {"raw": [generation.response]},
        "answer_attribution": _attribution(found, one),
        "evaluation": {"score": float(correct), "is_correct": correct},
        "metadata": {name: value for name, value in about.items() if value is not None},
    }


def _attribution(found: Measured, one: Answered) -> list[dict[str, Any]]:
    """Say which answer was read off a response, and how; nothing where none was."""
    field = _ANSWERS.get(found.known.field or "")
    answer = None if field is None else getattr(one.score, field)
    if answer is None:
        return []
    return [
        {
            "turn_idx": 0,
            "source": "output.raw",
            "extracted_value": answer,
            "extraction_method": found.known.reading,
            "is_terminal": True,
        }
    ]


def _as_text(value: object) -> str:
    return value if isinstance(value, str) else _json(value)


def _json(value: object, indent: int | None = None) -> str:
    return json_escaped(json.dumps(value, indent=indent, ensure_ascii=False, allow_nan=False))
