"""Rewards of completions: `correctness`, `brevity`, and any dotted path to a user's own function.

A reward function takes what TRL passes (prompts, completions, completion_ids and the dataset's
columns, as keyword arguments) and returns one float per completion. Several rewards are summed,
weighted by TRL's `reward_weights`.
"""

import hashlib
import importlib
import sys
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from stagelift.evals.metrics.answers.reading import EXTRACTION
from stagelift.evals.metrics.scoring import is_correct

Reward = Callable[..., list[float]]
Completion = str | list[dict[str, str]]


def correctness(*, completions: list[Completion], answer: list[str], **_: Any) -> list[float]:
    """1 where the final number is right, else 0: the evaluation's own numeric reading, so reward
    and metric agree.
    """
    return [float(is_correct(_text(c), a)) for c, a in zip(completions, answer, strict=True)]


def brevity(
    *,
    prompts: list[Any],
    completions: list[Completion],
    completion_ids: list[list[int]],
    answer: list[str],
    **_: Any,
) -> list[float]:
    """From 0.5 (the shortest right answer in its group) down to 0 (the longest), in tokens; 0 for a
    wrong answer.

    Completions of one prompt form a group. Only right answers are compared, so a group of wrong
    ones has no pull, towards short or long. And it only ever adds to what is right: beside
    `correctness` any right answer is worth more than any wrong one, whatever their lengths and the
    weight. Source: the length reward of Kimi k1.5 (arXiv 2501.12599, section 2.3.3), which also
    ranks wrong answers and takes away from long right ones.
    """
    groups: dict[str, list[int]] = defaultdict(list)
    for index, prompt in enumerate(prompts):
        if is_correct(_text(completions[index]), answer[index]):
            groups[str(prompt)].append(index)
    rewards = [0.0] * len(prompts)
    for right in groups.values():
        lengths = [len(completion_ids[index]) for index in right]
        for index, reward in zip(right, _shorter_is_better(lengths), strict=True):
            rewards[index] = reward
    return rewards


_OURS: dict[str, Reward] = {"correctness": correctness, "brevity": brevity}
# part of a stage's identity: raise it when a reward gives other numbers
_VERSIONS = {"correctness": 1, "brevity": 2}


def load_reward(name: str) -> Reward:
    """Return a reward by name or dotted path (`package.module.function`, the working folder
    counts).

    Raises ValueError where there is no such function.
    """
    if name in _OURS:
        return _OURS[name]
    module_name, _, function_name = name.rpartition(".")
    if not module_name:
        raise ValueError(
            f"Unknown reward '{name}'. Known rewards: correctness, brevity, or a path like "
            "package.module.function."
        )
    function = getattr(_import(name, module_name), function_name, None)
    if not callable(function):
        raise ValueError(
            f"Reward '{name}': module '{module_name}' has no function '{function_name}'."
        )
    return function  # type: ignore[no-any-return]  # a user's function; TRL checks what it returns


def reward_fingerprint(name: str) -> str:
    """Identify a reward for the stage's identity: a user's by its module's hash, ours by name and
    how answers are read.
    """
    if name in _OURS:
        version = f"-{_VERSIONS[name]}" if _VERSIONS[name] > 1 else ""
        return f"{name}{version}@{EXTRACTION}"
    file = getattr(sys.modules.get(load_reward(name).__module__), "__file__", None)
    if file is None:
        return name
    return hashlib.sha256(Path(file).read_bytes()).hexdigest()


def _shorter_is_better(lengths: list[int]) -> list[float]:
    """Spread lengths from 0.5 (shortest) to 0 (longest); 0 where all are the same."""
    longest, spread = max(lengths), max(lengths) - min(lengths)
    if not spread:
        return [0.0] * len(lengths)
    return [0.5 * (longest - length) / spread for length in lengths]


def _import(name: str, module_name: str) -> Any:
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.append(here)
    try:
        return importlib.import_module(module_name)
    except Exception as error:
        # a user's module can fail in any way
        raise ValueError(
            f"Reward '{name}' cannot be imported: {type(error).__name__}: {error}."
        ) from error


def _text(completion: Completion) -> str:
    return completion if isinstance(completion, str) else completion[-1]["content"]
