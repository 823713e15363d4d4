"""How commands end: with a sentence, and an exit code that means one thing."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from xml.etree import ElementTree

import pytest
import typer
from typer.testing import CliRunner

from stagelift.harness.cli import app
from stagelift.harness.commands.endings import Commands, Terminated, ended
from stagelift.harness.commands.failures import asked_format
from stagelift.harness.commands.options import usage_errors

PAGE = Path(__file__).resolve().parent.parent / "docs" / "exit-codes.md"


@contextmanager
def ends_with(code: int) -> Iterator[None]:
    with pytest.raises(SystemExit) as left:
        yield
    assert left.value.code == code


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (
            KeyError("schoolmath/test/0"),
            70,
            "not of yours (KeyError: 'schoolmath/test/0')",
        ),
        (RecursionError("too deep"), 70, "a fault of stagelift, not of yours (RecursionError: too"),
        (AssertionError(), 70, "a fault of stagelift, not of yours (AssertionError:)"),
        (MemoryError(), 70, "Memory ran out. Free some"),
        (ModuleNotFoundError("No module named 'x'"), 70, "The installation is not whole"),
        (OSError(28, "No space left on device", "/x/y"), 70, "No space left on device: '/x/y'"),
        (KeyboardInterrupt(), 130, "Interrupted."),
        (Terminated(), 143, "Interrupted."),
    ],
)
def test_what_nobody_foresaw_is_a_sentence_with_a_code_of_its_own(
    error: BaseException, code: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with ends_with(code), ended():
        raise error
    said = capsys.readouterr().err
    assert words in said and said.count("\n") == 1 and "Traceback" not in said
    for file in re.findall(r"What led to it is in (\S+), with", said):
        text = Path(file).read_text("utf-8")
        assert "Traceback" in text and "test_endings.py" in text and "command: stagelift" in text
        Path(file).unlink()
    assert (code == 70) == ("What led to it is in" in said)


def test_what_the_user_can_put_right_ends_as_before(capsys: pytest.CaptureFixture[str]) -> None:
    with ends_with(2), ended(), usage_errors():
        raise ValueError("Give a number.")
    assert capsys.readouterr().err == "Error: Give a number.\n"
    with ends_with(1), ended():
        raise SystemExit(1)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["check", "no-run", "--baseline", "x", "--format", "json"], "'x' is neither a run"),
        (["check", "no-run", "--format=json"], "--baseline is missing"),
        (["verify", "no-run", "--format", "json"], "runs/no-run is not a run"),
        (["report", "no-run", "--format", "json"], "runs/no-run is not a run"),
        (["plan", "no-recipe", "--format", "json"], "No recipe 'no-recipe'"),
        (["check", "--format", "json"], "Missing argument 'RUN'"),
        (["check", "no-run", "--no-option", "--format", "json"], "No such option: --no-option"),
    ],
)
def test_bad_input_is_json_on_standard_output_where_json_was_asked_for(
    words: list[str], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, words)
    document = json.loads(done.stdout)
    assert done.exit_code == 2 and document["exit_code"] == 2
    assert says in document["error"] and says in done.stderr
    assert not document["error"].startswith("Error")


@pytest.mark.parametrize(
    ("words", "form"),
    [
        (["check", "x", "--format", "json"], "json"),
        (["check", "--format=junit", "x"], "junit"),
        (["check", "x"], None),
        (["check", "--format"], None),
    ],
)
def test_the_format_is_seen_in_any_command_line(words: list[str], form: str | None) -> None:
    assert asked_format(words) == form


def test_a_check_that_cannot_be_made_is_an_error_in_junit_and_an_annotation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["check", "no-run", "--baseline", "<x>", "--format"]
    suite = ElementTree.fromstring(CliRunner().invoke(app, [*words, "junit"]).stdout)
    (error,) = suite.iter("error")
    assert "'<x>' is neither a run" in error.attrib["message"]
    assert suite.findall("testsuite")[0].attrib["errors"] == "1"
    noted = CliRunner().invoke(app, [*words, "github"]).stdout
    assert (
        noted.startswith("::error title=stagelift check::'<x>' is neither")
        and "\n" not in noted[:-1]
    )


@pytest.mark.parametrize("words", [["check", "no-run", "--baseline", "x"], ["report", "no-run"]])
def test_people_read_the_sentence_alone(words: list[str]) -> None:
    done = CliRunner().invoke(app, words)
    assert (done.exit_code, done.stdout) == (2, "")


def test_a_fault_is_json_too(capsys: pytest.CaptureFixture[str]) -> None:
    with ends_with(70), ended("json"):
        raise ZeroDivisionError("division by zero")
    said = capsys.readouterr()
    assert json.loads(said.out)["exit_code"] == 70 and "not of yours" in said.err
    for file in re.findall(r"What led to it is in (\S+), with", said.err):
        Path(file).unlink()


def test_a_value_in_two_words_is_said_to_stand_in_quotes() -> None:
    done = CliRunner().invoke(app, ["check", "x", "--margin", "length_tokens=0.05", "%"])
    assert (
        done.exit_code == 2 and "stands in quotes: --margin 'length_tokens=10 both'" in done.stderr
    )


def test_a_fault_inside_of_a_command_never_ends_with_1() -> None:
    broken = typer.Typer(cls=Commands)

    @broken.command("one")
    def one() -> None:
        raise ZeroDivisionError("division by zero")

    @broken.command("two")
    def two() -> None:
        """Hold two commands, so that each has a name."""

    done = CliRunner().invoke(broken, ["one"])
    assert done.exit_code == 70 and "ZeroDivisionError: division by zero" in done.output
    assert CliRunner().invoke(broken, ["two"]).exit_code == 0
    for wrong in (["three"], ["one", "--no-such-option"], ["one", "two"]):
        assert CliRunner().invoke(broken, wrong).exit_code == 2


def stagelift(*arguments: str, **streams: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "stagelift", *arguments]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, **streams)


def test_a_reader_that_has_enough_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    for arguments in (["--help"], ["check", "--help"], ["runs"]):
        process = stagelift(*arguments, stdout=writing)
        assert process.communicate()[1] == "" and process.returncode == 141, arguments
    os.close(writing)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a full device")
def test_output_that_cannot_be_written_is_said() -> None:
    with Path("/dev/full").open("w") as full:
        process = stagelift("check", "--help", stdout=full.fileno())
        said = process.communicate()[1]
    assert process.returncode == 70 and "No space left on device" in said
    assert said.count("\n") == 1


def test_every_exit_code_is_documented() -> None:
    table = PAGE.read_text("utf-8")
    documented = {int(code) for code in re.findall(r"^\| (\d+) \|", table, flags=re.MULTILINE)}
    assert documented == {0, 1, 2, 3, 4, 70, 130, 141, 143}


COMMANDS = [
    ["run"],
    ["run", "no-such-recipe"],
    ["evaluate", "/nowhere", "--recipe", "quickstart"],
    ["plan", "no-such-recipe"],
    ["import", "/nowhere", "--name", "x"],
    ["rescore", "nothing"],
    ["report", "nothing"],
    ["export", "nothing", "--as", "lm-eval"],
    ["push", "nothing"],
    ["prune", "--runs", "/nowhere"],
    ["runs", "--runs", "/nowhere"],
    ["vote", "nothing"],
    ["check", "nothing"],
    ["check", "nothing", "--baseline", "main"],
    ["baseline", "set", "nothing"],
    ["baseline", "show"],
    ["baseline", "history"],
    ["judge", "train", "--output", "/dev/null/x", "--model", "/nowhere"],
    ["verify", "nothing"],
    ["delete", "nothing"],
    ["--no-such-option"],
    [],
]


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_a_command_without_what_it_needs_ends_with_2_or_has_nothing_to_do(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code in (0, 2), done.output
    assert isinstance(done.exception, SystemExit | None) and "Traceback" not in done.output


def test_every_command_is_among_those() -> None:
    named = {(arguments or [""])[0] for arguments in COMMANDS}
    registered = {command.name or command.callback.__name__ for command in app.registered_commands}
    assert registered | {group.name for group in app.registered_groups} <= named
