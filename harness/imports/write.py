"""An imported run on disk: a node for each stage, and a run that refers to them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from stagelift.evals.files import write_records
from stagelift.evals.folders import TaskFiles
from stagelift.harness.environment import versions
from stagelift.harness.graph.imported import ImportedGraph
from stagelift.harness.graph.store import Store, lock_run
from stagelift.harness.imports.measure import MeasuredStage
from stagelift.reports.run_file import RunChain, RunFile, RunStage, StageSource
from stagelift.stages.folders import NodeRecord


class ImportedFiles(NamedTuple):
    """What run.json says beside the stages."""

    name: str
    recipe: dict[str, object]
    model: str
    origins: Mapping[Path, StageSource]
    notes: tuple[str, ...]


def write_run(
    run: ImportedFiles, graph: ImportedGraph, measured: Sequence[MeasuredStage], store: Store
) -> Path:
    """Write the run, run.json last, and return its folder."""
    folder = store.run(run.name)
    # nodes come before the run.json that refers to them
    with lock_run(folder), store.lock():
        stages = [
            _write_stage(graph, place, measured[place], run, store) for place in graph.in_order()
        ]
        folder.write(
            RunFile(
                name=run.name,
                recipe=run.recipe,
                model=run.model,
                data=", ".join(dict.fromkeys(origin.file for origin in run.origins.values())),
                device="",
                versions=versions(),
                stages=tuple(stages),
                chains=tuple(
                    RunChain(
                        variant=chain.variant,
                        seed=chain.seed,
                        stages=tuple(
                            (slot, graph.nodes[place].name) for slot, place in chain.slots
                        ),
                    )
                    for chain in graph.chains
                ),
                reference=graph.reference,
                sessions=(),
                finished=True,
                notes=run.notes,
            )
        )
    return folder.path


def _write_stage(
    graph: ImportedGraph, place: int, measured: MeasuredStage, run: ImportedFiles, store: Store
) -> RunStage:
    """Write one stage as a node of its own."""
    imported = graph.nodes[place]
    stage = imported.stage
    node = store.node(measured.node)
    evaluation = node.evaluation(measured.result.contract_id)
    node.describe(
        NodeRecord(id=node.name, kind="imported", parent=None, identity={"stage": imported.name})
    )
    write_records(evaluation.generations, stage.generations)
    for task, scores in stage.task_scores.items():
        write_records(TaskFiles(evaluation.tasks, task).scores, scores)
    evaluation.finish(stage.scores, measured.verdicts, measured.result)
    return RunStage(
        name=imported.name,
        kind="imported",
        node=store.relative(node.path),
        evaluation=store.relative(evaluation.path),
        parent=graph.nodes[imported.before[-1]].name if imported.before else None,
        source=None if stage.file is None else run.origins[stage.file],
    )
