"""Where faults are tried: a tiny model, its recipe, one undisturbed run, and copies of that."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
NAME = "tiny"
RECIPE = """
name: {name}
model: {{path: "{model}", dtype: float32}}
lora: {{r: 4, target_modules: [q_proj, v_proj]}}
data: {{path: bundled/schoolmath, limit: 32}}
stages:
  - sft:
      args: {{max_steps: 6, per_device_train_batch_size: 2, learning_rate: 1e-2, save_steps: 1}}
  - dpo:
      args: {{max_steps: 4, per_device_train_batch_size: 2, learning_rate: 1e-3, save_steps: 1}}
  - grpo:
      rewards: [correctness, brevity]
      args: {{max_steps: 4, per_device_train_batch_size: 4, num_generations: 2,
              max_completion_length: 8, beta: 0.1, learning_rate: 1e-2, save_steps: 1}}
evals:
  accuracy: {{task: schoolmath, limit: 8, held_out: 2, max_tokens: 12, batch_size: 2}}
  preference: {{prompts: {{path: bundled/instructions, limit: 4}}}}
"""
# what docs/architecture.md does not promise to be the same bytes: logs, locks, times, the card
_NOT_COMPARED = ("*.log", ".*", "timings.jsonl", "training.jsonl", "README.md", "votes.jsonl")
# of these files all but seconds and memory is the same, and hashes of files that are not compared
_TOLD = ("result.json", "stage.json", "hashes.json")
_TIMES = {"seconds", "peak_memory_bytes", "step_time", "sha256", "hashes", "files"}


class Said(NamedTuple):
    """How a command ended, and all that it printed."""

    code: int
    text: str
    seconds: float

    def message(self) -> str:
        """Return its error in one line, else its last line."""
        lines = [line.strip() for line in self.text.splitlines() if line.strip()]
        errors = [line for line in lines if line.startswith(("Error: ", "Train", "Evaluate job"))]
        return (errors or lines or [""])[-1].removeprefix("Error: ")


@dataclass(frozen=True)
class Bench:
    """A folder with a model, its recipe and `whole`, which holds the undisturbed run."""

    folder: Path
    seconds: float

    @property
    def whole(self) -> Path:
        """The undisturbed run's folder of runs."""
        return self.folder / "whole" / "runs"

    @property
    def model(self) -> Path:
        """The tiny model."""
        return self.folder / "model"

    @property
    def recipe(self) -> Path:
        """The recipe of all runs."""
        return self.folder / "tiny.yaml"

    def place(self, name: str) -> Path:
        """Make an empty folder."""
        made = self.folder / name
        shutil.rmtree(made, ignore_errors=True)
        made.mkdir()
        return made

    def copy(self, name: str) -> Path:
        """Make a folder with a copy of the undisturbed run in `runs`."""
        place = self.place(name)
        shutil.copytree(self.whole, place / "runs")
        return place


def set_up(folder: Path) -> Bench:
    """Make the model and the recipe, and run it undisturbed; what is there already is taken."""
    from tests.conftest import CHATML, make_tiny_model

    took = folder / "seconds"
    if took.exists():
        return Bench(folder, float(took.read_text()))
    model = make_tiny_model(folder / "model", CHATML)
    (folder / "tiny.yaml").write_text(RECIPE.format(name=NAME, model=model.as_posix()))
    (folder / "whole").mkdir()
    done = stagelift(folder / "whole", "run", str(folder / "tiny.yaml"))
    if done.code:
        raise RuntimeError(f"The undisturbed run ended with {done.code}: {done.text}")
    took.write_text(f"{done.seconds:.1f}")
    return Bench(folder, done.seconds)


def stagelift(
    folder: Path,
    *words: str,
    variables: Mapping[str, str | None] | None = None,
    said: str = "",
) -> Said:
    """Run a command in a folder, with `said` on its standard input; a variable that is None is not
    set.
    """
    started = time.monotonic()
    own = {**environment(), **(variables or {})}
    done = subprocess.run(
        [sys.executable, "-m", "stagelift", *words],
        cwd=folder,
        env={name: value for name, value in own.items() if value is not None},
        input=said,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    return Said(done.returncode, done.stdout, time.monotonic() - started)


def environment() -> dict[str, str]:
    """Return what a command needs to find this package, and to be no slower than it must be.

    It says nothing of trust: the tests, whose model is taken, trust their own code.
    """
    own = {"PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    others = {name: text for name, text in os.environ.items() if name != "STAGELIFT_TRUST"}
    return {**others, **own}


def differences(whole: Path, other: Path) -> list[str]:
    """Name what is not the same in the nodes of two folders of runs, as far as it is promised; the
    second may have nodes of other runs, too.
    """
    first, second = (dict(_compared(root / "nodes")) for root in (whole, other))
    nodes = {name.partition("/")[0] for name in first}
    names = first.keys() | {name for name in second if name.partition("/")[0] in nodes}
    return sorted(name for name in names if first.get(name) != second.get(name))


def _compared(nodes: Path) -> Iterator[tuple[str, object]]:
    for file in nodes.rglob("*"):
        name = file.relative_to(nodes).as_posix()
        if not file.is_file() or any(file.match(pattern) for pattern in _NOT_COMPARED):
            continue
        # what a repair set aside is there besides
        if "/damaged-" in name:
            continue
        content = file.read_bytes()
        yield name, _without_times(json.loads(content)) if file.name in _TOLD else content


def _without_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_times(value[key]) for key in value if key not in _TIMES}
    return [_without_times(item) for item in value] if isinstance(value, list) else value
