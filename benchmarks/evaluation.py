"""An evaluation beside lm-eval's hf backend: time, memory, and whether the outcomes are the same.

    python -m benchmarks.evaluation                                  # zero-shot on schoolmath
    python -m benchmarks.evaluation --gsm8k FOLDER --num-fewshot 5   # GSM8K's {train,test}.jsonl

Both sides have the same model, its chat template, the same prompts, stop strings and dtype. Ours
is `stagelift evaluate`. lm-eval's batch size is 64, or the fastest of `--batch-sizes`, each tried
once.
"""

import argparse
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.lm_eval_hf import write_task
from benchmarks.sides import Measured, Side, in_turn, measure, ratio
from benchmarks.table import FORMATS, Cell, show, table_of, turned
from stagelift.evals.data.bundled_data import SCHOOLMATH
from stagelift.evals.data.problems import load_problems
from stagelift.evals.data.source import Source
from stagelift.evals.folders import EvaluationFolder
from stagelift.evals.models import bundled

DTYPES = ("float32", "bfloat16")
NOTE = (
    "Ratio: seconds of lm-eval over ours, median and range of the rounds. Answering: from prompts "
    "to responses. Process: from start to end, imports, loading, scores and (ours) reports with "
    "it. Peak: resident memory of the largest process."
)


def main() -> None:
    """Print a row for each dtype."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default=str(bundled.bundled_model()), help="its folder")
    parser.add_argument("--gsm8k", type=Path, help="a folder with train.jsonl and test.jsonl")
    parser.add_argument("--num-fewshot", type=int, default=0)
    parser.add_argument("--problems", type=int, default=64)
    parser.add_argument("--max-tokens", type=int, default=200)
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[64])
    parser.add_argument("--dtypes", nargs="+", choices=DTYPES, default=DTYPES)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--format", choices=FORMATS, default="table")
    given = parser.parse_args()
    shots = f"{given.num_fewshot}-shot {'schoolmath' if given.gsm8k is None else 'GSM8K'}"
    title = f"{given.problems} problems, {shots}, at most {given.max_tokens} new tokens"
    with tempfile.TemporaryDirectory() as folder:
        rows = [row(given, dtype, Path(folder) / dtype) for dtype in given.dtypes]
    show([turned(table_of(title, rows, [NOTE]))], given.format)


def row(given: argparse.Namespace, dtype: str, folder: Path) -> dict[str, Cell]:
    """Measure both sides in one dtype."""
    source = Source(path=SCHOOLMATH if given.gsm8k is None else str(given.gsm8k), split="test")
    problems = load_problems(
        "problems", source, limit=given.problems, held_out=0, num_fewshot=given.num_fewshot
    )
    tasks = write_task(folder, problems.problems, problems.fewshot, given.max_tokens)
    job = {
        "dtype": dtype,
        "num_fewshot": given.num_fewshot,
        "model": given.model,
        "tasks": str(tasks),
        "data": source.path,
        "problems": given.problems,
        "max_tokens": given.max_tokens,
        "batch_size": 64,
    }
    theirs = _fastest(Side("lm-eval", "benchmarks.lm_eval_hf:evaluate", job), given.batch_sizes)
    ours = Side("ours", "benchmarks.evaluation:evaluate", job)
    measured = in_turn([ours, theirs], given.rounds)
    return {"dtype": dtype, "lm-eval's batch": theirs.job["batch_size"]} | compared(
        measured["ours"], measured["lm-eval"]
    )


def compared(ours: list[Measured], theirs: list[Measured]) -> dict[str, Cell]:
    """Return a row's cells from all rounds of both sides."""
    answering = [[one.answer["answering"] for one in side] for side in (theirs, ours)]
    processes = [[one.seconds for one in side] for side in (theirs, ours)]
    answers = list(zip(*(_outcomes(side[0].answer) for side in (ours, theirs)), strict=True))
    texts = zip(ours[0].answer["texts"], theirs[0].answer["texts"], strict=True)
    return {
        "lm-eval, answering (s)": median(answering[0]),
        "ours": median(answering[1]),
        "ratio": str(ratio(*answering)),
        "lm-eval, process (s)": median(processes[0]),
        "ours, process": median(processes[1]),
        "ratio of processes": str(ratio(*processes)),
        "lm-eval, peak GB": max(one.peak_bytes for one in theirs) / 1e9,
        "ours, peak GB": max(one.peak_bytes for one in ours) / 1e9,
        "equal outcomes": f"{sum(a == b for a, b in answers)} of {len(answers)}",
        "equal texts": f"{sum(a == b for a, b in texts)} of {len(answers)}",
    }


def evaluate(job: dict[str, Any]) -> dict[str, Any]:
    """Do the same with `stagelift evaluate`, below the working folder."""
    settings = {
        "model.dtype": job["dtype"],
        "data.path": job["data"],
        "evals.accuracy.task": "schoolmath" if job["data"] == SCHOOLMATH else "gsm8k",
        "evals.accuracy.limit": job["problems"],
        "evals.accuracy.held_out": 0,
        "evals.accuracy.num_fewshot": job["num_fewshot"],
        "evals.accuracy.max_tokens": job["max_tokens"],
        "evals.accuracy.batch_size": job["batch_size"],
        "evals.preference.prompts": "null",
        "evals.retention": "false",
    }
    words = [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
    command = [sys.executable, "-m", "stagelift", "evaluate", job["model"], "--recipe"]
    subprocess.run([*command, "quickstart", *words], check=True)
    (result,) = Path("runs").glob("nodes/base-*/evals/*/result.json")
    folder = EvaluationFolder(result.parent)
    scores = {score.id: score for score in folder.read_scores()}
    ordered = sorted(folder.read_generations(), key=lambda made: int(made.id.rpartition("/")[2]))
    return {
        "answering": sum(timing.seconds for timing in folder.read_timings()),
        "whole": folder.read_result().seconds,
        "texts": [made.response for made in ordered],
        "strict": [scores[made.id].correct_strict for made in ordered],
        "flexible": [scores[made.id].correct_flexible for made in ordered],
    }


def _fastest(side: Side, batch_sizes: list[int]) -> Side:
    sides = [replace(side, job={**side.job, "batch_size": size}) for size in batch_sizes]
    if len(sides) == 1:
        return sides[0]
    return min(sides, key=lambda one: measure(one).answer["answering"])


def _outcomes(answer: dict[str, Any]) -> list[tuple[bool, bool]]:
    return list(zip(answer["strict"], answer["flexible"], strict=True))


if __name__ == "__main__":
    main()
