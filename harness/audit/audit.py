"""Rewards tried before a run is paid for: what each pays for right, wrong, empty, repeated,
format-only, over-long and hedged completions of a few rows.

The only part of a plan that calls a reward. It does so in a process of its own, which may crash and
is given its time.
"""

import json
import os
import signal
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from statistics import fmean
from threading import Timer
from typing import Any

from stagelift.harness.audit.trial import Trial
from stagelift.harness.audit.tried import SORTS, Sort
from stagelift.harness.errors import UsageError
from stagelift.harness.graph.node import Node, Plan
from stagelift.harness.workers.packages import python_path
from stagelift.stages.kinds import kind_named
from stagelift.stages.rewards import Written
from stagelift.stages.settings import config_on_paper

_PROCESS = "stagelift.harness.audit.trial"
# for all that one process does, or the reward that it is at counts as one that hangs
SECONDS = 120
# a completion's number, None where nothing was measured, else what came in its place
Value = float | str | None


@dataclass(frozen=True)
class Completion:
    """What a completion of some rows is called, its sort, and how many tokens it has at most."""

    sort: Sort
    called: str
    tokens: int


@dataclass
class Pays:
    """What one reward paid: for each completion its values, a row each, and again.

    `error` says what came instead; `errors` for which completions, where it was not for all.
    """

    reward: str
    values: dict[Completion, list[Value]] = field(default_factory=dict)
    again: dict[Completion, list[Value]] = field(default_factory=dict)
    seconds: float | None = None
    error: str | None = None
    errors: dict[Completion, str] = field(default_factory=dict)

    def mean(self, completion: Completion) -> float | None:
        """Return what it pays for a completion, as TRL sums: what is not measured counts not."""
        numbers = [each for each in self.values.get(completion, ()) if isinstance(each, float)]
        return fmean(numbers) if numbers else None


@dataclass(frozen=True)
class StageAudit:
    """What the rewards of a stage pay, with their weights; `per_step` completions are rewarded in
    a step.
    """

    stage: str
    rows: int
    completions: list[Completion]
    rewards: list[Pays]
    weights: list[float]
    per_step: int

    def together(self, completion: Completion) -> float | None:
        """Return the weighted sum, as TRL makes it; None where no reward pays a number."""
        paid = [pays.mean(completion) for pays in self.rewards]
        known = [
            weight * value
            for weight, value in zip(self.weights, paid, strict=True)
            if value is not None
        ]
        return sum(known) if known else None


def audit_rewards(plan: Plan, seconds: float = SECONDS) -> list[StageAudit]:
    """Try the rewards of every stage that has some; stages that share rewards and rows once.

    Raises UsageError where no stage is rewarded.
    """
    rewarded = {
        f"{node.settings.rewards} {node.settings.dataset} {node.settings.args}": node
        for node in reversed(plan.nodes)
        if node.settings is not None and node.settings.rewards
    }
    if not rewarded:
        raise UsageError(
            f"--audit-rewards: recipe '{plan.recipe.name}' has no stage that takes rewards. Leave "
            "it out."
        )
    return [_audited(node, seconds) for node in reversed(rewarded.values())]


def _audited(node: Node, seconds: float) -> StageAudit:
    assert node.settings is not None
    settings = node.settings
    config = config_on_paper(kind_named(settings.kind), settings.args)
    rewards = [Pays(_name(written)) for written in settings.rewards]
    limit = config.max_completion_length or 512
    trial = Trial(settings=settings, base=node.base, limit=limit)
    of: list[list[Completion]] = []
    while trial.first < len(rewards):
        done = _follow(trial, rewards, of, seconds)
        trial = trial.model_copy(update={"first": done})
    return StageAudit(
        stage=node.name,
        rows=len(of),
        completions=sorted(dict.fromkeys(_flat(of)), key=lambda each: SORTS.index(each.sort)),
        rewards=rewards,
        weights=list(config.reward_weights or [1.0] * len(rewards)),
        per_step=config.per_device_train_batch_size * config.gradient_accumulation_steps,
    )


def _name(written: Written) -> str:
    return written if isinstance(written, str) else next(iter(written), "reward")


def _follow(
    trial: Trial, rewards: Sequence[Pays], of: list[list[Completion]], seconds: float
) -> int:
    """Follow a process to its end; return the first reward that it did not come to the end of."""
    at, over = trial.first, False
    for said in _said(trial, seconds):
        match said["event"]:
            case "tried":
                of[:] = _completions(said["rows"], said["tokens"])
            case "paid":
                at, over = said["reward"], "error" not in said and said["call"] == 2
                note(rewards[at], said, of)
            case "alone":
                over = True
                for completion, came in zip(_flat(of), said["said"], strict=True):
                    if "error" in came:
                        rewards[at].errors[completion] = came["error"]
                    else:
                        rewards[at].values.setdefault(completion, []).extend(came["values"])
            case "done":
                return len(rewards)
            case "ended":
                if not of:
                    raise UsageError(
                        "--audit-rewards: the process that calls rewards ended before it called "
                        f"one. Start it to see why: python -m {_PROCESS}."
                    )
                at = at + 1 if over else at
                if at < len(rewards):
                    rewards[at].error = said["how"]
    return at + 1


def note(pays: Pays, said: dict[str, Any], of: Sequence[Sequence[Completion]]) -> None:
    """Keep what came of one of the two calls of a reward."""
    if "error" in said:
        pays.error = said["error"]
        return
    values: dict[Completion, list[Value]] = defaultdict(list)
    for completion, value in zip(_flat(of), said["values"], strict=True):
        values[completion].append(value)
    # of the second call where there is one: what a reward loads in its first it loads once
    pays.seconds = said["seconds"]
    if said["call"] == 1:
        pays.values = values
    else:
        pays.again = values


def _flat(of: Sequence[Sequence[Completion]]) -> list[Completion]:
    return [completion for of_row in of for completion in of_row]


def _completions(rows: list[list[list[Any]]], tokens: list[int]) -> list[list[Completion]]:
    """Name the completions of each row; those of one name have the tokens of the longest."""
    longest: dict[str, int] = defaultdict(int)
    named = [called for of_row in rows for _, called in of_row]
    for called, length in zip(named, tokens, strict=True):
        longest[called] = max(longest[called], length)
    return [
        [Completion(sort, called, longest[called]) for sort, called in of_row] for of_row in rows
    ]


def _said(trial: Trial, seconds: float) -> Iterator[dict[str, Any]]:
    """Start a process, and yield what it says; last how it ended, where that was not as meant."""
    with subprocess.Popen(
        [sys.executable, "-P", "-m", _PROCESS],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        encoding="utf-8",
        env={**os.environ, "PYTHONPATH": python_path(), "TOKENIZERS_PARALLELISM": "false"},
        start_new_session=True,
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        timer = Timer(seconds, _kill, [process])
        timer.start()
        try:
            process.stdin.write(trial.model_dump_json() + "\n")
            process.stdin.flush()
            for line in process.stdout:
                yield json.loads(line)
        finally:
            is_late = not timer.is_alive()
            timer.cancel()
            _kill(process)
    how = "ended the process that called it, as it would end the training"
    if is_late:
        how = f"took more than {seconds:g} s, and a training would wait for it in each step"
    yield {"event": "ended", "how": how}


def _kill(process: "subprocess.Popen[str]") -> None:
    """End a process and those that a reward started in it: as forks they hold its pipe open."""
    if sys.platform == "win32":
        # without forks and groups
        process.kill()
        return
    # it may have ended by itself
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
