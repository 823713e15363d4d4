"""What a study found, in sentences made of its numbers alone: shares of stages, variants, and what
seeds make of it.
"""

from collections.abc import Iterator, Sequence
from functools import partial

from stagelift.evals.metrics.measures import measure
from stagelift.evals.stats.families import ALPHA
from stagelift.reports.numbers.attribution import Interaction
from stagelift.reports.numbers.headline import main_metric
from stagelift.reports.numbers.seeds import Floor, OverSeeds
from stagelift.reports.report import RunReport
from stagelift.reports.words import counting, formatting
from stagelift.reports.words.variants import variant_sentences


def study_sentences(run: RunReport) -> list[str]:
    """Return the sentences of one run; empty where its study is not far enough to say anything."""
    return [*_lattice(run), *variant_sentences(run), *_seeds(run)]


def told_of(run: RunReport) -> set[str]:
    """Name the stages that these sentences are of."""
    main = _main(run)
    if any(one.metric == main for one in run.attribution):
        return {stage.name for stage in run.stages}
    variants = {name for one in run.variants if main in one.values for name in one.members}
    return variants | {name for one in run.seeds if one.metric == main for name in one.members}


def without_shares(run: RunReport) -> str:
    """Say why a lattice that is not finished has no shares; "" where nothing is to be said."""
    if not run.record.lattice or not run.record.missing:
        return ""
    return "What each stage's share is can be said when all models are evaluated."


def _main(run: RunReport) -> str:
    """Name the metric that the sentences are about; the tables have the others."""
    return main_metric(run.stages) or "accuracy"


def _lattice(run: RunReport) -> Iterator[str]:
    main = _main(run)
    shares = [one for one in run.attribution if one.metric == main]
    if not shares:
        return
    whole, change = shares[0].whole, partial(formatting.change_with_interval, main)
    parts = [f"{one.stage} {change(one.value, one.low, one.high)}" for one in shares]
    yield (
        f"The whole chain added {change(whole.value, whole.low, whole.high)} points of "
        f"{measure(main).title} to base, of which by Shapley value {counting.listed(parts)} "
        f"(n={shares[0].n} {shares[0].over})."
    )
    pairs = [one for one in run.interactions if one.metric == main]
    yield from (_interaction(one) for one in pairs if one.p_adjusted < ALPHA)


def _interaction(one: Interaction) -> str:
    first, second = one.stages
    word = "more" if one.value > 0 else "less"
    return (
        f"{first} and {second} together add {word} {measure(one.metric).title} than each without "
        f"the other: "
        f"{formatting.change_with_interval(one.metric, one.value, one.low, one.high)}."
    )


def _seeds(run: RunReport) -> Iterator[str]:
    main = _main(run)
    found = [one for one in run.seeds if one.metric == main]
    values = [one for one in found if one.against is None]
    if not values:
        return
    means = counting.listed(list(map(_mean, values)))
    yield f"Over {len(values[0].seeds)} training seeds {measure(main).title} is {means}."
    above, below, seen = _by_floor(found, run)
    if above:
        yield (
            "Above the noise floor of means, more than two recipes differ by seeds alone: "
            f"{counting.listed(above)}."
        )
    if below:
        yield (
            "Below the noise floor of means, no more than two equal recipes may differ by their "
            f"seeds alone: {counting.listed(below)}."
        )
    if seen:
        yield f"What two seeds were seen to do is no noise floor: {counting.listed(seen)}."


def _by_floor(found: Sequence[OverSeeds], run: RunReport) -> tuple[list[str], list[str], list[str]]:
    """Sort what stages added to the one before: above the floor of means over these seeds, below
    it, and where there is none.
    """
    steps: dict[str, OverSeeds] = {}
    for step in found:
        if step.against is not None:
            # the stage before comes first, base second
            steps.setdefault(step.stage, step)
    above: list[str] = []
    below: list[str] = []
    seen: list[str] = []
    for step in steps.values():
        stages, runs = (*step.members, *step.others), len(step.seeds)
        floor = run.floor(step.metric, *stages)
        if floor is None or floor.of(runs) is None:
            seen.append(_step(step, floor))
        # a difference of nothing is not above a floor of nothing
        elif not step.value or run.is_below(step.metric, step.value, *stages, runs=runs):
            below.append(_step(step, floor))
        else:
            above.append(_step(step, floor))
    return above, below, seen


def _mean(one: OverSeeds) -> str:
    interval = f"({', '.join(formatting.plain(one.metric, value) for value in one.values)})"
    if one.low is not None and one.high is not None:
        interval = formatting.plain_interval(one.metric, one.low, one.high)
    return f"{formatting.plain(one.metric, one.value)} {interval} after {one.stage}"


def _step(one: OverSeeds, floor: Floor | None) -> str:
    known = ""
    if floor is not None:
        of_means = floor.of(len(one.seeds))
        word, size = ("floor", of_means) if of_means is not None else ("seen", floor.between_seeds)
        known = f" ({word} {formatting.size(one.metric, size)})"
    return f"{formatting.change(one.metric, one.value)} of {one.stage} against {one.against}{known}"
