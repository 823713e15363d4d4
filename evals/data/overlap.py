"""How much of what is asked stands in what is trained on, by runs of 8 words.

A run of n words that is in both is the usual sign that an evaluation leaked into training data:
GPT-3 looked for runs of 8 to 13 words (arXiv 2005.14165, appendix C: below 8 most hits are chance),
lm-eval's decontamination for 13. It is a sign and no proof: problems written from one template
share wording, too, and a leak in other words shows nothing.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

WORDS = 8
Gram = tuple[str, ...]


@dataclass(frozen=True)
class Overlap:
    """How many of the `asked` questions share runs of 8 words with a text.

    Some are `too_short` to hold 8 words; `sharing` counts those that share a run, `sharing_half`
    those that share at least half of their runs, and `whole` names those that stand in a text
    whole. `closest` is the question that shares most of its runs, and which share of them; None
    where none shares any.
    """

    asked: int
    too_short: int
    sharing: int
    sharing_half: int
    whole: tuple[str, ...]
    closest: tuple[str, float] | None


def overlap(questions: Mapping[str, str], texts: Sequence[str]) -> Overlap:
    """Look for the questions (by id) in texts.

    Words are compared in lower case, without punctuation.
    """
    asked = {name: _words(question) for name, question in questions.items()}
    asked_grams = {
        name: set(_grams(question)) for name, question in asked.items() if len(question) >= WORDS
    }
    all_grams = frozenset[Gram]().union(*asked_grams.values())
    written = [_words(text) for text in texts]
    shared = set[Gram]().union(*(all_grams.intersection(_grams(text)) for text in written))
    shares = {name: len(grams & shared) / len(grams) for name, grams in asked_grams.items()}
    candidates = {name: asked[name] for name, share in shares.items() if share == 1}
    return Overlap(
        asked=len(asked),
        too_short=len(asked) - len(asked_grams),
        sharing=sum(share > 0 for share in shares.values()),
        sharing_half=sum(share >= 0.5 for share in shares.values()),
        whole=tuple(sorted(_whole(candidates, written), key=list(asked).index)),
        closest=_closest(shares),
    )


# a stage's texts are looked at once for each group of questions
@lru_cache(maxsize=32_768)
def _words(text: str) -> tuple[str, ...]:
    return tuple(re.sub(r"[^\w\s]|_", "", text.lower()).split())


def _grams(text: Sequence[str]) -> Iterator[Gram]:
    return zip(*(text[start:] for start in range(WORDS)), strict=False)


def _whole(candidates: Mapping[str, Gram], written: Iterable[Gram]) -> set[str]:
    """Name the candidates that stand in one text from their first word to their last."""
    by_start: dict[Gram, dict[str, str]] = {}
    for name, question in candidates.items():
        by_start.setdefault(question[:WORDS], {})[name] = f" {' '.join(question)} "
    whole: set[str] = set()
    if not by_start:
        return whole
    for text in written:
        for start in by_start.keys() & set(_grams(text)):
            line = f" {' '.join(text)} "
            whole |= {name for name, phrase in by_start[start].items() if phrase in line}
    return whole


def _closest(shares: Mapping[str, float]) -> tuple[str, float] | None:
    name = max(shares, key=lambda name: shares[name], default=None)
    if name is None or shares[name] == 0:
        return None
    return name, shares[name]
