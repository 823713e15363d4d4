"""Controls, not judges: the longer response wins, the shorter one wins, or a coin decides.

They show what a win rate looks like when nothing but length, or nothing at all, is behind it.
"""

import hashlib
from collections.abc import Callable, Sequence
from typing import Literal

from stagelift.evals.judges.judge import Judge, Opinion, Pair

Control = Literal["longest", "shortest", "random"]


def control(kind: Control) -> Judge:
    """Return a control; its id says that it is one."""
    rules: dict[Control, Callable[[Pair], Opinion]] = {
        "longest": _longest,
        "shortest": _shortest,
        "random": _random,
    }
    rule = rules[kind]

    def decide(pairs: Sequence[Pair]) -> list[Opinion]:
        return [rule(pair) for pair in pairs]

    return Judge(f"control-{kind}-1", decide)


def _longest(pair: Pair) -> Opinion:
    first, second = len(pair.first.text), len(pair.second.text)
    score = 0.5 if first == second else float(first > second)
    return Opinion(score=score, reason="control: longer in characters")


def _shortest(pair: Pair) -> Opinion:
    score = _longest(pair).score
    assert score is not None
    return Opinion(score=1 - score, reason="control: shorter in characters")


def _random(pair: Pair) -> Opinion:
    """A coin for each order on its own, the same at every call."""
    text = "\0".join([pair.id, pair.first.text, pair.second.text])
    coin = hashlib.sha256(text.encode()).digest()[0] % 2
    return Opinion(score=float(coin), reason="control: a coin")
