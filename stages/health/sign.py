"""What a sign of illness is: which logged numbers it reads, and from which value on it is there."""

from collections.abc import Callable
from dataclasses import dataclass

from stagelift.stages.health.logged import Logged


@dataclass(frozen=True)
class Reading:
    """What a sign measures in a log, and the sentence that says it where the sign is there."""

    value: float
    text: str


@dataclass(frozen=True, kw_only=True)
class Sign:
    """A sign of illness.

    It is there where what `read` measures is at least `threshold`; None is measured where too
    little was logged. It is looked for in rows that hold the number named `of`. `when` says in
    words over how many logged values, `source` where the threshold is from. `ends` says whether a
    stage with `stop_when_ill` ends for it: one that only wastes work, or may be wanted, is said
    and no more.
    """

    name: str
    of: str
    threshold: float
    when: str
    read: Callable[[Logged], Reading | None]
    source: str
    remedy: str
    ends: bool = True
