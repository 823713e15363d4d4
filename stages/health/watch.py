"""Looks for signs of illness while a training logs, row by row.

What is found follows from the rows alone. The same rows give the same findings, whether they come
from a training that runs, one that goes on after a kill, or from the record of an earlier one.
"""

from collections.abc import Iterable, Mapping

from pydantic import JsonValue

from stagelift.stages.health.finding import Finding, Stop
from stagelift.stages.health.logged import Logged
from stagelift.stages.health.numbers import LOST_WEIGHTS
from stagelift.stages.health.sign import Sign
from stagelift.stages.health.signs import SIGNS

Row = Mapping[str, JsonValue]


def findings(history: Iterable[Row]) -> list[Finding]:
    """Return the signs in a history, whose rows hold `step` beside what was logged."""
    watch = Watch()
    for row in history:
        watch.add(row)
    return watch.found


class Watch:
    """The log of a training so far, and the signs that were found in it, each once."""

    def __init__(self) -> None:
        self.found: list[Finding] = []
        self._logged = Logged()
        self._unseen = list(SIGNS)

    def add(self, row: Row) -> list[Finding]:
        """Add what was logged at a step, and return the signs that are there since."""
        self._logged.add(row)
        new = [
            finding
            for sign in self._unseen
            if sign.of in row and (finding := self._finding(sign, row)) is not None
        ]
        names = {finding.sign for finding in new}
        self._unseen = [sign for sign in self._unseen if sign.name not in names]
        self.found += new
        return new

    def stop(self, step: int, steps: int, *, when_ill: bool) -> Stop | None:
        """Return whether and why training ends here: it was asked to when ill, or its weights are
        lost. Nothing is there to stop after the last step.
        """
        lost = [finding for finding in self.found if finding.sign == LOST_WEIGHTS]
        ill = [finding for finding in self.found if finding.ends]
        if lost:
            return Stop(step=step, steps=steps, why=lost[0].text)
        if when_ill and ill and step < steps:
            return Stop(step=step, steps=steps, why=ill[0].text)
        return None

    def _finding(self, sign: Sign, row: Row) -> Finding | None:
        reading, step = sign.read(self._logged), row.get("step")
        if reading is None or reading.value < sign.threshold or not isinstance(step, int | float):
            return None
        return Finding(
            sign=sign.name,
            step=int(step),
            value=reading.value,
            threshold=sign.threshold,
            text=reading.text,
            remedy=sign.remedy,
            ends=sign.ends,
        )
