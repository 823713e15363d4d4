"""Several processes that make one training.

Each step sees the rows that a single process would see, dealt out equally. What could not be the
same training is refused. Random numbers that are drawn while training (completions, dropout) are
drawn by each process for its own rows. They are others than one process would draw, as they are on
another device.
"""

from math import gcd
from typing import Any

_ROWS = "per_device_train_batch_size"
_ACCUMULATED = "gradient_accumulation_steps"
_GENERATING = "steps_per_generation"
_ONE_PROCESS_ONLY = (
    "accelerator_config",
    "auto_find_batch_size",
    "average_tokens_across_devices",
    "deepspeed",
    "fsdp",
    "parallelism_config",
    "train_sampling_strategy",
)


def shared_batch(given: dict[str, Any], usual: dict[str, Any], processes: int) -> dict[str, Any]:
    """Return TRL's arguments for each of `processes`; all together take the batches that one would
    take with `given`.

    `usual` holds TRL's own values. Fewer batches are accumulated, or where that does not divide
    they hold fewer rows. Raises ValueError where the rows cannot be dealt out equally.
    """
    if processes == 1:
        return given
    _refuse_other_trainings(given)
    rows = given.get(_ROWS, usual[_ROWS])
    batches = {_ACCUMULATED: given.get(_ACCUMULATED, usual[_ACCUMULATED])}
    if "num_generations" in usual:
        batches[_GENERATING] = _steps_per_generation(given, rows, batches[_ACCUMULATED])
    _refuse_unequal_shares(rows, batches, processes)
    fewer = gcd(*batches.values(), processes)
    divided = {name: number // fewer for name, number in batches.items()}
    divided[_ROWS] = rows // (processes // fewer)
    if "num_generations" in usual:
        group = given.get("num_generations", usual["num_generations"])
        _keep_groups_whole(group, divided[_ROWS] * divided[_GENERATING], processes)
    kept = {name: value for name, value in given.items() if name != "generation_batch_size"}
    return kept | divided


def check_world(started: int, processes: int) -> None:
    """Raise ValueError where another number of processes trains than was asked for: batches were
    divided by that one.
    """
    if started != processes:
        raise ValueError(
            f"{_counted(started)} trained together where {processes} were asked for. Check what "
            "the launcher was told; nothing was trained."
        )


def check_rows(rows: int, args: Any, processes: int) -> None:
    """Raise ValueError where an epoch would end with too few rows for all processes: some would be
    repeated to fill up.
    """
    at_once = args.per_device_train_batch_size * processes
    whole_steps = rows // (at_once * args.gradient_accumulation_steps)
    if processes == 1 or rows % at_once == 0 or 0 < args.max_steps <= whole_steps:
        return
    raise ValueError(
        f"{rows} training rows are no multiple of the {at_once} that {processes} processes take at "
        "once, so the end of each epoch would be another training than that of one process. Use "
        f"{rows - rows % at_once} rows (limit: in the stage's dataset), or at most {whole_steps} "
        "steps (args.max_steps)."
    )


def _refuse_other_trainings(given: dict[str, Any]) -> None:
    name = next((name for name in _ONE_PROCESS_ONLY if name in given), None)
    if name is not None:
        raise ValueError(
            f"'{name}' cannot be set for a stage with a launcher: it would no longer be the "
            "training that one process makes. Leave it out, or the launcher."
        )


def _steps_per_generation(given: dict[str, Any], rows: int, accumulated: int) -> int:
    """Read how many batches a generation is made for, as TRL does in one process."""
    whole = given.get("generation_batch_size")
    if whole is None:
        return int(given.get(_GENERATING) or accumulated)
    if whole % rows:
        raise ValueError(f"generation_batch_size {whole} must be a multiple of {_ROWS} {rows}.")
    return int(whole // rows)


def _refuse_unequal_shares(rows: int, batches: dict[str, int], processes: int) -> None:
    for name, number in batches.items():
        if rows * number % processes:
            raise ValueError(
                f"{_ROWS} {rows} x {name} {number} makes {rows * number} rows, which {processes} "
                f"processes cannot share equally. Make it a multiple of {processes}, or start "
                "another number of processes."
            )


def _keep_groups_whole(group: int, completions: int, processes: int) -> None:
    """Each process rewards what it generated, and rewards such as brevity compare the completions
    of a prompt.
    """
    if completions % group:
        raise ValueError(
            f"each of {processes} processes would generate {completions} completions at a time, "
            f"which is no whole group of num_generations {group}. Raise {_ROWS} or {_GENERATING}, "
            "or start fewer processes."
        )


def _counted(number: int) -> str:
    return f"{number} process" if number == 1 else f"{number} processes"
