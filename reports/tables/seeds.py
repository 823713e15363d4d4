"""Stages over training seeds as a table: means, what each stage added, and the noise floor under
both.
"""

from stagelift.evals.metrics.measures import measure, ordered
from stagelift.reports.numbers.seeds import (
    SEEDS_FOR_AN_INTERVAL,
    Floor,
    OverSeeds,
    Siblings,
    siblings,
)
from stagelift.reports.report import RunReport
from stagelift.reports.tables.table import NOTHING, Cell, Column, Row, Table, merged
from stagelift.reports.words import formatting


def seed_table(run: RunReport) -> Table | None:
    """Return a group of rows per metric, with two columns per stage; None where the run has one
    seed.
    """
    groups = siblings(run.record)
    if not groups or not run.seeds:
        return None
    columns = [
        column
        for group in groups
        for column in (Column(f"{group.title} added", "added"), Column(group.title, "stage"))
    ]
    names = ordered(one.metric for one in run.seeds)
    return Table("", tuple(columns), tuple(merged(_rows(name, groups, run) for name in names)))


def seed_notes(run: RunReport) -> tuple[str, ...]:
    """Say what a mean over seeds and a noise floor are."""
    counts = sorted({len(group.seeds) for group in siblings(run.record)})
    seeds = " or ".join(map(str, counts))
    over = f"Means over {seeds} training seeds"
    rule = (
        "is how much the two seeds{} were seen to differ, which is the least that another seed "
        "may do"
    )
    if counts[-1] >= SEEDS_FOR_AN_INTERVAL:
        over += (
            ", with their 95% interval over seeds (t) where there are three that differ: for these "
            "problems, whose choice is not in it"
        )
        rule = (
            "is how much two trainings that differ in their seed alone{} may differ in 19 of 20 "
            "cases (t(.975, seeds - 1) × √2 × sd)"
        )
    again = any(floor.between_evaluations is not None for floor in run.floors)
    measured = (
        ", or two evaluations of one checkpoint (measured again in other batches)," if again else ""
    )
    return (
        f"{over}; a column of what a stage added has the mean of the differences of the same seed, "
        f"to the stage before. The noise floor {rule.format(measured)}: a difference below it, of "
        "either of its two stages, is grey, here and in the table of models. It can still be the "
        "same with every seed (an interval that leaves out zero): then it is there, and smaller "
        "than what a seed does.",
    )


def _rows(name: str, groups: list[Siblings], run: RunReport) -> tuple[Row, ...]:
    known = measure(name)
    mine = [one for one in run.seeds if one.metric == name]
    main = [cell for group in groups for cell in (_added(group, mine, run), _mean(group, mine))]
    floor = [cell for group in groups for cell in (Cell(), _floor(name, group, run))]
    note = f"{known.reading}, n={len(groups[0].seeds)} seeds"
    return (
        Row(known.title, tuple(main), note),
        Row("noise floor", tuple(floor), indented=True),
    )


def _mean(group: Siblings, found: list[OverSeeds]) -> Cell:
    means = [mean for mean in found if mean.stage == group.title and mean.against is None]
    if not means:
        return Cell(NOTHING)
    mean, interval = means[0], ""
    if mean.low is not None and mean.high is not None:
        interval = formatting.plain_interval(mean.metric, mean.low, mean.high)
    values = ", ".join(formatting.plain(mean.metric, value) for value in mean.values)
    return Cell(formatting.plain(mean.metric, mean.value), interval, notes=(f"seeds {values}",))


def _added(group: Siblings, found: list[OverSeeds], run: RunReport) -> Cell:
    gains = [gain for gain in found if gain.stage == group.title and gain.against is not None]
    if not gains:
        return Cell(NOTHING)
    gain, interval = gains[0], ""
    if gain.low is not None and gain.high is not None:
        interval = formatting.change_interval(gain.metric, gain.low, gain.high)
    faint = run.is_below(gain.metric, gain.value, *gain.members, *gain.others)
    values = ", ".join(formatting.change(gain.metric, value) for value in gain.values)
    notes = (*(["below the noise floor"] if faint else []), f"seeds {values}")
    return Cell(formatting.change(gain.metric, gain.value), interval, notes=notes, faint=faint)


def _floor(name: str, group: Siblings, run: RunReport) -> Cell:
    floor = run.floor(name, *(stage.name for stage in group.stages))
    if floor is None:
        return Cell()
    return Cell(f"± {formatting.size(name, floor.floor)}", notes=_parts(name, floor))


def _parts(name: str, floor: Floor) -> tuple[str, ...]:
    between, sd = formatting.size(name, floor.between_seeds), formatting.size(name, floor.sd)
    parts = [f"between seeds {between} (sd {sd})"]
    if floor.between_evaluations is not None:
        parts.append(f"measured again {formatting.size(name, floor.between_evaluations)}")
    return tuple(parts)
