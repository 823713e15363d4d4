"""Why `columns` cannot rename: a column is not there, or the mapping is the wrong way round."""

from collections.abc import Collection, Mapping

from stagelift.evals.nearest import nearest

# names that trainings and tasks take, all in small letters
_NEEDED = {
    "prompt",
    "completion",
    "messages",
    "text",
    "chosen",
    "rejected",
    "label",
    "question",
    "answer",
    "target",
}


def no_such_column(columns: Mapping[str, str], present: Collection[str]) -> str:
    """Say, as a sentence, what to write where a column that `columns` names is not there; "" where
    all are.
    """
    missing = {wanted: name for wanted, name in columns.items() if name not in present}
    if not missing:
        return ""
    is_turned = all(wanted in present for wanted in missing) and {*missing.values()} <= _NEEDED
    if is_turned:
        # what is right stays as it is
        turned = dict(
            (name, wanted) if wanted in missing else (wanted, name)
            for wanted, name in columns.items()
        )
        return (
            "The mapping is the wrong way round: the name that is needed stands on the left, the "
            f"column of the file on the right. Write columns: {_written(turned)}"
        )
    hints = [
        f" Did you mean '{near}' for '{name}'?"
        for name in missing.values()
        if (near := nearest(name, present)) is not None
    ]
    return f"Its columns: {', '.join(map(str, present))}.{''.join(hints)}"


def _written(columns: Mapping[str, str]) -> str:
    return "{" + ", ".join(f"{wanted}: {name}" for wanted, name in columns.items()) + "}"
