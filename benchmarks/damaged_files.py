"""Every file of a finished run, damaged in five ways: what each command says, and whether
`stagelift run --repair` makes the run whole again.

    python -m benchmarks.damaged_files RECIPE FOLDER [FILE...]

makes the run of a recipe in FOLDER/whole, damages copies of it one file at a time, and prints a
row for each: what was done to which file, the exit codes of the commands, and what became of it.
It ends with 1 where a command ended otherwise than with a sentence, or the run was not made whole.
"""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from typer.testing import CliRunner

from stagelift.harness.cli import app
from stagelift.harness.recipes.read import load_recipe
from stagelift.harness.verifying import verify
from stagelift.reports.folders import RunFolder

_REPORTS = ("report.md", "report.svg", "report.html", "report.json")
# written anew by every run, or of no run
_NOT_RECORDS = (
    ".lock",
    ".log",
    "report.md",
    "report.svg",
    "report.html",
    "report.json",
    "README.md",
    "recipe.yaml",
)


def flipped(content: bytes) -> bytes:
    """Flip one bit in the middle."""
    middle = len(content) // 2
    return (
        content[:middle]
        + bytes(byte ^ 1 for byte in content[middle : middle + 1])
        + (content[middle + 1 :])
    )


DAMAGES: dict[str, Callable[[bytes], bytes] | None] = {
    "one bit flipped": flipped,
    "truncated": lambda content: content[: len(content) // 2],
    "emptied": lambda _: b"",
    "deleted": None,
    "another's": lambda content: b'{"of": "another run"}\n' + content[:7],
}


@dataclass(frozen=True)
class Row:
    """One damage: the exit codes of commands by name, and whether the run is whole afterwards."""

    file: str
    damage: str
    codes: dict[str, int]
    whole: bool
    said: str

    @property
    def is_right(self) -> bool:
        """Whether somebody noticed, nothing ended with a traceback, and the run was repaired."""
        usual = {0, 1, 2, 3, 4}
        return self.whole and self.codes["verify"] == 1 and usual.issuperset(self.codes.values())


def records(root: Path) -> list[str]:
    """Name the files of a runs folder that hold records or weights."""
    files = (file for file in sorted(root.rglob("*")) if file.is_file())
    return [
        file.relative_to(root).as_posix()
        for file in files
        if file.stat().st_size and not file.name.endswith(_NOT_RECORDS)
    ]


def tried(whole: Path, recipe: str, name: str, repaired: Callable[[], None]) -> Iterator[Row]:
    """Yield a row for each damage of a file; `repaired` repairs the run in the working folder."""
    for damage, change in DAMAGES.items():
        shutil.rmtree("runs", ignore_errors=True)
        shutil.copytree(whole, "runs")
        file = Path("runs", name)
        if change is None:
            file.unlink()
        else:
            file.write_bytes(change(file.read_bytes()))
        yield _row(recipe, name, damage, repaired)


def _row(recipe: str, name: str, damage: str, repaired: Callable[[], None]) -> Row:
    run = load_recipe(recipe, []).name
    commands = {
        "verify": ["verify", run],
        "dry-run": ["run", recipe, "--dry-run"],
        "plan": ["plan", recipe],
        "report": ["report", run],
        "check": ["check", run, "--baseline", run],
    }
    results = {word: CliRunner().invoke(app, words) for word, words in commands.items()}
    if results["dry-run"].exit_code == 2 or results["verify"].exit_code == 1:
        repaired()
    seen = verify(RunFolder(Path("runs", run)))
    return Row(
        file=name,
        damage=damage,
        codes={word: result.exit_code for word, result in results.items()},
        whole=seen.is_whole,
        said=(results["dry-run"].stderr or results["verify"].stdout).strip().replace("\n", " "),
    )


def _repair(recipe: str) -> None:
    CliRunner().invoke(app, ["run", recipe, "--repair"])


if __name__ == "__main__":
    recipe, folder, *named = sys.argv[1:]
    recipe = str(Path(recipe).resolve())
    Path(folder).mkdir(parents=True, exist_ok=True)
    os.chdir(folder)
    if not Path("whole").exists():
        made = CliRunner().invoke(app, ["run", recipe])
        assert made.exit_code == 0, made.output
        shutil.copytree("runs", "whole")
    right = True
    for name in named or records(Path("whole")):
        for row in tried(Path("whole"), recipe, name, lambda: _repair(recipe)):
            right = right and row.is_right
            codes = " ".join(f"{word}={code}" for word, code in row.codes.items())
            verdict = "repaired" if row.whole else "NOT WHOLE"
            print(f"{row.file} | {row.damage} | {codes} | {verdict} | {row.said}", flush=True)
    sys.exit(0 if right else 1)
