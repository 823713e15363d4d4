"""A lattice as tables: each stage's share of what the full chain added, and how stages interact.

A lattice is a study that trains every subset of the stages.
"""

from dataclasses import replace

from stagelift.evals.metrics.measures import measure, ordered
from stagelift.reports.numbers.attribution import Attribution, Effect, Interaction
from stagelift.reports.report import RunReport
from stagelift.reports.tables.table import Cell, Column, Row, Table, merged
from stagelift.reports.words import formatting


def attribution_table(run: RunReport) -> Table | None:
    """Return a row per metric and a column per stage, with the whole chain last.

    None where the run has no whole lattice.
    """
    if not run.attribution:
        return None
    stages = dict.fromkeys(share.stage for share in run.attribution)
    columns = [*(Column(f"{stage}'s share") for stage in stages), Column("whole chain")]
    rows = []
    for metric in ordered(share.metric for share in run.attribution):
        shares = [share for share in run.attribution if share.metric == metric]
        cells = (*map(_share, shares), _effect(metric, shares[0].whole))
        rows.append((_row(shares[0], cells),))
    return Table("", tuple(columns), tuple(merged(rows)))


def interaction_table(run: RunReport) -> Table | None:
    """Return a row per metric and a column per pair of stages; None as above."""
    if not run.interactions:
        return None
    pairs = dict.fromkeys(interaction.stages for interaction in run.interactions)
    columns = [Column(f"{first} and {second}") for first, second in pairs]
    rows = []
    for metric in ordered(interaction.metric for interaction in run.interactions):
        measured = [effect for effect in run.interactions if effect.metric == metric]
        cells = tuple(_effect(metric, interaction) for interaction in measured)
        rows.append((_row(measured[0], cells),))
    return Table("", tuple(columns), tuple(merged(rows)))


def attribution_notes(run: RunReport) -> tuple[str, ...]:
    """Say what a share is, and what it is not."""
    over = {share.over for share in run.attribution}
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


def _share(share: Attribution) -> Cell:
    metric = share.metric
    notes = (f"alone {_written(metric, share.alone)}", f"on top {_written(metric, share.on_top)}")
    return replace(_effect(metric, share), notes=notes)


def _written(metric: str, effect: Effect) -> str:
    return formatting.change_with_interval(metric, effect.value, effect.low, effect.high)


def _effect(metric: str, effect: Attribution | Interaction | Effect) -> Cell:
    text = formatting.change(metric, effect.value)
    return Cell(text, formatting.change_interval(metric, effect.low, effect.high))


def _row(measured: Attribution | Interaction, cells: tuple[Cell, ...]) -> Row:
    known = measure(measured.metric)
    note = f"{known.reading}, n={measured.n}"
    if measured.over == "seeds":
        note += " seeds"
    return Row(known.title, cells, note)
