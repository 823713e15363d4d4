"""What a study asks, as tables with notes: shares of stages, variants ranked, stages over seeds.

Empty for a plain chain.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from stagelift.reports.report import Report, RunReport
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
    sections = []
    for run in report.runs:
        for section in _sections(run):
            if len(report.runs) > 1:
                section = replace(section, title=f"{section.title} ({run.name})")
            sections.append(section)
    return sections


def _sections(run: RunReport) -> Iterator[Section]:
    shares = attribution_table(run)
    if shares is not None:
        title = "What each stage added, over all subsets of stages"
        yield Section(title, shares, attribution_notes(run))
    interactions = interaction_table(run)
    if interactions is not None:
        yield Section("Interactions of stages", interactions)
    variants = [
        Section(f"Variants after {stage}", table) for stage, table in variant_tables(run).items()
    ]
    if variants:
        # the notes are of all these tables and stand below the last one
        variants[-1] = replace(variants[-1], notes=variant_notes(run))
    yield from variants
    seeds = seed_table(run)
    if seeds is not None:
        yield Section("Over training seeds", seeds, seed_notes(run))
