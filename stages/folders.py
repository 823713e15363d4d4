"""What a training leaves on disk: the files' names, and which of them says that it is complete.

A node is one model in the graph of a run: base, or what a stage made of the node before it. Its
folder holds what it is (`node.json`), what training made (`stage.json` is written last) and an
evaluation for each contract that it was measured under.
"""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stagelift.evals.files import (
    read_numbered,
    read_record,
    replaced_folder,
    write_numbered,
    write_record,
)
from stagelift.evals.folders import RESULT, EvaluationFolder, evaluation_folder
from stagelift.evals.models import adapters
from stagelift.evals.records import Passport, Record
from stagelift.stages.checkpoints import checkpoint_name, step_of
from stagelift.stages.records import ExportResult, FixedLogits, Selection, StageResult

# of node.json; files without a number are of the first
SCHEMA = 2
NODE_FILE = "node.json"
CARD = "README.md"
# what a folder may hold that says nothing of its node: it is made again, or of one machine only
PASSING = ("checkpoints", ".lock")
# files that say of what lies beside them that it is complete, in the order they are written
_SELECTION, _EXPORT = "selection.json", "export.json"
COMPLETE = (adapters.CONFIG, RESULT, "stage.json", _SELECTION, _EXPORT)


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
        """Read the record of the training."""
        return read_record(self._result, StageResult)

    def drop_checkpoints(self) -> None:
        """Delete what a killed training would go on from; completions that were logged stay."""
        # TRL writes them where checkpoints are
        logged = self.checkpoints / self.completions.name
        if logged.is_dir():
            logged.rename(self.completions)
        shutil.rmtree(self.checkpoints, ignore_errors=True)

    def write_result(self, result: StageResult) -> None:
        """Write the record of the training, when everything else is written."""
        write_record(self._result, result)

    def read_logits(self) -> FixedLogits | None:
        """Read what the trained model said to fixed tokens; None of what was trained earlier."""
        return read_record(self._logits, FixedLogits) if self._logits.exists() else None

    def write_logits(self, logits: FixedLogits) -> None:
        """Write what the trained model says to fixed tokens."""
        write_record(self._logits, logits)

    @property
    def _logits(self) -> Path:
        return self.path / "logits.json"

    @property
    def _result(self) -> Path:
        return self.path / "stage.json"


@dataclass(frozen=True)
class NodeFolder(TrainingFolder):
    """The folder of one node, named by the node's id."""

    def is_described(self) -> bool:
        """Say whether it is written down what the node is."""
        return self._description.exists()

    def describe(self, node: NodeRecord) -> None:
        """Write down what the node is."""
        write_numbered(self._description, node.model_dump(), SCHEMA)

    def read(self) -> NodeRecord:
        """Read what the node is. Raises OSError where nothing says so, ValueError if damaged."""
        return read_numbered(self._description, NodeRecord, SCHEMA)

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
        return read_record(self._export, ExportResult)

    def write_export(self, result: ExportResult) -> None:
        """Write the record of the export, when its model is there."""
        write_record(self._export, result)

    def is_selected(self) -> bool:
        """Say whether the node is one of several checkpoints, and which is written down."""
        return self._selection.exists()

    def read_selection(self) -> Selection:
        """Read which checkpoint the node is, and why."""
        return read_record(self._selection, Selection)

    def write_selection(self, selection: Selection) -> None:
        """Write which checkpoint the node is, when its adapter is there."""
        write_record(self._selection, selection)

    @property
    def _kept(self) -> Path:
        return self.path / "kept"

    @property
    def _export(self) -> Path:
        return self.path / _EXPORT

    @property
    def _selection(self) -> Path:
        return self.path / _SELECTION

    @property
    def _description(self) -> Path:
        return self.path / NODE_FILE

    @property
    def _evaluations(self) -> Path:
        return self.path / "evals"


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
