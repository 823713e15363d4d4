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
from stagelift.reports.numbers.variants import RankedVariant, VariantDifference
from stagelift.reports.numbers.verdicts import SHOWN
from stagelift.reports.report import RunReport
from stagelift.reports.words import formatting


def study_sentences(run: RunReport) -> list[str]:
    """Return the sentences of one run; empty where its study is not far enough to say anything."""
    return [*_lattice(run), *_variants(run), *_seeds(run)]


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
        f"{measure(main).title} to base, of which by Shapley value {formatting.listed(parts)} "
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


def _variants(run: RunReport) -> Iterator[str]:
    found = run.variants
    for place in dict.fromkeys(one.stage for one in found):
        here = [one for one in found if one.stage == place]
        yield from _place(place, here, run)
    if found and all(one.on_front is not None for one in found):
        so_far = "Of what is evaluated, on" if run.record.missing else "On"
        last = [one for one in found if one.stage == found[-1].stage]
        front = [one.variant for one in last if one.on_front]
        yield (
            f"{so_far} the Pareto front of {measure(_main(run)).title}, trained parameters, "
            f"minutes and peak memory after {last[0].stage}, noise and all: "
            f"{formatting.listed(front)}."
        )


def _place(place: str, here: Sequence[RankedVariant], run: RunReport) -> Iterator[str]:
    """Say which variants differ from the reference, and plainly where the data cannot tell."""
    reference, main = here[0].reference, _main(run)
    title = measure(main).title
    pairs = [(one, found) for one in here if (found := one.difference(main)) is not None]
    apart = [pair for pair in pairs if _differs(pair[1])]
    alike = [pair for pair in pairs if not _differs(pair[1])]
    elsewhere = [
        (one, found)
        for one in here
        for found in one.differences
        if found.metric != main and _differs(found)
    ]
    names = [one.variant for one, _ in alike]
    if not pairs:
        yield from _without_reference(place, here, main)
    if pairs and not apart:
        only = f" by {title}" if elsewhere else ""
        yield (
            f"After {place} the data cannot tell the variants apart{only}: no difference to "
            f"{reference} in {title} was shown for "
            f"{formatting.listed(names, 'or')}{_unseen(alike)}."
        )
    if apart:
        said = [f"{one.variant} {_change(one, found, run)}" for one, found in apart]
        said += (
            [f"{formatting.listed(names)} cannot be told apart from it{_unseen(alike)}"]
            if alike
            else []
        )
        yield f"After {place}, against {reference} in {title}: {'; '.join(said)}."
    if elsewhere:
        said = [
            f"{one.variant}'s {_title(found)} {_change(one, found, run)}"
            for one, found in elsewhere
        ]
        yield f"In other metrics: {'; '.join(said)}."


def _without_reference(place: str, here: Sequence[RankedVariant], main: str) -> Iterator[str]:
    """Say what variants are that nothing can be compared with."""
    values = [
        f"{formatting.value(main, one.values[main])} (n={one.values[main].n}) for {one.variant}"
        for one in here
        if main in one.values
    ]
    if values:
        yield (
            f"After {place} {measure(main).title} is {formatting.listed(values)}; none is compared "
            f"with {here[0].reference}, which is not measured there."
        )


def _differs(found: VariantDifference) -> bool:
    return found.verdict in SHOWN


def _unseen(alike: Sequence[tuple[RankedVariant, VariantDifference]]) -> str:
    unseen = max((found.mde or 0.0 for _, found in alike), default=0.0)
    if not unseen:
        return ""
    amount = formatting.size(alike[0][1].metric, unseen)
    return f"; a change below {amount} points would often go unseen"


def _title(found: VariantDifference) -> str:
    known = measure(found.metric)
    return formatting.full_title(known.name) if known.family == "win rate" else known.title


def _change(variant: RankedVariant, found: VariantDifference, run: RunReport) -> str:
    below = ", which is below the noise floor" if run.is_variant_below_noise(found, variant) else ""
    change = formatting.change_with_interval(found.metric, found.delta, found.low, found.high)
    return f"{found.verdict} by {change}{below}"


def _seeds(run: RunReport) -> Iterator[str]:
    main = _main(run)
    found = [one for one in run.seeds if one.metric == main]
    values = [one for one in found if one.against is None]
    if not values:
        return
    means = formatting.listed(list(map(_mean, values)))
    yield f"Over {len(values[0].seeds)} training seeds {measure(main).title} is {means}."
    above, below, seen = _by_floor(found, run)
    if above:
        yield f"Above the noise floor of means: {formatting.listed(above)}."
    if below:
        floor = "it" if above else "the noise floor of means"
        said = formatting.listed(below)
        yield f"Below {floor}, so that other seeds alone may do as much: {said}."
    if seen:
        yield f"What two seeds were seen to do is no noise floor: {formatting.listed(seen)}."


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
