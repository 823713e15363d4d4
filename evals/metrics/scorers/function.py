"""A function of the user's own: `(response, row) -> float | bool | None`.

It is named by its path, such as `my_scorers.sql_equal`; modules in the working folder count. Its
code is known by a hash of its module's file: what that imports is not covered. It runs with the
user's own rights, and nothing bounds its time.
"""

import copy
import hashlib
import importlib
import inspect
import math
import numbers
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import field_validator

from stagelift.evals.metrics.measures import SHARE, Bounds
from stagelift.evals.metrics.scorers.scorer import Row, Scorer
from stagelift.evals.records import Scored


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
        if not is_scorer(load_function(self.path, "Scorer")):
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


def is_scorer(function: Callable[..., Any]) -> bool:
    """Say whether a function takes a response and a row; TRL's rewards take `completions`."""
    try:
        parameters = inspect.signature(function).parameters.values()
        inspect.signature(function).bind("response", {})
    except (TypeError, ValueError):
        return False
    keywords = {known.name for known in parameters if known.kind is not known.VAR_KEYWORD}
    takes_any = any(known.kind is known.VAR_KEYWORD for known in parameters)
    return not takes_any and not keywords & {"completions", "completion_ids"}


def load_function(path: str, what: str) -> Callable[..., Any]:
    """Return the function at a path, such as `package.module.function`.

    Raises ValueError, in a sentence that calls it `what`, where there is none.
    """
    module_name, _, name = path.rpartition(".")
    function = getattr(_imported(path, module_name, what), name, None)
    if not callable(function):
        raise ValueError(f"{what} '{path}': module '{module_name}' has no function '{name}'.")
    return function  # type: ignore[no-any-return]  # a user's; whoever asks checks what it returns


def code_of(path: str) -> str:
    """Return a hash of the file of a function's module; its path where there is no file."""
    module = sys.modules.get(load_function(path, "Function").__module__)
    file = getattr(module, "__file__", None)
    return path if file is None else hashlib.sha256(Path(file).read_bytes()).hexdigest()


def _imported(path: str, module_name: str, what: str) -> Any:
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.append(here)
    try:
        return importlib.import_module(module_name)
    except (Exception, SystemExit) as error:
        # a user's module can fail in any way
        raise ValueError(
            f"{what} '{path}' cannot be imported: {type(error).__name__}: {error}."
        ) from error


def _are_short(ends: tuple[float, float]) -> bool:
    """A metric's name has them in it."""
    return all(len(f"{end:g}") <= 10 and float(f"{end:g}") == end for end in ends)
