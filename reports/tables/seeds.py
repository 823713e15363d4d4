"""Stages over training seeds as a table: means, what each stage added, and the noise floor of such
means.
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
    added = (
        f"{over}; a column of what a stage added has the mean of the differences of the same seed, "
        "to the stage before."
    )
    if counts[-1] < SEEDS_FOR_AN_INTERVAL:
        return (
            f"{added} Between seeds: how much the two were seen to differ. That is no floor: "
            f"another seed may do more.{_repeated(run)}",
        )
    return (
        f"{added} The noise floor is how much the means of two recipes over as many seeds may "
        "differ by seeds alone in 19 of 20 cases (t(.975, seeds - 1) × sd × √(2 / seeds)); single "
        f"trainings, in the table of models, are held against that of single ones.{_repeated(run)} "
        "A difference below the floor of either of its two stages is grey. It can still be the "
        "same with every seed (an interval that leaves out zero): then it is there, and smaller "
        "than what seeds do.",
    )


def _repeated(run: RunReport) -> str:
    """Say what measuring again adds to a floor, where anything was."""
    if all(floor.between_evaluations is None for floor in run.floors):
        return ""
    return (
        " Where two evaluations of one checkpoint (measured again in other batches) differ by "
        "more, that is the floor."
    )


def _rows(metric: str, groups: list[Siblings], run: RunReport) -> tuple[Row, ...]:
    known = measure(metric)
    cells, floors = [], []
    for group in groups:
        cells += [_added(metric, group, run), _mean(metric, group, run)]
        floors += [Cell(), _floor(metric, group, run)]
    seeds = len(groups[0].seeds)
    title = "noise floor" if seeds >= SEEDS_FOR_AN_INTERVAL else "seen between seeds"
    return (
        Row(known.title, tuple(cells), f"{known.reading}, n={seeds} seeds"),
        Row(title, tuple(floors), indented=True),
    )


def _added(metric: str, group: Siblings, run: RunReport) -> Cell:
    added = [result for result in _results(metric, group, run) if result.against is not None]
    if not added:
        return Cell(NOTHING)
    result = added[0]
    text = formatting.change(metric, result.value)
    interval = _interval(result, formatting.change_interval)
    seeds = _seeds(result, formatting.change)
    stages, runs = (*result.members, *result.others), len(result.seeds)
    if run.is_below(metric, result.value, *stages, runs=runs):
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
    of_means = floor.of(floor.seeds)
    shown = floor.between_seeds if of_means is None else of_means
    return Cell(f"± {formatting.size(metric, shown)}", notes=_parts(metric, floor))


def _parts(metric: str, floor: Floor) -> tuple[str, ...]:
    single, sd = formatting.size(metric, floor.between_seeds), formatting.size(metric, floor.sd)
    notes = []
    if floor.seeds >= SEEDS_FOR_AN_INTERVAL:
        notes.append(f"single trainings ± {single} (sd {sd})")
    if floor.between_evaluations is not None:
        notes.append(f"measured again {formatting.size(metric, floor.between_evaluations)}")
    return tuple(notes)
