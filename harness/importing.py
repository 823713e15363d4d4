"""`stagelift import`: results produced elsewhere become an ordinary run.

So every report and check works on them.
"""

import hashlib
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from stagelift.evals.imports.columns import parse_columns, refuse_missing
from stagelift.evals.imports.formats import reader_named
from stagelift.evals.imports.joined import Part, join
from stagelift.evals.imports.pairing import BY_CONTENT
from stagelift.evals.imports.reader import Reader
from stagelift.evals.imports.responses import COLUMNS, RESPONSES, with_columns
from stagelift.evals.imports.results import notes_of_targets
from stagelift.evals.imports.seen import look_at
from stagelift.evals.imports.sources import Source, find_sources
from stagelift.evals.judges.attached import Attached, Judged, attach_verdicts
from stagelift.evals.judges.judging import answers
from stagelift.evals.records import Role
from stagelift.harness.errors import UsageError
from stagelift.harness.graph.imported import ImportedGraph, imported_graph
from stagelift.harness.graph.store import Store, check_run_folder, check_takes_files
from stagelift.harness.imports.measure import measure_stages, shared_contract
from stagelift.harness.imports.write import ImportedFiles, write_run
from stagelift.harness.recipes.sections import check_run_name
from stagelift.reports.records import read_run
from stagelift.reports.report import build_report
from stagelift.reports.run_file import StageSource


@dataclass(frozen=True)
class Wanted:
    """What is to be imported, and how it is read.

    `places` are files and folders, with or without `NAME=` before them. `columns` maps names as
    `--columns` does; `common` keeps the documents that all stages answered; `verdicts` are files of
    other judges' verdicts on these responses.
    """

    places: Sequence[str]
    form: str | None = None
    columns: str | None = None
    common: bool = False
    verdicts: Sequence[Path] = ()


class ImportedRun(NamedTuple):
    """The folder of a run that was imported: which stages it has of which files, what of folders
    was passed over, and what was left out or is not known.
    """

    folder: Path
    stages: list[tuple[str, Path, str]]
    passed_over: list[Path]
    is_from_folder: bool
    notes: tuple[str, ...]


def import_results(wanted: Wanted, name: str, store: Store) -> ImportedRun:
    """Write a run called `name`.

    Raises ValueError or UsageError before anything is written.
    """
    check_run_name(name)
    found = find_sources(wanted.places, _reader(wanted))
    _refuse_unused(wanted, found.taken)
    parts = [_part(source) for source in found.taken]
    imported = join(parts, common=wanted.common)
    graph = imported_graph(imported.stages)
    attached = _attached(wanted, graph, ids_replaced=BY_CONTENT in imported.notes)
    origins = {source.path: _origin(source) for source in found.taken}
    recipe: dict[str, object] = {"imported": _recipe(wanted, found.taken, origins)}
    check_takes_files(store.root)
    check_run_folder(store.run(name), recipe)
    contract = shared_contract([o.format for o in origins.values()], imported, attached)
    measured = measure_stages(graph, imported, attached, contract)
    notes = (*imported.notes, *(attached.notes if attached else ()))
    notes = (*notes, *notes_of_targets([node.stage for node in graph.nodes]))
    run = ImportedFiles(name, recipe, imported.model, origins, notes)
    # a rehearsal: what would stop a report stops the import
    with tempfile.TemporaryDirectory() as scratch:
        rehearsed = write_run(run, graph, measured, Store(Path(scratch)))
        build_report([read_run(rehearsed)])
    titles = {source.path: source.reader.title for source in found.taken}
    return ImportedRun(
        folder=write_run(run, graph, measured, store),
        stages=[
            (node.name, path, titles[path])
            for node in graph.nodes
            if (path := node.stage.file) is not None
        ],
        passed_over=found.passed_over,
        is_from_folder=found.is_from_folder,
        notes=notes,
    )


def _part(source: Source) -> Part:
    try:
        return Part(source, source.reader.read(source.path))
    # a mean of what is no mean's, before each value is looked at
    except OverflowError as error:
        raise ValueError(
            f"{source.path} holds numbers that are too large to average, so nothing was imported. "
            "Mend or remove them."
        ) from error


def _reader(wanted: Wanted) -> Reader | None:
    """Return what reads all files, where that was asked for."""
    if wanted.columns is None:
        return None if wanted.form is None else reader_named(wanted.form)
    if wanted.form not in (None, RESPONSES.name):
        raise UsageError(
            f"--columns names columns of a table of responses, and --format is '{wanted.form}'. "
            "Leave one of the two out."
        )
    return with_columns(parse_columns(wanted.columns, COLUMNS))


def _refuse_unused(wanted: Wanted, taken: Sequence[Source]) -> None:
    """Refuse columns that no file has: they may be written wrongly."""
    if wanted.columns is None:
        return
    columns = parse_columns(wanted.columns, COLUMNS)
    has_them = with_columns(columns).recognises
    seen = [look_at(source.path) for source in taken]
    if not any(map(has_them, seen)):
        refuse_missing(str(seen[0].path), columns, seen[0].keys)


def _origin(source: Source) -> StageSource:
    """Say which file this was; of a folder the hash is over its files."""
    return StageSource(
        file=source.path.name, sha256=_sha256(source.path), format=source.reader.name
    )


def _sha256(path: Path) -> str:
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.is_file())
        listed = [(file.relative_to(path).as_posix(), _sha256(file)) for file in files]
        return hashlib.sha256(repr(listed).encode()).hexdigest()
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _recipe(
    wanted: Wanted, taken: Sequence[Source], origins: Mapping[Path, StageSource]
) -> dict[str, object]:
    """Return what was asked for: the same once more is the same run, and others are refused."""
    said: dict[str, object] = {}
    if len(taken) == 1:
        (origin,) = origins.values()
        said = {"as": origin.format, "sha256": origin.sha256}
        if taken[0].stage is not None:
            said["stage"] = taken[0].stage
    else:
        said["files"] = [
            {"stage": source.stage, "as": origin.format, "sha256": origin.sha256}
            for source, origin in zip(taken, origins.values(), strict=True)
        ]
    if wanted.columns is not None:
        said["columns"] = dict(parse_columns(wanted.columns, COLUMNS))
    if wanted.common:
        said["common"] = True
    if wanted.verdicts:
        said["verdicts"] = [_sha256(path) for path in wanted.verdicts]
    return said


def _attached(wanted: Wanted, graph: ImportedGraph, *, ids_replaced: bool) -> Attached | None:
    """Attach the verdicts of files to stages; None where none were given."""
    if not wanted.verdicts:
        return None
    responses = [
        answers((node.stage.scores, node.stage.generations), "test") for node in graph.nodes
    ]
    judged = []
    for place, node in enumerate(graph.nodes):
        roles: dict[Role, int] = {}
        if node.before:
            roles = {"base": node.before[0], "previous": node.before[-1]}
        others = {role: responses[other] for role, other in roles.items()}
        judged.append(Judged(node.name, responses[place], others))
    attached = attach_verdicts(wanted.verdicts, judged, ids_replaced=ids_replaced)
    for node, verdicts in zip(graph.nodes, attached.verdicts, strict=True):
        if node.stage.verdicts and verdicts:
            raise UsageError(
                f"Stage '{node.name}' has verdicts in its own file, so those of --verdicts would "
                "stand beside another judge's. Leave one of the two out."
            )
    return attached
