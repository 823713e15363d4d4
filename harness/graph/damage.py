"""What of a plan's stored nodes, evaluations and judges is not what was written, or cannot be read.

Files are hashed, not loaded: this is cheap enough for every run, and every plan.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from stagelift.evals.files import read_records
from stagelift.evals.folders import REMEDY, EvaluationFolder, JudgesFolder
from stagelift.evals.hashes import UNREADABLE, Damage, damages_of_sealed
from stagelift.evals.judges.openai import Answer
from stagelift.harness.disagreements import disagreements
from stagelift.harness.errors import UsageError
from stagelift.harness.graph.node import Node, Plan, candidates
from stagelift.harness.graph.store import Store
from stagelift.reports.folders import RunFolder
from stagelift.stages.folders import NodeFolder

AnyFolder = NodeFolder | EvaluationFolder | RunFolder | JudgesFolder


@dataclass(frozen=True)
class DamagedFolder:
    """A folder and which of its files are not what was written."""

    folder: AnyFolder
    damages: tuple[Damage, ...]


class DamagedPlanError(UsageError):
    """Records or adapters that a plan goes on with are damaged; it names the first few."""

    def __init__(self, damages: Iterable[Damage]) -> None:
        *most, last = named = [str(damage) for damage in damages]
        several = f"{'; '.join(most[:4])}; and {last}" if most else last
        more = "" if len(named) <= 5 else f" ({len(named)} files in all)"
        self.problem = f"What is stored is damaged: {several}{more}. Nothing was done."
        super().__init__(f"{self.problem} {REMEDY}")


def refuse_damage(plan: Plan, store: Store) -> None:
    """Raise DamagedPlanError where something is damaged that a plan would go on with, or report."""
    damages = [damage for found in damaged_folders(plan, store) for damage in found.damages]
    if damages:
        raise DamagedPlanError(damages)


def damaged_folders(plan: Plan, store: Store) -> list[DamagedFolder]:
    """Return the damaged folders of a plan, each node before what follows it."""
    found: dict[Path, DamagedFolder] = {}
    for folder, damages in _looked_at(plan, store):
        if damages:
            found[folder.path] = DamagedFolder(folder, tuple(damages))
    return list(found.values())


def evaluation_damages(evaluation: EvaluationFolder) -> list[Damage]:
    """Return what of an evaluation is not what was written, or contradicts the rest of it."""
    damages = evaluation.damages()
    if damages or not evaluation.is_complete():
        return damages
    return disagreements(evaluation)


def judges_damages(judges: JudgesFolder) -> list[Damage]:
    """Return the files of judges that cannot be read."""
    found = [
        damage
        for agreement in judges.gold_agreements()
        for damage in damages_of_sealed(agreement, partial(judges.read_gold, agreement))
    ]
    try:
        read_records(judges.answers, Answer)
    except ValueError:
        found.append(Damage(judges.answers, UNREADABLE))
    return found


def _looked_at(plan: Plan, store: Store) -> Iterator[tuple[AnyFolder, list[Damage]]]:
    run = store.run(plan.recipe.name)
    yield run, run.damages()
    for node in plan.nodes:
        for each in (*candidates(node), node):
            weighs = not store.is_evaluated(each, plan)
            folder = store.node_folder(each)
            yield folder, folder.damages(weighs=weighs)
        for evaluation in _evaluations(node, plan, store):
            yield evaluation, evaluation_damages(evaluation)
    yield store.judges, judges_damages(store.judges)


def _evaluations(node: Node, plan: Plan, store: Store) -> Iterator[EvaluationFolder]:
    yield store.evaluation_folder(node, plan)
    yield from (
        store.evaluation_folder(node, plan, repeat)
        for repeated, repeat in plan.repeats
        if repeated is node or repeated.id == node.id
    )
    yield from validations(node, store)


def validations(node: Node, store: Store) -> list[EvaluationFolder]:
    """Return the evaluations that a node is selected by; none where it is not one of several."""
    if node.selects is None:
        return []
    folder, contract = store.node_folder(node), node.selects.contract_id
    validated = [store.node_folder(each) for each in (node.root, *candidates(node))]
    places = [*validated, *map(folder.kept, folder.kept_steps())]
    return [place.evaluation(contract) for place in places]
