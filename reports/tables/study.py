"""What a study asks, as tables with notes: shares of stages, variants ranked, stages over seeds.

Empty for a plain chain.
"""

from dataclasses import dataclass

from stagelift.reports.report import Report
from stagelift.reports.tables.attribution import (
    attribution_notes,
    attribution_table,
    interaction_table,
)
from stagelift.reports.tables.seeds import seed_notes, seed_table
from stagelift.reports.tables.table import Table
from stagelift.reports.tables.variants import variant_notes, variant_tables


@dataclass(frozen=True)
class Section:
    """A table with its title, and how to read it."""

    title: str
    table: Table
    notes: tuple[str, ...] = ()


def study_sections(report: Report) -> list[Section]:
    """Return the sections of all studies of a report, run by run."""
    found: list[Section] = []
    for run in report.runs:
        of = f" ({run.name})" if len(report.runs) > 1 else ""
        if (shares := attribution_table(run)) is not None:
            found.append(
                Section(
                    f"What each stage added, over all subsets of stages{of}",
                    shares,
                    attribution_notes(run),
                )
            )
        if (pairs := interaction_table(run)) is not None:
            found.append(Section(f"Interactions of stages{of}", pairs))
        tables = variant_tables(run)
        for place, table in tables.items():
            notes = variant_notes(run) if place == list(tables)[-1] else ()
            found.append(Section(f"Variants after {place}{of}", table, notes))
        if (seeds := seed_table(run)) is not None:
            found.append(Section(f"Over training seeds{of}", seeds, seed_notes(run)))
    return found
