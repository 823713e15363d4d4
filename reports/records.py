"""A run read back from disk: what was trained, what was measured, problem by problem. All a report needs, and no torch."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evals.files import read_json, read_record, read_records
from evals.records import EvalResult, Generation, Score, Verdict
from stages.records import StageResult


@dataclass(frozen=True)
class StageRecord:
    """One stage of a run; base has no `training`. Scores, generations and verdicts are keyed by problem id."""

    run: str
    name: str
    kind: str
    training: StageResult | None
    evaluation: EvalResult
    scores: dict[str, Score]
    generations: dict[str, Generation]
    verdicts: dict[str, dict[str, Verdict]]


@dataclass(frozen=True)
class RunRecord:
    """A run with the stages that have been evaluated so far, in order; `missing` names the others."""

    name: str
    model: str
    data: str
    device: str
    versions: dict[str, str]
    contract_id: str
    contract: dict[str, Any]
    wall_clock_seconds: float
    sittings: int
    stages: list[StageRecord]
    missing: list[str]


def read_run(folder: Path) -> RunRecord:
    """Read a run folder. Raises ValueError, in a sentence, where it is none or nothing in it is evaluated yet."""
    if not (folder / "run.json").is_file():
        raise ValueError(f"{folder} is not a run: it has no run.json. `stagelift runs` lists the runs there are.")
    record = read_json(folder / "run.json")
    root = folder.parent
    done = [stage for stage in record["stages"] if (root / stage["evaluation"] / "result.json").exists()]
    if not done:
        raise ValueError(f"Run '{record['name']}' has no evaluated stage yet. `stagelift run` goes on with it.")
    stages = [_read_stage(record["name"], stage, root) for stage in done]
    return RunRecord(
        name=record["name"],
        model=record["model"],
        data=record["recipe"]["data"]["path"],
        device=record["device"],
        versions=record["versions"],
        contract_id=stages[0].evaluation.contract_id,
        contract=stages[0].evaluation.contract,
        wall_clock_seconds=sum(session["seconds"] for session in record["sessions"]),
        sittings=len(record["sessions"]),
        stages=stages,
        missing=[stage["name"] for stage in record["stages"] if stage not in done],
    )


def _read_stage(run: str, stage: dict[str, str], root: Path) -> StageRecord:
    node, evaluation = root / stage["node"], root / stage["evaluation"]
    trained = node / "stage.json"
    for name in ("scores.jsonl", "generations.jsonl"):
        if not (evaluation / name).exists():
            raise ValueError(f"{evaluation / name} is missing. Delete {evaluation} and run again.")
    verdicts: dict[str, dict[str, Verdict]] = {}
    for verdict in read_records(evaluation / "verdicts.jsonl", Verdict):
        verdicts.setdefault(verdict.against, {})[verdict.id] = verdict
    return StageRecord(
        run=run,
        name=stage["name"],
        kind=stage["kind"],
        training=read_record(trained, StageResult) if trained.exists() else None,
        evaluation=read_record(evaluation / "result.json", EvalResult),
        scores={score.id: score for score in read_records(evaluation / "scores.jsonl", Score)},
        generations={one.id: one for one in read_records(evaluation / "generations.jsonl", Generation)},
        verdicts=verdicts,
    )
