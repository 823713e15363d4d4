"""A process that runs the rewards of one stage on completions, as TRL would; started by `audit`.

It is told what to try as one JSON line, and says what came of each call as one line more. What a
reward prints is not shown. It may crash, hang or end the process: only this one.
"""

import asyncio
import math
import os
import sys
import time
import traceback
from collections.abc import Sequence
from inspect import iscoroutinefunction
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from stagelift.evals.data.answers import answer_text
from stagelift.evals.metrics.answers.reading import read_target
from stagelift.evals.models.model import ModelRef, tokenizer_of
from stagelift.evals.records import Record
from stagelift.harness.audit.tried import Asked, Tried, tried_completions
from stagelift.harness.workers.events import emit, events_apart_from_prints
from stagelift.stages.rewards import Reward
from stagelift.stages.rows.rewarded import rewards_of
from stagelift.stages.rows.training import training_rows
from stagelift.stages.settings import StageSettings

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# a few rows show what a reward pays for
ROWS = 4
# where rows have their answer
_ANSWERS = ("answer", "target", "solution", "ground_truth", "completion", "final_answer", "label")


class Trial(Record):
    """The rewards of a stage, from the one with index `first` on; long completions have `limit`
    tokens.
    """

    settings: StageSettings
    base: ModelRef
    limit: int
    first: int = 0


def main() -> None:
    """Read a trial, and do it."""
    trial = Trial.model_validate_json(sys.stdin.buffer.readline())
    events = events_apart_from_prints(Path(os.devnull))
    rows = _some(trial.settings)
    tokenizer = tokenizer_of(trial.base)
    tried = [_tried(row, rows, trial.limit, tokenizer) for row in rows]
    batch = _Batch(rows, tried, tokenizer, trial.limit)
    emit(
        events,
        event="tried",
        rows=[[[each.sort, each.called] for each in of_row] for of_row in tried],
        tokens=batch.tokens,
    )
    for index, reward in enumerate(rewards_of(trial.settings)):
        if index >= trial.first:
            _try(index, reward, batch, events)
    emit(events, event="done")


def _some(settings: StageSettings) -> list[dict[str, Any]]:
    """Return a few rows from all over the data."""
    rows = training_rows(settings)
    step = max(1, len(rows) // ROWS)
    return [rows[index] for index in range(0, len(rows), step)][:ROWS]


def _tried(
    row: dict[str, Any],
    rows: Sequence[dict[str, Any]],
    limit: int,
    tokenizer: "PreTrainedTokenizerBase",
) -> list[Tried]:
    def cut(text: str, tokens: int) -> str:
        # no text needs more characters than this for its tokens
        ids = tokenizer(text[: 40 * tokens], add_special_tokens=False)["input_ids"]
        return str(tokenizer.decode(ids[:tokens]))

    def count(text: str) -> int:
        return len(tokenizer(text, add_special_tokens=False)["input_ids"])

    return tried_completions(asked_of(row, rows), limit, cut, count)


def asked_of(row: dict[str, Any], rows: Sequence[dict[str, Any]]) -> Asked:
    """Return what is known of a row; where another answer may be from one of the others."""
    answer, others = _answer(row), [_answer(each) for each in rows]
    short = None if answer is None else _short(answer)
    shorts = (_short(each) for each in others if each)
    other = next((each for each in shorts if each and each != short), None)
    return Asked(_said(row["prompt"]), answer, short, other or _off(short))


def _answer(row: dict[str, Any]) -> str | None:
    found = (answer_text(_said(row.get(name))) for name in _ANSWERS)
    return next((answer for answer in found if answer and answer.strip()), None)


def _short(answer: str) -> str | None:
    """Return the number that an answer is, else the answer: None where it has several lines."""
    said = answer.strip()
    return read_target(answer) or (None if "\n" in said else said)


def _off(short: str | None) -> str | None:
    number = None if short is None else read_target(short)
    return f"{number}1" if number and number.lstrip("-").isdigit() else None


def _said(value: Any) -> Any:
    """Return what the last turn of a conversation says; of a list of answers the first."""
    if isinstance(value, list) and value:
        last = value[-1]
        return last["content"] if isinstance(last, dict) and "content" in last else value[0]
    return value


class _Batch:
    """All completions of all rows as TRL passes them: a column for each of the dataset's."""

    def __init__(
        self,
        rows: Sequence[dict[str, Any]],
        tried: Sequence[Sequence[Tried]],
        tokenizer: "PreTrainedTokenizerBase",
        limit: int,
    ) -> None:
        self.of = [(row, each) for row, of_row in zip(rows, tried, strict=True) for each in of_row]
        ids = [tokenizer(each.text, add_special_tokens=False)["input_ids"] for _, each in self.of]
        self.tokens = [len(of_text) for of_text in ids]
        # as a completion ends that was not cut off
        end = [tokenizer.eos_token_id]
        self.ids = [of_text + end if len(of_text) < limit else of_text for of_text in ids]

    def passed(self, indices: Sequence[int]) -> dict[str, Any]:
        """Return what TRL would pass for some of the completions."""
        from transformers import TrainerState

        chosen = [self.of[index] for index in indices]
        columns = [name for name in chosen[0][0] if name not in ("prompt", "completion")]
        prompts = [row["prompt"] for row, _ in chosen]
        return {
            "prompts": prompts,
            "completions": [
                each.text if isinstance(prompt, str) else _spoken(each.text)
                for prompt, (_, each) in zip(prompts, chosen, strict=True)
            ],
            "completion_ids": [self.ids[index] for index in indices],
            **{name: [row[name] for row, _ in chosen] for name in columns},
            "trainer_state": TrainerState(),
            "log_extra": lambda *_: None,
            "log_metric": lambda *_: None,
        }


def _spoken(text: str) -> list[dict[str, str]]:
    return [{"role": "assistant", "content": text}]


def _try(index: int, reward: Reward, batch: _Batch, events: TextIO) -> None:
    """Call a reward twice with everything; where it raises, with each completion alone."""
    everything = range(len(batch.of))
    for call in (1, 2):
        said = _called(reward, batch.passed(everything))
        emit(events, event="paid", reward=index, call=call, **said)
        if "error" in said:
            alone = [_called(reward, batch.passed([each])) for each in everything]
            emit(events, event="alone", reward=index, said=alone)
            return


def _called(reward: Reward, passed: dict[str, Any]) -> dict[str, Any]:
    begun, count = time.perf_counter(), len(passed["prompts"])
    try:
        asked: Any = reward(**passed)
        paid = asyncio.run(asked) if iscoroutinefunction(reward) else asked
        values = [_value(each) for each in list(paid)]
    except Exception as error:  # noqa: BLE001 - a user's code, which may raise anything
        return {"error": f"{_raised(error)}, where TRL would stop"}
    seconds = time.perf_counter() - begun
    if len(values) != count:
        said = f"returned {len(values)} rewards for {count} completions, where TRL would stop"
        return {"error": said}
    return {"values": values, "seconds": seconds / count}


def _value(paid: Any) -> Any:
    """Return a number, None, or what stands in its place: NaN, infinity, or no number at all."""
    if paid is None:
        return None
    if isinstance(paid, str | bytes):
        return f"{paid!r:.40}"
    try:
        number = float(paid)
    except Exception:  # noqa: BLE001 - whatever a user's object says
        return f"{paid!r:.40}"
    return number if math.isfinite(number) else str(number)


def _raised(error: Exception) -> str:
    """Say what was raised, and where in the user's own code."""
    said = " ".join(str(error).split())[:160]
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    return f"raised {type(error).__name__}{f': {said}' if said else ''}{place}"


if __name__ == "__main__":
    main()
