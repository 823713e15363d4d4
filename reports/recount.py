"""The numbers of result.json, counted once more from the rows that they were made of.

Values and how many prompts are behind them; intervals are not: earlier code had others. Of a win
rate at equal lengths, and of preference accuracy, which is made of two models' pairs, only the
number of pairs is counted. A mean by document of lm-eval is checked where its documents are there.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from statistics import fmean

import numpy as np

from stagelift.evals.folders import StoredEvaluation
from stagelift.evals.metrics.accuracy import count_outcomes, pass_at
from stagelift.evals.metrics.measures import FIXED, Measure, as_judged, measure, win_rate_name
from stagelift.evals.metrics.own_scores import own_values
from stagelift.evals.metrics.retention import likelihood_values
from stagelift.evals.metrics.winrate import decided, win_tie_loss
from stagelift.evals.records import Score, Verdict
from stagelift.evals.stats.estimates import prompt_means

_QUANTILES = {"median": 0.5, "p90": 0.9}
# by as much the last digits of a mean may differ
_NEAR = 1e-9


def told_otherwise(stored: StoredEvaluation) -> Iterator[str]:
    """Yield, as clauses, what result.json says otherwise than the rows, or does not say."""
    result, files = stored.result, stored.files
    judged = _by_win_rate(stored.verdicts)
    for name in dict.fromkeys([*_given(stored, judged), *result.metrics]):
        clause = _difference(name, stored, judged)
        if clause is not None:
            yield clause
    outcomes = count_outcomes([score for score in stored.scores if score.group == "test"])
    if +Counter(outcomes) != +Counter(result.outcomes):
        yield f"{files.result.name} counts {result.outcomes}, and {files.scores.name} {outcomes}"
    for name, verdicts in judged.items():
        told, counted = result.win_tie_loss.get(name), win_tie_loss(verdicts)
        if told is not None and told != counted:
            yield (
                f"{files.result.name} counts {told} wins, ties and losses of {name}, and "
                f"{files.verdicts.name} {counted}"
            )


def _by_win_rate(verdicts: Iterable[Verdict]) -> dict[str, list[Verdict]]:
    judged: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        judged.setdefault(win_rate_name(verdict.against, verdict.group), []).append(verdict)
    return judged


def _given(stored: StoredEvaluation, judged: dict[str, list[Verdict]]) -> Iterator[str]:
    """Name the metrics that the rows must have given; a quantile stands beside its mean."""
    is_own = any(score.scored for score in stored.scores if score.group == "test")
    for known in FIXED:
        # a user's task has its own scores in place of accuracy
        is_replaced = is_own and known.family == "accuracy" and known.group == "test"
        if known.field is not None and not is_replaced:
            values = [getattr(score, known.field) for score in _scored(known, stored.scores)]
            if values and all(value is not None for value in values):
                yield known.name
    yield from (name for name, verdicts in judged.items() if decided(verdicts))
    yield from likelihood_values(stored.choices, stored.passages)
    yield from (row.metric for row in stored.task_scores)
    measured = (score.scored.items() for score in stored.scores if score.group != "sampled")
    yield from (name for row in measured for name, found in row if found.value is not None)


def _difference(
    name: str, stored: StoredEvaluation, judged: dict[str, list[Verdict]]
) -> str | None:
    """Say how a metric differs from its rows; None where it does not, or has no rows."""
    known, told = measure(name), stored.result.metrics.get(name)
    file, values = _rows(known, stored, judged)
    if values is None:
        return None
    result = stored.files.result.name
    if told is None:
        return f"{file.name} gives {name}, and {result} lacks it"
    given = _value(known, values)
    is_near = given is None or math.isclose(told.value, given, rel_tol=_NEAR, abs_tol=_NEAR)
    if told.n == len(values) and is_near:
        return None
    value = "" if given is None else f"{given:.6g}, "
    return (
        f"{result} says {name} is {told.value:.6g}, n={told.n}, and {file.name} gives "
        f"{value}n={len(values)}"
    )


def _rows(
    known: Measure, stored: StoredEvaluation, judged: dict[str, list[Verdict]]
) -> tuple[Path, list[float] | None]:
    """Return the file behind a metric and its values by prompt; None where there need be none."""
    files = stored.files
    match known.family:
        case "win rate":
            return files.verdicts, decided(judged.get(as_judged(known.name), []))
        case "preference accuracy":
            return files.pairs, [pair.chosen - pair.rejected for pair in stored.pairs]
        case "lm-eval task":
            values = [row.value for row in stored.task_scores if row.metric == known.name]
            is_needed = values or "imported" in stored.result.contract
            return files.tasks, values if is_needed else None
        case "time":
            return files.timings, None
        case "own score":
            return files.scores, list(own_values(known.name, stored.scores).values())
        case "retention" if known.field is None:
            given = likelihood_values(stored.choices, stored.passages).get(known.name, {})
            file = files.passages if known.group == "passages" else files.choices
            return file, list(given.values())
        case _:
            return files.scores, _of_scores(known, stored.scores)


def _of_scores(known: Measure, scores: Iterable[Score]) -> list[float]:
    scored = _scored(known, scores)
    if known.k is not None:
        return list(pass_at(scored, known.k).values())
    field = measure(known.quantile_of or known.name).field
    values = [(score.id, getattr(score, str(field))) for score in scored]
    return list(prompt_means([(key, value) for key, value in values if value is not None]).values())


def _scored(known: Measure, scores: Iterable[Score]) -> list[Score]:
    """Return the scores that a metric is over: of accuracy those with a target."""
    of_group = [score for score in scores if score.group == known.group]
    if known.family not in ("accuracy", "sampled accuracy", "pass@k"):
        return of_group
    return [score for score in of_group if score.correct is not None]


def _value(known: Measure, values: list[float]) -> float | None:
    """Return what rows give; None where it is estimated from more than these."""
    if not values or known.equal_lengths or known.family == "preference accuracy":
        return None
    if known.quantile is not None:
        return float(np.quantile(values, _QUANTILES[known.quantile]))
    return fmean(values)
