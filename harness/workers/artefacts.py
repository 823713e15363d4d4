"""Parts of a runs folder passed on through an fsspec URL (s3://, gs://, file://), for machines that
share no folder.

Under the URL lies what lies in a runs folder. What says that something is complete (`stage.json`,
`result.json`) is always written last, here and there.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any
from uuid import uuid4

from stagelift.harness.workers.jobs import AnyJob, EvaluateJob, TrainJob

_LAST = ("adapter_config.json", "result.json", "stage.json")
_NOT_PASSED_ON = ("checkpoints", ".lock")


def node_folder(job: AnyJob) -> str:
    """Return the folder of a job's node, relative to the runs folder."""
    return "/".join(
        Path(job.node_folder if isinstance(job, EvaluateJob) else job.folder).parts[-2:]
    )


def passed_on(job: AnyJob) -> list[str]:
    """Name the folders a job reads, relative to the runs folder: its own node, its model's
    adapters, the evaluations it reads.
    """
    models = (
        [job.model]
        if isinstance(job, EvaluateJob)
        else [job.parent]
        if isinstance(job, TrainJob)
        else [job.base]
    )
    adapters = [
        adapter
        for model in models
        for adapter in (*model.merged, model.adapter)
        if adapter is not None
    ]
    read = [Path(adapter).parent for adapter in adapters]
    if isinstance(job, EvaluateJob):
        read += [
            Path(folder) for folder in (*job.references.values(), job.base) if folder is not None
        ]
    names = ["/".join(_below_nodes(folder)) for folder in read]
    return list(dict.fromkeys([node_folder(job), *(name for name in names if name)]))


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
        found = files.find(f"{place}/{folder}") if files.exists(f"{place}/{folder}") else []
        for source in _complete_last(map(PurePosixPath, found)):
            path = root / PurePosixPath(str(source)).relative_to(place)
            if path.exists() and path.stat().st_size == files.size(str(source)):
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            beside = path.with_name(f".{path.name}.{uuid4().hex}.tmp")
            files.get_file(str(source), str(beside))
            beside.replace(path)


def _opened(url: str) -> tuple[Any, str]:
    import fsspec

    files, place = fsspec.core.url_to_fs(url)
    return files, str(place).rstrip("/")


def _below_nodes(folder: Path) -> tuple[str, ...]:
    """Return the part of a path from `nodes` on; empty for what lies elsewhere, such as a
    checkpoint of the user's.
    """
    parts = folder.parts
    return parts[len(parts) - parts[::-1].index("nodes") - 1 :] if "nodes" in parts else ()


def _is_passed_on(path: Path) -> bool:
    return not any(
        part in _NOT_PASSED_ON or part.endswith((".tmp", ".part")) for part in path.parts
    )


def _complete_last(paths: Iterable[Any]) -> list[Any]:
    return sorted(
        paths,
        key=lambda path: (
            path.name in _LAST,
            _LAST.index(path.name) if path.name in _LAST else 0,
            str(path),
        ),
    )
