"""How long a job will take and how much memory: measured where it was done, from earlier records of
this machine, or a guess.

Training: records of the same stage on the same model with the same arguments and data, whatever the
seed, LoRA and parent; else of the same stage on the same model, scaled by steps and sequences a
step (and by completion length where a stage generates).

Evaluation: records of the same contract on the same model (the contract is everything that makes
two evaluations comparable); else by the same engine on the same model, scaled by responses and
their limit.

Memory is never scaled: it is the most that those records show. Nor is the length of rows, which may
be another one.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from statistics import median
from typing import Any, Literal

from stagelift.evals.folders import EvaluationFolder
from stagelift.evals.metrics.measures import leading
from stagelift.evals.records import EvalResult
from stagelift.harness.forecast import guess
from stagelift.harness.forecast.guess import Asking, ModelSize, Training
from stagelift.harness.forecast.history import History, PastEvaluation, PastTraining
from stagelift.harness.forecast.material import Asked, Questions, Texts
from stagelift.harness.forecast.work import effort, training_work
from stagelift.harness.graph.node import Node, Plan
from stagelift.harness.graph.store import Store
from stagelift.stages.arguments import arguments_that_train
from stagelift.stages.settings import StageSettings

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
        past = f"{self.records} earlier records" if self.records != 1 else "1 earlier record"
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
        if self.store.node_folder(node).is_trained():
            result = self.store.node_folder(node).read_result()
            return _measured(result.seconds, result.peak_memory_bytes)
        past = [
            training
            for training in self.history.trainings
            if (training.kind, training.model) == (node.kind, node.weights.identity)
        ]
        ours = _pace(node.identity)
        same = [training for training in past if _pace(training.identity) == ours]
        if same:
            seconds = [training.result.seconds for training in same]
            return _trained(same, seconds, "same settings")
        assert node.settings is not None
        texts = self.texts_of(node.settings)
        if texts is None:
            return None
        work = training_work(node, texts)
        return _scaled_training(node, work, past) or self._guessed_training(node, work)

    def export(self, node: Node) -> Cost:
        """Say what exporting a node took, or will."""
        folder = self.store.node_folder(node)
        if folder.is_exported():
            result = folder.read_export()
            return _measured(result.seconds, result.peak_memory_bytes)
        assert node.exported is not None, "nothing is exported here"
        size = self._size(node)
        return _guessed(guess.export_seconds(size, node.exported), guess.export_bytes(size))

    def disk_bytes(self, node: Node) -> int:
        """Say how many bytes an export is on disk, or will be."""
        folder = self.store.node_folder(node)
        if folder.is_exported():
            return folder.read_export().bytes
        assert node.exported is not None, "nothing is exported here"
        return guess.disk_bytes(self._size(node), node.exported)

    def evaluation(self, node: Node, repeat: int = 0) -> Cost:
        """Say what evaluating a node took, or will."""
        if self.store.is_evaluated(node, self.plan, repeat):
            result = self.store.evaluation_folder(node, self.plan, repeat).read_result()
            return _measured(result.seconds or 0.0, result.peak_memory_bytes)
        return self.asking(node, self.plan.contract_id)

    def selection(self, node: Node) -> Cost | None:
        """Say what asking base and all checkpoints of a node the validation data took, or will;
        None where it is not known how many there are.
        """
        selects, folder = node.selects, self.store.node_folder(node)
        assert selects is not None, "nothing is selected here"
        if folder.is_selected():
            places = folder.read_selection().checkpoints.values()
            results = [EvaluationFolder(self.store.root / place).read_result() for place in places]
            return _measured(sum(result.seconds or 0.0 for result in results), None)
        count = self._checkpoints(node)
        if count is None:
            return None
        # base is asked, too
        times = count + 1
        on_validation = replace(self, questions=Asked(selects.settings).questions())
        each = on_validation.asking(node, selects.contract_id)
        return replace(
            each, seconds=times * each.seconds, low=times * each.low, high=times * each.high
        )

    def _checkpoints(self, node: Node) -> int | None:
        """Count the checkpoints of a node: the user's, or those that training will keep."""
        assert node.selects is not None, "nothing is selected here"
        if node.settings is None or node.selects.every is None:
            return len(node.selects.candidates)
        texts = self.texts_of(node.settings)
        if texts is None:
            return None
        return math.ceil(training_work(node, texts).steps / node.selects.every)

    def asking(self, node: Node, contract_id: str) -> Cost:
        """Say what an evaluation will take that asks the questions under a contract."""
        past = [
            evaluation
            for evaluation in self.history.evaluations
            if evaluation.model == node.weights.identity
            and evaluation.result.contract.get("engine") == self.plan.contract["engine"]
            and _asked(evaluation.result)
        ]
        same = [evaluation for evaluation in past if evaluation.result.contract_id == contract_id]
        if same:
            same_kind = [evaluation for evaluation in same if evaluation.kind == node.kind]
            return _evaluated(same_kind or same, "same settings")
        if past:
            ours = self.questions.responses * self.questions.max_tokens
            return _evaluated(past, "scaled", tokens=ours)
        return self._guessed_evaluation(node)

    def _guessed_training(self, node: Node, work: Training) -> Cost:
        size, on = self._size(node), node.base.device
        adapter = guess.adapter_weights(node.base, node.lora)
        return _guessed(
            guess.training_seconds(size, work, on), guess.training_bytes(size, work, on, adapter)
        )

    def _guessed_evaluation(self, node: Node) -> Cost:
        size, on, asked = self._size(node), node.base.device, self.questions
        batch = max(1, min(self.plan.settings.problems.batch_size, asked.responses))
        work = Asking(asked.responses, batch, asked.prompt_tokens, asked.max_tokens)
        seconds = guess.evaluation_seconds(size, work, on)
        if self.plan.settings.engine.kind == "server":
            # the model is in the server's memory
            return _guessed(seconds, None)
        return _guessed(seconds, guess.evaluation_bytes(size, work, on))

    def _size(self, node: Node) -> ModelSize:
        return self._sizes[node.weights.id]

    @cached_property
    def _sizes(self) -> dict[str, ModelSize]:
        """Sizes of all weights; read once, and only where something must be guessed."""
        return {node.id: guess.model_size(node.base) for node in self.plan.nodes if node.on is None}


def _measured(seconds: float, memory: int | None) -> Cost:
    return Cost(seconds, seconds, seconds, memory, "measured")


def _guessed(seconds: float, memory: int | None) -> Cost:
    return Cost(seconds, seconds / guess.TIMES_OFF, seconds * guess.TIMES_OFF, memory, "guess")


def _trained(past: Sequence[PastTraining], seconds: Sequence[float], basis: Basis) -> Cost:
    memory = [training.result.peak_memory_bytes for training in past]
    return _from_records(seconds, memory, basis)


def _evaluated(past: Sequence[PastEvaluation], basis: Basis, tokens: int | None = None) -> Cost:
    """Take past evaluations as they were, or scaled to `tokens` that could be generated."""
    seconds = [evaluation.result.seconds or 0.0 for evaluation in past]
    if tokens is not None:
        limits = [_asked(evaluation.result) for evaluation in past]
        seconds = [took * tokens / of for took, of in zip(seconds, limits, strict=True)]
    return _from_records(
        seconds, [evaluation.result.peak_memory_bytes for evaluation in past], basis
    )


def _from_records(seconds: Sequence[float], memory: Sequence[int | None], basis: Basis) -> Cost:
    known = [size for size in memory if size is not None]
    return Cost(
        median(seconds), min(seconds), max(seconds), max(known, default=None), basis, len(seconds)
    )


def _scaled_training(node: Node, work: Training, past: Sequence[PastTraining]) -> Cost | None:
    """Scale records of the same stage by effort; None where there are none that can be read
    today.
    """
    assert node.settings is not None
    ours = effort(node.kind, node.settings.args, work.steps)
    efforts = [
        (training, effort(node.kind, training.identity.get("args", {}), training.result.steps))
        for training in past
    ]
    known = [(training, theirs) for training, theirs in efforts if theirs]
    if not known or not ours:
        return None
    seconds = [training.result.seconds * ours / theirs for training, theirs in known]
    return _trained([training for training, _ in known], seconds, "scaled")


def _pace(identity: dict[str, Any]) -> dict[str, Any]:
    """What decides a training's pace on one model; not the seed, LoRA, or how it is read."""
    deciding = {name: identity.get(name) for name in ("data", "dataset", "reward_code")}
    return deciding | {"args": arguments_that_train(identity.get("args", {}))}


def _asked(result: EvalResult) -> float:
    """Return how many tokens an evaluation could have generated; 0 where its record does not
    say.
    """
    contract, main = result.contract, leading(result.metrics) or "accuracy"
    counts = {
        name: result.metrics[name].n
        for name in (main, "accuracy_held_out")
        if name in result.metrics
    }
    responses = sum(counts.values()) * contract.get("samples", 1)
    responses += counts.get(main, 0) * contract.get("sampled", 0)
    if "instructions_followed" in result.metrics:
        responses += result.metrics["instructions_followed"].n
    return float(responses * contract.get("max_tokens", 0))
