"""Hashes of the files in a folder: written beside them when they are, and compared later.

`hashes.json` names every file, and is written before the record that says that the folder is whole.
That record repeats the hashes, so that either of the two is known to be whole by the other. What
was written by earlier code has no hashes, and nothing is said of it.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from stagelift.evals.files import (
    LaterSchemaError,
    SealError,
    read_numbered,
    record_text,
    write_numbered,
    write_text,
)
from stagelift.evals.records import Hashed, Record

HASHES = "hashes.json"
# how folders begin that hold what was damaged
ASIDE = "damaged-"
_SCHEMA = 1
MISSING = "is missing"
DIFFERS = "is not what was written: its sha256 differs"
UNREADABLE = "cannot be read"
WAS_FINISHED = "though the run was finished"


@dataclass(frozen=True)
class Damage:
    """A file that is not what was written, and how it differs, as the end of a sentence."""

    file: Path
    what: str

    def __str__(self) -> str:
        return f"{self.file} {self.what}"


class DamagedError(ValueError):
    """Files are not what was written into them; the message names the first."""

    def __init__(self, damages: Sequence[Damage], remedy: str) -> None:
        first, *others = damages
        more = f", and {len(others)} more" if others else ""
        super().__init__(f"{first}{more}. {remedy}")
        self.damages = tuple(damages)


def damages_of_sealed(file: Path, read: Callable[[], object]) -> list[Damage]:
    """Say whether a record that carries its own hash is what was written, by reading it. Raises
    LaterSchemaError where a later stagelift wrote it.
    """
    try:
        read()
    except LaterSchemaError:
        raise
    except SealError:
        return [Damage(file, DIFFERS)]
    except ValueError:
        return [Damage(file, UNREADABLE)]
    return []


class _Hashes(Record):
    files: dict[str, str]


def sha256_of(file: Path) -> str:
    """Hash a file's bytes."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def files_in(folder: Path, *without: str) -> list[Path]:
    """Return the files in a folder and below, but for names in `without`, what is being written,
    and what was set aside.
    """
    files = (path for path in folder.rglob("*") if path.is_file())
    kept = (file for file in files if file.name not in without and not file.name.startswith("."))
    return [file for file in kept if not _is_aside(file.relative_to(folder))]


def finish_folder(
    folder: Path, files: Iterable[Path], last: Path, record: Hashed, *, beside: bool = False
) -> None:
    """Write the record that says that a folder is whole, with the hashes of `files`.

    Those that were written before count only where the record stands `beside` others.
    """
    hashes = hashed(folder, files)
    text = record_text(record.model_copy(update={"hashes": hashes}))
    known = _listed(folder) if beside else {}
    own = {last.name: hashlib.sha256(text.encode()).hexdigest()}
    _write(folder, {**known, **hashes, **own})
    write_text(last, text)


def replace_hashed(folder: Path, file: Path, text: str) -> None:
    """Write a file that comes after the others, or comes again.

    For a moment it has no hash: a kill in between leaves it without, and not with a wrong one.
    """
    known = _listed(folder)
    name = file.relative_to(folder).as_posix()
    if known:
        _write(folder, {other: hash for other, hash in known.items() if other != name})
    write_text(file, text)
    if known:
        _write(folder, {**known, name: sha256_of(file)})


def compared(
    folder: Path, lasts: Iterable[Path], *, by_name: Iterable[str] | None = None
) -> list[Damage] | None:
    """Return the files that are not what was written; None where no hashes were written.

    `lasts` are the records that repeat hashes. Of the files only those `by_name` are looked at,
    if given.
    """
    said = {name: hash for last in lasts for name, hash in _said(last).items()}
    lost = []
    try:
        hashes = read_numbered(folder / HASHES, _Hashes, _SCHEMA).files
    except FileNotFoundError:
        if not said:
            return None
        hashes, lost = said, [Damage(folder / HASHES, MISSING)]
    except ValueError:
        hashes, lost = said, [Damage(folder / HASHES, DIFFERS)]
    wanted = hashes.keys() if by_name is None else hashes.keys() & {*by_name}
    return [*lost, *compared_with(folder, {name: hashes[name] for name in sorted(wanted)})]


def hashes_of(folder: Path, lasts: Iterable[Path]) -> dict[str, str]:
    """Return what is known of the files in a folder, by name; empty where nothing is."""
    said = {name: hash for last in lasts for name, hash in _said(last).items()}
    return said | _listed(folder)


def write_hashes_again(folder: Path, lasts: Sequence[Path]) -> None:
    """Write `hashes.json` from the records that repeat them."""
    said = {name: hash for last in lasts for name, hash in _said(last).items()}
    own = {last.name: sha256_of(last) for last in lasts if last.exists()}
    _write(folder, {**said, **own})


def forget(folder: Path, names: Iterable[str]) -> None:
    """Take files out of what is known, because they are there no longer."""
    known, gone = _listed(folder), {*names}
    if known.keys() & gone:
        _write(folder, {name: hash for name, hash in known.items() if name not in gone})


def _is_aside(file: Path) -> bool:
    return any(part.startswith(ASIDE) for part in file.parts)


def hashed(folder: Path, files: Iterable[Path]) -> dict[str, str]:
    """Return the hashes of files in a folder, by name."""
    return {file.relative_to(folder).as_posix(): sha256_of(file) for file in sorted(files)}


def _write(folder: Path, hashes: Mapping[str, str]) -> None:
    write_numbered(folder / HASHES, {"files": dict(hashes)}, _SCHEMA)


def _listed(folder: Path) -> dict[str, str]:
    try:
        return read_numbered(folder / HASHES, _Hashes, _SCHEMA).files
    except (OSError, ValueError):
        return {}


def _said(last: Path) -> dict[str, str]:
    """Read the hashes that a record repeats; none of a record that cannot be read."""
    try:
        content = json.loads(last.read_bytes())
        return _Hashes(files=content.get("hashes", {})).files
    except (OSError, ValueError, AttributeError, RecursionError):
        return {}


def compared_with(folder: Path, hashes: Mapping[str, str]) -> list[Damage]:
    """Return the files of a folder that do not have these hashes, by name."""
    found = []
    for name, hash in hashes.items():
        file = folder / name
        if not file.is_file():
            found.append(Damage(file, MISSING))
        elif sha256_of(file) != hash:
            found.append(Damage(file, DIFFERS))
    return found
