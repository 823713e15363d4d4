"""Preference accuracy, which needs no judge: does a stage prefer the better answer of a held-out
pair more than base does?

A pair counts as right where the log-probability ratio of stage to base is higher for the chosen
answer than for the rejected one (the implicit reward of DPO, arXiv 2305.18290), half where they are
equal. The per-token variant divides by each answer's number of tokens. It looks at given texts: it
does not say what the model would write.

The summed variant needs no common tokenizer: it is the log-probability of a text, in the tokens
that the model itself splits it into. Nats per token are of these tokens, so the other variant is
not measured where the tokenizers of stage and base differ. A stage that was not trained from base
may simply be the better model of longer texts: what it shows then is not training.
"""

from collections.abc import Mapping, Sequence

from stagelift.evals.metrics.winrate import over_half
from stagelift.evals.records import Metric, PairScore

NAMES = ("preference_accuracy", "preference_accuracy_per_token")


def preference_accuracy(
    stage: Sequence[PairScore], base: Mapping[str, PairScore], *, per_token: bool = True
) -> dict[str, Metric]:
    """Compute both variants over the pairs, or the first; empty without pairs.

    Base itself has one half, so the interval is that of the difference to base.
    """
    if not stage:
        return {}
    names = NAMES if per_token else NAMES[:1]
    return {name: over_half(list(pair_values(stage, base, name).values())) for name in names}


def pair_values(
    stage: Sequence[PairScore], base: Mapping[str, PairScore], name: str
) -> dict[str, float]:
    """Return 1, 0.5 or 0 for each pair id."""
    per_token = name == "preference_accuracy_per_token"
    return {pair.id: _value(pair, base[pair.id], per_token) for pair in stage}


def _value(pair: PairScore, base: PairScore, per_token: bool) -> float:
    chosen = pair.chosen - base.chosen
    rejected = pair.rejected - base.rejected
    if per_token:
        chosen /= pair.chosen_tokens
        rejected /= pair.rejected_tokens
    if chosen == rejected:
        return 0.5
    return float(chosen > rejected)
