"""Evaluation with lm-eval's hf backend alone, as its documentation has it: what our evaluation is
timed against.

Its task is lm-eval's own gsm8k over a file of problems.
"""

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from stagelift.evals.data.gsm8k import shipped_config
from stagelift.evals.data.problems import Problem
from stagelift.evals.files import write_text

TASK = "problems"


def write_task(
    folder: Path, problems: Iterable[Problem], fewshot: Iterable[Problem], max_tokens: int
) -> Path:
    """Write the task's YAML and its rows into a folder, for `--include_path`."""
    files = {}
    for split, rows in (("test", [*problems]), ("train", [*fewshot])):
        files[split] = folder / f"{split}.jsonl"
        lines = [f"{row.model_dump_json(include={'question', 'answer'})}\n" for row in rows]
        # lm-eval insists on a train split even for zero shots
        write_text(files[split], "".join(lines) or files["test"].read_text(encoding="utf-8"))
    config = {
        **shipped_config(),
        "task": TASK,
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {split: str(file) for split, file in files.items()}},
    }
    del config["dataset_name"]
    config["generation_kwargs"] = {**config["generation_kwargs"], "max_gen_toks": max_tokens}
    write_text(folder / f"{TASK}.yaml", yaml.safe_dump(config, sort_keys=False))
    return folder


def evaluate(job: dict[str, Any]) -> dict[str, Any]:
    """Evaluate `job`'s `model` in its `dtype` on the task in `tasks`, `num_fewshot` shots,
    `batch_size` prompts at a time.

    Returns the seconds over the requests, those with loading and scoring, and by problem the text
    and whether lm-eval's two filters find the answer right.
    """
    from lm_eval import simple_evaluate
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager

    started = time.perf_counter()
    lm = HFLM(job["model"], dtype=job["dtype"], device="cpu", batch_size=job["batch_size"])
    asked = _timed(lm)
    results = simple_evaluate(
        lm,
        tasks=[TASK],
        task_manager=TaskManager(include_path=job["tasks"], include_defaults=False),
        num_fewshot=job["num_fewshot"],
        apply_chat_template=True,
        fewshot_as_multiturn=True,
        log_samples=True,
        bootstrap_iters=0,
    )
    whole = time.perf_counter() - started
    return {"answering": asked[0], "whole": whole, **_by_problem(results["samples"][TASK])}


def _timed(lm: Any) -> list[float]:
    """Note how long the backend takes over its requests."""
    seconds: list[float] = []
    generate = lm.generate_until

    def timed(*args: Any, **settings: Any) -> Any:
        started = time.perf_counter()
        made = generate(*args, **settings)
        seconds.append(time.perf_counter() - started)
        return made

    lm.generate_until = timed
    return seconds


def _by_problem(samples: list[dict[str, Any]]) -> dict[str, Any]:
    """Sort a row for each problem and filter by problem."""
    texts: dict[int, str] = {}
    right: dict[str, dict[int, bool]] = {"strict-match": {}, "flexible-extract": {}}
    for row in samples:
        texts[row["doc_id"]] = row["resps"][0][0]
        right[row["filter"]][row["doc_id"]] = bool(row["exact_match"])
    order = sorted(texts)
    return {
        "texts": [texts[number] for number in order],
        "strict": [right["strict-match"][number] for number in order],
        "flexible": [right["flexible-extract"][number] for number in order],
    }
