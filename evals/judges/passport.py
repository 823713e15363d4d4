"""A judge's passport: how it behaves on the pairs it judged, and whether it agrees with pairs whose
better answer is known.

Rates are over prompts: several verdicts on one prompt count as their mean. A passport does not say
that the gold pairs are like the pairs judged.
"""

from collections.abc import Callable, Sequence

from stagelift.evals.judges.judging import SAME
from stagelift.evals.records import GoldAgreement, Metric, Passport, Usage, Verdict
from stagelift.evals.stats import estimates


def passport(
    judge: str,
    prompt_hash: str | None,
    verdicts: Sequence[Verdict],
    gold: GoldAgreement | None,
    usage: Usage | None,
) -> Passport:
    """Sum up a judge over verdicts of one or more stages.

    Pairs of equal responses were never shown to it: left out.
    """
    shown = [verdict for verdict in verdicts if verdict.reason != SAME]
    return Passport(
        judge=judge,
        prompt_hash=prompt_hash,
        pairs=len(shown),
        failures=sum(verdict.score is None for verdict in shown),
        position_consistency=position_consistency(shown),
        first_slot_rate=first_slot_rate(shown),
        prefers_longer=prefers_longer(shown),
        gold=gold,
        fit=None if gold is None else is_fit(gold),
        usage=usage,
    )


def is_fit(gold: GoldAgreement) -> bool:
    """Fit to decide: it beats picking the longer answer, and it picks the better one in more than
    half of the pairs.
    """
    return gold.advantage.low > 0 and gold.agreement.low > 0.5


def position_consistency(verdicts: Sequence[Verdict]) -> Metric | None:
    """How often a pair gets the same verdict in both orders."""
    return _over_prompts(
        verdicts, lambda verdict: _of_orders(verdict, lambda first, second: float(first == second))
    )


def first_slot_rate(verdicts: Sequence[Verdict]) -> Metric | None:
    """How much of the score goes to whatever is shown first, over both orders: one half where the
    slot does not matter.
    """
    return _over_prompts(
        verdicts,
        lambda verdict: _of_orders(verdict, lambda first, second: (first + 1 - second) / 2),
    )


def prefers_longer(verdicts: Sequence[Verdict]) -> Metric | None:
    """How often the longer response (characters) wins, of decided pairs of unequal length."""
    return _over_prompts(verdicts, _longer_won)


def _over_prompts(
    verdicts: Sequence[Verdict], value: Callable[[Verdict], float | None]
) -> Metric | None:
    values = [(verdict.id, value(verdict)) for verdict in verdicts]
    means = estimates.prompt_means([(prompt, one) for prompt, one in values if one is not None])
    return estimates.rate(list(means.values())) if means else None


def _of_orders(verdict: Verdict, value: Callable[[float, float], float]) -> float | None:
    first, second = verdict.orders or (None, None)
    return None if first is None or second is None else value(first, second)


def _longer_won(verdict: Verdict) -> float | None:
    if verdict.score is None or not verdict.length_difference or verdict.score == 0.5:
        return None
    return float((verdict.score > 0.5) == (verdict.length_difference > 0))
