"""Agreement of a judge with pairs whose better answer is known, beside the control that always
picks the longer answer.

A pair counts as agreement where the judge picks the chosen answer over both orders; a tie, or no
verdict, does not. Against the control ties count half on both sides, so that equal lengths do not
handicap it.
"""

import hashlib
from collections.abc import Sequence

from stagelift.evals.data.preferences import Preference, words
from stagelift.evals.judges.controls import control
from stagelift.evals.judges.judge import Judge, Response
from stagelift.evals.judges.judging import Answered, judge_pairs
from stagelift.evals.judges.passport import position_consistency
from stagelift.evals.metrics.scoring import is_correct
from stagelift.evals.records import GoldAgreement, Metric, Verdict
from stagelift.evals.stats import estimates, tests

# raise it when agreement is counted differently
GOLD_VERSION = "gold-2"


def gold_agreement(
    judge: Judge, preferences: Sequence[Preference], name: str
) -> GoldAgreement | None:
    """Show the judge every pair in both orders and count how often it picks the chosen answer; None
    without pairs.

    Cohen's kappa is of the slot picked against the slot of the chosen answer, which a coin fixed by
    the pair decides.
    """
    pairs = [one for one in preferences if one.chosen is not None and one.rejected is not None]
    if not pairs:
        return None
    verdicts, controls = _judged(judge, pairs), _judged(control("longest"), pairs)
    credits, longest = ([_credit(verdict) for verdict in found] for found in (verdicts, controls))
    advantage = tests.difference(
        [mine - theirs for mine, theirs in zip(credits, longest, strict=True)], bound=1
    )
    agreeing = sum(credit == 1 for credit in credits)
    kappa = estimates.kappa(
        [_slot(one.id) for one in pairs], [_picked(verdict) for verdict in verdicts]
    )
    return GoldAgreement(
        pairs=name,
        agreement=estimates.proportion(agreeing, len(pairs)),
        kappa=Metric(value=kappa[0], low=kappa[1], high=kappa[2], n=len(pairs)),
        control=estimates.rate(longest),
        advantage=Metric(
            value=advantage.delta, low=advantage.low, high=advantage.high, n=advantage.n
        ),
        failures=sum(verdict.score is None for verdict in verdicts),
        position_consistency=position_consistency(verdicts),
    )


def _judged(judge: Judge, pairs: Sequence[Preference]) -> list[Verdict]:
    chosen = {one.id: _answered(one, one.chosen) for one in pairs}
    rejected = {one.id: _answered(one, one.rejected) for one in pairs}
    return judge_pairs(chosen, rejected, "preference", "reference", judge)


def _answered(one: Preference, text: str | None) -> Answered:
    assert text is not None
    correct = None if one.answer is None else is_correct(text, one.answer)
    return Answered(words(one.prompt), Response(text=text, correct=correct))


def _credit(verdict: Verdict) -> float:
    """One for the chosen answer, half for a tie (as for a control that sees equal lengths), nothing
    for no verdict.
    """
    if verdict.score is None:
        return 0.0
    return 0.5 if verdict.score == 0.5 else float(verdict.score > 0.5)


def _slot(pair: str) -> str:
    """A coin, so that the chosen answer is in each slot about as often."""
    return ("first", "second")[hashlib.sha256(pair.encode()).digest()[0] % 2]


def _picked(verdict: Verdict) -> str:
    if verdict.score is None or verdict.score == 0.5:
        return "neither"
    slot = _slot(verdict.id)
    return slot if verdict.score > 0.5 else {"first": "second", "second": "first"}[slot]
