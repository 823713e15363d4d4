"""Answers that say nothing of which is better, and those that end with what others say."""

import json
from collections.abc import Sequence

from stagelift.evals.records import Record
from stagelift.stages.kind import Row
from stagelift.stages.rows.as_asked import ANSWERS


class Nonsense(Record):
    """Of how many rows both answers are `alike`, or one answer is labelled good and bad; of how
    many an answer is `others`': it ends with the user's words. `label` is the only one there is.
    """

    alike: int = 0
    others: int = 0
    label: bool | None = None


def nonsense(rows: Sequence[Row]) -> Nonsense:
    """Count answers that training learns the wrong thing from, or nothing."""
    labels = {row["label"] for row in rows if "label" in row}
    return Nonsense(
        alike=_labelled_twice(rows) if labels else sum(map(_is_alike, rows)),
        others=sum(map(_is_of_others, rows)),
        label=labels.pop() if len(labels) == 1 else None,
    )


def why_nonsense(found: Nonsense, rows: int) -> str | None:
    """Say, as a clause about all rows, why nothing can be learned; None where something can."""
    if rows and found.alike == rows:
        return "have the same answer as the better and the worse one. Write two that differ."
    if rows and found.others == rows:
        return "have an answer that ends with the user's words. Take that turn off."
    return None


def nonsense_said(found: Nonsense) -> list[str]:
    """Say, in clauses, what of rows is learned that nobody means."""
    said = []
    if found.alike:
        said.append(f"{found.alike:,} have one answer as the better and the worse one")
    if found.others:
        said.append(
            f"{found.others:,} have an answer that ends with the user's words, which are learned"
        )
    if found.label is not None:
        said.append(f"all have the label {str(found.label).lower()}, so that none is worse")
    return said


def _is_alike(row: Row) -> bool:
    return "chosen" in row and row["chosen"] == row.get("rejected")


def _is_of_others(row: Row) -> bool:
    answers = [row[name] for name in ANSWERS if isinstance(row.get(name), list)]
    return any(answer and answer[-1].get("role") == "user" for answer in answers)


def _labelled_twice(rows: Sequence[Row]) -> int:
    """Count the rows whose very answer has the other label elsewhere."""
    labels: dict[str, set[bool]] = {}
    answers = [_text(row) for row in rows]
    for answer, row in zip(answers, rows, strict=True):
        labels.setdefault(answer, set()).add(bool(row["label"]))
    return sum(len(labels[answer]) > 1 for answer in answers)


def _text(row: Row) -> str:
    said = {name: row.get(name) for name in ("prompt", "completion", "tools")}
    return json.dumps(said, sort_keys=True, default=str)
