"""A run read back from disk: what was trained, what was measured, problem by problem.

All a report needs, and no torch.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stagelift.evals.files import read_json, read_record, read_records
from stagelift.evals.metrics.measures import win_rate_name
from stagelift.evals.records import EvalResult, Generation, PairScore, Score, TaskScore, Verdict
from stagelift.stages.records import StageResult


@dataclass(frozen=True)
class StageRecord:
    """One stage of a run; base has no `training`.

    `parent` names the stage of the run that it was trained on.

    `identity` is what its node is (of base the weights, of a trained stage its data, arguments,
    LoRA settings and seed), empty where that is not stored. `scores` has every sample;
    `generations` the first one of each prompt, by id. `verdicts` are keyed by the win rate they
    make (`win_rate_base`) and prompt id, `pairs` by id, `task_scores` by metric and document id.
    `merged` names the stages whose adapters are merged into the weights that this one's adapter is
    on.
    """

    run: str
    name: str
    kind: str
    parent: str | None
    identity: dict[str, Any]
    training: StageResult | None
    evaluation: EvalResult
    scores: list[Score]
    generations: dict[str, Generation]
    verdicts: dict[str, dict[str, Verdict]]
    pairs: dict[str, PairScore]
    task_scores: dict[str, dict[str, float]]
    merged: tuple[str, ...] = ()

    def first_scores(self) -> dict[str, Score]:
        """Return the score of each prompt's first sample, by id."""
        return {score.id: score for score in self.scores if score.sample == 0}


@dataclass(frozen=True)
class ChainRecord:
    """One of several chains of a run: its variant ("" where there are none), its training seed, and
    its stages by slot.

    `complete` says whether all of its stages are evaluated; the others are left out. A slot is what
    a stage is called in every chain (`sft`), the stage of the run in it may be called `r=4/sft`.
    """

    variant: str
    seed: int
    stages: dict[str, str]
    complete: bool = True


@dataclass(frozen=True)
class RunRecord:
    """A run with the stages that have been evaluated so far, each after its parent; `missing` names
    the others.

    A run that asked for more than one chain is a study: it has `chains` (what is evaluated of
    them), maybe `repeats`, which are stages measured once more, and of variants the `reference`. In
    a `lattice` the chains are the subsets of stages. `recipe` is the text of recipe.yaml, "" where
    there is none (imported). `base_model` is the Hub's name of the base, or of the model it derives
    from, and `base_revision` its commit: `harness.outputs` adds them, None where not known.
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
    chains: tuple[ChainRecord, ...] = ()
    lattice: bool = False
    reference: str | None = None
    repeats: tuple[StageRecord, ...] = ()

    def stage(self, name: str) -> StageRecord:
        """Return the stage of this name."""
        return next(stage for stage in self.stages if stage.name == name)

    def before(self, stage: StageRecord) -> StageRecord | None:
        """Return the stage that a stage was trained on; None for base."""
        return None if stage.parent is None else self.stage(stage.parent)

    def chain(self, stage: StageRecord) -> list[StageRecord]:
        """Return the stages from base to this one."""
        before = self.before(stage)
        return [stage] if before is None else [*self.chain(before), stage]

    def base(self, stage: StageRecord) -> StageRecord:
        """Return the base that a stage was trained from; base's own is itself."""
        return self.chain(stage)[0]

    def path(self, stage: StageRecord) -> list[str]:
        """Return the kinds that were trained to reach a stage, in order; empty for base."""
        return [one.kind for one in self.chain(stage)[1:]]

    def steps(self) -> list[tuple[StageRecord, StageRecord]]:
        """Return every stage that has one before it, as (before, stage)."""
        pairs = [(self.before(stage), stage) for stage in self.stages]
        return [(before, stage) for before, stage in pairs if before is not None]


def read_run(folder: Path) -> RunRecord:
    """Read a run folder.

    Raises ValueError, in a sentence, where it is none or nothing in it is evaluated yet.
    """
    if not (folder / "run.json").is_file():
        raise ValueError(
            f"{folder} is not a run: it has no run.json. `stagelift runs` lists the runs there are."
        )
    record = read_json(folder / "run.json")
    root, listed = folder.parent, _with_parents(record["stages"])
    done = [stage for stage in listed if (root / stage["evaluation"] / "result.json").exists()]
    if not done:
        raise ValueError(
            f"Run '{record['name']}' has no evaluated stage yet. `stagelift run` goes on with it."
        )
    _refuse_gaps(record["name"], done)
    stages = {stage["name"]: _read_stage(record["name"], stage, root) for stage in done}
    first = next(iter(stages.values())).evaluation
    return RunRecord(
        name=record["name"],
        model=record["model"],
        data=record["data"],
        device=record["device"],
        versions=record["versions"],
        contract_id=first.contract_id,
        contract=first.contract,
        wall_clock_seconds=sum(session["seconds"] for session in record["sessions"]),
        sittings=len(record["sessions"]),
        stages=list(stages.values()),
        missing=[stage["name"] for stage in listed if stage not in done],
        recipe=_read_text(folder / "recipe.yaml"),
        chains=tuple(_chain(chain, stages) for chain in record.get("chains", ())),
        lattice=record.get("lattice", False),
        reference=record.get("reference"),
        repeats=tuple(_read_repeats(record, stages, root)),
    )


def _with_parents(stages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of a run that is one chain only the order is stored."""
    names = [None, *(stage["name"] for stage in stages)]
    return [{"parent": before, **stage} for before, stage in zip(names, stages, strict=False)]


def _refuse_gaps(run: str, done: list[dict[str, Any]]) -> None:
    present = {stage["name"] for stage in done}
    gap = next((stage["parent"] for stage in done if stage["parent"] not in (None, *present)), None)
    if gap is not None:
        raise ValueError(
            f"Stage '{gap}' of run '{run}' is not evaluated, but later ones are, which were "
            "compared with it. `stagelift run` evaluates it again."
        )


def _chain(chain: dict[str, Any], stages: dict[str, StageRecord]) -> ChainRecord:
    present = {slot: name for slot, name in chain["stages"] if name in stages}
    complete = len(present) == len(chain["stages"])
    return ChainRecord(
        variant=chain["variant"], seed=chain["seed"], stages=present, complete=complete
    )


def _read_repeats(
    record: dict[str, Any], stages: dict[str, StageRecord], root: Path
) -> Iterator[StageRecord]:
    """Yield the repeated evaluations that are there; one made before the stage was read again is of
    another contract.
    """
    for repeat in record.get("repeats", ()):
        stage = stages.get(repeat["stage"])
        if stage is None or not (root / repeat["evaluation"] / "result.json").exists():
            continue
        listed = next(one for one in _with_parents(record["stages"]) if one["name"] == stage.name)
        again = _read_stage(record["name"], {**listed, "evaluation": repeat["evaluation"]}, root)
        if again.evaluation.contract == stage.evaluation.contract:
            yield again


def _read_stage(run: str, stage: dict[str, Any], root: Path) -> StageRecord:
    node, evaluation = root / stage["node"], root / stage["evaluation"]
    trained = node / "stage.json"
    for name in ("scores.jsonl", "generations.jsonl"):
        if not (evaluation / name).exists():
            raise ValueError(f"{evaluation / name} is missing. Delete {evaluation} and run again.")
    result = read_record(evaluation / "result.json", EvalResult)
    if "extraction" not in result.contract:
        raise ValueError(
            f"Run '{run}' was scored by an earlier stagelift, with lm-eval's flexible filter only. "
            f"Read its responses again with: stagelift rescore {run}"
        )
    return StageRecord(
        run=run,
        name=stage["name"],
        kind=stage["kind"],
        parent=stage["parent"],
        identity=_read_identity(node / "node.json"),
        training=read_record(trained, StageResult) if trained.exists() else None,
        evaluation=result,
        scores=read_records(evaluation / "scores.jsonl", Score),
        generations={
            one.id: one
            for one in read_records(evaluation / "generations.jsonl", Generation)
            if one.sample == 0
        },
        verdicts=_read_verdicts(evaluation),
        pairs={pair.id: pair for pair in read_records(evaluation / "pairs.jsonl", PairScore)},
        task_scores=_read_task_scores(evaluation),
        merged=tuple(stage.get("merged", ())),
    )


def _read_text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


def _read_identity(path: Path) -> dict[str, Any]:
    return dict(read_json(path).get("identity") or {}) if path.exists() else {}


def _read_verdicts(evaluation: Path) -> dict[str, dict[str, Verdict]]:
    verdicts: dict[str, dict[str, Verdict]] = {}
    for verdict in read_records(evaluation / "verdicts.jsonl", Verdict):
        verdicts.setdefault(win_rate_name(verdict.against, verdict.group), {})[verdict.id] = verdict
    return verdicts


def _read_task_scores(evaluation: Path) -> dict[str, dict[str, float]]:
    scores: dict[str, dict[str, float]] = {}
    for path in sorted((evaluation / "tasks").glob("*.jsonl")):
        for score in read_records(path, TaskScore):
            scores.setdefault(score.metric, {})[score.id] = score.value
    return scores
