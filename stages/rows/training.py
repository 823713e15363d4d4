"""Training rows of each stage, in the formats TRL's trainers take; train splits only.

A stage that is rewarded by scorers trains on rows of a user's own task, as the evaluation asks
them. Otherwise, rows that are in one of TRL's formats for the stage, conversational or standard,
stay as they are but for what the kind changes. Word problems (`question`, `answer`) become the
stage's format, with the prompt the evaluation uses. Rows in other layouts are converted.
"""

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from stagelift.evals.data.answers import answer_text, number_text
from stagelift.evals.data.bundled_data import SCHOOLMATH, is_bundled
from stagelift.evals.data.places import place
from stagelift.evals.data.source import (
    Source,
    first_row,
    first_rows,
    keeps_cells,
    local_rows,
    rows,
)
from stagelift.evals.data.turns import BESIDE
from stagelift.stages.kind import Kind, Row
from stagelift.stages.kinds import kind_named
from stagelift.stages.rows.chats import as_chats, is_text_column, texts_in
from stagelift.stages.rows.checked import check_rows_laid_out
from stagelift.stages.rows.layouts import (
    PROBLEM,
    TALK,
    AmbiguousColumnsError,
    Layout,
    hint,
    layout_of,
)
from stagelift.stages.rows.own import check_own_source, learns_from_scorers, own_training_rows
from stagelift.stages.rows.problems import check_all_is_asked, without_unusable
from stagelift.stages.rows.table import laid_out
from stagelift.stages.settings import StageKind, StageSettings

if TYPE_CHECKING:
    from datasets import Dataset

# rows that show what a dataset is like
_FIRST = 64
# columns that a refusal names
_SHOWN = 12


def training_rows(settings: StageSettings) -> "Dataset":
    """Load the rows of a stage's dataset in a format its trainer takes.

    Raises ValueError, in a sentence, where a row cannot be read, or none is left.
    """
    if learns_from_scorers(settings.rewards):
        return own_training_rows(settings.dataset)
    made = _in_format(rows(settings.dataset), settings)
    if not len(made):
        raise ValueError(
            f"Stage '{settings.kind}': no row of '{settings.dataset.path}' ends with an answer of "
            "the assistant, so that nothing is left to train on."
        )
    return made


def first_training_rows(settings: StageSettings) -> "Dataset":
    """Load the first of a stage's rows in the same way: of the Hub one, of others some.

    Raises ValueError where they cannot be read.
    """
    source = settings.dataset
    if learns_from_scorers(settings.rewards):
        limit = min(_FIRST, source.limit or _FIRST)
        return own_training_rows(source.model_copy(update={"limit": limit}))
    dataset = first_rows(source)
    first = _in_format(dataset.select(range(min(_FIRST, len(dataset)))), settings)
    # where none of them has an answer, later ones may
    return first if len(first) else training_rows(settings)


def given_and_trained(settings: StageSettings) -> "tuple[int, Dataset]":
    """Load a stage's rows as it trains on them, and count those it was given: a kind leaves out
    rows that have no answer.
    """
    if learns_from_scorers(settings.rewards):
        own = own_training_rows(settings.dataset)
        return len(own), own
    dataset = rows(settings.dataset)
    trained = _in_format(dataset, settings)
    # of what a pair is made of, others say what is left out
    given = trained if kind_named(settings.kind).makes_pairs else dataset
    return len(given), trained


def _in_format(dataset: "Dataset", settings: StageSettings) -> "Dataset":
    kind, source = kind_named(settings.kind), settings.dataset
    layout = _layout(kind, source, dataset)
    if layout.wanted != PROBLEM:
        laid = laid_out(dataset, layout, kind, source)
        return kind.prepare(as_chats(laid, source, layout.wanted), settings.args)
    dataset = without_unusable(kind, dataset)
    return dataset.map(
        _rows_of_problems,
        batched=True,
        remove_columns=dataset.column_names,
        fn_kwargs={"kind": settings.kind},
    )


def read_since(settings: StageSettings) -> list[str]:
    """Name what is made of a stage's rows that once was not: with it, it is another training.

    The layout says what is made of foreign rows. `turns`: texts become turns; `input`: an
    instruction has its input; `tools`: the template is shown a row's tools; `cells`: texts of a CSV
    stay as written. Raises ValueError where the rows cannot be read.
    """
    source, kind = settings.dataset, kind_named(settings.kind)
    dataset = first_rows(source)
    if learns_from_scorers(settings.rewards):
        # a prompt and a target, of which nothing else is made
        layout = Layout(("prompt",), {})
    else:
        layout = _layout(kind, source, dataset)
    is_problem = layout.wanted == PROBLEM
    fitting = () if is_problem else layout.wanted
    first = laid_out(dataset.select([0]), layout, kind, source)
    texts = texts_in(first, fitting)
    # a scorer's prompts were turns before
    turns = source.chat and not learns_from_scorers(settings.rewards)
    whole = any(settings.args.get(name) for name in kind.row_args)
    tools = not whole and bool(set(kind.hid_tools) & set(fitting))
    named = {
        "turns": bool(texts) and turns,
        "input": bool(texts) and layout.name is None and bool(layout.beside),
        "tools": tools and any(name in dataset.column_names for name in BESIDE),
        "cells": keeps_cells(source),
    }
    since = [name for name, is_so in named.items() if is_so]
    return since if layout.name is None else [f"layout: {layout.name}", *since]


def were_texts(settings: StageSettings) -> bool:
    """Say whether a stage's turns are made of texts; of rows with a system text or earlier turns
    beside their prompts the layout says it.
    """
    since = read_since(settings)
    layouts = [what.split() for what in since if what.startswith("layout: ")]
    return "turns" in since or any("roles" in words for words in layouts)


def training_texts(settings: StageSettings) -> list[list[str]]:
    """Return, row by row, what a stage's trainer reads: each message or field a text."""
    dataset = training_rows(settings)
    names = [name for name in kind_named(settings.kind).texts if name in dataset.column_names]
    return [
        [text for value in row for text in _texts(value)]
        for row in zip(*(dataset[name] for name in names), strict=True)
    ]


def reading(settings: StageSettings) -> str:
    """Identify what a stage reads: stages with the same one train on the same rows."""
    args = {name: settings.args.get(name) for name in kind_named(settings.kind).row_args}
    return f"{settings.kind} {settings.dataset.model_dump_json()} {args}"


def check_training_source(
    name: StageKind, source: Source, rewards: Sequence[str | dict[str, Any]] = ()
) -> None:
    """Raise ValueError, in a sentence, where the source is missing, is not for training or lacks
    the columns that a kind of stage, or its rewards, need.
    """
    purpose = _other_purpose(source)
    if purpose is not None:
        raise ValueError(
            f"Stage '{name}' would train on split '{source.split}' of '{source.path}', which is "
            f"for {purpose}. Use a training split."
        )
    if learns_from_scorers(rewards):
        check_own_source(name, source, rewards)
        return
    # says in a sentence what cannot be read, and which columns there are not
    kind, first = kind_named(name), first_row(source)
    if is_bundled(source.path):
        # all rows are like the first, and need no table
        _layout_told_by(kind, source, list(first), first)
        return
    dataset = first_rows(source)
    layout = _layout(kind, source, dataset)
    if layout.wanted == PROBLEM:
        _check_problems(source)
        check_all_is_asked(kind, dataset, source)
    else:
        check_rows_laid_out(layout, source, dataset, rewarded=kind.rewarded)


def _layout(kind: Kind, source: Source, dataset: "Dataset") -> Layout:
    return _layout_told_by(kind, source, dataset.column_names, _telling(source, dataset))


def _layout_told_by(kind: Kind, source: Source, columns: list[str], first: Row) -> Layout:
    """Return how a source's rows are laid out. Raises ValueError, in a sentence, where no stage of
    this kind can read them.
    """
    try:
        layout = layout_of(kind, source, columns, first)
    except AmbiguousColumnsError as error:
        raise ValueError(f"Dataset '{source.path}' {error}.") from error
    except ValueError as error:
        raise ValueError(f"{place(source, 0)} {error}.") from error
    if layout is None:
        needed = " or ".join(_words(names) for names in (*kind.formats, PROBLEM))
        more = "..." if len(columns) > _SHOWN else ""
        raise ValueError(
            f"Stage '{kind.name}' cannot use dataset '{source.path}' with columns "
            f"{_words(columns[:_SHOWN])}{more}. It needs {needed}; `columns` in the recipe can "
            "rename, and docs/training-data.md names other layouts."
            f"{hint(kind, columns)}"
        )
    return layout


def _telling(source: Source, dataset: "Dataset") -> Row:
    """Return the first row, which tells the layout. Whether 1 is of 1 and 0, or of 1 and -1, and
    whether some texts are numbers, only the column tells.
    """
    if not len(dataset):
        raise ValueError(f"Dataset '{source.path}' has no rows in split '{source.split}'.")
    first: Row = dict(dataset[0])
    if first.get("label") == 1 and -1 in dataset["label"]:
        first["label"] = -1
    return first | _numbers_among_texts(dataset, first)


def _numbers_among_texts(dataset: "Dataset", first: Row) -> Row:
    """Return a number of each column that begins with a text and has numbers, too."""
    mixed = [
        name
        for name in TALK
        if isinstance(first.get(name), str) and not is_text_column(dataset, name)
    ]
    found = {name: next(filter(_is_number, dataset[name]), None) for name in mixed}
    return {name: value for name, value in found.items() if value is not None}


def _is_number(value: Any) -> bool:
    return number_text(value) is not None


def _other_purpose(source: Source) -> str | None:
    """Say what splits are for that must not be trained on; None where they may be.

    A validation split of a user's own is the user's to train on.
    """
    splits = {re.sub(r"\[.*", "", part).strip() for part in source.split.split("+")}
    if {"test", "held_out"} & splits:
        return "testing"
    if source.path == SCHOOLMATH and "validation" in splits:
        return "choosing settings"
    return None


def _rows_of_problems(problems: dict[str, list[Any]], kind: StageKind) -> dict[str, list[Any]]:
    """Turn a batch of word problems, column by column, into rows of a kind."""
    pairs = zip(problems["question"], problems["answer"], strict=True)
    from_problem = kind_named(kind).from_problem
    made = [
        row
        for question, answer in pairs
        for row in from_problem(str(question), answer_text(answer) or "")
    ]
    return {name: [row[name] for row in made] for name in made[0]}


def _texts(value: Any) -> Iterator[str]:
    """Yield the texts in a field: itself, or what the messages of a conversation say."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        yield from (str(message["content"]) for message in value if message.get("content"))


def _check_problems(source: Source) -> None:
    """Look at every row of a local file: a trainer would stop at an empty field after minutes,
    saying less.
    """
    dataset = local_rows(source)
    if dataset is None:
        return
    fields = (("question", _is_text, "text"), ("answer", _is_answer, "text or a number"))
    for column, fits, what in fields:
        for index, value in enumerate(dataset[column]):
            if not fits(value):
                raise ValueError(
                    f"{place(source, index)} has {value!r:.60} in column '{column}', which must "
                    f"be {what}."
                )


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _is_answer(value: Any) -> bool:
    return bool(answer_text(value))


def _words(names: Sequence[str]) -> str:
    return "+".join(names)
