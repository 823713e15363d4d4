"""A judge's win rate corrected by people's votes on some of its pairs.

It estimates how often these voters, on average, would prefer the stage's response, were they asked
about every judged prompt. It does not say what other people would say, and not by how much one
response is better.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import fmean

from stagelift.evals.metrics.clusters import of_prompts
from stagelift.evals.metrics.measures import by_votes
from stagelift.evals.metrics.winrate import above_half, over_half
from stagelift.evals.records import Metric, Verdict, Vote
from stagelift.evals.stats.estimates import rate
from stagelift.evals.stats.prediction_powered import FEWEST, Corrected, corrected
from stagelift.evals.votes.draw import is_random_sample, judged


@dataclass(frozen=True)
class Voted:
    """What people's votes on pairs of a judge's `win_rate` say.

    `labels` has the mean vote on each prompt that was voted on, of `judged` ones. In `equal` of
    them both responses are the same, and nobody was asked. `alone` is the mean vote, `corrected`
    what becomes of the win rate, None below FEWEST prompts. `agreement` is how often two voters
    said the same of a pair, None where no pair has two, `with_judge` how often votes and judge did,
    ties included, where anybody was asked.
    `is_random` says whether the prompts are a random sample of the judged ones.
    """

    win_rate: str
    labels: dict[str, float]
    equal: int
    judged: int
    voters: int
    alone: Metric
    corrected: Corrected | None
    agreement: Metric | None
    with_judge: Metric | None
    is_random: bool

    @property
    def metric(self) -> str:
        """What the corrected win rate is called."""
        return by_votes(self.win_rate)

    @property
    def prompts(self) -> int:
        """How many prompts were voted on."""
        return len(self.labels)

    @property
    def missing(self) -> int:
        """How many more prompts must be voted on before there is a correction."""
        return max(0, FEWEST - self.prompts)

    def value(self) -> Metric | None:
        """Return the corrected win rate; None where there are too few votes."""
        if self.corrected is None:
            return None
        return above_half(self.corrected.lead)


def voted(
    win_rate: str,
    verdicts: Mapping[str, Verdict],
    votes: Sequence[Vote],
    clusters: Mapping[str, str],
) -> Voted | None:
    """Sum up the votes on a win rate's pairs; None without a vote on a judged one.

    `verdicts` and `clusters` are by prompt id.
    """
    prompts = judged(verdicts)
    by_prompt: dict[str, list[Vote]] = {}
    for vote in votes:
        by_prompt.setdefault(vote.id, []).append(vote)
    labels = {
        prompt: fmean(vote.score for vote in by_prompt[prompt])
        for prompt in prompts
        if prompt in by_prompt
    }
    if not labels:
        return None
    scores = {prompt: verdicts[prompt].score or 0.0 for prompt in prompts}
    equal = {prompt for prompt in labels if by_prompt[prompt][0].voter is None}
    return Voted(
        win_rate=win_rate,
        labels=labels,
        equal=len(equal),
        judged=len(prompts),
        voters=len({vote.voter for vote in votes} - {None}),
        alone=over_half(list(labels.values()), of_prompts(clusters, labels)),
        corrected=_corrected(scores, labels, of_prompts(clusters, prompts)),
        agreement=_agreement(by_prompt),
        with_judge=_with_judge(scores, {one: labels[one] for one in labels if one not in equal}),
        is_random=is_random_sample({one: by_prompt[one][0].seed for one in labels}, prompts),
    )


def _corrected(
    scores: Mapping[str, float], labels: Mapping[str, float], clusters: Sequence[str] | None
) -> Corrected | None:
    if len(labels) < FEWEST:
        return None
    return corrected(list(scores.values()), [labels.get(prompt) for prompt in scores], clusters)


def _agreement(by_prompt: Mapping[str, Sequence[Vote]]) -> Metric | None:
    """Return how often two voters agree, over the pairs that several voted on."""
    shares = [
        fmean(float(one.score == other.score) for one, other in combinations(votes, 2))
        for votes in by_prompt.values()
        if len(votes) > 1
    ]
    return rate(shares) if shares else None


def _with_judge(scores: Mapping[str, float], labels: Mapping[str, float]) -> Metric | None:
    same = [float(_side(scores[prompt]) == _side(label)) for prompt, label in labels.items()]
    return rate(same) if same else None


def _side(score: float) -> int:
    """Say who won: 1, 0 for a tie, or -1."""
    return (score > 0.5) - (score < 0.5)
