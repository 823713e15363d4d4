"""Whether the kernel ended a process because memory ran out: it counts those that it ended, in
their control group or on the whole machine.

Linux only: elsewhere nothing is counted, and nothing is said for certain.
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil

_OWN = Path("/proc/self/cgroup")
_MACHINE = Path("/proc/vmstat")
_SCORE = Path("/proc/self/oom_score_adj")
_GROUPS = Path("/sys/fs/cgroup")
# what no limit looks like in cgroup v1: a number of pages near the largest
_NO_LIMIT = 1 << 60
# as if a process held this many thousandths of the memory more than it does
_SOONER = 500


def go_before_the_conductor() -> None:
    """Let the kernel, where memory runs out, rather end this process and what it starts than the
    one that started it: that one can say so.
    """
    # not there but on Linux, and not everywhere there
    with suppress(OSError):
        if int(_SCORE.read_text(encoding="utf-8")) < _SOONER:
            _SCORE.write_text(str(_SOONER), encoding="utf-8")


class Killer:
    """What the kernel has counted before a process is started."""

    def __init__(self, own: Path = _OWN, groups: Path = _GROUPS, machine: Path = _MACHINE) -> None:
        self.files = [*_group_files(own, groups), machine]
        self.before = self._count()

    def has_struck(self) -> bool | None:
        """Say whether it has ended a process since; None where it does not count."""
        now = self._count()
        return None if now is None or self.before is None else now > self.before

    def _count(self) -> int | None:
        """Read the first counter that is there: a group's own says more than the machine's."""
        return next(_read(self.files, r"^oom_kill (\d+)$"), None)


def memory_limit(own: Path = _OWN, groups: Path = _GROUPS) -> int:
    """Return how many bytes of memory processes may hold here."""
    limits = [
        limit
        for folder in _folders(own, groups)
        for limit in _read([folder / "memory.max", folder / "memory.limit_in_bytes"], r"^(\d+)$")
    ]
    total = int(psutil.virtual_memory().total)
    return min([total, *(each for each in limits if each < _NO_LIMIT)])


def _group_files(own: Path, groups: Path) -> Iterator[Path]:
    for folder in _folders(own, groups):
        yield folder / "memory.events"
        yield folder / "memory.oom_control"


def _folders(own: Path, groups: Path) -> Iterator[Path]:
    """Yield where this process's control group may lie, of both versions; in a container its path
    is often not what is mounted there.
    """
    try:
        lines = own.read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers not in ("", "memory"):
            continue
        root = groups / controllers
        for part in dict.fromkeys([path.strip("/"), ""]):
            yield root / part


def _read(files: list[Path], pattern: str) -> Iterator[int]:
    for file in files:
        try:
            match = re.search(pattern, file.read_text(encoding="utf-8"), re.MULTILINE)
        except OSError:
            continue
        if match is not None:
            yield int(match[1])
