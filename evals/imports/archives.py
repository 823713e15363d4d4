"""Whether an archive from outside may be read: bounded, of one layer, and all inside itself."""

import zipfile
import zlib
from pathlib import Path, PurePosixPath

from stagelift.evals.bounded_text import LARGEST_TEXT, refuse_bomb

_MEMBERS = 500_000


def refuse_unsafe_archive(path: Path) -> None:
    """Raise ValueError where a zip archive is damaged, too large when unpacked, holds a name twice,
    or a name that leads out of it.

    Every member is decompressed once, in pieces: its size and checksum are what the archive says.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            _refuse_names(path, [member.filename for member in members])
            _refuse_larger(path, sum(member.file_size for member in members))
            damaged = archive.testzip()
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError, RuntimeError) as error:
        raise ValueError(f"{path} is a damaged archive: {error}.") from error
    if damaged is not None:
        raise ValueError(f"{path} is a damaged archive: the checksum of '{damaged}' is wrong.")


def _refuse_names(path: Path, names: list[str]) -> None:
    if len(names) > _MEMBERS:
        raise ValueError(f"{path} holds {len(names):,} files, and {_MEMBERS:,} are read at most.")
    seen = set()
    for name in names:
        parts = PurePosixPath(name.replace("\\", "/"))
        if parts.is_absolute() or ".." in parts.parts or ":" in "".join(parts.parts[:1]):
            raise ValueError(f"{path} holds '{name}', a name that leads out of the archive.")
        if name in seen:
            raise ValueError(f"{path} holds '{name}' twice.")
        seen.add(name)


def _refuse_larger(path: Path, size: int) -> None:
    if size > LARGEST_TEXT:
        raise ValueError(
            f"{path} holds {size / 2**20:,.0f} MiB when unpacked, and {LARGEST_TEXT / 2**20:,.0f} "
            "is the most that is read. Split it."
        )
    refuse_bomb(path, path.stat().st_size, size)
