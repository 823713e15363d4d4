"""How long a job will take and how much memory: measured where it was done, from earlier records of
this machine, or a guess.

Training: records of the same stage on the same model with the same arguments and data, whatever the
seed, LoRA and parent; else of the same stage on the same model, scaled by steps and sequences a
step (GRPO: and by completion length). Evaluation: records of the same contract on the same model;
else on the same model, scaled by responses and their limit. Memory is never scaled: it is the most
that those records show. Nor is the length of rows, which may be another one.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean, median
from typing import Any, Literal

from stagelift.evals.files import read_record
from stagelift.evals.records import EvalResult
from stagelift.harness.forecast import guess
from stagelift.harness.forecast.guess import Asking, ModelSize, Training
from stagelift.harness.forecast.history import History, PastEvaluation, PastTraining
from stagelift.harness.forecast.material import Questions, Texts
from stagelift.harness.graph.node import Node, Plan
from stagelift.harness.graph.store import Store
from stagelift.stages.kind import RowCost
from stagelift.stages.kinds import kind_named
from stagelift.stages.records import StageResult
from stagelift.stages.settings import StageSettings, config_on_paper

Basis = Literal["measured", "same settings", "scaled", "guess"]


@dataclass(frozen=True)
class Cost:
    """Seconds, between `low` and `high`, and bytes of peak memory; `records` is how many earlier
    ones this is from.
    """

    seconds: float
    low: float
    high: float
    memory_bytes: int | None
    basis: Basis
    records: int = 0

    @property
    def source(self) -> str:
        """Say what the figures are from."""
        past = f"{self.records} earlier record{'' if self.records == 1 else 's'}"
        match self.basis:
            case "same settings":
                return f"from {past}"
            case "scaled":
                return f"scaled from {past}"
            case "guess":
                return "a guess"
            case _:
                return "measured"


@dataclass(frozen=True)
class Estimator:
    """Estimates the jobs of one plan.

    `texts_of` reads what a stage trains on, None where it cannot be read.
    """

    plan: Plan
    store: Store
    history: History
    questions: Questions
    texts_of: Callable[[StageSettings], Texts | None]

    def training(self, node: Node) -> Cost | None:
        """Say what training a node took, or will; None where the data it trains on cannot be
        read.
        """
        if self.store.is_trained(node):
            result = read_record(self.store.node_folder(node) / "stage.json", StageResult)
            return _measured(result.seconds, result.peak_memory_bytes)
        past = [
            one
            for one in self.history.trainings
            if (one.kind, one.model) == (node.kind, node.root.identity)
        ]
        same = [one.result for one in past if _settings(one.identity) == _settings(node.identity)]
        if same:
            return _from_records(
                [one.seconds for one in same],
                [one.peak_memory_bytes for one in same],
                "same settings",
            )
        work = _work(node, self.texts_of)
        if work is None:
            return None
        return _scaled_training(node, work, past) or self._guessed_training(node, work)

    def evaluation(self, node: Node, repeat: int = 0) -> Cost:
        """Say what evaluating a node took, or will."""
        if self.store.is_evaluated(node, self.plan, repeat):
            result = read_record(
                self.store.evaluation_folder(node, self.plan, repeat) / "result.json", EvalResult
            )
            return _measured(result.seconds or 0.0, result.peak_memory_bytes)
        past = [
            one
            for one in self.history.evaluations
            if one.model == node.root.identity and _asked(one.result)
        ]
        same = [one for one in past if one.result.contract_id == self.plan.contract_id]
        if same:
            alike = [one for one in same if one.kind == node.kind] or same
            return _evaluated(alike, [one.result.seconds or 0.0 for one in alike], "same settings")
        if past:
            ours = self.questions.responses * self.questions.max_tokens
            return _evaluated(
                past,
                [(one.result.seconds or 0.0) * ours / _asked(one.result) for one in past],
                "scaled",
            )
        return self._guessed_evaluation(node)

    def _guessed_training(self, node: Node, work: Training) -> Cost:
        size, on = self._size(node), node.base.device
        return _guessed(
            guess.training_seconds(size, work, on), guess.training_bytes(size, work, on)
        )

    def _guessed_evaluation(self, node: Node) -> Cost:
        size, on, asked = self._size(node), node.base.device, self.questions
        batch = min(self.plan.settings.problems.batch_size, asked.responses)
        work = Asking(asked.responses, batch, asked.prompt_tokens, asked.max_tokens)
        return _guessed(
            guess.evaluation_seconds(size, work, on), guess.evaluation_bytes(size, work, on)
        )

    def _size(self, node: Node) -> ModelSize:
        return self._sizes[node.root.id]

    @cached_property
    def _sizes(self) -> dict[str, ModelSize]:
        """Sizes of the base models; read once, and only where something must be guessed."""
        return {
            node.id: guess.model_size(node.base) for node in self.plan.nodes if node.parent is None
        }


def _measured(seconds: float, memory: int | None) -> Cost:
    return Cost(seconds, seconds, seconds, memory, "measured")


def _guessed(seconds: float, memory: int) -> Cost:
    return Cost(seconds, seconds / guess.TIMES_OFF, seconds * guess.TIMES_OFF, memory, "guess")


def _from_records(seconds: Sequence[float], memory: Sequence[int | None], basis: Basis) -> Cost:
    most = max((one for one in memory if one is not None), default=None)
    return Cost(median(seconds), min(seconds), max(seconds), most, basis, len(seconds))


def _evaluated(past: Sequence[PastEvaluation], seconds: Sequence[float], basis: Basis) -> Cost:
    return _from_records(seconds, [one.result.peak_memory_bytes for one in past], basis)


def _scaled_training(node: Node, work: Training, past: Sequence[PastTraining]) -> Cost | None:
    """Scale records of the same stage by effort; None where there are none that can be read
    today.
    """
    assert node.settings is not None
    efforts = [
        (one.result, _effort(node.kind, one.identity.get("args", {}), one.result.steps))
        for one in past
    ]
    known = [(result, effort) for result, effort in efforts if effort]
    ours = _effort(node.kind, node.settings.args, work.steps)
    if not known or not ours:
        return None
    seconds = [result.seconds * ours / effort for result, effort in known]
    return _from_records(seconds, [result.peak_memory_bytes for result, _ in known], "scaled")


def _settings(identity: dict[str, Any]) -> dict[str, Any]:
    """What decides a training's pace on one model; not the seed, LoRA, or how it is read."""
    return {name: identity.get(name) for name in ("args", "data", "dataset", "reward_code")}


def _asked(result: EvalResult) -> float:
    """Return how many tokens an evaluation could have generated; 0 where its record does not
    say.
    """
    groups = [
        result.metrics[name].n
        for name in ("accuracy", "accuracy_held_out")
        if name in result.metrics
    ]
    return float(
        sum(groups) * result.contract.get("samples", 1) * result.contract.get("max_tokens", 0)
    )


def _effort(kind: str, args: dict[str, Any], steps: int) -> float | None:
    """Multiply what time goes with; None for a kind or arguments that are not known any more."""
    try:
        config, cost = _priced(kind, args)
    except ValueError:
        return None
    sequences = config.per_device_train_batch_size * config.gradient_accumulation_steps
    return float(steps * sequences * (cost.generated or 1))


def _work(node: Node, texts_of: Callable[[StageSettings], Texts | None]) -> Training | None:
    """Return what a node's training comes to; None where its rows cannot be read."""
    assert node.settings is not None
    texts = texts_of(node.settings)
    if texts is None:
        return None
    config, cost = _priced(node.settings.kind, node.settings.args)
    at_once = config.per_device_train_batch_size * cost.sequences
    # an answer of several has the same prompt before it
    characters = fmean(sum(map(len, row)) for row in texts) / cost.sequences
    tokens = characters / guess.CHARACTERS_A_TOKEN
    recomputed = 2 if node.base.device == "cuda" else 0
    return Training(
        steps=steps_of(config, len(texts), times=cost.times),
        sequences=at_once,
        step_sequences=at_once * config.gradient_accumulation_steps,
        tokens=min(tokens, cost.limit or tokens) + cost.generated,
        generated=cost.generated,
        operations=4 + recomputed + 2 * cost.forwards,
    )


def _priced(kind: str, args: dict[str, Any]) -> tuple[Any, RowCost]:
    """Return TRL's config of a stage, with its defaults, and what a row costs by it."""
    method = kind_named(kind)
    config = config_on_paper(method, args)
    return config, method.cost(config)


def steps_of(config: Any, rows: int, *, times: int) -> int:
    """Count optimiser steps: as asked, or those of so many epochs, in which each row is taken so
    many times.
    """
    if config.max_steps > 0:
        return int(config.max_steps)
    a_step: int = config.per_device_train_batch_size * config.gradient_accumulation_steps
    an_epoch = math.ceil(rows * times / a_step)
    return math.ceil(float(config.num_train_epochs) * an_epoch)
