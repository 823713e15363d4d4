"""`stagelift run` and `stagelift evaluate`: do what is missing of a recipe, and report."""

import shlex
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from stagelift.harness.commands import completing
from stagelift.harness.commands.endings import FAULT, Terminated, interrupted_code
from stagelift.harness.commands.options import (
    OneRecipe,
    Overrides,
    Quiet,
    RunName,
    RunsFolder,
    TrustOption,
    announce_first_use,
    fail,
    quiet_environment,
    stop,
    told_if_full,
    trusted_as_asked,
    usage_errors,
)
from stagelift.harness.commands.report import write_reports

if TYPE_CHECKING:
    from stagelift.harness.graph.node import Node, Plan
    from stagelift.harness.graph.store import Store
    from stagelift.harness.progress import View
    from stagelift.harness.recipes.sections import Recipe
    from stagelift.harness.workers.executor import Executor

DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run", help="Check everything, list what there is and what is missing; run nothing."
    ),
]


Repair = Annotated[
    bool,
    typer.Option(
        "--repair",
        help="Set damaged files aside, and make again exactly what they were.",
    ),
]


class ExecutorName(StrEnum):
    """Where jobs run."""

    local = "local"
    ray = "ray"


ExecutorOption = Annotated[
    ExecutorName,
    typer.Option(
        "--engine", help="Where it runs. local: on this machine; ray: as tasks of a Ray cluster."
    ),
]


Jobs = Annotated[
    int | None,
    typer.Option(
        "--jobs",
        min=1,
        metavar="N",
        help="How many trainings and evaluations run side by side; 1 if not given, with Ray as "
        "many as fit.",
    ),
]


Checkpoints = Annotated[
    str | None,
    typer.Option(
        metavar="FOLDER",
        help="A folder that a trainer wrote checkpoint-100, checkpoint-200, ... into: each is "
        "measured on validation problems, and the best of them is evaluated. Adapters say what "
        "their model is; else name it.",
    ),
]

SelectMetric = Annotated[
    str | None,
    typer.Option(
        "--metric",
        metavar="METRIC",
        help="What the best of --checkpoints is selected by; accuracy if not given.",
    ),
]


def run(
    recipe: OneRecipe,
    overrides: Overrides = None,
    name: RunName = None,
    runs: RunsFolder = Path("runs"),
    executor: ExecutorOption = ExecutorName.local,
    jobs: Jobs = None,
    dry_run: DryRun = False,
    repair: Repair = False,
    trust: TrustOption = None,
    quiet: Quiet = False,
) -> None:
    """Train and evaluate what is missing of a recipe, then report.

    Run it again to go on after an interruption.
    """
    quiet_environment()
    from stagelift.evals.trust import as_asked
    from stagelift.harness.recipes.read import load_recipe

    with as_asked(trust):
        _run(
            lambda: load_recipe(recipe, overrides or [], name),
            runs,
            executor,
            jobs,
            dry_run=dry_run,
            repair=repair,
            quiet=quiet,
        )


MeasuredAs = Annotated[
    str,
    typer.Option(
        metavar="RECIPE",
        help="The recipe whose `evals` section says what to measure.",
        autocompletion=completing.recipes,
    ),
]


Models = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[NAME=]MODEL...",
        help="A model folder, a .gguf file, a Hub name or the bundled model; then stages that "
        "were trained on it, each with a name: base=MODEL sft=./out-sft dpo=./out-dpo. They "
        "are full weights or adapters.",
    ),
]


Adapter = Annotated[
    str | None,
    typer.Option(
        metavar="ADAPTER",
        help="A LoRA adapter on the model: measured as a stage after the model itself.",
    ),
]


OverridesOfRecipe = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="FIELD=VALUE", help="Override a field of the recipe (repeatable)."
    ),
]


NameOfModel = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Name of the run; the model's or adapter's if not given."),
]


def evaluate(
    recipe: MeasuredAs,
    models: Models = None,
    checkpoints: Checkpoints = None,
    metric: SelectMetric = None,
    adapter: Adapter = None,
    overrides: OverridesOfRecipe = None,
    name: NameOfModel = None,
    runs: RunsFolder = Path("runs"),
    dry_run: DryRun = False,
    repair: Repair = False,
    trust: TrustOption = None,
    quiet: Quiet = False,
) -> None:
    """Measure what was trained elsewhere as the `evals` of a recipe say, and report it like stages.

    Nothing is trained. Run it again to go on after an interruption.
    """
    quiet_environment()
    from stagelift.evals.trust import as_asked

    asked = _Asked(recipe, overrides or [], name)
    with as_asked(trust):
        _run(
            lambda: _evaluated(models or [], adapter, checkpoints, metric, asked),
            runs,
            ExecutorName.local,
            None,
            dry_run=dry_run,
            repair=repair,
            quiet=quiet,
        )


@dataclass(frozen=True)
class _Asked:
    """The recipe that says what is measured, what is changed in it, and the run's name."""

    recipe: str
    overrides: list[str]
    name: str | None


def _evaluated(
    models: list[str],
    adapter: str | None,
    checkpoints: str | None,
    metric: str | None,
    asked: _Asked,
) -> "Recipe":
    """Return the recipe of a folder of checkpoints, of a chain, or of one model, maybe with an
    adapter on it.
    """
    from stagelift.harness.errors import UsageError

    if checkpoints is not None:
        return _trajectory(models, adapter, checkpoints, metric, asked)
    if metric is not None:
        raise UsageError(
            f"--metric {metric} says what a checkpoint is selected by: name their folder with "
            "--checkpoints."
        )
    if not models:
        raise UsageError(
            "Name what to evaluate: a MODEL, a chain such as base=MODEL sft=./out-sft, or a "
            "trainer's folder with --checkpoints."
        )
    return _of_models(models, adapter, asked)


def _trajectory(
    models: list[str], adapter: str | None, folder: str, metric: str | None, asked: _Asked
) -> "Recipe":
    from stagelift.harness.errors import UsageError
    from stagelift.harness.recipes.named_models import read_chain
    from stagelift.harness.recipes.read import trajectory_recipe

    chain = read_chain(models) if models else []
    if adapter is not None or len(chain) > 1:
        raise UsageError(
            f"--checkpoints {folder} goes with one model, the base of all of them. In a recipe it "
            f"can be any stage: stages: [checkpoint: {{name: sft, checkpoints: {folder}}}]."
        )
    base, called = (chain[0].given.path, chain[0].name) if chain else (None, None)
    return trajectory_recipe(
        asked.recipe, asked.overrides, folder, base, metric, asked.name, model_name=called
    )


def _of_models(models: list[str], adapter: str | None, asked: _Asked) -> "Recipe":
    from stagelift.harness.errors import UsageError
    from stagelift.harness.recipes.named_models import read_chain
    from stagelift.harness.recipes.read import chain_recipe, evaluation_recipe

    first, *later = chain = read_chain(models)
    if adapter is not None and (later or first.name):
        raise UsageError(
            f"--adapter {adapter} is for a single model without a name. In a chain an adapter is a "
            f"stage with a name: {' '.join(models)} sft={adapter}."
        )
    if later or first.name:
        return chain_recipe(asked.recipe, asked.overrides, chain, asked.name)
    return evaluation_recipe(asked.recipe, asked.overrides, first.given.path, adapter, asked.name)


def _run(
    load: Callable[[], "Recipe"],
    runs: Path,
    executor: ExecutorName,
    jobs: int | None,
    *,
    dry_run: bool,
    repair: bool,
    quiet: bool,
) -> None:
    """Check a recipe, do what is missing of it, and report."""
    from stagelift.evals.trust import only_looking
    from stagelift.harness.graph.store import Store

    store = Store(runs.resolve() if executor is ExecutorName.ray else runs)
    with usage_errors():
        recipe = load()
    with trusted_as_asked(recipe):
        if dry_run:
            with only_looking(), usage_errors():
                _look(recipe, store, executor, jobs, repair=repair)
        else:
            with told_if_full(store.root):
                _do(recipe, store, executor, jobs, repair=repair, quiet=quiet)


def _look(
    recipe: "Recipe", store: "Store", executor: ExecutorName, jobs: int | None, *, repair: bool
) -> None:
    """Check a recipe, and print its nodes."""
    from stagelift.harness.graph.damage import damaged_folders
    from stagelift.harness.run import check_offline
    from stagelift.harness.voting import read_votes

    read_votes(recipe.evals.preference.votes)
    unchecked = check_offline(recipe)
    if unchecked:
        typer.echo(f"Recipe '{recipe.name}' is valid, but not checked:")
        typer.echo("\n".join(unchecked))
        return
    announce_first_use(recipe.weights())
    with closing(_executor(executor, jobs, recipe, store.root)) as workers:
        plan = _prepared(recipe, store, workers, repair=repair)
        for found in damaged_folders(plan, store):
            for damage in found.damages:
                typer.echo(f"To be made again: {damage}.")
        _print_plan(plan, store)


def _do(
    recipe: "Recipe",
    store: "Store",
    executor: ExecutorName,
    jobs: int | None,
    *,
    repair: bool,
    quiet: bool,
) -> None:
    """Check a recipe, do what is missing of it, and report."""
    from stagelift.evals.printed import one_line
    from stagelift.harness.run import execute
    from stagelift.harness.voting import read_votes, store_votes
    from stagelift.harness.workers.executor import JobFailed, NoRoom

    said: list[str] = []
    try:
        with usage_errors():
            votes = read_votes(recipe.evals.preference.votes)
            if not quiet:
                announce_first_use(recipe.weights())
            with closing(_executor(executor, jobs, recipe, store.root)) as workers:
                plan = _prepared(recipe, store, workers, repair=repair)
                view = _view(plan, store, workers, quiet=quiet)
                with _kill_is_ctrl_c(), view:
                    folder = execute(
                        plan,
                        store,
                        workers,
                        view.on_event,
                        repairs=repair,
                        say=said.append,
                        on_job=view.on_job,
                    )
    except JobFailed as error:
        stop(f"{error}\nWhat was done is kept.", FAULT if isinstance(error, NoRoom) else 1)
    except KeyboardInterrupt as error:
        stop("\nInterrupted; what was done is kept.", interrupted_code(error))
    with usage_errors():
        unused = store_votes(folder, votes)
    write_reports(folder, quiet=quiet)
    for words in said:
        typer.echo(f"Repaired: {one_line(words)}", err=True)
    for problem in unused:
        typer.echo(f"Note: {one_line(problem)}", err=True)


def _view(plan: "Plan", store: "Store", workers: "Executor", *, quiet: bool) -> "View":
    """Say what the run will take, and return what shows how it goes on."""
    from stagelift.harness.forecast.expected import expected
    from stagelift.harness.progress import QuietView, open_view
    from stagelift.harness.run import titles
    from stagelift.harness.workers.local import LocalExecutor

    if quiet:
        return QuietView()
    ahead = expected(plan, store, here=isinstance(workers, LocalExecutor))
    if ahead.costs:
        typer.echo(ahead.sentence(workers.jobs))
    return open_view(titles(plan), ahead.seconds(), workers.jobs)


def _prepared(recipe: "Recipe", store: "Store", workers: "Executor", *, repair: bool) -> "Plan":
    """Check what a recipe names and plan it, with a warning for what may not be meant."""
    from stagelift.evals.printed import one_line
    from stagelift.harness.graph.damage import DamagedPlanError
    from stagelift.harness.graph.model_checks import trained_on_other_models
    from stagelift.harness.graph.plan_notes import plan_notes
    from stagelift.harness.graph.store import check_takes_files
    from stagelift.harness.run import prepare

    check_takes_files(store.root)
    try:
        plan = prepare(recipe, store, workers.precise, repairs=repair)
    except DamagedPlanError as error:
        words = [word for word in sys.argv[1:] if word != "--dry-run"]
        fail(f"{error.problem} Go on with: {shlex.join(['stagelift', *words, '--repair'])}")
    for warning in [*trained_on_other_models(plan), *(note.text for note in plan_notes(plan))]:
        typer.echo(f"Warning: {one_line(warning)}", err=True)
    return plan


@contextmanager
def _kill_is_ctrl_c() -> Iterator[None]:
    """Let SIGTERM end a run as Ctrl-C does: a run in the background ignores Ctrl-C, and `kill` or
    a cluster's scheduler send this.
    """
    before = signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _terminate(*_: object) -> NoReturn:
    raise Terminated


def _executor(name: ExecutorName, jobs: int | None, recipe: "Recipe", root: Path) -> "Executor":
    match name:
        case ExecutorName.local:
            from stagelift.harness.workers.local import LocalExecutor

            return LocalExecutor(jobs or 1)
        case ExecutorName.ray:
            from stagelift.harness.workers.ray import RayExecutor

            return RayExecutor(recipe.ray, root, jobs)


def _print_plan(plan: "Plan", store: "Store") -> None:
    from stagelift.harness.graph.seen_rows import row_lines, seen_rows

    typer.echo(
        f"Recipe '{plan.recipe.name}' is valid. Model {plan.model.path}, {plan.model.dtype} on "
        f"{plan.model.device}."
    )
    for node in plan.nodes:
        evaluated = "evaluated" if store.is_evaluated(node, plan) else "to evaluate"
        typer.echo(f"{node.name}: {node.id}, {_trained(node, store)}, {evaluated}")
    shown = seen_rows(plan)
    if shown:
        typer.echo("\nWhat tokens see:")
    for line in row_lines(shown):
        typer.echo(line)


def _trained(node: "Node", store: "Store") -> str:
    if node.settings is None:
        return "nothing to train"
    return "trained" if store.is_trained(node) else "to train"
