"""What an engine is: it answers prompts.

Which one it was is part of the contract, by its `identity`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

# how many of a call's requests are done
OnFinished = Callable[[int], None]


class Sampling(NamedTuple):
    """Draw from the whole distribution at `temperature` (no top-k, no top-p).

    The seed is one request's own: what is drawn does not depend on the requests beside it.
    """

    temperature: float
    seed: int


@dataclass(frozen=True)
class Request:
    """A prompt that already went through the chat template, and where its completion ends.

    It ends at the end of turn, at a `stop` string or after `max_tokens`. Without `sampling` it is
    greedy.
    """

    prompt: str
    stop: tuple[str, ...]
    max_tokens: int
    sampling: Sampling | None = None


@dataclass(frozen=True)
class Completion:
    """Generated text without the stop string.

    `n_tokens` counts what was generated, the end-of-turn token left out. `tokens` are all that were
    generated, the end-of-turn token with them; empty where an engine does not tell.
    """

    text: str
    n_tokens: int
    finish_reason: Literal["stop", "length"]
    tokens: tuple[int, ...] = ()


class Answer(NamedTuple):
    """An answer within its conversation: the text before it, and that text with the answer."""

    prompt: str
    whole: str


class AnswerLogprob(NamedTuple):
    """The summed log-probability of an answer's tokens in nats, and how many they are."""

    nats: float
    n_tokens: int


class Engine(Protocol):
    """Continues prompts that already went through the chat template."""

    @property
    def identity(self) -> str:
        """Name the engine and its version; it changes when the same request can give another
        text.
        """

    def complete(self, requests: Sequence[Request], on_finished: OnFinished) -> list[Completion]:
        """Return one completion for each request, in order.

        `on_finished` is told how many are done, as they get done.
        """

    def answer_logprobs(self, answers: Sequence[Answer]) -> list[AnswerLogprob] | None:
        """Return the log-probability of each answer given what comes before it.

        None where this engine gives no log-probabilities.
        """
