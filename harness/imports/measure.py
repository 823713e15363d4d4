"""Imported stages measured: judged, summed up, under the contract that they share."""

from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

from stagelift.evals.data.bundled_data import SCHOOLMATH
from stagelift.evals.data.clusters import partition
from stagelift.evals.data.preferences import load_preferences
from stagelift.evals.data.source import Source
from stagelift.evals.imports.content import content_of
from stagelift.evals.imports.pairing import documents_of
from stagelift.evals.imports.results import Imported, ImportedStage, task_metrics
from stagelift.evals.judges import reference
from stagelift.evals.judges.attached import Attached
from stagelift.evals.judges.gold import gold_agreement
from stagelift.evals.judges.judging import judge_responses
from stagelift.evals.judges.passport import passport
from stagelift.evals.metrics.answers.reading import EXTRACTION
from stagelift.evals.metrics.clusters import clusters_of
from stagelift.evals.metrics.suite import compute_metrics
from stagelift.evals.records import EvalResult, GoldAgreement, Passport, Role, Verdict
from stagelift.harness.environment import versions
from stagelift.harness.errors import UsageError
from stagelift.harness.graph.digest import digest
from stagelift.harness.graph.imported import ImportedGraph, ImportedNode
from stagelift.harness.recipes.sections import BUNDLED_GOLD


class MeasuredStage(NamedTuple):
    """A stage as it is stored: the name of its node, how it was judged, and what was measured."""

    node: str
    verdicts: list[Verdict]
    result: EvalResult


def measure_stages(
    graph: ImportedGraph, imported: Imported, attached: Attached | None, contract: dict[str, Any]
) -> list[MeasuredStage]:
    """Judge and measure every stage. Raises UsageError where there is nothing to average."""
    stages = [node.stage for node in graph.nodes]
    # once a stage: each is part of every later one's name
    answered = [digest([response.model_dump() for response in s.generations]) for s in stages]
    measured = []
    for place, node in enumerate(graph.nodes):
        verdicts, judged_by = _judged(place, graph, imported, attached)
        result = _result(node, verdicts, judged_by, contract)
        before = [answered[other] for other in node.before]
        given = [] if attached is None else attached.verdicts[place]
        measured.append(MeasuredStage(_node_id(node.stage, given, before), verdicts, result))
    return measured


def shared_contract(
    formats: Sequence[str], imported: Imported, attached: Attached | None
) -> dict[str, Any]:
    """What must agree for two imports to be compared.

    That is the same prompts and targets in the same clusters, read and judged the same way.
    """
    stage = imported.stages[0]
    given = {
        "data": _asked(stage),
        "judge": reference.ID if _can_judge(imported) else None,
        **imported.contract,
    }
    if attached is not None:
        given["judge"] = attached.judge
        if attached.reference is not None:
            given["reference"] = attached.reference
    samples = max((score.sample for score in stage.scores), default=0) + 1
    return {
        **given,
        "imported": " + ".join(dict.fromkeys(formats)),
        "data": digest(given["data"]),
        "samples": samples,
        "extraction": EXTRACTION,
        **_clusters(stage),
    }


def _asked(stage: ImportedStage) -> list[tuple[str | None, ...]]:
    """Return every document: scored ones by prompt and target, others by what is known of them."""
    scored = {(score.id, score.question, score.target) for score in stage.scores}
    named = {score.id for score in stage.scores}
    others = {
        (name, *content_of(document))
        for name, document in documents_of(stage).items()
        if name not in named
    }
    return sorted({*scored, *others}, key=str)


def _clusters(stage: ImportedStage) -> dict[str, str]:
    """What the contract says of clusters: how many, and which prompts come together."""
    clusters = clusters_of(stage.scores)
    if not clusters:
        return {}
    together = partition(clusters)
    return {"clusters": f"{len(together)} clusters, {digest(together)}"}


def _can_judge(imported: Imported) -> bool:
    """The reference judge needs a target everywhere."""
    scores = [score for stage in imported.stages for score in stage.scores]
    return bool(scores) and all(score.correct is not None for score in scores)


def _node_id(stage: ImportedStage, given: Sequence[Verdict], before: list[str]) -> str:
    """Hash what a stage answered and scored, the verdicts given on it, and what those `before` it
    answered.
    """
    records = (*stage.generations, *stage.scores, *stage.verdicts, *given)
    content = [record.model_dump() for record in records]
    return f"imported-{digest([content, before, _plain(stage)])}"


def _result(
    node: ImportedNode,
    verdicts: list[Verdict],
    judged_by: Passport | None,
    contract: dict[str, Any],
) -> EvalResult:
    """Measure a stage. Raises UsageError where there is nothing to average."""
    stage = node.stage
    measured = compute_metrics(stage.scores, verdicts)
    tasks = task_metrics(score for scores in stage.task_scores.values() for score in scores)
    if not measured.metrics and not tasks:
        raise UsageError(
            f"Nothing in stage '{node.name}' can be averaged over prompts, so there is nothing to "
            "import."
        )
    return EvalResult(
        contract_id=digest(contract),
        contract=contract,
        metrics=measured.metrics | tasks,
        outcomes=measured.outcomes,
        win_tie_loss=measured.win_tie_loss,
        extrapolated=measured.extrapolated,
        passport=judged_by,
        seconds=None,
        peak_memory_bytes=None,
        versions=versions(),
    )


def _plain(stage: ImportedStage) -> dict[str, Any]:
    return {
        task: [score.model_dump() for score in scores] for task, scores in stage.task_scores.items()
    }


def _judged(
    place: int, graph: ImportedGraph, imported: Imported, attached: Attached | None
) -> tuple[list[Verdict], Passport | None]:
    """Take the verdicts that were given, else ask the reference judge.

    It compares with the first and the previous stage.
    """
    node = graph.nodes[place]
    if attached is not None and attached.verdicts[place]:
        given = attached.verdicts[place]
        return given, passport(attached.judge, None, given, None, None)
    if node.stage.verdicts:
        judge_id = imported.contract["judge"]
        return node.stage.verdicts, passport(judge_id, None, node.stage.verdicts, None, None)
    if attached is not None or not node.before or not _can_judge(imported):
        return [], None
    others: dict[Role, ImportedStage] = {
        "base": graph.nodes[node.before[0]].stage,
        "previous": graph.nodes[node.before[-1]].stage,
    }
    against = {role: (other.scores, other.generations) for role, other in others.items()}
    judge = reference.reference_judge()
    mine = (node.stage.scores, node.stage.generations)
    verdicts = judge_responses(mine, against, judge, ["test"])
    return verdicts, passport(judge.id, None, verdicts, _reference_gold(), None)


@cache
def _reference_gold() -> GoldAgreement | None:
    """The same for every stage, in the rehearsal and after it."""
    gold = Source(path=SCHOOLMATH, split="test", limit=BUNDLED_GOLD)
    return gold_agreement(
        reference.reference_judge(), load_preferences(gold), f"{gold.path}, {gold.split}"
    )
