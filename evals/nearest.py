"""What a name that is not known was meant to be: the nearest of those that are."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches

# characters that are compared: a name of others may be a megabyte
_LONGEST = 200


def nearest(
    name: object, known: Iterable[str], also_called: Mapping[str, str] | None = None
) -> str | None:
    """Return the known name that was meant, whatever its capital letters; None where none is near.

    `also_called` has names that other tools have for the same thing.
    """
    wanted = str(name)[:_LONGEST].casefold()
    if also_called is not None and wanted in also_called:
        return also_called[wanted]
    names = {each.casefold(): each for each in known}
    near = get_close_matches(wanted, names, n=1)
    return names[near[0]] if near else None


def did_you_mean(
    name: object, known: Iterable[str], also_called: Mapping[str, str] | None = None
) -> str:
    """Return the same as a sentence to put behind another; "" where none is near."""
    near = nearest(name, known, also_called)
    return "" if near is None else f" Did you mean '{near}'?"
