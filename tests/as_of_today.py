"""Earlier runs as if problems and engine had stayed the same: then what they hold is found."""

import json
from pathlib import Path
from typing import Any

from stagelift.evals.data.schoolmath import VERSIONS
from stagelift.evals.models.engines.transformers import TransformersEngine
from stagelift.harness.graph.node import node_id

TRAINED_ON = "schoolmath-1/train"
ANSWERED_BY = '"transformers-1"'


def call_the_problems_as_today(runs: Path) -> None:
    """Rename nodes as they would be called had they been trained on today's problems."""
    files = {file.parent.name: file for file in runs.glob("nodes/*/node.json")}
    records = {name: json.loads(file.read_text(encoding="utf-8")) for name, file in files.items()}
    names = {name: _name(name, records) for name in records}
    for name, file in files.items():
        file.write_text(_renamed(json.dumps(_record(records[name])), names), encoding="utf-8")
        file.parent.rename(file.parent.with_name(names[name]))
    for file in runs.glob("*/run.json"):
        file.write_text(_renamed(file.read_text(encoding="utf-8"), names), encoding="utf-8")


def call_the_engine_as_today(runs: Path) -> None:
    """Say that today's engine answered; `stagelift rescore` then names the contract anew."""
    for file in runs.rglob("result.json"):
        text = file.read_text(encoding="utf-8")
        today = text.replace(ANSWERED_BY, f'"{TransformersEngine.identity}"')
        file.write_text(today, encoding="utf-8")


def _name(name: str, records: dict[str, dict[str, Any]]) -> str:
    record = _record(records[name])
    if record["identity"].get("data") is None:
        return name
    parent = record["parent"]
    return node_id(record["kind"], record["identity"], parent and _name(parent, records))


def _record(record: dict[str, Any]) -> dict[str, Any]:
    if record["identity"].get("data") != TRAINED_ON:
        return record
    today = {"data": f"schoolmath-{VERSIONS['train']}/train"}
    return {**record, "identity": {**record["identity"], **today}}


def _renamed(text: str, names: dict[str, str]) -> str:
    for before, now in names.items():
        text = text.replace(before, now)
    return text
