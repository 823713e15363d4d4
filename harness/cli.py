"""The `stagelift` command. Heavy imports only inside the commands that need them: --help is instant."""

import io
import shlex
import sys
from collections.abc import Callable
from contextlib import closing
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from harness.check_command import baseline_app, check
from harness.options import (
    WIDE,
    Overrides,
    RunName,
    RunsFolder,
    announce_first_use,
    fail,
    keep_garbage,
    open_console,
    quiet_environment,
    usage_errors,
)
from harness.plan_command import plan as plan_first
from harness.prune_command import prune

if TYPE_CHECKING:
    from harness.engine import Engine
    from harness.outputs import Outputs
    from harness.sections import Recipe
    from reports.report import Report

app = typer.Typer(
    help="What did each post-training stage add? Runs SFT, DPO and GRPO, measures after every stage, reports with intervals.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

judge_app = typer.Typer(help="Make judges of one's own.", no_args_is_help=True)
app.add_typer(judge_app, name="judge")
app.add_typer(baseline_app, name="baseline")
app.command()(check)
app.command("plan")(plan_first)
app.command()(prune)

DryRun = Annotated[bool, typer.Option("--dry-run", help="Check everything and list the nodes; run nothing.")]


class EngineName(StrEnum):
    """Where jobs run."""

    local = "local"
    ray = "ray"


EngineOption = Annotated[
    EngineName, typer.Option("--engine", help="local: worker processes here; ray: tasks on a Ray cluster.")
]
Jobs = Annotated[
    int | None,
    typer.Option("--jobs", min=1, help="How many nodes run side by side: 1 if not given, with Ray as many as fit."),
]


class ImportFormat(StrEnum):
    """What a file of results holds."""

    responses = "responses"
    lm_eval = "lm-eval"
    alpaca_eval = "alpaca-eval"


class Format(StrEnum):
    """How a report is written."""

    terminal = "terminal"
    markdown = "markdown"
    html = "html"
    json = "json"


def main() -> None:
    """Entry point of the console script."""
    _check_packages()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # reports hold more than old code pages and the C locale can say
            stream.reconfigure(encoding=None if stream.isatty() else "utf-8", errors="replace")
    app()


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"stagelift {version('stagelift')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass


@app.command()
def run(
    recipe: Annotated[str, typer.Argument(help="A shipped recipe (quickstart, gsm8k, ...) or a YAML file.")],
    overrides: Overrides = None,
    name: RunName = None,
    runs: RunsFolder = Path("runs"),
    engine: EngineOption = EngineName.local,
    jobs: Jobs = None,
    dry_run: DryRun = False,
) -> None:
    """Train and evaluate what is missing of a recipe, then report. Run it again to go on after an interruption."""
    quiet_environment()
    from harness.recipe import load_recipe

    _run(lambda: load_recipe(recipe, overrides or [], name), runs, engine, jobs, dry_run=dry_run)


@app.command()
def evaluate(
    model: Annotated[str, typer.Argument(help="A model folder, a Hub name, or the bundled model.")],
    recipe: Annotated[str, typer.Option(help="The recipe whose `evals` section says what to measure.")],
    adapter: Annotated[
        str | None, typer.Option(help="A LoRA adapter on the model: measured as a stage after the model itself.")
    ] = None,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", help="Override a field of the recipe (repeatable).")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the run; the model's or adapter's if not given.")] = None,
    runs: RunsFolder = Path("runs"),
    dry_run: DryRun = False,
) -> None:
    """Evaluate any checkpoint under a recipe's contract, training nothing, and report it like a stage."""
    quiet_environment()
    from harness.recipe import evaluation_recipe

    _run(
        lambda: evaluation_recipe(recipe, overrides or [], model, adapter, name),
        runs,
        EngineName.local,
        None,
        dry_run=dry_run,
    )


@app.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(help="The file of results.")],
    form: Annotated[ImportFormat, typer.Option("--as", help="What the file holds.")],
    name: Annotated[str, typer.Option(help="Name of the run it becomes.")],
    runs: RunsFolder = Path("runs"),
) -> None:
    """Make a run out of results produced elsewhere; every report works on it. A malformed file is refused whole."""
    quiet_environment()
    from harness.importing import import_results
    from harness.store import Store

    with usage_errors():
        folder = import_results(file, form.value, name, Store(runs))
    _write_reports(folder)


@app.command()
def rescore(
    name: Annotated[str, typer.Argument(metavar="RUN", help="A run by name or folder.")],
    runs: RunsFolder = Path("runs"),
) -> None:
    """Read a run's stored responses again with the scorer as it is now, without a model, and say what changed."""
    quiet_environment()
    from harness.checking import run_folder
    from harness.rescoring import rescore as score_again
    from reports.changes import describe_changes

    folder = run_folder(name, runs)
    with usage_errors():
        changes = score_again(folder)
    typer.echo("\n".join(describe_changes(changes)))
    if any(change.metrics for change in changes):
        _store_outputs(folder)


@judge_app.command("train")
def judge_train(
    output: Annotated[Path, typer.Option(help="Folder for the reward model and its passport.")],
    model: Annotated[str, typer.Option(help="The model to start from.")] = "bundled/smollm2-135m-instruct",
    dataset: Annotated[
        str, typer.Option(help="A preference dataset; its train split is used.")
    ] = "bundled/instructions",
    overrides: Annotated[
        list[str] | None, typer.Option("--set", help="A TRL RewardConfig argument: --set max_steps=100 (repeatable).")
    ] = None,
) -> None:
    """Train a reward model with TRL's RewardTrainer and check it on pairs it was not trained on."""
    quiet_environment()
    announce_first_use(model)
    from harness.executor import JobFailed
    from harness.judge_training import JudgeRequest, train_judge
    from harness.progress import open_view
    from reports.provenance import passport_lines

    try:
        with usage_errors():
            found = train_judge(JudgeRequest(model, dataset, output, overrides or []), open_view(["judge"]))
    except JobFailed as error:
        _stop(f"{error}\nWhat was done is kept.", 1)
    except KeyboardInterrupt:
        _stop("\nInterrupted; what was done is kept.", 130)
    typer.echo("\n".join(f"{title}: {text}" for title, text in passport_lines(found) if text))
    typer.echo(f"Use it in a recipe: evals.preference.judge: {{reward_model: {{path: {output / 'model'}}}}}")


@app.command()
def report(
    names: Annotated[list[str], typer.Argument(metavar="RUN...", help="Runs by name or folder.")],
    format: Annotated[
        Format | None,
        typer.Option(help="How to write it; by the name of --output if not given, else for the terminal."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(help="Write to a file. A page over 20 MB keeps its responses in a second file beside it."),
    ] = None,
    summary: Annotated[
        bool, typer.Option("--summary", help="Markdown short enough for a pull request's comment.")
    ] = False,
    runs: RunsFolder = Path("runs"),
) -> None:
    """Report one or more runs from their records. Several runs stand side by side, if their contracts agree."""
    keep_garbage()
    from harness.checking import run_folder

    wanted = format or _format_of(output, summary=summary)
    if summary and wanted is not Format.markdown:
        fail(f"--summary is Markdown, and the format is {wanted.value}. Leave one of the two out.")
    if output is not None and output.is_dir():
        fail(f"--output {output} is a folder. Name a file in it.")
    found = _load_report([run_folder(name, runs) for name in names])
    if output is None and wanted is Format.terminal:
        _print_report(found)
    elif output is None:
        with usage_errors():
            sys.stdout.write(_rendered(found, wanted, summary=summary))
    else:
        with usage_errors():
            written = _write_report(found, wanted, output, summary=summary)
        typer.echo(f"Written: {' and '.join(map(str, written))}", err=True)


@app.command("runs")
def list_runs(runs: RunsFolder = Path("runs")) -> None:
    """List the runs in a folder, with the accuracy of each stage."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from reports.formatting import safe_text, value_with_n
    from reports.records import read_run

    folders = sorted(file.parent for file in runs.glob("*/run.json"))
    if not folders:
        typer.echo(f"No runs in {runs}. Start one with: stagelift run quickstart")
        return
    table = Table("run", "state", "model", "accuracy by stage")
    for folder in folders:
        try:
            record = read_run(folder)
        except ValueError as error:
            table.add_row(Text(folder.name), "nothing evaluated yet", "", Text(str(error)))
            continue
        accuracies = [
            f"{stage.name} {value_with_n('accuracy', metrics['accuracy'])}" if "accuracy" in metrics else stage.name
            for stage, metrics in ((stage, stage.evaluation.metrics) for stage in record.stages)
        ]
        if record.chains:
            accuracies = [f"a study: {len(record.stages)} models in {len(record.chains)} chains"]
        missing = f"{len(record.missing)} models" if record.chains else ", ".join(record.missing)
        state = f"missing: {missing}" if record.missing else "finished"
        table.add_row(*(Text(safe_text(part)) for part in (record.name, state, record.model, "\n".join(accuracies))))
    Console().print(table)


def _run(load: Callable[[], "Recipe"], runs: Path, engine: EngineName, jobs: int | None, *, dry_run: bool) -> None:
    """Check a recipe, do what is missing of it, and report."""
    from harness.executor import JobFailed
    from harness.run import check_offline, execute, prepare, titles
    from harness.store import Store

    store = Store(runs.resolve() if engine is EngineName.ray else runs)
    try:
        with usage_errors():
            wanted = load()
            if dry_run and (unchecked := check_offline(wanted)):
                typer.echo("\n".join([f"Recipe '{wanted.name}' is valid, but not checked:", *unchecked]))
                return
            announce_first_use(wanted.model.path)
            with closing(_engine(engine, jobs, wanted, store.root)) as workers:
                plan = prepare(wanted, store, workers.precise)
                if dry_run:
                    _print_plan(plan, store)
                    return
                from harness.progress import open_view

                with open_view(titles(plan)) as view:
                    folder = execute(plan, store, workers, view.on_event)
    except JobFailed as error:
        _stop(f"{error}\nWhat was done is kept.", 1)
    except KeyboardInterrupt:
        _stop("\nInterrupted; what was done is kept.", 130)
    _write_reports(folder)


def _engine(name: EngineName, jobs: int | None, recipe: "Recipe", root: Path) -> "Engine":
    match name:
        case EngineName.local:
            from harness.executor import LocalWorkers

            return LocalWorkers(jobs or 1)
        case EngineName.ray:
            from harness.ray_engine import RayEngine

            return RayEngine(recipe.ray, root, jobs)


def _stop(message: str, code: int) -> NoReturn:
    """End after something was done, saying how to go on."""
    typer.echo(f"{message} {_resume_hint()}", err=True)
    raise SystemExit(code)


def _write_reports(folder: Path) -> None:
    """Write what a run leaves for its readers, and print the report."""
    written = _store_outputs(folder)
    _print_report(written.report)
    typer.echo(f"\nWritten: {' and '.join(map(str, written.reports))}")
    if written.cards:
        typer.echo("Model cards: README.md in the adapter folder of each trained stage.")


def _store_outputs(folder: Path) -> "Outputs":
    from harness.outputs import write_outputs

    with usage_errors(KeyError):
        return write_outputs(folder)


def _load_report(folders: list[Path]) -> "Report":
    from harness.outputs import load_report

    with usage_errors(KeyError):
        return load_report(folders)


def _format_of(output: Path | None, *, summary: bool) -> Format:
    by_name = {".md": Format.markdown, ".html": Format.html, ".htm": Format.html, ".json": Format.json}
    otherwise = Format.markdown if summary else Format.terminal
    return otherwise if output is None else by_name.get(output.suffix.lower(), otherwise)


def _rendered(found: "Report", wanted: Format, *, summary: bool) -> str:
    """Return a report as text. A page that would need a second file is refused in a sentence."""
    from reports.document import render_json
    from reports.html import render_html
    from reports.markdown import render_markdown, render_markdown_summary

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
    from evals.files import write_text
    from harness.outputs import write_page

    if wanted is Format.html:
        return write_page(found, output)
    write_text(output, _rendered(found, wanted, summary=summary))
    return [output]


def _print_report(found: "Report") -> None:
    from reports.terminal import print_report

    print_report(found, open_console())


def _terminal_text(found: "Report") -> str:
    from rich.console import Console

    from reports.terminal import print_report

    text = io.StringIO()
    print_report(found, Console(file=text, width=WIDE, force_terminal=False, color_system=None))
    return text.getvalue()


def _print_plan(plan: object, store: object) -> None:
    from harness.plan import Plan
    from harness.store import Store

    assert isinstance(plan, Plan) and isinstance(store, Store)
    typer.echo(
        f"Recipe '{plan.recipe.name}' is valid. Model {plan.model.path}, {plan.model.dtype} on {plan.model.device}."
    )
    for node in plan.nodes:
        trained = "nothing to train" if node.settings is None else "trained" if store.is_trained(node) else "to train"
        evaluated = "evaluated" if store.is_evaluated(node, plan) else "to evaluate"
        typer.echo(f"{node.name}: {node.id}, {trained}, {evaluated}")


def _check_packages() -> None:
    """Stop where another distribution owns a top-level name of ours (OpenAI's `evals` does)."""
    from importlib.util import find_spec

    here = Path(__file__).resolve().parent.parent
    for package in ("evals", "stages", "reports"):
        spec = find_spec(package)
        places = [Path(place).resolve().parent for place in (spec.submodule_search_locations or [])] if spec else []
        if places != [here]:
            fail(
                f"Package '{package}' is not stagelift's but {places[0] / package if places else 'missing'}. "
                "Install stagelift into a virtual environment of its own."
            )


def _resume_hint() -> str:
    return f"Go on with: {shlex.join(['stagelift', *sys.argv[1:]])}"
