"""lm-eval's own gsm8k task over problems of ours: its prompt, few-shot format, filters and scoring,
unchanged.

Only the documents are replaced (and the task renamed), so a score here is the score lm-eval would
give.
"""

import json
import logging
from functools import cache
from typing import TYPE_CHECKING

from stagelift.evals.data.gsm8k import shipped_config
from stagelift.evals.data.problems import Problem, ProblemSet

if TYPE_CHECKING:
    from lm_eval.api.filter import FilterEnsemble
    from lm_eval.api.task import ConfigurableTask

# lm-eval's default, so that the same examples are drawn
FEWSHOT_SEED = 1234
STRICT, FLEXIBLE = "strict-match", "flexible-extract"


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


@cache
def response_filter(name: str) -> "FilterEnsemble":
    """Build the task's filter of that name, which reads an answer out of a response."""
    from lm_eval.filters import build_filter_ensemble

    filters = {entry["name"]: entry["filter"] for entry in shipped_config()["filter_list"]}
    steps = [{**step} for step in filters[name]]
    return build_filter_ensemble(name, [(step.pop("function"), step) for step in steps])
