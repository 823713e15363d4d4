"""A check's answer as Python has it: the outcome, its exit code, the gates as a frame."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Literal

from stagelift.harness.errors import UsageError
from stagelift.reports.gates import answer as answers
from stagelift.reports.gates.answer import Answer
from stagelift.reports.gates.check import Check
from stagelift.reports.gates.gate import Gate, Outcome

if TYPE_CHECKING:
    import pandas as pd

_RENDERED = {
    "terminal": answers.render_terminal,
    "markdown": answers.render_markdown,
    "json": answers.render_json,
    "junit": answers.render_junit,
    "github": answers.render_github,
}


class Decision:
    """Whether a candidate may pass beside a baseline.

    `outcome` is `not comparable` where there is no answer; `reason` says then which field differs.
    """

    def __init__(self, answer: Answer, *, inconclusive_passes: bool) -> None:
        self._answer = answer
        self._inconclusive_passes = inconclusive_passes

    @property
    def outcome(self) -> Outcome | Literal["not comparable"]:
        """What all gates make together."""
        return self._answer.outcome if isinstance(self._answer, Check) else "not comparable"

    @property
    def exit_code(self) -> int:
        """What `stagelift check` ends with: 0 passed, 1 regressed, 3 inconclusive, 4 not
        comparable.
        """
        match self.outcome:
            case "not comparable":
                return 4
            case "regressed":
                return 1
            case "inconclusive":
                return 0 if self._inconclusive_passes else 3
            case _:
                return 0

    @property
    def passed(self) -> bool:
        """Whether the exit code is 0."""
        return self.exit_code == 0

    @property
    def reason(self) -> str:
        """The answer in a sentence."""
        return answers.headline(self._answer)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know beside it."""
        return self._answer.notes if isinstance(self._answer, Check) else ()

    @property
    def gates(self) -> "pd.DataFrame":
        """A row for each gated metric: difference, one-sided 95% bounds (low, high), margin,
        outcome. No row where there is no answer.
        """
        import pandas as pd

        gates = self._answer.gates if isinstance(self._answer, Check) else []
        return pd.DataFrame([asdict(gate) for gate in gates], columns=list(Gate.__annotations__))

    def report(self, format: str = "markdown") -> str:
        """Return the answer as text: terminal, markdown, json, junit or github.

        Raises UsageError for another format.
        """
        if format not in _RENDERED:
            raise UsageError(f"There is no format {format!r}. Formats: {', '.join(_RENDERED)}.")
        return _RENDERED[format](self._answer)

    def __repr__(self) -> str:
        return f"Decision({self.outcome})"

    def __str__(self) -> str:
        return self.report("terminal")

    def _repr_markdown_(self) -> str:
        return self.report("markdown")
