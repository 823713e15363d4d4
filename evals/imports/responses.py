"""The `responses` format: a table of prompts and responses, with id, target, stage, variant, seed,
sample, n_tokens, finish_reason, cluster and a judge's verdict if known.

Stages come in order of appearance, one for each variant and training seed. What a row does not give
stays unknown; a row without an id goes by its prompt and target. A cluster is what prompts come in
(a template, a document): every row has one, or none has.
"""

import hashlib
import json
import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field, field_validator, model_validator

from stagelift.evals.credentials import words_without_credentials
from stagelift.evals.data.clusters import cluster_name, refuse_one_for_all, refuse_some_without
from stagelift.evals.data.preference_value import read_preference
from stagelift.evals.finish_reasons import read_finish_reason, unknown_words
from stagelift.evals.imports.columns import NO_COLUMNS, Columns, refuse_missing
from stagelift.evals.imports.content import content_id
from stagelift.evals.imports.messages import prompt_text, response_text
from stagelift.evals.imports.reader import Reader
from stagelift.evals.imports.results import (
    STAGE_NAME,
    Document,
    Imported,
    ImportedStage,
    read_valid,
)
from stagelift.evals.imports.seen import Seen, look_at
from stagelift.evals.metrics.scoring import score
from stagelift.evals.records import Generation, Verdict

Line = tuple[int, "ResponseRow"]
# a stage's name, its variant and its training seed
_Key = tuple[str, str | None, int | None]
_VARIANT = r"[A-Za-z0-9][A-Za-z0-9._=,+-]{0,79}"
# what is written, in capitals or not, where there is no target
_NO_TARGET = {"", "nan", "none", "null", "inf", "-inf", "infinity", "-infinity"}


class ResponseRow(BaseModel):
    """One row; keys beyond these are left alone.

    `preference` is another judge's verdict on this response against `reference`, as AlpacaEval
    writes it: 2 where this one is better, 1 where the reference is. Several samples of a prompt
    have one verdict, their mean.
    """

    id: str | None = None
    prompt: Annotated[str, BeforeValidator(prompt_text)]
    response: Annotated[str, BeforeValidator(response_text)]
    target: str | None = None
    stage: str = Field(default="responses", pattern=f"^{STAGE_NAME}$")
    variant: str | None = Field(default=None, pattern=f"^{_VARIANT}$")
    seed: int | None = Field(default=None, ge=0)
    sample: int | None = Field(default=None, ge=0)
    n_tokens: int | None = Field(default=None, ge=0, le=2**53)
    finish_reason: str | None = None
    cluster: Annotated[str | None, BeforeValidator(cluster_name)] = None
    preference: float | None = None
    reference: Annotated[str | None, BeforeValidator(response_text)] = None
    judge: str | None = Field(default=None, max_length=200)

    @model_validator(mode="before")
    @classmethod
    def _without_what_is_missing(cls, row: Any) -> Any:
        """pandas writes NaN where a cell is empty, and a CSV nothing; a response may be empty."""
        if not isinstance(row, dict):
            return row
        return {key: value for key, value in row.items() if not _is_missing(key, value)}

    @field_validator("seed", "sample", "n_tokens", "preference", mode="before")
    @classmethod
    def _no_truth_value(cls, value: Any) -> Any:
        """Python takes True for 1."""
        if isinstance(value, bool):
            raise ValueError(f"{value} stands where a number is needed")
        return value

    @field_validator("id", "stage", "variant", mode="before")
    @classmethod
    def _name_as_text(cls, value: Any) -> Any:
        """A number names, too."""
        if isinstance(value, bool):
            raise ValueError(f"{value} stands where a name or a number is needed")
        return _number_as_text(value) if isinstance(value, int | float) else value

    @field_validator("target", mode="before")
    @classmethod
    def _target_as_text(cls, value: Any) -> Any:
        """What says that there is none becomes None; a truth value is a word, not 0 or 1."""
        if isinstance(value, bool):
            return str(value)
        if isinstance(value, int | float):
            return _number_as_text(value)
        if isinstance(value, str) and value.strip().casefold() in _NO_TARGET:
            return None
        return value

    @field_validator("preference")
    @classmethod
    def _preference_within_bounds(cls, value: float | None) -> float | None:
        return read_preference(value)


# what `--columns` can name
COLUMNS = tuple(ResponseRow.model_fields)


def read_responses(path: Path, columns: Columns = NO_COLUMNS) -> Imported:
    """Read a file, its columns called as `columns` say.

    Raises ValueError, naming lines, for malformed rows, duplicates, and prompts, targets or
    clusters that disagree.
    """
    if columns:
        refuse_missing(str(path), columns, look_at(path).keys)
    lines = read_valid(path, ResponseRow, columns=columns)
    refuse_some_without(((f"line {number}", row.cluster) for number, row in lines), str(path))
    stages: dict[_Key, list[Line]] = {}
    for line in lines:
        stages.setdefault((line[1].stage, line[1].variant, line[1].seed), []).append(line)
    for key, rows in stages.items():
        _refuse_contradictions(path, rows)
        _refuse_duplicates(path, key, rows)
    refuse_one_for_all(
        {_id(row): row.cluster for _, row in lines if row.cluster is not None}, str(path)
    )
    notes = (
        *unknown_words(row.finish_reason for _, row in lines),
        *_empty(lines),
        *_without_ids(lines),
        *_without_targets(lines),
        *(note for key, rows in stages.items() for note in _without_verdicts(key, rows)),
    )
    return Imported(
        [_stage(key, [row for _, row in rows]) for key, rows in stages.items()],
        "",
        _judged_by(path, lines),
        notes,
    )


def _judged_by(path: Path, lines: list[Line]) -> dict[str, Any]:
    """Return what the contract says of verdicts that stand beside the responses."""
    judged = [row for _, row in lines if row.preference is not None]
    judges = {row.judge for row in judged}
    if len(judges) > 1:
        named = ", ".join(sorted(str(judge) for judge in judges))
        raise ValueError(
            f"{path} mixes the verdicts of several judges ({named}), so nothing was imported. "
            "Import one judge's."
        )
    if not judged:
        return {}
    others = sorted({(_id(row), row.reference or "") for row in judged})
    hashed = hashlib.sha256(json.dumps(others).encode()).hexdigest()[:16]
    return {"judge": judges.pop() or "not named", "reference": f"in the file, {hashed}"}


def _empty(lines: list[Line]) -> list[str]:
    empty = sum(not row.response.strip() for _, row in lines)
    return [f"{empty} of {len(lines)} responses are empty"] if empty else []


def _without_ids(lines: list[Line]) -> list[str]:
    missing = sum(row.id is None for _, row in lines)
    if not missing:
        return []
    return [f"{missing} of {len(lines)} rows have no id: they go by a hash of prompt and target"]


def _without_targets(lines: list[Line]) -> list[str]:
    if any(row.target is not None for _, row in lines):
        return []
    return [
        "no row has a target, so there is no accuracy: give the right answers in a column "
        "`target`, or name theirs with --columns target=COLUMN"
    ]


def _id(row: ResponseRow) -> str:
    return content_id(Document(row.prompt, row.target)) if row.id is None else row.id


def _refuse_contradictions(path: Path, lines: list[Line]) -> None:
    first: dict[str, Line] = {}
    for number, row in lines:
        first_number, first_row = first.setdefault(_id(row), (number, row))
        for what, before, now in (
            ("prompts", first_row.prompt, row.prompt),
            ("targets", first_row.target, row.target),
            ("clusters", first_row.cluster, row.cluster),
        ):
            if before != now:
                raise ValueError(
                    f"{path}, lines {first_number} and {number} give different {what} for id "
                    f"'{_id(row)}' ({_short(before)} and {_short(now)}), so nothing was imported."
                )


def _refuse_duplicates(path: Path, key: "_Key", lines: list[Line]) -> None:
    seen: dict[tuple[str, int | None], int] = {}
    for number, row in lines:
        place = (_id(row), row.sample)
        if place in seen:
            sample = "" if row.sample is None else f", sample {row.sample}"
            which = f"id '{row.id}'{sample} of stage '{key[0]}'"
            if row.id is None:
                which = f"the same prompt and target{sample}, without an id to tell them apart"
            raise ValueError(
                f"{path}, lines {seen[place]} and {number} are both {which}, so nothing was "
                "imported. Several samples of a prompt need numbers in `sample`."
            )
        seen[place] = number


def _stage(key: "_Key", rows: list[ResponseRow]) -> ImportedStage:
    generations, scores = [], []
    by_prompt: dict[str, list[ResponseRow]] = {}
    for row in rows:
        by_prompt.setdefault(_id(row), []).append(row)
    for samples in by_prompt.values():
        for number, row in enumerate(sorted(samples, key=lambda row: row.sample or 0)):
            generation = _generation(row, number)
            generations.append(generation)
            scores.append(score(generation, row.prompt, row.target, row.cluster))
    name, variant, seed = key
    verdicts = [one for samples in by_prompt.values() for one in _verdict(samples)]
    return ImportedStage(name, generations, scores, verdicts, {}, variant=variant, seed=seed)


def _generation(row: ResponseRow, sample: int) -> Generation:
    return Generation(
        id=_id(row),
        group="test",
        sample=sample,
        prompt=row.prompt,
        response=row.response,
        n_tokens=row.n_tokens,
        finish_reason=read_finish_reason(row.finish_reason),
    )


def _verdict(samples: Sequence[ResponseRow]) -> list[Verdict]:
    """Join the verdicts on all samples of a prompt, which is what is compared: their mean."""
    judged = [row for row in samples if row.preference is not None]
    if not judged:
        return []
    longer = [len(row.response) - len(row.reference) for row in judged if row.reference is not None]
    return [
        Verdict(
            id=_id(judged[0]),
            against="reference",
            score=fmean(row.preference - 1 for row in judged if row.preference is not None),
            length_difference=round(fmean(longer)) if len(longer) == len(judged) else None,
            reason="from the file"
            if len(samples) == 1
            else f"from the file, {len(judged)} samples",
        )
    ]


def _without_verdicts(key: "_Key", lines: list[Line]) -> list[str]:
    """Say how many prompts of a stage that was judged have responses that were not."""
    judged = {_id(row) for _, row in lines if row.preference is not None}
    lacking = {_id(row) for _, row in lines if row.preference is None}
    if not judged or not lacking:
        return []
    return [
        f"{len(lacking)} of {len(judged | lacking)} prompts of '{key[0]}' have responses without a "
        "preference: the win rate is of the others"
    ]


def _is_missing(key: str, value: object) -> bool:
    is_empty = isinstance(value, str) and not value.strip() and key not in ("response", "cluster")
    return is_empty or (isinstance(value, float) and math.isnan(value))


def _number_as_text(value: float) -> str | None:
    """Write a whole number without a point or an exponent; infinity is no number."""
    if isinstance(value, int):
        return str(value)
    if not math.isfinite(value):
        return None
    return str(int(value)) if value.is_integer() else str(value)


def _short(value: object) -> str:
    text = words_without_credentials(repr(value))
    return text if len(text) <= 60 else f"{text[:60]}..."


def _is_responses(seen: Seen) -> bool:
    return {"prompt", "response"} <= seen.keys


def with_columns(columns: Columns) -> Reader:
    """Return the reader of tables whose columns are called otherwise."""

    def has_them(seen: Seen) -> bool:
        # one is enough: a file that lacks another is refused when it is read
        return bool(seen.keys & {*columns.values()})

    return RESPONSES._replace(recognises=has_them, read=partial(read_responses, columns=columns))


RESPONSES = Reader(
    name="responses",
    title="responses by row",
    how_to_get="JSON lines, CSV or Parquet with an id, a prompt and a response a row",
    recognises=_is_responses,
    read=read_responses,
)
