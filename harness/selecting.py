"""Which checkpoint a stage is: every one is asked the validation problems, and the best is taken.

Each evaluation is a job of its own after the training, which is the same with it and without. What
is there is not done again: a killed selection goes on where it was.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from stagelift.evals.folders import EvaluationFolder
from stagelift.evals.models.model import ModelRef
from stagelift.harness.environment import versions
from stagelift.harness.graph.asked_with import AskedWith, asked_with
from stagelift.harness.graph.digest import digest
from stagelift.harness.graph.node import Node, Selects
from stagelift.harness.graph.store import Store
from stagelift.harness.locks import held, on_standard_error
from stagelift.harness.workers.jobs import EvaluateJob
from stagelift.stages.folders import NodeFolder
from stagelift.stages.records import Measured, Selection

OnEvent = Callable[[dict[str, Any]], None]
RunJob = Callable[[EvaluateJob, OnEvent], None]
ModelOf = Callable[[Node], ModelRef]


@dataclass(frozen=True)
class _Asked:
    """A model that is asked the validation problems: its evaluation, and the node that it is of."""

    title: str
    model: ModelRef
    way: AskedWith
    evaluation: EvaluationFolder
    node: NodeFolder


def select(node: Node, store: Store, model_of: ModelOf, run_job: RunJob, show: OnEvent) -> None:
    """Measure a node's checkpoints, and write down which of them it is."""
    selects, folder = node.selects, store.node_folder(node)
    assert selects is not None, "nothing is selected here"
    if folder.is_selected():
        return
    base = _of_node("base", node.root, selects, store, model_of)
    checkpoints = dict(_checkpoints(node, selects, store, model_of))
    for place, asked in enumerate([base, *checkpoints.values()]):
        if not asked.evaluation.is_complete():
            what = f"{asked.title} ({place} of {len(checkpoints)})" if place else asked.title
            run_job(_job(asked, base, selects, store), partial(_show, show, what))
    measured = Measured(
        metric=selects.metric,
        base=store.relative(base.evaluation.path),
        checkpoints={
            step: store.relative(asked.evaluation.path) for step, asked in checkpoints.items()
        },
        left_out=selects.left_out,
    )
    selection = settle(folder, _selection(node, measured, store), adopts=node.settings is not None)
    show({"event": "selected", "why": selection.why})


def settle(folder: NodeFolder, selection: Selection, *, adopts: bool) -> Selection:
    """Write down which checkpoint a node is, unless another process did so meanwhile, and return
    what is written; a stage that was trained here `adopts` its adapter.
    """
    with held(folder.lock_file, on_standard_error):
        if folder.is_selected():
            return folder.read_selection()
        if adopts:
            folder.adopt(selection.selected)
        folder.write_selection(selection)
    return selection


def chosen(node: Node, store: Store) -> Node:
    """Return the checkpoint that a node is, where it is one of several of the user's; else itself.

    It must be selected already.
    """
    if node.selects is None or not node.selects.candidates:
        return node
    step = store.node_folder(node).read_selection().selected
    return dict(node.selects.candidates)[step]


def _of_node(title: str, node: Node, selects: Selects, store: Store, model_of: ModelOf) -> _Asked:
    folder, way = store.node_folder(node), asked_with(node.base)
    return _Asked(title, model_of(node), way, folder.evaluation(selects.contract_id), folder)


def _checkpoints(
    node: Node, selects: Selects, store: Store, model_of: ModelOf
) -> Iterator[tuple[int, _Asked]]:
    """Yield the candidates by step: the user's checkpoints, or the adapters that training kept."""
    for step, candidate in selects.candidates:
        yield step, _of_node(f"step {step}", candidate, selects, store, model_of)
    if node.settings is None:
        return
    folder, model, way = store.node_folder(node), model_of(node), asked_with(node.base)
    for step in folder.kept_steps():
        kept = folder.kept(step)
        with_kept = model.model_copy(update={"adapter": str(kept.adapter)})
        evaluation = kept.evaluation(selects.contract_id)
        yield step, _Asked(f"step {step}", with_kept, way, evaluation, folder)


def _job(asked: _Asked, base: _Asked, selects: Selects, store: Store) -> EvaluateJob:
    return EvaluateJob(
        folder=str(asked.evaluation.path),
        node_folder=str(asked.node.path),
        model=asked.model,
        settings=selects.settings,
        contract_id=selects.contract_id,
        contract=selects.contract,
        references={},
        base=None if asked is base else str(base.evaluation.path),
        judges=str(store.judges.path),
        chat_template=digest(asked.way.template),
        tokenizer=asked.way.tokenizer,
        versions=versions(),
    )


def _show(show: OnEvent, what: str, event: dict[str, Any]) -> None:
    """Say of a job's event whose it is."""
    if event["event"] == "evaluating":
        event = {**event, "what": f"validation {event['what']} of {what}"}
    show(event)


def _selection(node: Node, measured: Measured, store: Store) -> Selection:
    # statistics take seconds to import, and most commands select nothing
    from stagelift.reports.numbers.trajectory import trajectory
    from stagelift.reports.records import read_trajectory
    from stagelift.reports.words.trajectory import selected_because

    record = read_trajectory(node.name, measured, store)
    curve = trajectory(node.name, node.name, record, None)
    return Selection(
        **measured.model_dump(),
        selected=curve.selected,
        why=selected_because(curve),
        curve={point.step: point.value for point in curve.points},
        alike=curve.alike,
    )
