"""What a fault is, and one attempt of it."""

import re
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.faults.bench import Bench, Said, differences, stagelift
from benchmarks.table import Cell

Words = tuple[str, ...]
_LONGEST = 220


@dataclass(frozen=True)
class Fault:
    """One fault.

    `strike` does it to a folder that holds a copy of the undisturbed run in `runs`; `command` meets
    it, and must end with one of `codes` and say `says`. `helps` are the commands that recover, None
    where nothing was lost and nothing is to be done; `never` must stand in no output and no file.
    `server` serves what the command asks, and `mended` is done before the run is looked at again.
    Afterwards it is as if nobody had disturbed it, where `is_whole`.
    """

    part: str
    name: str
    done: str
    strike: Callable[[Bench, Path], None]
    command: Words
    codes: tuple[int, ...]
    says: str
    helps: tuple[Words, ...] = ()
    is_whole: bool = True
    variables: Mapping[str, str | None] = field(default_factory=dict)
    never: str | None = None
    said: str = ""
    server: Callable[[], AbstractContextManager[str]] = lambda: nullcontext("")
    mended: Callable[[Bench, Path], None] = lambda _, __: None


@dataclass(frozen=True)
class Outcome:
    """What became of an attempt: what the command said, and what is wrong with that."""

    fault: Fault
    met: Said
    problems: tuple[str, ...]

    @property
    def is_well(self) -> bool:
        """Say whether the fault was met as it should be, and recovered."""
        return not self.problems

    @property
    def verdict(self) -> str:
        """Say so in a word, or what is wrong."""
        if self.problems:
            return f"NO: {'; '.join(self.problems)}"
        return "yes, same bytes" if self.fault.is_whole else "yes"

    def row(self) -> dict[str, Cell]:
        """Return the table's row."""
        helps = " ; ".join(f"`stagelift {' '.join(words)}`" for words in self.fault.helps)
        return {
            "fault": f"{self.fault.part}: {self.fault.name}",
            "what was done": self.fault.done,
            "message": _cell(self.met.message()),
            "exit code": self.met.code,
            "recovering command": helps or "none needed",
            "recovered": self.verdict,
        }


def attempt(fault: Fault, bench: Bench) -> Outcome:
    """Do a fault to a copy of the run, meet it, recover, and look at what is there then."""
    place = bench.copy(re.sub(r"\W+", "-", f"{fault.part}-{fault.name}"))
    fault.strike(bench, place)
    with fault.server() as url:
        words = _filled(fault.command, bench, url)
        met = stagelift(place, *words, variables=fault.variables, said=fault.said)
    problems = list(_problems(fault, met))
    fault.mended(bench, place)
    for helping in fault.helps:
        helped = stagelift(place, *_filled(helping, bench), variables=fault.variables)
        if helped.code:
            problems.append(f"{helping[0]} ended with {helped.code}: {_cell(helped.message())}")
    if fault.is_whole:
        differs = differences(bench.whole, place / "runs")
        problems += [f"differs: {', '.join(differs[:3])}"] if differs else []
    if fault.never is not None:
        problems += [f"it stands in {name}" for name in _holding(place, fault.never)]
    return Outcome(fault, met, tuple(problems))


def _problems(fault: Fault, met: Said) -> list[str]:
    problems = []
    if met.code not in fault.codes:
        problems.append(f"exit code {met.code} and not {' or '.join(map(str, fault.codes))}")
    if not re.search(fault.says, " ".join(met.text.split())):
        problems.append(f"it does not say '{fault.says}'")
    if "Traceback (most recent call last)" in met.text:
        problems.append("a traceback")
    if fault.never is not None and fault.never in met.text:
        problems.append("it was printed")
    return problems


def _holding(place: Path, words: str) -> list[str]:
    """Name the files below `runs` in which something stands."""
    files = [file for file in (place / "runs").rglob("*") if file.is_file()]
    return [file.name for file in files if words.encode() in file.read_bytes()]


def _filled(words: Words, bench: Bench, url: str = "") -> list[str]:
    adapter = next((bench.whole / "nodes").glob("sft-*/adapter"))
    places = {"RECIPE": bench.recipe, "MODEL": bench.model, "ADAPTER": adapter, "URL": url}
    filled = list(words)
    for name, place in places.items():
        filled = [word.replace(name, str(place)) for word in filled]
    return filled


def _cell(text: str) -> str:
    """Make text fit for a cell: short, and without what ends one."""
    shown = re.sub(r"/tmp/\S*?/(?=runs|model|tiny)", "", text.replace("|", "/"))
    return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]} ..."
