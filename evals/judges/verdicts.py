"""The `verdicts` judge: looks decisions up in a file, for example people's.

Nothing is asked and nothing is guessed. A row holds a prompt, two responses and `preference`: 1
where the first is better, 2 where the second is, 1.5 for a tie, or anything between (AlpacaEval's
convention). The texts are the key, so the file fits whatever run wrote them.
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from stagelift.evals.data.preference_value import read_preference
from stagelift.evals.judges.judge import Judge, Opinion, Pair
from stagelift.evals.strict_json import read_rows

_PROMPT, _FIRST, _SECOND = (
    ("prompt", "instruction"),
    ("response_1", "output_1"),
    ("response_2", "output_2"),
)
_JUDGE, _FIRST_MODEL, _SECOND_MODEL = ("judge", "annotator"), ("generator_1",), ("generator_2",)


class WrittenVerdict(NamedTuple):
    """A row: on which prompt and responses, and what the first one is worth against the second.

    `score` is None where there was no verdict. A prompt is known by its text, its id or both.
    `models` wrote the responses and `judge` decided, as far as the row says so.
    """

    id: str | None
    prompt: str | None
    responses: tuple[str, str]
    score: float | None
    judge: str | None
    models: tuple[str | None, str | None]


def read_verdicts(path: Path) -> list[WrittenVerdict]:
    """Read a file of verdicts (JSON lines or a JSON list, .gz or not).

    Raises ValueError naming rows that are not verdicts, or contradict earlier ones.
    """
    rows = [_row(row, f"{path}, row {number}") for number, row in read_rows(path)]
    known: dict[tuple[object, ...], float] = {}
    for number, row in enumerate(rows, start=1):
        key = (row.id if row.prompt is None else row.prompt, *row.responses)
        if row.score is not None and known.setdefault(key, row.score) != row.score:
            raise ValueError(
                f"{path}, row {number} contradicts an earlier row on the same responses."
            )
    return rows


def verdicts_judge(path: Path) -> Judge:
    """Make a judge of a file of verdicts. Raises ValueError as `read_verdicts` does."""
    known = {}
    for row in read_verdicts(path):
        if row.prompt is None:
            raise ValueError(f"{path}: a row lacks its prompt, by which a verdict is looked up.")
        if row.score is not None:
            known[row.prompt, *row.responses] = row.score

    def decide(pairs: Sequence[Pair]) -> list[Opinion]:
        return [_look_up(pair, known) for pair in pairs]

    return Judge(verdicts_id(path), decide)


def verdicts_id(path: Path) -> str:
    """Name the judge that a file of verdicts is."""
    return f"verdicts-1:{hashlib.sha256(path.read_bytes()).hexdigest()[:16]}"


def _row(row: Any, place: str) -> WrittenVerdict:
    if not isinstance(row, dict):
        raise ValueError(f"{place} is no verdict: it has no columns.")
    identity = row.get("id")
    prompt, first, second = (_column(row, names) for names in (_PROMPT, _FIRST, _SECOND))
    has_prompt = isinstance(prompt, str) or (prompt is None and isinstance(identity, str | int))
    if not has_prompt or not isinstance(first, str) or not isinstance(second, str):
        raise ValueError(f"{place} lacks a text: prompt, response_1 and response_2 are needed.")
    columns = row.keys()
    if "preference" not in columns:
        raise ValueError(f"{place} lacks its preference.")
    try:
        preference = read_preference(row["preference"])
    except ValueError as error:
        raise ValueError(f"{place}: {error}.") from error
    return WrittenVerdict(
        id=None if identity is None else str(identity),
        prompt=prompt,
        responses=(first, second),
        score=None if preference is None else 2 - preference,
        judge=_text(row, _JUDGE),
        models=(_text(row, _FIRST_MODEL), _text(row, _SECOND_MODEL)),
    )


def _column(row: Mapping[str, Any], names: Sequence[str]) -> Any:
    """Return the first column that is there under one of its names, else None."""
    return next((row[name] for name in names if name in row), None)


def _text(row: Mapping[str, Any], names: Sequence[str]) -> str | None:
    value = _column(row, names)
    return value if isinstance(value, str) else None


def _look_up(pair: Pair, known: Mapping[tuple[str, str, str], float]) -> Opinion:
    """A verdict given in one order counts in the other, too: people were not asked twice."""
    shown = (pair.prompt, pair.first.text, pair.second.text)
    turned = (pair.prompt, pair.second.text, pair.first.text)
    if shown in known:
        return Opinion(score=known[shown], reason="from the file")
    if turned in known:
        return Opinion(score=1 - known[turned], reason="from the file", turned=True)
    return Opinion(score=None, reason="not in the file")
