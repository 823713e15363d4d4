"""`stagelift report` and `stagelift runs`: what the records say."""

import io
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stagelift.harness.commands.options import (
    WIDE,
    RunsFolder,
    fail,
    keep_garbage,
    open_console,
    usage_errors,
)

if TYPE_CHECKING:
    from stagelift.harness.outputs import Outputs
    from stagelift.reports.report import Report


class Format(StrEnum):
    """How a report is written."""

    terminal = "terminal"
    markdown = "markdown"
    html = "html"
    json = "json"


def report(
    names: Annotated[list[str], typer.Argument(metavar="RUN...", help="Runs by name or folder.")],
    format: Annotated[
        Format | None,
        typer.Option(
            help="How to write it; by the name of --output if not given, else for the terminal."
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            help="Write to a file. A page over 20 MB keeps its responses in a second file beside "
            "it."
        ),
    ] = None,
    summary: Annotated[
        bool, typer.Option("--summary", help="Markdown short enough for a pull request's comment.")
    ] = False,
    runs: RunsFolder = Path("runs"),
) -> None:
    """Report one or more runs from their records.

    Several runs stand side by side, if their contracts agree.
    """
    keep_garbage()
    from stagelift.harness.checks.sides import run_folder

    wanted = format or _format_of(output, summary=summary)
    if summary and wanted is not Format.markdown:
        fail(f"--summary is Markdown, and the format is {wanted.value}. Leave one of the two out.")
    if output is not None and output.is_dir():
        fail(f"--output {output} is a folder. Name a file in it.")
    found = _load_report([run_folder(name, runs).path for name in names])
    if output is None and wanted is Format.terminal:
        _print_report(found)
    elif output is None:
        with usage_errors():
            sys.stdout.write(_rendered(found, wanted, summary=summary))
    else:
        with usage_errors():
            written = _write_report(found, wanted, output, summary=summary)
        typer.echo(f"Written: {' and '.join(map(str, written))}", err=True)


def list_runs(runs: RunsFolder = Path("runs")) -> None:
    """List the runs in a folder, with the accuracy of each stage."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from stagelift.reports.folders import RunsFolder
    from stagelift.reports.records import NothingEvaluatedError, read_run
    from stagelift.reports.words.formatting import safe_text, value_with_n

    folders = RunsFolder(runs).runs()
    if not folders:
        typer.echo(f"No runs in {runs}. Start one with: stagelift run quickstart")
        return
    table = Table("run", "state", "model", "accuracy by stage")
    for folder in folders:
        try:
            record = read_run(folder.path)
        except ValueError as error:
            begun = isinstance(error, NothingEvaluatedError)
            state = "nothing evaluated yet" if begun else "cannot be read"
            table.add_row(Text(folder.name), state, "", Text(safe_text(str(error))))
            continue
        accuracies = [
            f"{stage.name} {value_with_n('accuracy', metrics['accuracy'])}"
            if "accuracy" in metrics
            else stage.name
            for stage, metrics in ((stage, stage.evaluation.metrics) for stage in record.stages)
        ]
        if record.chains:
            accuracies = [f"a study: {len(record.stages)} models in {len(record.chains)} chains"]
        missing = f"{len(record.missing)} models" if record.chains else ", ".join(record.missing)
        state = f"missing: {missing}" if record.missing else "finished"
        table.add_row(
            *(
                Text(safe_text(part))
                for part in (record.name, state, record.model, "\n".join(accuracies))
            )
        )
    Console().print(table)


def write_reports(folder: Path) -> None:
    """Write what a run leaves for its readers, and print the report."""
    written = store_outputs(folder)
    _print_report(written.report)
    typer.echo(f"\nWritten: {' and '.join(map(str, written.reports))}")
    if written.cards:
        typer.echo("Model cards: README.md in the adapter folder of each trained stage.")


def store_outputs(folder: Path) -> "Outputs":
    from stagelift.harness.outputs import write_outputs

    with usage_errors(KeyError):
        return write_outputs(folder)


def _load_report(folders: list[Path]) -> "Report":
    from stagelift.harness.outputs import load_report

    with usage_errors(KeyError):
        return load_report(folders)


def _format_of(output: Path | None, *, summary: bool) -> Format:
    by_name = {
        ".md": Format.markdown,
        ".html": Format.html,
        ".htm": Format.html,
        ".json": Format.json,
    }
    otherwise = Format.markdown if summary else Format.terminal
    return otherwise if output is None else by_name.get(output.suffix.lower(), otherwise)


def _rendered(found: "Report", wanted: Format, *, summary: bool) -> str:
    """Return a report as text. A page that would need a second file is refused in a sentence."""
    from stagelift.reports.formats.document import render_json
    from stagelift.reports.formats.html import render_html
    from stagelift.reports.formats.markdown import render_markdown, render_markdown_summary

    match wanted:
        case Format.terminal:
            return _terminal_text(found)
        case Format.markdown:
            return render_markdown_summary(found) if summary else render_markdown(found)
        case Format.html:
            return render_html(found).html
        case Format.json:
            return render_json(found)


def _write_report(found: "Report", wanted: Format, output: Path, *, summary: bool) -> list[Path]:
    from stagelift.evals.files import write_text
    from stagelift.harness.outputs import write_page

    if wanted is Format.html:
        return write_page(found, output)
    write_text(output, _rendered(found, wanted, summary=summary))
    return [output]


def _print_report(found: "Report") -> None:
    from stagelift.reports.formats.terminal import print_report

    print_report(found, open_console())


def _terminal_text(found: "Report") -> str:
    from rich.console import Console

    from stagelift.reports.formats.terminal import print_report

    text = io.StringIO()
    print_report(found, Console(file=text, width=WIDE, force_terminal=False, color_system=None))
    return text.getvalue()
