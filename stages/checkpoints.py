"""A trainer's checkpoints: one counts only when its `complete` mark is there, which is written
last, so that a kill while saving leaves none that is half written.
"""

import re
import shutil
from pathlib import Path

from stagelift.evals.files import write_text

_COMPLETE = "complete"


def last_whole_checkpoint(folder: Path) -> Path | None:
    """Return the newest checkpoint that was written to its end; remove those that were not."""
    whole = None
    for checkpoint in sorted(folder.glob("checkpoint-*"), key=step_of):
        if (checkpoint / _COMPLETE).exists():
            whole = checkpoint
        else:
            shutil.rmtree(checkpoint)
    return whole


def whole_checkpoints(folder: Path) -> list[Path]:
    """Return the checkpoints that were written to their end, the newest first."""
    whole = [path for path in folder.glob("checkpoint-*") if (path / _COMPLETE).exists()]
    return sorted(whole, key=step_of, reverse=True)


def mark_complete(folder: Path, step: int) -> None:
    """Say that the checkpoint of a step is written to its end."""
    write_text(folder / checkpoint_name(step) / _COMPLETE, "")


def checkpoint_name(step: int) -> str:
    """Name the folder of a step, as transformers does."""
    return f"checkpoint-{step}"


def step_of(checkpoint: Path | None) -> int:
    """Return the step that a checkpoint was saved at; 0 for none."""
    match = re.search(r"checkpoint-(\d+)$", str(checkpoint))
    return int(match.group(1)) if match else 0
