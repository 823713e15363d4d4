"""What a recipe's `launcher` means: the command that starts a stage's processes, and their number.

torchrun comes with torch and `accelerate launch` with TRL. Options are the commands' own, read by
their own parsers.
"""

import io
from argparse import ArgumentParser, Namespace
from contextlib import redirect_stderr
from dataclasses import dataclass
from pathlib import Path

from stagelift.evals.places import is_this_machine
from stagelift.evals.trust import TRUST_IT, Trust, check_inside, trust
from stagelift.harness.recipes.sections import LauncherSection

_TORCHRUN = "torch.distributed.run"
_ACCELERATE = "accelerate.commands.launch"
# they would start another program than the training
_ANOTHER_PROGRAM = ("no_python", "run_path", "module")
# options that say how many processes there are and how they find each other; what else there is
# may load code, or write anywhere
_KNOWN = {
    *("nproc_per_node", "nnodes", "node_rank", "local_addr", "master_addr", "master_port"),
    *("rdzv_backend", "rdzv_endpoint", "rdzv_id", "standalone", "max_restarts"),
    *("monitor_interval", "start_method", "role", "redirects", "tee", "log_dir"),
    *("config_file", "num_processes", "num_machines", "machine_rank", "main_process_ip"),
    *("main_process_port", "multi_gpu", "cpu", "gpu_ids", "num_cpu_threads_per_process"),
    *("same_network", "mixed_precision", "quiet"),
}
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
    _check_trusted("torchrun", options, get_args_parser(), read)
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
    _check_trusted("accelerate", options, launch_command_parser(), read)
    try:
        config = load_config_from_file(str(file))
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(
            f"'{file}' is no config file of accelerate: {' '.join(str(error).split())}."
        ) from error
    _check_type(str(file), config.distributed_type)
    _check_meets_here("accelerate", str(config.main_process_ip or ""))
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


def _check_trusted(command: str, options: Options, parser: ArgumentParser, read: Namespace) -> None:
    """Refuse what starts another program, and of a recipe that is not trusted what may load code,
    write outside the working folder, or meet other machines.

    What was read is looked at: an option may be written by its beginning.
    """
    usual = vars(parser.parse_args(["--module", "module"]))
    # accelerate notes in `nondefault` what was given
    given = {name for name in usual if vars(read)[name] != usual[name] and name != "nondefault"}
    another = next((name for name in (*given, *options) if name in _ANOTHER_PROGRAM), None)
    if another is not None:
        raise ValueError(
            f"launcher.{command}.{another} would start another program than the stage's training. "
            "Leave it out."
        )
    if trust() is Trust.code:
        return
    unknown = next(iter(sorted(given - _KNOWN)), None)
    if unknown is not None:
        raise ValueError(
            f"launcher.{command}.{unknown} may load code, or write outside the working folder. "
            f"Leave it out, or {TRUST_IT}."
        )
    for name in ("log_dir", "config_file"):
        if getattr(read, name, None):
            check_inside(str(getattr(read, name)), f"launcher.{command}.{name}")
    for name in ("rdzv_endpoint", "main_process_ip", "master_addr"):
        _check_meets_here(command, str(getattr(read, name, None) or ""))


def _check_meets_here(command: str, address: str) -> None:
    """Whoever trains along may send code to run: torch's processes pass objects to each other."""
    host, _, port = address.rpartition(":")
    host = host if port.isdigit() and host else address
    if host and trust() is not Trust.code and not is_this_machine(host):
        raise ValueError(
            f"launcher.{command} meets other processes at '{address}', on another machine, and "
            f"these could run code here. Leave it out, or {TRUST_IT}."
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
