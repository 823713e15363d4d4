"""Variants as tables, one per stage.

The best accuracy stands first, with differences to the reference and what each variant cost.
"""

from stagelift.evals.metrics.measures import measure, ordered
from stagelift.reports.numbers.seeds import SEEDS_FOR_AN_INTERVAL
from stagelift.reports.numbers.variants import RankedVariant
from stagelift.reports.report import RunReport
from stagelift.reports.tables.table import BELOW_NOISE, NOTHING, Cell, Column, Row, Table
from stagelift.reports.words import counting, formatting


def variant_tables(run: RunReport) -> dict[str, Table]:
    """Return a table for each stage at which the variants differ, by the stage's name.

    Empty where there are no variants.
    """
    by_stage: dict[str, list[RankedVariant]] = {}
    for variant in run.variants:
        by_stage.setdefault(variant.stage, []).append(variant)
    return {stage: _table(variants, run) for stage, variants in by_stage.items()}


def variant_notes(run: RunReport) -> tuple[str, ...]:
    """Say how to read the ranks, and how little one seed says."""
    return (
        f"Differences are to {run.record.reference}, paired, in percentage points or tokens; "
        "verdicts are Holm-adjusted over all variants, stages and metrics of these tables, a "
        "family of their own in which equal tests count once. Ranks "
        "go by accuracy as it is, whether or not the data can tell. On the Pareto front: no other "
        "variant is at least as good in accuracy, trained parameters, trained tokens (of all "
        "stages up to here) and peak memory, and better in one of them; the values are taken as "
        "they are. Minutes do not count there: they are of that machine, with whatever else ran "
        "on it.",
        _seeds_note(max((len(variant.members) for variant in run.variants), default=1)),
    )


def _seeds_note(seeds: int) -> str:
    if seeds >= SEEDS_FOR_AN_INTERVAL:
        return (
            f"Intervals are over {seeds} training seeds, where these differ: for these problems, "
            "their choice is not in it."
        )
    trained = "One training seed each"
    if seeds > 1:
        trained = "Two training seeds, whose values are averaged problem by problem"
    return (
        f"{trained}: the intervals cover the choice of prompts, and other seeds would give other "
        "models."
    )


def _table(variants: list[RankedVariant], run: RunReport) -> Table:
    metrics = ordered(metric for variant in variants for metric in variant.values)
    titles = []
    for metric in metrics:
        titles += [_title(metric), f"{measure(metric).title} to {variants[0].reference}"]
    # beside accuracy, which they are weighed by
    titles[2:2] = ["trained parameters", "trained tokens", "peak memory", "Pareto front", "minutes"]
    rows = tuple((_row(variant, metrics, run),) for variant in variants)
    return Table("variant", tuple(map(Column, titles)), rows)


def _title(metric: str) -> str:
    known = measure(metric)
    if known.family in ("win rate", "length"):
        return f"{known.title}, {known.reading}"
    return known.title


def _row(variant: RankedVariant, metrics: list[str], run: RunReport) -> Row:
    cells = []
    for metric in metrics:
        cells += [_value(metric, variant), _difference(metric, variant, run)]
    cells[2:2] = map(Cell, _costs(variant))
    note = "the reference" if variant.variant == variant.reference else ""
    return Row(f"{variant.rank}. {variant.variant}", tuple(cells), note)


def _value(metric: str, variant: RankedVariant) -> Cell:
    value = variant.values[metric]
    counted = f"n={value.n}"
    if 1 < value.n == len(variant.members):
        counted += " seeds"
    text, interval = formatting.point(metric, value), formatting.interval(metric, value)
    return Cell(text, interval, notes=(counted,))


def _difference(metric: str, variant: RankedVariant, run: RunReport) -> Cell:
    difference = variant.difference(metric)
    if difference is None:
        return Cell()
    text = formatting.change(metric, difference.delta)
    interval = formatting.change_interval(metric, difference.low, difference.high)
    faint = run.is_variant_below_noise(difference, variant)
    notes = []
    if faint:
        notes.append(BELOW_NOISE)
    if difference.verdict in ("no difference shown", "not after Holm"):
        notes.append(formatting.planned(metric, difference.mde, difference.needed))
    word = str(difference.verdict)
    if difference.verdict == "not after Holm":
        word = formatting.not_after_holm(difference.p, difference.p_adjusted)
    return Cell(text, interval, difference.verdict, word, tuple(notes), faint)


def _costs(variant: RankedVariant) -> list[str]:
    """Write what a variant cost, whether it is on the Pareto front, and the minutes, which do not
    count for that.
    """
    texts, cost = [NOTHING] * 5, variant.cost
    if cost.parameters is not None:
        texts[0] = f"{cost.parameters:,}"
    if cost.tokens is not None:
        texts[1] = f"{cost.tokens:,.0f}"
    if cost.memory is not None:
        texts[2] = counting.memory(cost.memory)
    if variant.on_front is not None:
        texts[3] = "on it" if variant.on_front else "no"
    if cost.seconds is not None:
        texts[4] = f"{cost.seconds / 60:.1f}"
    return texts
