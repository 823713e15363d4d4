"""What a training leaves on disk: the files' names, and which of them says that it is complete.

A node is one model in the graph of a run: base, or what a stage made of the node before it. Its
folder holds what it is (`node.json`), what training made (`stage.json` is written last) and an
evaluation for each contract that it was measured under.
"""

import shutil
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from stagelift.evals.files import (
    LaterSchemaError,
    read_numbered,
    read_record,
    write_numbered,
    write_record,
)
from stagelift.evals.folders import (
    REMEDY,
    RESULT,
    SMALLER_BATCH,
    EvaluationFolder,
    evaluation_folder,
)
from stagelift.evals.hashes import (
    DIFFERS,
    HASHES,
    MISSING,
    UNREADABLE,
    Damage,
    DamagedError,
    compared,
    files_in,
    finish_folder,
    hashes_of,
    write_hashes_again,
)
from stagelift.evals.models import adapters
from stagelift.evals.records import Hashed, Passport, Record, SmallerBatch
from stagelift.evals.whole import replaced_folder
from stagelift.stages.checkpoints import checkpoint_name, step_of
from stagelift.stages.records import ExportResult, FixedLogits, Selection, StageResult

AnyHashed = TypeVar("AnyHashed", bound=Hashed)
# of node.json; files without a number are of the first
SCHEMA = 2
NODE_FILE = "node.json"
CARD = "README.md"
# what a folder may hold that says nothing of its node: it is made again, or of one machine only
PASSING = ("checkpoints", ".lock")
# files that say of what lies beside them that it is complete, in the order they are written
_SELECTION, _EXPORT = "selection.json", "export.json"
_STAGE = "stage.json"
_KEPT = "kept"
COMPLETE = (adapters.CONFIG, RESULT, _STAGE, _SELECTION, _EXPORT)


class NodeRecord(Record):
    """What a node is.

    `identity` is what it is made of: of base the weights, of a trained stage its data, arguments,
    LoRA settings and seed. `parent` names the node that it was made from.
    """

    id: str
    kind: str
    parent: str | None
    identity: dict[str, Any]


@dataclass(frozen=True)
class TrainingFolder:
    """Where something is trained: a stage's node, or a judge."""

    path: Path

    @property
    def name(self) -> str:
        """What the folder is called."""
        return self.path.name

    @property
    def adapter(self) -> Path:
        """The folder of the trained LoRA adapter."""
        return self.path / "adapter"

    @property
    def card(self) -> Path:
        """The model card beside the adapter's weights."""
        return self.adapter / CARD

    @property
    def checkpoints(self) -> Path:
        """Where the trainer keeps its state while it trains."""
        return self.path / "checkpoints"

    @property
    def completions(self) -> Path:
        """What the trainer was asked to log of completions (`log_completions`)."""
        return self.path / "completions"

    @property
    def log_rows(self) -> Path:
        """The file of every logged step."""
        return self.path / "training.jsonl"

    @property
    def launch(self) -> Path:
        """Where a launcher's processes meet while they train."""
        return self.path / "launch"

    @property
    def lock_file(self) -> Path:
        """The file that the process locks which works here."""
        return self.path / ".lock"

    def log(self, job: str) -> Path:
        """The file of everything that libraries print during a job."""
        return self.path / f"{job}.log"

    def has_adapter(self) -> bool:
        """Say whether there is an adapter that peft can load."""
        return adapters.is_adapter(self.adapter)

    def is_trained(self) -> bool:
        """Say whether the record of the training is there, and with it everything else."""
        return self._result.exists()

    def read_result(self) -> StageResult:
        """Read the record of the training. Raises ValueError where it is damaged."""
        return self._read(self._result, StageResult)

    def hashes(self) -> dict[str, str]:
        """Return the hashes of what training left, by name; empty where earlier code wrote it."""
        return hashes_of(self.path, self._lasts)

    def damages_of_adapter(self) -> list[Damage]:
        """Return which files of the adapter are not what was written; none of what has no hash."""
        files = [name for name in self.hashes() if name.startswith(f"{self.adapter.name}/")]
        return compared(self.path, self._lasts, by_name=files) or []

    def write_hashes_again(self) -> None:
        """Write the file of hashes from the records that repeat them."""
        write_hashes_again(self.path, self._lasts)

    def _read(self, path: Path, kind: type[AnyHashed]) -> AnyHashed:
        """Read a record that says that something here is whole."""
        record = read_record(path, kind)
        damages = compared(self.path, self._lasts, by_name=[path.name])
        if damages:
            raise DamagedError(damages, REMEDY)
        return record

    @property
    def _lasts(self) -> list[Path]:
        """The records that each say that something is whole, and repeat hashes."""
        return [self._result]

    def _made(self) -> list[Path]:
        """Return the files that a training leaves; a card beside an adapter is not its own."""
        folders = (self.adapter, self.path / "model", self.path / _KEPT)
        inside = [file for folder in folders for file in _without_evaluations(folder)]
        beside = (self.path / NODE_FILE, self.log_rows, self._logits)
        return [*(file for file in beside if file.exists()), *inside]

    def drop_checkpoints(self) -> None:
        """Delete what a killed training would go on from; completions that were logged stay."""
        # TRL writes them where checkpoints are
        logged = self.checkpoints / self.completions.name
        if logged.is_dir():
            logged.rename(self.completions)
        shutil.rmtree(self.checkpoints, ignore_errors=True)

    def write_result(self, result: StageResult) -> None:
        """Write the record of the training, when everything else is written."""
        finish_folder(self.path, self._made(), self._result, result)

    def read_logits(self) -> FixedLogits | None:
        """Read what the trained model said to fixed tokens; None of what was trained earlier."""
        return read_record(self._logits, FixedLogits) if self._logits.exists() else None

    def write_logits(self, logits: FixedLogits) -> None:
        """Write what the trained model says to fixed tokens."""
        write_record(self._logits, logits)

    def read_smaller_batch(self) -> SmallerBatch | None:
        """Read in which parts batches are taken since memory ran out; None where it has not, or
        what says so cannot be read: then it runs out once more.
        """
        file = self._smaller_batch
        try:
            return read_record(file, SmallerBatch) if file.exists() else None
        except ValueError:
            return None

    def write_smaller_batch(self, batch: SmallerBatch) -> None:
        """Write that memory ran out: whoever goes on takes batches in parts."""
        write_record(self._smaller_batch, batch)

    @property
    def _smaller_batch(self) -> Path:
        # the stage's record says it in the end
        return self.checkpoints / SMALLER_BATCH

    @property
    def _logits(self) -> Path:
        return self.path / "logits.json"

    @property
    def _result(self) -> Path:
        return self.path / _STAGE


@dataclass(frozen=True)
class NodeFolder(TrainingFolder):
    """The folder of one node, named by the node's id."""

    def is_described(self) -> bool:
        """Say whether it is written down what the node is."""
        return self.description.exists()

    def describe(self, node: NodeRecord) -> None:
        """Write down what the node is."""
        write_numbered(self.description, node.model_dump(), SCHEMA)

    def read(self) -> NodeRecord:
        """Read what the node is. Raises OSError where nothing says so, ValueError if damaged."""
        return read_numbered(self.description, NodeRecord, SCHEMA)

    def evaluation(self, contract_id: str, repeat: int = 0) -> EvaluationFolder:
        """Return where the node is evaluated under a contract, or a repetition of that."""
        return evaluation_folder(self._evaluations, contract_id, repeat)

    def evaluations(self) -> Sequence[EvaluationFolder]:
        """Return the folders of the node's complete evaluations."""
        results = sorted(self._evaluations.glob(f"*/{RESULT}"))
        return [EvaluationFolder(file.parent) for file in results]

    def kept(self, step: int) -> "NodeFolder":
        """Return the folder of a checkpoint that one will be selected among: as of a node, with
        its adapter and evaluations.
        """
        return NodeFolder(self._kept / checkpoint_name(step))

    def kept_steps(self) -> list[int]:
        """Return the steps whose adapters were kept, in order."""
        folders = [NodeFolder(path) for path in self._kept.glob("checkpoint-*")]
        return sorted(step_of(folder.path) for folder in folders if folder.has_adapter())

    def adopt(self, step: int) -> None:
        """Make the adapter that was kept at a step the node's own."""
        kept = self.kept(step)
        logits = kept.read_logits()
        if logits is not None:
            self.write_logits(logits)
        with replaced_folder(self.adapter) as beside:
            shutil.copytree(kept.adapter, beside, dirs_exist_ok=True)

    @property
    def exported(self) -> Path:
        """The folder of the model that an export is, as transformers loads it."""
        return self.path / "model"

    def is_exported(self) -> bool:
        """Say whether the record of the export is there, and with it the model."""
        return self._export.exists()

    def read_export(self) -> ExportResult:
        """Read the record of the export."""
        return self._read(self._export, ExportResult)

    def write_export(self, result: ExportResult) -> None:
        """Write the record of the export, when its model is there."""
        finish_folder(self.path, self._made(), self._export, result)

    def is_selected(self) -> bool:
        """Say whether the node is one of several checkpoints, and which is written down."""
        return self.selection.exists()

    def read_selection(self) -> Selection:
        """Read which checkpoint the node is, and why."""
        return self._read(self.selection, Selection)

    def write_selection(self, selection: Selection) -> None:
        """Write which checkpoint the node is, when its adapter is there."""
        adopted = [file for file in (self._logits, *_adapter_files(self.adapter)) if file.exists()]
        finish_folder(self.path, adopted, self.selection, selection, beside=True)

    def damages(self, *, weighs: bool = True) -> list[Damage]:
        """Return which files of the node itself are not what was written, or are missing.

        Evaluations speak for themselves. The model of an export is gigabytes: unless it `weighs`
        them, only whether they are all there is looked at.
        """
        return [*self.damages_of_description(), *self._damages_of_training(weighs=weighs)]

    def damages_of_records(self) -> list[Damage]:
        """Return what is missing of the records that a report reads, or is wrong with the first."""
        return [*self.damages_of_description(), *self._lost_records()]

    def damages_of_description(self) -> list[Damage]:
        if not self.is_described():
            known = self.hashes() or any(one.is_hashed() for one in self.evaluations())
            is_lost = known and not self._is_kept
            return [Damage(self.description, MISSING)] if is_lost else []
        try:
            record = self.read()
        except LaterSchemaError:
            raise
        except ValueError:
            return [Damage(self.description, DIFFERS)]
        says = f"says that it is {record.id}, and lies in the folder of {self.name}"
        return [] if record.id == self.name else [Damage(self.description, says)]

    def _damages_of_training(self, *, weighs: bool) -> list[Damage]:
        lost = self._lost_records()
        if not any(last.exists() for last in self._lasts):
            return lost
        known = self.hashes().keys() - {last.name for last in self._lasts if not last.exists()}
        exported = {name for name in known if name.startswith(f"{self.exported.name}/")}
        skipped = set() if weighs else exported
        found = compared(self.path, self._lasts, by_name=known - skipped)
        if found is None:
            return self._damages_of_earlier()
        found += lost
        away = [self.path / name for name in sorted(skipped) if not (self.path / name).is_file()]
        return [*found, *(Damage(file, MISSING) for file in away), *self._damages_of_size(skipped)]

    def _lost_records(self) -> list[Damage]:
        """Return the records that were there once: the node's evaluations come after them."""
        known = self.hashes() if self.evaluations() else {}
        lost = [last for last in self._lasts if last.name in known and not last.exists()]
        return [Damage(last, MISSING) for last in lost]

    def _damages_of_size(self, exported: Collection[str]) -> list[Damage]:
        """Say whether the files of an export are as large together as they were."""
        files = [self.path / name for name in exported]
        if not files or not all(file.is_file() for file in files):
            return []
        size = sum(file.stat().st_size for file in files)
        try:
            is_whole = size == read_record(self._export, ExportResult).bytes
        # said of that file already
        except ValueError:
            is_whole = True
        return [] if is_whole else [Damage(self.exported, f"is not whole: it has {size} bytes")]

    def _damages_of_earlier(self) -> list[Damage]:
        """Say what can be known of what was written without hashes."""
        found = []
        for last, kind in (
            (self._result, StageResult),
            (self.selection, Selection),
            (self._export, ExportResult),
        ):
            try:
                if last.exists():
                    read_record(last, kind)
            except ValueError:
                found.append(Damage(last, UNREADABLE))
        is_one = self.is_trained() and (self.is_selected() or not self.kept_steps())
        problem = adapters.problem_of(self.adapter) if is_one else None
        return found if problem is None else [*found, problem]

    @property
    def _lasts(self) -> list[Path]:
        return [self._result, self.selection, self._export]

    @property
    def _is_kept(self) -> bool:
        """Whether this is a checkpoint that was kept: the node around it says what it is."""
        return self.path.parent.name == _KEPT

    @property
    def _kept(self) -> Path:
        return self.path / _KEPT

    @property
    def _export(self) -> Path:
        return self.path / _EXPORT

    @property
    def selection(self) -> Path:
        """The file that says which of several checkpoints the node is."""
        return self.path / _SELECTION

    @property
    def spared(self) -> set[str]:
        """The files that a node can do without: a log, and a cross-check that hashes make, too."""
        return {self.log_rows.name, self._logits.name}

    def made_again(self, damaged: Collection[str]) -> list[str]:
        """Name what is made anew where some files are damaged, the records last.

        Of a stage that was selected among whole checkpoints that is the selection only.
        """
        adopted = (self.adapter.name, self._logits.name)
        inside = {name.split("/")[0] for name in damaged}
        if damaged and self.kept_steps() and inside <= {*adopted, _SELECTION}:
            return [*adopted, _SELECTION]
        made = (self.adapter, self.exported, self._kept, self.completions, self.checkpoints)
        names = [*(folder.name for folder in made), self.log_rows.name, self._logits.name]
        return [*names, HASHES, _SELECTION, _EXPORT, _STAGE]

    @property
    def description(self) -> Path:
        """The file that says what the node is."""
        return self.path / NODE_FILE

    @property
    def _evaluations(self) -> Path:
        return self.path / "evals"


def _adapter_files(folder: Path) -> list[Path]:
    return files_in(folder, CARD)


def _without_evaluations(folder: Path) -> list[Path]:
    """Return the files of models, adapters and logits in a folder."""
    files = _adapter_files(folder)
    return [file for file in files if "evals" not in file.relative_to(folder).parts[:-1]]


@dataclass(frozen=True)
class JudgeFolder(TrainingFolder):
    """The folder of a trained judge; its passport, what is known of it, is written last."""

    @property
    def model(self) -> Path:
        """The folder of the reward model."""
        return self.path / "model"

    @property
    def request(self) -> Path:
        """The file that says what was to be trained."""
        return self.path / "judge.json"

    def is_complete(self) -> bool:
        """Say whether the judge has its passport."""
        return self._passport.exists()

    def read_passport(self) -> Passport:
        """Read what is known of the judge."""
        return read_record(self._passport, Passport)

    def write_passport(self, passport: Passport) -> None:
        """Write what is known of the judge, when everything else is written."""
        write_record(self._passport, passport)

    @property
    def _passport(self) -> Path:
        return self.path / "passport.json"
