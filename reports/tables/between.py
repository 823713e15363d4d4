"""Runs against one another: a column for each pair of stages, a row for each metric."""

from stagelift.evals.metrics.measures import measure, ordered
from stagelift.reports.numbers.between import RunComparison
from stagelift.reports.report import Report
from stagelift.reports.tables.study import Section
from stagelift.reports.tables.table import Cell, Column, Row, Table
from stagelift.reports.words import counting, formatting

# the stage that is compared: its run and name, and those of the one it is compared with
Pair = tuple[str, str, str, str]


def between_sections(report: Report) -> list[Section]:
    """Return the section of what runs are to one another; none where nothing could be compared."""
    if not report.between:
        return []
    pairs = list(dict.fromkeys(map(_pair, report.between)))
    found = {(_pair(comparison), comparison.metric): comparison for comparison in report.between}
    rows = [
        _row(name, [found.get((pair, name)) for pair in pairs])
        for name in ordered(comparison.metric for comparison in report.between)
    ]
    columns = tuple(Column(_title(pair), "added") for pair in pairs)
    against = report.runs[0].name
    title = f"{counting.listed([run.name for run in report.runs[1:]])} against {against}"
    return [Section(title, Table("", columns, (tuple(rows),)), (_note(report, against),))]


def _pair(comparison: RunComparison) -> Pair:
    return comparison.run, comparison.stage, comparison.against_run, comparison.against


def _title(pair: Pair) -> str:
    run, stage, against_run, against = pair
    return f"{run}/{stage} against {against_run}/{against}"


def _row(name: str, comparisons: list[RunComparison | None]) -> Row:
    known = measure(name)
    made = [comparison for comparison in comparisons if comparison is not None]
    counts = sorted({comparison.n for comparison in made})
    clusters = max(comparison.difference.clusters or 0 for comparison in made)
    note = f"{known.reading}, {formatting.counted('/'.join(map(str, counts)), clusters)}"
    return Row(known.title, tuple(map(_cell, comparisons)), note)


def _cell(comparison: RunComparison | None) -> Cell:
    if comparison is None:
        return Cell()
    text, interval = formatting.difference(comparison)
    return Cell(
        text,
        interval,
        verdict=comparison.verdict,
        word=formatting.verdict(comparison),
        notes=_notes(comparison),
    )


def _notes(comparison: RunComparison) -> tuple[str, ...]:
    """Say how many seeds are compared; what so many prompts could show is said of single trainings
    only.
    """
    mine, theirs = comparison.seeds
    if comparison.seeds != (1, 1):
        return (f"seeds {mine} against {theirs}",)
    return tuple(formatting.verdict_notes(comparison))


def _note(report: Report, against: str) -> str:
    tests = counting.number_of(report.between[0].tests or 0, "test")
    return (
        f"Differences to {against}, paired by prompt: stages of one name, those at one place whose "
        "names differ, and the last of each run. They are a family of tests of their own, "
        f"Holm-adjusted ({tests}). Where a stage has several seeds their means are compared, and "
        "the interval allows for other seeds; of single trainings it does not."
    )
