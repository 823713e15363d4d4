"""What every import format becomes, and the rule they share: a file is read whole or refused, with
its bad lines named.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from pydantic import BaseModel, ValidationError

from stagelift.evals.imports.columns import NO_COLUMNS, Columns, renamed
from stagelift.evals.imports.tables import MalformedRow, table_rows
from stagelift.evals.records import Generation, Metric, Score, TaskScore, Verdict
from stagelift.evals.stats import estimates

Row = TypeVar("Row", bound=BaseModel)
# what a stage may be called
STAGE_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}"
# bad lines named in a message
SHOWN = 10


class Document(NamedTuple):
    """What a model was asked. Stages of different files are paired by it where ids do not tell.

    `digest` identifies the content where the file has something better than the prompt, which may
    be written differently for every model (lm-eval's hashes of document and target).
    """

    prompt: str
    target: str | None
    digest: str | None = None


class Undecided(NamedTuple):
    """A task whose targets are numbers, and no word on whether responses are to state them.

    If they are, these are its `scores`, and the metrics `instead` are among them.
    """

    scores: list[Score]
    instead: frozenset[str] = frozenset()


class ImportedStage(NamedTuple):
    """One model's results. Verdicts are against a reference outside of the file's stages.

    `documents` say what is behind an id of `task_scores` (and of scores, where `question` and
    `target` do not). A file of several chains says to which `variant` and training `seed` a stage
    belongs; None is what all seeds share. `file` is set where files are joined.

    `stated` names the tasks whose numbers are answers, as this stage's responses tell.
    """

    name: str
    generations: list[Generation]
    scores: list[Score]
    verdicts: list[Verdict]
    task_scores: dict[str, list[TaskScore]]
    documents: Mapping[str, Document] = {}
    variant: str | None = None
    seed: int | None = None
    file: Path | None = None
    stated: frozenset[str] = frozenset()
    undecided: Mapping[str, Undecided] = {}


class Imported(NamedTuple):
    """A whole file: its stages in order of appearance, what to call the model and what belongs into
    the contract.

    Of the contract, `data` may say which documents these are, where their ids, prompts and targets
    do not. `notes` say what of the file was left out or is not known, and why.
    """

    stages: list[ImportedStage]
    model: str
    contract: dict[str, Any]
    notes: tuple[str, ...] = ()


def read_valid(
    path: Path,
    kind: type[Row],
    check: Callable[[Row], str | None] = lambda _: None,
    columns: Columns = NO_COLUMNS,
) -> list[tuple[int, Row]]:
    """Return every row of a table with its line, its columns renamed.

    Raises ValueError where any is malformed: how many, which lines, and what is wrong.
    """
    good: list[tuple[int, Row]] = []
    bad: list[tuple[int, str]] = []
    for line, value in table_rows(path):
        row, problem = _parsed(value, kind, columns)
        if row is not None:
            problem = check(row)
        if row is not None and problem is None:
            good.append((line, row))
        else:
            bad.append((line, problem or "not a row"))
    if bad:
        raise ValueError(_refusal(path, bad, len(good) + len(bad)))
    if not good:
        raise ValueError(f"{path} has no rows, so there is nothing to import.")
    return good


def _parsed(value: Any, kind: type[Row], columns: Columns) -> tuple[Row | None, str | None]:
    """Return a row, or what is wrong with it."""
    if isinstance(value, MalformedRow):
        return None, value.problem
    try:
        json.dumps(value, ensure_ascii=False).encode()
        return kind.model_validate(renamed(value, columns)), None
    # half of a surrogate pair: JSON can say it, no file of ours can hold it
    except UnicodeEncodeError:
        return None, "it holds text that is not Unicode"
    except RecursionError:
        return None, "it is nested too deeply"
    # Parquet's dates and bytes
    except TypeError as error:
        return None, f"it holds what JSON cannot say ({error})"
    except ValidationError as error:
        return None, _problem(error)


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
