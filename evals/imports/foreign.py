"""What a file is that holds none of the rows that an import wants: files that are taken for one
another, known by their keys.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from stagelift.evals.files import read_rows, read_text

Wanted = Literal["lm-eval's samples", "AlpacaEval's annotations", "responses by line"]

_HOW_TO_GET: dict[Wanted, str] = {
    "lm-eval's samples": "the samples_*.jsonl that lm-eval writes with --log_samples",
    "AlpacaEval's annotations": "AlpacaEval's annotations.json, one judged pair a row",
    "responses by line": "JSON lines, each with an id, a prompt and a response",
}
_RESULTS = "lm-eval's results, which are means over documents"
# the first whose keys are all there
_KINDS: tuple[tuple[set[str], str], ...] = (
    ({"results", "lm_eval_version"}, _RESULTS),
    ({"results", "versions"}, _RESULTS),
    ({"results", "configs"}, _RESULTS),
    ({"eval", "version"}, "a log of Inspect"),
    ({"adapter_spec"}, "a file of HELM's"),
    ({"doc_id", "doc", "resps"}, "lm-eval's samples"),
    ({"instruction", "output_1", "output_2"}, "AlpacaEval's annotations"),
    ({"instruction", "output"}, "a model's outputs for AlpacaEval, without a judge's preferences"),
    ({"id", "prompt", "response"}, "responses by line"),
)


def refuse_another_kind(path: Path, wanted: Wanted) -> None:
    """Raise ValueError, saying what the file is, where that is known and not what is wanted."""
    kind = _what_it_is(path)
    if kind is not None and kind != wanted:
        raise ValueError(
            f"{path} is {kind}, so nothing was imported. Wanted here is {_HOW_TO_GET[wanted]}."
        )


def _what_it_is(path: Path) -> str | None:
    document = _document(path)
    if document is not None:
        return _kind(document) or "one JSON object, and not rows"
    first = next((row for _, row in read_rows(path, malformed=lambda _: None)), None)
    return _kind(first) if isinstance(first, dict) else None


def _document(path: Path) -> dict[str, Any] | None:
    """Return the object that the whole file is; None where it is not one, or in one line: that may
    be a row.
    """
    text = read_text(path).strip()
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) and "\n" in text else None


def _kind(content: Mapping[str, Any]) -> str | None:
    if content and all(isinstance(value, list) for value in content.values()):
        return "columns (a list for each key), and not rows"
    return next((kind for keys, kind in _KINDS if keys <= content.keys()), None)
