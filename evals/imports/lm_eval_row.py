"""One row of lm-eval's samples, whichever version wrote it.

Before 0.4.7 (November 2024) rows name neither their filter nor their metrics, and targets may be
numbers; before 0.4.3 a file is one JSON list, requests are lists, and there are no hashes.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, field_validator, model_validator

# lm-eval's name for a filter that changes nothing
NO_FILTER = "none"
# what a filter's name begins with that the file does not name
UNNAMED = "filter-"
# what --predict_only writes in place of metrics: nothing was measured
BYPASS = "bypass"


class SampleRow(BaseModel):
    """One row; the metrics it names are keys of their own."""

    model_config = ConfigDict(extra="allow")

    doc_id: int
    doc: dict[str, Any]
    target: str
    arguments: dict[str, dict[str, Any]]
    resps: list[list[Any]]
    filtered_resps: list[Any]
    filter: str = ""
    metrics: list[str] = []
    doc_hash: str = ""
    prompt_hash: str = ""
    target_hash: str = ""

    @model_validator(mode="before")
    @classmethod
    def _no_truth_value(cls, row: Any) -> Any:
        """Python takes True for 1."""
        if isinstance(row, dict) and isinstance(row.get("doc_id"), bool):
            raise ValueError(f"doc_id is {row['doc_id']}")
        return row

    @field_validator("target", mode="before")
    @classmethod
    def _target_as_text(cls, target: Any) -> str:
        """As later versions write it."""
        return str(target)

    @field_validator("arguments", mode="before")
    @classmethod
    def _arguments_by_name(cls, arguments: Any) -> Any:
        """As later versions write them."""
        if not isinstance(arguments, list):
            return arguments
        return {
            f"gen_args_{place}": {f"arg_{number}": part for number, part in enumerate(request)}
            for place, request in enumerate(arguments)
            if isinstance(request, list)
        }

    @model_validator(mode="after")
    def _complete(self) -> "SampleRow":
        """Add what earlier versions did not write: metrics are all other keys."""
        if "metrics" not in self.model_fields_set:
            self.metrics = list(self.model_extra or {})
        self.doc_hash = self.doc_hash or _hash(json.dumps(self.doc, indent=2, ensure_ascii=False))
        self.target_hash = self.target_hash or _hash(self.target)
        return self

    def is_generation(self) -> bool:
        """Say whether responses are texts: their requests carry generation settings,
        log-likelihoods a continuation.
        """
        return isinstance(self.arguments.get("gen_args_0", {}).get("arg_1"), dict)

    def measured(self) -> list[str]:
        """Name the metrics of the task."""
        return [metric for metric in self.metrics if metric != BYPASS]

    def value(self, metric: str) -> Any:
        """Return a metric's value."""
        return (self.model_extra or {}).get(metric)

    def number(self, metric: str) -> float | None:
        """Return a metric's value, None where it is no number."""
        value = self.value(metric)
        return float(value) if isinstance(value, int | float) else None


def with_filters(path: Path, lines: Sequence[tuple[int, SampleRow]]) -> list[tuple[int, SampleRow]]:
    """Name filters where the file does not: `none`, or by their order in the file.

    Raises ValueError where documents have different numbers of rows: some stand there twice.
    """
    unnamed = [row.doc_id for _, row in lines if not row.filter]
    counts = Counter(unnamed)
    if len(set(counts.values())) > 1:
        most, fewest = max(counts, key=counts.__getitem__), min(counts, key=counts.__getitem__)
        raise ValueError(
            f"{path} has {counts[most]} rows of document {most} and {counts[fewest]} of document "
            f"{fewest}, so nothing was imported. It was written by lm-eval before 0.4.7, with a "
            "row for each filter: all documents have equally many."
        )
    seen = Counter[int]()
    named = []
    for line, row in lines:
        if not row.filter:
            seen[row.doc_id] += 1
            several = counts[row.doc_id] > 1
            row.filter = unnamed_filter(seen[row.doc_id]) if several else NO_FILTER
        named.append((line, row))
    return named


def unnamed_filter(number: int) -> str:
    """Name a filter by its place in a file that names none, counted from 1."""
    return f"{UNNAMED}{number}"


def _hash(text: str) -> str:
    """As lm-eval hashes documents and targets (`hash_string`)."""
    return hashlib.sha256(text.encode()).hexdigest()
