"""The `responses` format: JSON lines of id, prompt, response and target, with stage, sample,
n_tokens, finish_reason and cluster if known.

Stages come in order of appearance, and all must answer the same prompts. What a row does not give
stays unknown. A cluster is what prompts come in (a template, a document): every row has one, or
none has.
"""

import math
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field, field_validator, model_validator

from stagelift.evals.data.clusters import cluster_name, refuse_one_for_all, refuse_some_without
from stagelift.evals.finish_reasons import read_finish_reason, unknown_words
from stagelift.evals.imports.results import Imported, ImportedStage, read_valid
from stagelift.evals.metrics.scoring import score
from stagelift.evals.records import Generation

Line = tuple[int, "ResponseRow"]
# what is written, in capitals or not, where there is no target
_NO_TARGET = {"", "nan", "none", "null", "inf", "-inf", "infinity", "-infinity"}


class ResponseRow(BaseModel):
    """One row; keys beyond these are left alone."""

    id: str | int
    prompt: str
    response: str
    target: str | None = None
    stage: str = Field(default="responses", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=80)
    sample: int | None = Field(default=None, ge=0)
    n_tokens: int | None = Field(default=None, ge=0)
    finish_reason: str | None = None
    cluster: Annotated[str | None, BeforeValidator(cluster_name)] = None

    @model_validator(mode="before")
    @classmethod
    def _without_what_is_missing(cls, row: Any) -> Any:
        """pandas writes NaN where a cell is empty."""
        if not isinstance(row, dict):
            return row
        return {key: value for key, value in row.items() if not _is_nan(value)}

    @field_validator("id", "sample", "n_tokens", mode="before")
    @classmethod
    def _no_truth_value(cls, value: Any) -> Any:
        """Python takes True for 1."""
        if isinstance(value, bool):
            raise ValueError(f"{value} stands where a number is needed")
        return value

    @field_validator("target", mode="before")
    @classmethod
    def _target_as_text(cls, value: Any) -> Any:
        """What says that there is none becomes None; a truth value is a word, not 0 or 1."""
        if isinstance(value, int):
            return str(value)
        if isinstance(value, float):
            return _number_as_text(value)
        if isinstance(value, str) and value.strip().casefold() in _NO_TARGET:
            return None
        return value


def read_responses(path: Path) -> Imported:
    """Read a file.

    Raises ValueError, naming lines, for malformed rows, duplicates, and prompts, targets or
    clusters that disagree.
    """
    lines = read_valid(path, ResponseRow, "responses by line")
    refuse_some_without(((f"line {number}", row.cluster) for number, row in lines), str(path))
    _refuse_contradictions(path, lines)
    refuse_one_for_all(
        {str(row.id): row.cluster for _, row in lines if row.cluster is not None}, str(path)
    )
    stages: dict[str, list[Line]] = {}
    for line in lines:
        stages.setdefault(line[1].stage, []).append(line)
    _refuse_duplicates(path, stages)
    _refuse_unequal_prompts(path, stages)
    return Imported(
        [_stage(name, [row for _, row in rows]) for name, rows in stages.items()],
        "",
        {},
        tuple(unknown_words(row.finish_reason for _, row in lines)),
    )


def _refuse_contradictions(path: Path, lines: list[Line]) -> None:
    first: dict[str, Line] = {}
    for number, row in lines:
        first_number, first_row = first.setdefault(str(row.id), (number, row))
        for what, before, now in (
            ("prompts", first_row.prompt, row.prompt),
            ("targets", first_row.target, row.target),
            ("clusters", first_row.cluster, row.cluster),
        ):
            if before != now:
                raise ValueError(
                    f"{path}, lines {first_number} and {number} give different {what} for id "
                    f"'{row.id}' ({_short(before)} and {_short(now)}), so nothing was imported."
                )


def _refuse_duplicates(path: Path, stages: dict[str, list[Line]]) -> None:
    for stage, lines in stages.items():
        seen: dict[tuple[str, int | None], int] = {}
        for number, row in lines:
            key = (str(row.id), row.sample)
            if key in seen:
                sample = "" if row.sample is None else f", sample {row.sample}"
                raise ValueError(
                    f"{path}, lines {seen[key]} and {number} are both id '{row.id}'{sample} of "
                    f"stage '{stage}', so nothing was imported. Several samples of a prompt need "
                    "numbers in `sample`."
                )
            seen[key] = number


def _refuse_unequal_prompts(path: Path, stages: dict[str, list[Line]]) -> None:
    (first, rows), *others = stages.items()
    wanted = {str(row.id) for _, row in rows}
    for name, lines in others:
        ids = {str(row.id) for _, row in lines}
        if ids != wanted:
            differing = sorted(wanted ^ ids)
            example = differing[0]
            lacking = name if example in wanted else first
            raise ValueError(
                f"Stages '{first}' and '{name}' of {path} answer different prompts "
                f"({len(differing)} differ; '{lacking}' lacks id '{example}'), so nothing was "
                "imported."
            )


def _stage(name: str, rows: list[ResponseRow]) -> ImportedStage:
    generations, scores = [], []
    by_prompt: dict[str, list[ResponseRow]] = {}
    for row in rows:
        by_prompt.setdefault(str(row.id), []).append(row)
    for samples in by_prompt.values():
        for number, row in enumerate(sorted(samples, key=lambda row: row.sample or 0)):
            generation = _generation(row, number)
            generations.append(generation)
            scores.append(score(generation, row.prompt, row.target, row.cluster))
    return ImportedStage(name, generations, scores, [], {})


def _generation(row: ResponseRow, sample: int) -> Generation:
    return Generation(
        id=str(row.id),
        group="test",
        sample=sample,
        prompt=row.prompt,
        response=row.response,
        n_tokens=row.n_tokens,
        finish_reason=read_finish_reason(row.finish_reason),
    )


def _is_nan(value: object) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _number_as_text(value: float) -> str | None:
    """Write a whole number without a point or an exponent; infinity is no number."""
    if not math.isfinite(value):
        return None
    return str(int(value)) if value.is_integer() else str(value)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}..."
