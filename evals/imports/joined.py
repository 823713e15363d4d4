"""Several imported files as one: the stages of all, under one contract."""

from collections.abc import Sequence
from typing import NamedTuple

from stagelift.evals.data.clusters import refuse_one_for_all
from stagelift.evals.imports.decided_targets import decide_targets
from stagelift.evals.imports.number_targets import NOT_STATED
from stagelift.evals.imports.pairing import pair_documents
from stagelift.evals.imports.results import Imported, ImportedStage
from stagelift.evals.imports.shared_metrics import share_metrics
from stagelift.evals.imports.sources import Source, stage_names
from stagelift.evals.metrics.clusters import clusters_of

# of a value, either way: larger ones are mistakes, and their squares are no numbers
LARGEST = 1e15
# which documents these are, is seen when they are paired
_OF_DOCUMENTS = "data"


class Part(NamedTuple):
    """What was read from one source."""

    source: Source
    imported: Imported


def join(parts: Sequence[Part], *, common: bool = False) -> Imported:
    """Join files to one import, their documents paired; with `common`, those that all answered.

    Raises ValueError, in a sentence, where contracts differ, a name fits several stages, or
    documents cannot be paired.
    """
    _refuse_other_contracts(parts)
    for part in parts:
        _refuse_too_large(part)
    stages = decide_targets(_named(parts))
    paired = pair_documents(stages, common=common)
    shared = share_metrics(paired.stages, common=common)
    refuse_one_for_all(clusters_of(paired.stages[0].scores), _files(parts))
    contract: dict[str, object] = {}
    for part in parts:
        contract |= part.imported.contract
    data = [part.imported.contract.get(_OF_DOCUMENTS) for part in parts]
    is_as_told = all(told == data[0] for told in data)
    if paired.by_content or paired.left_out or not is_as_told:
        contract.pop(_OF_DOCUMENTS, None)
    models = dict.fromkeys(part.imported.model for part in parts if part.imported.model)
    notes = [
        *(note for part in parts for note in part.imported.notes),
        *paired.notes(),
        *shared.notes,
    ]
    if not any(stage.undecided for stage in stages):
        notes = [note for note in notes if note != NOT_STATED]
    return Imported(shared.stages, ", ".join(models), contract, tuple(dict.fromkeys(notes)))


def _refuse_too_large(part: Part) -> None:
    """Refuse what no mean or interval can be computed of."""
    measured = [
        (f"{row.metric} of id '{row.id}'", row.value)
        for stage in part.imported.stages
        for scores in stage.task_scores.values()
        for row in scores
    ]
    lengths = [
        (f"the number of tokens of id '{row.id}'", row.n_tokens)
        for stage in part.imported.stages
        for row in stage.generations
        if row.n_tokens is not None
    ]
    for what, value in (*measured, *lengths):
        # nan is not within either
        if not -LARGEST <= value <= LARGEST:
            raise ValueError(
                f"{part.source.path}: {what} is {value!r:.40}, and numbers up to {LARGEST:.0e} are "
                "read, so nothing was imported. Mend or remove it."
            )


def _files(parts: Sequence[Part]) -> str:
    return ", ".join(str(part.source.path) for part in parts)


def _refuse_other_contracts(parts: Sequence[Part]) -> None:
    """Refuse what was measured differently. What a file does not say is not known to differ."""
    first: dict[str, Part] = {}
    for part in parts:
        for field, value in part.imported.contract.items():
            before = first.setdefault(field, part)
            if field != _OF_DOCUMENTS and before.imported.contract[field] != value:
                raise ValueError(
                    f"{before.source.path} and {part.source.path} cannot be stages of one run: "
                    f"they differ in {field} ({before.imported.contract[field]!r} and {value!r}), "
                    "so nothing was imported. Import them apart."
                )


def _named(parts: Sequence[Part]) -> list[ImportedStage]:
    """Return the stages of all parts, called as was asked for.

    A file of one stage is called by its file where there are several.
    """
    singles = [part for part in parts if len(_own_names(part)) == 1]
    sources = [part.source for part in singles]
    own = [_own_names(part)[0] for part in singles]
    if len(parts) > 1:
        names = iter(stage_names(sources, own))
    else:
        names = iter([source.stage or name for source, name in zip(sources, own, strict=True)])
    stages: list[ImportedStage] = []
    for part in parts:
        if len(_own_names(part)) == 1:
            name = next(names)
            stages += [
                stage._replace(name=name, file=part.source.path) for stage in part.imported.stages
            ]
        elif part.source.stage is None:
            stages += [stage._replace(file=part.source.path) for stage in part.imported.stages]
        else:
            raise ValueError(
                f"{part.source.path} holds several stages ({', '.join(_own_names(part))}), so it "
                f"cannot be stage '{part.source.stage}'. Give the file without a name."
            )
    _refuse_equal_names(stages)
    return stages


def _own_names(part: Part) -> list[str]:
    """Return what the stages of a file are called in it; those of several seeds share a name."""
    return list(dict.fromkeys(stage.name for stage in part.imported.stages))


def _refuse_equal_names(stages: Sequence[ImportedStage]) -> None:
    seen = set[tuple[object, ...]]()
    for stage in stages:
        key = (stage.name, stage.variant, stage.seed)
        if key in seen:
            raise ValueError(
                f"Two files have a stage '{stage.name}', so nothing was imported. Name the stages "
                "of files with one stage each: NAME=FILE."
            )
        seen.add(key)
