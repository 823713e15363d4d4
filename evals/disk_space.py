"""A disk that is full, and limits on a user's part of it: said in a sentence that names the path
and the space there is.
"""

import errno
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_REASONS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "your disk quota is used up",
    errno.EFBIG: "the file would be larger than the limit on files allows (see `ulimit -f`)",
}
# how libraries that write from C++ or Rust say it, who raise errors of their own
_SAID = {
    errno.ENOSPC: re.compile(r"No space left on device|os error 28|database or disk is full"),
    errno.EDQUOT: re.compile(r"Disk quota exceeded|os error 122"),
    errno.EFBIG: re.compile(r"File too large|os error 27"),
}
# PyTorch does not say why it could not write
_TORCH = re.compile(r"PytorchStreamWriter failed writing|inline_container\.cc.*unexpected pos")
# bytes below which a disk counts as full, where a library does not say so
_HARDLY_ANY = 1 << 20


class DiskFull(OSError):
    """Something could not be written, because there is no room for it."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.errno = errno.ENOSPC


@contextmanager
def named_if_full(path: Path) -> Iterator[None]:
    """Let an error for want of space say what was being written, and how much there is."""
    try:
        yield
    except DiskFull:
        raise
    # libraries raise errors of their own
    except Exception as error:
        said = full_disk(error, path)
        if said is None:
            raise
        raise DiskFull(said) from error


def full_disk(error: BaseException, path: Path) -> str | None:
    """Say that there was no room for `path`; None where that is not what went wrong.

    The space is that of now: what was half written is still to be there.
    """
    if isinstance(error, DiskFull):
        return str(error)
    reason = _reason(error, path)
    if reason is None:
        return None
    return (
        f"{path} could not be written: {reason}. {_space(path)} Make room (`stagelift prune` shows "
        "what no run needs) and run the same command again: what was done is kept."
    )


def _reason(error: BaseException, path: Path) -> str | None:
    text = str(error)
    number = error.errno if isinstance(error, OSError) else None
    for code, reason in _REASONS.items():
        if number == code or _SAID[code].search(text):
            return reason
    if _TORCH.search(text) and _free(path)[0] < _HARDLY_ANY:
        return _REASONS[errno.ENOSPC]
    return None


def _space(path: Path) -> str:
    free, total = _free(path)
    return f"{free / 1e6:,.1f} MB of {total / 1e6:,.1f} MB are free there."


def _free(path: Path) -> tuple[int, int]:
    """Return the free and all bytes of the disk that a path is on, or would be on."""
    there = next(folder for folder in (path, *path.absolute().parents) if folder.exists())
    usage = shutil.disk_usage(there)
    return usage.free, usage.total
