"""Run a recipe: one worker process per missing training and evaluation, in the order of the chain."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from evals.files import read_json, write_json
from evals.judges.load import check_judge_answers
from evals.model import ModelRef, model_folder
from harness import preflight
from harness.environment import versions
from harness.executor import run_worker
from harness.plan import Node, Plan, make_plan
from harness.sections import Recipe
from harness.session import Session
from harness.store import Store, check_run_folder, is_finished, lock_run
from harness.worker import EvaluateJob, TrainJob

OnEvent = Callable[[str, dict[str, Any]], None]  # the stage's name, what happened


def prepare(recipe: Recipe, store: Store) -> Plan:
    """Check everything that can be checked and return the plan. Writes nothing; raises UsageError or ValueError."""
    folder = store.run_folder(recipe.name)
    check_run_folder(folder, recipe.identity())
    finished = is_finished(folder)  # then it was checked when it ran, and all it needs is stored
    if not finished:
        _check(recipe)
    plan = make_plan(recipe)
    if store.missing_work(plan):
        if finished:
            _check(recipe)
        preflight.check_adapter(plan)
        check_judge_answers(plan.settings.preference.judge)
    return plan


def _check(recipe: Recipe) -> None:
    preflight.check_arguments(recipe)
    preflight.check_sources(recipe)


def check_offline(recipe: Recipe) -> list[str]:
    """Check a recipe without insisting on the Hub; return what could not be checked. Raises UsageError for the rest."""
    preflight.check_arguments(recipe)
    return preflight.unreachable_sources(recipe)


def execute(plan: Plan, store: Store, on_event: OnEvent) -> Path:
    """Do what is missing and return the run's folder. Killed or interrupted, the next call goes on from there."""
    folder = store.run_folder(plan.recipe.name)
    with lock_run(folder):
        check_run_folder(folder, plan.recipe.identity())  # it may have changed since `prepare`
        session = Session(plan, store, folder)
        finished = False
        try:
            for node in plan.nodes:
                _complete(node, plan, store, partial(on_event, node.name))
                session.save(finished=False)
            finished = True
        finally:  # after Ctrl-C too: the time spent so far counts
            session.save(finished=finished)
    return folder


def _complete(node: Node, plan: Plan, store: Store, on_event: Callable[[dict[str, Any]], None]) -> None:
    """Train and evaluate one node, as far as that is missing."""
    _describe(node, store)
    if not store.is_trained(node):
        run_worker(_train_job(node, plan, store), on_event)
    if not store.is_evaluated(node, plan):
        run_worker(_evaluate_job(node, plan, store), on_event)
    result = read_json(store.evaluation_folder(node, plan) / "result.json")
    on_event({"event": "finished", "metrics": result["metrics"]})


def _describe(node: Node, store: Store) -> None:
    """Write what a node is beside what it becomes."""
    path = store.node_folder(node) / "node.json"
    if not path.exists():
        parent = node.parent.id if node.parent else None
        write_json(path, {"id": node.id, "kind": node.kind, "parent": parent, "identity": node.identity})


def _train_job(node: Node, plan: Plan, store: Store) -> TrainJob:
    assert node.settings is not None and node.parent is not None
    return TrainJob(
        folder=str(store.node_folder(node)),
        settings=node.settings,
        parent=_model(node.parent, plan, store),
        lora=plan.recipe.lora,
        seed=plan.recipe.seed,
        versions=versions(),
    )


def _evaluate_job(node: Node, plan: Plan, store: Store) -> EvaluateJob:
    others = {"base": plan.nodes[0], "previous": node.parent or plan.nodes[0]}
    against = plan.recipe.evals.preference.against if node.parent is not None else []
    return EvaluateJob(
        folder=str(store.evaluation_folder(node, plan)),
        node_folder=str(store.node_folder(node)),
        model=_model(node, plan, store),
        settings=plan.settings,
        contract_id=plan.contract_id,
        contract=plan.contract,
        references={name: str(store.evaluation_folder(others[name], plan)) for name in against},
        base=None if node.parent is None else str(store.evaluation_folder(plan.nodes[0], plan)),
        judges=str(store.judges_folder()),
        versions=versions(),
    )


def _model(node: Node, plan: Plan, store: Store) -> ModelRef:
    """Name a node's model; the bundled base is resolved here, so that workers find it whatever their cache."""
    adapter = node.adapter if node.settings is None else str(store.node_folder(node) / "adapter")
    return plan.model.model_copy(update={"path": model_folder(plan.model.path), "adapter": adapter})
