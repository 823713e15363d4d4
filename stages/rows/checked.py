"""Every row of a local file, read before a trainer would stop at one after minutes, saying less."""

from collections.abc import Iterable, Iterator
from typing import Any

from stagelift.evals.data.places import place
from stagelift.evals.data.source import Source
from stagelift.stages.kind import Row
from stagelift.stages.rows.conversations import Conversation, disorder
from stagelift.stages.rows.layouts import Layout
from stagelift.stages.rows.reader import read

_ANSWERS = ("completion", "chosen", "rejected")


def check_rows_laid_out(
    layout: Layout, source: Source, rows: Iterable[Row], *, rewarded: bool
) -> None:
    """Raise ValueError, in a sentence, for the first row that cannot be trained on as its layout
    says; where a kind is `rewarded`, prompts must leave something to answer.
    """
    for index, row in enumerate(rows):
        try:
            made = read(layout, row)
            problem = _problem(layout, row, made, rewarded=rewarded)
        except ValueError as error:
            problem = str(error)
        if problem is not None:
            raise ValueError(f"{place(source, index)} {problem}.")


def _problem(layout: Layout, row: Row, made: Row, *, rewarded: bool) -> str | None:
    """Say, as a clause, why a row cannot be trained on; None where it can."""
    for name, column in layout.holds.items():
        if row.get(column) == "" and name not in _ANSWERS:
            return f"has '' in column '{column}', which must be text"
    for turns in _conversations(made):
        problem = disorder(turns)
        if problem is not None:
            return problem
    prompt = made.get("prompt")
    if rewarded and isinstance(prompt, list) and prompt[-1]["role"] == "assistant":
        return "has a prompt that ends with the assistant, so that nothing is left to answer"
    return None


def _conversations(made: Row) -> Iterator[Conversation]:
    """Yield what of a row is read from its first turn to its last."""
    if isinstance(made.get("messages"), list):
        yield made["messages"]
    prompt: Any = made.get("prompt")
    answers = [made[name] for name in _ANSWERS if isinstance(made.get(name), list)]
    if isinstance(prompt, list):
        yield from ([*prompt, *answer] for answer in answers or [[]])
