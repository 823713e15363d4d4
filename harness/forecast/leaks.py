"""Evaluation problems that stand in the training data: how much of what is asked shares its words
with what each stage trains on.
"""

from collections.abc import Mapping

from stagelift.evals.data.overlap import WORDS, Overlap, overlap
from stagelift.harness.forecast.advice import Advice
from stagelift.harness.forecast.material import Asked, TrainedOn
from stagelift.harness.graph.node import Plan
from stagelift.reports.words.counting import listed, number_of
from stagelift.stages.rows.training import reading
from stagelift.stages.settings import StageSettings

_QUESTIONS = {
    "test": "test problem",
    "held_out": "held-out problem",
    "preference": "preference prompt",
    "task": "own-task prompt",
}


def overlap_advice(plan: Plan, asked: Asked, trained_on: TrainedOn) -> list[Advice]:
    """Say how much of what is asked, group by group, stands in what each stage trains on."""
    questions = asked.texts()
    kinds: dict[tuple[str, tuple[Overlap, ...]], list[str]] = {}
    unchecked = [f"{what}, which cannot be read here" for what in asked.unreached()]
    for settings in _distinct(plan):
        data, texts = settings.dataset, trained_on.of(settings)
        if texts is None:
            unchecked.append(f"{settings.kind}'s data, {data.path}, which cannot be read here")
            continue
        rows = f"the {len(texts):,} rows of {data.path}, {data.split}"
        lines = [text for row in texts for text in row]
        overlaps = tuple(overlap(group, lines) for group in questions.values())
        kinds.setdefault((rows, overlaps), []).append(settings.kind)
    unchecked += [
        f"what {node.name} was trained on" for node in plan.nodes if node.kind == "checkpoint"
    ]
    unchecked += [f"lm-eval's {task.task}" for task in plan.settings.tasks]
    checked = [
        advice
        for (rows, overlaps), names in kinds.items()
        for advice in _of_data(
            f"{listed(names)} ({rows})", dict(zip(questions, overlaps, strict=True))
        )
    ]
    return checked + [
        Advice("overlap", "note", f"Not checked for overlap: {what}.") for what in unchecked
    ]


def _distinct(plan: Plan) -> list[StageSettings]:
    """Return the stages that read different rows, or the same ones in another way."""
    stages = [node.settings for node in plan.nodes if node.settings is not None]
    return list({reading(settings): settings for settings in stages}.values())


def _of_data(who: str, groups: Mapping[str, Overlap]) -> list[Advice]:
    """Warn of each group that shares something, and name those that do not in a note."""
    warnings = [
        Advice("overlap", "warning", f"{who}: {_shared(group, seen)}")
        for group, seen in groups.items()
        if seen.sharing
    ]
    apart = [
        f"{_asked(group, seen)}{_short(seen)}" for group, seen in groups.items() if not seen.sharing
    ]
    if not apart:
        return warnings
    text = f"{who}: no {WORDS} words in a row are shared with the {' or the '.join(apart)}."
    return [*warnings, Advice("overlap", "note", text)]


def _shared(group: str, seen: Overlap) -> str:
    """Say how much is shared: a problem that stands in the data whole is a leak, shared wording
    alone is none.
    """
    assert seen.closest is not None
    name, share = seen.closest
    return (
        f"{seen.sharing:,} of {_asked(group, seen)} "
        f"({100 * seen.sharing / seen.asked:.0f}%){_short(seen)} share {WORDS} words in a "
        f"row with them, {seen.sharing_half:,} at least half of all their runs of {WORDS}; "
        f"closest is {name}, with {100 * share:.0f}%. {_verdict(seen)}"
    )


def _asked(group: str, seen: Overlap) -> str:
    return number_of(seen.asked, _QUESTIONS[group])


def _short(seen: Overlap) -> str:
    return f" ({seen.too_short:,} too short to tell)" if seen.too_short else ""


def _verdict(seen: Overlap) -> str:
    if not seen.whole:
        return (
            "None stands there word for word: templates and stock phrases look like this, copied "
            "problems do not, though reworded ones might."
        )
    named = ", ".join(seen.whole[:3])
    if len(seen.whole) > 3:
        named += ", ..."
    return (
        f"{len(seen.whole):,} stand there WORD FOR WORD ({named}): a model can know them by "
        "heart. Take them out of the training data, or its accuracy is partly memory."
    )
