"""What nobody foresaw, told in a sentence; what led to it is kept in a file.

The file is in the folder for temporary files, readable by its owner alone.
"""

import os
import platform
import shlex
import sys
import tempfile
import traceback
from importlib.metadata import PackageNotFoundError, version

from stagelift.evals.credentials import words_without_credentials
from stagelift.evals.disk_space import DiskFull
from stagelift.evals.printed import safe_text

_LONGEST = 300


def told(error: Exception) -> str:
    """Say what it was (memory, the machine, the installation, or a fault of ours), and where what
    led to it lies.
    """
    if isinstance(error, DiskFull):
        return f"Error: {error}"
    return f"Error: {_sentence(error)} {_where_it_lies(error)}"


def _sentence(error: Exception) -> str:
    what = " ".join(f"{type(error).__name__}: {error}".split())[:_LONGEST].rstrip(".")
    match error:
        case MemoryError():
            return "Memory ran out. Free some, or ask for less at once, and give the command again."
        case ImportError():
            return f"The installation is not whole ({what}). Install stagelift again."
        case OSError():
            return f"The machine refused something ({what})."
        case _:
            return f"This is a fault of stagelift, not of yours ({what}). Please report it."


def _where_it_lies(error: Exception) -> str:
    try:
        file = _written(error)
    except OSError as refused:
        return f"What led to it could not be written down ({refused})."
    return f"What led to it is in {file}, with the command and the versions."


def _written(error: Exception) -> str:
    led_to_it = "".join(traceback.format_exception(error))
    content = (
        f"command: {shlex.join(['stagelift', *sys.argv[1:]])}\nstagelift {_version()}, Python "
        f"{platform.python_version()}, {platform.platform()}\n\n{led_to_it}"
    )
    number, path = tempfile.mkstemp(prefix="stagelift-fault-", suffix=".txt")
    with os.fdopen(number, "w", encoding="utf-8") as file:
        file.write(safe_text(words_without_credentials(content)))
    return path


def _version() -> str:
    try:
        return version("stagelift")
    except PackageNotFoundError:
        return "of a checkout"
