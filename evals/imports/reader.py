"""What a format of results is: what it is called, how it is recognised, and how it is read.

A format is one file that ends in a `Reader`, and one line in `formats.py`.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from stagelift.evals.imports.results import Imported
from stagelift.evals.imports.seen import Seen


class Reader(NamedTuple):
    """How files of one format are read.

    `name` is what `--format` takes, `title` what a file of it is called in a sentence ("lm-eval's
    samples"), `how_to_get` what to give instead of another file. `recognises` says whether a file
    or folder is of this format: a folder that is recognised is read as one (all tasks of a model,
    say). `read` raises ValueError, in a sentence that names file and line, where anything in it
    cannot be true.
    """

    name: str
    title: str
    how_to_get: str
    recognises: Callable[[Seen], bool]
    read: Callable[[Path], Imported]
