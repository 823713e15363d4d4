"""Records -> comparisons: every difference between a stage and an earlier one, paired by problem, Holm-adjusted.

All the arithmetic of a report lives here. Differences are in the metric's own unit (shares, tokens).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from evals import stats
from evals.records import Group, Score
from reports.records import RunRecord, StageRecord

Verdict = Literal["improved", "regressed", "no difference shown", "identical"]
ALPHA = 0.05


@dataclass(frozen=True)
class ComparedMetric:
    """How a metric reads off one problem, and which direction is better (+1 more, -1 less)."""

    group: Group
    value: Callable[[Score], float]
    better: int
    binary: bool


COMPARED = {
    "accuracy": ComparedMetric("test", lambda score: float(score.correct), +1, True),
    "accuracy_strict": ComparedMetric("test", lambda score: float(score.correct_strict), +1, True),
    "accuracy_held_out": ComparedMetric("held_out", lambda score: float(score.correct), +1, True),
    "accuracy_strict_held_out": ComparedMetric("held_out", lambda score: float(score.correct_strict), +1, True),
    "length_tokens": ComparedMetric("test", lambda score: float(score.n_tokens), -1, False),
    "truncated": ComparedMetric("test", lambda score: float(score.truncated), -1, True),
}


@dataclass(frozen=True)
class Comparison:
    """One difference with its interval and verdict. `p`, `p_adjusted` and `mde` are None where all pairs are identical.

    For win rates the difference is to one half, and `p_sign` is the exact sign test over the decided pairs.
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
    verdict: Verdict


def compare_stages(runs: Sequence[RunRecord]) -> list[Comparison]:
    """Compare every stage with the one before it and with base. Holm runs over all comparisons returned.

    Raises ValueError where the runs were not evaluated under one contract, naming the field that differs.
    """
    _refuse_unequal_contracts(runs)
    found = [comparison for run in runs for comparison in _compare_run(run)]
    family = {_test(comparison): comparison.p for comparison in found}
    adjusted = dict(zip(family, stats.holm(list(family.values())), strict=True))
    return [
        replace(
            comparison,
            p_adjusted=adjusted[_test(comparison)],
            verdict=_verdict(comparison, adjusted[_test(comparison)]),
        )
        for comparison in found
    ]


def _test(comparison: Comparison) -> tuple[str, str, str, str]:
    """Name the test behind a comparison: against base and previous are one test where they are one model."""
    metric = comparison.metric.removesuffix("_base").removesuffix("_previous")
    return comparison.run, metric, comparison.stage, comparison.against


def _refuse_unequal_contracts(runs: Sequence[RunRecord]) -> None:
    first = runs[0]
    for stage in (stage for run in runs for stage in run.stages):
        theirs = stage.evaluation.contract
        for field in sorted({*first.contract, *theirs}):
            if first.contract.get(field) != theirs.get(field):
                raise ValueError(
                    f"Runs '{first.name}' and '{stage.run}' were evaluated under different contracts: {field} is "
                    f"{first.contract.get(field)!r} in one and {theirs.get(field)!r} in the other. Report them separately."
                )


def _compare_run(run: RunRecord) -> list[Comparison]:
    found = []
    for position, stage in enumerate(run.stages[1:], start=1):
        others = {"previous": run.stages[position - 1], "base": run.stages[0]}
        for other in {other.name: other for other in others.values()}.values():  # for the first stage they are one
            found += [_compare_metric(name, stage, other) for name in COMPARED if name in stage.evaluation.metrics]
        found += [_compare_win_rate(role, stage, others[role]) for role in others if role in stage.verdicts]
    return found


def _compare_metric(name: str, stage: StageRecord, other: StageRecord) -> Comparison:
    metric = COMPARED[name]
    pairs = _pairs(stage, other, metric.group)
    differences = [metric.value(mine) - metric.value(theirs) for mine, theirs in pairs]
    return _comparison(name, stage, other, stats.difference(differences, binary=metric.binary), None)


def _pairs(stage: StageRecord, other: StageRecord, group: Group) -> list[tuple[Score, Score]]:
    """Join by problem id, never by position."""
    if stage.scores.keys() != other.scores.keys():
        raise ValueError(
            f"Stages '{stage.name}' and '{other.name}' of run '{stage.run}' were asked different problems."
        )
    return [(score, other.scores[problem]) for problem, score in stage.scores.items() if score.group == group]


def _compare_win_rate(role: str, stage: StageRecord, other: StageRecord) -> Comparison:
    leads = [verdict.score - 0.5 for verdict in stage.verdicts[role].values()]
    sign = stats.sign_test(leads)
    return _comparison(f"win_rate_{role}", stage, other, stats.difference(leads, bound=0.5), sign)


def _comparison(
    metric: str, stage: StageRecord, other: StageRecord, found: stats.Difference, sign: float | None
) -> Comparison:
    return Comparison(
        run=stage.run,
        metric=metric,
        stage=stage.name,
        against=other.name,
        delta=found.delta,
        low=found.low,
        high=found.high,
        n=found.n,
        p=found.p,
        p_adjusted=None,
        p_sign=sign,
        mde=found.mde,
        verdict="no difference shown",
    )


def _verdict(comparison: Comparison, p_adjusted: float | None) -> Verdict:
    if p_adjusted is None:
        return "identical"
    if p_adjusted >= ALPHA:
        return "no difference shown"
    better = COMPARED[comparison.metric].better if comparison.metric in COMPARED else +1
    return "improved" if comparison.delta * better > 0 else "regressed"
