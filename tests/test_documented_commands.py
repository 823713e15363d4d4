"""What README and docs/ tell to type at runs that are there does what it says, word for word."""

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from stagelift.harness.cli import app
from tests.documents import DOCUMENTS, commands, name
from tests.shared import made_once

# runs that documents name: how many of 200 responses are right after base, and after the stage
RUNS = {
    "mine": (60, 100),
    "r4": (60, 110),
    "good-run": (60, 100),
    "new-run": (60, 150),
    "new": (60, 150),
    "candidate": (60, 150),
}
# these need no model and no network
ON_RUNS = {"report", "export", "rescore", "runs", "verify", "check", "baseline", "prune"}
# what `check` may answer, also that tokens cannot be compared, of which these runs know nothing;
# everything else ends with 0
ANSWERS = (0, 1, 3, 4)


def typed() -> list[tuple[str, list[str]]]:
    """List the commands that need no more than those runs, each once, and where it stands."""
    shown = {
        " ".join(words): (name(document), words[1:])
        for document in DOCUMENTS
        for words in commands(document)
        if words[0] == "stagelift" and words[1] in ON_RUNS and set(named(words[2:])) <= {*RUNS}
    }
    return list(shown.values())


def named(words: list[str]) -> list[str]:
    """List the runs among the words of a command: what is no option, nor the value of one."""
    pairs = zip(["", *words], words, strict=False)
    return [
        word
        for before, word in pairs
        if not word.startswith("-")
        and not (before.startswith("--") and before != "--self-test")
        and word not in ("set", "DIR")
    ]


TYPED = typed()


@pytest.fixture
def runs(shared: Path) -> Path:
    """A folder with those runs, and a baseline."""

    def make(folder: Path) -> None:
        for run, right in RUNS.items():
            for stage, n in zip(("base", "sft"), right, strict=True):
                rows = [response(place, place < n) for place in range(200)]
                (folder / f"{stage}.jsonl").write_text("".join(f"{row}\n" for row in rows))
            files = [f"base={folder / 'base.jsonl'}", f"sft={folder / 'sft.jsonl'}"]
            ran(["import", *files, "--name", run, "--runs", str(folder / "runs")])

    return made_once(shared, "documented_runs", make)


def response(place: int, is_right: bool) -> str:
    answer = "4" if is_right else "5"
    row = {"id": str(place), "prompt": f"{place}?", "target": "4", "response": answer}
    return json.dumps(row)


def ran(words: list[str], codes: tuple[int, ...] = (0,)) -> str:
    done = CliRunner().invoke(app, words)
    assert done.exit_code in codes, f"stagelift {' '.join(words)}: {done.output}"
    return done.output


@pytest.mark.parametrize(("document", "words"), TYPED, ids=[" ".join(words) for _, words in TYPED])
def test_a_documented_command_works_on_runs_that_are_there(
    document: str, words: list[str], runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(runs / "runs", "runs", copy_function=shutil.copy)
    make_writable(tmp_path / "runs")
    ran(["baseline", "set", "good-run"])
    assert ran(words, ANSWERS if words[0] == "check" else (0,)) or words[0] == "export", document


def make_writable(folder: Path) -> None:
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)


def test_commands_are_found_where_they_are_known_to_stand() -> None:
    found = {document for document, _ in TYPED}
    assert {"docs/ci.md", "docs/commands.md", "docs/reports.md"} <= found
    assert {words[0] for _, words in TYPED} == ON_RUNS
