"""Runs against one another: every later run of a report against the first, stage by stage.

Stages of one name belong together, then those at one place whose names differ, then the ends of the
chains. They are paired by prompt and compared in the headline metrics; Holm runs over all of these
tests, a family of their own. What was trained with several seeds is compared as a recipe, at two
levels (`two_levels`). A win rate against the stage before is of two models, and left out; what sets
a model against base, or counts tokens, is compared only where base is the same model.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from stagelift.evals.metrics.measures import measure, ordered, without_stand_ins
from stagelift.evals.metrics.timing import SECONDS_PER_RESPONSE
from stagelift.evals.stats.difference import Difference, difference
from stagelift.evals.stats.lengths import median_difference, ratio
from stagelift.evals.stats.planning import detectable, needed
from stagelift.evals.stats.two_levels import recipe_difference, two_sided_p
from stagelift.reports.numbers.compare import Comparison, is_identical
from stagelift.reports.numbers.families import Decided, Test, adjust, equal_test
from stagelift.reports.numbers.headline import is_accuracy_again, is_headline
from stagelift.reports.numbers.passports import run_passport
from stagelift.reports.numbers.seeds import stages_by_seed
from stagelift.reports.numbers.values import is_of_base, judged_values, largest_difference
from stagelift.reports.numbers.verdicts import decide
from stagelift.reports.records import RunRecord, StageRecord


@dataclass(frozen=True)
class RunComparison(Comparison):
    """A stage against a stage of another run, `against_run`; a difference of two models in every
    metric, win rates, too. `seeds` counts the trainings of either side; of several, `mde` and
    `needed` are None, for they would be numbers of seeds.
    """

    against_run: str
    seeds: tuple[int, int]


@dataclass(frozen=True)
class Side:
    """A stage of a run; where it was trained with several seeds, all of its trainings."""

    run: RunRecord
    name: str
    trainings: tuple[StageRecord, ...]

    @property
    def stage(self) -> StageRecord:
        """What it was asked and what it is: of several trainings, the first's."""
        return self.trainings[0]

    def values(self, metric: str) -> dict[str, list[float]]:
        """Return the values of a metric by prompt id, one for each training."""
        known = [judged_values(metric, one, self.run.base(one)) for one in self.trainings]
        shared = [prompt for prompt in known[0] if all(prompt in values for values in known)]
        return {prompt: [values[prompt] for values in known] for prompt in shared}


Pair = tuple[Side, Side]


@dataclass(frozen=True)
class _Tested:
    """A difference before its family is known; `now` and `before` have a row for each training and
    a column for each of the `prompts`.
    """

    metric: str
    mine: Side
    theirs: Side
    prompts: list[str]
    now: np.ndarray
    before: np.ndarray
    difference: Difference
    test: Test

    @property
    def seeds(self) -> tuple[int, int]:
        return len(self.now), len(self.before)


def compare_runs(runs: Sequence[RunRecord]) -> list[RunComparison]:
    """Compare every later run with the first; their contracts agree already (`compare_stages`)."""
    first, *others = runs
    tested = [
        found
        for run in others
        for mine, theirs in stage_pairs(run, first)
        for found in _tests(mine, theirs)
    ]
    decided = adjust("runs", {found.test: found.difference.p for found in tested})
    return [_decided(found, decided[found.test]) for found in tested]


def stage_pairs(run: RunRecord, first: RunRecord) -> list[Pair]:
    """Return the stages of a run, each with the one of the first run that it is compared with.

    Of studies these are stages of one name only. A base that both share is left out.
    """
    mine, theirs = _sides(run), _sides(first)
    named = {side.name: side for side in theirs}
    pairs = [(side, named[side.name]) for side in mine if side.name in named]
    if not run.chains and not first.chains:
        names = {side.name for side, _ in pairs}
        places = zip(mine, theirs, strict=False)
        pairs += [pair for pair in places if not names & {side.name for side in pair}]
        last = (mine[-1], theirs[-1])
        pairs += [last] if last not in pairs else []
    apart = [pair for pair in pairs if not _is_one_base(*pair)]
    return apart or pairs


def _sides(run: RunRecord) -> list[Side]:
    """Join the trainings of a stage with several seeds, under what it is called without them."""
    groups = {
        name: Side(run, title, tuple(map(run.stage, by_seed.values())))
        for title, by_seed in stages_by_seed(run.chains).items()
        for name in by_seed.values()
    }
    sides = {
        side.name: side
        for stage in run.stages
        for side in [groups.get(stage.name) or Side(run, stage.name, (stage,))]
    }
    return list(sides.values())


def _is_one_base(mine: Side, theirs: Side) -> bool:
    """Say whether two stages are the model that both runs began with."""
    stage, other = mine.stage, theirs.stage
    begin = stage.parent is None and other.parent is None
    return begin and stage.scores == other.scores and _answer_the_same(stage, other)


def _answer_the_same(stage: StageRecord, other: StageRecord) -> bool:
    """Say whether two stages are one model by all that is known of them; nothing tells nothing."""
    mine, theirs = _values(stage), _values(other)
    pairs = [(mine[name], theirs[name]) for name in mine.keys() & theirs.keys()]
    known = [(stage.generations, other.generations), *pairs]
    return any(one for one, _ in known) and all(one == another for one, another in known)


def _values(stage: StageRecord) -> dict[str, dict[str, float]]:
    """Return what was measured by document; how long it took is the machine's."""
    values = stage.stored_values.items()
    return {name: of for name, of in values if name != SECONDS_PER_RESPONSE}


def _tests(mine: Side, theirs: Side) -> Iterator[_Tested]:
    for name in _names(mine, theirs):
        now, before = mine.values(name), theirs.values(name)
        # joined by id, never by position
        shared = [prompt for prompt in now if prompt in before]
        if shared:
            tables = [np.array([side[prompt] for prompt in shared]).T for side in (now, before)]
            yield _test(name, mine, theirs, shared, tables)


def _test(
    name: str, mine: Side, theirs: Side, prompts: list[str], tables: Sequence[np.ndarray]
) -> _Tested:
    now, before = tables
    bound = largest_difference(name, np.concatenate(tables, axis=None).tolist())
    known = mine.stage.clusters(name)
    clusters = [known.get(prompt, prompt) for prompt in prompts] if known else None
    changes = (now.mean(axis=0) - before.mean(axis=0)).tolist()
    if len(now) == len(before) == 1:
        made = difference(changes, bound=bound, clusters=clusters)
        beside: list[list[float]] = []
    else:
        made = _over_seeds(now, before, bound, clusters)
        beside = [*now.tolist(), *before.tolist()]
    by_prompt = dict(zip(prompts, changes, strict=True))
    test = equal_test(by_prompt, bound, *beside)
    return _Tested(name, mine, theirs, prompts, now, before, made, test)


def _over_seeds(
    now: np.ndarray, before: np.ndarray, bound: float, clusters: Sequence[str] | None
) -> Difference:
    """Compare two recipes, or a recipe and one training: other seeds are in the interval, too."""
    found = recipe_difference(now, before, bound=bound, clusters=clusters)
    gaps = now.mean(axis=0) - before.mean(axis=0)
    return Difference(
        delta=found.delta,
        low=found.low,
        high=found.high,
        n=found.n,
        p=two_sided_p(now, before, bound=bound, clusters=clusters),
        sd=float(gaps.std(ddof=1)) if gaps.size > 1 else 0.0,
        units=sum(found.seeds),
        clusters=None if clusters is None else len({*clusters}),
    )


def _names(mine: Side, theirs: Side) -> list[str]:
    """Name what both sides are compared in, in the order of a report."""
    stages = (*mine.trainings, *theirs.trainings)
    names = [
        name
        for name in mine.stage.evaluation.metrics
        if all(name in stage.evaluation.metrics for stage in stages)
    ]
    if not _have_one_base(mine, theirs):
        names = [name for name in names if not is_of_base(name)]
    if any(_is_unfit(side.run) for side in (mine, theirs)):
        names = [name for name in names if measure(name).family != "win rate"]
    return ordered(name for name in without_stand_ins(names) if _counts(name, mine.stage))


def _counts(name: str, stage: StageRecord) -> bool:
    """The headline is of one stage after another; here a win rate against base is of it, too."""
    known = measure(name)
    if known.family == "win rate":
        is_of_one_model = known.against != "previous" and known.headline
        return is_of_one_model and not is_accuracy_again(name, stage)
    return is_headline(known, stage)


def _is_unfit(run: RunRecord) -> bool:
    passport = run_passport(run)
    return passport is not None and passport.fit is False


def _have_one_base(mine: Side, theirs: Side) -> bool:
    bases = [side.run.base(side.stage) for side in (mine, theirs)]
    models = [base.identity.get("model") for base in bases]
    return _answer_the_same(*bases) or (models[0] is not None and models[0] == models[1])


def _decided(tested: _Tested, decided: Decided) -> RunComparison:
    made, means = tested.difference, [table.mean(axis=0) for table in (tested.now, tested.before)]
    changes = means[0] - means[1]
    is_length = measure(tested.metric).family == "length"
    verdict = decide(tested.metric, made, decided.p_adjusted)
    is_single = tested.seeds == (1, 1)
    return RunComparison(
        run=tested.mine.run.name,
        metric=tested.metric,
        stage=tested.mine.name,
        against=tested.theirs.name,
        difference=made,
        family=decided.family,
        tests=decided.tests,
        p_adjusted=decided.p_adjusted,
        level=decided.level,
        mde=detectable(made, decided.level) if is_single else None,
        needed=needed(made, decided.level) if is_single else None,
        ratio=ratio(means[0].tolist(), means[1].tolist()) if is_length and is_single else None,
        median=median_difference(changes.tolist()) if is_length and is_single else None,
        verdict="identical" if is_single and _is_identical(tested, changes) else verdict,
        against_run=tested.theirs.run.name,
        seeds=tested.seeds,
    )


def _is_identical(tested: _Tested, changes: np.ndarray) -> bool:
    by_prompt = dict(zip(tested.prompts, changes.tolist(), strict=True))
    return is_identical(tested.metric, tested.mine.stage, tested.theirs.stage, by_prompt)
