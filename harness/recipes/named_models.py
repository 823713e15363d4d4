"""`name=MODEL` as `stagelift evaluate` takes it: a chain of what was trained elsewhere."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from stagelift.evals.models import adapters
from stagelift.evals.models.given import Given, recognise
from stagelift.harness.errors import UsageError

_NAMED = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)=(?P<path>.+)", re.DOTALL)


@dataclass(frozen=True)
class NamedModel:
    """A model or adapter, and the stage that it is; None where it has no name."""

    name: str | None
    given: Given

    def section(self) -> dict[str, str]:
        """Write it as the section of a checkpoint."""
        return {"name": str(self.name), self.given.what: self.given.path}


def read_chain(words: Sequence[str]) -> list[NamedModel]:
    """Read a chain: base, then its stages. Base needs no name.

    Raises UsageError, which says which word is what, where they are no chain.
    """
    models = [_read(word) for word in words]
    unnamed = next((model for model in models[1:] if model.name is None), None)
    if unnamed is not None:
        raise UsageError(
            f"'{unnamed.given.path}' has no name. Name every stage after base, such as "
            f"sft={unnamed.given.path}."
        )
    first = models[0]
    if first.given.what == "adapter":
        below = adapters.trained_on(adapters.adapter_folder(first.given.path, None))
        raise UsageError(
            f"{words[0]} is an adapter, and the first is the base that all starts from. Put the "
            f"model that it lies on first, such as: base={below or 'MODEL'} "
            f"{first.name or 'tuned'}={first.given.path}."
        )
    return models


def _read(word: str) -> NamedModel:
    named = _NAMED.fullmatch(word)
    name, path = (named["name"], named["path"]) if named else (None, word)
    try:
        return NamedModel(name, recognise(path))
    except ValueError as error:
        raise UsageError(f"{word}: {error}" if named else str(error)) from error
