"""A dataset of foreign rows, as a dataset in TRL's format."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from stagelift.evals.data.places import place
from stagelift.evals.data.source import Source
from stagelift.stages.kind import Kind, Row
from stagelift.stages.rows.layouts import Layout
from stagelift.stages.rows.reader import read

if TYPE_CHECKING:
    from datasets import Dataset

# read by TRL beside the columns of a format
_READ_BY_TRL = ("tools", "chat_template_kwargs", "image", "images")


def laid_out(rows: "Dataset", layout: Layout, kind: Kind, source: Source) -> "Dataset":
    """Return rows as their layout says; those that are in TRL's format stay as they are.

    Columns that neither the format nor TRL reads go, unless rewards may read them. Raises
    ValueError, naming the row, where one is not as its layout says.
    """
    if layout.keeps_rows:
        return rows
    kept = [name for name in rows.column_names if kind.rewarded or name in _READ_BY_TRL]
    made = columns_made(layout, rows[0])
    return rows.map(
        _made,
        with_indices=True,
        remove_columns=[name for name in rows.column_names if name not in kept],
        features=_features(rows, kept, made, layout),
        fn_kwargs={"layout": layout, "source": source},
        # the cache knows functions by their names, not by what they do
        load_from_cache_file=False,
    )


def columns_made(layout: Layout, first: Row) -> Sequence[str]:
    """Name the columns that a layout makes."""
    return list(read(layout, first))


def _made(row: Row, index: int, layout: Layout, source: Source) -> Row:
    try:
        return read(layout, row)
    except ValueError as error:
        raise ValueError(f"{place(source, index)} {error}.") from error


def _features(rows: "Dataset", kept: list[str], made: Sequence[str], layout: Layout) -> Any:
    from datasets import Features, Json, List, Value

    # JSON keeps each turn as it is; a table would give every turn the keys of all others
    of_talk = List(Json()) if layout.turns else Value("string")
    types = {name: Value("bool") if name == "label" else of_talk for name in made}
    return Features({**{name: rows.features[name] for name in kept}, **types})
