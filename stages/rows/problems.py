"""Word problems whose answers a stage cannot learn from.

`correctness` and `brevity` pay for a number: where none can be read in a row's answer, every
completion of it gets 0, for ever. Pairs are made of an answer and a worse one: where the two do not
state different numbers, as our own reading has them, they say nothing of which is better.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from stagelift.evals.data.alpaca import INPUTS
from stagelift.evals.data.answers import answer_text
from stagelift.evals.data.bundled_data import is_bundled
from stagelift.evals.data.pairs import is_plain, is_rambling, rejected_answer
from stagelift.evals.data.places import place
from stagelift.evals.data.source import Source, column_names, fingerprint, local_rows, rows
from stagelift.evals.metrics.answers.reading import read_answer, read_target
from stagelift.evals.remembered import remembered
from stagelift.stages.kind import Kind
from stagelift.stages.kinds import KINDS, kind_named
from stagelift.stages.rows.own import learns_from_scorers, own_answers
from stagelift.stages.settings import StageSettings

if TYPE_CHECKING:
    from datasets import Dataset


# what belongs to a question; the first are read where rows are no word problems
_READ_ELSEWHERE = (*INPUTS, "system", "system_prompt")
_READ_AS = {
    ("prompt", "completion"): "{completion: answer}",
    ("prompt",): "{prompt: question}",
}
_BESIDE = ("instruction", "choices", "options", "history")


@dataclass(frozen=True)
class Unusable:
    """Rows of a local file whose answers a stage cannot learn from, of `rows` in all.

    `first` is where the first of them stands, from 0; `answer` is what it holds.
    """

    count: int
    rows: int
    first: int
    answer: object


def without_unusable(kind: Kind, problems: "Dataset") -> "Dataset":
    """Leave out the word problems of which a kind that makes pairs can make none."""
    if not kind.makes_pairs:
        return problems
    pairs = zip(problems["question"], problems["answer"], strict=True)
    usable = [index for index, pair in enumerate(pairs) if _makes_a_pair(*pair)]
    # where it is none, the check has refused them
    is_part = 0 < len(usable) < len(problems)
    return problems.select(usable) if is_part else problems


def check_all_is_asked(kind: Kind, problems: "Dataset", source: Source) -> None:
    """Raise ValueError, in a sentence, where word problems would be asked without what stands
    beside their questions.
    """
    there = [name for name in (*_READ_ELSEWHERE, *_BESIDE) if name in problems.column_names]
    unread = [name for name in there if any(problems[name])]
    if not unread:
        return
    renamed = ("unused" if at == 1 else f"unused_{at}" for at in range(1, len(unread) + 1))
    out = ", ".join(f"{name}: {column}" for name, column in zip(renamed, unread, strict=True))
    readable = set(unread) <= {*_READ_ELSEWHERE}
    remedy = "; ".join(_READ_AS[names] for names in kind.formats if names in _READ_AS)
    raise ValueError(
        f"Stage '{kind.name}' would ask the questions of '{source.path}' without column "
        f"{' and '.join(unread)}: write it into question, "
        f"{f'have it asked with columns: {remedy}, ' if remedy and readable else ''}"
        f"or leave it out with columns: {{{out}}}."
    )


def check_answers(settings: StageSettings) -> None:
    """Raise ValueError, in a sentence, where a stage could learn from no row of a local file."""
    unusable = _unusable(settings)
    if unusable is not None and unusable.count == unusable.rows:
        raise ValueError(_said(settings, unusable))


def check_pairs(source: Source) -> None:
    """Raise ValueError, in a sentence with its row, where a pair for measuring cannot be made."""
    makes_pairs = next(kind.name for kind in KINDS if kind.makes_pairs)
    unusable = _without_pair(makes_pairs, source.model_dump_json(), fingerprint(source))
    if unusable is not None:
        raise ValueError(
            f"{place(source, unusable.first)} has the answer {unusable.answer!r:.60}, of which no "
            "pair can be made: no number can be read in it, or no other written. Write answers as "
            "a number, or end them in `#### number`."
        )


def answer_note(settings: StageSettings) -> str | None:
    """Say, in a sentence, from how many rows a stage cannot learn; None where it is none."""
    unusable = _unusable(settings)
    return None if unusable is None else _said(settings, unusable)


def pairs_identity(settings: StageSettings) -> dict[str, int]:
    """Return how a stage's pairs are made where that was otherwise once: since 2 pairs of answers
    that do not end in `####` and a whole number keep the form of the answer.

    What cannot be read cannot be trained on either.
    """
    source = settings.dataset
    if not kind_named(settings.kind).makes_pairs or is_bundled(source.path):
        return {}
    try:
        asked = [settings.kind, source.model_dump(), fingerprint(source)]
        as_ever = remembered("pairs", asked, partial(_are_as_ever, settings))
    except Exception:  # noqa: BLE001 - the Hub, a cache and a reader raise errors of many kinds
        return {}
    return {} if as_ever else {"pairs": 2}


def _are_as_ever(settings: StageSettings) -> bool:
    source = settings.dataset
    if not _are_problems(kind_named(settings.kind), column_names(source)):
        return True
    return all(_is_plain(answer) for answer in rows(source)["answer"])


def _is_plain(answer: Any) -> bool:
    return isinstance(answer, str) and is_plain(answer)


def _are_problems(kind: Kind, present: Iterable[str]) -> bool:
    columns = {*present}
    in_a_format = any({*needed} <= columns for needed in kind.formats)
    return {"question", "answer"} <= columns and not in_a_format


def _unusable(settings: StageSettings) -> Unusable | None:
    """Find the rows that a stage cannot learn from; None where there are none, or none are read."""
    source, kind = settings.dataset, kind_named(settings.kind)
    if is_bundled(source.path):
        return None
    if kind.makes_pairs:
        return _without_pair(kind.name, source.model_dump_json(), fingerprint(source))
    by_scorers = learns_from_scorers(settings.rewards)
    # beside scorers brevity asks them what is right
    needing = ("correctness",) if by_scorers else ("correctness", "brevity")
    if not any(reward in needing for reward in settings.rewards):
        return None
    return _without_number(source.model_dump_json(), fingerprint(source), own=by_scorers)


# a file is looked at by the check and by whoever says what it found
@cache
def _without_pair(kind: str, source: str, _content: str) -> Unusable | None:
    problems = local_rows(Source.model_validate_json(source))
    if problems is None or not _are_problems(kind_named(kind), problems.column_names):
        return None
    answers = problems["answer"]
    pairs = zip(problems["question"], answers, strict=True)
    return _those(answers, [_makes_a_pair(*pair) for pair in pairs])


@cache
def _without_number(source: str, _content: str, *, own: bool) -> Unusable | None:
    named = Source.model_validate_json(source)
    if own:
        answers: Sequence[Any] = own_answers(named)
    else:
        problems = local_rows(named)
        if problems is None or "answer" not in problems.column_names:
            return None
        answers = problems["answer"]
    readable = [read_target(answer_text(answer) or "") is not None for answer in answers]
    return _those(answers, readable)


def _those(answers: Sequence[Any], usable: Sequence[bool]) -> Unusable | None:
    if all(usable):
        return None
    first = usable.index(False)
    return Unusable(usable.count(False), len(usable), first, answers[first])


def _makes_a_pair(question: Any, answer: Any) -> bool:
    """Say whether the worse answer that is made states another number, or rambles."""
    right = answer_text(answer)
    if right is None:
        return False
    if is_plain(right):
        return True
    stated = read_target(right) or read_answer(right)
    rejected = rejected_answer(str(question), right)
    if stated is None:
        return False
    worse = read_answer(rejected)
    if is_rambling(right, rejected):
        return worse == stated
    return worse is not None and worse != stated


def _said(settings: StageSettings, unusable: Unusable) -> str:
    kind, source = kind_named(settings.kind), settings.dataset
    what = _counted(unusable)
    if kind.makes_pairs:
        problem = "of which no pair can be made: no number can be read in it, or no other written"
        then = "They are left out"
        if unusable.count == unusable.rows:
            then = "Nothing is left to train on"
    else:
        problem = "in which no number can be read, so that every completion of theirs gets 0"
        then = "Nothing is learned from them"
    return (
        f"Stage '{kind.name}': {what} of '{source.path}' have an answer {problem}. "
        f"{place(source, unusable.first)} has {unusable.answer!r:.60}. {then}. Write answers as a "
        "number, or end them in `#### number`."
    )


def _counted(unusable: Unusable) -> str:
    if unusable.count == unusable.rows:
        return f"all {unusable.rows} rows"
    return f"{unusable.count} of {unusable.rows} rows"
