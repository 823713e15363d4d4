"""The `reference` judge: right beats wrong; of two right answers the shorter by more than 10% wins; else a tie.

It knows the targets, so it measures correctness and brevity, not what people would prefer.
"""

from evals.records import Score

ID = "reference-1"  # part of the contract: raise it when the rule changes
CLEARLY_SHORTER = 0.9


def prefer(first: Score, second: Score) -> tuple[float, str]:
    """Return 1 where `first` is better, 0 where `second` is, 0.5 for a tie, and the reason."""
    if first.correct != second.correct:
        return (1.0, "right beats wrong") if first.correct else (0.0, "right beats wrong")
    if not first.correct:
        return 0.5, "both wrong"
    if first.n_tokens < CLEARLY_SHORTER * second.n_tokens:
        return 1.0, "both right, shorter by more than 10%"
    if second.n_tokens < CLEARLY_SHORTER * first.n_tokens:
        return 0.0, "both right, shorter by more than 10%"
    return 0.5, "both right, about as long"
