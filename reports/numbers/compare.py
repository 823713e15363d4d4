"""Records -> comparisons: every difference between a stage and an earlier one, paired by prompt,
Holm-adjusted.

All the arithmetic of a report lives here. Differences are in the metric's own unit (shares, tokens,
characters).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from stagelift.evals.contract import first_difference
from stagelift.evals.metrics.measures import (
    at_equal_lengths,
    measure,
    whoever_it_is_against,
    without_stand_ins,
)
from stagelift.evals.metrics.winrate import length_controlled_win_rate
from stagelift.evals.records import Metric, Verdict
from stagelift.evals.stats import tests
from stagelift.evals.stats.length_control import LengthControlled
from stagelift.evals.stats.power import Difference
from stagelift.reports.numbers.values import (
    is_compared,
    is_of_pairs,
    largest_difference,
    prompt_values,
)
from stagelift.reports.numbers.verdicts import Decision, decide
from stagelift.reports.records import RunRecord, StageRecord


@dataclass(frozen=True)
class Comparison:
    """One difference with its interval and verdict.

    `p`, `p_adjusted` and `mde` are None where all pairs are identical.

    A length-controlled win rate that rests on an extrapolation is `extrapolated`: it gets no other
    verdict and is not among the tests that Holm adjusts for. For win rates the difference is to one
    half, and `p_sign` is the exact sign test over the decided pairs. Lengths have the `ratio` of
    geometric means and the `median` of the differences, too. `needed` is the number of prompts that
    would show this difference with 80% power.
    """

    run: str
    metric: str
    stage: str
    against: str
    delta: float
    low: float
    high: float
    n: int
    p: float | None
    p_adjusted: float | None
    p_sign: float | None
    mde: float | None
    needed: int | None
    ratio: Metric | None
    median: Metric | None
    verdict: Decision


def compare_stages(runs: Sequence[RunRecord]) -> list[Comparison]:
    """Compare every stage with the one before it and with base.

    Holm runs over all comparisons returned.

    Raises ValueError where the runs were not evaluated under one contract, naming the field that
    differs.
    """
    _refuse_unequal_contracts(runs)
    comparisons = [
        comparison
        for run in runs
        for stage in run.stages
        for comparison in _compare_stage(stage, run)
    ]
    family = {
        _test(comparison): comparison.p
        for comparison in comparisons
        if comparison.verdict != "extrapolated"
    }
    adjusted = dict(zip(family, tests.holm(list(family.values())), strict=True))
    return [_decided(comparison, adjusted.get(_test(comparison))) for comparison in comparisons]


def _test(comparison: Comparison) -> tuple[str, str, str, str]:
    """Name the test behind a comparison: against base and previous are one test where they are one
    model.
    """
    metric = whoever_it_is_against(comparison.metric)
    return comparison.run, metric, comparison.stage, comparison.against


def _refuse_unequal_contracts(runs: Sequence[RunRecord]) -> None:
    first = runs[0]
    for stage in (stage for run in runs for stage in run.stages):
        difference = first_difference(first.contract, stage.evaluation.contract)
        if difference is not None:
            raise ValueError(
                f"Runs '{first.name}' and '{stage.run}' were evaluated under different contracts: "
                f"{difference.field} is {difference.mine!r} in one and {difference.theirs!r} in "
                "the other. Report them separately."
            )


def _compare_stage(stage: StageRecord, run: RunRecord) -> list[Comparison]:
    earlier_stages = _earlier_stages(stage, run)
    comparisons = []
    # previous and base are the same for the first trained stage: compared once
    for earlier in {earlier.name: earlier for earlier in earlier_stages.values()}.values():
        _refuse_different_problems(stage, earlier)
        comparisons += _compare_metrics(stage, earlier, run.base(stage))
    for name, verdicts in stage.verdicts.items():
        opponent = earlier_stages.get(measure(name).against or "")
        against = "reference" if opponent is None else opponent.name
        comparisons += _compare_win_rate(name, stage, against, verdicts)
    return comparisons


def _earlier_stages(stage: StageRecord, run: RunRecord) -> dict[str, StageRecord]:
    """The stages a stage is compared with, by their role; base has none before it."""
    previous = run.before(stage)
    if previous is None:
        return {}
    return {"previous": previous, "base": run.base(stage)}


def _refuse_different_problems(stage: StageRecord, earlier: StageRecord) -> None:
    if {score.id for score in stage.scores} != {score.id for score in earlier.scores}:
        raise ValueError(
            f"Stages '{stage.name}' and '{earlier.name}' of run '{stage.run}' were asked different "
            "problems."
        )
    if {(score.id, score.cluster) for score in stage.scores} != {
        (score.id, score.cluster) for score in earlier.scores
    }:
        raise ValueError(
            f"The problems of stages '{stage.name}' and '{earlier.name}' of run '{stage.run}' come "
            "in different clusters, so they cannot be compared."
        )


def _compare_metrics(
    stage: StageRecord, earlier: StageRecord, base: StageRecord
) -> list[Comparison]:
    names = [
        name
        for name in without_stand_ins(stage.evaluation.metrics)
        if is_compared(name, stage) and _is_measured(name, earlier)
    ]
    comparisons = [_compare_metric(name, stage, earlier, base) for name in names]
    return [comparison for comparison in comparisons if comparison is not None]


def _is_measured(name: str, earlier: StageRecord) -> bool:
    """Base has no preference accuracy of its own, and yet a stage can be compared with it."""
    return name in earlier.evaluation.metrics or is_of_pairs(name)


def _compare_metric(
    name: str, stage: StageRecord, earlier: StageRecord, base: StageRecord
) -> Comparison | None:
    now, before = prompt_values(name, stage, base), prompt_values(name, earlier, base)
    # joined by id, never by position
    shared = [problem for problem in now if problem in before]
    if not shared:
        return None
    values = [now[problem] for problem in shared]
    values_before = [before[problem] for problem in shared]
    differences = [now[problem] - before[problem] for problem in shared]
    seen = {*values, *values_before}
    bound = largest_difference(name, seen)
    difference = tests.difference(differences, binary=seen <= {0.0, 1.0}, bound=bound)
    comparison = _comparison(name, stage, earlier.name, difference)
    if measure(name).family != "length":
        return comparison
    ratio = tests.ratio(values, values_before)
    return replace(comparison, ratio=ratio, median=tests.median_difference(differences))


def _compare_win_rate(
    name: str, stage: StageRecord, against: str, verdicts: Mapping[str, Verdict]
) -> list[Comparison]:
    """Compare a win rate, and the length-controlled one where there is one, with one half."""
    leads = [verdict.score - 0.5 for verdict in verdicts.values() if verdict.score is not None]
    if not leads:
        return []
    raw = _comparison(name, stage, against, tests.difference(leads, bound=0.5))
    comparisons = [replace(raw, p_sign=tests.sign_test(leads))]
    rate = length_controlled_win_rate(list(verdicts.values()))
    if rate is not None:
        comparisons.append(_length_controlled(name, stage, against, rate))
    return comparisons


def _length_controlled(
    name: str, stage: StageRecord, against: str, rate: LengthControlled
) -> Comparison:
    difference = Difference(
        delta=rate.value - 0.5,
        low=rate.low - 0.5,
        high=rate.high - 0.5,
        n=rate.n,
        p=rate.p,
        mde=rate.mde,
        needed=rate.needed,
    )
    comparison = _comparison(at_equal_lengths(name), stage, against, difference)
    if rate.extrapolates and rate.p is not None:
        return replace(comparison, verdict="extrapolated")
    return comparison


def _comparison(
    metric: str, stage: StageRecord, against: str, difference: Difference
) -> Comparison:
    return Comparison(
        run=stage.run,
        metric=metric,
        stage=stage.name,
        against=against,
        delta=difference.delta,
        low=difference.low,
        high=difference.high,
        n=difference.n,
        p=difference.p,
        p_adjusted=None,
        p_sign=None,
        mde=difference.mde,
        needed=difference.needed,
        ratio=None,
        median=None,
        verdict="no difference shown",
    )


def _decided(comparison: Comparison, p_adjusted: float | None) -> Comparison:
    if comparison.verdict == "extrapolated":
        return comparison
    verdict = decide(comparison.metric, comparison.delta, p_adjusted)
    return replace(comparison, p_adjusted=p_adjusted, verdict=verdict)
