"""SFT, DPO and GRPO at the quickstart's settings beside TRL alone: steps, completions and memory.

    python -m benchmarks.training

Rows, arguments, LoRA settings, seed and dtype are the same. SFT starts at the model, DPO and GRPO
start at what our SFT left. Ours runs as a run's worker does, TRL as `benchmarks/bare_trl.py`.
"""

import argparse
import shutil
import tempfile
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.sides import Measured, Side, in_turn, measure, ratio
from benchmarks.steps import write_rows
from benchmarks.table import FORMATS, Cell, show, table_of, turned
from stagelift.evals.models import bundled
from stagelift.harness.recipes.read import load_recipe
from stagelift.harness.recipes.sections import Recipe, StageSection

OURS, BARE = "benchmarks.training:train_ours", "benchmarks.training:train_bare"
KINDS = ("sft", "dpo", "grpo")
# steps of each side; the first warms up and is not counted
STEPS = {"sft": 9, "dpo": 5, "grpo": 2}
# of our SFT, before DPO and GRPO begin
SFT_STEPS = 20
NOTES = (
    "Step: the median of a round without the first. GRPO takes 2 steps unless `--steps` says "
    "otherwise, so that its figure is of one step a round. Ratio: TRL's seconds over ours, median "
    "and range of the rounds. Losses: those logged for each step, to the last digit shown, of the "
    "first round; GRPO's are of completions that each side samples itself. Peak: resident memory "
    "of the largest process.",
)


def main() -> None:
    """Print a column for each stage."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default=str(bundled.bundled_model()), help="its folder")
    parser.add_argument("--dtype", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--steps", type=int, help="of each stage, instead of its own number")
    parser.add_argument("--format", choices=FORMATS, default="table")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = measured_stages(given, load_recipe("quickstart", []), Path(folder))
    title = f"Training at the quickstart's settings beside TRL alone, {given.dtype}"
    show([turned(table_of(title, rows, NOTES))], given.format)


def measured_stages(
    given: argparse.Namespace, recipe: Recipe, folder: Path
) -> list[dict[str, Cell]]:
    """Train each stage on both sides, by turns."""
    stages: dict[str, StageSection] = {}
    for stage in recipe.stages:
        stages.setdefault(stage.kind, stage)

    def job(kind: str, adapter: str | None, steps: int) -> dict[str, Any]:
        rows = folder / f"{kind}.jsonl"
        return stage_job(recipe, stages[kind], given.model, given.dtype, adapter, steps, rows)

    table: list[dict[str, Cell]] = []
    start = folder / "adapter"
    if {"dpo", "grpo"} & {*given.kinds}:
        first = job("sft", None, given.steps or SFT_STEPS) | {"keep": str(start)}
        measure(Side("our SFT", OURS, first))
    for kind in given.kinds:
        adapter = None if kind == "sft" else str(start)
        asked = job(kind, adapter, given.steps or STEPS[kind])
        sides = in_turn([Side("ours", OURS, asked), Side("TRL", BARE, asked)], given.rounds)
        table.append({"stage": kind} | _compared(sides["ours"], sides["TRL"], asked["args"]))
    return table


def train_ours(job: dict[str, Any]) -> dict[str, Any]:
    """Train in a worker, as a run does; read what it logged."""
    from stagelift.evals.data.source import Source
    from stagelift.evals.files import read_records
    from stagelift.evals.models.model import ModelRef
    from stagelift.harness.workers.jobs import TrainJob
    from stagelift.harness.workers.local import run_worker
    from stagelift.stages.folders import NodeFolder
    from stagelift.stages.records import LogRow
    from stagelift.stages.settings import StageSettings

    folder = NodeFolder(Path("node").resolve())
    settings = StageSettings(
        kind=job["kind"],
        dataset=Source(path=job["rows"]),
        args=job["args"],
        rewards=job["rewards"],
    )
    parent = ModelRef(path=job["model"], dtype=job["dtype"], device="cpu", adapter=job["adapter"])
    folder.path.mkdir()
    run_worker(
        TrainJob(
            folder=str(folder.path),
            settings=settings,
            parent=parent,
            lora=job["lora"],
            seed=0,
            versions={},
        ),
        lambda _: None,
    )
    if "keep" in job:
        shutil.copytree(folder.adapter, job["keep"])
    rows = read_records(folder.log_rows, LogRow)
    return {"ends": [row.seconds for row in rows], "logs": [row.logs for row in rows]}


def train_bare(job: dict[str, Any]) -> dict[str, Any]:
    """Train with TRL alone, with a clock beside it."""
    from benchmarks.bare_trl import Job, train
    from benchmarks.steps import Clock, Ticking

    clock = Clock()
    train(Job(**{**job, "output": str(Path("trl").resolve())}), [Ticking(clock)])
    return {"ends": clock.times, "logs": clock.logs}


def stage_job(
    recipe: Recipe,
    stage: StageSection,
    model: str,
    dtype: str,
    adapter: str | None,
    steps: int,
    rows: Path,
) -> dict[str, Any]:
    """Return the fields of `benchmarks.bare_trl.Job`; write the rows where they are not yet."""
    if not rows.exists():
        write_rows(stage.kind, stage.dataset or recipe.data, rows)
    args = {name: _number(value) for name, value in stage.args.items()}
    return {
        "kind": stage.kind,
        "model": model,
        "dtype": dtype,
        "rows": str(rows),
        "args": {**args, "max_steps": steps},
        "lora": recipe.lora | stage.lora,
        "output": "",
        "adapter": adapter,
        "rewards": stage.rewards,
    }


def _number(value: Any) -> Any:
    """Read a number that YAML left a text (1e-3), as a script would have it."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _compared(
    ours: list[Measured], theirs: list[Measured], args: dict[str, Any]
) -> dict[str, Cell]:
    steps = [[_step(one.answer["ends"]) for one in side] for side in (theirs, ours)]
    cells: dict[str, Cell] = {
        "TRL, seconds a step": median(steps[0]),
        "ours": median(steps[1]),
        "ratio": str(ratio(*steps)),
    }
    if "num_generations" in args:
        made = args["per_device_train_batch_size"] * args.get("gradient_accumulation_steps", 1)
        cells |= {
            "TRL, completions a minute": 60 * made / median(steps[0]),
            "ours, completions a minute": 60 * made / median(steps[1]),
            "TRL, tokens a completion": _mean(theirs, "completions/mean_length"),
            "ours, tokens a completion": _mean(ours, "completions/mean_length"),
        }
    losses = [[row["loss"] for row in side[0].answer["logs"]] for side in (theirs, ours)]
    return cells | {
        "TRL, losses": _numbers(losses[0]),
        "ours, losses": _numbers(losses[1]),
        "largest difference": max(abs(a - b) for a, b in zip(*losses, strict=True)),
        "TRL, peak GB": max(one.peak_bytes for one in theirs) / 1e9,
        "ours, peak GB": max(one.peak_bytes for one in ours) / 1e9,
    }


def _step(ends: list[float]) -> float:
    return median(end - start for start, end in pairwise(ends))


def _mean(side: list[Measured], name: str) -> float:
    values = [row[name] for one in side for row in one.answer["logs"][1:]]
    return float(sum(values) / len(values))


def _numbers(values: list[float]) -> str:
    return " ".join(f"{value:.4f}" for value in values[:4])


if __name__ == "__main__":
    main()
