"""A judge's passport: how it behaves on the pairs it judged, and whether it agrees with gold pairs.

The better answer of a gold pair is known. Rates are over prompts: several verdicts on one prompt
count as their mean. A passport does not say that the gold pairs are like the pairs judged.
"""

import re
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

    Pairs of equal responses were never shown to it: left out. Agreement by construction does not
    check whether it is fit.
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
        fit=None if gold is None or knows_targets(judge) else is_fit(gold),
        usage=usage,
    )


def is_fit(gold: GoldAgreement) -> bool:
    """Say whether the judge is fit to decide.

    It beats picking the longer answer, and it picks the better one in more than half of the pairs.
    """
    return gold.advantage.low > 0 and gold.agreement.low > 0.5


def knows_targets(judge: str) -> bool:
    """Say whether a judge of this id decides by the targets that accuracy is read against.

    Gold pairs that such a judge can decide are made from the same targets, so that it agrees with
    them by construction.
    """
    return re.fullmatch(r"reference-\d+", judge) is not None


def position_consistency(verdicts: Sequence[Verdict]) -> Metric | None:
    """How often a pair gets the same verdict in both orders."""
    return _rate(verdicts, _is_consistent)


def _is_consistent(verdict: Verdict) -> float | None:
    first, second = verdict.orders or (None, None)
    if first is None or second is None:
        return None
    return float(first == second)


def first_slot_rate(verdicts: Sequence[Verdict]) -> Metric | None:
    """How much of the score goes to whatever is shown first, over both orders.

    It is one half where the slot does not matter.
    """
    return _rate(verdicts, _to_first_slot)


def _to_first_slot(verdict: Verdict) -> float | None:
    first, second = verdict.orders or (None, None)
    if first is None or second is None:
        return None
    return (first + 1 - second) / 2


def prefers_longer(verdicts: Sequence[Verdict]) -> Metric | None:
    """How often the longer response (characters) wins, of decided pairs of unequal length."""
    return _rate(verdicts, _longer_won)


def _longer_won(verdict: Verdict) -> float | None:
    if verdict.score is None or not verdict.length_difference or verdict.score == 0.5:
        return None
    won, longer = verdict.score > 0.5, verdict.length_difference > 0
    return float(won == longer)


def _rate(verdicts: Sequence[Verdict], share: Callable[[Verdict], float | None]) -> Metric | None:
    """Average what each verdict says, over prompts; None where no verdict says anything."""
    shares = [(verdict.id, share(verdict)) for verdict in verdicts]
    means = estimates.prompt_means(
        [(prompt, value) for prompt, value in shares if value is not None]
    )
    return estimates.rate(list(means.values())) if means else None
