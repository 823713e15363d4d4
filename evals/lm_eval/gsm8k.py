"""lm-eval's own gsm8k task over problems of ours: its prompt, few-shot format, filters and scoring,
unchanged.

Only the documents are replaced (and the task renamed), so a score here is the score lm-eval would
give.
"""

import json
import logging
from collections.abc import Callable
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from stagelift.evals.data.gsm8k import shipped_config
from stagelift.evals.data.problems import Problem, ProblemSet

if TYPE_CHECKING:
    from lm_eval.api.filter import Filter
    from lm_eval.api.task import ConfigurableTask

# lm-eval's default, so that the same examples are drawn
FEWSHOT_SEED = 1234
STRICT, FLEXIBLE = "strict-match", "flexible-extract"
# what lm-eval's regex filter returns where it found nothing
_INVALID = "[invalid]"
# characters of a number: no reading of a reasonable answer has as many
_LONG = 1_000
# of an entry of a config's `metric_list`
_NOT_FOR_THE_METRIC = ("metric", "aggregation", "higher_is_better", "hf_evaluate")


def load_tasks(
    problems: ProblemSet, *, num_fewshot: int, max_tokens: int
) -> dict[str, "ConfigurableTask"]:
    """Return one lm-eval task per group of problems, keyed by task name."""
    groups = {"": "test", "_held_out": "held_out"}
    tasks = {}
    for suffix, group in groups.items():
        docs = [problem for problem in problems.problems if problem.group == group]
        if docs:
            name = f"{problems.name}{suffix}"
            tasks[name] = build_task(name, docs, problems.fewshot, num_fewshot, max_tokens)
    return tasks


def build_task(
    name: str,
    docs: list[Problem],
    fewshot: list[Problem],
    num_fewshot: int = 0,
    max_tokens: int = 256,
) -> "ConfigurableTask":
    """Build lm-eval's gsm8k task over `docs`, with few-shot examples drawn from `fewshot`."""
    from datasets import Dataset, DatasetDict
    from lm_eval.api.task import ConfigurableTask

    # lm-eval insists on a train split even for zero shots
    splits = {
        "test": docs,
        "train": fewshot or docs[:1],
    }
    data = DatasetDict(
        {
            split: Dataset.from_list([row.model_dump() for row in part])
            for split, part in splits.items()
        }
    )
    config = json.loads(json.dumps(shipped_config()))
    config |= {
        "task": name,
        "num_fewshot": num_fewshot,
        "custom_dataset": lambda **_: data,
        "dataset_path": None,
    }
    config["generation_kwargs"]["max_gen_toks"] = max_tokens
    # it warns of custom datasets, which are what is meant
    logging.getLogger("lm_eval.api.task").setLevel(logging.ERROR)
    task = ConfigurableTask(config=config)
    task.set_fewshot_seed(FEWSHOT_SEED)
    return task


def lm_eval_reading(response: str, answer: str, name: str) -> tuple[str | None, bool]:
    """Return what lm-eval's filter `name` finds in a response (None: nothing) and whether it
    matches `answer`.

    Filter and exact match are lm-eval's own, without its task: that renders the target's template
    for each response, which took most of the time of scoring. Where gsm8k's target is its answer,
    as it stands there, both are the same. Source: `filter_list` and `metric_list` of gsm8k.yaml.
    """
    readings: Any = [[response]]
    for step in _filters(name):
        readings = step.apply(readings, [{}])
    (reading,) = readings
    return None if reading == _INVALID else str(reading), _matches(reading, answer)


@cache
def _filters(name: str) -> "list[Filter]":
    """Build the steps of the task's filter of that name, which reads an answer out of a
    response.
    """
    from lm_eval.filters import build_filter_ensemble

    filters = {entry["name"]: entry["filter"] for entry in shipped_config()["filter_list"]}
    steps = [{**step} for step in filters[name]]
    ensemble = build_filter_ensemble(name, [(step.pop("function"), step) for step in steps])
    return [make() for make in ensemble.filters]


# filters agree on most responses, and stages on many
@lru_cache(maxsize=10_000)
def _matches(reading: str, answer: str) -> bool:
    if len(reading) > _LONG:
        # the metric takes quadratic time for it; it ignores these two signs and a last full stop
        reading = reading.replace(",", "").replace("$", "")
        if len(reading) > len(answer) + 1:
            return False
    metric, settings = _exact_match()
    return bool(metric(references=[answer], predictions=[reading], **settings)["exact_match"])


@cache
def _exact_match() -> tuple[Callable[..., dict[str, Any]], dict[str, Any]]:
    """Return the task's metric, and the settings that its config calls it with."""
    from lm_eval.api.metrics import exact_match_fn

    (entry,) = shipped_config()["metric_list"]
    return exact_match_fn, {name: entry[name] for name in entry if name not in _NOT_FOR_THE_METRIC}
