"""What a judge is.

It is shown ordered pairs of responses and says, for each, which is better or that it cannot tell.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from stagelift.evals.records import Record, Usage


class Response(Record):
    """What a judge may look at.

    `correct` is None where there is no target, `n_tokens` where it is not known.
    """

    text: str
    correct: bool | None = None
    n_tokens: int | None = None


class Pair(Record):
    """Two responses to one prompt, in the order in which they are shown.

    `prompt` is the user's words, without a chat template.
    """

    id: str
    prompt: str
    first: Response
    second: Response


class Opinion(Record):
    """What a judge says of a pair.

    `score` is 1 where the first response is better, 0 where the second is, 0.5 for a tie, None
    where no verdict could be read. `turned` says that it was given in the other order: it counts,
    but tells nothing of position.
    """

    score: float | None
    reason: str
    turned: bool = False


@dataclass(frozen=True)
class Judge:
    """A way to decide.

    `id` names rule, version and weights; `prompt_hash` identifies the prompt, where there is one.
    """

    id: str
    decide: Callable[[Sequence[Pair]], list[Opinion]]
    prompt_hash: str | None = None
    usage: Callable[[], Usage | None] = lambda: None
