"""The contract of an evaluation, compared: which of its fields differs.

A contract is everything that makes two evaluations comparable, field by field.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

# what a contract says of what the engine's server decides, and no recipe knows
OF_THE_SERVER = "the server's"
# what it says of chat templates and tokenizers that are not the same for all stages of a run
EACH_ITS_OWN = "each stage's own"


def counts_tokens(contract: Mapping[str, Any]) -> bool:
    """Say whether tokens are a unit of length under a contract: those of different tokenizers are
    not the same, so then characters are counted alone.
    """
    return contract.get("tokenizers") is None


def same_tokenizer(mine: str | None, theirs: str | None) -> bool:
    """Say whether two evaluations count the same tokens, by digests of their tokenizers.

    Earlier ones did not note theirs, and count as the same.
    """
    return mine is None or theirs is None or mine == theirs


class Difference(NamedTuple):
    """A field that two contracts disagree about, and what each says; None where it has none."""

    field: str
    mine: Any
    theirs: Any


def first_difference(
    mine: Mapping[str, Any], theirs: Mapping[str, Any], *, across_engines: bool = False
) -> Difference | None:
    """Return the first field in which two contracts differ; None where they agree."""
    return next(differences(mine, theirs, across_engines=across_engines), None)


def differences(
    mine: Mapping[str, Any], theirs: Mapping[str, Any], *, across_engines: bool = False
) -> Iterator[Difference]:
    """Yield the fields in which two contracts differ, the engine before the others, which come by
    name.

    With `across_engines` another engine is no difference, nor is what its server decides.
    """
    for field in sorted({*mine, *theirs}, key=lambda name: (name != "engine", name)):
        values = mine.get(field), theirs.get(field)
        is_of_engine = field == "engine" or OF_THE_SERVER in values
        if values[0] != values[1] and not (across_engines and is_of_engine):
            yield Difference(field, *values)


def in_words(value: object) -> str:
    """Write what a field holds as a sentence can have it: `is 4 here, and not set there`."""
    return "not set" if value is None else f"{value!r:.300}"


def engines_differ(mine: Mapping[str, Any], theirs: Mapping[str, Any]) -> str:
    """Say that two contracts name other engines; empty where they name the same."""
    if mine.get("engine") == theirs.get("engine"):
        return ""
    return (
        f"Engines differ: {mine.get('engine')} and {theirs.get('engine')} answered. Some responses "
        "would differ with the same model, too: part of every difference may be the engines'."
    )
