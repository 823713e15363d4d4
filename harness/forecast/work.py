"""What a training comes to before it is done: its steps, the sequences in each, and their tokens.

All of it follows from TRL's config and from what the kind of stage says a row costs.
"""

import math
from statistics import fmean
from typing import Any

from stagelift.harness.forecast.guess import CHARACTERS_A_TOKEN, Training
from stagelift.harness.forecast.material import Texts
from stagelift.harness.graph.node import Node
from stagelift.stages.kind import RowCost
from stagelift.stages.kinds import kind_named
from stagelift.stages.settings import config_on_paper


def training_work(node: Node, texts: Texts) -> Training:
    """Return what a node's training on these rows comes to."""
    assert node.settings is not None
    config, cost = _priced(node.settings.kind, node.settings.args)
    at_once = config.per_device_train_batch_size * cost.sequences
    # the answers of a row share its prompt
    characters = fmean(sum(map(len, row)) for row in texts) / cost.sequences
    tokens = characters / CHARACTERS_A_TOKEN
    recomputed = 2 if node.base.device == "cuda" else 0
    return Training(
        steps=steps_of(config, len(texts), times=cost.times),
        sequences=at_once,
        step_sequences=at_once * config.gradient_accumulation_steps,
        tokens=min(tokens, cost.limit or tokens) + cost.generated,
        generated=cost.generated,
        operations=4 + recomputed + 2 * cost.forwards,
        bytes_a_trained_weight=_bytes_a_trained_weight(node.settings.args, cost),
    )


def _bytes_a_trained_weight(args: dict[str, Any], cost: RowCost) -> int:
    """Add up a weight and its gradient in float32, two moments, and a reference's copy."""
    moments = 2 if "8bit" in str(args.get("optim")) else 8
    return 8 + moments + (4 if cost.forwards else 0)


def effort(kind: str, args: dict[str, Any], steps: int) -> float | None:
    """Multiply what the time of a stage goes with, comparable within its kind.

    None for a kind or arguments that are not known any more.
    """
    try:
        config, cost = _priced(kind, args)
    except ValueError:
        return None
    sequences = config.per_device_train_batch_size * config.gradient_accumulation_steps
    return float(steps * sequences * (cost.generated or 1))


def steps_of(config: Any, rows: int, *, times: int) -> int:
    """Count optimiser steps: as asked, or those of so many epochs, in which each row is taken so
    many times.
    """
    if config.max_steps > 0:
        return int(config.max_steps)
    a_step: int = config.per_device_train_batch_size * config.gradient_accumulation_steps
    an_epoch = math.ceil(rows * times / a_step)
    return math.ceil(float(config.num_train_epochs) * an_epoch)


def _priced(kind: str, args: dict[str, Any]) -> tuple[Any, RowCost]:
    """Return TRL's config of a stage, with its defaults, and what a row costs by it."""
    method = kind_named(kind)
    config = config_on_paper(method, args)
    return config, method.cost(config)
