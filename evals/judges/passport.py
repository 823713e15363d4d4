"""A judge's passport: how it behaves on the pairs it judged, and how often it agrees with pairs whose better answer is known.

Agreement stands beside that of the control that always picks the longer answer: a judge that does not beat it is not fit
to decide. A passport does not say that the gold pairs are like the pairs judged.
"""

import hashlib
from collections.abc import Sequence

from evals import stats
from evals.judges.controls import control
from evals.judges.judge import Judge, Response
from evals.preferences import Preference, words
from evals.records import GoldAgreement, Metric, Passport, Usage, Verdict
from evals.scoring import is_correct
from evals.winrate import SAME, Answered, judge_pairs

GOLD_VERSION = "gold-1"  # raise it when agreement is counted differently


def passport(
    judge: str, prompt_hash: str | None, verdicts: Sequence[Verdict], gold: GoldAgreement | None, usage: Usage | None
) -> Passport:
    """Sum up a judge over verdicts of one or more stages. Pairs of equal responses were never shown to it: left out."""
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
        fit=None if gold is None else gold.advantage.low > 0,
        usage=usage,
    )


def position_consistency(verdicts: Sequence[Verdict]) -> Metric | None:
    """Share of pairs that got the same verdict in both orders."""
    orders = _both_orders(verdicts)
    return stats.proportion(sum(first == second for first, second in orders), len(orders)) if orders else None


def first_slot_rate(verdicts: Sequence[Verdict]) -> Metric | None:
    """How much of the score goes to whatever is shown first, over both orders: one half where the slot does not matter."""
    rates = [(first + 1 - second) / 2 for first, second in _both_orders(verdicts)]
    return stats.clipped(stats.mean(rates), 0, 1) if rates else None


def prefers_longer(verdicts: Sequence[Verdict]) -> Metric | None:
    """Share of decided pairs of unequal length (characters) in which the longer response won."""
    leads = [
        (verdict.score - 0.5) * verdict.length_difference
        for verdict in verdicts
        if verdict.score is not None and verdict.length_difference is not None
    ]
    unequal = [lead for lead in leads if lead]
    return stats.proportion(sum(lead > 0 for lead in unequal), len(unequal)) if unequal else None


def gold_agreement(judge: Judge, preferences: Sequence[Preference], name: str) -> GoldAgreement | None:
    """Show the judge every pair in both orders and count how often it picks the chosen answer; None without pairs.

    Cohen's kappa is of the slot picked against the slot of the chosen answer, which a coin fixed by the pair decides.
    """
    pairs = [one for one in preferences if one.chosen is not None and one.rejected is not None]
    if not pairs:
        return None
    verdicts, controls = _judged(judge, pairs), _judged(control("longest"), pairs)
    agrees, longest = ([_agrees(verdict) for verdict in found] for found in (verdicts, controls))
    advantage = stats.difference([mine - theirs for mine, theirs in zip(agrees, longest, strict=True)], binary=True)
    kappa = stats.kappa([_slot(one.id) for one in pairs], [_picked(verdict) for verdict in verdicts])
    return GoldAgreement(
        pairs=name,
        agreement=stats.proportion(sum(agrees), len(pairs)),
        kappa=Metric(value=kappa[0], low=kappa[1], high=kappa[2], n=len(pairs)),
        control=stats.proportion(sum(longest), len(pairs)),
        advantage=Metric(value=advantage.delta, low=advantage.low, high=advantage.high, n=advantage.n),
        failures=sum(verdict.score is None for verdict in verdicts),
        position_consistency=position_consistency(verdicts),
    )


def _both_orders(verdicts: Sequence[Verdict]) -> list[tuple[float, float]]:
    orders = [verdict.orders for verdict in verdicts if verdict.orders is not None]
    return [(first, second) for first, second in orders if first is not None and second is not None]


def _judged(judge: Judge, pairs: Sequence[Preference]) -> list[Verdict]:
    chosen = {one.id: _answered(one, one.chosen) for one in pairs}
    rejected = {one.id: _answered(one, one.rejected) for one in pairs}
    return judge_pairs(chosen, rejected, "preference", "reference", judge)


def _answered(one: Preference, text: str | None) -> Answered:
    assert text is not None
    correct = None if one.answer is None else is_correct(text, one.answer)
    return Answered(words(one.prompt), Response(text=text, correct=correct))


def _agrees(verdict: Verdict) -> int:
    return int(verdict.score is not None and verdict.score > 0.5)


def _slot(pair: str) -> str:
    """A coin, so that the chosen answer is in each slot about as often."""
    return ("first", "second")[hashlib.sha256(pair.encode()).digest()[0] % 2]


def _picked(verdict: Verdict) -> str:
    if verdict.score is None or verdict.score == 0.5:
        return "neither"
    slot = _slot(verdict.id)
    return slot if verdict.score > 0.5 else {"first": "second", "second": "first"}[slot]
