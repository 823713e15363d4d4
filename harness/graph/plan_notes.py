"""What a plan is warned of before it trains, though nothing forbids it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from stagelift.harness.graph.lora_scales import scale_notes
from stagelift.harness.graph.node import Plan
from stagelift.harness.graph.row_counts import row_notes
from stagelift.harness.graph.validation import unused_note
from stagelift.stages.rows.problems import answer_note


@dataclass(frozen=True)
class PlanNote:
    """A warning, and what it is about, by its name in JSON."""

    about: Literal["answers", "rows", "scale", "validation"]
    text: str


def plan_notes(plan: Plan) -> list[PlanNote]:
    """Say from how many rows stages cannot learn or lose something, what variants change unsaid,
    and which data nothing is selected by.
    """
    return [
        *(PlanNote("answers", text) for text in dict.fromkeys(_answer_notes(plan))),
        *(PlanNote("rows", text) for text in row_notes(plan)),
        *(PlanNote("scale", text) for text in scale_notes(plan)),
        *(PlanNote("validation", text) for text in _validation_notes(plan)),
    ]


def _answer_notes(plan: Plan) -> Iterator[str]:
    for node in plan.nodes:
        note = None if node.settings is None else answer_note(node.settings)
        if note is not None:
            yield note


def _validation_notes(plan: Plan) -> list[str]:
    note = unused_note(plan)
    return [] if note is None else [note]
