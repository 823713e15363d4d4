"""`run.json`: which nodes a run consists of, where they lie, and every sitting at it."""

from typing import Any

from pydantic import Field, field_validator

from stagelift.evals.records import Record

# of run.json; files without a number are of the first
SCHEMA = 2
_OF_STUDIES = ("chains", "lattice", "reference", "repeats")


class Sitting(Record):
    """One process that worked on a run: when it began, and for how long."""

    started: str
    seconds: float


class StageSource(Record):
    """The file, or folder, that a stage was imported from, and the format that it was read as."""

    file: str
    sha256: str
    format: str


class RunStage(Record):
    """One stage of a run and where it lies, relative to the runs folder.

    `parent` names the stage before, which it was trained on; `merged` those whose adapters are
    merged into the weights under its own. `weights` names the stage whose weights these are, where
    that is not base, and `given` says what a checkpoint is, or of which stage an export is what. An
    imported one has a `source`.
    `candidates` are the nodes that it was selected among, where these are not in its own.
    """

    name: str
    kind: str
    node: str
    evaluation: str
    merged: tuple[str, ...] = ()
    parent: str | None
    # not written where there is nothing to say
    source: StageSource | None = Field(default=None, exclude_if=lambda source: source is None)
    weights: str | None = Field(default=None, exclude_if=lambda name: name is None)
    given: str | None = Field(default=None, exclude_if=lambda words: words is None)
    candidates: tuple[str, ...] = Field(default=(), exclude_if=lambda nodes: not nodes)


class RunChain(Record):
    """One way through a study from base on: its variant, its seed, and which stage is in a slot."""

    variant: str
    seed: int
    stages: tuple[tuple[str, str], ...]


class RunRepeat(Record):
    """An evaluation of a stage that was made once more."""

    stage: str
    evaluation: str


class RunFile(Record):
    """Everything that `run.json` says; each stage comes after its parent.

    A run of more than one chain is a study: it has `chains`, maybe `repeats`, and of variants the
    `reference`. In a `lattice` the chains are the subsets of stages. `notes` say what of imported
    files was left out or is not known, `repairs` what was damaged and made again, and when.
    """

    name: str
    recipe: dict[str, Any]
    model: str
    data: str
    device: str
    versions: dict[str, str]
    stages: tuple[RunStage, ...]
    chains: tuple[RunChain, ...] = ()
    lattice: bool = False
    reference: str | None = None
    repeats: tuple[RunRepeat, ...] = ()
    sessions: tuple[Sitting, ...]
    finished: bool
    # not written where there are none
    notes: tuple[str, ...] = Field(default=(), exclude_if=lambda notes: not notes)
    repairs: tuple[str, ...] = Field(default=(), exclude_if=lambda repairs: not repairs)

    @field_validator("stages")
    @classmethod
    def _in_order(cls, stages: tuple[RunStage, ...]) -> tuple[RunStage, ...]:
        """Refuse a stage that comes twice, or before the one that it was trained on."""
        before = set[str]()
        for stage in stages:
            if stage.name in before:
                raise ValueError(f"stage '{stage.name}' is there twice")
            if stage.parent is not None and stage.parent not in before:
                raise ValueError(f"stage '{stage.name}' comes before its parent '{stage.parent}'")
            before.add(stage.name)
        return stages

    def stored(self) -> dict[str, Any]:
        """Return what is written: nothing of studies where this is none."""
        content = self.model_dump(mode="json")
        before = [None, *(stage.name for stage in self.stages)]
        for stage, just_before in zip(content["stages"], before, strict=False):
            if not stage["merged"]:
                del stage["merged"]
            if not self.chains and stage["parent"] == just_before:
                del stage["parent"]
        if not self.chains:
            for name in _OF_STUDIES:
                del content[name]
        return content


def with_what_is_not_stored(content: dict[str, Any]) -> dict[str, Any]:
    """Complete what run.json says.

    Of one chain mostly only the order of stages is stored; the first runs did not name their data.
    """
    recipe, stages = content.get("recipe"), content.get("stages")
    if "data" not in content and isinstance(recipe, dict):
        content = {**content, "data": recipe.get("data", {}).get("path", "")}
    if isinstance(stages, list) and all(isinstance(stage, dict) for stage in stages):
        parents = [None, *(stage.get("name") for stage in stages)]
        both = zip(parents, stages, strict=False)
        content = {**content, "stages": [{"parent": parent, **stage} for parent, stage in both]}
    return content
