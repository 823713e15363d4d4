"""Which metrics of documents stages share, so that each is compared over the same documents.

A metric that a stage lacks altogether stays with the others, and is compared with none; one that it
lacks for some documents would be compared over other documents than its mean is of.
"""

from collections.abc import Sequence
from typing import NamedTuple

from stagelift.evals.imports.results import ImportedStage

# by metric, and by the stage's place: the documents that have it
_Documents = dict[str, dict[int, set[str]]]


class Shared(NamedTuple):
    """Stages of which each metric is of the same documents wherever it is, and what was not."""

    stages: list[ImportedStage]
    notes: list[str]


def share_metrics(stages: Sequence[ImportedStage], *, common: bool) -> Shared:
    """Say which stages lack a metric, and with `common` cut those that some documents lack.

    Raises ValueError without `common`, and where no document has it in all stages.
    """
    notes: list[str] = []
    cut: dict[str, set[str]] = {}
    for metric, by_stage in _documents(stages).items():
        notes += _lacking(metric, by_stage, stages)
        kept, everything = set.intersection(*by_stage.values()), set.union(*by_stage.values())
        if kept == everything:
            continue
        if not common or not kept:
            raise ValueError(_unequal(metric, by_stage, stages))
        cut[metric] = kept
        notes.append(
            f"{metric} is of the {len(kept)} of {len(everything)} documents that have it in all "
            "stages"
        )
    return Shared([_cut(stage, cut) for stage in stages] if cut else [*stages], notes)


def _documents(stages: Sequence[ImportedStage]) -> _Documents:
    found: _Documents = {}
    for place, stage in enumerate(stages):
        for scores in stage.task_scores.values():
            for score in scores:
                found.setdefault(score.metric, {}).setdefault(place, set()).add(score.id)
    return found


def _lacking(
    metric: str, by_stage: dict[int, set[str]], stages: Sequence[ImportedStage]
) -> list[str]:
    names = dict.fromkeys(
        f"'{stage.name}'" for place, stage in enumerate(stages) if place not in by_stage
    )
    return [f"{metric} is not compared: {', '.join(names)} has none"] if names else []


def _unequal(metric: str, by_stage: dict[int, set[str]], stages: Sequence[ImportedStage]) -> str:
    """Say which document of which stage lacks a metric, and what would help."""
    kept, everything = set.intersection(*by_stage.values()), set.union(*by_stage.values())
    place = next(place for place, ids in by_stage.items() if ids != everything)
    remedy = (
        f"Give --common to keep {metric} for the {len(kept)} that have it everywhere."
        if kept
        else "Import the stages apart."
    )
    return (
        f"{metric} is not measured on the same documents in all stages: '{stages[place].name}' "
        f"lacks it for id '{min(everything - by_stage[place])}', and {len(everything - kept)} of "
        f"{len(everything)} documents lack it somewhere, so nothing was imported. {remedy}"
    )


def _cut(stage: ImportedStage, kept: dict[str, set[str]]) -> ImportedStage:
    """Leave out the values of documents that are not kept."""
    scores = {
        task: [row for row in rows if row.metric not in kept or row.id in kept[row.metric]]
        for task, rows in stage.task_scores.items()
    }
    return stage._replace(task_scores={task: rows for task, rows in scores.items() if rows})
