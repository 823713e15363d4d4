"""`stagelift import`: results produced elsewhere become an ordinary run.

So every report and check works on them.
"""

import hashlib
import tempfile
from functools import cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

from stagelift.evals.data.bundled_data import SCHOOLMATH
from stagelift.evals.data.clusters import partition
from stagelift.evals.data.preferences import load_preferences
from stagelift.evals.data.source import Source
from stagelift.evals.files import write_records
from stagelift.evals.folders import TaskFiles
from stagelift.evals.imports.alpaca_eval import read_alpaca_eval
from stagelift.evals.imports.lm_eval import read_lm_eval
from stagelift.evals.imports.responses import read_responses
from stagelift.evals.imports.results import (
    Imported,
    ImportedStage,
    notes_of_targets,
    task_metrics,
)
from stagelift.evals.judges import reference
from stagelift.evals.judges.gold import gold_agreement
from stagelift.evals.judges.judging import judge_responses
from stagelift.evals.judges.passport import passport
from stagelift.evals.metrics.answers.reading import EXTRACTION
from stagelift.evals.metrics.clusters import clusters_of
from stagelift.evals.metrics.suite import compute_metrics
from stagelift.evals.records import EvalResult, GoldAgreement, Passport, Role, Verdict
from stagelift.harness.environment import versions
from stagelift.harness.errors import UsageError
from stagelift.harness.graph.digest import digest
from stagelift.harness.graph.store import Store, check_run_folder, lock_run
from stagelift.harness.recipes.sections import BUNDLED_GOLD, check_run_name
from stagelift.reports.records import read_run
from stagelift.reports.report import build_report
from stagelift.reports.run_file import RunFile, RunStage
from stagelift.stages.folders import NodeRecord

ImportFormat = Literal["responses", "lm-eval", "alpaca-eval"]


class ImportedRun(NamedTuple):
    """The folder of a run that was imported, and what of its file was left out or is not known."""

    folder: Path
    notes: tuple[str, ...]


def import_results(file: Path, form: ImportFormat, name: str, store: Store) -> ImportedRun:
    """Write a run called `name`.

    Raises ValueError or UsageError before anything is written.
    """
    if not file.is_file():
        raise UsageError(
            f"'{file}' is not a file. Give a file of results, such as one that lm-eval or "
            "AlpacaEval wrote."
        )
    check_run_name(name)
    imported = _read(file, form)
    origin: dict[str, object] = {
        "imported": {"as": form, "sha256": hashlib.sha256(file.read_bytes()).hexdigest()},
    }
    check_run_folder(store.run(name), origin)
    measured = _measured(imported, _contract(form, imported))
    # a rehearsal: what would stop a report stops the import
    with tempfile.TemporaryDirectory() as scratch:
        build_report(
            [read_run(_write(name, file, imported, measured, origin, Store(Path(scratch))))]
        )
    folder = _write(name, file, imported, measured, origin, store)
    return ImportedRun(folder, (*imported.notes, *notes_of_targets(imported.stages)))


class _Measured(NamedTuple):
    """A stage as it is stored: the name of its node, how it was judged, and what was measured."""

    node: str
    verdicts: list[Verdict]
    result: EvalResult


def _measured(imported: Imported, contract: dict[str, Any]) -> list[_Measured]:
    """Judge and measure every stage. Raises UsageError where there is nothing to average."""
    measured, answered = [], list[str]()
    for position, stage in enumerate(imported.stages):
        verdicts, judged_by = _judged(position, imported)
        result = _result(stage, verdicts, judged_by, contract)
        measured.append(_Measured(_node_id(stage, answered), verdicts, result))
        # once a stage: each is part of every later one's name
        answered.append(digest([response.model_dump() for response in stage.generations]))
    return measured


def _write(
    name: str,
    file: Path,
    imported: Imported,
    measured: list[_Measured],
    origin: dict[str, object],
    store: Store,
) -> Path:
    """Write the run, run.json last, and return its folder."""
    folder = store.run(name)
    # nodes come before the run.json that refers to them
    with lock_run(folder), store.lock():
        stages = [
            _write_stage(position, imported, measured[position], store)
            for position in range(len(imported.stages))
        ]
        folder.write(
            RunFile(
                name=name,
                recipe=origin,
                model=imported.model,
                data=file.name,
                device="",
                versions=versions(),
                stages=tuple(stages),
                sessions=(),
                finished=True,
            )
        )
    return folder.path


def _read(file: Path, form: ImportFormat) -> Imported:
    match form:
        case "responses":
            return read_responses(file)
        case "lm-eval":
            return read_lm_eval(file)
        case _:
            return read_alpaca_eval(file)


def _contract(form: ImportFormat, imported: Imported) -> dict[str, Any]:
    """What must agree for two imports to be compared.

    That is the same prompts and targets in the same clusters, read and judged the same way.
    """
    asked = sorted(
        {(score.id, score.question, score.target) for score in imported.stages[0].scores}, key=str
    )
    given = {
        "data": asked,
        "judge": reference.ID if _can_judge(imported) else None,
        **imported.contract,
    }
    samples = max((score.sample for score in imported.stages[0].scores), default=0) + 1
    return {
        **given,
        "imported": form,
        "data": digest(given["data"]),
        "samples": samples,
        "extraction": EXTRACTION,
        **_clusters(imported),
    }


def _clusters(imported: Imported) -> dict[str, str]:
    """What the contract says of clusters: how many, and which prompts come together."""
    clusters = clusters_of(imported.stages[0].scores)
    if not clusters:
        return {}
    together = partition(clusters)
    return {"clusters": f"{len(together)} clusters, {digest(together)}"}


def _can_judge(imported: Imported) -> bool:
    """The reference judge needs a target everywhere."""
    scores = [score for stage in imported.stages for score in stage.scores]
    return bool(scores) and all(score.correct is not None for score in scores)


def _write_stage(position: int, imported: Imported, measured: _Measured, store: Store) -> RunStage:
    """Write one stage as a node of its own."""
    stage = imported.stages[position]
    node = store.node(measured.node)
    evaluation = node.evaluation(measured.result.contract_id)
    node.describe(
        NodeRecord(id=node.name, kind="imported", parent=None, identity={"stage": stage.name})
    )
    write_records(evaluation.generations, stage.generations)
    for task, scores in stage.task_scores.items():
        write_records(TaskFiles(evaluation.tasks, task).scores, scores)
    evaluation.finish(stage.scores, measured.verdicts, measured.result)
    return RunStage(
        name=stage.name,
        kind="imported",
        node=store.relative(node.path),
        evaluation=store.relative(evaluation.path),
        parent=imported.stages[position - 1].name if position else None,
    )


def _node_id(stage: ImportedStage, before: list[str]) -> str:
    """Hash what a stage answered and scored, and what those `before` it answered."""
    records = (*stage.generations, *stage.scores, *stage.verdicts)
    content = [record.model_dump() for record in records]
    return f"imported-{digest([content, before, _plain(stage)])}"


def _result(
    stage: ImportedStage,
    verdicts: list[Verdict],
    judged_by: Passport | None,
    contract: dict[str, Any],
) -> EvalResult:
    """Measure a stage. Raises UsageError where there is nothing to average."""
    measured = compute_metrics(stage.scores, verdicts)
    tasks = task_metrics(score for scores in stage.task_scores.values() for score in scores)
    if not measured.metrics and not tasks:
        raise UsageError(
            f"Nothing in stage '{stage.name}' can be averaged over prompts, so there is nothing to "
            "import."
        )
    return EvalResult(
        contract_id=digest(contract),
        contract=contract,
        metrics=measured.metrics | tasks,
        outcomes=measured.outcomes,
        win_tie_loss=measured.win_tie_loss,
        extrapolated=measured.extrapolated,
        passport=judged_by,
        seconds=None,
        peak_memory_bytes=None,
        versions=versions(),
    )


def _plain(stage: ImportedStage) -> dict[str, Any]:
    return {
        task: [score.model_dump() for score in scores] for task, scores in stage.task_scores.items()
    }


def _judged(position: int, imported: Imported) -> tuple[list[Verdict], Passport | None]:
    """Take the file's verdicts, else ask the reference judge.

    It compares with the first and the previous stage.
    """
    stage = imported.stages[position]
    if stage.verdicts:
        return stage.verdicts, passport(
            imported.contract["judge"], None, stage.verdicts, None, None
        )
    if position == 0 or not _can_judge(imported):
        return [], None
    others: dict[Role, ImportedStage] = {
        "base": imported.stages[0],
        "previous": imported.stages[position - 1],
    }
    against = {role: (other.scores, other.generations) for role, other in others.items()}
    judge = reference.reference_judge()
    verdicts = judge_responses((stage.scores, stage.generations), against, judge, ["test"])
    return verdicts, passport(judge.id, None, verdicts, _reference_gold(), None)


@cache
def _reference_gold() -> GoldAgreement | None:
    """The same for every stage, in the rehearsal and after it."""
    gold = Source(path=SCHOOLMATH, split="test", limit=BUNDLED_GOLD)
    return gold_agreement(
        reference.reference_judge(), load_preferences(gold), f"{gold.path}, {gold.split}"
    )
