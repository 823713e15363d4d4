"""The `verdicts` judge: looks decisions up in a file, for example people's.

Nothing is asked and nothing is guessed. A row holds a prompt, two responses and `preference`: 1
where the first is better, 2 where the second is, 1.5 for a tie, or anything between (AlpacaEval's
convention). The texts are the key, so the file fits whatever run wrote them.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stagelift.evals.data.preference_value import read_preference
from stagelift.evals.files import read_rows
from stagelift.evals.judges.judge import Judge, Opinion, Pair

_NAMES = (("prompt", "instruction"), ("response_1", "output_1"), ("response_2", "output_2"))


def verdicts_judge(path: Path) -> Judge:
    """Read a file of verdicts (JSON lines or a JSON list, .gz or not).

    Raises ValueError naming rows that are not verdicts.
    """
    known = _read(path)

    def decide(pairs: Sequence[Pair]) -> list[Opinion]:
        return [_look_up(pair, known) for pair in pairs]

    return Judge(f"verdicts-1:{hashlib.sha256(path.read_bytes()).hexdigest()[:16]}", decide)


def _read(path: Path) -> dict[tuple[str, str, str], float]:
    known: dict[tuple[str, str, str], float] = {}
    for number, row in read_rows(path):
        texts, score = _row(row, f"{path}, row {number}")
        if score is not None and known.setdefault(texts, score) != score:
            raise ValueError(
                f"{path}, row {number} contradicts an earlier row on the same responses."
            )
    return known


def _row(row: dict[str, Any], place: str) -> tuple[tuple[str, str, str], float | None]:
    """Return the texts of a row and the first one's score, None where there was no verdict."""
    prompt, first, second = (_column(row, names) for names in _NAMES)
    if not isinstance(prompt, str) or not isinstance(first, str) or not isinstance(second, str):
        raise ValueError(f"{place} lacks a text: prompt, response_1 and response_2 are needed.")
    columns = row.keys()
    if "preference" not in columns:
        raise ValueError(f"{place} lacks its preference.")
    try:
        preference = read_preference(row["preference"])
    except ValueError as error:
        raise ValueError(f"{place}: {error}.") from error
    return (prompt, first, second), None if preference is None else 2 - preference


def _column(row: dict[str, Any], names: Sequence[str]) -> Any:
    """Return the first column that is there under one of its names, else None."""
    return next((row[name] for name in names if name in row), None)


def _look_up(pair: Pair, known: dict[tuple[str, str, str], float]) -> Opinion:
    """A verdict given in one order counts in the other, too: people were not asked twice."""
    shown = (pair.prompt, pair.first.text, pair.second.text)
    turned = (pair.prompt, pair.second.text, pair.first.text)
    if shown in known:
        return Opinion(score=known[shown], reason="from the file")
    if turned in known:
        return Opinion(score=1 - known[turned], reason="from the file", turned=True)
    return Opinion(score=None, reason="not in the file")
