"""Cases that fuzzing found, which broke a law before they were mended."""

from collections.abc import Callable
from typing import Any, NamedTuple

from tests.fuzz.checks import (
    CHECKS,
    Stored,
    against_itself,
    blessed_with_a_key_twice,
    laid_out_otherwise,
    stored_name,
)
from tests.fuzz.imports import IMPORTS, VALID, Files
from tests.fuzz.law import Target
from tests.fuzz.mutations import as_lines


class Found(NamedTuple):
    """What broke the law of a target; the case is made when it is tried."""

    what: str
    target: Target
    case: Callable[[], Any]


def unfiltered(files: Files) -> Files:
    """Take what the filters kept out of every row."""
    (name,) = files.contents
    rows = [{**row, "filtered_resps": []} for row in files.contents[name]]
    return files._replace(contents={name: as_lines(rows)})


_RECORDS = next(target for target in CHECKS if target.name == "records of a run")
_LM_EVAL = next(target for target in IMPORTS if target.name == "import, lm-eval")
_HASHES = "hashes.json"

FOUND: tuple[Found, ...] = (
    Found(
        "a finished run without one result is reported as if that had not been reached yet",
        _RECORDS,
        lambda: Stored(stored_name("result.json"), None),
    ),
    Found(
        "hashes that are only laid out otherwise are no damage",
        _RECORDS,
        lambda: Stored(stored_name(_HASHES), laid_out_otherwise(stored_name(_HASHES))),
    ),
    Found(
        "a row of lm-eval whose filter kept no response has no answer",
        _LM_EVAL,
        lambda: unfiltered(VALID["lm-eval"][0]),
    ),
    Found(
        "gates that are one long number are refused in a few words, whose end is the remedy",
        next(target for target in CHECKS if target.name == "check, gates"),
        lambda: against_itself(b"gates: " + b"9" * 5000),
    ),
    Found(
        "hashes whose own hash is null are not what was written",
        _RECORDS,
        lambda: Stored(stored_name(_HASHES), laid_out_otherwise(stored_name(_HASHES), sha256=None)),
    ),
    Found(
        "a baseline that has a key twice is refused, though both are the same",
        next(target for target in CHECKS if target.name == "check, against a baseline"),
        blessed_with_a_key_twice,
    ),
)
