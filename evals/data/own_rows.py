"""The rows of a user's own task: a prompt, what it is scored against, and whatever else they have.

A prompt is a text, which becomes the user's turn, or messages. Local JSON is read as it is written,
since a table would give every row the keys of all others. Ids are stable: the same source gives the
same id to the same row, whatever the limit.
"""

import json
from collections.abc import Iterator
from typing import Any

from stagelift.evals.data.alpaca import inputs_read, with_its_input
from stagelift.evals.data.clusters import cluster_name, refuse_one_for_all, refuse_some_without
from stagelift.evals.data.renamed import no_such_column
from stagelift.evals.data.source import (
    Source,
    UnreachableError,
    check_file,
    fingerprint,
    first_row,
    has_clusters,
    local_file,
    one_sentence,
    rows,
)
from stagelift.evals.data.turns import BESIDE, ROLES, as_turn
from stagelift.evals.records import Group, Record
from stagelift.evals.strict_json import read_rows

Message = dict[str, Any]


class OwnProblem(Record):
    """One prompt of a user's task, as turns, with its row.

    `cluster` is what it comes in, together with others; None: it stands alone.
    """

    id: str
    task: str
    group: Group
    prompt: list[Message]
    row: dict[str, Any]
    cluster: str | None = None

    @property
    def question(self) -> str:
        """What is asked, as one text."""
        return "\n\n".join(message["content"] for message in self.prompt)

    @property
    def target(self) -> str:
        """What it is scored against, as one text."""
        target = self.row["target"]
        return target if isinstance(target, str) else json.dumps(target, ensure_ascii=False)


def load_own(task: str, source: Source, group: Group, limit: int | None) -> list[OwnProblem]:
    """Load a task's rows.

    Raises ValueError, in a sentence with the row's number, where one cannot be used.
    """
    problems = []
    for number, row in _numbered(source, limit):
        place = f"Row {number} of '{source.path}'"
        prompt = with_its_input(source, row, row.get("prompt"))
        problems.append(
            OwnProblem(
                id=f"{task}/{number}",
                task=task,
                group=group,
                prompt=turns(prompt, f"{place} (with {_columns(row)})"),
                row=_with_target(row, place),
                cluster=_cluster(row, place),
            )
        )
    if not problems:
        raise ValueError(f"'{source.path}' has no rows, so task {task} asks nothing.")
    _check_clusters(problems, source)
    return problems


def own_fingerprint(source: Source) -> str:
    """Identify which rows are read, and as what."""
    columns = [f"{wanted}={present}" for wanted, present in sorted(source.columns.items())]
    limit = [] if source.limit is None else [f"limit={source.limit}"]
    present = _first_row(source)
    inputs = inputs_read(source, present)
    beside = [f"with {name}" for name in BESIDE if name in present]
    return " ".join([fingerprint(source), *columns, *limit, *inputs, *beside])


def has_own_clusters(source: Source) -> bool:
    """Say whether a task's rows carry a `cluster`; of the Hub's, whether `columns` names one."""
    if not _is_local_json(source):
        return has_clusters(source)
    return "cluster" in source.columns or "cluster" in _first_row(source)


def _first_row(source: Source) -> dict[str, Any]:
    """Return a first row, its columns as they are written; an empty one of what is not local."""
    file = local_file(source)
    if file is None:
        return {}
    if not _is_local_json(source):
        return first_row(source.model_copy(update={"columns": {}}))
    _, first = next(read_rows(file), (0, {}))
    return first if isinstance(first, dict) else {}


def _is_local_json(source: Source) -> bool:
    file = local_file(source)
    return file is not None and file.suffix in (".jsonl", ".json")


def turns(prompt: Any, place: str) -> list[Message]:
    """Return a prompt as turns. Raises ValueError, in a sentence, where it is none."""
    if isinstance(prompt, str) and prompt.strip():
        return [{"role": "user", "content": prompt}]
    problem = _problem(prompt)
    if problem is not None:
        raise ValueError(
            f"{place} {problem}. A prompt is a text, or messages such as [{{role: user, content: "
            "...}]; `columns` can rename a column to `prompt`."
        )
    return [as_turn(turn) for turn in prompt]


def _problem(prompt: Any) -> str | None:
    """Say, as a clause, why messages cannot be asked; None where they can."""
    if prompt is None or prompt == "":
        return "has no prompt"
    if not isinstance(prompt, list) or not prompt:
        return f"has the prompt {prompt!r:.60}, which is neither text nor messages"
    for turn in prompt:
        is_turn = isinstance(turn, dict) and turn.get("role") in ROLES
        if not is_turn or not (isinstance(turn.get("content"), str) or turn.get("tool_calls")):
            return f"has the message {turn!r:.60} in its prompt, without a role or a text"
    if prompt[-1]["role"] == "assistant":
        return "has a prompt that ends with the assistant, so that nothing is left to answer"
    return None


def _numbered(source: Source, limit: int | None) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield rows as JSON can hold them, with their numbers from 1."""
    most = min((size for size in (source.limit, limit) if size is not None), default=None)
    renamed = {present: wanted for wanted, present in source.columns.items()}
    for number, (line, row) in enumerate(_written(source), start=1):
        if most is not None and number > most:
            return
        if not isinstance(row, dict):
            raise ValueError(f"Line {line} of '{source.path}' is no JSON object, but {row!r:.60}.")
        missing = next((name for name in renamed if name not in row), None)
        if missing is not None:
            raise ValueError(
                f"Row {number} of '{source.path}' has no column '{missing}' (mapped to "
                f"'{renamed[missing]}'). {no_such_column(source.columns, [*map(str, row)])}"
            )
        named = {renamed.get(str(name), str(name)): value for name, value in row.items()}
        yield number, _plain(named, f"Row {number} of '{source.path}'")


def _written(source: Source) -> Iterator[tuple[int, Any]]:
    check_file(source)
    file = local_file(source)
    if file is not None and _is_local_json(source):
        yield from read_rows(file)
        return
    try:
        # renamed by the caller
        table = rows(source.model_copy(update={"columns": {}, "limit": None}))
    # the reader's errors are of many kinds, and all mean the same to the user
    except Exception as error:
        problem = f"Cannot read split '{source.split}' of '{source.path}': {one_sentence(error)}"
        raise (UnreachableError if file is None else ValueError)(problem) from error
    yield from enumerate(table, start=1)


def _plain(row: dict[str, Any], place: str) -> dict[str, Any]:
    """Return a row as records hold it: what JSON has no word for is a text, NaN is nothing."""
    try:
        text = json.dumps(row, ensure_ascii=False, default=str)
        text.encode()
    except (UnicodeEncodeError, ValueError, TypeError, RecursionError) as error:
        raise ValueError(
            f"{place} cannot be kept: it holds text that is not Unicode, or is nested too deeply."
        ) from error
    plain: dict[str, Any] = json.loads(text, parse_constant=lambda _: None)
    return plain


def _columns(row: dict[str, Any]) -> str:
    names = [str(name) for name in list(row)[:8]]
    return f"columns {', '.join(names)}" if names else "no columns"


def _with_target(row: dict[str, Any], place: str) -> dict[str, Any]:
    if row.get("target") is None:
        raise ValueError(
            f"{place} (with {_columns(row)}) has no target. A target is a text, a number, a list "
            "of accepted answers, or JSON; `columns` can rename a column to `target`."
        )
    return row


def _cluster(row: dict[str, Any], place: str) -> str | None:
    try:
        return cluster_name(row.get("cluster"))
    except ValueError as error:
        raise ValueError(f"{place}: {error}.") from error


def _check_clusters(problems: list[OwnProblem], source: Source) -> None:
    what = f"'{source.path}'"
    refuse_some_without(((problem.id, problem.cluster) for problem in problems), what)
    clusters = {problem.id: problem.cluster for problem in problems if problem.cluster is not None}
    refuse_one_for_all(clusters, what)
