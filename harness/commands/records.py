"""`stagelift import` and `stagelift rescore`: records that come from elsewhere, or are read
again.
"""

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stagelift.harness.commands.options import (
    OneRun,
    Quiet,
    RunsFolder,
    TrustOption,
    keep_garbage,
    quiet_environment,
    usage_errors,
)
from stagelift.harness.commands.report import store_outputs, write_reports

if TYPE_CHECKING:
    from stagelift.harness.importing import ImportedRun


Places = Annotated[
    list[str],
    typer.Argument(
        metavar="[NAME=]FILE...",
        help="Files of results, in the order of the chain, or a folder. NAME= names a stage.",
    ),
]
Form = Annotated[
    str | None,
    typer.Option(
        "--format",
        "--as",
        metavar="FORMAT",
        help="What the files hold, such as lm-eval; as recognised if not given.",
    ),
]
Columns = Annotated[
    str | None,
    typer.Option(
        metavar="COLUMN=NAME,...",
        help="What columns of a table are called: --columns response=output,target=gold",
    ),
]
Common = Annotated[
    bool,
    typer.Option("--common", help="Keep the documents that all files have; else that is refused."),
]
Verdicts = Annotated[
    list[Path] | None,
    typer.Option(
        metavar="FILE", help="A file of another judge's verdicts on these responses (repeatable)."
    ),
]


def import_file(
    places: Places,
    name: Annotated[str, typer.Option(metavar="NAME", help="Name of the run they become.")],
    form: Form = None,
    columns: Columns = None,
    common: Common = False,
    verdicts: Verdicts = None,
    runs: RunsFolder = Path("runs"),
    quiet: Quiet = False,
) -> None:
    """Make one run out of results produced elsewhere; every report works on it.

    A malformed file is refused whole. What was recognised is printed, and what cannot be taken over
    is named.
    """
    keep_garbage()
    quiet_environment()
    from stagelift.evals.printed import safe_text
    from stagelift.harness.graph.store import Store
    from stagelift.harness.importing import Wanted, import_results

    wanted = Wanted(places, form, columns, common, verdicts or ())
    with usage_errors():
        imported = import_results(wanted, name, Store(runs))
    for line in [] if quiet else _recognised(imported):
        typer.echo(safe_text(line), err=True)
    write_reports(imported.folder, quiet=quiet)
    for note in imported.notes:
        typer.echo(f"Note: {safe_text(note)}.", err=True)


def _recognised(imported: "ImportedRun") -> list[str]:
    """Say what each stage was read from and as, and how a folder would be read otherwise."""
    lines = [f"{stage}: {path} ({title})" for stage, path, title in imported.stages]
    if imported.is_from_folder and len(imported.stages) > 1:
        lines.append(
            "Order and names were taken from the folder. To give others, name the files in order: "
            "base=FILE sft=FILE"
        )
    if imported.passed_over:
        names = ", ".join(path.name for path in imported.passed_over[:5])
        more = len(imported.passed_over) - 5
        lines.append(f"Passed over: {names}" + (f" and {more} more" if more > 0 else ""))
    return lines


def rescore(
    name: OneRun,
    runs: RunsFolder = Path("runs"),
    trust: TrustOption = None,
) -> None:
    """Read a run's stored responses again with the scorer as it is now, without a model, and say
    what changed.
    """
    keep_garbage()
    quiet_environment()
    from stagelift.evals.trust import as_asked
    from stagelift.harness.checks.sources import run_folder
    from stagelift.harness.progress import PlainView
    from stagelift.harness.rescoring import rescore as score_again
    from stagelift.reports.words.changes import describe_changes

    folder = run_folder(name, runs).path
    with usage_errors(), as_asked(trust), PlainView(sys.stderr) as view:
        changes = score_again(folder, partial(view.on_event, folder.name))
    typer.echo("\n".join(describe_changes(changes)))
    if any(change.metrics for change in changes):
        store_outputs(folder)
