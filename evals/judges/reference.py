"""The `reference` judge: right beats wrong, then shorter wins.

Of two right answers the shorter by more than 10% wins; everything else is a tie. It knows the
targets, so it measures correctness and brevity, not what people would prefer.
"""

from collections.abc import Sequence

from stagelift.evals.judges.judge import Judge, Opinion, Pair, Response

# part of the contract: raise it when the rule changes
ID = "reference-2"
CLEARLY_SHORTER = 0.9


def reference_judge() -> Judge:
    """Return the judge. It can decide only pairs whose responses were scored against a target."""
    return Judge(ID, decide)


def decide(pairs: Sequence[Pair]) -> list[Opinion]:
    """Decide each pair by correctness, then by length.

    Lengths are in tokens where both are known, else in characters.
    """
    return [_opinion(pair.first, pair.second) for pair in pairs]


def _opinion(first: Response, second: Response) -> Opinion:
    if first.correct is None or second.correct is None:
        return Opinion(score=None, reason="no target to judge by")
    if first.correct != second.correct:
        return Opinion(score=float(first.correct), reason="right beats wrong")
    if not first.correct:
        return Opinion(score=0.5, reason="both wrong")
    first_length, second_length = _lengths(first, second)
    shorter, longer = sorted((first_length, second_length))
    if shorter < CLEARLY_SHORTER * longer:
        score = float(first_length < second_length)
        return Opinion(score=score, reason="both right, shorter by more than 10%")
    return Opinion(score=0.5, reason="both right, about as long")


def _lengths(first: Response, second: Response) -> tuple[int, int]:
    if first.n_tokens is None or second.n_tokens is None:
        return len(first.text), len(second.text)
    return first.n_tokens, second.n_tokens
