"""What a recipe's `launcher` means: the command that starts a stage's processes, and their number.

torchrun comes with torch and `accelerate launch` with TRL. Options are the commands' own, read by
their own parsers.
"""

import io
from argparse import ArgumentParser, Namespace
from contextlib import redirect_stderr
from dataclasses import dataclass
from pathlib import Path

from stagelift.harness.recipes.sections import LauncherSection

_TORCHRUN = "torch.distributed.run"
_ACCELERATE = "accelerate.commands.launch"
Options = dict[str, bool | int | str]


@dataclass(frozen=True)
class Launch:
    """A Python module with options, to put `-m`, a module and its arguments after.

    It starts `here` of all the `processes`.

    `elsewhere` are the commands that other machines need, as a user types them.
    """

    command: list[str]
    processes: int
    here: int
    elsewhere: list[list[str]]


def read_launcher(launcher: LauncherSection) -> Launch:
    """Read the options as the command would.

    Raises ValueError for what it would not take, or would start another training.
    """
    if launcher.torchrun is not None:
        return _torchrun(_with_underscores(launcher.torchrun))
    assert launcher.accelerate is not None
    return _accelerate(_with_underscores(launcher.accelerate))


def _torchrun(options: Options) -> Launch:
    from torch.distributed.run import get_args_parser

    read = _read("torchrun", get_args_parser(), options)
    here = _number("nproc_per_node", read.nproc_per_node)
    machines = _number("nnodes", 1 if read.nnodes == "1:1" else read.nnodes)
    if machines > 1 and not (read.rdzv_backend == "c10d" and read.rdzv_endpoint):
        raise ValueError(
            f"launcher.torchrun with nnodes {machines} needs to know where machines meet: add "
            "rdzv_backend: c10d and rdzv_endpoint: HOST:PORT, a free port of one of them."
        )
    arguments = _arguments(options)
    command = [_TORCHRUN, *arguments]
    named_port = any(name.startswith("master") for name in options)
    if machines == 1 and not (read.standalone or read.rdzv_endpoint or named_port):
        # torchrun's usual port is the same for all: two runs on a machine would meet there
        command.append("--standalone")
    return Launch(
        command=command,
        processes=here * machines,
        here=here,
        elsewhere=[["torchrun", *arguments]] if machines > 1 else [],
    )


def _accelerate(options: Options) -> Launch:
    from accelerate.commands.config.config_args import load_config_from_file
    from accelerate.commands.launch import launch_command_parser

    file = options.get("config_file")
    if file is None or not Path(str(file)).is_file():
        raise ValueError(
            f"launcher.accelerate.config_file is {file!r}, which is no file. Name one that "
            "`accelerate config` wrote."
        )
    read = _read("accelerate launch", launch_command_parser(), options)
    try:
        config = load_config_from_file(str(file))
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(
            f"'{file}' is no config file of accelerate: {' '.join(str(error).split())}."
        ) from error
    _check_type(str(file), config.distributed_type)
    processes = _number("num_processes", read.num_processes or config.num_processes)
    machines = _number("num_machines", read.num_machines or config.num_machines)
    if processes % machines:
        raise ValueError(
            f"launcher.accelerate: {machines} machines cannot start {processes} processes, as many "
            "each."
        )
    arguments = _arguments(options)
    command = [_ACCELERATE, *arguments]
    if machines == 1 and not (read.main_process_port or config.main_process_port):
        # accelerate's usual port is the same for all: 0 lets it look for a free one
        command.append("--main_process_port=0")
    shared = [argument for argument in arguments if not argument.startswith("--machine_rank=")]
    return Launch(
        command=command,
        processes=processes,
        here=processes // machines,
        elsewhere=[
            ["accelerate", "launch", *shared, f"--machine_rank={rank}"]
            for rank in range(1, machines)
        ],
    )


def _check_type(file: str, kind: str) -> None:
    if str(kind).split(".")[-1] != "MULTI_GPU":
        raise ValueError(
            f"'{file}' has distributed_type {str(kind).split('.')[-1]}; a stage needs MULTI_GPU, "
            "the type with which accelerate starts its processes through torchrun, on CPUs too "
            "(with MULTI_CPU it starts one, or needs MPI), and in which each process holds the "
            "whole model."
        )


def _read(command: str, parser: ArgumentParser, options: Options) -> Namespace:
    said = io.StringIO()
    try:
        with redirect_stderr(said):
            return parser.parse_args([*_arguments(options), "--module", "module"])
    except SystemExit as error:
        reason = said.getvalue().strip().rpartition("error: ")[2]
        raise ValueError(f"launcher: {command} does not take its options: {reason}.") from error


def _arguments(options: Options) -> list[str]:
    """Write options as the command line has them; a flag is one that is true."""
    return [
        f"--{name}" if value is True else f"--{name}={value}"
        for name, value in options.items()
        if value is not False
    ]


def _with_underscores(options: Options) -> Options:
    return {name.replace("-", "_"): value for name, value in options.items()}


def _number(name: str, value: object) -> int:
    """Batches are divided by the number of processes, so it must be known."""
    if not str(value).isdigit() or int(str(value)) < 1:
        raise ValueError(f"launcher: {name} is {value!r}, it must be a whole number of 1 or more.")
    return int(str(value))
