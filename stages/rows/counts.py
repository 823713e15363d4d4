"""How many of a stage's rows training leaves out, cuts, or learns nothing from.

What TRL 1.16 does with a row that is longer than `max_length`: SFT, DPO and KTO keep its start (or,
where `truncation_mode` says so, its end), and drop a row of which no trained token is left, as its
prompt alone is that long. SFT that packs rows cuts them (`bfd`) or lets them go on in the next
sequence. GRPO and RLOO cut no prompt any more (`max_prompt_length` is gone): one that fills the
model's context is answered beyond what the model knows.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from stagelift.evals.data.source import one_sentence
from stagelift.evals.records import Record
from stagelift.stages.kind import Kind, Row
from stagelift.stages.rows.as_asked import ANSWERS
from stagelift.stages.rows.as_tokens import Part, row_as_tokens
from stagelift.stages.rows.nonsense import Nonsense, nonsense, nonsense_said, why_nonsense
from stagelift.stages.settings import StageSettings

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase

# rows that are written in the template and split into tokens, from the first on
TOKENISED = 2000
# tokens that a template may add to a row, and to each of its turns
_OF_TEMPLATE, _OF_TURN = 256, 16


class Limits(Record):
    """How many tokens of a row are read (None: all), and what becomes of a longer one.

    `name` says what sets the limit, and `loses` what happens to a longer one. With `drops` a row
    goes of which no trained token is left. Without room for an answer (`is_room`) none is learned.
    """

    tokens: int | None
    name: str
    loses: str
    drops: bool = False
    is_room: bool = False


class RowCounts(Record):
    """How many rows there are, and of how many something is lost.

    Of `rows` those that do not end with an answer are `unanswered` and left out. Of the first
    `counted` of the rest, `cut` are longer than the limit and lose an end, `lost` have no trained
    token left. `empty` have an answer without text, `again` stood before.
    """

    rows: int
    unanswered: int
    empty: int
    again: int
    counted: int
    limits: Limits
    cut: int
    lost: int
    nonsense: Nonsense = Nonsense()

    @property
    def trained(self) -> int:
        """Count the rows that are not left out."""
        return self.rows - self.unanswered


def count_rows(
    kind: Kind,
    given: int,
    rows: "Dataset",
    args: dict[str, Any],
    limits: Limits,
    tokenizer: "Callable[[], PreTrainedTokenizerBase]",
) -> RowCounts:
    """Count what becomes of `given` rows, of which a kind of stage trains on `rows`.

    Of a kind that is rewarded the limit is that of a prompt. Raises ValueError, in a sentence,
    where a chat template does not take a row.
    """
    trained: list[Row] = list(rows)
    read = {_read(kind, row) for row in trained}
    first = trained[:TOKENISED]
    cut, lost = _lengths(kind, first, args, limits, tokenizer)
    return RowCounts(
        rows=max(given, len(trained)),
        unanswered=max(0, given - len(trained)),
        empty=sum(map(_is_empty, trained)),
        again=len(trained) - len(read),
        counted=len(first),
        limits=limits,
        cut=cut,
        lost=lost,
        nonsense=nonsense(trained),
    )


def problem(settings: StageSettings, counts: RowCounts) -> str | None:
    """Say, in a sentence, why nothing is left to train on; None where something is."""
    who, rows = f"Stage '{settings.kind}'", f"all {counts.rows:,} rows of '{settings.dataset.path}'"
    if not counts.rows:
        return None
    if counts.unanswered == counts.rows:
        return (
            f"{who}: {rows} end with a turn that is not the assistant's, so that no answer is left "
            "to train on. Take that turn off, or train on all answers of a conversation with "
            "args.assistant_only_loss: true."
        )
    if counts.empty == counts.trained:
        return f"{who}: {rows} have an empty answer. Name the column with the answers in `columns`."
    why = why_nonsense(counts.nonsense, counts.trained)
    if why is not None:
        return f"{who}: {rows} {why}"
    limits = counts.limits
    if counts.lost == counts.trained:
        return (
            f"{who}: the prompt alone of {rows} fills {limits.name} ({limits.tokens:,} tokens), so "
            "that no trained token is left. Raise it, or shorten the rows."
        )
    if limits.is_room and counts.cut == counts.trained:
        return (
            f"{who}: {rows} have a prompt longer than {limits.name} ({limits.tokens:,} tokens), so "
            "that there is no room to answer. Shorten them, or take a model of a longer context."
        )
    return None


def note(settings: StageSettings, counts: RowCounts) -> str | None:
    """Say, in a line, of how many rows something is lost; None where it is none."""
    said = [*_left_out(counts), *_too_long(counts), *_poor(counts), *nonsense_said(counts.nonsense)]
    if not said:
        return None
    of = f"of {counts.rows:,} rows of '{settings.dataset.path}'"
    return f"Stage '{settings.kind}', {of}: {'; '.join(said)}."


def _left_out(counts: RowCounts) -> list[str]:
    if not counts.unanswered:
        return []
    return [f"{counts.unanswered:,} do not end with the assistant and are left out"]


def _too_long(counts: RowCounts) -> list[str]:
    limits, sampled = counts.limits, counts.counted < counts.trained
    of = f"of the first {counts.counted:,} " if sampled else ""
    said = []
    if counts.cut:
        said.append(
            f"{of}{counts.cut:,} {limits.loses}, being longer than {limits.name} "
            f"({limits.tokens:,} tokens)"
        )
    if counts.lost:
        said.append(
            f"{of}{counts.lost:,} have no trained token left and are dropped, as their prompt "
            f"alone fills {limits.name} ({limits.tokens:,} tokens)"
        )
    return said


def _poor(counts: RowCounts) -> list[str]:
    said = []
    if counts.empty:
        said.append(f"{counts.empty:,} have an empty answer, which teaches to say nothing")
    if counts.again:
        said.append(f"{counts.again:,} stood before, word for word")
    return said


def _read(kind: Kind, row: Row) -> str:
    """Write what a trainer reads of a row, and what tells rows of one prompt apart."""
    names = {*kind.texts, *kind.flags, "answer", "target", "row"}
    kept = {name: row[name] for name in row if name in names} or row
    return json.dumps(kept, sort_keys=True, default=str)


def _is_empty(row: Row) -> bool:
    return any(_says_nothing(row[name]) for name in ANSWERS if name in row)


def _says_nothing(answer: Any) -> bool:
    if isinstance(answer, str):
        return not answer.strip()
    said = "".join(str(turn.get("content") or "") for turn in answer)
    return not said.strip() and not any(turn.get("tool_calls") for turn in answer)


def _lengths(
    kind: Kind,
    rows: Iterable[Row],
    args: dict[str, Any],
    limits: Limits,
    tokenizer: "Callable[[], PreTrainedTokenizerBase]",
) -> tuple[int, int]:
    """Count the rows that are cut, and those of which nothing that is trained is left."""
    limit = limits.tokens
    if limit is None:
        return 0, 0
    long = [row for row in rows if _may_be_longer(row, limit)]
    if not long:
        return 0, 0
    splits = tokenizer()
    written = [_written(kind, row, args, splits) for row in long]
    lost = [limits.drops and _is_lost(parts, limit) for parts in written]
    cut = [_is_longer(parts, limit) for parts in written]
    return sum(cut) - sum(lost), sum(lost)


def _written(
    kind: Kind, row: Row, args: dict[str, Any], tokenizer: "PreTrainedTokenizerBase"
) -> list[Part]:
    try:
        return row_as_tokens(kind, row, args, tokenizer)
    # a template is a program that others wrote
    except Exception as error:
        raise ValueError(
            f"Stage '{kind.name}': the chat template does not take the row {row!r:.80}: "
            f"{one_sentence(error)}"
        ) from error


def _may_be_longer(row: Row, limit: int) -> bool:
    """Say whether a row can be longer: no token is less than a byte."""
    text = json.dumps(row, ensure_ascii=False, default=str)
    turns = text.count('"role"')
    return len(text.encode()) + _OF_TEMPLATE + _OF_TURN * turns > limit


def _is_lost(parts: Sequence[Part], limit: int) -> bool:
    prompt = parts[0]
    return not prompt.learnt and len(prompt.tokens) >= limit


def _is_longer(parts: Sequence[Part], limit: int) -> bool:
    prompt, *answers = parts
    longest = max((len(part.tokens) for part in answers), default=0)
    return len(prompt.tokens) + longest > limit
