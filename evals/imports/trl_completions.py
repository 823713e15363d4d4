"""Completions that TRL's GRPO and RLOO trainers log (`log_completions`): one Parquet file a step.

Each reward is a metric by steps (`steps 1-10/reward`), its mean over the completions of a prompt;
logged steps are joined into at most ten spans. Prompts of different steps are different ones, so a
trend is a trend over whatever was sampled. Advantages are left out: their mean in a group is zero
whatever the model does. A column that is neither named by TRL nor a number throughout is left out.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

from stagelift.evals.imports.content import content_id
from stagelift.evals.imports.measured import (
    Measured,
    Response,
    mean_by_metric,
    number_of,
    stage_of,
)
from stagelift.evals.imports.messages import prompt_text
from stagelift.evals.imports.reader import Reader
from stagelift.evals.imports.results import Document, Imported
from stagelift.evals.imports.seen import Seen
from stagelift.evals.imports.tables import MalformedRow, table_rows

_OF_TRL = {"step", "prompt", "completion", "advantage"}
_SPANS = 10


class _Completion(NamedTuple):
    """One completion, with the rewards that it has."""

    step: int
    prompt: str
    text: str
    rewards: dict[str, float]


def read_trl_completions(path: Path) -> Imported:
    """Read a file, or a folder of them: one stage, of which steps are the tasks.

    Raises ValueError, naming file and row, where something is missing or malformed.
    """
    files = sorted(path.glob("completions_*.parquet")) if path.is_dir() else [path]
    completions = [completion for file in files for completion in _read_file(file)]
    if not completions:
        raise ValueError(f"{path} holds no completions, so there is nothing to import.")
    spans = _spans(sorted({completion.step for completion in completions}))
    by_span: dict[str, dict[str, list[_Completion]]] = {}
    for completion in completions:
        prompts = by_span.setdefault(spans[completion.step], {})
        prompts.setdefault(completion.prompt, []).append(completion)
    tasks = {
        span: [_document(of) for of in by_span[span].values()]
        for span in dict.fromkeys(spans.values())
    }
    contract = {"task": ", ".join(tasks)}
    return Imported([stage_of("training", tasks)], "", contract, _notes(completions))


def _read_file(file: Path) -> Iterator[_Completion]:
    for number, row in table_rows(file):
        if isinstance(row, MalformedRow):
            raise ValueError(f"{file}, row {number}: {row.problem}.")
        try:
            yield _completion(row)
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{file}, row {number}: {_reason(error)}.") from error


def _reason(error: Exception) -> str:
    return f"{error} is missing" if isinstance(error, KeyError) else str(error)


def _completion(row: Mapping[str, Any]) -> _Completion:
    step = row["step"]
    if isinstance(step, bool) or not isinstance(step, int) or step < 0:
        raise ValueError(f"step is {step!r:.60}, and a whole number is needed")
    rewards = {
        name.replace("/", "."): number
        for name, value in row.items()
        if name not in _OF_TRL and (number := number_of(value)) is not None
    }
    return _Completion(step, _text(prompt_text(row["prompt"])), _text(row["completion"]), rewards)


def _text(content: Any) -> str:
    """Return a text, or join what the messages of a conversation say."""
    if isinstance(content, str):
        return content
    if not isinstance(content, Sequence):
        raise ValueError(f"{type(content).__name__} stands where a text or messages are needed")
    said = [message.get("content") for message in content if isinstance(message, Mapping)]
    return "\n\n".join(text for text in said if isinstance(text, str))


def _spans(steps: Sequence[int]) -> dict[int, str]:
    """Name the span that each logged step is in: at most ten, of equally many logged steps."""
    size = -(-len(steps) // _SPANS)
    parts = [steps[start : start + size] for start in range(0, len(steps), size)]
    digits = len(str(steps[-1]))
    return {step: _span(part[0], part[-1], digits) for part in parts for step in part}


def _span(first: int, last: int, digits: int) -> str:
    """Name a span so that names sort as steps do."""
    until = "" if first == last else f"-{last:0{digits}}"
    return f"steps {first:0{digits}}{until}"


def _document(completions: Sequence[_Completion]) -> Measured:
    rewards = mean_by_metric(completion.rewards for completion in completions)
    length = fmean(len(completion.text) for completion in completions)
    return Measured(
        id=content_id(Document(completions[0].prompt, None)),
        question=completions[0].prompt,
        target=None,
        values={f"reward,{name}": value for name, value in rewards.items()}
        | {"length in characters": length},
        responses=[Response(completion.text) for completion in completions],
    )


def _notes(completions: Sequence[_Completion]) -> tuple[str, ...]:
    steps = len({completion.step for completion in completions})
    notes = [
        f"{len(completions)} completions of {steps} logged steps of a training: each span of steps "
        "has prompts of its own, and lengths are over all of them"
    ]
    if not any(completion.rewards for completion in completions):
        notes.append("no column of rewards is a number, so there are lengths only")
    return tuple(notes)


def _is_theirs(seen: Seen) -> bool:
    if seen.kind == "a folder":
        return any(
            name.startswith("completions_") and name.endswith(".parquet") for name in seen.names
        )
    return seen.kind == "Parquet" and seen.keys >= _OF_TRL - {"advantage"}


TRL_COMPLETIONS = Reader(
    name="trl-completions",
    title="completions that TRL logged",
    how_to_get="the completions folder of a trainer with log_completions=True, or a file of it",
    recognises=_is_theirs,
    read=read_trl_completions,
)
