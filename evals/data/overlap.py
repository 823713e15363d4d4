"""How much of what is asked stands in what is trained on, by runs of 8 words.

A run of n words that is in both is the usual sign that an evaluation leaked into training data:
GPT-3 looked for runs of 8 to 13 words (arXiv 2005.14165, appendix C: below 8 most hits are chance),
lm-eval's decontamination for 13. It is a sign and no proof: problems written from one template
share wording, too, and a leak in other words shows nothing.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

WORDS = 8
Gram = tuple[str, ...]


@dataclass(frozen=True)
class Overlap:
    """Of `asked` questions: how many are `too_short` to hold 8 words, how many share 8 words in a
    row with a text, how many share at least half of their runs of 8, and which stand in a text
    whole.

    `closest` is the question that shares most of its runs, and which share of them; None where none
    shares any.
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
    wanted = {name: set(_grams(found)) for name, found in asked.items() if len(found) >= WORDS}
    everywhere = frozenset[Gram]().union(*wanted.values())
    written = [_words(text) for text in texts]
    found = set[Gram]().union(*(everywhere.intersection(_grams(one)) for one in written))
    shares = {name: len(grams & found) / len(grams) for name, grams in wanted.items()}
    candidates = {name: asked[name] for name, share in shares.items() if share == 1}
    closest = max(shares, key=lambda name: shares[name], default=None)
    return Overlap(
        asked=len(asked),
        too_short=len(asked) - len(wanted),
        sharing=sum(share > 0 for share in shares.values()),
        sharing_half=sum(share >= 0.5 for share in shares.values()),
        whole=tuple(sorted(_whole(candidates, written), key=list(asked).index)),
        closest=(closest, shares[closest]) if closest is not None and shares[closest] > 0 else None,
    )


def _words(text: str) -> list[str]:
    return re.sub(r"[^\w\s]|_", "", text.lower()).split()


def _grams(found: Sequence[str]) -> Iterator[Gram]:
    return zip(*(found[start:] for start in range(WORDS)), strict=False)


def _whole(candidates: Mapping[str, list[str]], written: Iterable[list[str]]) -> set[str]:
    """Name the candidates that stand in one text from their first word to their last."""
    by_start: dict[Gram, dict[str, str]] = {}
    for name, found in candidates.items():
        by_start.setdefault(tuple(found[:WORDS]), {})[name] = f" {' '.join(found)} "
    whole: set[str] = set()
    for text in written if by_start else ():
        for start in by_start.keys() & set(_grams(text)):
            line = f" {' '.join(text)} "
            whole |= {name for name, phrase in by_start[start].items() if phrase in line}
    return whole
