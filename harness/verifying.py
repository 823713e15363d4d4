"""`stagelift verify`: is everything that a run refers to what was written, and does it agree?

Every hash is computed again, stored responses are read again and compared with the stored scores,
and nodes are called what they are. Nothing is loaded, trained or written, and no code of the
user's is run.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from stagelift.evals.folders import EvaluationFolder
from stagelift.evals.hashes import MISSING, WAS_FINISHED, Damage
from stagelift.harness.graph.damage import judges_damages
from stagelift.harness.graph.node import node_id
from stagelift.harness.readings import readings
from stagelift.reports.folders import RunFolder
from stagelift.reports.records import NothingEvaluatedError, read_run
from stagelift.reports.run_file import RunFile
from stagelift.stages.folders import NodeFolder, NodeRecord
from stagelift.stages.kinds import KINDS
from stagelift.stages.records import EXPORT

# what an import calls its nodes: their names are hashes of what was imported
_IMPORTED = "imported"


@dataclass(frozen=True)
class Verified:
    """What became of a run: how many `files` have the hash they were written with, what is damaged,
    what was written before there were hashes, and what could not be compared.
    """

    run: str
    files: int
    damages: tuple[Damage, ...]
    not_hashed: tuple[Path, ...]
    not_compared: tuple[str, ...]
    remedy: str

    @property
    def is_whole(self) -> bool:
        return not self.damages


def verify(folder: RunFolder) -> Verified:
    """Look at everything that a run refers to. Raises ValueError where it is no run."""
    damages = folder.damages()
    if not damages:
        folder.check_is_run()
    look = _Look(folder)
    if not damages:
        look.at(folder.read())
        damages = look.damages()
    return Verified(
        run=folder.name,
        files=look.files,
        damages=tuple(damages),
        not_hashed=tuple(look.not_hashed),
        not_compared=tuple(look.not_compared),
        remedy=folder.remedy(),
    )


class _Look:
    """One look at a run: what was seen so far, each folder once."""

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder
        self.files = 0
        self.not_hashed: list[Path] = []
        self.not_compared: list[str] = []
        self.found: dict[tuple[Path, str], Damage] = {}
        self.nodes = set[Path]()
        self.evaluations = set[Path]()

    def damages(self) -> list[Damage]:
        """Return what is damaged, in the order it was seen."""
        return list(self.found.values())

    def at(self, run: RunFile) -> None:
        """Look at the stages of a run, and at what they were made from and measured by."""
        root = self.folder.runs.root
        for stage in run.stages:
            node = NodeFolder(root / stage.node)
            self._node(node)
            for candidate in stage.candidates:
                self._node(NodeFolder(root / candidate))
            evaluation = EvaluationFolder(root / stage.evaluation)
            self._evaluation(evaluation)
            if run.finished and not node.damages():
                self._add(_not_done(stage.kind, node, evaluation))
        for repeat in run.repeats:
            self._evaluation(EvaluationFolder(root / repeat.evaluation))
        self._add(judges_damages(self.folder.runs.judges))
        if not self.found:
            self._add(_disagreements(self.folder))

    def _node(self, node: NodeFolder) -> None:
        if node.path in self.nodes:
            return
        self.nodes.add(node.path)
        if not node.path.is_dir():
            self._add([Damage(node.path, MISSING)])
            return
        damages = node.damages()
        self._add(damages)
        self._count(node.path, node.hashes(), is_written=node.is_trained() or node.is_exported())
        if node.damages_of_description() or not node.is_described():
            return
        self._add(_misnamed(node, node.read()))
        parent = node.read().parent
        if parent is not None:
            self._node(self.folder.runs.node(parent))
        if node.is_selected() and not damages:
            selection = node.read_selection()
            for place in (selection.base, *selection.checkpoints.values()):
                self._evaluation(EvaluationFolder(self.folder.runs.root / place))

    def _evaluation(self, evaluation: EvaluationFolder) -> None:
        if evaluation.path in self.evaluations:
            return
        self.evaluations.add(evaluation.path)
        damages = evaluation.damages()
        self._add(damages)
        if not evaluation.is_complete():
            return
        self._count(evaluation.path, evaluation.hashes(), is_written=True)
        # hashes that somebody wrote anew say nothing of what can be read
        unreadable = damages or evaluation.unreadable()
        self._add(unreadable)
        if not unreadable:
            seen = readings(evaluation.read_all())
            self._add(seen.damages)
            self.not_compared += [f"{evaluation.path}: {reason}" for reason in seen.not_compared]

    def _count(self, path: Path, hashes: dict[str, str], *, is_written: bool) -> None:
        self.files += len(hashes)
        if is_written and not hashes:
            self.not_hashed.append(path)

    def _add(self, damages: Iterable[Damage]) -> None:
        for damage in damages:
            self.found.setdefault((damage.file, damage.what), damage)


def _not_done(kind: str, node: NodeFolder, evaluation: EvaluationFolder) -> list[Damage]:
    """Say what a finished run lacks."""
    found = []
    if kind in {known.name for known in KINDS} and not node.is_trained():
        found.append(Damage(node.path, f"is not trained to its end, {WAS_FINISHED}"))
    if kind == EXPORT and not node.is_exported():
        found.append(Damage(node.path, f"is no whole export, {WAS_FINISHED}"))
    if not evaluation.is_complete():
        found.append(Damage(evaluation.result, f"{MISSING}, {WAS_FINISHED}"))
    return found


def _misnamed(node: NodeFolder, record: NodeRecord) -> list[Damage]:
    """Say where a node is not called what it says that it is."""
    name = node_id(record.kind, record.identity, record.parent)
    if record.kind == _IMPORTED or name == record.id:
        return []
    return [Damage(node.description, f"says what would be called {name}")]


def _disagreements(folder: RunFolder) -> list[Damage]:
    """Say what a report refuses to say of the whole run."""
    try:
        read_run(folder.path)
    except NothingEvaluatedError:
        return []
    except ValueError as error:
        # it was said of each evaluation
        if "earlier stagelift" not in str(error):
            return [Damage(folder.path, f"cannot be reported: {error}")]
    return []
