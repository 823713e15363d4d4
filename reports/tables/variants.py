"""Variants as tables, one per stage: best accuracy first, differences to the reference, and what
each cost.
"""

from stagelift.evals.metrics.measures import measure, ordered
from stagelift.reports.numbers.seeds import SEEDS_FOR_AN_INTERVAL
from stagelift.reports.numbers.variants import RankedVariant, VariantDifference
from stagelift.reports.report import RunReport
from stagelift.reports.tables.table import NOTHING, Cell, Column, Row, Table
from stagelift.reports.words import formatting


def variant_tables(run: RunReport) -> dict[str, Table]:
    """Return a table for each stage at which the variants differ, by stage; empty where there are
    no variants.
    """
    return {
        place: _table([variant for variant in run.variants if variant.stage == place], run)
        for place in dict.fromkeys(variant.stage for variant in run.variants)
    }


def variant_notes(run: RunReport) -> tuple[str, ...]:
    """Say how to read the ranks, and how little one seed says."""
    notes = (
        f"Differences are to {run.record.reference}, paired, in percentage points or tokens; "
        "verdicts are Holm-adjusted over all variants, stages and metrics of these tables. Ranks "
        "go by accuracy as it is, whether or not the data can tell. On the Pareto front: no other "
        "variant is at least as good in accuracy, trained parameters, minutes (training of all "
        "stages up to here) and peak memory, and better in one of them; the values are taken as "
        "they are, minutes also where other work ran beside.",
    )
    seeds = max((len(variant.members) for variant in run.variants), default=1)
    if seeds >= SEEDS_FOR_AN_INTERVAL:
        return (
            *notes,
            f"Intervals are over {seeds} training seeds, where these differ: for these problems, "
            "their choice is not in it.",
        )
    trained = (
        "One training seed each"
        if seeds == 1
        else "Two training seeds, whose values are averaged problem by problem"
    )
    return (
        *notes,
        f"{trained}: the intervals cover the choice of prompts, and other seeds would give other "
        "models.",
    )


def _table(variants: list[RankedVariant], run: RunReport) -> Table:
    names = ordered(name for one in variants for name in one.values)
    columns = [title for name in names for title in (_title(name), f"to {variants[0].reference}")]
    # beside accuracy, which they are weighed by
    columns[2:2] = ["trained parameters", "minutes", "peak memory", "Pareto front"]
    rows = tuple((_row(one, names, run),) for one in variants)
    return Table("variant", tuple(map(Column, columns)), rows)


def _title(name: str) -> str:
    known = measure(name)
    if known.family in ("win rate", "length"):
        return f"{known.title}, {known.reading}"
    return known.title


def _row(variant: RankedVariant, names: list[str], run: RunReport) -> Row:
    cells = [
        cell for name in names for cell in (_value(name, variant), _difference(name, variant, run))
    ]
    cost = variant.cost
    costs = [
        NOTHING if cost.parameters is None else f"{cost.parameters:,}",
        NOTHING if cost.seconds is None else f"{cost.seconds / 60:.1f}",
        NOTHING if cost.memory is None else formatting.memory(cost.memory),
        {None: NOTHING, True: "on it", False: "no"}[variant.on_front],
    ]
    note = "the reference" if variant.variant == variant.reference else ""
    cells[2:2] = map(Cell, costs)
    return Row(f"{variant.rank}. {variant.variant}", tuple(cells), note)


def _value(name: str, variant: RankedVariant) -> Cell:
    metric = variant.values[name]
    counted = f"n={metric.n}{' seeds' if 1 < metric.n == len(variant.members) else ''}"
    return Cell(
        formatting.point(name, metric),
        formatting.interval(name, metric),
        notes=(counted,),
    )


def _difference(name: str, variant: RankedVariant, run: RunReport) -> Cell:
    found = variant.difference(name)
    if found is None:
        return Cell()
    text = formatting.change(name, found.delta)
    interval = formatting.change_interval(name, found.low, found.high)
    faint = run.is_variant_below_noise(found, variant)
    notes = (*(["below the noise floor"] if faint else []), *_unseen(found))
    return Cell(text, interval, found.verdict, found.verdict, notes, faint)


def _unseen(found: VariantDifference) -> list[str]:
    is_open = found.verdict == "no difference shown" and found.mde is not None
    return [f"MDE {formatting.size(found.metric, found.mde or 0.0)}"] if is_open else []
