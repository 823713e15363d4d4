"""The length of a stage's responses to each test problem, in one unit for a whole report."""

from collections.abc import Sequence
from typing import Literal

from stagelift.evals.metrics.measures import measure
from stagelift.reports.numbers.values import prompt_values
from stagelift.reports.records import StageRecord

Unit = Literal["tokens", "characters"]
_METRICS: dict[Unit, str] = {"tokens": "length_tokens", "characters": "length_chars"}


def known_unit(stages: Sequence[StageRecord]) -> Unit:
    """Say what lengths are compared in: tokens, unless a stage's are known in characters only."""
    in_tokens = [
        bool(prompt_lengths(stage, "tokens"))
        for stage in stages
        if prompt_lengths(stage, "characters")
    ]
    if all(in_tokens):
        return "tokens"
    return "characters"


def prompt_lengths(stage: StageRecord, unit: Unit) -> dict[str, float]:
    """Return the mean length over the samples of each test problem, by id.

    Empty where the length of one response is not known.
    """
    name = _METRICS[unit]
    field = str(measure(name).field)
    lengths = [getattr(score, field) for score in stage.scores if score.group == "test"]
    if None in lengths:
        return {}
    return prompt_values(name, stage, stage)
