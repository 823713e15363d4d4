"""Runs as Python has them: their numbers as pandas frames, and every report of them."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from stagelift.harness.errors import as_usage_errors
from stagelift.harness.exporting import Layout, export
from stagelift.harness.outputs import write_figures, write_report
from stagelift.reports.formats.names import Format, format_named, format_of, refuse_another_ending
from stagelift.reports.formats.notebook import render_notebook
from stagelift.reports.formats.text import render_text
from stagelift.reports.report import Report
from stagelift.reports.words.summary import summary

if TYPE_CHECKING:
    import pandas as pd


class Results:
    """One run, or several that are compared with one another.

    Numbers are in the metric's own unit: shares from 0 to 1, lengths in tokens or characters. What
    was not measured is missing (NA), never 0.
    """

    def __init__(self, folders: Sequence[Path], report: Report) -> None:
        self.folders = tuple(folders)
        self._report = report

    @property
    def names(self) -> list[str]:
        """What the runs are called."""
        return [run.name for run in self._report.runs]

    @property
    def summary(self) -> str:
        """The verdicts in a paragraph."""
        return summary(self._report)

    @cached_property
    def stages(self) -> "pd.DataFrame":
        """A row for each stage and metric: value, 95% interval (low, high), n, clusters, unit."""
        from stagelift.reports.formats.frames import stage_frame

        return stage_frame(self._report)

    @cached_property
    def comparisons(self) -> "pd.DataFrame":
        """A row for each paired comparison: difference, 95% interval, p, p_adjusted, verdict.

        Of several runs the later ones are compared with the first, too (`family` is `runs`).
        """
        from stagelift.reports.formats.frames import comparison_frame

        return comparison_frame(self._report)

    @cached_property
    def problems(self) -> "pd.DataFrame":
        """A row for each stage, prompt and sample: what was asked and answered, how it was read,
        and a column for each metric with other values by prompt.
        """
        from stagelift.reports.formats.frames import problem_frame

        return problem_frame(self._report)

    def report(self, format: str = "markdown", *, summary: bool = False) -> str:
        """Return the report as text: terminal, markdown, html, json, csv or latex; with `summary`
        what fits a comment, in Markdown.

        Raises UsageError for another format.
        """
        with as_usage_errors():
            return render_text(self._report, format_named(format), summary=summary)

    def save(self, path: str | Path, format: str | None = None) -> list[Path]:
        """Write the report in the format that a file's name says, or in this one; return what was
        written.

        Raises UsageError where the name's ending is of no format or of another one.
        """
        output = Path(path)
        with as_usage_errors():
            if format is None:
                form = format_of(output) or Format.terminal
            else:
                form = format_named(format)
            refuse_another_ending(output, form)
            return write_report(self._report, form, output)

    def figures(self, folder: str | Path) -> list[Path]:
        """Write every plot of the report as SVG and PDF; return what was written."""
        with as_usage_errors():
            return write_figures(self._report, Path(folder))

    def export(
        self, folder: str | Path, layout: Layout, *, organization: str = "unknown"
    ) -> list[Path]:
        """Write every run as `lm-eval` or in the schema of `every-eval-ever`; return what was
        written.
        """
        with as_usage_errors():
            return [
                file
                for run in self.folders
                for file in export(run, layout, Path(folder), organization)
            ]

    def __repr__(self) -> str:
        stages = (", ".join(stage.name for stage in run.stages) for run in self._report.runs)
        runs = zip(self.names, stages, strict=True)
        return f"Results({'; '.join(f'{name}: {found}' for name, found in runs)})"

    def _repr_html_(self) -> str:
        return render_notebook(self._report)
