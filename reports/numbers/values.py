"""What each metric reads off one prompt, so that two stages can be compared prompt by prompt.

A value per prompt id (the mean over its samples), in the metric's own unit: shares, tokens or
characters.
"""

from collections.abc import Iterable, Sequence

from stagelift.evals.metrics.accuracy import pass_at
from stagelift.evals.metrics.measures import SHARE, Bounds, Measure, measure, without_stand_ins
from stagelift.evals.metrics.own_scores import own_values
from stagelift.evals.metrics.preference_accuracy import pair_values
from stagelift.evals.records import Metric, Score
from stagelift.evals.stats import estimates
from stagelift.reports.records import StageRecord

# families that have a value for each prompt, beside the means of a field
_BY_PROMPT = ("pass@k", "preference accuracy", "own score")


def is_compared(name: str, stage: StageRecord) -> bool:
    """Say whether a metric has a value for each prompt that is of one model: quantiles,
    bootstrapped task metrics and win rates have not, but those against one reference.
    """
    if name in stage.stored_values:
        return True
    known = measure(name)
    if known.against == "reference" and name in stage.verdicts:
        return True
    return known.field is not None or known.family in _BY_PROMPT


def prompt_values(name: str, stage: StageRecord, base: StageRecord) -> dict[str, float]:
    """Return a stage's values of a compared metric by prompt id; prompts where it was not measured
    are left out.

    Of preference accuracy, base itself has one half everywhere: it differs from itself by nothing.
    """
    if name in stage.stored_values:
        return stage.stored_values[name]
    known = measure(name)
    match known.family:
        case "preference accuracy":
            return pair_values(list(stage.pairs.values()), base.pairs, name)
        case "pass@k":
            return _pass_values(known, stage)
        case "win rate":
            return _verdict_scores(name, stage)
        case _:
            return score_values(name, stage.scores)


def _verdict_scores(name: str, stage: StageRecord) -> dict[str, float]:
    return {
        prompt: verdict.score
        for prompt, verdict in stage.verdicts.get(name, {}).items()
        if verdict.score is not None
    }


def judged_values(name: str, stage: StageRecord, base: StageRecord) -> dict[str, float]:
    """Return a stage's values by prompt id of whatever has any: `prompt_values`, and of every win
    rate what the judge made of each pair.
    """
    if measure(name).family == "win rate" or is_compared(name, stage):
        return prompt_values(name, stage, base)
    return {}


def _pass_values(known: Measure, stage: StageRecord) -> dict[str, float]:
    assert known.k is not None, "pass@k has a k"
    scored = [
        score for score in stage.scores if score.group == known.group and score.correct is not None
    ]
    return pass_at(scored, known.k)


def score_values(name: str, scores: Iterable[Score]) -> dict[str, float]:
    """Return the values of a metric that is a mean over scores, by prompt id: of a field of theirs,
    or of what a scorer of the user's made of each.
    """
    known = measure(name)
    if known.family == "own score":
        return own_values(name, scores)
    if known.field is None:
        return {}
    # in a user's own task its scores stand in place of accuracy
    values = [
        (score.id, getattr(score, known.field))
        for score in scores
        if score.group == known.group and not (known.family == "accuracy" and score.scored)
    ]
    return estimates.prompt_means(
        [(problem, float(value)) for problem, value in values if value is not None]
    )


def model_values(
    name: str, stage: StageRecord, base: StageRecord, prompts: Iterable[str] = ()
) -> dict[str, float]:
    """Return the values of whatever is a property of one model: `prompt_values`, and win rates
    against base.

    Against itself base has one half on each of the `prompts`.
    """
    if measure(name).against != "base":
        return prompt_values(name, stage, base)
    if stage is base:
        return dict.fromkeys(prompts, 0.5)
    return _verdict_scores(name, stage)


def model_metrics(stages: Sequence[StageRecord]) -> list[str]:
    """Name the metrics that all the stages have as properties of one model, for every prompt; base
    has no win rate and no preference accuracy itself.
    """
    trained = [stage for stage in stages if stage.parent is not None] or list(stages)
    bases = [stage for stage in stages if stage.parent is None]
    shared = [
        name
        for name in trained[0].evaluation.metrics
        if all(_has(name, stage) for stage in trained)
    ]
    names = [
        name for name in shared if is_of_pairs(name) or all(_has(name, stage) for stage in bases)
    ]
    return without_stand_ins(names)


def is_of_pairs(name: str) -> bool:
    """Say whether a metric sets a model against base, so that base has none of its own."""
    known = measure(name)
    return known.against == "base" or known.family == "preference accuracy"


def is_of_base(name: str) -> bool:
    """Say whether a metric compares only where base is the same: against another, or in tokens of
    another tokenizer, it is something else.
    """
    return is_of_pairs(name) or measure(name).unit == "tokens"


def _has(name: str, stage: StageRecord) -> bool:
    is_judged = measure(name).against == "base" and name in stage.verdicts
    return name in stage.evaluation.metrics and (is_judged or is_compared(name, stage))


def mean_of(name: str, values: Sequence[float]) -> Metric:
    """Return the mean over prompts with its interval, cut off at what the metric can be."""
    ends = measure(name).ends
    return (
        estimates.rate(values) if ends == SHARE else estimates.within(ends, estimates.mean(values))
    )


def of_differences(ends: Bounds | None) -> Bounds | None:
    """Return what a difference of two values can be."""
    if ends is None:
        return None
    low, high = ends
    return low - high, high - low


def largest_difference(name: str, values: Iterable[float]) -> float:
    """Return the most that two values can differ by.

    Of a metric without ends of its own that is from nothing to the largest value seen. What
    lm-eval's metrics can be is not known: where all values lie between 0 and 1, these are taken for
    the ends.
    """
    known, seen = measure(name), [0.0, *values]
    if known.bounds is not None:
        return known.bounds[1] - known.bounds[0]
    low, high = min(seen), max(seen)
    if known.family == "lm-eval task" and low >= 0 and high <= 1:
        return 1.0
    # where nothing but zero was seen a difference is in units
    return high - low or 1.0
