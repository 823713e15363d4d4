"""A lattice as tables: each stage's share of what the full chain added to base, and how stages
interact.
"""

from stagelift.evals.metrics.measures import measure, ordered
from stagelift.reports.numbers.attribution import Attribution, Effect, Interaction
from stagelift.reports.report import RunReport
from stagelift.reports.tables.table import Cell, Column, Row, Table, merged
from stagelift.reports.words import formatting


def attribution_table(run: RunReport) -> Table | None:
    """Return a row per metric and a column per stage, with the whole chain last; None where the run
    has no whole lattice.
    """
    if not run.attribution:
        return None
    stages = list(dict.fromkeys(one.stage for one in run.attribution))
    rows = []
    for name in ordered(one.metric for one in run.attribution):
        shares = [one for one in run.attribution if one.metric == name]
        cells = (*map(_share, shares), _effect(name, shares[0].whole))
        rows.append((_row(name, shares[0], cells),))
    columns = (*(Column(f"{stage}'s share") for stage in stages), Column("whole chain"))
    return Table("", columns, tuple(merged(rows)))


def interaction_table(run: RunReport) -> Table | None:
    """Return a row per metric and a column per pair of stages; None as above."""
    if not run.interactions:
        return None
    pairs = list(dict.fromkeys(one.stages for one in run.interactions))
    rows = []
    for name in ordered(one.metric for one in run.interactions):
        measured = [one for one in run.interactions if one.metric == name]
        rows.append((_row(name, measured[0], tuple(_effect(name, one) for one in measured)),))
    return Table(
        "", tuple(Column(f"{first} and {second}") for first, second in pairs), tuple(merged(rows))
    )


def attribution_notes(run: RunReport) -> tuple[str, ...]:
    """Say what a share is, and what it is not."""
    over = {one.over for one in run.attribution}
    return (
        "A share is the stage's Shapley value: what it adds on average over the subsets of the "
        "other stages, so that the shares sum to what the whole chain added to base. 'Alone' is "
        "the stage on base, 'on top' the stage added to all the others. All are over the n "
        "prompts that every model has a value for. An interaction below zero: together the two "
        "add less than each without the other. In percentage points or tokens; 95% intervals over "
        f"{' and '.join(sorted(over))}, each on its own: of twenty that are zero one may leave "
        "zero out.",
        "Stages are trained in the recipe's order in every subset; another order is not measured "
        "here.",
    )


def _row(name: str, one: Attribution | Interaction, cells: tuple[Cell, ...]) -> Row:
    known = measure(name)
    seeds = " seeds" if one.over == "seeds" else ""
    return Row(known.title, cells, f"{known.reading}, n={one.n}{seeds}")


def _share(one: Attribution) -> Cell:
    notes = (
        f"alone {_written(one.metric, one.alone)}",
        f"on top {_written(one.metric, one.on_top)}",
    )
    return Cell(
        formatting.change(one.metric, one.value),
        formatting.change_interval(one.metric, one.low, one.high),
        notes=notes,
    )


def _effect(name: str, one: Interaction | Effect) -> Cell:
    return Cell(
        formatting.change(name, one.value), formatting.change_interval(name, one.low, one.high)
    )


def _written(name: str, effect: Effect) -> str:
    return formatting.change_with_interval(name, effect.value, effect.low, effect.high)
