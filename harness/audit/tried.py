"""The completions of one row that rewards are tried on: right ones in several forms, wrong ones,
and those by which a policy is known to fool a reward.

Source of the latter: Amodei et al. 2016 (arXiv 1606.06565, reward hacking), and for length, format
and hedging the reports of GRPO on word problems (arXiv 2503.20783, 2503.14476).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Literal, get_args

from stagelift.evals.data.pairs import wrong_answer

Sort = Literal["right", "wrong", "empty", "format", "repeated", "long", "hedged"]
SORTS: tuple[Sort, ...] = get_args(Sort)
# cuts a text to a number of tokens, and counts them
Cut = Callable[[str, int], str]
Count = Callable[[str], int]

_PADDING = "Let me think about this once more, step by step, to be sure of it. "


@dataclass(frozen=True)
class Tried:
    """A completion, what sort it is, and what it is called in the table."""

    sort: Sort
    called: str
    text: str


@dataclass(frozen=True)
class Asked:
    """What is known of a row: its question, its answer as it is written, and as short as it is.

    `other` is another answer, as short. The answers are None where the row has none; the short ones
    are, too, where an answer can be written only as it is, such as code.
    """

    question: str
    answer: str | None
    short: str | None
    other: str | None


def tried_completions(asked: Asked, limit: int, cut: Cut, count: Count) -> list[Tried]:
    """Return the completions that rewards are tried on; the long ones have `limit` tokens."""
    with_answer = [] if asked.answer is None else list(_of_answer(asked, limit, cut, count))
    tried = [
        *with_answer,
        Tried("empty", "nothing", ""),
        Tried("empty", "blanks", " \n"),
        Tried("format", "####", "#### "),
        Tried("format", "<think></think>", "<think></think>"),
        Tried("format", "tags, empty", "<think>\n\n</think>\n<answer>\n\n</answer>"),
        Tried("format", "empty box", r"\boxed{}"),
        Tried("repeated", "the question", asked.question),
        Tried("long", "words alone", cut(_PADDING * limit, limit)),
    ]
    return sorted(tried, key=lambda each: SORTS.index(each.sort))


def _of_answer(asked: Asked, limit: int, cut: Cut, count: Count) -> Iterator[Tried]:
    answer, short = asked.answer, asked.short
    assert answer is not None
    yield Tried("right", "the row's answer", answer)
    if short is not None:
        yield from _of_short(asked, answer, short)
        yield Tried("repeated", "the answer, over and over", cut(f"{short} " * limit, limit))
        if asked.other is not None:
            wrong = cut(f"{asked.other}\n{_PADDING * limit}", limit)
            yield Tried("long", "wrong, then words", wrong)
    yield Tried("long", "the answer, then words", cut(f"{answer}\n{_PADDING * limit}", limit))
    words = cut(_PADDING * limit, max(1, limit - count(f"\n{answer}")))
    yield Tried("long", "words, then the answer", f"{words}\n{answer}")


def _of_short(asked: Asked, answer: str, short: str) -> Iterator[Tried]:
    other = asked.other
    for called, form in _FORMS.items():
        yield Tried("right", called, form.format(short))
    wrong = wrong_answer(answer, Random(asked.question))
    if wrong != answer:
        yield Tried("wrong", "the row's answer, wrong", wrong)
    if other is not None:
        for called, form in _FORMS.items():
            yield Tried("wrong", f"{called}, wrong", form.format(other))
        yield Tried("hedged", "or another", f"The answer is {short} or {other}.")
    yield Tried("hedged", "many, the right one last", f"{_MANY}{short}")
    yield Tried("hedged", "many, the right one first", f"{short}, {_MANY}".removesuffix(", "))


_FORMS = {
    "alone": "{}",
    "after ####": "#### {}",
    "in a box": r"\boxed{{{}}}",
    "in a sentence": "The answer is {}.",
    "after a thought": "<think>\nI work it out.\n</think>\n{}",
    "in tags": "<think>\nI work it out.\n</think>\n<answer>{}</answer>",
}
_MANY = "".join(f"{number}, " for number in (1, 2, 3, 5, 8, 13, 21, 34, 55, 89))
