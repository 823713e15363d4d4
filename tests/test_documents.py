"""README is one page, every page is found from it, and what they link and tell to type exists."""

import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import typer

from stagelift.harness.cli import app
from tests.documents import (
    DOCUMENTS,
    PAGES,
    README,
    ROOT,
    anchors,
    commands,
    inline_commands,
    links,
    name,
)
from tests.recipe_reference import DOCUMENT, reference
from tests.t4_notebook import NOTEBOOK, notebook

LONGEST_README = 130
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
# what typer raises where an option, an argument or a value is wrong: usage errors of its click
CANNOT_BE_TYPED = typer.BadParameter.__mro__[1]
each_document = pytest.mark.parametrize("document", DOCUMENTS, ids=name)


def test_readme_is_one_page_that_begins_with_the_question_and_the_two_commands() -> None:
    lines = README.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= LONGEST_README
    assert lines[0] == "# stagelift" and lines[2].startswith("**What did each post-training stage")
    first = "\n".join(lines[:20])
    assert "\nmake quickstart" in first and "\nmake test" in first


def test_every_page_is_linked_from_readme_and_from_the_index() -> None:
    pages = {page for page in PAGES if page.parent == ROOT / "docs" and page.name != "index.md"}
    for document in (README, ROOT / "docs" / "index.md"):
        linked = {(document.parent / link.partition("#")[0]).resolve() for link in links(document)}
        assert pages <= linked, f"{name(document)} does not link {pages - linked}"


@each_document
def test_every_link_leads_to_a_file_and_a_heading(document: Path) -> None:
    for link in links(document):
        path, _, heading = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        assert target.exists(), f"{name(document)} links {path}, which is not there"
        if heading:
            assert heading in anchors(target), f"{name(document)} links {link}: no such heading"


@each_document
def test_every_command_in_a_block_is_read_by_the_command_line(document: Path) -> None:
    for words in commands(document):
        check(words)


@each_document
def test_every_command_in_a_sentence_has_options_that_exist(document: Path) -> None:
    for words in inline_commands(document):
        if words[0] != "stagelift":
            check(words)
        elif not words[1].startswith("-"):
            command, _ = found(words[1:])
            known = {option for parameter in command.params for option in parameter.opts}
            known |= {option for parameter in command.params for option in parameter.secondary_opts}
            used = {word for word in words if re.match(r"--[a-z]", word)}
            assert used - {"--help"} <= known, f"{' '.join(words)}: {used - known}"


def check(words: list[str]) -> None:
    """Raise AssertionError where a command could not be typed like this."""
    match words:
        case ["stagelift", *arguments]:
            parse(arguments)
        case ["make", target, *_]:
            assert re.search(rf"^{re.escape(target)}:", MAKEFILE, re.MULTILINE), target
        case ["pytest", *paths]:
            assert all((ROOT / path).exists() for path in paths if not path.startswith("-")), paths
        case ["python", "-m", module, *arguments]:
            check_module(module, arguments)


def parse(arguments: list[str]) -> None:
    """Let the real command line read arguments, and run nothing."""
    command, rest = found(arguments)
    try:
        command.make_context("stagelift", rest)
    except typer.Exit as ended:
        raise AssertionError(f"stagelift {' '.join(arguments)} only prints") from ended
    except CANNOT_BE_TYPED as problem:
        raise AssertionError(f"stagelift {' '.join(arguments)}: {problem}") from problem


def found(arguments: list[str]) -> tuple[Any, list[str]]:
    """Return the command that arguments name, in one word or two, and what stands after."""
    command: Any = typer.main.get_command(app)
    for place, word in enumerate(arguments):
        if not hasattr(command, "commands"):
            return command, arguments[place:]
        assert word in command.commands, f"there is no command stagelift {' '.join(arguments)}"
        command = command.commands[word]
    return command, []


def check_module(module: str, arguments: list[str]) -> None:
    """Raise AssertionError where there is no such module, or its source has no such option."""
    spec = find_spec(module)
    assert spec is not None and spec.origin is not None, module
    origin = Path(spec.origin)
    files = [*origin.parent.rglob("*.py")] if origin.name == "__init__.py" else [origin]
    sources = "".join(file.read_text(encoding="utf-8") for file in files)
    for option in arguments:
        if option.startswith("--"):
            assert f'"{option}"' in sources, f"python -m {module} has no option {option}"


def test_the_page_about_commands_has_every_one() -> None:
    every = typer.main.get_command(app).commands  # type: ignore[attr-defined]  # it is a group
    assert {words[1] for words in commands(ROOT / "docs" / "commands.md")} == {*every}


def test_a_command_that_could_not_be_typed_is_found() -> None:
    check(["stagelift", "run", "quickstart", "--dry-run"])
    check(["stagelift", "baseline", "set", "good-run"])
    for words in (
        ["stagelift", "runn", "quickstart"],
        ["stagelift", "run", "quickstart", "--no-such-option"],
        ["stagelift", "report", "mine", "--format", "docx"],
        ["stagelift", "baseline", "put", "good-run"],
        ["make", "quickstarts"],
        ["python", "-m", "benchmarks.no_such_module"],
        ["python", "-m", "benchmarks.quickstart", "--no-such-option"],
    ):
        with pytest.raises((AssertionError, ModuleNotFoundError)):
            check(words)


def test_the_recipe_reference_is_what_the_models_say() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == reference(), (
        "if that was meant: python -m tests.recipe_reference"
    )


def test_the_notebook_for_a_t4_is_the_tutorial() -> None:
    assert NOTEBOOK.read_text(encoding="utf-8") == notebook(), (
        "if that was meant: python -m tests.t4_notebook"
    )
