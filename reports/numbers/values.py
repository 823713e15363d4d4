"""What each metric reads off one prompt, so that two stages can be compared prompt by prompt.

A value per prompt id (the mean over its samples), in the metric's own unit: shares, tokens or
characters.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from stagelift.evals.metrics.accuracy import READINGS, pass_at
from stagelift.evals.metrics.length import FIELDS
from stagelift.evals.metrics.preference_accuracy import NAMES as PREFERENCE_ACCURACY
from stagelift.evals.metrics.preference_accuracy import pair_values
from stagelift.evals.records import Group, Score
from stagelift.evals.stats import estimates
from stagelift.reports.records import StageRecord


@dataclass(frozen=True)
class ComparedMetric:
    """Where a metric's values come from and which direction is better (+1 more, -1 less)."""

    group: Group
    value: Callable[[Score], float | None]
    better: int


def _scored(group: Group, field: str, better: int) -> ComparedMetric:
    return ComparedMetric(group, lambda score: _number(getattr(score, field)), better)


def _number(value: float | bool | None) -> float | None:
    return None if value is None else float(value)


COMPARED = {
    **{name: _scored("test", field, +1) for name, field in READINGS.items()},
    **{f"{name}_held_out": _scored("held_out", field, +1) for name, field in READINGS.items()},
    **{name: _scored("test", field, -1) for name, field in FIELDS.items()},
    **{f"{name}_preference": _scored("preference", field, -1) for name, field in FIELDS.items()},
    "truncated": _scored("test", "truncated", -1),
    "truncated_preference": _scored("preference", "truncated", -1),
}
LENGTHS = tuple(f"{name}{suffix}" for name in FIELDS for suffix in ("", "_preference"))


def is_compared(name: str, stage: StageRecord) -> bool:
    """Say whether a metric has a value for each prompt; quantiles and bootstrapped task metrics
    have not.
    """
    return name in (*COMPARED, *PREFERENCE_ACCURACY, *stage.task_scores) or name.startswith("pass@")


def prompt_values(name: str, stage: StageRecord, base: StageRecord) -> dict[str, float]:
    """Return a stage's values of a compared metric by prompt id; prompts where it was not measured
    are left out.

    Of preference accuracy, base itself has one half everywhere: it differs from itself by nothing.
    """
    if name in stage.task_scores:
        return stage.task_scores[name]
    if name in PREFERENCE_ACCURACY:
        return pair_values(list(stage.pairs.values()), base.pairs, name)
    if match := re.fullmatch(r"pass@(\d+)(_held_out)?", name):
        group = "held_out" if match[2] else "test"
        return pass_at(
            [score for score in stage.scores if score.group == group and score.correct is not None],
            int(match[1]),
        )
    metric = COMPARED[name]
    values = [
        (score.id, metric.value(score)) for score in stage.scores if score.group == metric.group
    ]
    return estimates.prompt_means(
        [(problem, value) for problem, value in values if value is not None]
    )


def model_values(
    name: str, stage: StageRecord, base: StageRecord, prompts: Iterable[str] = ()
) -> dict[str, float]:
    """Return the values of whatever is a property of one model: `prompt_values`, and win rates
    against base.

    Against itself base has one half on each of the `prompts`.
    """
    if not name.startswith("win_rate_base"):
        return prompt_values(name, stage, base)
    if stage is base:
        return dict.fromkeys(prompts, 0.5)
    return {
        one: verdict.score
        for one, verdict in stage.verdicts[name].items()
        if verdict.score is not None
    }


def model_metrics(stages: Sequence[StageRecord]) -> list[str]:
    """Name the metrics that all the stages have as properties of one model, for every prompt; base
    has no win rate itself.

    Characters say what tokens say: they are left out where tokens are known.
    """
    trained = [stage for stage in stages if stage.parent is not None] or list(stages)
    shared = [
        name
        for name in trained[0].evaluation.metrics
        if all(_has(name, stage) for stage in trained)
    ]
    always = [
        name for name in shared if name.startswith("win_rate_base") or name in PREFERENCE_ACCURACY
    ]
    bases = [stage for stage in stages if stage.parent is None]
    names = [name for name in shared if name in always or all(_has(name, stage) for stage in bases)]
    return [
        one for one in names if "_chars" not in one or one.replace("_chars", "_tokens") not in names
    ]


def is_bounded(name: str) -> bool:
    """Say whether a metric is known to be a share, between 0 and 1: ours are, but for lengths."""
    return name not in LENGTHS and "/" not in name


def _has(name: str, stage: StageRecord) -> bool:
    judged = name.startswith("win_rate_base") and name in stage.verdicts
    return name in stage.evaluation.metrics and (judged or is_compared(name, stage))


def better(name: str) -> int:
    """Which direction is better: +1 more, -1 less. lm-eval's perplexities and error rates are the
    ones to be smaller.
    """
    if name in COMPARED:
        return COMPARED[name].better
    return -1 if "/" in name and _smaller_is_better(name) else +1


def _smaller_is_better(name: str) -> bool:
    words = re.split(r"[_-]", name.rpartition("/")[2].partition(",")[0])
    return bool({"perplexity", "byte", "ppl", "wer", "ter", "brier"} & set(words))
