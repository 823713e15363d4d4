"""Paths that the system refuses, in a sentence: too long, on a read-only disk, without a right."""

import errno

from stagelift.evals.printed import excerpt

_SHOWN = 120
_SENTENCES = {
    errno.ENAMETOOLONG: "{} is a longer path than this system takes (mostly 255 bytes a name and "
    "4,096 a path). Give a shorter one.",
    errno.EROFS: "{} cannot be written: its disk is read-only. Name a folder that can be written, "
    "such as with --runs or --output.",
    errno.EACCES: "{} may not be read or written by this user. Change its rights, or name another "
    "one.",
    errno.ENOTDIR: "{} is a file or lies below one, where a folder is needed. Name another path.",
    errno.EISDIR: "{} is a folder, where a file is needed. Name a file.",
    errno.ELOOP: "{} is a symbolic link that leads back to itself. Remove it, or name another "
    "path.",
}


def refused_path(error: BaseException) -> str | None:
    """Say which path was refused and what helps; None where that is not what went wrong."""
    number = error.errno if isinstance(error, OSError) else None
    if number not in _SENTENCES or not isinstance(error, OSError):
        return None
    return _SENTENCES[number].format(excerpt(str(error.filename or "A path"), _SHOWN))
