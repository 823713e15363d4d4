"""Help as a newcomer reads it: groups, plain words, examples that the parser takes, completion."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from stagelift.harness.cli import app
from stagelift.harness.commands.completing import recipes
from stagelift.harness.commands.examples import EXAMPLES, Example, example_lines
from stagelift.harness.commands.help import Command
from tests.conftest import environment

WHOLE: Any = typer.main.get_command(app)


def commands(command: Any = WHOLE, name: str = "") -> dict[str, Any]:
    """Every command by its name, `baseline set` among them; "" is `stagelift` itself."""
    found = {name: command}
    for word, inner in getattr(command, "commands", {}).items():
        found |= commands(inner, f"{name} {word}".strip())
    return found


def page(name: str, flag: str = "-h") -> str:
    done = CliRunner().invoke(app, [*name.split(), flag], terminal_width=80)
    assert done.exit_code == 0, done.output
    return done.output


@pytest.mark.parametrize("name", commands())
def test_help_fits_80_columns_in_plain_words_and_has_examples(name: str) -> None:
    shown = page(name)
    assert shown == page(name, "--help")
    assert max(map(len, shown.splitlines())) <= 80
    assert not re.search(r"[<>{]|\bTEXT\b|x>=|\.\.\.$", shown.replace("{critical: [...]", "")), (
        shown
    )
    assert shown.endswith(f"{example_lines(name).splitlines()[-1]}\n")
    assert 2 <= len(EXAMPLES[name]) <= 3


@pytest.mark.parametrize(
    "example",
    [each for examples in EXAMPLES.values() for each in examples],
    ids=lambda e: e.command,
)
def test_every_example_is_a_command_that_the_parser_takes(example: Example) -> None:
    program, *words = shlex.split(example.command)
    assert program == "stagelift"
    command: Any = WHOLE
    while words and words[0] in getattr(command, "commands", {}):
        command = command.commands[words.pop(0)]
    assert isinstance(command, Command), "it names a command, not a group"
    if words == ["-h"]:
        return
    # raises where there is no such option, or a value is none
    context = command.make_context(program, words)
    assert context.args == []


def test_an_option_that_does_not_exist_would_be_noticed() -> None:
    with pytest.raises(Exception, match="No such option"):
        commands()["run"].make_context("run", ["quickstart", "--stepz", "3"])


def test_every_option_and_argument_says_what_it_takes() -> None:
    for name, command in commands().items():
        for param in command.params:
            assert param.help, f"{name}: {param.name} says nothing"
            plain = param.metavar or param.type_descriptor.is_choice or param.is_flag
            assert plain or name == "", f"{name}: {param.name} has no metavar"


def test_commands_stand_in_groups_in_the_order_of_use() -> None:
    titles = re.findall(r"^([A-Z][a-z ]+):$", page(""), re.MULTILINE)
    assert titles == [
        *("Options", "Run", "Read", "Gate", "Bring your own", "Keep", "Share", "Examples")
    ]
    listed = re.findall(r"^  ([a-z]+)  ", page(""), re.MULTILINE)
    assert sorted(listed) == sorted(WHOLE.commands)
    assert listed[:4] == ["plan", "run", "report", "runs"]


def completed(line: str, folder: Path) -> list[str]:
    """What a shell offers at the end of a line."""
    words = {"COMP_WORDS": line, "COMP_CWORD": str(len(line.split(" ")) - 1)}
    asked = {**environment(), **words, "_STAGELIFT_COMPLETE": "complete_bash"}
    code = "import sys; sys.argv = ['stagelift']; from stagelift.harness.cli import main; main()"
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command, cwd=folder, env=asked, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_a_shell_completes_shipped_recipes_files_and_runs(tmp_path: Path) -> None:
    for name in ("first", "second", "no-run"):
        (tmp_path / "elsewhere" / name).mkdir(parents=True)
    for name in ("first", "second"):
        (tmp_path / "elsewhere" / name / "run.json").write_text("{}")
    (tmp_path / "quick.yaml").write_text("")
    assert completed("stagelift run quick", tmp_path) == ["quickstart", "quick.yaml"]
    assert completed("stagelift report --runs elsewhere ", tmp_path) == ["first", "second"]
    assert completed("stagelift report --runs elsewhere s", tmp_path) == ["second"]
    assert completed("stagelift report x", tmp_path) == [""]


def test_recipes_in_a_folder_are_offered_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "own.yml").write_text("")
    (tmp_path / "mine" / "notes.txt").write_text("")
    assert recipes("mi") == ["mine/"]
    assert recipes(f"mine{os.sep}") == ["mine/own.yml"]
    assert recipes("nowhere/") == []
