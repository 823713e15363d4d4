"""Stages over training seeds as a table: means, what each stage added, and the noise floor.

The noise floor is how much two trainings differ that differ in their seed alone.
"""

from collections.abc import Callable

from stagelift.evals.metrics.measures import measure, ordered
from stagelift.reports.numbers.seeds import (
    SEEDS_FOR_AN_INTERVAL,
    Floor,
    OverSeeds,
    Siblings,
    siblings,
)
from stagelift.reports.report import RunReport
from stagelift.reports.tables.table import BELOW_NOISE, NOTHING, Cell, Column, Row, Table, merged
from stagelift.reports.words import formatting


def seed_table(run: RunReport) -> Table | None:
    """Return a group of rows per metric, with two columns per stage.

    None where the run has one seed.
    """
    groups = siblings(run.record)
    if not groups or not run.seeds:
        return None
    columns = []
    for group in groups:
        columns += [Column(f"{group.title} added", "added"), Column(group.title, "stage")]
    metrics = ordered(result.metric for result in run.seeds)
    rows = merged(_rows(metric, groups, run) for metric in metrics)
    return Table("", tuple(columns), tuple(rows))


def seed_notes(run: RunReport) -> tuple[str, ...]:
    """Say what a mean over seeds and a noise floor are."""
    counts = sorted({len(group.seeds) for group in siblings(run.record)})
    over = f"Means over {' or '.join(map(str, counts))} training seeds"
    if counts[-1] >= SEEDS_FOR_AN_INTERVAL:
        over += (
            ", with their 95% interval over seeds (t) where there are three that differ: for these "
            "problems, whose choice is not in it"
        )
    return (
        f"{over}; a column of what a stage added has the mean of the differences of the same seed, "
        f"to the stage before. The noise floor {_rule(counts[-1], run)}: a difference below it, of "
        "either of its two stages, is grey, here and in the table of models. It can still be the "
        "same with every seed (an interval that leaves out zero): then it is there, and smaller "
        "than what a seed does.",
    )


def _rule(seeds: int, run: RunReport) -> str:
    """Say how the noise floor is computed."""
    again = ""
    if any(floor.between_evaluations is not None for floor in run.floors):
        again = ", or two evaluations of one checkpoint (measured again in other batches),"
    if seeds < SEEDS_FOR_AN_INTERVAL:
        return (
            f"is how much the two seeds{again} were seen to differ, which is the least that "
            "another seed may do"
        )
    return (
        f"is how much two trainings that differ in their seed alone{again} may differ in 19 of 20 "
        "cases (t(.975, seeds - 1) × √2 × sd)"
    )


def _rows(metric: str, groups: list[Siblings], run: RunReport) -> tuple[Row, ...]:
    known = measure(metric)
    cells, floors = [], []
    for group in groups:
        cells += [_added(metric, group, run), _mean(metric, group, run)]
        floors += [Cell(), _floor(metric, group, run)]
    note = f"{known.reading}, n={len(groups[0].seeds)} seeds"
    return (
        Row(known.title, tuple(cells), note),
        Row("noise floor", tuple(floors), indented=True),
    )


def _added(metric: str, group: Siblings, run: RunReport) -> Cell:
    added = [result for result in _results(metric, group, run) if result.against is not None]
    if not added:
        return Cell(NOTHING)
    result = added[0]
    text = formatting.change(metric, result.value)
    interval = _interval(result, formatting.change_interval)
    seeds = _seeds(result, formatting.change)
    if run.is_below(metric, result.value, *result.members, *result.others):
        return Cell(text, interval, notes=(BELOW_NOISE, seeds), faint=True)
    return Cell(text, interval, notes=(seeds,))


def _mean(metric: str, group: Siblings, run: RunReport) -> Cell:
    means = [result for result in _results(metric, group, run) if result.against is None]
    if not means:
        return Cell(NOTHING)
    result = means[0]
    text = formatting.plain(metric, result.value)
    interval = _interval(result, formatting.plain_interval)
    return Cell(text, interval, notes=(_seeds(result, formatting.plain),))


def _results(metric: str, group: Siblings, run: RunReport) -> list[OverSeeds]:
    wanted = (metric, group.title)
    return [result for result in run.seeds if (result.metric, result.stage) == wanted]


def _interval(result: OverSeeds, write: Callable[[str, float, float], str]) -> str:
    """Write the interval over seeds; there is none below three that differ."""
    if result.low is None or result.high is None:
        return ""
    return write(result.metric, result.low, result.high)


def _seeds(result: OverSeeds, write: Callable[[str, float], str]) -> str:
    values = [write(result.metric, value) for value in result.values]
    return f"seeds {', '.join(values)}"


def _floor(metric: str, group: Siblings, run: RunReport) -> Cell:
    floor = run.floor(metric, *(stage.name for stage in group.stages))
    if floor is None:
        return Cell()
    return Cell(f"± {formatting.size(metric, floor.floor)}", notes=_parts(metric, floor))


def _parts(metric: str, floor: Floor) -> tuple[str, ...]:
    between, sd = formatting.size(metric, floor.between_seeds), formatting.size(metric, floor.sd)
    seeds = f"between seeds {between} (sd {sd})"
    if floor.between_evaluations is None:
        return (seeds,)
    return seeds, f"measured again {formatting.size(metric, floor.between_evaluations)}"
