"""Preference win rate of a stage against another model, judged pair by pair on the same prompts.

Every pair is judged in both orders and counts the mean of the two, so a judge's taste for a slot
cancels. A win rate says how often, not by how much, and it is only as good as its judge. The
length-controlled one estimates what it would be at equal lengths: it takes out a taste for length,
also where longer was better.
"""

from collections.abc import Mapping, Sequence

from stagelift.evals.metrics.clusters import of_prompts
from stagelift.evals.records import Metric, Verdict
from stagelift.evals.stats.difference import Difference, difference
from stagelift.evals.stats.length_control import LengthControlled, length_controlled


def win_rate(
    verdicts: Sequence[Verdict], clusters: Mapping[str, str] | None = None
) -> Metric | None:
    """Mean score over prompts, ties counting half; None without a verdict.

    Its interval is that of its lead over one half, which is what a report's verdict is of.
    `clusters` are what prompts come in, by prompt id.
    """
    scores = decided(verdicts)
    judged = (verdict.id for verdict in verdicts if verdict.score is not None)
    return over_half(scores, of_prompts(clusters or {}, judged)) if scores else None


def over_half(scores: Sequence[float], clusters: Sequence[str] | None = None) -> Metric:
    """Return the mean of scores in [0, 1], with the interval of their difference to one half."""
    lead = difference([score - 0.5 for score in scores], bound=0.5, clusters=clusters)
    return above_half(lead)


def above_half(lead: Difference) -> Metric:
    """Return the win rate that lies so far above one half."""
    return Metric(
        value=0.5 + lead.delta,
        low=0.5 + lead.low,
        high=0.5 + lead.high,
        n=lead.n,
        clusters=lead.clusters,
    )


def win_tie_loss(verdicts: Sequence[Verdict]) -> tuple[int, int, int]:
    """Count pairs won, tied (exactly 0.5 over both orders) and lost."""
    scores = decided(verdicts)
    won = sum(score > 0.5 for score in scores)
    lost = sum(score < 0.5 for score in scores)
    return won, len(scores) - won - lost, lost


def length_controlled_win_rate(
    verdicts: Sequence[Verdict], clusters: Mapping[str, str] | None = None
) -> LengthControlled | None:
    """Estimate the win rate at equal lengths in characters; None where lengths are missing or no
    fit is possible.

    `clusters` are what prompts come in, by prompt id.
    """
    known = [verdict for verdict in verdicts if verdict.score is not None]
    differences = [
        verdict.length_difference for verdict in known if verdict.length_difference is not None
    ]
    if not known or len(differences) < len(known):
        return None
    names = of_prompts(clusters or {}, (verdict.id for verdict in known))
    return length_controlled(decided(known), differences, clusters=names)


def decided(verdicts: Sequence[Verdict]) -> list[float]:
    """Return the scores of the pairs that have one."""
    return [verdict.score for verdict in verdicts if verdict.score is not None]
