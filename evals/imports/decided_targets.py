"""Whether the numbers of a task are answers is decided once, for all stages of an import.

A stage that got nothing right cannot tell; one that did tells for all.
"""

from collections.abc import Sequence

from stagelift.evals.imports.results import ImportedStage, Undecided


def decide_targets(stages: Sequence[ImportedStage]) -> list[ImportedStage]:
    """Score responses against numbers where any stage's responses tell that these are answers."""
    stated = frozenset[str]().union(*(stage.stated for stage in stages))
    return [_decided(stage, stated) for stage in stages]


def _decided(stage: ImportedStage, stated: frozenset[str]) -> ImportedStage:
    for task in stage.undecided.keys() & stated:
        stage = _scored(stage, task, stage.undecided[task])
    return stage


def _scored(stage: ImportedStage, task: str, now: Undecided) -> ImportedStage:
    new = {(score.id, score.sample): score for score in now.scores}
    targets = {score.id: score.target for score in now.scores}
    measured = [
        score for score in stage.task_scores.get(task, []) if score.metric not in now.instead
    ]
    others = {name: scores for name, scores in stage.task_scores.items() if name != task}
    return stage._replace(
        scores=[new.get((score.id, score.sample), score) for score in stage.scores],
        task_scores=others | ({task: measured} if measured else {}),
        documents={
            name: document._replace(target=document.target or targets.get(name))
            for name, document in stage.documents.items()
        },
        stated=stage.stated | {task},
        undecided={name: of for name, of in stage.undecided.items() if name != task},
    )
