"""The whole quickstart beside TRL's scripts with lm-eval's command before and after each stage.

    python -m benchmarks.quickstart --scale 4

Steps and problems are divided by the scale on both sides. Ours is `stagelift run quickstart`: it
also measures preferences, has responses judged, compares, and writes reports. TRL's scripts are
`benchmarks/bare_trl.py`, and lm-eval is asked for the accuracy alone.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.lm_eval_hf import TASK, write_task
from benchmarks.sides import Side, in_turn, ratio
from benchmarks.table import FORMATS, show, table_of
from benchmarks.training import stage_job
from stagelift.evals.data.problems import load_problems
from stagelift.evals.models import bundled
from stagelift.harness.recipes.read import load_recipe
from stagelift.harness.recipes.stage_names import stage_names
from stagelift.stages.precision import resolved

OURS, BARE = "benchmarks.quickstart:run_ours", "benchmarks.quickstart:run_bare"
NAMES = ("TRL, lm-eval", "ours")
BATCH_SIZE = 64


def main() -> None:
    """Print a row for each side and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scale", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--model", help="a folder, instead of the bundled model")
    parser.add_argument("--format", choices=FORMATS, default="table")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        job = make_job(given.scale, given.model, Path(folder))
        measured = in_turn([Side("ours", OURS, job), Side("TRL, lm-eval", BARE, job)], given.rounds)
    seconds = {name: [one.seconds for one in side] for name, side in measured.items()}
    rows = [
        {
            "side": name,
            "minutes": median(side) / 60,
            "peak GB": max(one.peak_bytes for one in measured[name]) / 1e9,
        }
        for name, side in seconds.items()
    ]
    notes = [
        f"Steps and problems divided by {given.scale}, {job['dtype']}.",
        f"Ratio: {ratio(*(seconds[side] for side in NAMES))}, median and range of the rounds.",
    ]
    show([table_of("The whole quickstart", rows, notes)], given.format)


def make_job(scale: int, model: str | None, folder: Path) -> dict[str, Any]:
    """Write down what both sides do, and the files that TRL and lm-eval read."""
    recipe = load_recipe("quickstart", [])
    device, dtype = resolved(recipe.model.dtype)
    asked = recipe.evals.accuracy
    limit, held_out = (asked.limit or 128) // scale, asked.held_out // scale // 32 * 32
    problems = load_problems(
        asked.task, recipe.data, limit=limit, held_out=held_out, num_fewshot=asked.num_fewshot
    )
    weights = model or str(bundled.bundled_model())
    stages = []
    for number, stage in enumerate(recipe.stages):
        steps = max(2, int(stage.args["max_steps"]) // scale)
        rows = folder / f"{number}.jsonl"
        stages.append(stage_job(recipe, stage, weights, dtype, None, steps, rows))
    return {
        "model": weights,
        "dtype": dtype,
        "device": device,
        "limit": limit,
        "held_out": held_out,
        "num_fewshot": asked.num_fewshot,
        "tasks": str(write_task(folder, problems.problems, problems.fewshot, asked.max_tokens)),
        "stages": stages,
    }


def run_ours(job: dict[str, Any]) -> dict[str, Any]:
    """Run the recipe below the working folder."""
    settings = {
        "model.path": json.dumps(job["model"]),
        "model.dtype": job["dtype"],
        "evals.accuracy.limit": job["limit"],
        "evals.accuracy.held_out": job["held_out"],
    }
    names = stage_names([stage["kind"] for stage in job["stages"]])
    for name, stage in zip(names, job["stages"], strict=True):
        settings[f"stages.{name}.args.max_steps"] = stage["args"]["max_steps"]
    words = [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
    _run("stagelift", "run", "quickstart", *words)
    return {}


def run_bare(job: dict[str, Any]) -> dict[str, Any]:
    """Evaluate, train, evaluate, and so on, each by a command of its own."""
    adapter: Path | None = None
    _lm_eval(job, None, "base")
    for number, stage in enumerate(job["stages"]):
        output = Path(f"{number}-{stage['kind']}").resolve()
        start = None if adapter is None else str(adapter)
        file = Path(f"{number}.json").resolve()
        file.write_text(json.dumps({**stage, "adapter": start, "output": str(output)}))
        _run("benchmarks.bare_trl", str(file))
        adapter = output
        _lm_eval(job, adapter, output.name)
    return {}


def _lm_eval(job: dict[str, Any], adapter: Path | None, name: str) -> None:
    model = {"pretrained": job["model"], "dtype": job["dtype"]}
    if adapter is not None:
        model["peft"] = str(adapter)
    _run(
        "lm_eval",
        "run",
        *("--model", "hf", "--model_args", ",".join(f"{key}={model[key]}" for key in model)),
        *("--include_path", job["tasks"], "--tasks", TASK),
        *("--num_fewshot", str(job["num_fewshot"])),
        *("--apply_chat_template", "--batch_size", str(BATCH_SIZE), "--device", job["device"]),
        *("--log_samples", "--output_path", f"lm-eval/{name}"),
    )


def _run(*command: str) -> None:
    subprocess.run([sys.executable, "-m", *command], check=True)


if __name__ == "__main__":
    main()
