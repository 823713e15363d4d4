"""lighteval's details: `details_<task>_<time>.parquet`, one file a task, or a folder of them.

Since 0.11 a row holds `doc`, `model_response` and `metric`; before, `example`, `full_prompt`,
`predictions`, `gold` and `metrics`, and from 0.4 to 0.10 each of these as the text of a Python
value. Metrics that are one number per document become metrics of the task. Documents have no ids
that would hold across runs: they are known by their question and target.
"""

import ast
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from stagelift.evals.imports.content import content_id
from stagelift.evals.imports.measured import (
    Measured,
    Response,
    number_of,
    stage_of,
)
from stagelift.evals.imports.reader import Reader
from stagelift.evals.imports.results import Document, Imported
from stagelift.evals.imports.seen import Seen
from stagelift.evals.imports.tables import MalformedRow, table_rows

_FILE = re.compile(r"details_(?P<task>.+?)_(?P<time>\d{4}-\d\d-\d\dT[\d:.-]+)\.parquet")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT[\d:.-]+")
_NEW, _OLD = {"doc", "model_response", "metric"}, {"example", "predictions", "metrics"}
# numpy's numbers as Python writes them, and what is no number
_NUMPY = re.compile(r"\bnp\.(?:float|int|bool_?)\d*\(([^()]*)\)")
# characters of a cell that is read as a Python value
_LONGEST = 5_000_000
_NO_NUMBER = re.compile(r"(?<![\w'\"])(?:-?inf|nan)(?![\w'\"])")


def read_lighteval(path: Path) -> Imported:
    """Read a file of details, or a folder of them: every model is a stage.

    Raises ValueError, naming file and row, where something is missing or malformed.
    """
    models = _files_by_model(path)
    notes = list[str]()
    stages = [
        stage_of(model, {task: _documents(file, notes) for task, file in tasks.items()})
        for model, tasks in models.items()
    ]
    names = sorted({task for tasks in models.values() for task in tasks})
    return Imported(
        stages, ", ".join(models), {"task": ", ".join(names)}, tuple(dict.fromkeys(notes))
    )


def _files_by_model(path: Path) -> dict[str, dict[str, Path]]:
    files = sorted(path.glob("details_*.parquet")) if path.is_dir() else [path]
    if not files:
        raise ValueError(f"{path} holds no details_*.parquet, so there is nothing to import.")
    models: dict[str, dict[str, Path]] = {}
    for file in files:
        tasks = models.setdefault(_model(file), {})
        task = _task(file)
        if task in tasks:
            raise ValueError(
                f"{tasks[task]} and {file} are both '{task}' of '{_model(file)}', so nothing was "
                "imported. Give the folder of one run."
            )
        tasks[task] = file
    return models


def _task(file: Path) -> str:
    match = _FILE.fullmatch(file.name)
    return match["task"] if match else file.stem.removeprefix("details_")


def _model(file: Path) -> str:
    """Read the model off the folders `details/<owner>/<model>/<time>/`, where they are so."""
    folders = [part for part in file.resolve().parts[:-1] if not _TIME.fullmatch(part)]
    if "details" not in folders:
        return "lighteval"
    after = len(folders) - folders[::-1].index("details")
    return "/".join(folders[after:]) or "lighteval"


def _documents(file: Path, notes: list[str]) -> list[Measured]:
    documents, left_out, seen = list[Measured](), Counter[str](), Counter[str]()
    for number, row in table_rows(file):
        if isinstance(row, MalformedRow):
            raise ValueError(f"{file}, row {number}: {row.problem}.")
        try:
            detail = _detail(row)
        except (TypeError, ValueError, KeyError, IndexError) as error:
            raise ValueError(f"{file}, row {number}: {_reason(error)}.") from error
        left_out.update(detail.left_out)
        base = content_id(Document(detail.question, detail.target))
        seen[base] += 1
        # a data set may ask the same twice
        name = base if seen[base] == 1 else f"{base}-{seen[base]}"
        documents.append(
            Measured(
                name, detail.question, detail.target, detail.values, detail.responses, detail.prompt
            )
        )
    if not documents:
        raise ValueError(f"{file} has no rows, so there is nothing to import.")
    notes += [
        f"metric {metric} of {_task(file)} is left out: of {count} documents it is no number"
        for metric, count in sorted(left_out.items())
    ]
    return documents


def _reason(error: Exception) -> str:
    return f"{error} is missing" if isinstance(error, KeyError) else str(error)


class _Detail(NamedTuple):
    """One row, whichever version wrote it."""

    question: str
    target: str | None
    prompt: str
    responses: list[Response]
    values: dict[str, float]
    left_out: list[str]


def _detail(row: Mapping[str, Any]) -> _Detail:
    if row.keys() >= _NEW:
        doc, answered = row["doc"], row["model_response"]
        if not (isinstance(doc, Mapping) and isinstance(answered, Mapping)):
            raise ValueError("its doc or its model_response is empty")
        tokens = answered.get("output_tokens")
        prompt = answered.get("input")
        return _with_metrics(
            row["metric"],
            question=doc["query"],
            target=_chosen(doc.get("choices"), doc.get("gold_index")),
            prompt=prompt,
            responses=_responses(answered.get("text"), tokens),
        )
    if not row.keys() >= _OLD:
        raise ValueError(
            f"its columns are {', '.join(sorted(row))}, and known are {', '.join(sorted(_NEW))}, "
            f"and before 0.11 {', '.join(sorted(_OLD))}"
        )
    plain = {name: _plain(row.get(name)) for name in ("choices", "gold_index", "gold", "metrics")}
    target = _chosen(plain["choices"], plain["gold_index"])
    return _with_metrics(
        plain["metrics"],
        question=row["example"],
        target=_joined(plain["gold"]) if target is None else target,
        prompt=row.get("full_prompt"),
        responses=_responses(_plain(row["predictions"]), _plain(row.get("cont_tokens"))),
    )


def _with_metrics(
    metrics: object, question: object, target: str | None, prompt: object, responses: list[Response]
) -> _Detail:
    if not isinstance(metrics, Mapping) or not isinstance(question, str):
        raise ValueError("it has no metrics by name, or no question that is text")
    named = {str(name).replace("/", "."): value for name, value in metrics.items()}
    values = {name: number for name, of in named.items() if (number := number_of(of)) is not None}
    missing = [name for name, value in named.items() if name not in values and value is not None]
    full = prompt if isinstance(prompt, str) else question
    return _Detail(question, target, full, responses, values, missing)


def _plain(value: Any) -> Any:
    """Return a value that versions 0.4 to 0.10 wrote as the text of a Python value."""
    if not isinstance(value, str) or len(value) > _LONGEST:
        return value
    text = _NO_NUMBER.sub("None", _NUMPY.sub(r"\1", value))
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return value


def _chosen(choices: Any, index: Any) -> str | None:
    """Return the choices that are right, a line each."""
    indices = index if isinstance(index, Sequence) else [index]
    if not isinstance(choices, Sequence) or isinstance(choices, str):
        return None
    right = [
        str(choices[place])
        for place in indices
        if isinstance(place, int) and 0 <= place < len(choices)
    ]
    return _joined(right)


def _joined(texts: Any) -> str | None:
    if isinstance(texts, Sequence) and not isinstance(texts, str):
        return "\n".join(str(text) for text in texts) or None
    return None if texts in (None, "") else str(texts)


def _responses(texts: Any, tokens: Any) -> list[Response]:
    """Return what was generated; log-likelihoods are no texts."""
    flat = list(_flat(texts))
    if not all(isinstance(text, str) for text in flat):
        return []
    lengths = [len(of) for of in tokens or [] if isinstance(of, Sequence)]
    if len(lengths) != len(flat):
        return [Response(text) for text in flat]
    return [Response(text, length or None) for text, length in zip(flat, lengths, strict=True)]


def _flat(texts: Any) -> Iterator[Any]:
    """Yield the texts of a text, of a list, or of a list of lists."""
    if isinstance(texts, Sequence) and not isinstance(texts, str):
        for text in texts:
            yield from _flat(text)
    elif texts is not None:
        yield texts


def _is_theirs(seen: Seen) -> bool:
    if seen.kind == "a folder":
        return any(_FILE.fullmatch(name) for name in seen.names)
    return seen.kind == "Parquet" and (seen.keys >= _NEW or seen.keys >= _OLD)


LIGHTEVAL = Reader(
    name="lighteval",
    title="lighteval's details",
    how_to_get="the details_*.parquet of a run with --save-details, or the folder they are in",
    recognises=_is_theirs,
    read=read_lighteval,
)
