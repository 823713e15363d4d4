"""A function of the user's own: `(response, row) -> float | bool | None`.

It is named by its path, such as `my_scorers.sql_equal`, of a module in the working folder. Its code
is known by a hash of its module's file: what that imports is not covered. It runs with the user's
own rights, and nothing bounds its time.
"""

import ast
import copy
import math
import numbers
from typing import Any, Literal

import numpy as np
from pydantic import field_validator

from stagelift.evals.metrics.measures import SHARE, Bounds
from stagelift.evals.metrics.scorers.scorer import Row, Scorer
from stagelift.evals.records import Scored
from stagelift.evals.user_code import WrittenFunction, code_of, load_function, look_at_function


class Function(Scorer):
    """What the function returns: true and false are 1 and 0, None measures nothing of this row.

    `range` holds its least and its most, "any" where it has no such ends. More is better.
    """

    kind: Literal["function"] = "function"
    path: str
    range: tuple[float, float] | Literal["any"] = SHARE

    @field_validator("range")
    @classmethod
    def _has_two_ends(cls, ends: Any) -> Any:
        if ends != "any" and not (
            all(map(math.isfinite, ends)) and ends[0] < ends[1] and _are_short(ends)
        ):
            raise ValueError(
                f"The range of a scorer is {list(ends)}. Write its least and its most, such as "
                "[1, 5], or any."
            )
        return ends

    @property
    def called(self) -> str:
        return self.path

    @property
    def bounds(self) -> Bounds | None:
        return None if self.range == "any" else self.range

    def check(self) -> None:
        """Raise ValueError where there is no such function, or it takes something else."""
        written = look_at_function(self.path, "Scorer")
        if written.arguments is not None and not is_scorer(written):
            raise ValueError(
                f"Scorer '{self.path}' must take a response and a row: def "
                f"{self.path.rpartition('.')[2]}(response, row) -> float | bool | None."
            )

    def check_target(self, row: Row) -> None:
        """Any target may do: the function is tried on some rows by `check_rows`."""

    def score(self, response: str, row: Row) -> Scored:
        """Ask the function, with a row of its own, so that it can change nothing."""
        value = load_function(self.path, "Scorer")(response, copy.deepcopy(row))
        if value is None:
            return Scored(value=None)
        if not isinstance(value, numbers.Real | np.bool_) or not math.isfinite(float(value)):
            raise ValueError(f"it returned {value!r:.60}, which is no number, true, false or None")
        low, high = self.bounds or (-math.inf, math.inf)
        if not low <= float(value) <= high:
            raise ValueError(
                f"it returned {float(value):g}, which is not from {low:g} to {high:g}: name its "
                f"ends, as in {{{self.path}: {{range: [1, 5]}}}}, or {{range: any}}"
            )
        return Scored(value=float(value))

    def identity(self) -> dict[str, Any]:
        """Add what the code is."""
        return {**super().identity(), "code": code_of(self.path)}


def is_scorer(function: WrittenFunction) -> bool:
    """Say whether a function takes a response and a row; TRL's rewards take `completions`.

    One whose arguments its source does not show counts as a reward.
    """
    arguments = function.arguments
    return arguments is not None and takes_response_and_row(arguments)


def takes_response_and_row(arguments: ast.arguments) -> bool:
    """Say whether a function can be called with a response and a row, and takes no keywords as
    TRL's rewards do.
    """
    in_order = [*arguments.posonlyargs, *arguments.args]
    names = {argument.arg for argument in [*in_order, *arguments.kwonlyargs]}
    needed = len(in_order) - len(arguments.defaults)
    takes_two = needed <= 2 and (len(in_order) >= 2 or arguments.vararg is not None)
    needs_more = None in arguments.kw_defaults
    of_trl = arguments.kwarg is not None or bool(names & {"completions", "completion_ids"})
    return takes_two and not needs_more and not of_trl


def _are_short(ends: tuple[float, float]) -> bool:
    """A metric's name has them in it."""
    return all(len(f"{end:g}") <= 10 and float(f"{end:g}") == end for end in ends)
