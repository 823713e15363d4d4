"""`stagelift report` and `stagelift runs`: what the records say."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stagelift.harness.commands import completing
from stagelift.harness.commands.options import (
    AcrossEngines,
    RunsFolder,
    fail,
    keep_garbage,
    open_console,
    refuse_beside,
    size_words,
    usage_errors,
)
from stagelift.harness.streams import write_document
from stagelift.reports.formats.names import Format, format_of, refuse_another_ending

if TYPE_CHECKING:
    from stagelift.harness.listing import ListedRun
    from stagelift.harness.outputs import Outputs
    from stagelift.reports.records import RunRecord
    from stagelift.reports.report import Report


ManyRuns = Annotated[
    list[str],
    typer.Argument(
        metavar="RUN...",
        help="Runs by name or folder.",
        autocompletion=completing.run_names,
    ),
]
Figures = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER", help="Write every plot into this folder, as SVG and PDF for papers."
    ),
]

Full = Annotated[
    bool,
    typer.Option(
        "--full", help="In the terminal: every table, the examples and the provenance, too."
    ),
]


def report(
    names: ManyRuns,
    format: Annotated[
        Format | None,
        typer.Option(
            help="How to write it; by the name of --output if not given, else for the terminal."
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write to a file. Markdown has its picture beside it, and a page over 20 MB its "
            "responses.",
        ),
    ] = None,
    figures: Figures = None,
    summary: Annotated[
        bool, typer.Option("--summary", help="Markdown short enough for a pull request's comment.")
    ] = False,
    full: Full = False,
    across_engines: AcrossEngines = False,
    runs: RunsFolder = Path("runs"),
) -> None:
    """Report one or more runs from their records.

    Several runs stand side by side, and the later ones are compared with the first, if their
    contracts agree.
    """
    keep_garbage()
    from stagelift.harness.checks.sources import run_folder

    form = _format(format, output, summary=summary)
    _check_places(form, output, figures, full=full)
    folders = [run_folder(name, runs).path for name in names]
    result = _load_report(folders, across_engines=across_engines)
    _write(result, form, output, figures, summary=summary, full=full)
    if form is Format.terminal and output is None and figures is None:
        typer.echo()
        _say_where(folders, result)
    for folder in folders:
        _say_damaged_adapters(folder)


def _check_places(form: Format, output: Path | None, figures: Path | None, *, full: bool) -> None:
    """Refuse what cannot be written there, before anything is read."""
    if output is not None and output.is_dir():
        fail(f"--output {output} is a folder. Name a file in it.")
    if figures is not None and figures.exists() and not figures.is_dir():
        fail(f"--figures {figures} is a file. Name a folder.")
    if full and (output is not None or form is not Format.terminal):
        fail("--full is for the terminal: what is written to a file has everything. Leave it out.")
    if figures is not None and output is None and form is Format.terminal:
        refuse_beside("--figures, which writes pictures alone,", {"--full": full})


def _say_damaged_adapters(folder: Path) -> None:
    """Say that what was measured is not what lies there now: the report itself is as it was."""
    from stagelift.evals.printed import one_line
    from stagelift.reports.folders import RunFolder

    run = RunFolder(folder)
    for damage in run.damaged_adapters():
        typer.echo(f"Warning: {one_line(f'{damage}. {run.what_else()}')}", err=True)


def _format(wanted: Format | None, output: Path | None, *, summary: bool) -> Format:
    """Return the format that was asked for or that a file's name says, else the usual one."""
    usual = Format.markdown if summary else Format.terminal
    with usage_errors():
        if output is not None and wanted is None:
            form = format_of(output) or usual
        else:
            form = wanted or usual
        if output is not None:
            refuse_another_ending(output, form)
    if summary and form is not Format.markdown:
        fail(f"--summary is Markdown, and the format is {form.value}. Leave one of the two out.")
    return form


def _write(
    result: "Report",
    form: Format,
    output: Path | None,
    figures: Path | None,
    *,
    summary: bool,
    full: bool,
) -> None:
    """Write a report where it was asked for, and its figures; by default to the terminal."""
    from stagelift.harness.outputs import write_figures, write_report
    from stagelift.reports.formats.text import render_text

    written: list[Path] = []
    with usage_errors():
        if output is not None:
            written += write_report(result, form, output, summary=summary)
        elif form is not Format.terminal:
            write_document(render_text(result, form, summary=summary))
        elif figures is None:
            _print_report(result, full=full)
        if figures is not None:
            drawn = write_figures(result, figures)
            written += drawn or _no_figure()
    if written:
        typer.echo(f"Written: {' and '.join(map(str, written))}", err=True)


def _no_figure() -> list[Path]:
    typer.echo("No figure was written: nothing was measured that a plot shows.", err=True)
    return []


def list_runs(runs: RunsFolder = Path("runs")) -> None:
    """List the runs in a folder: when each was last worked on, what of it is on disk, and the
    accuracy of each stage.
    """
    from stagelift.evals.printed import one_line
    from stagelift.harness.listing import listed_runs
    from stagelift.reports.formats.columns import Columns, print_columns
    from stagelift.reports.formats.console import Text

    with usage_errors():
        listed = listed_runs(runs)
    if not listed:
        typer.echo(f"No runs in {runs}. Start one with: stagelift run quickstart")
        return
    rows = []
    for run in listed:
        state, model, stages = run.problem, "", run.details
        if run.record is not None:
            state, model, stages = _state(run.record), run.record.model, _accuracies(run.record)
        cells = (run.name, state, run.worked_on, _run_size(run), model, stages)
        rows.append([[Text(cell) for cell in cells]])
    titles = ("run", "state", "last worked on", "size", "model", "accuracy by stage")
    print_columns(Columns(titles, rows), open_console())
    for run in listed:
        if run.record is not None and (adapters := _adapters(run.record, runs)):
            typer.echo(one_line(f"Adapters of {run.name}: {adapters}"))


def _run_size(run: "ListedRun") -> str:
    if not run.shared_bytes:
        return size_words(run.own_bytes)
    return f"{size_words(run.own_bytes)}\n{size_words(run.shared_bytes)} shared"


def _state(record: "RunRecord") -> str:
    from stagelift.reports.words.counting import number_of

    if not record.missing:
        return "finished"
    if record.chains:
        return f"missing: {number_of(len(record.missing), 'model')}"
    return f"missing: {', '.join(record.missing)}"


def _accuracies(record: "RunRecord") -> str:
    """Return the accuracy of each stage, a line each; a study has too many."""
    from stagelift.evals.metrics.measures import leading
    from stagelift.reports.words.counting import number_of
    from stagelift.reports.words.formatting import value_with_n

    if record.chains:
        there, all_of = len(record.stages), len(record.stages) + len(record.missing)
        models = number_of(all_of, "model")
        if there < all_of:
            models = f"{there:,} of {models}"
        return f"a study: {models} in {number_of(len(record.chains), 'chain')}"
    lines = []
    for stage in record.stages:
        name = leading(stage.evaluation.metrics)
        metric = None if name is None else stage.evaluation.metrics[name]
        value = "" if metric is None else f" {value_with_n(str(name), metric)}"
        if name not in (None, "accuracy"):
            value = f" {name}{value}"
        lines.append(f"{stage.name}{value}")
    return "\n".join(lines)


def _adapters(record: "RunRecord", runs: Path) -> str:
    """Return where the adapter of each stage lies; a study has too many."""
    from stagelift.reports.words.counting import number_of

    kept = [str(runs / stage.adapter) for stage in record.stages if stage.adapter is not None]
    return number_of(len(kept), "adapter") if record.chains and kept else ", ".join(kept)


def write_reports(folder: Path, *, quiet: bool = False) -> None:
    """Write what a run leaves for its readers, and print the report, unless it is to be `quiet`."""
    keep_garbage()
    written = store_outputs(folder)
    if not quiet:
        _print_report(written.report, full=False)
        typer.echo()
    _say_where([folder], written.report)


def _say_where(folders: list[Path], result: "Report") -> None:
    """Say which page to open, where the models are, and what can be done next."""
    from stagelift.harness.commands.closing import closing_lines
    from stagelift.reports.folders import RunFolder

    for folder, run in zip(folders, result.runs, strict=True):
        typer.echo("\n".join(closing_lines(RunFolder(folder), run.record)))


def store_outputs(folder: Path) -> "Outputs":
    from stagelift.harness.outputs import write_outputs

    with usage_errors():
        return write_outputs(folder)


def _load_report(folders: list[Path], *, across_engines: bool) -> "Report":
    from stagelift.harness.outputs import load_report

    with usage_errors():
        return load_report(folders, across_engines=across_engines)


def _print_report(result: "Report", *, full: bool) -> None:
    from stagelift.reports.formats.scoreboard import print_scoreboard
    from stagelift.reports.formats.terminal import print_report

    show = print_report if full else print_scoreboard
    show(result, open_console())
