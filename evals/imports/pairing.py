"""Which documents of several stages are the same: paired by id, or by prompt and target.

Never by position. Ids are believed where they stand for the same prompt and target in every stage;
row numbers of files in another order do not.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, TypeVar

from stagelift.evals.imports.content import content_id, content_of
from stagelift.evals.imports.results import Document, ImportedStage
from stagelift.evals.records import Generation, Score, TaskScore, Verdict

# an id in a stage, and what it is called in all of them
Names = dict[str, str]
AnyRow = TypeVar("AnyRow", Generation, Score, TaskScore, Verdict)
_SHOWN = 3
# what is said where ids were replaced
BY_CONTENT = "ids differ between stages: documents are paired by prompt and target"


class Paired(NamedTuple):
    """Stages whose documents have one id each, the same in all, and those that were left out.

    `by_content` says that ids did not tell documents apart, so that they were named anew.
    """

    stages: list[ImportedStage]
    left_out: int
    by_content: bool

    def notes(self) -> list[str]:
        """Say how documents were paired where it was not by their ids, and how many are missing."""
        notes = []
        if self.by_content:
            notes.append(BY_CONTENT)
        if self.left_out:
            kept = len(documents_of(self.stages[0]))
            notes.append(
                f"{self.left_out} of {kept + self.left_out} documents are left out: not every "
                "stage answered them"
            )
        return notes


def pair_documents(stages: Sequence[ImportedStage], *, common: bool) -> Paired:
    """Give each document the same id in all stages.

    Raises ValueError where some stages answered documents that others did not, unless only those in
    `common` are wanted, and where a document cannot be told from another.
    """
    asked = _comparable([documents_of(stage) for stage in stages])
    by_id = [{name: name for name in documents} for documents in asked]
    conflict = _conflict(asked)
    names, by_content = by_id, False
    if conflict is not None or len({frozenset(own) for own in by_id}) > 1:
        by_prompt = [_named_by_content(documents) for documents in asked]
        if conflict is not None or len(_shared(by_prompt)) > len(_shared(by_id)):
            _refuse_twins(stages, asked, by_prompt)
            names, by_content = by_prompt, True
    kept = _shared(names)
    everything = {name for own in names for name in own.values()}
    if kept != everything and not (common and kept):
        raise ValueError(_unequal(stages, asked, names, conflict if by_content else None))
    renamed = [_renamed(stage, own, kept) for stage, own in zip(stages, names, strict=True)]
    return Paired(_asked_alike(renamed), len(everything) - len(kept), by_content)


def documents_of(stage: ImportedStage) -> dict[str, Document]:
    """Return every document of a stage by id, as far as the stage says what it is."""
    scored = {score.id: Document(score.question, score.target) for score in stage.scores}
    measured = {
        score.id: Document("", None, digest=score.id)
        for scores in stage.task_scores.values()
        for score in scores
    }
    return measured | scored | dict(stage.documents)


def _comparable(asked: list[dict[str, Document]]) -> list[dict[str, Document]]:
    """Leave out digests where not every document has one: prompts and targets are what is left."""
    everything = [document for documents in asked for document in documents.values()]
    if all(document.digest is not None for document in everything):
        return asked
    return [
        {
            name: document._replace(digest=None) if document.prompt else document
            for name, document in documents.items()
        }
        for documents in asked
    ]


class _Conflict(NamedTuple):
    """An id that stands for two documents."""

    name: str
    first: int
    other: int


def _conflict(asked: Sequence[Mapping[str, Document]]) -> _Conflict | None:
    known: dict[str, tuple[int, tuple[str, ...]]] = {}
    for place, documents in enumerate(asked):
        for name, document in documents.items():
            content = content_of(document)
            first, known_content = known.setdefault(name, (place, content))
            if content != known_content:
                return _Conflict(name, first, place)
    return None


def _named_by_content(documents: Mapping[str, Document]) -> Names:
    """Name documents by content; those of the same keep their ids beside it."""
    names = {name: content_id(document) for name, document in documents.items()}
    ids: dict[str, list[str]] = {}
    for name, content in names.items():
        ids.setdefault(content, []).append(name)
    return {
        name: content if len(ids[content]) == 1 else f"{content}#{name}"
        for name, content in names.items()
    }


def _refuse_twins(
    stages: Sequence[ImportedStage],
    asked: Sequence[Mapping[str, Document]],
    names: Sequence[Names],
) -> None:
    """Refuse documents of one prompt and target that no id tells apart in all stages."""
    shared = _shared(names)
    in_all = set.intersection(*({_content(name) for name in own.values()} for own in names))
    for stage, documents, own in zip(stages, asked, names, strict=True):
        twins = [
            name
            for name, called in own.items()
            if called not in shared and called != _content(called) and _content(called) in in_all
        ]
        if twins:
            raise ValueError(
                f"Stage '{stage.name}' has {len(twins)} documents that share their prompt and "
                f"target with another (such as id '{twins[0]}', "
                f"{_quoted(documents[twins[0]].prompt)}), and ids that agree between stages do not "
                "tell them apart, so nothing was imported. Give each document an id that is the "
                "same in every file, or number answers to one prompt in `sample`."
            )


def _content(name: str) -> str:
    """Return the part of a name that stands for the content."""
    return name.split("#", 1)[0]


def _shared(names: Sequence[Names]) -> set[str]:
    return set.intersection(*(set(own.values()) for own in names))


def _unequal(
    stages: Sequence[ImportedStage],
    asked: Sequence[Mapping[str, Document]],
    names: Sequence[Names],
    conflict: _Conflict | None,
) -> str:
    """Say how many documents are not in all stages, which stage lacks one, and what would help."""
    kept = _shared(names)
    everything = dict.fromkeys(name for own in names for name in own.values())
    called = [{new: old for old, new in own.items()} for own in names]
    missing = [name for name in everything if name not in kept]
    examples = []
    for name in missing[:_SHOWN]:
        lacking = next(
            stage.name for stage, own in zip(stages, called, strict=True) if name not in own
        )
        place = next(place for place, own in enumerate(called) if name in own)
        old = called[place][name]
        prompt = _quoted(asked[place][old].prompt)
        examples.append(f"'{lacking}' lacks id '{old}'" + (f", {prompt}" if prompt else ""))
    remedy = (
        f"Give --common to compare the {len(kept)} that all have, and leave out the others."
        if kept
        else "Give files of the same prompts and targets, or map their columns with --columns."
    )
    return (
        f"Stages {', '.join(repr(stage.name) for stage in stages)} answer different prompts: "
        f"{len(missing)} of {len(everything)} documents are not in all of them "
        f"({'; '.join(examples)}), so nothing was imported. {_why(stages, asked, conflict)}{remedy}"
    )


def _why(
    stages: Sequence[ImportedStage],
    asked: Sequence[Mapping[str, Document]],
    conflict: _Conflict | None,
) -> str:
    """Say why documents were not paired by their ids."""
    if conflict is None:
        return ""
    first, other = (asked[place][conflict.name] for place in (conflict.first, conflict.other))
    names = [stages[place].name for place in (conflict.first, conflict.other)]
    what, values = "prompts", (_quoted(first.prompt), _quoted(other.prompt))
    if first.prompt == other.prompt:
        what, values = "targets", (repr(first.target), repr(other.target))
    return (
        f"Ids were not taken, because '{names[0]}' and '{names[1]}' have different {what} under id "
        f"'{conflict.name}' ({values[0]} and {values[1]}). "
    )


def _renamed(stage: ImportedStage, names: Names, kept: set[str]) -> ImportedStage:
    """Give records the ids that count, and leave out those of documents that are not kept."""
    new = {old: name for old, name in names.items() if name in kept}
    if len(new) == len(names) and all(old == name for old, name in new.items()):
        return stage
    return stage._replace(
        generations=_with_ids(stage.generations, new),
        scores=_with_ids(stage.scores, new),
        verdicts=_with_ids(stage.verdicts, new),
        task_scores={task: _with_ids(scores, new) for task, scores in stage.task_scores.items()},
        documents={new[old]: document for old, document in stage.documents.items() if old in new},
    )


def _with_ids(records: Iterable[AnyRow], new: Names) -> list[AnyRow]:
    return [
        record.model_copy(update={"id": new[record.id]}) for record in records if record.id in new
    ]


def _asked_alike(stages: list[ImportedStage]) -> list[ImportedStage]:
    """Write question and target of a document in one way, for each model has its own chat template,
    and take its cluster from whichever file knows it.
    """
    asked: dict[str, tuple[str, str | None]] = {}
    clusters: dict[str, str] = {}
    for stage in stages:
        for score in stage.scores:
            asked.setdefault(score.id, (score.question, score.target))
            known = clusters.setdefault(score.id, score.cluster) if score.cluster else None
            if known != score.cluster:
                raise ValueError(
                    f"Stage '{stage.name}' has different clusters for id '{score.id}' than a stage "
                    f"before it ({score.cluster!r} and {known!r}), so nothing was imported."
                )
    return [
        stage._replace(
            scores=[
                _with(score, *asked[score.id], clusters.get(score.id)) for score in stage.scores
            ]
        )
        for stage in stages
    ]


def _with(score: Score, question: str, target: str | None, cluster: str | None) -> Score:
    if (question, target, cluster) == (score.question, score.target, score.cluster):
        return score
    return score.model_copy(update={"question": question, "target": target, "cluster": cluster})


def _quoted(text: str) -> str:
    return "" if not text else repr(text if len(text) <= 60 else f"{text[:60]}...")
