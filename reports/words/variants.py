"""What a study of variants found, in sentences made of its numbers alone: whether the data can tell
the variants apart, how they rank, and what each stage added in every one of them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from stagelift.evals.metrics.measures import measure
from stagelift.evals.printed import shown_name
from stagelift.reports.numbers.compare import Comparison
from stagelift.reports.numbers.headline import is_accuracy_again, main_metric
from stagelift.reports.numbers.variants import WHOLE_CHAIN, RankedVariant, VariantDifference
from stagelift.reports.numbers.verdicts import SHOWN, Decision
from stagelift.reports.records import StageRecord
from stagelift.reports.report import RunReport
from stagelift.reports.words import counting, formatting
from stagelift.reports.words.added import variant_model
from stagelift.reports.words.gained_and_lost import (
    BY_CONSTRUCTION,
    gained,
    is_by_construction,
    lost,
    noun,
)
from stagelift.reports.words.room import room_left

# variants that are named in a line
_MOST = 3


@dataclass(frozen=True)
class Finding:
    """A sentence about several models: the `words` on a `subject`, `against` another where it is of
    a step. `compared` names the models of which responses were compared. What is said of an
    `earlier` stage is less than what is said of the last one, and names a model of it.
    """

    subject: str
    words: str
    against: str = ""
    compared: frozenset[str] = frozenset()
    earlier: str = ""


def variant_findings(run: RunReport) -> list[Finding]:
    """Return the sentences that a report begins with, of the last stage first; none where nothing
    is compared with the reference.
    """
    places = list(_places(run).items())
    if not places or not _told(places[-1][1], run):
        return []
    last, here = places[-1]
    found = [
        Finding(f"After {last}", shown_name(" ".join(_told(here, run, _MOST)))),
        *_ranks(here, run),
        *_steps(last, here, run),
    ]
    for place, earlier in reversed(places[:-1]):
        if told := _told(earlier, run, _MOST, is_brief=True):
            model = variant_model(earlier[0].variant, place)
            found.append(Finding(f"After {place}", shown_name(" ".join(told)), earlier=model))
        found += _steps(place, earlier, run)
    return found


def variant_sentences(run: RunReport) -> list[str]:
    """Return the sentences of the summary, stage by stage, and who is on the Pareto front."""
    places = _places(run)
    said = [sentence for place, here in places.items() for sentence in _place(place, here, run)]
    if run.variants and all(one.on_front is not None for one in run.variants):
        so_far = "Of what is evaluated, on" if run.record.missing else "On"
        last, here = list(places.items())[-1]
        said.append(
            f"{so_far} the Pareto front of {_weighed(run)} after {last}, noise and all: "
            f"{counting.listed(_front(here))}."
        )
    return said


def changed(variant: RankedVariant, verdict: Decision, main: str) -> list[str]:
    """Write the differences to the reference that have this verdict, beside the main metric."""
    return [
        f"{noun(found.metric)} {_difference(found)}{formatting.unit_of(found.metric)}"
        for found in _beside(variant, main)
        if found.verdict == verdict and measure(found.metric).family != "length"
    ]


def unshown(variant: RankedVariant, main: str) -> str:
    """Say in which metrics beside the main one no difference to the reference is shown."""
    said: dict[str, list[str]] = {}
    for found in _beside(variant, main):
        if found.verdict not in SHOWN:
            said.setdefault(found.verdict, []).append(formatting.short_title(found.metric))
    return "; ".join(f"{counting.listed(nouns)}: {word}" for word, nouns in said.items())


def _beside(variant: RankedVariant, main: str) -> list[VariantDifference]:
    """Leave out win rates: they are told by themselves."""
    return [
        found
        for found in variant.differences
        if found.metric != main and measure(found.metric).family != "win rate"
    ]


def _places(run: RunReport) -> dict[str, list[RankedVariant]]:
    places: dict[str, list[RankedVariant]] = {}
    for one in run.variants:
        places.setdefault(one.stage, []).append(one)
    return places


def _main(run: RunReport) -> str:
    return main_metric(run.stages) or "accuracy"


def _weighed(run: RunReport) -> str:
    title = measure(_main(run)).title
    return f"{title}, trained parameters, trained tokens and peak memory"


def _front(here: Sequence[RankedVariant]) -> list[str]:
    return [one.variant for one in here if one.on_front]


def _place(place: str, here: Sequence[RankedVariant], run: RunReport) -> Iterator[str]:
    main = _main(run)
    told = _told(here, run)
    if told:
        yield f"After {place}: {' '.join(told)}"
        return
    values = [
        f"{formatting.value(main, one.values[main])} (n={one.values[main].n}) for {one.variant}"
        for one in here
        if main in one.values
    ]
    if values:
        yield (
            f"After {place} {measure(main).title} is {counting.listed(values)}; none is compared "
            f"with {here[0].reference}, which is not measured there."
        )


def _told(
    here: Sequence[RankedVariant],
    run: RunReport,
    most: int | None = None,
    *,
    is_brief: bool = False,
) -> list[str]:
    """Say which variants differ from the reference, and plainly where the data cannot tell; nothing
    where none is compared. At `most` so many are named; what `is_brief` does not say what there is
    room for.
    """
    main = _main(run)
    pairs = [(one, found) for one in here if (found := one.difference(main)) is not None]
    elsewhere = [
        f"{one.variant}'s {_title(found)} {_change(one, found, run)}"
        for one in here
        for found in one.differences
        if found.metric != main and found.verdict in SHOWN and not _is_again(found, one, run)
    ]
    if not pairs:
        return []
    said = [_in_main(pairs, run, most, is_all=not elsewhere)]
    if not is_brief and not any(found.verdict in SHOWN for _, found in pairs):
        said.append(f"The {room_left([found for _, found in pairs])}.")
    others = "; ".join(_first(elsewhere, most))
    return [*said, f"In other metrics: {others}."] if others else said


def _is_again(found: VariantDifference, variant: RankedVariant, run: RunReport) -> bool:
    """Say whether a win rate's difference is that of accuracy."""
    return is_accuracy_again(found.metric, run.record.stage(variant.members[0]))


def _first(said: Sequence[str], most: int | None) -> list[str]:
    """Keep so many, and count the others."""
    if most is None or len(said) <= most:
        return [*said]
    return [*said[:most], f"{len(said) - most} more"]


def _in_main(
    pairs: Sequence[tuple[RankedVariant, VariantDifference]],
    run: RunReport,
    most: int | None,
    *,
    is_all: bool,
) -> str:
    """Say what the main metric tells; `is_all`: and no other metric tells more."""
    reference, title = pairs[0][0].reference, measure(pairs[0][1].metric).title
    apart = [pair for pair in pairs if pair[1].verdict in SHOWN]
    alike = [pair for pair in pairs if pair[1].verdict not in SHOWN]
    names = _first([one.variant for one, _ in alike], most)
    if not apart:
        only = "" if is_all else f" by {title}"
        return (
            f"the data cannot tell the variants apart{only}: no difference to {reference} in "
            f"{title} was shown for {counting.listed(names, 'or')} ({_counted(alike)})."
        )
    said = _first([f"{one.variant} {_change(one, found, run)}" for one, found in apart], most)
    said += [f"{counting.listed(names)} cannot be told apart from it"] if alike else []
    return f"against {reference} in {title} ({_counted(pairs)}): {'; '.join(said)}."


def _counted(pairs: Sequence[tuple[RankedVariant, VariantDifference]]) -> str:
    counts = dict.fromkeys(
        f"{found.n} seeds" if found.over == "seeds" else f"n={found.n}" for _, found in pairs
    )
    return " / ".join(counts)


def _title(found: VariantDifference) -> str:
    known = measure(found.metric)
    return formatting.full_title(known.name) if known.family == "win rate" else known.title


def _change(variant: RankedVariant, found: VariantDifference, run: RunReport) -> str:
    below = ", which is below the noise floor" if run.is_variant_below_noise(found, variant) else ""
    change = formatting.change_with_interval(found.metric, found.delta, found.low, found.high)
    return f"{found.verdict}, {change}{below}"


def _ranks(here: Sequence[RankedVariant], run: RunReport) -> Iterator[Finding]:
    main = _main(run)
    ranked = [
        f"{one.rank}. {one.variant} {formatting.plain(main, one.values[main].value)}"
        for one in here
        if main in one.values
    ]
    said = ", ".join(_first(ranked, _MOST))
    if all(one.on_front is not None for one in here):
        front = counting.listed(_first(_front(here), _MOST))
        said += f"; on the Pareto front of {_weighed(run)}: {front}"
    yield Finding(f"By {measure(main).title}, noise and all", shown_name(said))


def _steps(place: str, here: Sequence[RankedVariant], run: RunReport) -> Iterator[Finding]:
    """Say what a stage was shown to change in each variant; of one training each, as over seeds
    there is no such verdict.
    """
    if place == WHOLE_CHAIN or any(len(one.members) > 1 for one in here):
        return
    stages = {one.variant: run.record.stage(one.members[0]) for one in here}
    befores = {name: run.record.before(stage) for name, stage in stages.items()}
    kinds = {_kind(before.name) for before in befores.values() if before is not None}
    if len(kinds) != 1:
        return
    changes: dict[tuple[str, str], list[str]] = {}
    compared: set[str] = set()
    for name, stage in stages.items():
        if (before := befores[name]) is None:
            continue
        for said, found in _changes(stage, before, run):
            of_base = f" {BY_CONSTRUCTION}" if is_by_construction(found.metric, before) else ""
            words = f"{noun(found.metric)}{of_base}"
            changes.setdefault((said, words), []).append(f"{_difference(found)} ({name})")
            if measure(found.metric).family != "preference accuracy":
                compared |= {stage.name, before.name}
    if changes:
        parts = [
            f"{said} {words} {', '.join(_first(of, _MOST))}"
            for (said, words), of in changes.items()
        ]
        words = shown_name("; ".join(parts))
        yield Finding(place, words, against=kinds.pop(), compared=frozenset(compared))


def _kind(stage: str) -> str:
    """Name a stage without its variant."""
    return stage.rpartition("/")[2]


def _changes(
    stage: StageRecord, before: StageRecord, run: RunReport
) -> list[tuple[str, Comparison]]:
    better, worse = gained(stage, before, run), lost(stage, before, run)
    return [*(("gained", one) for one in better), *(("lost", one) for one in worse)]


def _difference(found: Comparison | VariantDifference) -> str:
    return formatting.change_with_interval(found.metric, found.delta, found.low, found.high)
