"""What every import format becomes, and the rule they share: a file is read whole or refused, with
its bad lines named.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from pydantic import BaseModel, ValidationError

from stagelift.evals.files import read_rows
from stagelift.evals.imports.foreign import Wanted, refuse_another_kind
from stagelift.evals.records import Generation, Metric, Score, TaskScore, Verdict
from stagelift.evals.stats import estimates

Row = TypeVar("Row", bound=BaseModel)
# bad lines named in a message
SHOWN = 10


class ImportedStage(NamedTuple):
    """One model's results. Verdicts are against a reference outside of the file's stages."""

    name: str
    generations: list[Generation]
    scores: list[Score]
    verdicts: list[Verdict]
    task_scores: dict[str, list[TaskScore]]


class Imported(NamedTuple):
    """A whole file: its stages in order of appearance, what to call the model and what belongs into
    the contract.

    `notes` say what of the file was left out or is not known, and why.
    """

    stages: list[ImportedStage]
    model: str
    contract: dict[str, Any]
    notes: tuple[str, ...] = ()


def read_valid(
    path: Path,
    kind: type[Row],
    wanted: Wanted,
    check: Callable[[Row], str | None] = lambda _: None,
) -> list[tuple[int, Row]]:
    """Return every row with its line.

    Raises ValueError where any is malformed: how many, which lines, and what is wrong. A file of
    another kind is called by what it is.
    """
    good: list[tuple[int, Row]] = []
    bad: list[tuple[int, str]] = []
    for line, row, problem in _parsed(path, kind):
        if row is not None:
            problem = check(row)
        if row is not None and problem is None:
            good.append((line, row))
        else:
            bad.append((line, problem or "not a row"))
    if bad and not good:
        refuse_another_kind(path, wanted)
    if bad:
        raise ValueError(_refusal(path, bad, len(good) + len(bad)))
    if not good:
        raise ValueError(f"{path} has no rows, so there is nothing to import.")
    return good


def _parsed(path: Path, kind: type[Row]) -> Iterator[tuple[int, Row | None, str | None]]:
    for line, value in read_rows(path, malformed=lambda error: error):
        if isinstance(value, ValueError):
            yield line, None, "not valid JSON"
            continue
        try:
            json.dumps(value, ensure_ascii=False).encode()
            yield line, kind.model_validate(value), None
        # half of a surrogate pair: JSON can say it, no file of ours can hold it
        except UnicodeEncodeError:
            yield line, None, "it holds text that is not Unicode"
        except ValidationError as error:
            yield line, None, _problem(error)


def _problem(error: ValidationError) -> str:
    first = error.errors()[0]
    if first["type"] == "value_error":
        return str(first["ctx"]["error"])
    place = ".".join(str(part) for part in first["loc"])
    return f"{place}: {first['msg']}" if place else first["msg"]


def _refusal(path: Path, bad: list[tuple[int, str]], rows: int) -> str:
    lines = ", ".join(str(line) for line, _ in bad[:SHOWN])
    if len(bad) > SHOWN:
        lines += ", ..."
    line, problem = bad[0]
    return (
        f"{len(bad)} of {rows} rows of {path} are malformed (line {lines}), so nothing was "
        f"imported. Line {line}: {problem.rstrip('.')}. Mend or remove them and import again."
    )


def task_metrics(scores: Iterable[TaskScore]) -> dict[str, Metric]:
    """Sum up the documents of each metric: Wilson where every value is 0 or 1, else a t interval
    over documents.
    """
    values: dict[str, list[float]] = {}
    for score in scores:
        values.setdefault(score.metric, []).append(score.value)
    return {metric: estimates.share_or_mean(numbers) for metric, numbers in values.items()}


def notes_of_targets(stages: Sequence[ImportedStage]) -> list[str]:
    """Say how many prompts an accuracy leaves out, or that targets allow none.

    All stages have the same targets.
    """
    targets = {score.id: score for score in stages[0].scores}.values()
    unread = sum(score.correct is None for score in targets)
    if unread == len(targets) and any(score.target is not None for score in targets):
        return ["no target is a number, so there is no accuracy"]
    if 0 < unread < len(targets):
        return [
            f"{unread} of {len(targets)} prompts have no target that is a number: accuracy is of "
            "the others"
        ]
    return []
