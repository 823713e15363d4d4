"""`stagelift plan`: what a recipe would do, cost and show, before anything is done."""

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stagelift.harness.commands.options import (
    OneRecipe,
    Overrides,
    RunName,
    RunsFolder,
    TrustOption,
    announce_first_use,
    error_console,
    keep_garbage,
    open_console,
    quiet_environment,
    trusted_as_asked,
    usage_errors,
)
from stagelift.harness.streams import write_document

if TYPE_CHECKING:
    from stagelift.harness.audit.audit import StageAudit
    from stagelift.harness.forecast.forecast import Forecast
    from stagelift.harness.graph.node import Plan
    from stagelift.harness.graph.store import Store
    from stagelift.harness.recipes.sections import Recipe


class PlanFormat(StrEnum):
    """How a plan is written."""

    terminal = "terminal"
    json = "json"


def plan(
    recipe: OneRecipe,
    overrides: Overrides = None,
    name: RunName = None,
    format: Annotated[PlanFormat, typer.Option(help="How to write it.")] = PlanFormat.terminal,
    audit_rewards: Annotated[
        bool,
        typer.Option(
            "--audit-rewards",
            help="Try the rewards on completions of a few rows, and show what they pay for. This "
            "calls your reward functions; nothing else in a plan does.",
        ),
    ] = False,
    runs: RunsFolder = Path("runs"),
    trust: TrustOption = None,
) -> None:
    """Say what a run would do, cost and be able to show, and what speaks against it.

    Nothing is loaded or written.
    """
    keep_garbage()
    quiet_environment()
    from stagelift.evals.trust import as_asked, only_looking
    from stagelift.harness.audit.view import audits_as_data, print_audits
    from stagelift.harness.forecast.view import print_forecast, render_json
    from stagelift.harness.recipes.read import load_recipe
    from stagelift.reports.folders import RunsFolder

    working = error_console().status("Checking the recipe and looking at its data")
    with as_asked(trust), only_looking(), usage_errors(), working:
        planned = load_recipe(recipe, overrides or [], name)
        if format is PlanFormat.terminal:
            announce_first_use(planned.weights())
        changes = [word for override in overrides or [] for word in ("--set", override)]
        named = [] if name is None else ["--name", name]
        words = [recipe, *changes, *named, *RunsFolder(runs).option]
        with trusted_as_asked(planned), _repair_named(words):
            forecast, audits = _looked_at(planned, runs, audit_rewards=audit_rewards)
    match format:
        case PlanFormat.json:
            data = None if audits is None else audits_as_data(audits)
            write_document(render_json(forecast, data))
        case PlanFormat.terminal:
            print_forecast(forecast, open_console())
            print_audits(audits or [], open_console())


@contextmanager
def _repair_named(words: list[str]) -> Iterator[None]:
    """Name the command that makes again what is damaged of the run that is planned."""
    from stagelift.harness.errors import UsageError
    from stagelift.harness.graph.damage import DamagedPlanError

    try:
        yield
    except DamagedPlanError as error:
        command = shlex.join(["stagelift", "run", *words, "--repair"])
        raise UsageError(f"{error.problem} Go on with: {command}") from error


def _looked_at(
    recipe: "Recipe", runs: Path, *, audit_rewards: bool
) -> "tuple[Forecast, list[StageAudit] | None]":
    """Plan a recipe; its rewards run in a process of their own, where that is asked for."""
    from stagelift.harness.forecast.forecast import make_forecast
    from stagelift.harness.graph.store import Store

    store = Store(runs)
    plan = _checked(recipe, store)
    return make_forecast(plan, store), _audits(plan) if audit_rewards else None


def _audits(plan: "Plan") -> "list[StageAudit]":
    from stagelift.harness.audit.audit import audit_rewards

    return audit_rewards(plan)


def _checked(recipe: "Recipe", store: "Store") -> "Plan":
    """Check a recipe as a run would.

    Data on the Hub that cannot be reached now is no reason not to plan.
    """
    from stagelift.harness.errors import UsageError
    from stagelift.harness.graph.damage import DamagedPlanError
    from stagelift.harness.graph.plan import make_plan
    from stagelift.harness.graph.store import check_run_folder
    from stagelift.harness.run import check_offline, prepare

    try:
        return prepare(recipe, store)
    except DamagedPlanError:
        raise
    except UsageError:
        check_run_folder(store.run(recipe.name), recipe.identity())
        unchecked = check_offline(recipe)
        if not unchecked:
            raise
    try:
        return make_plan(recipe)
    except UsageError as error:
        raise UsageError(
            f"A plan needs what cannot be reached now. {' '.join(unchecked)}"
        ) from error
