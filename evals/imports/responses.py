"""The `responses` format: JSON lines of id, prompt, response and target, with stage, sample,
n_tokens and finish_reason if known.

Stages come in order of appearance, and all must answer the same prompts. What a row does not give
stays unknown.
"""

from pathlib import Path

from pydantic import BaseModel, Field

from stagelift.evals.imports.results import Imported, ImportedStage, read_valid
from stagelift.evals.metrics.scoring import score
from stagelift.evals.records import Generation

Line = tuple[int, "ResponseRow"]


class ResponseRow(BaseModel):
    """One row; keys beyond these are left alone."""

    id: str | int
    prompt: str
    response: str
    target: str | int | float | None = None
    stage: str = Field(default="responses", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=80)
    sample: int | None = Field(default=None, ge=0)
    n_tokens: int | None = Field(default=None, ge=0)
    finish_reason: str | None = None


def read_responses(path: Path) -> Imported:
    """Read a file.

    Raises ValueError, naming lines, for malformed rows, duplicates, and prompts or targets that
    disagree.
    """
    lines = read_valid(path, ResponseRow)
    _refuse_contradictions(path, lines)
    stages: dict[str, list[Line]] = {}
    for line in lines:
        stages.setdefault(line[1].stage, []).append(line)
    _refuse_duplicates(path, stages)
    _refuse_unequal_prompts(path, stages)
    return Imported(
        [_stage(name, [row for _, row in rows]) for name, rows in stages.items()], "", {}
    )


def _refuse_contradictions(path: Path, lines: list[Line]) -> None:
    first: dict[str, Line] = {}
    for number, row in lines:
        earlier, seen = first.setdefault(str(row.id), (number, row))
        for what, mine, theirs in (
            ("prompts", row.prompt, seen.prompt),
            ("targets", row.target, seen.target),
        ):
            if mine != theirs:
                raise ValueError(
                    f"{path}, lines {earlier} and {number} give different {what} for id '{row.id}' "
                    f"({_short(theirs)} and {_short(mine)}), so nothing was imported."
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
            lacking = sorted(wanted ^ ids)
            where = f"'{name}' lacks" if lacking[0] in wanted else f"'{first}' lacks"
            raise ValueError(
                f"Stages '{first}' and '{name}' of {path} answer different prompts ({len(lacking)} "
                f"differ; {where} id '{lacking[0]}'), so nothing was imported."
            )


def _stage(name: str, rows: list[ResponseRow]) -> ImportedStage:
    generations, scores = [], []
    by_prompt: dict[str, list[ResponseRow]] = {}
    for row in rows:
        by_prompt.setdefault(str(row.id), []).append(row)
    for samples in by_prompt.values():
        for number, row in enumerate(sorted(samples, key=lambda row: row.sample or 0)):
            generations.append(_generation(row, number))
            scores.append(
                score(generations[-1], row.prompt, None if row.target is None else str(row.target))
            )
    return ImportedStage(name, generations, scores, [], {})


def _generation(row: ResponseRow, sample: int) -> Generation:
    reason = row.finish_reason
    return Generation(
        id=str(row.id),
        group="test",
        sample=sample,
        prompt=row.prompt,
        response=row.response,
        n_tokens=row.n_tokens,
        finish_reason=None if reason is None else "length" if reason == "length" else "stop",
    )


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}..."
