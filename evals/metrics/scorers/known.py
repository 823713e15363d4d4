"""The scorers that a recipe may list, how it writes them, and what their metrics are called."""

import contextlib
import json
import sys
from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Any, NamedTuple

from pydantic import BeforeValidator, Field, TypeAdapter, ValidationError

from stagelift.evals.metrics.measures import BUILT_IN_SCORERS, own_score_name
from stagelift.evals.metrics.scorers.choice import Choice
from stagelift.evals.metrics.scorers.contains import Contains
from stagelift.evals.metrics.scorers.exact import Exact
from stagelift.evals.metrics.scorers.function import Function
from stagelift.evals.metrics.scorers.json_value import Json
from stagelift.evals.metrics.scorers.mathematics import Mathematics
from stagelift.evals.metrics.scorers.pattern import Pattern
from stagelift.evals.metrics.scorers.scorer import Row, Scorer
from stagelift.evals.metrics.scorers.texts import written
from stagelift.evals.nearest import did_you_mean
from stagelift.evals.records import Scored
from stagelift.evals.trust import is_only_looking

# what a scorer takes where it is given no keys: {regex: "\\d+"}
_SHORT = {"regex": "pattern", "choice": "options", "function": "range"}
# rows on whose own targets a scorer is tried, and on which math reads the target
_TRIED, _LOOKED_AT = 3, 100
_EXAMPLES = (
    "[exact, contains, {choice: ['yes', 'no']}, {regex: 'PATTERN'}, {json: {fields: [name]}}, "
    "math, my_scorers.sql_equal]"
)


def as_settings(scorer: Any) -> Any:
    """Turn `exact`, `{regex: ...}` or `my_scorers.sql_equal` into settings that know their kind.

    Raises ValueError, in a sentence, where it names no scorer.
    """
    if isinstance(scorer, Scorer) or (isinstance(scorer, dict) and "kind" in scorer):
        return scorer
    name, given = scorer, None
    if isinstance(scorer, dict) and len(scorer) == 1:
        ((name, given),) = scorer.items()
    if not isinstance(name, str):
        raise ValueError(f"A scorer is {scorer!r:.80}. Write scorers as {_EXAMPLES}.")
    kind = name if name in BUILT_IN_SCORERS else "function"
    if kind == "function" and "." not in name:
        raise ValueError(
            f"There is no scorer '{name}'. Write scorers as {_EXAMPLES}: a function is named by "
            f"its module and its name.{did_you_mean(name, BUILT_IN_SCORERS)}"
        )
    settings = given if isinstance(given, dict) else {}
    if given is not None and not isinstance(given, dict):
        if kind not in _SHORT:
            raise ValueError(f"Scorer '{name}' needs its settings as keys, not {given!r:.80}.")
        settings = {_SHORT[kind]: given}
    return {"kind": kind, **({"path": name} if kind == "function" else {}), **settings}


AnyScorer = Annotated[
    Annotated[
        Exact | Contains | Choice | Pattern | Json | Mathematics | Function,
        Field(discriminator="kind"),
    ],
    BeforeValidator(as_settings),
]
_ANY: TypeAdapter[Scorer] = TypeAdapter(AnyScorer)


class Named(NamedTuple):
    """A scorer and the metric that it makes."""

    metric: str
    scorer: Scorer


def read_scorer(written_as: Any) -> Scorer:
    """Read one scorer as a recipe writes it. Raises ValueError, in a sentence, where it is none."""
    try:
        return _ANY.validate_python(written_as)
    except ValidationError as error:
        first = error.errors()[0]
        if first["type"] == "value_error":
            raise ValueError(str(first["ctx"]["error"])) from error
        place = ".".join(map(str, first["loc"]))
        raise ValueError(
            f"Scorer {written_as!r:.80} is wrong at '{place}': {first['msg']}."
        ) from error


def as_written(settings: dict[str, Any]) -> Any:
    """Write a scorer's settings as a recipe does, so that they can be read again."""
    given = {name: value for name, value in settings.items() if value is not None}
    kind = given.pop("kind")
    name = given.pop("path", kind)
    if kind == "function" and given.get("range") in ([0, 1], (0, 1)):
        del given["range"]
    return {name: given} if given else name


def named(scorers: Sequence[Scorer], task: str | None) -> list[Named]:
    """Name the metrics of a task's scorers, the second of a kind by its number."""
    seen: Counter[str] = Counter()
    metrics = []
    for scorer in scorers:
        seen[scorer.called] += 1
        name = own_score_name(scorer.called, task, seen[scorer.called], scorer.bounds)
        metrics.append(Named(name, scorer))
    return metrics


def score_all(scorers: Sequence[Named], response: str, row: Row) -> dict[str, Scored]:
    """Say what a response to a row is worth by each scorer, by metric."""
    return {metric: scored(scorer, response, row) for metric, scorer in scorers}


def scored(scorer: Scorer, response: str, row: Row) -> Scored:
    """Score a response; a scorer that fails says so, and ends nothing."""
    try:
        # a function may print, and what is printed here may be a report
        with contextlib.redirect_stdout(sys.stderr):
            return scorer.score(response, row)
    # a function of the user's, a library on a response: anything can be raised
    except (Exception, SystemExit) as error:  # noqa: BLE001 - it is told, and ends nothing
        return Scored(value=None, failure=_sentence(error))


def check_rows(scorers: Sequence[Scorer], rows: Sequence[tuple[str, Row]]) -> None:
    """Check scorers with the rows of a task, each with its place.

    Every target is looked at, and some are given as a response (not to a function of the user's
    where recipes are only looked at). Raises ValueError, in a sentence.
    """
    for scorer in scorers:
        scorer.check()
        looked_at = rows[:_LOOKED_AT] if scorer.kind == "math" else rows
        for place, row in looked_at:
            try:
                scorer.check_target(row)
            except ValueError as error:
                raise ValueError(
                    f"{place} cannot be scored by {scorer.called}: {error}."
                ) from error
        if not (scorer.kind == "function" and is_only_looking()):
            _try(scorer, rows[:_TRIED])


def _try(scorer: Scorer, rows: Sequence[tuple[str, Row]]) -> None:
    """Raise ValueError where a scorer fails on every row that it is tried on."""
    failures = [
        (place, tried.failure)
        for place, row in rows
        if (tried := scored(scorer, target_text(row["target"]), row)).failure is not None
    ]
    if failures and len(failures) == len(rows):
        place, failure = failures[0]
        raise ValueError(
            f"Scorer '{scorer.called}' fails on {place}, given the row's own target as response: "
            f"{failure}."
        )


def target_text(target: Any) -> str:
    """Write a target as a response would: its first accepted answer, or JSON."""
    if isinstance(target, list) and target and isinstance(target[0], str | int | float):
        target = target[0]
    if isinstance(target, str | int | float):
        return written(target)
    return json.dumps(target, ensure_ascii=False)


def _sentence(error: BaseException) -> str:
    text = " ".join(str(error).split())[:200].rstrip(".").encode(errors="replace").decode()
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
