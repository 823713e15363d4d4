"""A report's numbers as pandas frames, one for each kind of row.

Counts and truth values are of pandas' nullable types, so that what was not measured is missing and
never 0 or False.
"""

from collections.abc import Sequence
from dataclasses import fields
from types import NoneType
from typing import Any, get_args

import pandas as pd

from stagelift.evals.metrics.measures import ordered
from stagelift.reports.formats.tidy import (
    ComparisonRow,
    ProblemRow,
    StageRow,
    comparison_rows,
    problem_rows,
    stage_rows,
)
from stagelift.reports.report import Report

_DTYPES = {str: "string", int: "Int64", float: "float64", bool: "boolean"}


def stage_frame(report: Report) -> pd.DataFrame:
    """Return a row for each stage and metric; the columns are those of `StageRow`."""
    return _frame(StageRow, stage_rows(report))


def comparison_frame(report: Report) -> pd.DataFrame:
    """Return a row for each comparison; the columns are those of `ComparisonRow`."""
    return _frame(ComparisonRow, comparison_rows(report))


def problem_frame(report: Report) -> pd.DataFrame:
    """Return a row for each stage, prompt and sample.

    The columns are those of `ProblemRow`, and one for each metric that has `values`.
    """
    rows = problem_rows(report)
    metrics = ordered(name for row in rows for name in row.values)
    measured = {
        name: pd.array([row.values.get(name, float("nan")) for row in rows], dtype="float64")
        for name in metrics
    }
    frame = _frame(ProblemRow, rows).drop(columns="values")
    return pd.concat([frame, pd.DataFrame(measured, index=frame.index)], axis="columns")


def _frame(kind: type[Any], rows: Sequence[Any]) -> pd.DataFrame:
    """Make a frame whose columns have the types of a row's fields, also where there is no row."""
    types = {field.name: _dtype(field.type) for field in fields(kind)}
    frame = pd.DataFrame([vars(row) for row in rows], columns=list(types))
    return frame.astype({name: dtype for name, dtype in types.items() if dtype is not None})


def _dtype(annotation: Any) -> str | None:
    """Return pandas' name of a field's type; None for what is no single value."""
    kinds = [kind for kind in get_args(annotation) or (annotation,) if kind is not NoneType]
    # the words of a Literal are values of their type
    found = {kind if isinstance(kind, type) else type(kind) for kind in kinds}
    return _DTYPES.get(found.pop()) if len(found) == 1 else None
