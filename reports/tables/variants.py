"""Variants as tables, one per stage: best accuracy first, differences to the reference, and what
each cost.
"""

from stagelift.evals.metrics.measures import measure, ordered
from stagelift.reports.numbers.seeds import SEEDS_FOR_AN_INTERVAL
from stagelift.reports.numbers.variants import RankedVariant, VariantDifference
from stagelift.reports.records import RunRecord
from stagelift.reports.report import Report
from stagelift.reports.tables.table import NOTHING, Cell, Column, Row, Table
from stagelift.reports.words import formatting


def variant_tables(run: RunRecord, report: Report) -> dict[str, Table]:
    """Return a table for each stage at which the variants differ, by stage; empty where there are
    no variants.
    """
    found = [one for one in report.variants if one.run == run.name]
    return {
        place: _table([one for one in found if one.stage == place], report)
        for place in _places(found)
    }


def variant_notes(run: RunRecord, report: Report) -> tuple[str, ...]:
    """Say how to read the ranks, and how little one seed says."""
    notes = (
        f"Differences are to {run.reference}, paired, in percentage points or tokens; verdicts are "
        "Holm-adjusted over all variants, stages and metrics of these tables. Ranks go by "
        "accuracy as it is, whether or not the data can tell. On the Pareto front: no other "
        "variant is at least as good in accuracy, trained parameters, minutes (training of all "
        "stages up to here) and peak memory, and better in one of them; the values are taken as "
        "they are, minutes also where other work ran beside.",
    )
    seeds = max((len(one.members) for one in report.variants if one.run == run.name), default=1)
    if seeds >= SEEDS_FOR_AN_INTERVAL:
        over = f"Intervals are over {seeds} training seeds, where these differ: for these problems, their choice is not in it."
        return (*notes, over)
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


def _places(found: list[RankedVariant]) -> list[str]:
    return list(dict.fromkeys(one.stage for one in found))


def _table(variants: list[RankedVariant], report: Report) -> Table:
    names = ordered(name for one in variants for name in one.values)
    columns = [title for name in names for title in (_title(name), f"to {variants[0].reference}")]
    # beside accuracy, which they are weighed by
    columns[2:2] = [
        "trained parameters",
        "minutes",
        "peak memory",
        "Pareto front",
    ]
    rows = tuple((_row(one, names, report),) for one in variants)
    return Table("variant", tuple(map(Column, columns)), rows)


def _title(name: str) -> str:
    known = measure(name)
    if known.family in ("win rate", "length"):
        return f"{known.title}, {known.reading}"
    return known.title


def _row(variant: RankedVariant, names: list[str], report: Report) -> Row:
    cells = [
        cell
        for name in names
        for cell in (_value(name, variant), _difference(name, variant, report))
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


def _difference(name: str, variant: RankedVariant, report: Report) -> Cell:
    found = variant.difference(name)
    if found is None:
        return Cell()
    text = formatting.change(name, found.delta)
    interval = formatting.change_interval(name, found.low, found.high)
    faint = report.is_variant_below_noise(found, variant)
    notes = (*(["below the noise floor"] if faint else []), *_unseen(found))
    return Cell(text, interval, found.verdict, found.verdict, notes, faint)


def _unseen(found: VariantDifference) -> list[str]:
    is_open = found.verdict == "no difference shown" and found.mde is not None
    return [f"MDE {formatting.size(found.metric, found.mde or 0.0)}"] if is_open else []
