"""Records of one evaluation that contradict each other: a row that was deleted or doubled, a value
that cannot be, a number that the rows behind it do not give.

Every record is written from the others and never changed, so what does not agree was changed
afterwards, or is damaged.
"""

import math
from collections import Counter
from collections.abc import Hashable, Iterator
from pathlib import Path

from stagelift.evals.folders import StoredEvaluation
from stagelift.evals.metrics.measures import measure
from stagelift.evals.records import Generation, Score
from stagelift.reports.recount import told_otherwise

REMEDY = (
    "It was changed after it was written. Put back what was there, or make it anew: `stagelift run "
    "RECIPE --repair`, or for an imported run `stagelift import` under its name."
)
# an end of an interval may differ from a bound by its last digits
_NEAR = 1e-9


def refuse_contradictions(stored: StoredEvaluation) -> None:
    """Raise ValueError, in a sentence, with the first contradiction among the records."""
    for problem in contradictions(stored):
        raise ValueError(
            f"The record in {stored.files.path} contradicts itself: {problem}. {REMEDY}"
        )


def contradictions(stored: StoredEvaluation) -> Iterator[str]:
    """Yield every contradiction among the records, as a clause."""
    yield from _repeated(stored)
    yield from _without_counterpart(stored)
    yield from _unlike_responses(stored)
    yield from _impossible(stored)
    yield from told_otherwise(stored)


def _repeated(stored: StoredEvaluation) -> Iterator[str]:
    """Rows that are there twice."""
    files = stored.files
    rows: tuple[tuple[Path, list[tuple[Hashable, ...]]], ...] = (
        (files.generations, [(row.id, row.sample) for row in stored.generations]),
        (files.scores, [(row.id, row.sample) for row in stored.scores]),
        (files.verdicts, [(row.id, row.group, row.against) for row in stored.verdicts]),
        (files.votes, [(row.id, row.group, row.against, row.voter) for row in stored.votes]),
        (files.pairs, [(row.id,) for row in stored.pairs]),
        (files.choices, [(row.id,) for row in stored.choices]),
        (files.passages, [(row.id,) for row in stored.passages]),
        (files.tasks, [(row.id, row.metric) for row in stored.task_scores]),
    )
    for file, keys in rows:
        for key, count in Counter(keys).most_common(1):
            if count > 1:
                yield f"{file.name} has {_shown(*key)} {count} times"


def _without_counterpart(stored: StoredEvaluation) -> Iterator[str]:
    """Responses without a score, scores without a response, verdicts on what is not there."""
    files = stored.files
    responses = dict.fromkeys((row.id, row.sample) for row in stored.generations)
    scores = dict.fromkeys((row.id, row.sample) for row in stored.scores)
    for file, keys, other, others in (
        (files.scores, scores, files.generations, responses),
        (files.generations, responses, files.scores, scores),
    ):
        missing = [key for key in others if key not in keys]
        if missing:
            yield (
                f"{file.name} lacks {len(missing)} of the {len(others)} rows of {other.name}, the "
                f"first is {_shown(*missing[0])}"
            )
    answered = {(row.id, row.group) for row in stored.scores}
    # a judge's own file can hold verdicts alone
    for verdict in stored.verdicts if answered else ():
        if (verdict.id, verdict.group) not in answered:
            yield f"{files.verdicts.name} judges '{verdict.id}', which has no response"
    judged = {(row.id, row.group, row.against) for row in stored.verdicts}
    for vote in stored.votes:
        if (vote.id, vote.group, vote.against) not in judged:
            yield f"{files.votes.name} votes on '{vote.id}', which was not judged"


def _unlike_responses(stored: StoredEvaluation) -> Iterator[str]:
    """Scores that are of other responses."""
    files = stored.files
    responses = {(row.id, row.sample): row for row in stored.generations}
    for score in stored.scores:
        for name, told, seen in _read_off(score, responses[score.id, score.sample]):
            if told != seen:
                yield (
                    f"of {_shown(score.id, score.sample)}, {files.scores.name} says {name} {told}, "
                    f"and {files.generations.name} {seen}"
                )


def _read_off(score: Score, response: Generation) -> Iterator[tuple[str, object, object]]:
    """Yield what a score repeats of its response: a name, what it says, and what is true."""
    reason = response.finish_reason
    yield "group", score.group, response.group
    yield "n_tokens", score.n_tokens, response.n_tokens
    yield "truncated", score.truncated, None if reason is None else reason == "length"
    # the first records have none
    if score.n_chars is not None:
        yield "n_chars", score.n_chars, len(response.response)


def _impossible(stored: StoredEvaluation) -> Iterator[str]:
    """Values that cannot be: against themselves, no finite number, or out of bounds."""
    for score in stored.scores:
        is_right = None if score.outcome is None else score.outcome == "correct"
        if score.correct != is_right:
            yield (
                f"of {_shown(score.id, score.sample)}, {stored.files.scores.name} says correct "
                f"{score.correct}, and outcome {score.outcome}"
            )
    for place, value, least, most in (*_told_numbers(stored), *_numbers_of_rows(stored)):
        if not (math.isfinite(value) and least <= value <= most):
            yield f"{place} is {value}"


def _told_numbers(stored: StoredEvaluation) -> Iterator[tuple[str, float, float, float]]:
    """Yield the numbers in result.json: where each stands, itself, its least and its most."""
    file = stored.files.result.name
    for name, metric in stored.result.metrics.items():
        least, most = measure(name).bounds or (-math.inf, math.inf)
        yield f"{name} in {file}", metric.value, least, most
        # a percentile interval over resampled documents may leave out the value
        is_resampled = measure(name).family == "lm-eval task"
        low_most = most if is_resampled else metric.value
        high_least = metric.low if is_resampled else metric.value
        yield f"the lower end of {name} in {file}", metric.low, least - _NEAR, low_most + _NEAR
        yield f"the upper end of {name} in {file}", metric.high, high_least - _NEAR, most + _NEAR


def _numbers_of_rows(stored: StoredEvaluation) -> Iterator[tuple[str, float, float, float]]:
    """Yield the numbers in rows: where each stands, itself, its least and its most."""
    files = stored.files
    for score in stored.scores:
        if score.n_tokens is not None:
            yield f"n_tokens of '{score.id}' in {files.scores.name}", score.n_tokens, 0, math.inf
    for verdict in stored.verdicts:
        for value in (verdict.score, *(verdict.orders or ())):
            if value is not None:
                yield f"a score of '{verdict.id}' in {files.verdicts.name}", value, 0, 1
    for pair in stored.pairs:
        place = f"of '{pair.id}' in {files.pairs.name}"
        for value in (pair.chosen, pair.rejected):
            yield f"a log-probability {place}", value, -math.inf, math.inf
        for count in (pair.chosen_tokens, pair.rejected_tokens):
            yield f"a number of tokens {place}", count, 1, math.inf
    for choice in stored.choices:
        for value in choice.nats:
            place = f"a log-probability of '{choice.id}' in {files.choices.name}"
            yield place, value, -math.inf, math.inf
    for passage in stored.passages:
        place = f"of '{passage.id}' in {files.passages.name}"
        yield f"a log-probability {place}", passage.nats, -math.inf, math.inf
        yield f"a number of bytes {place}", passage.n_bytes, 1, math.inf
    for row in stored.task_scores:
        place = f"{row.metric} of '{row.id}' in {files.tasks.name}"
        yield place, row.value, -math.inf, math.inf
    for batch in stored.timings:
        yield f"seconds of a batch in {files.timings.name}", batch.seconds, 0, math.inf


def _shown(identity: Hashable, *others: Hashable) -> str:
    """Name a row: its id, and what tells it from others of that id."""
    words = [f"sample {other}" if isinstance(other, int) else str(other) for other in others]
    return ", ".join([f"'{identity}'", *words])
