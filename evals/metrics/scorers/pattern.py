"""A regular expression is found in the response.

Patterns are of the `regex` library, which can be stopped: one that takes too long on a response
is a failure, and no verdict on it.
"""

from typing import Literal

import regex

from stagelift.evals.metrics.scorers.scorer import Row, Scorer
from stagelift.evals.metrics.scorers.texts import accepted, equals, spoken
from stagelift.evals.records import Scored

# seconds for one response
TIMEOUT = 1.0


class Pattern(Scorer):
    """Without a group, 1 where the pattern is found; with one, 1 where what the group holds in its
    last match is an accepted answer.

    `.` stands for a new line, too, only where the pattern says so, as `(?s)` does.
    """

    kind: Literal["regex"] = "regex"
    pattern: str

    def check(self) -> None:
        """Raise ValueError where the pattern does not compile."""
        try:
            regex.compile(self.pattern)
        except (regex.error, RecursionError, OverflowError) as error:
            raise ValueError(
                f"The pattern of scorer regex, {self.pattern!r:.80}, is no regular expression: "
                f"{error}."
            ) from error

    def check_target(self, row: Row) -> None:
        """Raise ValueError, as a clause, where there is a group and nothing to compare it with."""
        if regex.compile(self.pattern).groups:
            accepted(row["target"])

    def score(self, response: str, row: Row) -> Scored:
        """Look for the pattern. Raises TimeoutError where that takes too long."""
        pattern, said = regex.compile(self.pattern), spoken(response)
        try:
            matches = list(pattern.finditer(said, timeout=TIMEOUT))
        except TimeoutError as error:
            raise TimeoutError(f"the pattern takes longer than {TIMEOUT:g} s") from error
        if not matches:
            return Scored(value=0.0, unread=True)
        if not pattern.groups:
            return Scored(value=1.0, answer=matches[-1][0][:200])
        answer = next((group for group in matches[-1].groups() if group is not None), "")
        is_equal = any(equals(answer, wanted) for wanted in accepted(row["target"]))
        return Scored(value=float(is_equal), answer=answer[:200])
