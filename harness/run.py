"""Run a recipe: one job per missing training and evaluation.

Each starts as soon as the nodes it needs are there.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any, ParamSpec

from stagelift.evals.models.model import ModelRef, model_folder
from stagelift.evals.settings import Against
from stagelift.evals.trust import is_only_looking, only_looking
from stagelift.harness import preflight
from stagelift.harness.environment import versions
from stagelift.harness.graph.asked_with import asked_with
from stagelift.harness.graph.damage import DamagedPlanError, refuse_damage
from stagelift.harness.graph.digest import digest
from stagelift.harness.graph.export_checks import check_exports
from stagelift.harness.graph.jobs import EVALUATE, EXPORT, REPEAT, SELECT, TRAIN, job_name
from stagelift.harness.graph.left import remove_left
from stagelift.harness.graph.model_checks import check_adapters
from stagelift.harness.graph.node import Node, Plan, Precise, candidates
from stagelift.harness.graph.plan import make_plan
from stagelift.harness.graph.row_counts import check_row_counts
from stagelift.harness.graph.seen_rows import check_rows
from stagelift.harness.graph.session import Session
from stagelift.harness.graph.store import Store, check_run_folder, is_finished, lock_run
from stagelift.harness.recipes.sections import Recipe
from stagelift.harness.recipes.study import wanted_chains
from stagelift.harness.recipes.trusted import check_trackers_trusted, check_trusted
from stagelift.harness.repairing import (
    is_repairing,
    set_aside_damage,
    settle_evaluation,
    settle_training,
)
from stagelift.harness.schedule import Task, work_through
from stagelift.harness.selecting import chosen, select
from stagelift.harness.trackers.following import following
from stagelift.harness.unchanged import loaded_with, what_changed
from stagelift.harness.workers.executor import Executor, JobFailed, OnJobEvent
from stagelift.harness.workers.jobs import AnyJob, EvaluateJob, ExportJob, TrainJob
from stagelift.stages import precision
from stagelift.stages.exports.export import ExportedAs, gguf_file
from stagelift.stages.folders import NodeRecord

# the stage's name, what happened
OnEvent = Callable[[str, dict[str, Any]], None]
# the job's name, the stage's, and whether it ended
OnJob = Callable[[str, str, bool], None]
Told = ParamSpec("Told")


def prepare(
    recipe: Recipe, store: Store, precise: Precise = precision.resolved, *, repairs: bool = False
) -> Plan:
    """Check everything that can be checked, and return the plan.

    `precise` says on which device and in which dtype the machines work that will do it.
    Writes nothing; raises UsageError or ValueError, and DamagedPlanError where what is stored is
    damaged, unless the run `repairs` it.
    """
    folder = store.run(recipe.name)
    damages = folder.damages()
    if damages and not repairs:
        raise DamagedPlanError(damages)
    if not damages:
        check_run_folder(folder, recipe.identity())
    # then it was checked when it ran, and all it needs is stored
    finished = is_finished(folder)
    # a finished run can be reported to one more
    for variant in _variants(recipe):
        check_trackers_trusted(variant)
        preflight.check_trackers(variant)
    if not finished:
        _check(recipe)
    plan = make_plan(recipe, precise)
    if not repairs:
        refuse_damage(plan, store)
    if store.missing_work(plan):
        if finished:
            _check(recipe)
        check_adapters(plan)
        check_row_counts(plan)
        check_rows(plan)
        check_exports(plan, store)
        preflight.check_servers(plan)
    return plan


def _check(recipe: Recipe) -> None:
    # all is looked at before any code of the user's runs
    with only_looking():
        for variant in _variants(recipe):
            check_trusted(variant)
            preflight.check_arguments(variant)
            preflight.check_sources(variant)
    if not is_only_looking():
        for variant in _variants(recipe):
            preflight.try_code(variant)


def check_offline(recipe: Recipe) -> list[str]:
    """Check a recipe without insisting on the Hub; return what could not be checked.

    Raises UsageError for the rest.
    """
    unchecked: list[str] = []
    for variant in _variants(recipe):
        check_trackers_trusted(variant)
        check_trusted(variant)
        preflight.check_trackers(variant)
        preflight.check_arguments(variant)
        unchecked += preflight.unreachable_sources(variant)
    return list(dict.fromkeys(unchecked))


def _variants(recipe: Recipe) -> list[Recipe]:
    """Return a chain of each variant, with all its stages.

    Of a lattice that is the largest subset, which comes last.
    """
    return list({chain.variant: chain.recipe for chain in wanted_chains(recipe)}.values())


def execute(
    plan: Plan,
    store: Store,
    executor: Executor,
    on_event: OnEvent,
    *,
    repairs: bool = False,
    say: Callable[[str], None] = lambda _: None,
    on_job: OnJob = lambda _job, _stage, _ended: None,
) -> Path:
    """Do what is missing and return the run's folder; where it `repairs`, damaged files are set
    aside first, and made again. `say` is told what became of them, `on_job` when jobs begin and
    end.

    Killed or interrupted, the next call goes on from there.
    """
    folder = store.run(plan.recipe.name)
    with lock_run(folder):
        done = set_aside_damage(plan, store) if repairs else []
        # it may have changed since `prepare`
        if folder.is_run() or not repairs:
            check_run_folder(folder, plan.recipe.identity())
        remove_left(plan, store, folder)
        lock = Lock()
        show = _one_at_a_time(lock, on_event)
        work = _Work(plan, store, executor, show, _one_at_a_time(lock, on_job))
        # from here on `stagelift prune` knows that these nodes are needed
        with store.lock():
            session = Session(plan, store, folder, done)
            tasks = work.tasks()
        finished = False
        for words in done:
            say(words)
        try:
            with following(plan, store, show):
                if is_repairing(plan, store):
                    for words in work.repaired():
                        session.repaired(words)
                        say(words)
                    tasks = work.tasks()
                work_through(
                    tasks, executor.jobs, lambda _: session.save(finished=False), executor.stop
                )
            finished = True
        finally:
            # after Ctrl-C too: the time spent so far counts
            session.save(finished=finished)
    return folder.path


def titles(plan: Plan) -> list[str]:
    """Name what a run shows progress of: its nodes, and evaluations that are made once more."""
    return [
        *(node.name for node in plan.nodes),
        *(_title(node, repeat) for node, repeat in plan.repeats),
    ]


def _title(node: Node, repeat: int) -> str:
    return f"{node.name}, measured again" if repeat else node.name


def _one_at_a_time(lock: Lock, tell: Callable[Told, None]) -> Callable[Told, None]:
    """Several jobs report at once, and a view draws for one of them at a time."""

    def told(*args: Told.args, **kwargs: Told.kwargs) -> None:
        with lock:
            tell(*args, **kwargs)

    return told


@dataclass(frozen=True)
class _Work:
    """The jobs of a plan, as tasks that need one another."""

    plan: Plan
    store: Store
    executor: Executor
    on_event: OnEvent
    on_job: OnJob

    def tasks(self) -> list[Task]:
        """Return what is missing, node by node."""
        for node in self.plan.nodes:
            for candidate in candidates(node):
                _describe(candidate, self.store)
            _describe(node, self.store)
        return [task for node in self.plan.nodes for task in self._of_node(node)] + [
            self._evaluation(node, repeat) for node, repeat in self.plan.repeats
        ]

    def _of_node(self, node: Node) -> list[Task]:
        train = partial(self._train, node)
        needs = () if node.parent is None else (f"train {node.parent.id}",)
        evaluation = self._evaluation(node, 0)
        if self.store.is_trained(node):
            return [evaluation]
        return [Task(f"train {node.id}", needs, train), evaluation]

    def repaired(self) -> Iterator[str]:
        """Do what was set aside, and all else that is missing, one after the other, and say what
        came of it: whether later stages are kept is known only then.
        """
        for node in self.plan.nodes:
            if not self.store.is_trained(node):
                self._train(node)
            yield from settle_training(node, self.plan, self.store)
            self._evaluate(node, 0)
            yield from settle_evaluation(node, 0, self.plan, self.store)
        for node, repeat in self.plan.repeats:
            self._evaluate(node, repeat)
            yield from settle_evaluation(node, repeat, self.plan, self.store)

    def _evaluation(self, node: Node, repeat: int) -> Task:
        """An evaluation reads those it is compared with; a repeat comes after the first."""
        needs = [f"train {node.id}"]
        if node.parent is not None:
            needs += [f"evaluate {before.id} 0" for before in (node.root, node.parent)]
        if repeat:
            needs.append(f"evaluate {node.id} 0")
        return Task(
            f"evaluate {node.id} {repeat}", tuple(needs), partial(self._evaluate, node, repeat)
        )

    def _train(self, node: Node) -> None:
        """Train a node and, where it becomes one of several checkpoints, select it; or export
        it.
        """
        show = partial(self.on_event, node.name)
        if node.exported is not None:
            with self._job(EXPORT, node):
                self._run(node.on, partial(_export_job, node, node.exported, self.store), show)
        if node.settings is not None and not self.store.node_folder(node).is_trained():
            with self._job(TRAIN, node):
                self._run(node.on, partial(train_job, node, self.store), show)
        if node.selects is not None:
            model, run_job = partial(model_of, store=self.store), partial(self._measure, node.on)
            with self._job(SELECT, node):
                select(node, self.store, model, run_job, show)

    def _evaluate(self, node: Node, repeat: int) -> None:
        show = partial(self.on_event, _title(node, repeat))
        if not self.store.is_evaluated(node, self.plan, repeat):
            with self._job(REPEAT if repeat else EVALUATE, node, repeat):
                self._run(node, partial(_evaluate_job, node, self.plan, self.store, repeat), show)
        result = self.store.evaluation_folder(node, self.plan, repeat).read_result()
        metrics = {name: metric.model_dump() for name, metric in result.metrics.items()}
        show({"event": "finished", "metrics": metrics})

    @contextmanager
    def _job(self, what: str, node: Node, repeat: int = 0) -> Iterator[None]:
        """Say that a job begins, and that it is done; one that fails is not."""
        name, stage = job_name(what, node, repeat), _title(node, repeat)
        self.on_job(name, stage, False)
        yield
        self.on_job(name, stage, True)

    def _measure(self, model: Node | None, job: EvaluateJob, show: OnJobEvent) -> None:
        self._run(model, lambda: job, show)

    def _run(self, model: Node | None, job: Callable[[], AnyJob], show: OnJobEvent) -> None:
        """Run a job on a node's model, unless that is no longer what was planned. If it changes
        meanwhile, that is why the job failed, whatever the library says of it.
        """
        self._refuse_changed(model)
        try:
            self.executor.run(job(), show)
        except JobFailed:
            self._refuse_changed(model)
            raise

    def _refuse_changed(self, model: Node | None) -> None:
        changed = what_changed(loaded_with(model, self.store), self.store)
        if changed is not None:
            raise JobFailed(changed)


def _describe(node: Node, store: Store) -> None:
    """Write what a node is beside what it becomes."""
    folder = store.node_folder(node)
    if not folder.is_described():
        parent = None if node.parent is None else store.node_folder(node.parent).name
        folder.describe(
            NodeRecord(id=folder.name, kind=node.kind, parent=parent, identity=node.identity)
        )


def train_job(node: Node, store: Store) -> TrainJob:
    """Write down a node's training, for whichever process does it."""
    assert node.settings is not None and node.parent is not None
    return TrainJob(
        folder=str(store.node_folder(node).path),
        settings=node.settings,
        parent=_trained_on(node, store),
        lora=node.lora,
        seed=node.seed,
        launcher=node.launcher,
        keep_every=None if node.selects is None else node.selects.every,
        stop_when_ill=node.stop_when_ill,
        versions=versions(),
    )


def _export_job(node: Node, exported: ExportedAs, store: Store) -> ExportJob:
    return ExportJob(
        folder=str(store.node_folder(node).path),
        model=_below(node, store),
        exported=exported,
        versions=versions(),
    )


def _evaluate_job(node: Node, plan: Plan, store: Store, repeat: int) -> EvaluateJob:
    def evaluated(compared: Node) -> str:
        return str(store.evaluation_folder(compared, plan).path)

    references, asked = dict(_judged_against(node, plan)), asked_with(node.base)
    return EvaluateJob(
        folder=str(store.evaluation_folder(node, plan, repeat).path),
        node_folder=str(store.node_folder(node).path),
        model=model_of(node, store),
        settings=plan.settings,
        contract_id=plan.contract_id,
        contract=plan.contract,
        references={role: evaluated(reference) for role, reference in references.items()},
        base=None if node.parent is None else evaluated(node.root),
        judges=str(store.judges.path),
        repeat=repeat,
        chat_template=digest(asked.template),
        tokenizer=asked.tokenizer,
        versions=versions(),
    )


def _judged_against(node: Node, plan: Plan) -> Iterator[tuple[Against, Node]]:
    """Yield the nodes that a node's responses are judged against; for base there are none."""
    if node.parent is None:
        return
    nodes: dict[Against, Node] = {"base": node.root, "previous": node.parent}
    for role in plan.recipe.evals.preference.against:
        yield role, nodes[role]


def _trained_on(node: Node, store: Store) -> ModelRef:
    """Name the model that a node's training starts from.

    That is its parent, whose adapter it goes on with or merges.
    """
    assert node.on is not None
    if not node.starts_an_adapter:
        return model_of(node.on, store)
    return _below(node, store)


def model_of(node: Node, store: Store) -> ModelRef:
    """Name a node's model."""
    if node.exported is not None:
        return _exported(node, node.exported, store)
    if node.on is None:
        return _below(node, store)
    return _below(node, store).model_copy(update={"adapter": _adapter(node, store)})


def _exported(node: Node, exported: ExportedAs, store: Store) -> ModelRef:
    """Name an export: a folder with its tokenizer and chat template in it."""
    return ModelRef(
        path=str(store.node_folder(node).exported),
        dtype=node.base.dtype,
        device=node.base.device,
        gguf=None if exported.gguf is None else gguf_file(exported.gguf),
    )


def _below(node: Node, store: Store) -> ModelRef:
    """Name what lies under a node's own adapter; that of weights is themselves.

    What is made in the user's cache is resolved here, so that workers find it whatever theirs is.
    """
    merged = tuple(_adapter(below, store) for below in node.merged)
    path = model_folder(chosen(node.weights, store).base.path)
    return node.base.model_copy(update={"path": path, "merged": merged})


def _adapter(node: Node, store: Store) -> str:
    node = chosen(node, store)
    return node.adapter or str(store.node_folder(node).adapter)
