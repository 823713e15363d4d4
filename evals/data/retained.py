"""What the retention suite asks: questions with four answers in several topics, and plain text.

All of it was written for stagelift (`evals/data/retention/README.md`), so that nothing is
downloaded. The order mixes topics and texts: any number of the first is a fair part of the whole.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

from stagelift.evals.records import Record

# part of the contract: raise one when a character of its file changes
CHOICES_VERSION = "choices-1"
PASSAGES_VERSION = "passages-1"
CHOICES, PASSAGES = 120, 24
_FOLDER = Path(__file__).parent / "retention"


class Choice(Record):
    """A question of a topic, and its answers, of which the one at `right` is true."""

    id: str
    topic: str
    question: str
    answers: tuple[str, ...]
    right: int


class Passage(Record):
    """A few sentences of a document."""

    id: str
    document: str
    text: str


def choices(limit: int) -> list[Choice]:
    """Return the first questions, topic by topic in turn; the right answer is at each place as
    often.
    """
    rows = _in_turn("choices.jsonl", "topic")
    topics = len({row["topic"] for row in rows})
    return [
        # turn by turn another place for each topic
        _choice(number, row, (number + number // topics) % (len(row["wrong"]) + 1))
        for number, row in enumerate(rows[:limit])
    ]


def passages(limit: int) -> list[Passage]:
    """Return the first passages, document by document in turn."""
    rows = _in_turn("passages.jsonl", "document")
    return [Passage(id=f"passage/{number}", **row) for number, row in enumerate(rows[:limit])]


def _choice(number: int, row: dict[str, Any], right: int) -> Choice:
    answers = list(row["wrong"])
    answers.insert(right, row["right"])
    return Choice(
        id=f"choice/{number}",
        topic=row["topic"],
        question=row["question"],
        answers=tuple(answers),
        right=right,
    )


@cache
def _in_turn(file: str, group: str) -> tuple[dict[str, Any], ...]:
    """Read rows: the first of every group, then the second of every group, and so on."""
    rows = [json.loads(line) for line in (_FOLDER / file).read_text(encoding="utf-8").splitlines()]
    seen: dict[str, int] = {}
    ranked = []
    for row in rows:
        rank = seen[row[group]] = seen.get(row[group], -1) + 1
        ranked.append((rank, row))
    # the order within a rank stays
    return tuple(row for _, row in sorted(ranked, key=lambda pair: pair[0]))
