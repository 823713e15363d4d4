"""One sitting at a run, and what `run.json` says of the run's plan."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from stagelift.evals.files import write_text
from stagelift.evals.models.model import model_title
from stagelift.harness.environment import device_title, versions
from stagelift.harness.graph.model_checks import other_model
from stagelift.harness.graph.node import Node, Plan, candidates
from stagelift.harness.graph.store import Store
from stagelift.harness.recipes.read import as_written
from stagelift.harness.recipes.yaml_text import write_yaml
from stagelift.reports.folders import RunFolder
from stagelift.reports.run_file import RunChain, RunFile, RunRepeat, RunStage, Sitting


class Session:
    """One sitting at a run. `run.json` lists them all, so the wall clock survives interruptions."""

    def __init__(
        self, plan: Plan, store: Store, folder: RunFolder, repairs: Sequence[str] = ()
    ) -> None:
        self.folder = folder
        self.started = time.monotonic()
        fresh = _run_file(plan, store)
        held = folder.read() if folder.is_run() else fresh
        # the same recipe can mean other nodes: a data file, a reward or the machine may have
        # changed since
        same = _without_words(held) == _without_words(fresh)
        is_done = same and held.finished and not store.missing_work(plan)
        self.idle = is_done and not repairs
        recipe = write_yaml(as_written(plan.recipe))
        if self.idle:
            self._write_new_gates(recipe)
            return
        now = datetime.now(UTC).isoformat(timespec="seconds")
        self.run = fresh.model_copy(
            update={
                "sessions": (*held.sessions, Sitting(started=now, seconds=0.0)),
                "repairs": (*held.repairs, *(f"{now}: {words}" for words in repairs)),
            }
        )
        self.save(finished=False)
        write_text(folder.recipe, recipe)

    def repaired(self, words: str) -> None:
        """Write down what came of something that was damaged."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        self.run = self.run.model_copy(update={"repairs": (*self.run.repairs, f"{now}: {words}")})

    def save(self, *, finished: bool) -> None:
        """Write down the time spent so far, and whether everything is done."""
        # nothing was missing: a finished run stays as it is, to the byte
        if self.idle:
            return
        *before, this = self.run.sessions
        seconds = round(time.monotonic() - self.started, 1)
        this = this.model_copy(update={"seconds": seconds})
        self.run = self.run.model_copy(update={"sessions": (*before, this), "finished": finished})
        self.folder.write(self.run)

    def _write_new_gates(self, recipe: str) -> None:
        """Keep the recipe of a finished run up to date.

        Only what changes nothing of a run can be new in it, such as the gates it is checked with.
        """
        if self.folder.read_recipe() != recipe:
            write_text(self.folder.recipe, recipe)


def _run_file(plan: Plan, store: Store) -> RunFile:
    return RunFile(
        name=plan.recipe.name,
        recipe=plan.recipe.identity(),
        model=model_title(plan.recipe.model.path),
        data=plan.recipe.data.path,
        device=device_title(),
        versions=versions(),
        stages=tuple(_stage(node, plan, store) for node in plan.nodes),
        chains=_chains(plan) if plan.is_study else (),
        lattice=plan.recipe.lattice,
        reference=plan.reference,
        repeats=tuple(_repeat(node, repeat, plan, store) for node, repeat in plan.repeats),
        sessions=(),
        finished=False,
    )


def _stage(node: Node, plan: Plan, store: Store) -> RunStage:
    return RunStage(
        name=node.name,
        kind=node.kind,
        node=store.relative(store.node_folder(node).path),
        evaluation=store.relative(store.evaluation_folder(node, plan).path),
        merged=tuple(merged.name for merged in node.merged),
        parent=None if node.parent is None else node.parent.name,
        weights=_other_weights(node),
        given=_given(node),
        candidates=_candidates(node, store),
    )


def _candidates(node: Node, store: Store) -> tuple[str, ...]:
    """Name the nodes that one is selected among, so that no pruning takes them."""
    return tuple(store.relative(store.node_folder(one).path) for one in candidates(node))


def _other_weights(node: Node) -> str | None:
    """Name the stage whose weights lie under a node, where that is not base."""
    return None if node.weights is node.root else node.weights.name


def _given(node: Node) -> str | None:
    """Say what a checkpoint is: full weights, or an adapter on which stage; and what an export is
    of which stage.
    """
    if node.exported is not None and node.on is not None:
        return f"{node.on.name}, {node.exported.words}"
    if node.kind != "checkpoint":
        return None
    if candidates(node):
        what = "full weights" if node.on is None else f"adapters on {node.on.name}"
        return f"the best of {len(candidates(node))} checkpoints, {what}"
    if node.on is None:
        return f"full weights, {model_title(node.base.path)}"
    words = f"an adapter on {node.on.name}, {Path(str(node.adapter)).name}"
    named = other_model(node)
    return words if named is None else f"{words}, which says that it was trained on {named}"


def _without_words(run: RunFile) -> list[RunStage]:
    """Leave out of stages what earlier files do not say."""
    return [stage.model_copy(update={"weights": None, "given": None}) for stage in run.stages]


def _repeat(node: Node, repeat: int, plan: Plan, store: Store) -> RunRepeat:
    folder = store.evaluation_folder(node, plan, repeat)
    return RunRepeat(stage=node.name, evaluation=store.relative(folder.path))


def _chains(plan: Plan) -> tuple[RunChain, ...]:
    return tuple(
        RunChain(
            variant=chain.variant,
            seed=chain.seed,
            stages=tuple((slot, node.name) for slot, node in chain.slots),
        )
        for chain in plan.chains
    )
