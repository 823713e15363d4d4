"""What a kind of stage is: a record that says which rows it takes, how TRL trains on them, and what
a row costs.

Each kind is written down in a file of its own and listed in `stages/kinds.py`; no other module
knows one from another. TRL is imported only when a config or a trainer is built, so a record costs
nothing to read.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datasets import Dataset

Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class RowCost:
    """What one row of a training batch costs; a forecast multiplies it out.

    For each row `sequences` pass through the model, each with its prompt and cut to `limit` tokens
    (None: never cut). Before that up to `generated` tokens are generated for each. `forwards` are
    passes beside the one that learns, such as those of a reference model. An epoch takes every row
    of the dataset `times` times.
    """

    sequences: int = 1
    limit: int | None = None
    generated: int = 0
    forwards: int = 0
    times: int = 1


@dataclass(frozen=True, kw_only=True)
class Method:
    """A way to train with TRL: the config its arguments go into, and how it goes on after a kill.

    `config` names the class in `trl`. `counts_tokens_on` says whether its `num_tokens` goes on
    after a resume or begins again at zero. `settle` takes the config, the arguments that were given
    and the number of processes; it returns the arguments that follow from them, and raises
    ValueError where they do not go together. `of_a_batch` says of a config why its loss depends on
    which rows are in a batch together, None where it is a mean over rows or tokens of a step.
    """

    name: str
    config: str
    counts_tokens_on: bool = False
    settle: Callable[[Any, dict[str, Any], int], dict[str, Any]] = lambda *_: {}
    of_a_batch: Callable[[Any], str | None] = lambda _: None


@dataclass(frozen=True, kw_only=True)
class Kind(Method):
    """A kind of stage that a recipe may list by its name.

    `formats` are TRL's dataset formats: a row has all columns of one of them, or it is a word
    problem that `from_problem` (question, answer) turns into rows. `prepare` changes rows that came
    in one of the formats; it may look at the stage's arguments named in `row_args`. `texts` are the
    columns that the trainer reads as text, `flags` those that say true or false.

    `hid_tools` are columns beside which a row's tools were once not shown to the chat template.

    `trainer` builds TRL's trainer from the arguments that all of them share (`model`, `args`,
    `train_dataset`, `processing_class`). A kind that is `rewarded` learns from completions of its
    own: it takes `reward_funcs` too, and deals out whole generations. One that `makes_pairs` makes
    a worse answer to each word problem. `has_reference` says of a config whether TRL copies the
    adapter as it came in, to measure the policy against.
    """

    formats: tuple[tuple[str, ...], ...]
    from_problem: Callable[[str, str], list[Row]]
    texts: tuple[str, ...]
    flags: tuple[str, ...] = ()
    prepare: "Callable[[Dataset, dict[str, Any]], Dataset]" = lambda rows, _: rows
    row_args: tuple[str, ...] = ()
    hid_tools: tuple[str, ...] = ()
    trainer: Callable[..., Any]
    rewarded: bool = False
    makes_pairs: bool = False
    has_reference: Callable[[Any], bool] = lambda _: False
    cost: Callable[[Any], RowCost]
