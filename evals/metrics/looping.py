"""Looping: a response whose end says again and again what it said before.

Of the last `_LAST` four-grams of words and signs, `_SHARE` or more stood in the response twice
already: what is said once more, as a draft is in the answer after it, is no loop. It is the
repetition of four-grams (seq-rep-4 of Welleck et al. 2020, arXiv 1908.04319), taken over the end of
a response, where a loop is. Thresholds and how they do on real responses:
docs/what-a-stage-cost.md. A response that is too short for so many four-grams does not loop.

It does not say whether a response is good: one that loops may have stated the right answer first,
and a song with a refrain, or a form or a list with the same line or number many times, is counted,
too.
"""

import re
from collections import Counter
from collections.abc import Sequence

# part of the contract: raise it when the same response can be read otherwise
LOOPING_VERSION = "looping-2"
# the contract's field of it, which only an evaluation has that looked for loops
LOOPING_FIELD = "looping"
_N, _LAST, _SHARE, _BEFORE = 4, 32, 0.7, 2
# characters at the end that are looked at
_LONGEST = 8_000
# words, cut where they are very long; ideographs and kana, of which a word is not told, one by one;
# and of long white space what is past the fortieth character, eight by eight
_UNSPACED = r"\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
_PIECE = re.compile(rf"[{_UNSPACED}]|[^\W{_UNSPACED}]{{1,12}}|[^\w\s]|(?<=\s{{40}})\s{{8}}")


def is_looping(response: str) -> bool:
    """Say whether a response ends in a loop."""
    return repeated_share(response) >= _SHARE


def repeated_share(response: str) -> float:
    """Return the share of the last four-grams that stood twice before or more; what there are too
    few of counts as new.
    """
    grams = _grams(_PIECE.findall(response[-_LONGEST:]))
    begin = max(0, len(grams) - _LAST)
    seen = Counter(grams[:begin])
    repeated = 0
    for gram in grams[begin:]:
        repeated += seen[gram] >= _BEFORE
        seen[gram] += 1
    return repeated / _LAST


def _grams(pieces: Sequence[str]) -> list[tuple[str, ...]]:
    return [tuple(pieces[place : place + _N]) for place in range(len(pieces) - _N + 1)]
