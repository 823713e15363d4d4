"""What was added, difference by difference, in one metric: the rows of a forest.

Of a chain that is what each stage added to the one before, and the whole chain to base; of seeds
the same in the mean; of a lattice the share of each stage; of variants their difference to the
reference. What is deployed follows beside its stage, and later runs beside the first.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from stagelift.evals.metrics.measures import measure
from stagelift.evals.records import Metric
from stagelift.reports.numbers.attribution import Attribution, Effect
from stagelift.reports.numbers.between import RunComparison
from stagelift.reports.numbers.compare import Comparison
from stagelift.reports.numbers.families import BESIDE_THE_MAIN
from stagelift.reports.numbers.seeds import OverSeeds
from stagelift.reports.numbers.variants import RankedVariant, VariantDifference
from stagelift.reports.numbers.verdicts import Decision
from stagelift.reports.records import StageRecord
from stagelift.reports.report import Report, RunReport
from stagelift.reports.words import formatting

BELOW, ABOVE = "below the noise floor", "above the noise floor"
WHOLE_CHAIN = "whole chain"
THE_REFERENCE = "the reference"


@dataclass(frozen=True)
class Added:
    """A difference of a metric with its interval, in the metric's own unit.

    `model` and `against` name the two models within their run (or `against_run`), "" where it is of
    no two; `label` is what the row is called, and `beside` names the other where that does not go
    without saying. `counted` says what it is over: `n=60`, `3 seeds`. A number is None where there
    is none: the reference has no difference to itself, two seeds no interval. Where nothing decides
    there is no `verdict`, and `word` says what there is to say. A `faint` one is below the noise
    floor. Of lengths the `ratio` is known, too.
    """

    run: str
    label: str
    model: str
    against: str
    delta: float | None
    low: float | None
    high: float | None
    counted: str
    text: str
    verdict: Decision | None
    word: str
    faint: bool = False
    ratio: Metric | None = None
    beside: str = ""
    against_run: str = ""
    is_of_variants: bool = False


def added(report: Report, metric: str) -> list[Added]:
    """Return every difference in the metric, in the order of the report; a win rate of an unfit
    judge has none.
    """
    return [
        *(row for run in report.runs for row in _of_run(run, metric) if _counts(run, metric)),
        *(_between(one) for one in report.between if one.metric == metric),
    ]


def _counts(run: RunReport, metric: str) -> bool:
    return not (run.has_unfit_judge and measure(metric).family == "win rate")


def _of_run(run: RunReport, metric: str) -> Iterator[Added]:
    shares = [one for one in run.attribution if one.metric == metric]
    variants = [one for one in run.variants if metric in one.values]
    if shares and not variants:
        yield from _lattice(shares)
    else:
        members = {name for variant in variants for name in variant.members}
        yield from _steps(run, metric, members)
    for variant in variants:
        yield from _variant(run, variant, metric)
    for export in run.record.exports:
        for row in _step(run, metric, export, run.record.before(export)):
            yield replace(row, beside=row.against)


def _steps(run: RunReport, metric: str, variants: set[str]) -> Iterator[Added]:
    """What each stage added that is no variant: over its seeds, where there are several."""
    seeds = [one for one in run.seeds if one.metric == metric and not variants & {*one.members}]
    trained_again = {name for one in seeds for name in one.members}
    over = _by_stage([one for one in seeds if one.against is not None])
    for before, stage in run.record.steps():
        # of the trainings of a stage the first stands for all
        firsts = [one[0] for one in over if one[0].members[0] == stage.name]
        yield from (_over_seeds(run, first, first.stage) for first in firsts)
        if stage.name not in variants | trained_again:
            for row in _step(run, metric, stage, before):
                yield replace(row, beside=row.against) if run.record.chains else row
    if over and not run.variants and len(over[-1]) > 1:
        yield _over_seeds(run, over[-1][-1], WHOLE_CHAIN)
    last = run.stages[-1]
    base = run.record.base(last)
    if not run.record.chains and run.record.before(last) not in (None, base):
        yield from (replace(row, label=WHOLE_CHAIN) for row in _step(run, metric, last, base))


def _step(
    run: RunReport, metric: str, stage: StageRecord, before: StageRecord | None
) -> Iterator[Added]:
    found = None if before is None else run.find(metric, stage, before.name)
    if found is None:
        return
    faint = run.is_below_noise(found)
    word = marked_verdict(found)
    yield _row(found, stage.name, f"{word}, {BELOW}" if faint else word, faint=faint)


def marked_verdict(found: Comparison) -> str:
    """Write the verdict, short, with a mark where its test is not of the headline family."""
    word = "not after Holm" if found.verdict == "not after Holm" else formatting.verdict(found)
    return f"{word} {formatting.OTHER_FAMILY}" if found.family in BESIDE_THE_MAIN else word


def _row(found: Comparison, label: str, word: str, *, faint: bool = False) -> Added:
    clusters = found.difference.clusters or 0
    return Added(
        run=found.run,
        label=label,
        model=found.stage,
        against=found.against,
        delta=found.delta,
        low=found.low,
        high=found.high,
        counted=formatting.counted(found.n, clusters),
        text=" ".join(formatting.difference(found)),
        verdict=found.verdict,
        word=word,
        faint=faint,
        ratio=found.ratio,
    )


def _between(found: RunComparison) -> Added:
    """The later run's stage beside that of the first."""
    label = f"{found.stage} beside {found.against_run}/{found.against}"
    row = _row(found, label, marked_verdict(found))
    return replace(row, against_run=found.against_run)


def variant_model(variant: str, place: str) -> str:
    """Name the model of a variant at a stage."""
    return f"{variant}/{place}"


def _variant(run: RunReport, variant: RankedVariant, metric: str) -> Iterator[Added]:
    found = variant.difference(metric)
    if found is not None:
        yield _beside_reference(run, variant, found)
    elif variant.variant == variant.reference:
        yield _reference(variant)


def _beside_reference(run: RunReport, variant: RankedVariant, found: VariantDifference) -> Added:
    faint = run.is_variant_below_noise(found, variant)
    name = variant_model(variant.variant, variant.stage)
    reference = variant_model(variant.reference, variant.stage)
    return Added(
        run=variant.run,
        label=name,
        model=name,
        against=reference,
        beside=reference,
        delta=found.delta,
        low=found.low,
        high=found.high,
        counted=f"{found.n} seeds" if found.over == "seeds" else f"n={found.n}",
        text=formatting.change_with_interval(found.metric, found.delta, found.low, found.high),
        verdict=found.verdict,
        word=f"{found.verdict}, {BELOW}" if faint else found.verdict,
        faint=faint,
        is_of_variants=True,
    )


def _reference(variant: RankedVariant) -> Added:
    name = variant_model(variant.variant, variant.stage)
    return Added(
        run=variant.run,
        label=name,
        model=name,
        against="",
        delta=None,
        low=None,
        high=None,
        counted="",
        text="",
        verdict=None,
        word=THE_REFERENCE,
    )


def _lattice(shares: Sequence[Attribution]) -> Iterator[Added]:
    """The share of each stage, and the whole chain, which the shares sum to."""
    for share in shares:
        yield _share(share, f"{share.stage}'s share", share)
    yield _share(shares[0], WHOLE_CHAIN, shares[0].whole)


def _share(share: Attribution, label: str, effect: Attribution | Effect) -> Added:
    return Added(
        run=share.run,
        label=label,
        model="",
        against="",
        delta=effect.value,
        low=effect.low,
        high=effect.high,
        counted=f"{share.n} seeds" if share.over == "seeds" else f"n={share.n}",
        text=formatting.change_with_interval(share.metric, effect.value, effect.low, effect.high),
        verdict=None,
        word="",
    )


def _by_stage(found: Sequence[OverSeeds]) -> list[list[OverSeeds]]:
    """Put together what is of one stage: its step to the stage before, then the one to base."""
    steps: dict[str, list[OverSeeds]] = {}
    for one in found:
        steps.setdefault(one.stage, []).append(one)
    return list(steps.values())


def _over_seeds(run: RunReport, one: OverSeeds, label: str) -> Added:
    members = (*one.members, *one.others)
    known = run.floor(one.metric, *members)
    floor = None if known is None else known.of(len(one.seeds))
    return Added(
        run=one.run,
        label=label,
        model=one.stage,
        against=str(one.against),
        delta=one.value,
        low=one.low,
        high=one.high,
        counted=f"{len(one.seeds)} seeds",
        text=_mean_of_seeds(one),
        verdict=None,
        word=_beside_floor(floor, one.value),
        faint=floor is not None and abs(one.value) <= floor,
    )


def _mean_of_seeds(one: OverSeeds) -> str:
    """Write a mean with its interval, and with its seeds where they are too few for one."""
    if one.low is not None and one.high is not None:
        return formatting.change_with_interval(one.metric, one.value, one.low, one.high)
    seeds = ", ".join(formatting.change(one.metric, value) for value in one.values)
    return f"{formatting.change(one.metric, one.value)} (seeds {seeds})"


def _beside_floor(floor: float | None, value: float) -> str:
    if floor is None:
        # the line below all of them says that two seeds know no floor
        return ""
    # a difference of nothing is not above a floor of nothing
    return BELOW if abs(value) <= floor else ABOVE
