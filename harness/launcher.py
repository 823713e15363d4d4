"""One stage's training in several processes, on one machine or more, started by torchrun or `accelerate launch`.

The worker that would train starts them and passes on what the main one says; they find their job in the node's folder.
"""

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from evals.files import read_rows, write_text
from harness.sections import LauncherSection

if TYPE_CHECKING:
    from harness.worker import TrainJob

CONDUCTED = "STAGELIFT_CONDUCTED"  # set where the processes must end with the one that started them
_POLL_SECONDS = 0.2


class LaunchError(Exception):
    """The processes ended before the stage was trained; the message says what the first to fail said."""


def launch(job: "TrainJob", on_event: Callable[[dict[str, Any]], None]) -> None:
    """Train a job in the processes that its launcher starts. Raises LaunchError."""
    assert job.launcher is not None
    path, events = Path(job.folder, "launch.json"), events_file(Path(job.folder))
    write_text(path, job.model_dump_json(indent=2) + "\n")
    events.unlink(missing_ok=True)
    command = launch_command(job.launcher, path)
    on_event({"event": "launching", "command": _for_other_machines(job.launcher, path)})
    environment = {
        **os.environ,
        CONDUCTED: "1",
        **({"ACCELERATE_USE_CPU": "true"} if job.parent.device == "cpu" else {}),
    }
    with subprocess.Popen(command, stdin=subprocess.PIPE, env=environment) as process:  # its output goes to our log
        seen = 0
        while process.poll() is None:
            time.sleep(_POLL_SECONDS)
            seen = _pass_on(events, seen, on_event)
        _pass_on(events, seen, on_event)
    if not Path(job.folder, "stage.json").exists():
        raise LaunchError(_reason(events, process.returncode))
    path.unlink()
    events.unlink(missing_ok=True)


def world_size(launcher: LauncherSection) -> int | None:
    """Say how many processes there will be; None where only the launcher knows. Raises ValueError for a config that has none."""
    if launcher.torchrun is not None:
        counts = [_count(launcher.torchrun, name) for name in ("nproc_per_node", "nnodes")]
        return None if None in counts else (counts[0] or 1) * (counts[1] or 1)
    assert launcher.accelerate is not None
    if "num_processes" in launcher.accelerate:
        return int(launcher.accelerate["num_processes"])
    config = Path(str(launcher.accelerate.get("config_file", "")))
    if not config.is_file():
        raise ValueError(
            f"launcher.accelerate.config_file is '{config}', which is no file. `accelerate config --config_file FILE` makes one."
        )
    content = yaml.safe_load(config.read_text(encoding="utf-8"))
    if not isinstance(content, dict) or "num_processes" not in content:
        raise ValueError(f"{config} is no config of accelerate: it has no num_processes.")
    return int(content["num_processes"])


def launch_command(launcher: LauncherSection, job: Path) -> list[str]:
    """Return the command that starts the processes of a job's file on this machine."""
    module, options = (
        ("torch.distributed.run", launcher.torchrun)
        if launcher.torchrun is not None
        else ("accelerate.commands.launch", launcher.accelerate)
    )
    given = [f"--{name}={value}" for name, value in (options or {}).items()]
    return [sys.executable, "-m", module, *given, "-m", "harness.launched", str(job.resolve())]


def events_file(folder: Path) -> Path:
    """Return where the processes write what happens, one JSON object a line."""
    return folder / "launch-events.jsonl"


def _count(options: dict[str, int | str], name: str) -> int | None:
    """Read a count; words such as `auto`, and ranges such as 1:4, are for torchrun to know."""
    value = str(options.get(name, 1))
    return int(value) if value.isdigit() else None


def _for_other_machines(launcher: LauncherSection, job: Path) -> str | None:
    """With several machines, return the command that each of the others must run, which share the folder."""
    options = launcher.torchrun if launcher.torchrun is not None else launcher.accelerate or {}
    machines = options.get("nnodes", options.get("num_machines", 1))
    return None if str(machines) == "1" else shlex.join(["python", *launch_command(launcher, job)[1:]])


def _pass_on(events: Path, seen: int, on_event: Callable[[dict[str, Any]], None]) -> int:
    """Pass on the events after the first `seen` and return how many there are now; a line may be half written yet."""
    whole = _whole_events(events)
    for event in whole[seen:]:
        if event["event"] != "failed":
            on_event(event)
    return len(whole)


def _whole_events(events: Path) -> list[dict[str, Any]]:
    if not events.exists() or not events.read_text(encoding="utf-8").strip():
        return []
    return [row for _, row in read_rows(events, lambda _: None) if row is not None]


def _reason(events: Path, returncode: int) -> str:
    failed = [event["error"] for event in _whole_events(events) if event["event"] == "failed"]
    return failed[0] if failed else f"the launcher ended with exit code {returncode} before the stage was trained"
