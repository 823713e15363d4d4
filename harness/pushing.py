"""What `stagelift push` uploads of a stage: its adapter and its model card, without local paths."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

from stagelift.evals.models.adapters import CONFIG, settings_of
from stagelift.evals.models.given import check_adapter
from stagelift.evals.nearest import did_you_mean
from stagelift.harness.agreeing import read_agreeing_run
from stagelift.harness.errors import UsageError
from stagelift.harness.outputs import with_base
from stagelift.reports.folders import RunFolder
from stagelift.reports.formats.card import render_card
from stagelift.reports.records import NothingEvaluatedError, RunRecord, StageRecord
from stagelift.reports.run_file import RunStage
from stagelift.stages.folders import CARD, NodeFolder
from stagelift.stages.kinds import KINDS

# anything else that lies in an adapter's folder is the user's
_UPLOADED = (
    CARD,
    CONFIG,
    "adapter_model.safetensors",
    "adapter_model.bin",
    "added_tokens.json",
    "chat_template.jinja",
    "merges.txt",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "vocab.json",
    "vocab.txt",
)
# whose machine it was made on
_HOME = re.compile(r"(?<![\w.])(?:/home|/Users|[A-Za-z]:\\{1,2}Users)[/\\]+[^\s/\\\"']+")


@dataclass(frozen=True)
class UploadFile:
    """A file under its name in the repository, and what is in it: the bytes, or where they are."""

    name: str
    content: bytes | Path

    @property
    def size(self) -> int:
        """How many bytes it has."""
        return len(self.content) if isinstance(self.content, bytes) else self.content.stat().st_size


@dataclass(frozen=True)
class Upload:
    """The files of a stage, and what their reader should know that is still to be filled in."""

    title: str
    files: tuple[UploadFile, ...]
    notes: tuple[str, ...]


def prepare_upload(folder: RunFolder, stage: str) -> Upload:
    """Return what is uploaded of a stage. Raises UsageError, in a sentence, where it has no adapter
    of its own or is not whole, and ValueError where the records cannot be read.
    """
    folder.check_is_run()
    listed = _listed(folder, stage)
    node = NodeFolder(folder.runs.root / listed.node)
    _refuse_without_adapter(folder.name, listed, node)
    damages = node.damages_of_adapter()
    if damages:
        raise UsageError(f"Nothing was uploaded: {damages[0]}. {folder.what_else()}")
    run = _read(folder, stage)
    record = run.stage(stage)
    run = with_base(run, record)
    files = [_file(path, run, record) for path in _paths(node)]
    return Upload(
        title=f"stage {stage} of run {run.name}",
        files=tuple(files),
        notes=tuple(_notes(run, record, files)),
    )


def _listed(folder: RunFolder, stage: str) -> RunStage:
    stages = {listed.name: listed for listed in folder.read().stages}
    if stage not in stages:
        raise UsageError(
            f"Run '{folder.name}' has no stage '{stage}'. Its stages: {', '.join(stages)}."
            f"{did_you_mean(stage, stages)}"
        )
    return stages[stage]


def _refuse_without_adapter(run: str, stage: RunStage, node: NodeFolder) -> None:
    if stage.kind in {kind.name for kind in KINDS}:
        if not node.is_trained() or not node.has_adapter():
            raise UsageError(
                f"Stage '{stage.name}' of run '{run}' is not trained to its end. `stagelift run` "
                "goes on with it."
            )
        check_adapter(node.adapter)
        return
    if stage.source is not None:
        why = "was imported: there are results of it, and no weights"
    elif stage.given is not None:
        why = f"was trained elsewhere: it is {stage.given}"
    elif stage.parent is None:
        why = "is the model that the run starts from"
    else:
        why = f"is a {stage.kind}, made of the stage before it"
    raise UsageError(
        f"Stage '{stage.name}' of run '{run}' {why}. Only an adapter that was trained here is "
        "uploaded; `hf upload` takes any other folder."
    )


def _read(folder: RunFolder, stage: str) -> RunRecord:
    missing = UsageError(
        f"Stage '{stage}' of run '{folder.name}' is not evaluated, so that its model card would "
        "say nothing. `stagelift run` goes on with it."
    )
    try:
        run = read_agreeing_run(folder.path)
    except NothingEvaluatedError:
        raise missing from None
    if stage in run.missing:
        raise missing
    return run


def _paths(node: NodeFolder) -> list[Path]:
    """Return what of the adapter's folder is an adapter's, and the card even where a run did not
    write it.
    """
    paths = {
        path
        for path in node.adapter.iterdir()
        if path.is_file() and not path.is_symlink() and path.name in _UPLOADED
    }
    return sorted({*paths, node.card})


def _file(path: Path, run: RunRecord, stage: StageRecord) -> UploadFile:
    if path.name == CARD:
        # the one in the folder is of the run that was last made anew, and may be another's
        return UploadFile(path.name, _clean(path.name, render_card(run, stage)))
    if path.name == CONFIG:
        return UploadFile(path.name, _clean(path.name, _settings(path, run, stage)))
    return UploadFile(path.name, path)


def _settings(path: Path, run: RunRecord, stage: StageRecord) -> str:
    """Name the base in PEFT's settings where the Hub has it, and never the folder it lay in.

    Under an adapter on merged weights lies more than the base, and PEFT would not know.
    """
    settings = settings_of(path.parent)
    weights = str(run.weights(stage).identity.get("model", ""))
    exact = weights.startswith("hub:") and not stage.merged
    settings["base_model_name_or_path"] = run.base_model if exact else None
    settings["revision"] = run.base_revision if exact else None
    return json.dumps(settings, indent=2) + "\n"


def _clean(name: str, text: str) -> bytes:
    """Refuse what still tells whose machine it was made on."""
    home = str(Path.home())
    found = _HOME.search(text)
    told = found[0] if found else None
    if told is None and len(home) > 1 and home in text:
        told = home
    if told is not None:
        raise UsageError(
            f"{name} names the folder {told}, which tells whose machine it was. Write another name "
            "for it there, or into the recipe."
        )
    return text.encode()


def _notes(run: RunRecord, stage: StageRecord, files: list[UploadFile]) -> list[str]:
    notes = []
    if run.base_model is None:
        notes.append(
            "The base model is a local folder, which nobody else has: base_model in README.md is "
            "to be filled in."
        )
    elif not str(run.weights(stage).identity.get("model", "")).startswith("hub:"):
        notes.append(
            f"It was trained and measured on {run.model}, not on the weights of {run.base_model} "
            "that others load. README.md says so."
        )
    if stage.merged:
        notes.append(
            f"It needs the adapters of {', '.join(stage.merged)} merged into the base first: push "
            "these, too. README.md says how they are loaded."
        )
    card = next(file.content for file in files if file.name == CARD)
    if isinstance(card, bytes) and not re.search(rb"^license: *\S", card, re.MULTILINE):
        notes.append("README.md names no licence yet: `license:` is to be filled in on the Hub.")
    return notes
