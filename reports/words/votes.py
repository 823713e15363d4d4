"""What people's votes make of win rates, in sentences."""

from collections.abc import Iterator

from stagelift.evals.stats.prediction_powered import FEWEST, Corrected
from stagelift.evals.votes.voted import Voted
from stagelift.reports.records import StageRecord
from stagelift.reports.report import RunReport
from stagelift.reports.words import formatting


def vote_sentences(run: RunReport) -> list[str]:
    """Say of every win rate with votes what they make of it: a sentence or a few for each."""
    return [
        f"{stage.name}, {formatting.full_title(name)}: {' '.join(_sentences(votes, stage))}"
        for stage in run.stages
        for name, votes in stage.voted.items()
    ]


def vote_notes(votes: Voted) -> list[str]:
    """Say in a table what a corrected win rate rests on."""
    if votes.corrected is None:
        return []
    notes = [f"{votes.prompts} of {votes.judged} voted on"]
    if not votes.is_random:
        notes.append("no random sample")
    return [*notes, _halving(votes.corrected)]


def _sentences(votes: Voted, stage: StageRecord) -> Iterator[str]:
    yield _counts(votes)
    judge = stage.evaluation.metrics[votes.win_rate]
    found = votes.value()
    if found is None or votes.corrected is None:
        yield (f"From {FEWEST} on the judge's win rate is corrected; {votes.missing} are missing.")
    else:
        yield (
            f"By votes {formatting.value(votes.metric, found)}, by the judge alone "
            f"{formatting.value(votes.win_rate, judge)}, by the votes alone "
            f"{formatting.share(votes.alone)}."
        )
        yield f"{_capital(_halving(votes.corrected))}."
    if votes.with_judge is not None:
        yield f"The judge says what people say in {formatting.share_with_n(votes.with_judge)}."
    if votes.agreement is not None:
        yield f"Two voters agree on a pair in {formatting.share_with_n(votes.agreement)}."
    if not votes.is_random:
        yield (
            "These are not the first pairs of the random order that pages are made in: what is "
            "said of all judged prompts holds only if they are like a random sample of them."
        )


def _counts(votes: Voted) -> str:
    equal = f", {votes.equal} of them equal responses" if votes.equal else ""
    voters = f"{votes.voters} voter" if votes.voters == 1 else f"{votes.voters} voters"
    return f"{votes.prompts} of {votes.judged} judged prompts are voted on{equal}, by {voters}."


def _halving(corrected: Corrected) -> str:
    """Say how many more votes would halve the interval, or what stands in the way."""
    more = corrected.more_to_halve()
    if more is not None:
        return f"{more:,} more votes would halve the interval"
    if corrected.lead.clusters is not None:
        return "prompts come in clusters, so that more votes need not narrow the interval"
    least = 100 * corrected.half_width_with(corrected.judged)
    now = 100 * corrected.half_width
    return (
        f"no number of votes would halve the interval: with all {corrected.judged} judged prompts "
        f"voted on ± {now:.1f} points become ± {least:.1f}"
    )


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
