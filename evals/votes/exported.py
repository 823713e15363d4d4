"""The file that a voting page exports: one person's votes, by the names of pairs.

It comes from outside: it is read within bounds, and whole or not at all.
"""

from collections import Counter
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from stagelift.evals.records import Record
from stagelift.evals.strict_json import read_json

FORMAT = "stagelift-votes-1"
# a vote takes about 100 bytes
LARGEST = 20_000_000
MOST_VOTES = 100_000

Choice = Literal["left", "right", "tie"]
_Name = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class ExportedVote(Record):
    """Which side of a pair was preferred."""

    pair: _Name
    choice: Choice


class ExportedVotes(Record):
    """What one person said on one page, in the order in which pairs were shown.

    `page` is a digest of what the page showed, `voter` a random name that the page gave, `seed`
    that of the random order.
    """

    format: Literal["stagelift-votes-1"]
    page: _Name
    seed: Annotated[int, Field(ge=0, lt=2**31)]
    voter: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
    votes: Annotated[list[ExportedVote], Field(min_length=1, max_length=MOST_VOTES)]


def read_exported(path: Path) -> ExportedVotes:
    """Read a file of votes.

    Raises ValueError, in a sentence, where it is none, is too large, or votes on a pair twice.
    """
    if not path.is_file():
        raise ValueError(
            f"'{path}' is not a file. Give one that a voting page exported (its Export button)."
        )
    size = path.stat().st_size
    if size > LARGEST:
        raise ValueError(
            f"'{path}' has {size / 1e6:.0f} MB, and files of votes have at most "
            f"{LARGEST / 1e6:.0f} MB. Give one that a voting page exported."
        )
    try:
        exported = ExportedVotes.model_validate(read_json(path))
    except ValidationError as error:
        raise ValueError(
            f"'{path}' is no file of votes: {_problem(error)}. Give one that a voting page "
            "exported, as it was exported."
        ) from error
    except ValueError as error:
        raise ValueError(
            f"{error} So it is no file of votes. Give one that a voting page exported."
        ) from error
    pair, count = Counter(vote.pair for vote in exported.votes).most_common(1)[0]
    if count > 1:
        raise ValueError(
            f"'{path}' votes {count} times on the pair {pair[:12]}. Export the votes again: a page "
            "has one vote on each pair."
        )
    return exported


def _problem(error: ValidationError) -> str:
    first = error.errors()[0]
    place = ".".join(str(part)[:40] for part in first["loc"])
    message = first["msg"].rstrip(".").replace("\n", " ")[:200]
    return f"{place}: {message}" if place else message
