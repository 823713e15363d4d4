"""Every evaluation type that is written to disk. A report is a pure function of these; nothing here needs torch."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

Outcome = Literal["correct", "wrong", "unparsed", "truncated"]
Group = Literal["test", "held_out"]


class Record(BaseModel):
    """Frozen, strict about its fields, and one JSON object on disk."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Generation(Record):
    """What a model wrote for one prompt; `n_tokens` leaves out the end-of-turn token."""

    id: str
    group: Group
    prompt: str
    response: str
    n_tokens: int
    finish_reason: Literal["stop", "length"]


class Score(Record):
    """How one generation was read: lm-eval's two answers, what they are worth, and the one outcome of the problem.

    `answer` is None where lm-eval's filter found nothing. Outcomes partition the problems: `correct` first (by the
    flexible filter), then `truncated` (cut off by the token limit), `unparsed` (no answer found), else `wrong`.
    """

    id: str
    group: Group
    question: str
    target: str
    correct: bool
    correct_strict: bool
    answer: str | None
    answer_strict: str | None
    outcome: Outcome
    n_tokens: int
    truncated: bool


class Verdict(Record):
    """One judged pair: `score` is 1 where the stage wins, 0 where the reference does, 0.5 for a tie, over both orders."""

    id: str
    against: Literal["base", "previous"]
    score: float
    reason: str


class Metric(Record):
    """A value with its 95% interval and the number of prompts behind it."""

    value: float
    low: float
    high: float
    n: int


class EvalResult(Record):
    """One model under one contract: the headline metrics and the cost of getting them.

    `seconds` and `peak_memory_bytes` are of the sitting that finished it: what an interrupted one generated is not counted.
    """

    contract_id: str
    contract: dict[str, Any]
    metrics: dict[str, Metric]
    outcomes: dict[Outcome, int]
    win_tie_loss: dict[str, tuple[int, int, int]]
    seconds: float
    peak_memory_bytes: int
    versions: dict[str, str]
