"""Rewards of completions: `correctness`, `brevity`, scorers of a user's own task, and any dotted
path to a user's function.

A reward function takes what TRL passes (prompts, completions, completion_ids and the dataset's
columns, as keyword arguments) and returns one float per completion; a scorer takes a response and
a row, and what it does not measure has no reward. Several rewards are summed, weighted by TRL's
`reward_weights`.
"""

import json
import logging
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from inspect import iscoroutinefunction
from typing import Any, cast

from stagelift.evals.data.answers import answer_text
from stagelift.evals.metrics.answers.reading import EXTRACTION
from stagelift.evals.metrics.measures import BUILT_IN_SCORERS
from stagelift.evals.metrics.scorers.function import is_scorer
from stagelift.evals.metrics.scorers.known import read_scorer, scored
from stagelift.evals.metrics.scorers.scorer import Scorer
from stagelift.evals.metrics.scoring import is_correct
from stagelift.evals.nearest import did_you_mean
from stagelift.evals.user_code import code_of, load_function, look_at_function

_log = logging.getLogger(__name__)

# as a recipe has it: a name, a path, or a scorer with its settings
Written = str | dict[str, Any]
Reward = Callable[..., Sequence[float | None]]
Completion = str | list[dict[str, str]]


def correctness(*, completions: list[Completion], answer: list[Any], **_: Any) -> list[float]:
    """1 where the final number is right, else 0: the evaluation's own numeric reading, so reward
    and metric agree.
    """
    pairs = zip(completions, answer, strict=True)
    return [float(is_correct(_text(completion), _target(target))) for completion, target in pairs]


def brevity(
    *,
    prompts: list[Any],
    completions: list[Completion],
    completion_ids: list[list[int]],
    answer: list[Any],
    **_: Any,
) -> list[float | None]:
    """From 0.5 (the shortest right answer in its group) down to 0 (the longest), in tokens; 0 for a
    wrong answer.

    Completions of one prompt form a group. Only right answers are compared, so a group of wrong
    ones has no pull, towards short or long. And it only ever adds to what is right: beside
    `correctness` any right answer is worth more than any wrong one, whatever their lengths and the
    weight. Source: the length reward of Kimi k1.5 (arXiv 2501.12599, section 2.3.3), which also
    ranks wrong answers and takes away from long right ones.
    """
    pairs = zip(completions, answer, strict=True)
    right = [is_correct(_text(completion), _target(target)) for completion, target in pairs]
    return _brevity(prompts, right, completion_ids)


def _brevity(
    prompts: list[Any], is_right: list[bool], completion_ids: list[list[int]]
) -> list[float | None]:
    groups: dict[str, list[int]] = defaultdict(list)
    for index, prompt in enumerate(prompts):
        if is_right[index]:
            groups[str(prompt)].append(index)
    rewards: list[float | None] = [0.0] * len(prompts)
    for right in groups.values():
        lengths = [len(completion_ids[index]) for index in right]
        for index, reward in zip(right, _shorter_is_better(lengths), strict=True):
            rewards[index] = reward
    return rewards


# what TRL passes as turns where prompts are
_CONVERSATIONS = ("prompts", "completions")
_OURS: dict[str, Reward] = {"correctness": correctness, "brevity": brevity}
# part of a stage's identity: raise it when a reward gives other numbers
_VERSIONS = {"correctness": 1, "brevity": 2}


def load_rewards(rewards: Sequence[Written]) -> list[Reward]:
    """Return the rewards of a stage, in order.

    Beside scorers, what is right for `brevity` is what the first of them gives its whole share.
    Raises ValueError where there is no such reward.
    """
    scorers = [scorer for written in rewards if (scorer := scorer_of(written)) is not None]
    loaded = []
    for written in rewards:
        if written == "brevity" and scorers:
            loaded.append(_brevity_by(scorers[0]))
        else:
            loaded.append(load_reward(written))
    return loaded


def check_rewards(rewards: Sequence[Written], args: Mapping[str, Any]) -> None:
    """Raise ValueError where there is no such reward, or not a weight for each. A user's module is
    read, not imported.
    """
    for written in rewards:
        if scorer_of(written) is None and written not in _OURS:
            look_at_function(str(written), "Reward")
    check_weights(rewards, args)


def check_weights(rewards: Sequence[Written | Reward], args: Mapping[str, Any]) -> None:
    """Raise ValueError where there is not a weight for each reward."""
    weights = args.get("reward_weights")
    if isinstance(weights, list) and len(weights) != len(rewards):
        raise ValueError(
            f"args.reward_weights has {len(weights)} weights for {len(rewards)} rewards. Give one "
            "for each, in their order."
        )


def load_reward(written: Written) -> Reward:
    """Return one reward: ours by name, a scorer as `evals` has it, or a function by its dotted path
    (`package.module.function`, the working folder counts), which takes what TRL passes.

    Raises ValueError where there is no such reward.
    """
    if isinstance(written, str) and written in _OURS:
        return _OURS[written]
    scorer = scorer_of(written)
    if scorer is not None:
        return _reward_of(scorer)
    return load_function(str(written), "Reward")


def shown_texts(reward: Reward) -> Reward:
    """Show a reward the last turns of prompts and completions as texts, as the rows had them."""

    def texts(passed: dict[str, Any]) -> dict[str, Any]:
        shown = {name: [_text(each) for each in passed[name]] for name in _CONVERSATIONS}
        return passed | shown

    @wraps(reward)
    def now(**passed: Any) -> Any:
        return reward(**texts(passed))

    @wraps(reward)
    async def later(**passed: Any) -> Any:
        asked: Any = reward(**texts(passed))
        return await asked

    shown: Any = later if iscoroutinefunction(reward) else now
    return cast(Reward, shown)


def scorer_of(written: Written) -> Scorer | None:
    """Return the scorer that a reward is; None where it is one of ours or takes what TRL passes."""
    if not isinstance(written, str) or written in BUILT_IN_SCORERS:
        return read_scorer(written)
    if written in _OURS:
        return None
    if "." not in written:
        raise ValueError(
            f"Unknown reward '{written}'. Known rewards: correctness, brevity, scorers "
            f"({', '.join(BUILT_IN_SCORERS)}), or a path like package.module.function."
            f"{did_you_mean(written, [*_OURS, *BUILT_IN_SCORERS])}"
        )
    return read_scorer(written) if is_scorer(look_at_function(written, "Reward")) else None


def reward_fingerprint(written: Written) -> str:
    """Identify a reward for the stage's identity: a user's by its module's hash, ours by name and
    how answers are read, a scorer by its settings and version.
    """
    if isinstance(written, str) and written in _OURS:
        version = f"-{_VERSIONS[written]}" if _VERSIONS[written] > 1 else ""
        return f"{written}{version}@{EXTRACTION}"
    scorer = scorer_of(written)
    if scorer is None:
        return code_of(str(written))
    return json.dumps(scorer.identity(), sort_keys=True)


def _reward_of(scorer: Scorer) -> Reward:
    """Make a scorer a reward: the same code on the same rows, so that reward and metric agree."""
    told: set[str] = set()

    def reward(*, completions: list[Completion], row: list[str], **_: Any) -> list[float | None]:
        values = []
        for completion, written in zip(completions, row, strict=True):
            found = scored(scorer, _text(completion), json.loads(written))
            if found.failure is not None and found.failure not in told:
                told.add(found.failure)
                _log.warning("Reward %s gave nothing: %s", scorer.called, found.failure)
            values.append(found.value)
        return values

    # TRL calls it so in its log
    reward.__name__ = scorer.called
    return reward


def _brevity_by(scorer: Scorer) -> Reward:
    """Make brevity one among the completions that a scorer gives its whole share."""

    def reward(
        *,
        prompts: list[Any],
        completions: list[Completion],
        completion_ids: list[list[int]],
        row: list[str],
        **_: Any,
    ) -> list[float | None]:
        most = 1.0 if scorer.bounds is None else scorer.bounds[1]
        right = []
        for completion, written in zip(completions, row, strict=True):
            value = scored(scorer, _text(completion), json.loads(written)).value
            right.append(value is not None and value >= most)
        return _brevity(prompts, right, completion_ids)

    reward.__name__ = "brevity"
    return reward


def _shorter_is_better(lengths: list[int]) -> list[float]:
    """Spread lengths from 0.5 (shortest) to 0 (longest); 0 where all are the same."""
    longest, spread = max(lengths), max(lengths) - min(lengths)
    if not spread:
        return [0.0] * len(lengths)
    return [0.5 * (longest - length) / spread for length in lengths]


def _target(answer: Any) -> str:
    """Return an answer as text, a number too; nothing can be read in what is neither."""
    return answer_text(answer) or ""


def _text(completion: Completion) -> str:
    return completion if isinstance(completion, str) else completion[-1]["content"]
