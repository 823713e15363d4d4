"""A run read back from disk: what was trained, what was measured, problem by problem. All a report needs, and no torch."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evals.files import read_json, read_record, read_records
from evals.records import EvalResult, Generation, PairScore, Score, TaskScore, Verdict
from evals.winrate import metric_name
from stages.records import StageResult


@dataclass(frozen=True)
class StageRecord:
    """One stage of a run; base has no `training`.

    `identity` is what its node is (of base the weights, of a trained stage its data, arguments, LoRA settings and seed),
    empty where that is not stored. `scores` has every sample; `generations` the first one of each prompt, by id.
    `verdicts` are keyed by the win rate they make (`win_rate_base`) and prompt id, `pairs` by id, `task_scores` by metric
    and document id.
    """

    run: str
    name: str
    kind: str
    identity: dict[str, Any]
    training: StageResult | None
    evaluation: EvalResult
    scores: list[Score]
    generations: dict[str, Generation]
    verdicts: dict[str, dict[str, Verdict]]
    pairs: dict[str, PairScore]
    task_scores: dict[str, dict[str, float]]

    def first_scores(self) -> dict[str, Score]:
        """Return the score of each prompt's first sample, by id."""
        return {score.id: score for score in self.scores if score.sample == 0}


@dataclass(frozen=True)
class RunRecord:
    """A run with the stages that have been evaluated so far, in order; `missing` names the others.

    `recipe` is the text of recipe.yaml, "" where there is none (imported). `base_model` is the Hub's name of the base, or
    of the model it derives from, and `base_revision` its commit: `harness.outputs` adds them, None where not known.
    """

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
    recipe: str = ""
    base_model: str | None = None
    base_revision: str | None = None


def read_run(folder: Path) -> RunRecord:
    """Read a run folder. Raises ValueError, in a sentence, where it is none or nothing in it is evaluated yet."""
    if not (folder / "run.json").is_file():
        raise ValueError(f"{folder} is not a run: it has no run.json. `stagelift runs` lists the runs there are.")
    record = read_json(folder / "run.json")
    root = folder.parent
    done = [stage for stage in record["stages"] if (root / stage["evaluation"] / "result.json").exists()]
    if not done:
        raise ValueError(f"Run '{record['name']}' has no evaluated stage yet. `stagelift run` goes on with it.")
    if done != record["stages"][: len(done)]:
        gap = next(stage["name"] for stage in record["stages"] if stage not in done)
        raise ValueError(
            f"Stage '{gap}' of run '{record['name']}' is not evaluated, but later ones are, which were compared with it. "
            "`stagelift run` evaluates it again."
        )
    stages = [_read_stage(record["name"], stage, root) for stage in done]
    return RunRecord(
        name=record["name"],
        model=record["model"],
        data=record["data"],
        device=record["device"],
        versions=record["versions"],
        contract_id=stages[0].evaluation.contract_id,
        contract=stages[0].evaluation.contract,
        wall_clock_seconds=sum(session["seconds"] for session in record["sessions"]),
        sittings=len(record["sessions"]),
        stages=stages,
        missing=[stage["name"] for stage in record["stages"] if stage not in done],
        recipe=_read_text(folder / "recipe.yaml"),
    )


def _read_stage(run: str, stage: dict[str, str], root: Path) -> StageRecord:
    node, evaluation = root / stage["node"], root / stage["evaluation"]
    trained = node / "stage.json"
    for name in ("scores.jsonl", "generations.jsonl"):
        if not (evaluation / name).exists():
            raise ValueError(f"{evaluation / name} is missing. Delete {evaluation} and run again.")
    result = read_record(evaluation / "result.json", EvalResult)
    if "extraction" not in result.contract:
        raise ValueError(
            f"Run '{run}' was scored by an earlier stagelift, with lm-eval's flexible filter only. Read its responses again "
            f"with: stagelift rescore {run}"
        )
    return StageRecord(
        run=run,
        name=stage["name"],
        kind=stage["kind"],
        identity=_read_identity(node / "node.json"),
        training=read_record(trained, StageResult) if trained.exists() else None,
        evaluation=result,
        scores=read_records(evaluation / "scores.jsonl", Score),
        generations={
            one.id: one for one in read_records(evaluation / "generations.jsonl", Generation) if one.sample == 0
        },
        verdicts=_read_verdicts(evaluation),
        pairs={pair.id: pair for pair in read_records(evaluation / "pairs.jsonl", PairScore)},
        task_scores=_read_task_scores(evaluation),
    )


def _read_text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


def _read_identity(path: Path) -> dict[str, Any]:
    return dict(read_json(path).get("identity") or {}) if path.exists() else {}


def _read_verdicts(evaluation: Path) -> dict[str, dict[str, Verdict]]:
    verdicts: dict[str, dict[str, Verdict]] = {}
    for verdict in read_records(evaluation / "verdicts.jsonl", Verdict):
        verdicts.setdefault(metric_name(verdict.against, verdict.group), {})[verdict.id] = verdict
    return verdicts


def _read_task_scores(evaluation: Path) -> dict[str, dict[str, float]]:
    scores: dict[str, dict[str, float]] = {}
    for path in sorted((evaluation / "tasks").glob("*.jsonl")):
        for score in read_records(path, TaskScore):
            scores.setdefault(score.metric, {})[score.id] = score.value
    return scores
