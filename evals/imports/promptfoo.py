"""promptfoo's results (`promptfoo eval --output x.json`), versions 2 and 3 of its format.

A stage is a provider, with the name of its prompt where there are several. A document is a test:
its variables are what all stages share. Whether all assertions passed is `promptfoo/pass`, and
`promptfoo/score` is their weighted score; scores that were given names are metrics of their own.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from stagelift.evals.finish_reasons import read_finish_reason
from stagelift.evals.imports.content import content_id
from stagelift.evals.imports.measured import (
    Measured,
    Response,
    mean_by_metric,
    number_of,
    stage_of,
)
from stagelift.evals.imports.objects import entries_of, read_object
from stagelift.evals.imports.reader import Reader
from stagelift.evals.imports.results import Document, Imported
from stagelift.evals.imports.seen import Seen

_TASK = "promptfoo"
_VERSIONS = (2, 3)


class _Record(BaseModel):
    model_config = ConfigDict(extra="ignore", populate_by_name=True)


class _Provider(_Record):
    id: str
    label: str | None = None


class _Prompt(_Record):
    raw: str
    label: str = ""


class _Usage(_Record):
    completion: int | None = None


class _Response(_Record):
    output: Any = None
    usage: _Usage | None = Field(default=None, alias="tokenUsage")
    finish_reason: str | None = Field(default=None, alias="finishReason")


class _Result(_Record):
    """One test of one provider with one prompt."""

    provider: _Provider
    prompt: _Prompt
    variables: dict[str, Any] = Field(alias="vars")
    response: _Response | None = None
    error: str | None = None
    success: bool
    score: float = Field(allow_inf_nan=False)
    named: dict[str, float] = Field(default={}, alias="namedScores")

    @field_validator("provider", mode="before")
    @classmethod
    def _by_its_id(cls, provider: Any) -> Any:
        """Version 2 may write the id alone."""
        return {"id": provider} if isinstance(provider, str) else provider

    @property
    def asked(self) -> str:
        """The variables, as text."""
        return json.dumps(self.variables, ensure_ascii=False, sort_keys=True)


def read_promptfoo(path: Path) -> Imported:
    """Read a file.

    Raises ValueError, naming the file and the result, for other versions and malformed results.
    """
    content = read_object(path).get("results")
    version = content.get("version") if isinstance(content, dict) else None
    if not isinstance(content, dict) or version not in _VERSIONS:
        raise ValueError(
            f"{path} is of version {version!r:.40} of promptfoo's format, and versions 2 and 3 are "
            "known."
        )
    results = entries_of(path, content.get("results"), _Result, "result")
    if not results:
        raise ValueError(f"{path} has no results, so there is nothing to import.")
    prompts = {result.prompt.label or result.prompt.raw for result in results}
    stages: dict[str, dict[str, list[_Result]]] = {}
    for result in results:
        tests = stages.setdefault(_stage_name(result, several=len(prompts) > 1), {})
        tests.setdefault(result.asked, []).append(result)
    return Imported(
        [stage_of(name, {_TASK: _documents(tests)}) for name, tests in stages.items()],
        ", ".join(stages),
        {"task": _TASK},
        _notes(results),
    )


def _stage_name(result: _Result, *, several: bool) -> str:
    provider = result.provider.label or result.provider.id
    return f"{provider}, {result.prompt.label or result.prompt.raw}" if several else provider


def _documents(tests: Mapping[str, Sequence[_Result]]) -> list[Measured]:
    return [
        Measured(
            id=content_id(Document(asked, None)),
            question=asked,
            target=None,
            values=mean_by_metric(_values(repeat) for repeat in repeats),
            responses=[response for repeat in repeats for response in _responses(repeat)],
            prompt=repeats[0].prompt.raw,
        )
        for asked, repeats in tests.items()
    ]


def _values(result: _Result) -> dict[str, float]:
    named = {
        name.replace("/", "."): number
        for name, value in result.named.items()
        if (number := number_of(value)) is not None
    }
    return {"pass": float(result.success), "score": result.score, **named}


def _responses(result: _Result) -> list[Response]:
    if result.response is None or result.response.output is None:
        return []
    output = result.response.output
    text = output if isinstance(output, str) else json.dumps(output, ensure_ascii=False)
    usage = result.response.usage
    ended = read_finish_reason(result.response.finish_reason)
    return [Response(text, usage.completion if usage else None, ended)]


def _notes(results: Sequence[_Result]) -> tuple[str, ...]:
    failed = sum(
        result.error is not None and (result.response is None or result.response.output is None)
        for result in results
    )
    if not failed:
        return ()
    return (f"{failed} of {len(results)} requests failed: they count as not passed, as promptfoo",)


def _is_theirs(seen: Seen) -> bool:
    if seen.kind != "a JSON object" or not {"results", "config"} <= seen.keys:
        return False
    results = seen.first["results"]
    return isinstance(results, Mapping) and {"version", "results"} <= results.keys()


PROMPTFOO = Reader(
    name="promptfoo",
    title="promptfoo's results",
    how_to_get="the JSON file of `promptfoo eval --output results.json`",
    recognises=_is_theirs,
    read=read_promptfoo,
)
