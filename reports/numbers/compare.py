"""Records -> comparisons: every difference between a stage and an earlier one, and between an
export and its stage, paired by prompt, Holm-adjusted in two families each.

All the arithmetic of a report lives here. Differences are in the metric's own unit (shares, tokens,
characters).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from stagelift.evals.contract import differences, first_difference, in_words
from stagelift.evals.metrics.measures import at_equal_lengths, measure, without_stand_ins
from stagelift.evals.metrics.winrate import length_controlled_win_rate
from stagelift.evals.records import Metric, Verdict
from stagelift.evals.stats.difference import Difference, difference
from stagelift.evals.stats.lengths import median_difference, ratio
from stagelift.evals.stats.planning import detectable, needed
from stagelift.reports.numbers.families import Decided, Family, Test, adjust, equal_test
from stagelift.reports.numbers.headline import headline_metrics
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
    """A paired difference with the verdict that its family of tests leaves it.

    For win rates the difference is to one half. `p_adjusted` and `level` are what Holm makes of the
    test in its family of so many `tests`: the verdict claims a difference where `p` is below the
    level. `mde` is the
    smallest true difference that the verdict would show with 80% power, None where this n shows
    none at all; `needed` is the number of prompts with which the verdict would show the difference
    seen, None where more prompts would not tell.

    A length-controlled win rate that rests on an extrapolation is `extrapolated`: it gets no other
    verdict, is not among the tests that Holm adjusts for, and all these are None. Lengths have the
    `ratio` of geometric means and the `median` of the differences, too.
    """

    run: str
    metric: str
    stage: str
    against: str
    difference: Difference
    family: Family | None
    tests: int | None
    p_adjusted: float | None
    level: float | None
    mde: float | None
    needed: int | None
    ratio: Metric | None
    median: Metric | None
    verdict: Decision

    @property
    def delta(self) -> float:
        return self.difference.delta

    @property
    def low(self) -> float:
        return self.difference.low

    @property
    def high(self) -> float:
        return self.difference.high

    @property
    def n(self) -> int:
        return self.difference.n

    @property
    def p(self) -> float:
        return self.difference.p


@dataclass(frozen=True)
class _Tested:
    """A difference before its family is known.

    `test` is what equal tests share. Where responses are the same bytes it is `identical`. What
    people's votes `corrected` takes votes to be shown, and not prompts.
    """

    run: str
    metric: str
    stage: str
    against: str
    difference: Difference
    test: Test
    is_headline: bool
    is_identical: bool
    is_extrapolated: bool = False
    is_corrected: bool = False
    ratio: Metric | None = None
    median: Metric | None = None


def compare_stages(runs: Sequence[RunRecord], *, across_engines: bool = False) -> list[Comparison]:
    """Compare every stage with the one before it and with base.

    Holm runs over the headline of all runs, and over everything else; over exports by themselves.

    Raises ValueError where the runs were not evaluated under one contract, naming the field that
    differs; with `across_engines` the engine may.
    """
    _refuse_unequal_contracts(runs, across_engines=across_engines)
    tested = [found for run in runs for stage in run.stages for found in _test_stage(stage, run)]
    exports = [found for run in runs for one in run.exports for found in _test_export(one, run)]
    return [
        *_adjusted(tested, "headline", "other"),
        *_adjusted(exports, "exports", "other of exports"),
    ]


def _adjusted(tested: Sequence[_Tested], main: Family, beside: Family) -> list[Comparison]:
    decided = _families(tested, main, beside)
    return [_decided(found, decided.get(found.test)) for found in tested]


def _families(tested: Sequence[_Tested], main: Family, beside: Family) -> dict[Test, Decided]:
    """Adjust both families; a test that is one of the headline anywhere is one everywhere."""
    counted = [found for found in tested if not found.is_extrapolated]
    headline = {found.test: found.difference.p for found in counted if found.is_headline}
    other = {found.test: found.difference.p for found in counted if found.test not in headline}
    return adjust(main, headline) | adjust(beside, other)


def _decided(tested: _Tested, decided: Decided | None) -> Comparison:
    comparison = Comparison(
        run=tested.run,
        metric=tested.metric,
        stage=tested.stage,
        against=tested.against,
        difference=tested.difference,
        family=None,
        tests=None,
        p_adjusted=None,
        level=None,
        mde=None,
        needed=None,
        ratio=tested.ratio,
        median=tested.median,
        verdict="extrapolated",
    )
    if decided is None or tested.is_extrapolated:
        return comparison
    verdict = decide(tested.metric, tested.difference, decided.p_adjusted)
    return replace(
        comparison,
        family=decided.family,
        tests=decided.tests,
        p_adjusted=decided.p_adjusted,
        level=decided.level,
        mde=detectable(tested.difference, decided.level),
        needed=None if tested.is_corrected else needed(tested.difference, decided.level),
        verdict="identical" if tested.is_identical else verdict,
    )


def _refuse_unequal_contracts(runs: Sequence[RunRecord], *, across_engines: bool) -> None:
    first = runs[0]
    for stage in (stage for run in runs for stage in run.measured()):
        theirs = stage.evaluation.contract
        found = list(differences(first.contract, theirs, across_engines=across_engines))
        if found:
            remedy = "Report them separately"
            if first_difference(first.contract, theirs, across_engines=True) is None:
                remedy += ", or ask for it with --across-engines"
            said = "; ".join(
                f"{field} is {in_words(mine)} in one and {in_words(its)} in the other"
                for field, mine, its in found
            )
            raise ValueError(
                f"Runs '{first.name}' and '{stage.run}' were evaluated under different contracts: "
                f"{said}. {remedy}."
            )


def _test_stage(stage: StageRecord, run: RunRecord) -> list[_Tested]:
    earlier_stages = _earlier_stages(stage, run)
    tested = []
    # previous and base are the same for the first trained stage: compared once
    for earlier in {earlier.name: earlier for earlier in earlier_stages.values()}.values():
        _refuse_different_problems(stage, earlier)
        tested += _test_metrics(stage, earlier, run)
    for name, verdicts in stage.verdicts.items():
        tested += _test_win_rate(name, stage, earlier_stages, verdicts)
    return tested


def _test_export(export: StageRecord, run: RunRecord) -> list[_Tested]:
    """Compare an export with the stage that it is of, and with no other."""
    of = run.before(export)
    assert of is not None, "an export is of a stage"
    _refuse_different_problems(export, of)
    tested = _test_metrics(export, of, run)
    for name, verdicts in export.verdicts.items():
        if measure(name).against == "previous":
            tested += _test_win_rate(name, export, {"previous": of}, verdicts)
    return tested


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


def _test_metrics(stage: StageRecord, earlier: StageRecord, run: RunRecord) -> list[_Tested]:
    names = [
        name
        for name in without_stand_ins(stage.evaluation.metrics)
        if is_compared(name, stage) and _is_measured(name, earlier)
    ]
    tested = [_test_metric(name, stage, earlier, run) for name in names]
    return [found for found in tested if found is not None]


def _is_measured(name: str, earlier: StageRecord) -> bool:
    """Base has no preference accuracy of its own, and yet a stage can be compared with it."""
    return name in earlier.evaluation.metrics or is_of_pairs(name)


def _test_metric(
    name: str, stage: StageRecord, earlier: StageRecord, run: RunRecord
) -> _Tested | None:
    base = run.base(stage)
    now, before = prompt_values(name, stage, base), prompt_values(name, earlier, base)
    # joined by id, never by position
    shared = [prompt for prompt in now if prompt in before]
    if not shared:
        return None
    changes = {prompt: now[prompt] - before[prompt] for prompt in shared}
    seen = [values[prompt] for values in (now, before) for prompt in shared]
    tested = _tested(name, stage, earlier.name, changes, largest_difference(name, seen))
    is_step = earlier.name == stage.parent
    tested = replace(
        tested,
        is_headline=is_step and name in headline_metrics(stage),
        is_identical=is_identical(name, stage, earlier, changes),
    )
    if measure(name).family != "length":
        return tested
    return replace(
        tested,
        ratio=ratio([now[prompt] for prompt in shared], [before[prompt] for prompt in shared]),
        median=median_difference(list(changes.values())),
    )


def _test_win_rate(
    name: str,
    stage: StageRecord,
    earlier_stages: Mapping[str, StageRecord],
    verdicts: Mapping[str, Verdict],
) -> list[_Tested]:
    """Compare a win rate, and the length-controlled one where there is one, with one half."""
    leads = {
        prompt: verdict.score - 0.5
        for prompt, verdict in verdicts.items()
        if verdict.score is not None
    }
    if not leads:
        return []
    opponent = earlier_stages.get(measure(name).against or "")
    against = "reference" if opponent is None else opponent.name
    tested = replace(
        _tested(name, stage, against, leads, 0.5),
        is_headline=name in headline_metrics(stage),
        is_identical=opponent is not None and is_identical(name, stage, opponent, leads),
    )
    at_equal = _at_equal_lengths(tested, list(verdicts.values()), stage.clusters(name))
    others = [at_equal, _by_votes(tested, leads, stage)]
    return [tested, *(other for other in others if other is not None)]


def _by_votes(tested: _Tested, leads: Mapping[str, float], stage: StageRecord) -> _Tested | None:
    """Compare what people's votes make of a win rate with one half; None below enough votes."""
    votes = stage.voted.get(tested.metric)
    if votes is None or votes.corrected is None:
        return None
    said = {prompt: label - 0.5 for prompt, label in votes.labels.items()}
    return replace(
        tested,
        metric=votes.metric,
        difference=votes.corrected.lead,
        test=equal_test(said, 0.5, [leads[prompt] for prompt in sorted(leads)]),
        is_headline=votes.metric in headline_metrics(stage),
        is_identical=False,
        is_corrected=True,
    )


def _at_equal_lengths(
    tested: _Tested, verdicts: Sequence[Verdict], clusters: Mapping[str, str]
) -> _Tested | None:
    rate = length_controlled_win_rate(verdicts, clusters)
    if rate is None:
        return None
    decided = sorted((one.id, one) for one in verdicts if one.score is not None)
    leads = {prompt: (verdict.score or 0.0) - 0.5 for prompt, verdict in decided}
    lengths = [float(verdict.length_difference or 0) for _, verdict in decided]
    return replace(
        tested,
        metric=at_equal_lengths(tested.metric),
        difference=rate.difference,
        test=equal_test(leads, 0.5, lengths),
        is_headline=False,
        is_extrapolated=rate.extrapolates and not tested.is_identical,
    )


def _tested(
    metric: str, stage: StageRecord, against: str, changes: Mapping[str, float], bound: float
) -> _Tested:
    known = stage.clusters(metric)
    clusters = [known.get(prompt, prompt) for prompt in changes] if known else None
    return _Tested(
        run=stage.run,
        metric=metric,
        stage=stage.name,
        against=against,
        difference=difference(list(changes.values()), bound=bound, clusters=clusters),
        test=equal_test(changes, bound),
        is_headline=False,
        is_identical=False,
    )


def is_identical(
    name: str, stage: StageRecord, other: StageRecord, changes: Mapping[str, float]
) -> bool:
    """Say whether the responses behind a metric are the same bytes on both sides.

    Of several samples of a prompt only the first is at hand, and pairs, tasks and batches have no
    responses: of these it is never said.
    """
    if name in stage.stored_values or measure(name).family == "preference accuracy":
        return False
    group = measure(name).group
    scores = [
        score
        for score in (*stage.scores, *other.scores)
        if score.group == group and score.id in changes
    ]
    if any(changes.values()) or any(score.sample for score in scores):
        return False
    mine, theirs = stage.generations, other.generations
    return all(
        prompt in mine and prompt in theirs and mine[prompt].response == theirs[prompt].response
        for prompt in changes
    )
