"""FastChat's reviews of 2023, before MT-Bench: a judge's scores of two answers beside each other.

A file is of one pair of models, `review_MODEL_REFERENCE.jsonl`; QLoRA wrote the same. The model
whose answer was shown first is the stage, the other one the reference. Its score by question is a
metric, and which of the two scores is higher is its verdict: in one order alone. A pair that could
not be read, -1 twice, is left out, as FastChat does.
"""

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from stagelift.evals.imports.measured import Measured, id_in, stage_of
from stagelift.evals.imports.reader import Reader
from stagelift.evals.imports.results import Imported, read_valid
from stagelift.evals.records import Verdict

_TASK = "reviews"
_UNREAD = -1
_KEYS = {"question_id", "answer1_id", "answer2_id", "score"}
_Points = Annotated[float, Field(ge=_UNREAD, le=10, allow_inf_nan=False)]


class ReviewRow(BaseModel):
    """One review; what the judge wrote is left alone."""

    model_config = ConfigDict(extra="ignore")

    question_id: int | str
    reviewer_id: int | str
    score: tuple[_Points, _Points]

    @property
    def is_read(self) -> bool:
        """Whether FastChat could read the scores."""
        return _UNREAD not in self.score


def read_reviews(path: Path) -> Imported:
    """Read a file: the model that was shown first is a stage.

    Raises ValueError, naming file and line, for malformed rows and duplicates.
    """
    lines = read_valid(path, ReviewRow)
    _refuse_duplicates(path, lines)
    rows = [row for _, row in lines]
    model, reference = _models(path)
    stage = stage_of(model, {_TASK: [_measured(row) for row in rows]})
    contract = {
        "task": _TASK,
        "judge": ", ".join(sorted({str(row.reviewer_id) for row in rows})),
        "reference": reference,
    }
    verdicts = [_verdict(row, reference) for row in rows]
    return Imported(
        [stage._replace(verdicts=verdicts)], model, contract, _notes(rows, model, reference)
    )


def _refuse_duplicates(path: Path, lines: list[tuple[int, ReviewRow]]) -> None:
    seen: dict[str, int] = {}
    for number, row in lines:
        before = seen.setdefault(str(row.question_id), number)
        if before != number:
            raise ValueError(
                f"{path}, lines {before} and {number} are both of question {row.question_id}, so "
                "nothing was imported."
            )


def _models(path: Path) -> tuple[str, str]:
    """Rows do not name the models, their file does.

    Of several `_` the last one is between the two: references are other people's models, whose
    names have hyphens.
    """
    name = path.name.removesuffix(".gz").removesuffix(".jsonl").removeprefix("review_")
    model, _, reference = name.rpartition("_")
    return (model, reference) if model and reference else (name, "the second answer")


def _measured(row: ReviewRow) -> Measured:
    return Measured(
        id=str(row.question_id),
        question=f"question {row.question_id}",
        target=None,
        values={"score": row.score[0]} if row.is_read else {},
    )


def _verdict(row: ReviewRow, reference: str) -> Verdict:
    first, second = row.score
    return Verdict(
        id=id_in(_TASK, str(row.question_id)),
        against="reference",
        score=((first > second) + (first >= second)) / 2 if row.is_read else None,
        reason=f"{first:g} against {second:g} of {reference}",
    )


def _notes(rows: list[ReviewRow], model: str, reference: str) -> tuple[str, ...]:
    unread = sum(not row.is_read for row in rows)
    left_out = f"{unread} of {len(rows)} reviews could not be read (-1): they are left out"
    guessed = f"the file's name has several _: '{model}' is taken for the model, '{reference}' for "
    one_order = f"each pair was judged in one order, '{reference}' second: a judge's taste for a "
    return (
        *([left_out] if unread else []),
        *([f"{guessed}the reference"] if "_" in model else []),
        f"{one_order}place is in every verdict",
        "reviews hold neither prompts nor responses: questions go by their number",
    )


REVIEWS = Reader(
    name="reviews",
    title="FastChat's reviews",
    how_to_get="FastChat's review_MODEL_REFERENCE.jsonl, two scores a row",
    recognises=lambda seen: seen.keys >= _KEYS,
    read=read_reviews,
)
