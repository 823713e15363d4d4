"""What an engine is: it answers prompts.

Which one it was is part of the contract, by its `identity`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol


@dataclass(frozen=True)
class Completion:
    """Generated text without the stop string; `n_tokens` counts what was generated, the end-of-turn
    token left out.
    """

    text: str
    n_tokens: int
    finish_reason: Literal["stop", "length"]


class Sampling(NamedTuple):
    """Draw from the whole distribution at `temperature` (no top-k, no top-p), with a seed for the
    batch.
    """

    temperature: float
    seed: int


class Engine(Protocol):
    """Continues prompts that already went through the chat template."""

    @property
    def identity(self) -> str:
        """Name the engine and its version; it changes when the same request can give another
        text.
        """

    def complete(
        self,
        prompts: list[str],
        *,
        stop: Sequence[str],
        max_tokens: int,
        sampling: Sampling | None = None,
    ) -> list[Completion]:
        """Continue every prompt until end of turn, a stop string or `max_tokens`.

        Greedily without `sampling`. Returns one completion for each prompt, in order.
        """
