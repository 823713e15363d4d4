"""Machines that are not as they should be: full, read-only, without a home, with another writer."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import psutil

from benchmarks.faults.bench import Bench, environment
from benchmarks.faults.damage import file_of
from benchmarks.faults.fault import Fault

_ANEW = "nodes/grpo-*/stage.json"


def _without_the_last_stage(_: Bench, place: Path) -> None:
    """Leave something to be done."""
    shutil.rmtree(file_of(place, _ANEW).parent)


def _full(bench: Bench, place: Path) -> None:
    """Put the runs on a disk that has room for what is there, and for little more."""
    _without_the_last_stage(bench, place)
    runs, kept = place / "runs", place / "kept"
    runs.rename(kept)
    runs.mkdir()
    size = sum(file.stat().st_size for file in kept.rglob("*") if file.is_file()) // 1024 + 300
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}k", "tmpfs", str(runs)], check=True)
    shutil.copytree(kept, runs, dirs_exist_ok=True)
    (runs / "ballast").write_bytes(b"0" * (_free(runs) - 40_000))


def _free(folder: Path) -> int:
    stat = os.statvfs(folder)
    return stat.f_bavail * stat.f_frsize


def _emptied(_: Bench, place: Path) -> None:
    """Make room again, and put the runs back on the usual disk."""
    runs, found = place / "runs", place / "found"
    shutil.copytree(runs, found, ignore=shutil.ignore_patterns("ballast"))
    subprocess.run(["umount", str(runs)], check=True)
    runs.rmdir()
    found.rename(runs)


def _linked(_: Bench, place: Path) -> None:
    (place / "runs").rename(place / "elsewhere")
    (place / "runs").symlink_to(place / "elsewhere")


def _another_writer(bench: Bench, place: Path) -> None:
    """Start the same command, which has something to do, and do not wait for it."""
    _without_the_last_stage(bench, place)
    subprocess.Popen(
        [sys.executable, "-m", "stagelift", "run", str(bench.recipe)],
        cwd=place,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _writer_at_work(bench: Bench, place: Path) -> None:
    """Start the same command, and wait until it trains."""
    _another_writer(bench, place)
    end = time.monotonic() + 300
    while not any((place / "runs").glob("nodes/grpo-*/node.json")):
        if time.monotonic() > end:
            raise RuntimeError("The other process does not begin its training.")
        time.sleep(0.1)


def _waited(_: Bench, place: Path) -> None:
    """Wait for the other writer, which works in the same folder."""
    for process in psutil.process_iter(["cwd"]):
        if process.info["cwd"] == str(place):
            process.wait(timeout=900)


def _later(_: Bench, place: Path) -> None:
    """Set the times of all files an hour ahead: the clock was set back."""
    for file in (place / "runs").rglob("*"):
        ahead = file.stat().st_mtime + 3600
        os.utime(file, (ahead, ahead))


def _without_a_model(_: Bench, place: Path) -> None:
    _without_the_last_stage(_, place)


def _beside(command: tuple[str, ...], codes: tuple[int, ...], says: str) -> Fault:
    return _machine(
        f"{command[0]} beside run",
        f"`{command[0]}` while the last stage is trained",
        strike=_writer_at_work,
        command=command,
        codes=codes,
        says=says,
        helps=(("run", "RECIPE"),),
        mended=_waited,
    )


def _machine(name: str, done: str, **more: object) -> Fault:
    usual = {
        "strike": _without_the_last_stage,
        "command": ("run", "RECIPE"),
        "codes": (0,),
        "says": "Open: ",
    }
    return Fault("machine", name, done, **{**usual, **more})  # type: ignore[arg-type]  # fields of Fault


MACHINES: tuple[Fault, ...] = (
    _machine(
        "full disk",
        "the disk is full while GRPO is trained",
        strike=_full,
        codes=(70,),
        says="(?i)no space|full",
        helps=(("run", "RECIPE"),),
        mended=_emptied,
    ),
    _machine(
        "two processes",
        "a second `run` of the same",
        strike=_another_writer,
        codes=(0, 2),
        says="Open: |Another",
        helps=(("run", "RECIPE"),),
        mended=_waited,
    ),
    _beside(("delete", "tiny", "--yes"), (2,), "Another stagelift process"),
    _beside(("prune", "--yes"), (0, 2), ""),
    _beside(("report", "tiny"), (0, 2), ""),
    _beside(("rescore", "tiny"), (0, 2), ""),
    _machine("HOME unset", "no HOME", variables={"HOME": None}),
    _machine(
        "LANG=C",
        "LC_ALL=C, no UTF-8",
        variables={"LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ),
    _machine("clock set back", "all files are an hour in the future", strike=_later),
    _machine("symlinked runs", "`runs` is a link", strike=_linked),
    _machine(
        "long path",
        "--runs with 3,600 characters",
        command=("run", "RECIPE", "--runs", "/".join(["x" * 99] * 36)),
        codes=(0, 2),
        says="",
        helps=(("run", "RECIPE"),),
    ),
)
