"""Why `columns` cannot rename: a column is not there, or the mapping is the wrong way round."""

import difflib
from collections.abc import Collection, Mapping


def no_such_column(columns: Mapping[str, str], present: Collection[str]) -> str:
    """Say, as a sentence, what to write where a column that `columns` names is not there; "" where
    all are.
    """
    missing = {wanted: name for wanted, name in columns.items() if name not in present}
    if not missing:
        return ""
    if all(wanted in present for wanted in missing):
        # what is right stays as it is
        turned = dict(
            (name, wanted) if wanted in missing else (wanted, name)
            for wanted, name in columns.items()
        )
        return (
            "The mapping is the wrong way round: the name that is needed stands on the left, the "
            f"column of the file on the right. Write columns: {_written(turned)}"
        )
    near = {
        name: found
        for name in missing.values()
        if (found := difflib.get_close_matches(name, [*present], n=1))
    }
    hint = "".join(f" Did you mean '{found[0]}' for '{name}'?" for name, found in near.items())
    return f"Its columns: {', '.join(map(str, present))}.{hint}"


def _written(columns: Mapping[str, str]) -> str:
    return "{" + ", ".join(f"{wanted}: {name}" for wanted, name in columns.items()) + "}"
