"""How often a judge agrees with gold pairs, whose better answer is known.

Beside it stands the control that always picks the longer answer. A pair counts as agreement where
the judge picks the chosen answer over both orders; a tie, or no verdict, does not. Against the
control ties count half on both sides, so that equal lengths do not handicap it.
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
from stagelift.evals.stats import estimates
from stagelift.evals.stats.difference import difference

# raise it when agreement is counted differently
GOLD_VERSION = "gold-2"


def gold_agreement(
    judge: Judge, preferences: Sequence[Preference], name: str
) -> GoldAgreement | None:
    """Show the judge every pair in both orders and count how often it picks the chosen answer.

    None without pairs. Cohen's kappa is of the slot picked against the slot of the chosen answer,
    which a coin fixed by the pair decides.
    """
    pairs = [pair for pair in preferences if pair.chosen is not None and pair.rejected is not None]
    if not pairs:
        return None
    verdicts = _judged(judge, pairs)
    judge_credits = [_credit(verdict) for verdict in verdicts]
    control_credits = [_credit(verdict) for verdict in _judged(control("longest"), pairs)]
    agreeing = sum(credit == 1 for credit in judge_credits)
    return GoldAgreement(
        pairs=name,
        agreement=estimates.proportion(agreeing, len(pairs)),
        kappa=_kappa(pairs, verdicts),
        control=estimates.rate(control_credits),
        advantage=_advantage(judge_credits, control_credits),
        failures=sum(verdict.score is None for verdict in verdicts),
        position_consistency=position_consistency(verdicts),
    )


def _judged(judge: Judge, pairs: Sequence[Preference]) -> list[Verdict]:
    chosen = {pair.id: _answered(pair, pair.chosen) for pair in pairs}
    rejected = {pair.id: _answered(pair, pair.rejected) for pair in pairs}
    return judge_pairs(chosen, rejected, "preference", "reference", judge)


def _answered(pair: Preference, text: str | None) -> Answered:
    assert text is not None
    correct = None if pair.answer is None else is_correct(text, pair.answer)
    return Answered(words(pair.prompt), Response(text=text, correct=correct))


def _credit(verdict: Verdict) -> float:
    """One for the chosen answer, half for a tie, nothing for no verdict.

    A control that sees equal lengths gives a tie, too.
    """
    if verdict.score is None:
        return 0.0
    return 0.5 if verdict.score == 0.5 else float(verdict.score > 0.5)


def _kappa(pairs: Sequence[Preference], verdicts: Sequence[Verdict]) -> Metric:
    slots = [_slot(pair.id) for pair in pairs]
    picked = [_picked(verdict) for verdict in verdicts]
    value, low, high = estimates.kappa(slots, picked)
    return Metric(value=value, low=low, high=high, n=len(pairs))


def _slot(pair_id: str) -> str:
    """A coin, so that the chosen answer is in each slot about as often."""
    coin = hashlib.sha256(pair_id.encode()).digest()[0] % 2
    return ("first", "second")[coin]


def _picked(verdict: Verdict) -> str:
    if verdict.score is None or verdict.score == 0.5:
        return "neither"
    chosen_slot = _slot(verdict.id)
    rejected_slot = {"first": "second", "second": "first"}[chosen_slot]
    return chosen_slot if verdict.score > 0.5 else rejected_slot


def _advantage(judge_credits: Sequence[float], control_credits: Sequence[float]) -> Metric:
    paired = zip(judge_credits, control_credits, strict=True)
    lead = difference([of_judge - of_control for of_judge, of_control in paired], bound=1.0)
    return Metric(value=lead.delta, low=lead.low, high=lead.high, n=lead.n)
