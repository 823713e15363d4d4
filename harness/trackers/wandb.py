"""W&B: a run for each stage, grouped by the run. Offline, unless WANDB_MODE says otherwise: it is
in `./wandb`, and `wandb sync` uploads it.
"""

import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from stagelift.harness.trackers.tracker import TrackedStage

_PROJECT = "stagelift"
# as transformers has it, so that charts have the same axis
_STEP = "train/global_step"


class WandbRun:
    """The run of one stage; each sitting leaves an offline folder of its own with the same id."""

    def __init__(self, stage: TrackedStage, id: str | None) -> None:
        import wandb

        self.id = id or secrets.token_hex(4)
        held = id is not None and _is_held(id)
        self._run = wandb.init(
            project=os.environ.get("WANDB_PROJECT") or _PROJECT,
            group=os.environ.get("WANDB_RUN_GROUP") or stage.run,
            name=stage.name,
            id=self.id,
            resume="allow",
            config=dict(stage.settings),
            mode=None if os.environ.get("WANDB_MODE") else "offline",
            # several stages may be trained at once
            reinit="create_new",
            # what it would watch is this process, which trains nothing
            settings=wandb.Settings(
                silent=True,
                console="off",
                disable_git=True,
                disable_code=True,
                x_disable_stats=True,
                x_disable_meta=True,
                x_save_requirements=False,
            ),
        )
        # where it is online, W&B says whether it has it
        self.goes_on = held or bool(self._run.resumed)
        self._run.define_metric("*", step_metric=_STEP)

    @staticmethod
    def place() -> str:
        """Return nothing: what is offline is the same run, and `wandb sync` takes it online."""
        return ""

    def log(self, step: int, values: Mapping[str, float]) -> None:
        self._run.log({**values, _STEP: step})

    def close(self, *, finished: bool) -> None:
        self._run.finish(exit_code=0 if finished else 1)


def _is_held(id: str) -> bool:
    """Say whether a sitting that was offline left its folder here."""
    root = Path(os.environ.get("WANDB_DIR") or ".")
    return any(root.glob(f"wandb/offline-run-*-{id}"))
