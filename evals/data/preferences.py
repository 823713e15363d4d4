"""Held-out preference data: prompts to answer, and pairs of which one answer is known to be better.

The prompts are judged beside the problems; the pairs tell whether a model came to prefer the better
answer, and whether a judge can tell the two apart. Rows are in TRL's preference format, or word
problems (then the worse answer is made).
"""

from typing import Any

from stagelift.evals.data.alpaca import inputs_read, with_its_input
from stagelift.evals.data.answers import answer_text
from stagelift.evals.data.gsm8k import prompt_text
from stagelift.evals.data.pairs import is_plain, rejected_answer
from stagelift.evals.data.source import (
    Source,
    column_names,
    fingerprint,
    first_row,
    local_file,
    local_rows,
    one_sentence,
    rows,
)
from stagelift.evals.data.turns import BESIDE, as_turn
from stagelift.evals.records import Record

Message = dict[str, Any]


class Preference(Record):
    """A prompt (chat messages) and, where they are known, answers to it.

    `chosen` is the better and `rejected` the worse one; `answer` is the worked answer of a word
    problem. `beside` has the row's tools, and settings of the chat template.
    """

    id: str
    prompt: list[Message]
    chosen: str | None
    rejected: str | None
    answer: str | None
    beside: dict[str, Any] = {}


def load_preferences(source: Source) -> list[Preference]:
    """Load a source's rows, with ids that do not depend on its limit."""
    return [
        _preference(f"preference/{source.split}/{index}", row, source)
        for index, row in enumerate(rows(source))
    ]


def preferences_fingerprint(source: Source) -> str:
    """Identify which rows are read, and as what."""
    columns = [f"{wanted}={present}" for wanted, present in sorted(source.columns.items())]
    present = {} if local_file(source) is None else first_row(source)
    inputs = inputs_read(source, present)
    beside = [f"with {name}" for name in BESIDE if name in present]
    made = ["pairs 2"] if _makes_new_pairs(source) else []
    read = [fingerprint(source), f"{source.limit or 'all'} rows", *columns]
    return ", ".join([*read, *inputs, *beside, *made])


def _makes_new_pairs(source: Source) -> bool:
    """Say whether worse answers are made that are otherwise than once: since 2 they keep the form
    of an answer that does not end in `####` and a whole number.
    """
    problems = local_rows(source)
    if problems is None or "chosen" in problems.column_names:
        return False
    if not {"question", "answer"} <= {*problems.column_names}:
        return False
    return not all(is_plain(answer_text(answer) or "") for answer in problems["answer"])


def check_preferences(source: Source, *, pairs: bool) -> None:
    """Raise ValueError, in a sentence, where the source cannot be read or lacks the columns.

    With `pairs` it must have those of whole pairs. Of a local file every row is looked at.
    """
    present = set(column_names(source))
    fitting = [{"question", "answer"}, {"chosen", "rejected"}]
    if not pairs:
        fitting.append({"prompt"})
    if not any(needed <= present for needed in fitting):
        needed = " or ".join("+".join(sorted(names)) for names in fitting)
        raise ValueError(
            f"Preference dataset '{source.path}' has columns {', '.join(sorted(present))}, but "
            f"{needed} are needed; `columns` can rename."
        )
    for number, row in enumerate(local_rows(source) or (), start=1):
        try:
            _preference("", row, source)
        except (TypeError, ValueError, LookupError) as error:
            raise ValueError(
                f"Row {number} of preference dataset '{source.path}' is not in TRL's preference "
                f"format: {one_sentence(error)}"
            ) from error


def words(prompt: list[Message]) -> str:
    """Write a prompt as text for a reader or a judge.

    That is the user's words, or the turns of a conversation by role.
    """
    if len(prompt) == 1:
        return str(prompt[0]["content"])
    return "\n\n".join(f"{message['role']}: {message['content']}" for message in prompt)


def _preference(name: str, row: dict[str, Any], source: Source) -> Preference:
    if "chosen" not in row and {"question", "answer"} <= set(row):
        return _of_problem(name, str(row["question"]), answer_text(row["answer"]) or "")
    prompt = row["prompt"] if "prompt" in row else _before_last(row.get("chosen"))
    return Preference(
        id=name,
        prompt=_messages(with_its_input(source, row, prompt)),
        chosen=_last(row.get("chosen")),
        rejected=_last(row.get("rejected")),
        answer=None,
        beside={name: row[name] for name in BESIDE if row.get(name)},
    )


def _of_problem(name: str, question: str, answer: str) -> Preference:
    return Preference(
        id=name,
        prompt=_messages(prompt_text(question)),
        chosen=answer,
        rejected=rejected_answer(question, answer),
        answer=answer,
    )


def _messages(prompt: Any) -> list[Message]:
    """Read a prompt: a user's words, or a conversation."""
    if isinstance(prompt, str):
        return [{"role": "user", "content": prompt}]
    return [as_turn(turn) for turn in prompt]


def _before_last(chosen: Any) -> Any:
    """TRL's implicit prompt: what a chosen conversation says before its last turn."""
    if not isinstance(chosen, list):
        raise ValueError(
            "A preference row without `prompt` must have `chosen` as a conversation that includes "
            "it."
        )
    return chosen[:-1]


def _last(answer: Any) -> str | None:
    if answer is None or isinstance(answer, str):
        return answer
    return str(answer[-1]["content"])
