"""Evaluate one model under one contract: generate once, let lm-eval score, compute every metric, store all of it."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

from evals.engines.transformers import complete
from evals.files import read_records, write_records, write_text
from evals.judges.reference import prefer
from evals.lm import StoredLM
from evals.memory import peak_memory
from evals.model import ModelRef, load_model, load_tokenizer
from evals.problems import load_problems
from evals.records import EvalResult, Score
from evals.source import Source
from evals.suite import measure, score_responses
from evals.task import load_tasks


def evaluate(
    model: ModelRef,
    source: Source,
    contract: Mapping[str, Any],
    contract_id: str,
    references: Mapping[Literal["base", "previous"], Path],
    folder: Path,
    versions: dict[str, str],
    on_progress: Callable[[int, int], None],
) -> EvalResult:
    """Write generations, scores, verdicts and, last, result.json into `folder`; a killed call goes on where it was.

    `references` are the evaluation folders of the models to judge against, under the same contract.
    """
    started = time.monotonic()
    lm = _stored_lm(model, contract, folder / "generations.jsonl", on_progress)
    problems = load_problems(
        contract["task"],
        source,
        limit=contract["limit"],
        held_out=contract["held_out"],
        num_fewshot=contract["num_fewshot"],
    )
    tasks = load_tasks(problems, num_fewshot=contract["num_fewshot"], max_tokens=contract["max_tokens"])
    scores = score_responses(tasks, lm)
    others = {against: read_records(reference / "scores.jsonl", Score) for against, reference in references.items()}
    measured = measure(scores, others, prefer)
    write_records(folder / "scores.jsonl", measured.scores)
    write_records(folder / "verdicts.jsonl", measured.verdicts)
    result = EvalResult(
        contract_id=contract_id,
        contract=dict(contract),
        metrics=measured.metrics,
        outcomes=measured.outcomes,
        win_tie_loss=measured.win_tie_loss,
        seconds=time.monotonic() - started,
        peak_memory_bytes=peak_memory(model.device)[0],
        versions=versions,
    )
    write_text(folder / "result.json", result.model_dump_json(indent=2) + "\n")
    return result


def _stored_lm(
    model: ModelRef, contract: Mapping[str, Any], path: Path, on_progress: Callable[[int, int], None]
) -> StoredLM:
    tokenizer, loaded = load_tokenizer(model.path, model.revision, model.eos_token), load_model(model)
    return StoredLM(
        tokenizer,
        lambda prompts, stop, limit: complete(loaded, tokenizer, prompts, stop=stop, max_tokens=limit),
        path,
        contract["batch_size"],
        on_progress,
    )
