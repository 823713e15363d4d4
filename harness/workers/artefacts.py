"""Parts of a runs folder passed on through an fsspec URL, for machines that share no folder.

URLs are such as s3://, gs:// and file://. Under one lies what lies in a runs folder. What says that
something is complete is always written last, here and there.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from stagelift.evals.hashes import ASIDE
from stagelift.evals.whole import UNFINISHED, replaced_file
from stagelift.harness.workers.jobs import AnyJob, EvaluateJob, starting_model, training_folder
from stagelift.reports.folders import place_in_runs
from stagelift.stages.folders import COMPLETE, PASSING


def node_folder(job: AnyJob) -> str:
    """Return the folder of a job's node, relative to the runs folder."""
    return place_in_runs(training_folder(job).path)


def passed_on(job: AnyJob) -> list[str]:
    """Name the folders a job reads, relative to the runs folder.

    These are its own node, its model's adapters, and the evaluations it reads.
    """
    model = starting_model(job)
    adapters = [adapter for adapter in (*model.merged, model.adapter) if adapter is not None]
    read = [Path(adapter).parent for adapter in adapters]
    if isinstance(job, EvaluateJob):
        evaluations = (*job.references.values(), job.base)
        read += [Path(folder) for folder in evaluations if folder is not None]
    # empty for what lies elsewhere, such as a checkpoint of the user's
    places = [place for folder in read if (place := place_in_runs(folder))]
    return list(dict.fromkeys([node_folder(job), *places]))


def send(url: str, root: Path, folders: Sequence[str]) -> None:
    """Copy folders of a runs folder to the URL, as far as they are not there already."""
    files, place = _opened(url)
    for folder in folders:
        local = [
            path
            for path in (root / folder).rglob("*")
            if path.is_file() and _is_passed_on(path.relative_to(root))
        ]
        for path in _complete_last(local):
            target = f"{place}/{path.relative_to(root).as_posix()}"
            if not files.exists(target) or files.size(target) != path.stat().st_size:
                files.makedirs(target.rpartition("/")[0], exist_ok=True)
                files.put_file(str(path), target)


def fetch(url: str, root: Path, folders: Sequence[str]) -> None:
    """Copy folders from the URL into a runs folder, each file in one step."""
    files, place = _opened(url)
    for folder in folders:
        there = f"{place}/{folder}"
        sources = files.find(there) if files.exists(there) else []
        for source in _complete_last(map(PurePosixPath, sources)):
            path = root / PurePosixPath(str(source)).relative_to(place)
            if path.exists() and path.stat().st_size == files.size(str(source)):
                continue
            with replaced_file(path) as beside:
                files.get_file(str(source), str(beside))


def _opened(url: str) -> tuple[Any, str]:
    import fsspec

    files, place = fsspec.core.url_to_fs(url)
    return files, str(place).rstrip("/")


def _is_passed_on(path: Path) -> bool:
    unfinished = any(part in PASSING or part.endswith(UNFINISHED) for part in path.parts)
    return not unfinished and not any(part.startswith(ASIDE) for part in path.parts)


def _complete_last(paths: Iterable[Any]) -> list[Any]:
    def order(path: Any) -> tuple[int, str]:
        place = COMPLETE.index(path.name) + 1 if path.name in COMPLETE else 0
        return place, str(path)

    return sorted(paths, key=order)
