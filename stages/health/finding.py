"""What was seen of an illness: a sign that was there at a step, and where training was ended."""

from pydantic import Field

from stagelift.evals.records import Record


class Finding(Record):
    """A sign of illness, at the first step where it was there.

    `value` is what was measured, at or above the sign's `threshold`; `text` says it in a sentence
    and `remedy` what to do. `ends` says whether `stop_when_ill` ends the stage for it.
    """

    sign: str
    step: int
    value: float
    threshold: float
    text: str
    remedy: str
    ends: bool


class Stop(Record):
    """Where training was ended before its last step, and the sentence that says why.

    `kept` is the step of the adapter that was kept, where it is an earlier one.
    """

    step: int
    steps: int
    why: str
    kept: int | None = Field(default=None, exclude_if=lambda kept: kept is None)

    @property
    def text(self) -> str:
        """Say it in a sentence."""
        kept = "" if self.kept is None else f" The adapter is that of step {self.kept}."
        return f"stopped at step {self.step} of {self.steps}: {self.why}{kept}"
