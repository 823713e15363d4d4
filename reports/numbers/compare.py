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
    found = [one for run in runs for stage in run.stages for one in _compare_stage(stage, run)]
    family = {_test(one): one.p for one in found if one.verdict != "extrapolated"}
    adjusted = dict(zip(family, tests.holm(list(family.values())), strict=True))
    return [_decided(comparison, adjusted.get(_test(comparison))) for comparison in found]


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
    others = _others(stage, run)
    found = []
    # for the first trained stage they are one
    for other in {other.name: other for other in others.values()}.values():
        _refuse_different_problems(stage, other)
        names = [
            name
            for name in without_stand_ins(stage.evaluation.metrics)
            if is_compared(name, stage) and _is_measured(name, other)
        ]
        compared = [_compare_metric(name, stage, other, run.base(stage)) for name in names]
        found += [one for one in compared if one is not None]
    for name, verdicts in stage.verdicts.items():
        opponent = others.get(measure(name).against or "")
        against = "reference" if opponent is None else opponent.name
        found += _compare_win_rate(name, stage, against, verdicts)
    return found


def _others(stage: StageRecord, run: RunRecord) -> dict[str, StageRecord]:
    """The stages a stage is compared with; base has none before it."""
    before = run.before(stage)
    return {} if before is None else {"previous": before, "base": run.base(stage)}


def _is_measured(name: str, other: StageRecord) -> bool:
    """Base has no preference accuracy of its own, and yet a stage can be compared with it."""
    return name in other.evaluation.metrics or is_of_pairs(name)


def _compare_metric(
    name: str, stage: StageRecord, other: StageRecord, base: StageRecord
) -> Comparison | None:
    mine, theirs = prompt_values(name, stage, base), prompt_values(name, other, base)
    # joined by id, never by position
    shared = [problem for problem in mine if problem in theirs]
    if not shared:
        return None
    pairs = [(mine[problem], theirs[problem]) for problem in shared]
    differences = [value - before for value, before in pairs]
    values = {value for pair in pairs for value in pair}
    bound = largest_difference(name, values)
    found = _comparison(
        name,
        stage,
        other.name,
        tests.difference(differences, binary=values <= {0.0, 1.0}, bound=bound),
    )
    if measure(name).family != "length":
        return found
    ratio = tests.ratio([value for value, _ in pairs], [before for _, before in pairs])
    return replace(found, ratio=ratio, median=tests.median_difference(differences))


def _refuse_different_problems(stage: StageRecord, other: StageRecord) -> None:
    if {score.id for score in stage.scores} != {score.id for score in other.scores}:
        raise ValueError(
            f"Stages '{stage.name}' and '{other.name}' of run '{stage.run}' were asked different "
            "problems."
        )


def _compare_win_rate(
    name: str, stage: StageRecord, against: str, verdicts: Mapping[str, Verdict]
) -> list[Comparison]:
    """Compare a win rate, and the length-controlled one where there is one, with one half."""
    leads = [verdict.score - 0.5 for verdict in verdicts.values() if verdict.score is not None]
    if not leads:
        return []
    raw = _comparison(name, stage, against, tests.difference(leads, bound=0.5))
    found = [replace(raw, p_sign=tests.sign_test(leads))]
    controlled = length_controlled_win_rate(list(verdicts.values()))
    return (
        found
        if controlled is None
        else [*found, _length_controlled(name, stage, against, controlled)]
    )


def _length_controlled(
    name: str, stage: StageRecord, against: str, found: LengthControlled
) -> Comparison:
    difference = Difference(
        found.value - 0.5,
        found.low - 0.5,
        found.high - 0.5,
        found.n,
        found.p,
        found.mde,
        found.needed,
    )
    compared = _comparison(at_equal_lengths(name), stage, against, difference)
    return (
        replace(compared, verdict="extrapolated")
        if found.extrapolates and found.p is not None
        else compared
    )


def _comparison(metric: str, stage: StageRecord, against: str, found: Difference) -> Comparison:
    return Comparison(
        run=stage.run,
        metric=metric,
        stage=stage.name,
        against=against,
        delta=found.delta,
        low=found.low,
        high=found.high,
        n=found.n,
        p=found.p,
        p_adjusted=None,
        p_sign=None,
        mde=found.mde,
        needed=found.needed,
        ratio=None,
        median=None,
        verdict="no difference shown",
    )


def _decided(comparison: Comparison, p_adjusted: float | None) -> Comparison:
    if comparison.verdict == "extrapolated":
        return comparison
    verdict = decide(comparison.metric, comparison.delta, p_adjusted)
    return replace(comparison, p_adjusted=p_adjusted, verdict=verdict)
