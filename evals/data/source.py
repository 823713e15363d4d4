"""Where rows come from: the bundled generators, local files, or the Hub.

The Hub is read through `datasets.load_dataset`. Splits are `train`, `test` and (bundled only)
`held_out`. A folder holds one file per split, named after it.
"""

import glob
import hashlib
import json
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field, model_validator

from stagelift.evals.data.answers import with_exact_answers
from stagelift.evals.data.bundled_data import (
    bundled_fingerprint,
    bundled_rows,
    check_bundled,
    is_bundled,
)
from stagelift.evals.data.csv_texts import how_to_read, rewritten_columns
from stagelift.evals.data.json_tables import table_rows
from stagelift.evals.data.renamed import no_such_column
from stagelift.evals.nearest import nearest
from stagelift.evals.places import in_full
from stagelift.evals.records import Written
from stagelift.evals.strict_json import read_rows

if TYPE_CHECKING:
    from datasets import Dataset

_COMMIT = re.compile(r"[0-9a-f]{40}")
# what comes after a split's name: train[:10%]
_SLICE = re.compile(r"\[.*")
_FORMATS = {".jsonl": "json", ".json": "json", ".csv": "csv", ".parquet": "parquet"}


class UnreachableError(ValueError):
    """A Hub dataset could not be read; offline that says nothing about whether it is there."""


class Source(Written):
    """A dataset; `columns` maps the name a consumer expects to the name the source uses.

    With `chat: false` prompts and answers that stages train on as texts stay texts; otherwise they
    become turns of a conversation.
    """

    path: str
    """A file, a folder with a file for each split, a name on the Hub, `bundled/schoolmath` or
    `bundled/instructions`.
    """
    name: str | None = None
    """The dataset's configuration on the Hub."""
    split: str = "train"
    """Which split of it; `train[:10%]` is a slice."""
    revision: str | None = None
    """A branch, tag or commit of a name on the Hub; the run pins the commit."""
    columns: dict[str, str] = {}
    """The name that is expected, and the one that the data have: `{prompt: instruction}`."""
    limit: int | None = Field(default=None, ge=1)
    """How many rows, from the first; all if not given."""
    chat: bool = Field(default=True, exclude_if=bool)
    """Whether texts become turns of the chat template (chats.md)."""

    @model_validator(mode="before")
    @classmethod
    def _path_alone(cls, written: Any) -> Any:
        """Take a file, a folder or a Hub name alone for a source of that path."""
        return {"path": written} if isinstance(written, str) else written


def rows(source: Source) -> "Dataset":
    """Load the rows of a source's split, renamed by `columns` and cut to `limit`."""
    from datasets import Dataset

    if is_bundled(source.path):
        return Dataset.from_list(bundled_rows(source.path, source.split, source.limit))
    dataset = _cut(source, _exactly(source)).rename_columns(_wanted_names(source))
    if source.limit is None:
        return dataset
    return dataset.select(range(min(source.limit, len(dataset))))


def _exactly(source: Source) -> "Dataset":
    """Load all rows; a whole number that a table cannot hold is text where it is an answer."""
    dataset, file = _load_whole(source), local_file(source)
    if file is None or _FORMATS.get(file.suffix) != "json":
        return dataset
    return with_exact_answers(dataset, file, source.columns.get("answer", "answer"))


def file_row(source: Source, index: int) -> int:
    """Return where a row of a local source stands among all rows of its file, both from 0."""
    if not _is_slice(source) or local_file(source) is None:
        return index
    whole = source.model_copy(update={"split": _SLICE.sub("", source.split), "limit": None})
    return _sliced(source.split, len(rows(whole)))[index]


def _load_whole(source: Source) -> "Dataset":
    dataset: Dataset = _load(source, streaming=False)
    return dataset


def _cut(source: Source, dataset: "Dataset") -> "Dataset":
    """Return the slice of a local file's rows that a source asks for; the Hub's come cut."""
    if not _is_slice(source) or local_file(source) is None:
        return dataset
    return dataset.select(_sliced(source.split, len(dataset)))


def _is_slice(source: Source) -> bool:
    return "[" in source.split


def _sliced(split: str, count: int) -> list[int]:
    """Number the rows of a slice of a split that has `count`, as `datasets` would cut it."""
    from datasets import ReadInstruction

    name = _SLICE.sub("", split)
    parts = ReadInstruction.from_spec(split).to_absolute({name: count})
    return [index for part in parts for index in range(part.from_ or 0, part.to or count)]


def local_rows(source: Source) -> "Dataset | None":
    """Load the rows of a local source to look at them all; None for others.

    Raises ValueError where they cannot be read.
    """
    file = local_file(source)
    if file is None:
        return None
    try:
        return rows(source)
    # the reader's errors are of many kinds, and all mean the same to the user
    except Exception as error:
        raise ValueError(f"Cannot read dataset '{source.path}': {_why(error, file)}") from error


def column_names(source: Source) -> list[str]:
    """Name the columns as a consumer sees them, reading one row.

    Raises ValueError in a sentence where that fails.
    """
    return list(first_row(source))


def first_row(source: Source) -> dict[str, Any]:
    """Read one row, with its columns as a consumer sees them.

    Raises ValueError in a sentence where that fails.
    """
    if is_bundled(source.path):
        check_bundled(source.path, source.split, source.limit)
        return dict(bundled_rows(source.path, source.split, 1)[0])
    check_file(source)
    row = _first_row(source)
    _check_columns(source, list(row))
    renamed = _wanted_names(source)
    return {renamed.get(name, name): value for name, value in row.items()}


def first_rows(source: Source) -> "Dataset":
    """Load rows that show of which kind the columns are: of the Hub the first, of others all.

    Raises ValueError where they cannot be read; UnreachableError where the Hub cannot be reached
    and its cache has none.
    """
    if is_bundled(source.path) or local_file(source) is not None:
        return rows(source)
    from datasets import Dataset

    try:
        first = _first_row(source)
    except UnreachableError as unreachable:
        try:
            return rows(source)
        except Exception:  # noqa: BLE001 - not in the cache, for whatever reason
            raise unreachable from None
    return Dataset.from_list([first]).rename_columns(_wanted_names(source))


def has_clusters(source: Source) -> bool:
    """Say whether rows carry a `cluster`: a column of that name, or one that `columns` renames.

    Of a Hub dataset only the latter: a contract says what it is without reading it.
    """
    if "cluster" in source.columns:
        return True
    if not is_bundled(source.path) and local_file(source) is None:
        return False
    return "cluster" in column_names(source)


def _first_row(source: Source) -> dict[str, Any]:
    file = local_file(source)
    try:
        # streams know no slices, nor a file whose lines differ in type
        whole = source.model_copy(update={"split": re.split(r"[+\[]", source.split)[0]})
        table = _load(whole, streaming=True) if file is None else _cut(source, _load_whole(source))
        return dict(next(iter(table)))
    except StopIteration:
        raise ValueError(
            f"Dataset '{source.path}' has no rows in split '{source.split}'."
        ) from None
    # the reader's errors are of many kinds, and all mean the same to the user
    except Exception as error:
        problem = f"Cannot read split '{source.split}' of dataset '{source.path}'"
        if file is not None:
            raise ValueError(f"{problem}: {_why(error, file)}") from error
        raise UnreachableError(
            f"{problem}, which is no local file or folder: {one_sentence(error)}"
        ) from error


def _why(error: Exception, file: Path) -> str:
    """Say why a local file cannot be read: which line is not JSON, else the reader's own reason."""
    if _FORMATS[file.suffix] == "json":
        try:
            for number, row in read_rows(file):
                _check_unicode(row, f"{file}, line {number}")
        except ValueError as problem:
            return one_sentence(problem)
    return one_sentence(error.__cause__ or error)


def _check_unicode(row: Any, place: str) -> None:
    try:
        json.dumps(row, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"{place} holds half of a surrogate pair, which is no text.") from error


def _check_columns(source: Source, present: list[str]) -> None:
    for wanted, name in source.columns.items():
        if name in present and wanted in present and wanted not in source.columns.values():
            raise ValueError(
                f"Column '{name}' of dataset '{source.path}' cannot become '{wanted}': it has a "
                "column of that name already."
            )
        if name not in present:
            raise ValueError(
                f"Column '{name}' (mapped to '{wanted}') is not in dataset '{source.path}'. "
                f"{no_such_column(source.columns, present)}"
            )


def _wanted_names(source: Source) -> dict[str, str]:
    """Map a column's name in the source to the one a consumer expects."""
    return {present: wanted for wanted, present in source.columns.items()}


def keeps_cells(source: Source) -> bool:
    """Say whether a CSV has columns of which something else was once read than is written."""
    file = local_file(source)
    if is_bundled(source.path) or file is None or file.suffix != ".csv":
        return False
    return bool(rewritten_columns(file, source.columns))


def fingerprint(source: Source) -> str:
    """Identify the content: generator version, file hash, or Hub commit.

    Where the commit is not known, the revision asked for stands in for it.
    """
    if is_bundled(source.path):
        return bundled_fingerprint(source.path, source.split)
    file = local_file(source)
    if file is not None:
        with file.open("rb") as handle:
            part = f" {source.split}" if _is_slice(source) else ""
            return f"sha256:{hashlib.file_digest(handle, 'sha256').hexdigest()}{part}"
    revision = pinned(source).revision or "main"
    return f"hub:{source.path}/{source.name or ''}/{source.split}@{revision}"


def pinned(source: Source) -> Source:
    """Replace a Hub dataset's branch by the commit it stands at.

    The Hub is asked for it, else the cache.
    """
    if is_bundled(source.path) or local_file(source) is not None:
        return source
    if _COMMIT.fullmatch(source.revision or ""):
        return source
    commit = _hub_commit(source.path, source.revision) or _cached_commit(source)
    return source.model_copy(update={"revision": commit or source.revision})


def local_file(source: Source) -> Path | None:
    """Return the file behind a local source's split.

    None where the source is not local, or has no such file.
    """
    path = Path(source.path)
    if path.is_file():
        return path
    files = [path / f"{_SLICE.sub('', source.split)}{suffix}" for suffix in _FORMATS]
    return next((file for file in files if file.is_file()), None)


def _load(source: Source, *, streaming: bool) -> Any:
    from datasets import Dataset, load_dataset

    file = local_file(source)
    if file is None:
        return load_dataset(
            source.path,
            source.name,
            split=source.split,
            revision=source.revision,
            streaming=streaming,
        )
    table = table_rows(file) if _FORMATS[file.suffix] == "json" else None
    if table is not None:
        return Dataset.from_list(table)
    return load_dataset(
        _FORMATS[file.suffix],
        data_files=glob.escape(str(file)),
        split="train",
        streaming=streaming,
        **(how_to_read(file, source.columns) if file.suffix == ".csv" else {}),
    )


def check_file(source: Source) -> None:
    """Raise ValueError, in a sentence, where what is written as a path is no file of rows."""
    path = Path(source.path)
    written_as_path = path.suffix in _FORMATS or source.path.startswith((".", "/", "~"))
    if not path.exists():
        if not written_as_path:
            return
        raise ValueError(
            f"Dataset {in_full(source.path)} does not exist. Give a file, a folder or a Hub "
            f"name.{_near(path)}"
        )
    file = local_file(source)
    if file is None:
        raise ValueError(
            f"Folder {in_full(source.path)} has no file for split '{source.split}'. Expected "
            f"{source.split}.jsonl, .json, .csv or .parquet in it.{_seen(path)}"
        )
    if file.suffix not in _FORMATS:
        raise ValueError(
            f"Dataset file {in_full(file)} is of no known format. Known: {', '.join(_FORMATS)}; "
            'write a row a line as JSON, such as {"prompt": "...", "completion": "..."}.'
        )


def _near(path: Path) -> str:
    """Name the file beside a missing one that is called nearly as it; "" where there is none."""
    if not path.parent.is_dir():
        return f" There is no folder {path.parent.absolute()} either."
    near = nearest(path.name, sorted(file.name for file in path.parent.iterdir()))
    return "" if near is None else f" Did you mean '{path.parent / near}'?"


def _seen(folder: Path) -> str:
    """Name files of rows in a folder, of which one may be the split; "" where there are none."""
    files = sorted(file.name for file in folder.iterdir() if file.suffix in _FORMATS)
    return f" It has {', '.join(files[:8])}: one file can be named by itself." if files else ""


@cache
def _hub_commit(path: str, revision: str | None) -> str | None:
    """Ask once: all chains of one command train on the same commit."""
    from huggingface_hub import HfApi

    try:
        return HfApi().dataset_info(path, revision=revision, timeout=10).sha
    except Exception:  # noqa: BLE001 - offline, or no such dataset: loading will say which
        return None


def _cached_commit(source: Source) -> str | None:
    """Read which commit the branch stood at when it was last downloaded."""
    from huggingface_hub.constants import HF_HUB_CACHE

    folder = f"datasets--{source.path.replace('/', '--')}"
    file = Path(HF_HUB_CACHE, folder, "refs", source.revision or "main")
    return file.read_text(encoding="utf-8").strip() if file.is_file() else None


def one_sentence(error: BaseException) -> str:
    """Flatten an error of a library's to something that fits in a message of ours."""
    text = " ".join(str(error).split()) or type(error).__name__
    if len(text) > 200:
        text = f"{text[:200]}..."
    if not text.endswith((".", "!", "?")):
        text = f"{text}."
    return text
