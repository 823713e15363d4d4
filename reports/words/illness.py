"""Signs of illness that stages showed while they trained, and where one was ended for it.

A stage's record holds what was said while it ran. That of an earlier version does not: its history
is read by the signs there are now.
"""

from dataclasses import dataclass

from stagelift.reports.records import StageRecord
from stagelift.reports.report import Report
from stagelift.stages.health.finding import Finding
from stagelift.stages.health.watch import findings

TITLE = "Signs of illness while training"


@dataclass(frozen=True)
class Illness:
    """What a stage was ill of, a sentence each; the first says where it was ended, if it was."""

    stage: str
    sentences: tuple[str, ...]


def illnesses(report: Report) -> list[Illness]:
    """Return the stages that showed signs of illness, in the order of the report."""
    return [
        Illness(report.column(stage), sentences)
        for stage in report.stages()
        if (sentences := illness_sentences(stage))
    ]


def illness_sentences(stage: StageRecord) -> tuple[str, ...]:
    """Say what a stage was ill of; nothing for one that was well, or trained nothing."""
    if stage.training is None:
        return ()
    stopped = stage.training.stopped
    ended = () if stopped is None else (f"Training was {stopped.text}",)
    return (*ended, *map(_sentence, signs_of(stage)))


def signs_of(stage: StageRecord) -> list[Finding]:
    """Return the signs of illness that a stage showed while it trained."""
    if stage.training is None:
        return []
    return stage.training.signs or findings(stage.training.history)


def _sentence(sign: Finding) -> str:
    return f"Since step {sign.step}: {sign.text} {sign.remedy}"
