"""Kills at random moments: the same command goes on each time, until the run is done."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from benchmarks.faults.bench import Bench, Said, differences, environment

WHO = ("conductor, SIGKILL", "worker, SIGKILL", "conductor, SIGTERM", "conductor, SIGINT")
_SIGNALS = {
    "conductor, SIGKILL": signal.SIGKILL,
    "conductor, SIGTERM": signal.SIGTERM,
    "conductor, SIGINT": signal.SIGINT,
}
# how a command may end that is struck; before it has loaded anything a signal ends it as any other
_CODES = {
    "conductor, SIGKILL": (-9,),
    "worker, SIGKILL": (1,),
    "conductor, SIGTERM": (143, -15),
    "conductor, SIGINT": (130, -2),
}
# of a chain's duration: the longest that a run is left alone
_LONGEST = 0.2
_MOST_CHANGES = 30


class Moment(NamedTuple):
    """When a run is struck: after some seconds, or right after so many changes on disk."""

    seconds: float | None
    changes: int | None


@dataclass
class Kill:
    """One kill: who was struck when, what was being written, how the command ended, and what it
    did that it should not have.
    """

    number: int
    run: int
    who: str
    moment: Moment
    at: str = ""
    code: int | None = None
    seconds: float = 0.0
    problems: list[str] = field(default_factory=list)


@dataclass
class KilledRun:
    """A run that was killed and resumed until it was done: its kills, and what differs."""

    number: int
    kills: list[Kill]
    code: int | None = None
    differs: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        """Say whether it ended as if nobody had disturbed it."""
        return self.code == 0 and not self.differs and not self.left


def killed_runs(bench: Bench, kills: int, seed: int) -> Iterator[KilledRun]:
    """Kill runs so many times in all, and yield each once it is done.

    One that is interrupted itself is yielded as far as it came.
    """
    rng = random.Random(seed)
    done = 0
    while done < kills:
        run = KilledRun(number := done + 1, [])
        place = bench.place(f"killed-{number}")
        try:
            while run.code is None:
                wanted = _next_kill(rng, bench, done + 1, number) if done < kills else None
                struck = _sitting(bench, place, wanted, run)
                done += struck
        finally:
            if run.code is not None:
                run.differs = differences(bench.whole, place / "runs")
                run.left = sorted(_left_behind(place / "runs"))
            yield run


def _next_kill(rng: random.Random, bench: Bench, number: int, run: int) -> Kill:
    if rng.random() < 0.5:
        moment = Moment(round(rng.uniform(0, _LONGEST * bench.seconds), 2), None)
    else:
        moment = Moment(None, rng.randint(1, _MOST_CHANGES))
    return Kill(number, run, WHO[number % len(WHO)], moment)


def _sitting(bench: Bench, place: Path, kill: Kill | None, run: KilledRun) -> bool:
    """Start the command and strike it; a run that was faster, or is left alone, is done."""
    started = time.monotonic()
    process = _start(bench, place)
    if kill is not None and _comes(process, place / "runs", kill):
        below = psutil.Process(process.pid).children(recursive=True)
        kill.at = _newest(place / "runs")
        if _strike(process, kill):
            said = _end(process, started)
            kill.code, kill.seconds = said.code, round(said.seconds, 1)
            kill.problems = list(_problems(kill, said, below))
            run.kills.append(kill)
            print(_line(kill), file=sys.stderr, flush=True)
            return True
    said = _end(process, started)
    run.code = said.code
    if said.code:
        print(f"The run ended with {said.code}: {said.text[-2000:]}", file=sys.stderr, flush=True)
    return False


def _start(bench: Bench, place: Path) -> subprocess.Popen[str]:
    # started with `&`, we ignore Ctrl-C, and so would whatever we start
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return subprocess.Popen(
            [sys.executable, "-m", "stagelift", "run", str(bench.recipe)],
            cwd=place,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
    finally:
        signal.signal(signal.SIGINT, before)


def _comes(process: subprocess.Popen[str], root: Path, kill: Kill) -> bool:
    """Wait for the moment, and say whether it came before the end."""
    started, changes, seen = time.monotonic(), 0, _state(root)
    while process.poll() is None:
        now = _state(root)
        changes += sum(seen.get(name) != state for name, state in now.items())
        seen = now
        if kill.moment.seconds is not None:
            is_time = time.monotonic() - started >= kill.moment.seconds
        else:
            is_time = changes >= (kill.moment.changes or 0)
        if is_time and (kill.who in _SIGNALS or _workers(process)):
            return True
        time.sleep(0.003)
    return False


def _state(root: Path) -> dict[str, tuple[int, int]]:
    """Return size and time of every file that is there, as far as one can look at it."""
    found = {}
    for folder, _, names in os.walk(root):
        for file in (Path(folder, name) for name in names):
            # it may be gone by now
            with suppress(FileNotFoundError):
                stat = file.stat()
                found[str(file)] = (stat.st_mtime_ns, stat.st_size)
    return found


def _workers(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """Return the workers that a conductor has: others of its processes look at the machine."""
    try:
        below = psutil.Process(process.pid).children()
        return [child for child in below if "stagelift.harness.worker" in child.cmdline()]
    except psutil.NoSuchProcess:
        return []


def _strike(process: subprocess.Popen[str], kill: Kill) -> bool:
    """Strike, and say whether there was something to strike."""
    struck = _SIGNALS.get(kill.who)
    if struck is not None:
        process.send_signal(struck)
        return process.poll() is None or process.returncode < 0
    workers = _workers(process)
    if not workers:
        return False
    workers[0].kill()
    return True


def _end(process: subprocess.Popen[str], started: float) -> Said:
    text, _ = process.communicate(timeout=900)
    return Said(process.returncode, text, time.monotonic() - started)


def _newest(root: Path) -> str:
    """Name what was written last, and so what was being done."""
    state = _state(root)
    newest = max(state, key=lambda name: state[name][0], default="")
    return Path(newest).relative_to(root).as_posix() if newest else "nothing yet"


def _problems(kill: Kill, said: Said, below: list[psutil.Process]) -> Iterator[str]:
    """Say what a killed command should not have done: a traceback, workers that go on."""
    if "Traceback" in said.text:
        yield f"a traceback: {said.text[-300:]}"
    if said.code not in _CODES[kill.who]:
        yield f"exit code {said.code}"
    _, alive = psutil.wait_procs(below, timeout=60)
    for process in alive:
        yield f"process {process.pid} goes on"


def _left_behind(root: Path) -> Iterator[str]:
    """Name temporary files, and checkpoints of a training that is done."""
    for path in root.rglob("*"):
        if path.suffix in (".tmp", ".part") or path.name == "checkpoints":
            yield path.relative_to(root).as_posix()


def _line(kill: Kill) -> str:
    moment = kill.moment
    when = f"change {moment.changes}" if moment.seconds is None else f"{moment.seconds} s"
    problems = f", PROBLEM: {'; '.join(kill.problems)}" if kill.problems else ""
    return f"kill {kill.number}: {kill.who} at {when} ({kill.at}), exit {kill.code}{problems}"


def summary(runs: list[KilledRun]) -> list[dict[str, Any]]:
    """Count kills by who was struck and in what, with what became of them."""
    kills = [kill for run in runs for kill in run.kills]
    rows = []
    for who in WHO:
        own = [kill for kill in kills if kill.who == who]
        codes = sorted({str(kill.code) for kill in own})
        rows.append(
            {
                "struck": who,
                "kills": len(own),
                "in training": sum("evals" not in kill.at and "nodes/" in kill.at for kill in own),
                "in evaluation": sum("evals/" in kill.at for kill in own),
                "exit codes": ", ".join(codes),
                "with a problem": sum(bool(kill.problems) for kill in own),
            }
        )
    return rows
